//! What attempts printed: `<root>/<job>/<action>/<run>-<attempt>/{stdout,stderr}`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use model::{ActionId, Attempt, JobId, Run};
use ports::files::FilesError;
use ports::logs::{LogKey, LogStream, Logs};
use tokio::task;

/// The longest encoded name that is used as it is: file systems take 255 bytes.
const NAME_BYTES_MAX: usize = 200;

/// The most that one read returns, whatever was asked for.
const READ_BYTES_MAX: usize = 16 << 20;

/// Attempts of one action that are listed; retries are bounded far below.
const ATTEMPTS_MAX: usize = 10_000;

/// Actions whose logs one call removes: more than most jobs have.
const REMOVED_ACTIONS_MAX: usize = 10_000;

/// Where the worker has the supervisor write an attempt's `stdout` and `stderr`.
pub fn log_dir(root: &Path, key: &LogKey) -> PathBuf {
    action_dir(root, &key.action).join(format!("{}-{}", key.run, key.attempt))
}

fn action_dir(root: &Path, action: &ActionId) -> PathBuf {
    job_dir(root, &action.job).join(file_name_of(action.name.as_str()))
}

fn job_dir(root: &Path, job: &JobId) -> PathBuf {
    root.join(file_name_of(job.as_str()))
}

/// A name that is safe as one part of a path: letters, digits, `_` and `-` as they are, all else as `%XX`; a long
/// one is cut, and told from others by a hash.
pub fn file_name_of(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes all text");
        }
    }
    if encoded.len() > NAME_BYTES_MAX {
        encoded.truncate(NAME_BYTES_MAX - 20);
        write!(encoded, "%-{:016x}", fnv_1a(name)).expect("a String takes all text");
    }
    if encoded.is_empty() { "%".to_owned() } else { encoded }
}

fn fnv_1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Logs in a directory of this machine.
#[derive(Clone, Debug)]
pub struct LocalLogs {
    root: PathBuf,
}

impl LocalLogs {
    /// The logs below `root`, which need not exist yet.
    pub fn new(root: PathBuf) -> LocalLogs {
        LocalLogs { root }
    }

    fn stream(&self, key: &LogKey, stream: LogStream) -> PathBuf {
        log_dir(&self.root, key).join(stream.as_str())
    }
}

#[async_trait]
impl Logs for LocalLogs {
    async fn attempts(&self, action: &ActionId) -> Result<Vec<LogKey>, FilesError> {
        let (dir, action) = (action_dir(&self.root, action), action.clone());
        blocking(READ, dir, move |dir| attempts_in(dir, &action)).await
    }

    async fn read(
        &self,
        key: &LogKey,
        stream: LogStream,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, FilesError> {
        let bytes_max = bytes_max.min(READ_BYTES_MAX) as u64;
        blocking(READ, self.stream(key, stream), move |path| {
            absent_is_empty(read_part(path, offset, bytes_max))
        })
        .await
    }

    async fn len(&self, key: &LogKey, stream: LogStream) -> Result<u64, FilesError> {
        blocking(READ, self.stream(key, stream), |path| {
            absent_is_empty(fs::metadata(path).map(|found| found.len()))
        })
        .await
    }

    async fn remove(&self, job: &JobId) -> Result<bool, FilesError> {
        blocking("remove the logs", job_dir(&self.root, job), |dir| {
            remove_some(dir, REMOVED_ACTIONS_MAX)
        })
        .await
    }
}

const READ: &str = "read the log";

async fn blocking<T: Send + 'static>(
    what: &str,
    path: PathBuf,
    operation: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, FilesError> {
    let shown = path.display().to_string();
    let done = task::spawn_blocking(move || operation(&path))
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| FilesError::Io {
        what: what.to_owned(),
        path: shown,
        source_message: error.to_string(),
    })
}

fn attempts_in(dir: &Path, action: &ActionId) -> io::Result<Vec<LogKey>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut keys = Vec::new();
    for entry in entries.take(ATTEMPTS_MAX) {
        let name = entry?.file_name();
        keys.extend(name.to_str().and_then(numbers).map(|(run, attempt)| LogKey {
            action: action.clone(),
            run,
            attempt,
        }));
    }
    keys.sort();
    Ok(keys)
}

/// Removes at most `entries_max` entries of a directory with all that is in them, then itself. Links are not followed.
fn remove_some(dir: &Path, entries_max: usize) -> io::Result<bool> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        other => other?,
    };
    for (count, entry) in entries.enumerate() {
        if count == entries_max {
            return Ok(false);
        }
        let entry = entry?;
        let is_dir = entry.file_type()?.is_dir();
        let remove = if is_dir { fs::remove_dir_all::<PathBuf> } else { fs::remove_file };
        absent_is_empty(remove(entry.path()))?;
    }
    absent_is_empty(fs::remove_dir(dir)).map(|()| true)
}

