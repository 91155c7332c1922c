//! One output stream of the program: its pipe, its log, and perhaps its capture.
//!
//! The pipe is always drained, whatever happens to the log: a program must never block because somebody's disk is
//! full or a limit is reached. What is not stored is counted, and the log says so.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::result::Captured;

/// As much as a pipe holds by default, so that one read usually empties it.
const CHUNK_BYTES: usize = 64 << 10;

/// What a [`Stream`] has seen, for the result.
#[derive(Debug)]
pub(crate) struct StreamTotals {
    pub(crate) bytes: u64,
    pub(crate) dropped_bytes: u64,
    pub(crate) captured: Option<Captured>,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pipe: Option<PipeReader>,
    log: Log,
    capture: Option<Capture>,
    bytes: u64,
}

impl Stream {
    /// Of the reading end of a pipe, which must not block.
    pub(crate) fn new(pipe: PipeReader, log: Log, capture_bytes_max: Option<u64>) -> Self {
        Self { pipe: Some(pipe), log, capture: capture_bytes_max.map(Capture::new), bytes: 0 }
    }

    /// What to poll, while anybody may still write.
    pub(crate) fn as_open_fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes what is in the pipe, at most one chunk. Returns whether there was anything.
    pub(crate) fn drain_chunk(&mut self) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let mut chunk = [0; CHUNK_BYTES];
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(len) => {
                self.take(&chunk[..len]);
                return true;
            }
            Err(error) if is_transient(&error) => {}
            Err(_) => self.pipe = None,
        }
        false
    }

    /// Closes the stream and its log.
    pub(crate) fn finish(mut self) -> StreamTotals {
        self.pipe = None;
        let dropped_bytes = self.log.finish();
        StreamTotals {
            bytes: self.bytes,
            dropped_bytes,
            captured: self.capture.map(Capture::into_text),
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.log.append(chunk);
        if let Some(capture) = &mut self.capture {
            capture.append(chunk);
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The first part of a stream, in a file, and a note for each part that is missing.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    room_bytes: u64,
    bytes_max: u64,
    dropped_bytes: u64,
    unnoted_bytes: u64,
}

impl Log {
    /// Appends, so that both streams may share a file. Links are not followed.
    pub(crate) fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).expect("open flags are C integers");
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(flags)
            .open(path)?;
        Ok(Self { file, room_bytes: bytes_max, bytes_max, dropped_bytes: 0, unnoted_bytes: 0 })
    }

    fn append(&mut self, chunk: &[u8]) {
        let room = usize::try_from(self.room_bytes).unwrap_or(usize::MAX);
        let (fitting, over) = chunk.split_at(chunk.len().min(room));
        let stored = if self.note_gap() { self.store(fitting) } else { 0 };
        self.room_bytes -= stored as u64;
        self.drop_bytes(fitting.len() - stored + over.len());
    }

    /// Writes what goes in; the rest is the disk's fault.
    fn store(&mut self, mut bytes: &[u8]) -> usize {
        let len = bytes.len();
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        len - bytes.len()
    }

    /// Before storing again after a failure: says what is missing in between. The end's note is [`Log::finish`]'s.
    fn note_gap(&mut self) -> bool {
        if self.unnoted_bytes == 0 || self.room_bytes == 0 {
            return true;
        }
        let note = format!(
            "\n[howdah: {} bytes are missing here, the log could not be written]\n",
            self.unnoted_bytes
        );
        let noted = self.store(note.as_bytes()) == note.len();
        if noted {
            self.unnoted_bytes = 0;
        }
        noted
    }

    fn drop_bytes(&mut self, len: usize) {
        self.dropped_bytes += len as u64;
        self.unnoted_bytes += len as u64;
    }

    fn finish(&mut self) -> u64 {
        if self.room_bytes > 0 {
            self.note_gap();
        } else if self.dropped_bytes > 0 {
            let (dropped, max) = (self.dropped_bytes, self.bytes_max);
            let note = format!(
                "\n[howdah: {dropped} bytes were dropped, the limit of this log is {max} bytes]\n"
            );
            self.store(note.as_bytes());
        }
        self.dropped_bytes
    }
}

/// A whole stream, as long as it is short enough.
#[derive(Debug)]
struct Capture {
    bytes: Vec<u8>,
    bytes_max: u64,
    too_large: bool,
}

impl Capture {
    fn new(bytes_max: u64) -> Self {
        Self { bytes: Vec::new(), bytes_max, too_large: false }
    }

    fn append(&mut self, chunk: &[u8]) {
        // It stays so: the bytes are gone.
        self.too_large |= (self.bytes.len() + chunk.len()) as u64 > self.bytes_max;
        if self.too_large {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(chunk);
        }
    }

    fn into_text(self) -> Captured {
        if self.too_large { Captured::TOO_LARGE } else { Captured::from_bytes(&self.bytes) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(bytes_max: u64, chunks: &[&str], stored: &str, dropped_bytes: u64) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("log");
        let mut log = Log::open(&path, bytes_max).expect("a new log");
        chunks.iter().for_each(|chunk| log.append(chunk.as_bytes()));
        assert_eq!(log.finish(), dropped_bytes);
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), Some(stored));
    }

    #[test]
    fn a_log_keeps_its_head_and_says_what_it_dropped() {
        check(5, &["abc", "de"], "abcde", 0);
        check(
            5,
            &["abc", "def", "g"],
            "abcde\n[howdah: 2 bytes were dropped, the limit of this log is 5 bytes]\n",
            2,
        );
        check(0, &["a"], "\n[howdah: 1 bytes were dropped, the limit of this log is 0 bytes]\n", 1);
        check(0, &[], "", 0);
    }

    #[test]
    fn a_log_that_cannot_be_written_drops_and_goes_on() {
        let mut log = Log::open(Path::new("/dev/full"), 100).expect("a device that is always full");
        log.append(b"abc");
        log.append(b"de");
        assert_eq!(log.finish(), 5);
    }

    #[test]
    fn a_log_does_not_follow_links() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let link = dir.path().join("link");
        symlink("/dev/null", &link).expect("a link");
        assert!(Log::open(&link, 1).is_err());
    }
}
