//! Who may execute an attempt: the one process that created `claim.json`, holding `lock` as long as it lives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::processes::{Identity, boot_id};

const CLAIM_FILE: &str = "claim.json";
const LOCK_FILE: &str = "lock";

/// The supervisor of an attempt, named so that no other process can be taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The attempt's token, from its plan.
    pub token: String,
    /// The boot of the host that the supervisor runs in.
    pub boot_id: String,
    /// The supervisor's process id.
    pub pid: i32,
    /// The supervisor's start time, in clock ticks after boot.
    pub start_time: u64,
}

/// Held for the supervisor's whole life; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; `None`: another supervisor has it.
    pub(crate) fn take(attempt_dir: &Path) -> Result<Option<Self>, Error> {
        let path = attempt_dir.join(LOCK_FILE);
        let file = open_lock(&path).map_err(Error::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(Error::io("lock", &path)(errno)),
        }
    }
}

impl Claim {
    /// The claim of an attempt directory, if it was claimed ever.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Malformed`] if somebody else wrote it.
    pub(crate) fn read(attempt_dir: &Path) -> Result<Option<Self>, Error> {
        let path = attempt_dir.join(CLAIM_FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|source| Error::Malformed { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// Claims the attempt for this process; `None`: it was claimed before. On return the claim is on disk.
    ///
    /// The claim is written aside and then given its name by link(2), which like O_EXCL succeeds only once, but never
    /// shows a half-written claim to anybody. It is synced under its name, so that a file system with a journal has
    /// one commit to make. (What a power failure before that leaves is of another boot, and so is lost in any case.)
    pub(crate) fn take(
        token: &str,
        attempt_dir: &Path,
        _held: &Lock,
    ) -> Result<Option<Self>, Error> {
        let path = attempt_dir.join(CLAIM_FILE);
        let claim = Self::of_this_process(token).map_err(Error::io("read", Path::new("/proc")))?;
        let aside = attempt_dir.join(format!("{CLAIM_FILE}.{}", claim.pid));
        let file = claim.write(&aside).map_err(Error::io("write", &aside))?;
        let linked = fs::hard_link(&aside, &path);
        fs::remove_file(&aside).map_err(Error::io("remove", &aside))?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            other => other.map_err(Error::io("create", &path))?,
        }
        file.sync_all()
            .and_then(|()| sync_directory(attempt_dir))
            .map_err(Error::io("sync", attempt_dir))?;
        Ok(Some(claim))
    }

    /// Whether the attempt's lock is held by anybody. Looks only after a claim was seen: the claim's creator took the
    /// lock before it, so that this look can never keep it from doing so.
    pub(crate) fn is_lock_held(&self, attempt_dir: &Path) -> Result<bool, Error> {
        let path = attempt_dir.join(LOCK_FILE);
        let file = open_lock(&path).map_err(Error::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(Error::io("lock", &path)(errno)),
        }
    }

    /// The claimed process, if it may still be there: `None` after a reboot.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Error> {
        let boot_id = boot_id().map_err(Error::io("read", Path::new("/proc")))?;
        let same_boot = boot_id == self.boot_id;
        Ok(Pid::from_raw(self.pid)
            .filter(|_| same_boot)
            .map(|pid| Identity { pid, start_time: self.start_time }))
    }

    fn of_this_process(token: &str) -> io::Result<Self> {
        let me = Identity::of(rustix::process::getpid()).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            token: token.to_owned(),
            boot_id: boot_id()?,
            pid: me.pid.as_raw_pid(),
            start_time: me.start_time,
        })
    }

    fn write(&self, path: &Path) -> io::Result<File> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        Ok(file)
    }
}

/// Makes new names in a directory survive a power failure.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}