fn numbers(name: &str) -> Option<(Run, Attempt)> {
    let (run, attempt) = name.split_once('-')?;
    Some((Run(run.parse().ok()?), Attempt(attempt.parse().ok()?)))
}

fn read_part(path: &Path, offset: u64, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn absent_is_empty<T: Default>(found: io::Result<T>) -> io::Result<T> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use model::NodeName;

    use super::*;

    fn key(name: &str, attempt: u32) -> LogKey {
        let job = "0000001-200101000000000-howdah-W".parse().expect("a job id");
        LogKey {
            action: ActionId { job, name: NodeName::new(name) },
            run: Run(0),
            attempt: Attempt(attempt),
        }
    }

    #[test]
    fn no_name_climbs_out_of_the_root() {
        let below = |name: &str| log_dir(Path::new("/logs"), &key(name, 1)).display().to_string();
        let job = "/logs/0000001-200101000000000-howdah-W";
        assert_eq!(below("clean-up_2"), format!("{job}/clean-up_2/0-1"));
        assert_eq!(below(":start:"), format!("{job}/%3Astart%3A/0-1"));
        assert_eq!(below("../../etc"), format!("{job}/%2E%2E%2F%2E%2E%2Fetc/0-1"));
        assert_eq!(below(".."), format!("{job}/%2E%2E/0-1"));
        assert_eq!(below(""), format!("{job}/%/0-1"));
        assert_ne!(below(&"a".repeat(500)), below(&"a".repeat(501)));
        assert!(file_name_of(&"ä".repeat(500)).len() <= 255);
    }

    #[tokio::test]
    async fn the_logs_of_a_job_go_and_those_of_others_stay() {
        let root = tempfile::tempdir().expect("room");
        let logs = LocalLogs::new(root.path().to_owned());
        let outside = root.path().join("outside");
        fs::write(&outside, "kept").expect("made");
        let gone = key("a", 1);
        let mut other = key("a", 1);
        other.action.job = "0000002-200101000000000-howdah-W".parse().expect("a job id");
        for key in [&gone, &key("../b", 2), &other] {
            let dir = log_dir(root.path(), key);
            fs::create_dir_all(&dir).expect("made");
            fs::write(dir.join("stdout"), "hello").expect("made");
            std::os::unix::fs::symlink(&outside, dir.join("link")).expect("made");
        }
        let dir = job_dir(root.path(), &gone.action.job);
        std::os::unix::fs::symlink(root.path(), dir.join("link")).expect("made");
        for removed in [true, true] {
            assert_eq!(logs.remove(&gone.action.job).await, Ok(removed));
            assert!(!dir.exists());
        }
        assert_eq!(logs.attempts(&gone.action).await, Ok(Vec::new()));
        assert_eq!(logs.len(&other, LogStream::Stdout).await, Ok(5));
        assert_eq!(fs::read_to_string(&outside).expect("read"), "kept");
    }

    #[test]
    fn one_call_removes_so_many_and_the_next_one_more() {
        let root = tempfile::tempdir().expect("room");
        let dir = root.path().join("job");
        for name in ["a", "b", "c"] {
            fs::create_dir_all(dir.join(name)).expect("made");
        }
        let left = || fs::read_dir(&dir).expect("read").count();
        assert_eq!((remove_some(&dir, 2).expect("removed"), left()), (false, 1));
        assert!(remove_some(&dir, 2).expect("removed") && !dir.exists());
    }

    #[tokio::test]
    async fn a_log_is_read_while_it_grows() {
        let root = tempfile::tempdir().expect("room");
        let logs = LocalLogs::new(root.path().to_owned());
        let first = key("a", 1);
        assert_eq!(logs.read(&first, LogStream::Stdout, 0, 10).await, Ok(Vec::new()));
        assert_eq!(logs.attempts(&first.action).await, Ok(Vec::new()));
        for attempt in [10, 1, 2] {
            let dir = log_dir(root.path(), &key("a", attempt));
            fs::create_dir_all(&dir).expect("made");
            fs::write(dir.join("stdout"), "hello\n").expect("made");
        }
        fs::create_dir(root.path().join("0000001-200101000000000-howdah-W/a/other")).expect("made");
        assert_eq!(
            logs.attempts(&first.action).await,
            Ok(vec![key("a", 1), key("a", 2), key("a", 10)])
        );
        assert_eq!(logs.read(&first, LogStream::Stdout, 2, 3).await, Ok(b"llo".to_vec()));
        assert_eq!(logs.read(&first, LogStream::Stdout, 99, 3).await, Ok(Vec::new()));
        assert_eq!(logs.len(&first, LogStream::Stdout).await, Ok(6));
        assert_eq!(logs.len(&first, LogStream::Stderr).await, Ok(0));
    }
}
