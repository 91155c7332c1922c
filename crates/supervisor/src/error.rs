//! What can go wrong on the worker's side of an attempt directory.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of one of the functions that work on an attempt directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system or the kernel refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// A file of the attempt directory is not what its name says.
    #[error("cannot understand `{}`: it was not written by a supported version of Howdah", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where reading it stopped.
        #[source]
        source: serde_json::Error,
    },
    /// A plan asks for something out of bounds.
    #[error("the plan cannot be run: {0}")]
    BadPlan(String),
    /// The claim's supervisor does not run any more (or this host has rebooted since).
    #[error(
        "the supervisor with pid {pid} has ended; look into its attempt directory for the result"
    )]
    Gone {
        /// The pid that the claim names.
        pid: i32,
    },
    /// The attempt directory is in use.
    #[error("`{}` has a running supervisor; stop it first", .0.display())]
    StillRunning(PathBuf),
    /// Processes of an attempt could not be killed in time.
    #[error(
        "{0} processes of the attempt are still alive; they may be stuck in the kernel or belong to another user"
    )]
    Unkillable(usize),
}

impl Error {
    /// For `map_err`: says what was tried and on what.
    pub(crate) fn io<E: Into<io::Error>>(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: source.into() }
    }
}
