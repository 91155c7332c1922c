//! How an attempt ended: `result.json`, and the room that is kept for it from before the start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::claim::sync_directory;
use crate::crash::{self, Point};
use crate::error::Error;

const RESULT_FILE: &str = "result.json";

/// Everything but the captures: numbers, the token, a message, a list of surviving pids.
const RESERVED_BYTES_MIN: u64 = 16 << 10;

/// Larger captures wait for free space if the disk is full: reserving the worst case for each attempt would itself
/// fill the disk.
const RESERVED_BYTES_MAX: u64 = 1 << 20;

/// Between two tries to write a result: short at first, for a moment's trouble; then rare enough to harm nobody.
const RETRY_MS: Range<u64> = 20..5_000;

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// The attempt's token, from its plan.
    pub token: String,
    /// How the program ended.
    pub outcome: Outcome,
    /// When the program was started, by the wall clock (or was about to be).
    pub started_at_ms: u64,
    /// When its tree had ended, by the wall clock.
    pub ended_at_ms: u64,
    /// The captured standard output, if the plan asked for it.
    pub captured_output: Option<Captured>,
    /// One for each capture file of the plan, in its order; `None`: it was not written, or is not a plain file of the
    /// program's user.
    pub captured_files: Vec<Option<Captured>>,
    /// Something was longer than its bound, and so is not captured.
    pub output_too_large: bool,
    /// What the tree wrote to standard output.
    pub stdout_bytes: u64,
    /// What of it is not in the log: over the limit, or the log could not be written.
    pub stdout_dropped_bytes: u64,
    /// What the tree wrote to standard error.
    pub stderr_bytes: u64,
    /// What of it is not in the log.
    pub stderr_dropped_bytes: u64,
    /// Descendants that did not die of SIGKILL in time (stuck in the kernel, or not ours to signal).
    pub survivors: Vec<i32>,
}

/// How the program ended. A stop or a time-out that was under way decides, whatever the program made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// By itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// By a signal that was not the supervisor's.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// Its time was over.
    TimedOut,
    /// It was stopped, perhaps before it was started.
    Stopped {
        /// Who wanted that.
        cause: StopCause,
    },
    /// It never ran.
    StartFailed {
        /// What could not be done.
        stage: Stage,
        /// The kernel's error number, if it was the kernel that refused.
        errno: Option<i32>,
        /// For people.
        message: String,
    },
}

/// Why an attempt was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// [`crate::request_stop`].
    Requested,
    /// SIGTERM from elsewhere, as at a shutdown of the host.
    Signal,
    /// Nobody renewed the attempt lease.
    LeaseExpired,
}

/// The step that failed when a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A log file could not be opened.
    Log,
    /// The process could not be created.
    Spawn,
    /// The user could not be switched.
    RunAs,
    /// The working directory is missing or closed to the user.
    WorkingDir,
    /// The program is missing, not executable, or its arguments are too long.
    Program,
}

/// Text that was captured from a stream or a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The text; empty if it was too large.
    pub text: String,
    /// NUL characters or invalid UTF-8 in it were replaced by U+FFFD.
    pub replaced: bool,
    /// It was longer than its bound.
    pub too_large: bool,
}

impl Captured {
    pub(crate) const TOO_LARGE: Self =
        Self { text: String::new(), replaced: false, too_large: true };

    /// Makes text of anything.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let valid = str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
        let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
        Self { text, replaced: !valid, too_large: false }
    }
}

impl AttemptResult {
    /// The result of an attempt directory, once there is one.
    pub(crate) fn read(attempt_dir: &Path) -> Result<Option<Self>, Error> {
        let path = attempt_dir.join(RESULT_FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|source| Error::Malformed { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }
}

/// Room on the disk for a result that is not known yet.
#[derive(Debug)]
pub(crate) struct ReservedResult {
    file: File,
    path: PathBuf,
    attempt_dir: PathBuf,
}

impl ReservedResult {
    /// Reserves room. It is for a full disk, not for a power failure, so the sync of the claim is enough for it.
    pub(crate) fn reserve(attempt_dir: &Path, captured_text_bytes_max: u64) -> Result<Self, Error> {
        // One per process: whoever finds the attempt claimed after all must not have cut the other's room.
        let path = attempt_dir.join(format!("{RESULT_FILE}.{}", process::id()));
        let bytes =
            RESERVED_BYTES_MIN.saturating_add(captured_text_bytes_max).min(RESERVED_BYTES_MAX);
        let open =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = open
            .and_then(|mut file| allocate(&mut file, bytes).map(|()| file))
            .map_err(Error::io("reserve room for the result in", &path))?;
        Ok(Self { file, path, attempt_dir: attempt_dir.to_owned() })
    }

    /// Gives the room back: another process owns the attempt.
    pub(crate) fn discard(self) {
        // What stays goes with the attempt directory.
        let _ = fs::remove_file(&self.path);
    }

    /// Writes the result, and does not come back before it is on disk: a full disk may get room again, but the exit
    /// status is known only here. Gives up only when the attempt directory is gone.
    pub(crate) fn write(mut self, result: &AttemptResult) -> io::Result<()> {
        let text = serde_json::to_vec(result).map_err(io::Error::other)?;
        let mut retry_ms = RETRY_MS.start;
        loop {
            match self.try_write(&text) {
                Ok(()) => return Ok(()),
                Err(error) if !self.attempt_dir.exists() => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(retry_ms)),
            }
            retry_ms = (retry_ms * 2).min(RETRY_MS.end);
        }
    }

    /// The result gets its name when it is complete, and is synced under it: one commit for a file system with a
    /// journal. Whoever sees it before may believe it; a power failure can only turn it into a lost attempt.
    fn try_write(&mut self, text: &[u8]) -> io::Result<()> {
        let path = self.attempt_dir.join(RESULT_FILE);
        self.file.rewind()?;
        self.file.write_all(text)?;
        if self.file.metadata()?.len() > text.len() as u64 {
            self.file.set_len(text.len() as u64)?;
        }
        crash::point(Point::BeforeResult);
        if self.path != path {
            fs::rename(&self.path, &path)?;
            self.path = path;
        }
        self.file.sync_all()?;
        sync_directory(&self.attempt_dir)
    }
}

/// Real blocks beyond the end of an empty file; zeros where the file system cannot reserve.
fn allocate(file: &mut File, bytes: u64) -> io::Result<()> {
    match fallocate(&*file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let zeros = vec![0; usize::try_from(bytes).expect("reservations are at most 1 MiB")];
            // A file system that is far away finds out only now that it is full.
            file.write_all(&zeros).and_then(|()| file.sync_all())
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], text: &str, replaced: bool) {
        let expected = Captured { text: text.to_owned(), replaced, too_large: false };
        assert_eq!(Captured::from_bytes(bytes), expected, "{bytes:?}");
    }

    #[test]
    fn captured_text_has_neither_nul_nor_invalid_utf8() {
        check(b"", "", false);
        check("a=ü\n".as_bytes(), "a=ü\n", false);
        check(b"a\0b", "a\u{fffd}b", true);
        check(b"a\xffb", "a\u{fffd}b", true);
        check("kept \u{fffd}".as_bytes(), "kept \u{fffd}", false);
    }
}
