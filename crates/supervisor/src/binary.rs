//! Executing our own binary: what is running, not what its path leads to by now.
//!
//! A binary is replaced or deleted under a worker that runs from it. So a worker opens it once and executes the open
//! file; whoever was executed that way executes itself by [`THIS_BINARY`]. Both say `/proc/…/<number>` to the kernel,
//! which process lists would show; the name that people know is kept in the first argument, and taken on from there.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::thread::set_name;

use crate::error::Error;

/// As a plan's program: the binary that the supervisor itself runs from, even if its file is gone.
pub const THIS_BINARY: &str = "/proc/self/exe";

/// A binary that hands over to [`crate::main`], held open: it can be executed whatever becomes of its file.
#[derive(Debug)]
pub struct Binary {
    file: OwnedFd,
    name: OsString,
}

impl Binary {
    /// Opens the binary. The descriptor is closed in whatever is executed.
    ///
    /// # Errors
    /// [`Error::Io`] if there is none at this path.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(Error::io("open", path))?;
        // Only a name for people; a link such as `THIS_BINARY` would be none.
        let name = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
        Ok(Self { file, name })
    }

    pub(crate) fn command(&self) -> Command {
        // The child has this number too until it executes; an interpreter would look for it in vain, but a binary has none.
        let mut command = Command::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        command.arg0(&self.name);
        command
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.name)
    }
}

/// Our own binary again, under our own name.
pub(crate) fn command_of_this_binary() -> Command {
    let mut command = Command::new(THIS_BINARY);
    command.arg0(own_name());
    command
}

/// Gives this process the name of its first argument, where the kernel has only seen the number of a descriptor.
pub fn take_name() {
    let name = own_name();
    let short = Path::new(&name).file_name().unwrap_or(&name);
    // The kernel cuts it at 15 bytes; a process without it runs as well.
    let _unnamed = CString::new(short.as_bytes()).map(|short| set_name(&short));
}

fn own_name() -> OsString {
    env::args_os().next().unwrap_or_else(|| OsStr::new(THIS_BINARY).to_owned())
}
