//! How a worker starts a supervisor, and what it is told when that exits.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf, absolute};
use std::process::{Child, ExitCode, ExitStatus, Stdio};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::binary::Binary;
use crate::crash;
use crate::error::Error;
use crate::plan::inherited;
use crate::supervise::FIRST_ARGUMENT;

/// Why a supervisor did not even claim its attempt, in words.
pub(crate) const FAILURE_FILE: &str = "failure.txt";

/// Starts a supervisor for an attempt directory that has a plan. Returns when the process exists; [`crate::inspect`] tells when it has claimed the attempt.
///
/// The process is created by posix_spawn, so that this takes the same short time from a worker of any size. It gets
/// no descriptor and, but for a few harmless variables, no environment of the worker.
///
/// # Errors
/// [`Error::Io`] if there is no process; nothing was claimed then.
pub fn start(binary: &Binary, attempt_dir: &Path) -> Result<Running, Error> {
    let attempt_dir = absolute(attempt_dir).map_err(Error::io("find", attempt_dir))?;
    let child = binary
        .command()
        .arg(FIRST_ARGUMENT)
        .arg(&attempt_dir)
        .env_clear()
        .envs(inherited(false))
        .envs(crash::for_next_supervisor())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("start", binary.path()))?;
    Ok(Running { child, attempt_dir })
}

/// A supervisor that this process started. It goes on when this is dropped; but as long as this process lives, it
/// should call [`Running::reap`] or [`Running::wait`], or the ended supervisor stays in the process table.
#[derive(Debug)]
pub struct Running {
    child: Child,
    attempt_dir: PathBuf,
}

/// How a supervisor process ended. What became of the attempt is for [`crate::inspect`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SupervisorExit {
    /// It wrote a result.
    Finished,
    /// Another supervisor has, or had, the attempt; this one started nothing.
    AlreadyClaimed,
    /// The plan cannot be read or run; nothing was claimed.
    BadPlan {
        /// What is wrong with it.
        message: String,
    },
    /// It could not get as far as claiming the attempt (a full disk, for example), or its directory was taken away
    /// from it.
    Failed {
        /// What was tried.
        message: String,
    },
    /// It did not end in a way of its own: killed, or a mistake in it.
    Died {
        /// The signal, if it was one.
        signal: Option<i32>,
    },
}

impl Running {
    /// The supervisor's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A descriptor that becomes readable when the supervisor has ended, for callers that wait asynchronously.
    ///
    /// # Errors
    /// [`Error::Io`] if there are no more descriptors; [`Error::Gone`] if it was reaped before.
    pub fn open_pidfd(&self) -> Result<OwnedFd, Error> {
        let pid = Pid::from_child(&self.child);
        // Not yet reaped, so the number is still its own.
        pidfd_open(pid, PidfdFlags::empty())
            .map_err(Error::io("watch the supervisor of", &self.attempt_dir))
    }

    /// How the supervisor ended, if it has.
    ///
    /// # Errors
    /// [`Error::Io`] if somebody else waited for it.
    pub fn reap(&mut self) -> Result<Option<SupervisorExit>, Error> {
        let status = self
            .child
            .try_wait()
            .map_err(Error::io("wait for the supervisor of", &self.attempt_dir))?;
        Ok(status.map(|status| self.exit(status)))
    }

    /// Waits for the supervisor's end. Blocks.
    ///
    /// # Errors
    /// [`Error::Io`] if somebody else waited for it.
    pub fn wait(&mut self) -> Result<SupervisorExit, Error> {
        let status = self
            .child
            .wait()
            .map_err(Error::io("wait for the supervisor of", &self.attempt_dir))?;
        Ok(self.exit(status))
    }

    fn exit(&self, status: ExitStatus) -> SupervisorExit {
        use std::os::unix::process::ExitStatusExt;
        let message =
            || fs::read_to_string(self.attempt_dir.join(FAILURE_FILE)).unwrap_or_default();
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(SupervisorExit::FINISHED) => SupervisorExit::Finished,
            Some(SupervisorExit::ALREADY_CLAIMED) => SupervisorExit::AlreadyClaimed,
            Some(SupervisorExit::BAD_PLAN) => SupervisorExit::BadPlan { message: message() },
            Some(SupervisorExit::FAILED) => SupervisorExit::Failed { message: message() },
            Some(_) | None => SupervisorExit::Died { signal: status.signal() },
        }
    }
}

impl SupervisorExit {
    const FINISHED: u8 = 0;
    const ALREADY_CLAIMED: u8 = 3;
    pub(crate) const BAD_PLAN: u8 = 4;
    const FAILED: u8 = 5;
    const DIED: u8 = 101;

    pub(crate) fn of_error(error: &Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BadPlan(_) | Error::Malformed { .. } => Self::BadPlan { message },
            _ => Self::Failed { message },
        }
    }
}

impl From<SupervisorExit> for ExitCode {
    fn from(exit: SupervisorExit) -> Self {
        Self::from(match exit {
            SupervisorExit::Finished => SupervisorExit::FINISHED,
            SupervisorExit::AlreadyClaimed => SupervisorExit::ALREADY_CLAIMED,
            SupervisorExit::BadPlan { .. } => SupervisorExit::BAD_PLAN,
            SupervisorExit::Failed { .. } => SupervisorExit::FAILED,
            SupervisorExit::Died { .. } => SupervisorExit::DIED,
        })
    }
}
