//! What attempts printed: kept per attempt, read while it grows, removed with its job.

use async_trait::async_trait;
use model::{ActionId, Attempt, JobId, Run};

use crate::files::FilesError;

/// The two streams of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    /// The file name of the stream.
    pub fn as_str(self) -> &'static str {
        match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        }
    }
}

/// One attempt's logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogKey {
    /// The action.
    pub action: ActionId,
    /// The job's run.
    pub run: Run,
    /// The attempt.
    pub attempt: Attempt,
}

/// Reads logs, and removes those of jobs that go away.
#[async_trait]
pub trait Logs: Send + Sync {
    /// The attempts of an action that have logs, oldest first.
    ///
    /// # Errors
    /// When the log store cannot be read.
    async fn attempts(&self, action: &ActionId) -> Result<Vec<LogKey>, FilesError>;

    /// At most `bytes_max` bytes from `offset`; fewer at the present end, none past it.
    ///
    /// # Errors
    /// When the log store cannot be read; a missing log reads as empty.
    async fn read(
        &self,
        key: &LogKey,
        stream: LogStream,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, FilesError>;

    /// How long a stream is now.
    ///
    /// # Errors
    /// When the log store cannot be read.
    async fn len(&self, key: &LogKey, stream: LogStream) -> Result<u64, FilesError>;

    /// Removes the logs of all actions of a job that is over. Answers whether nothing is left: the work of one call is
    /// bounded, a job with very many actions takes several. Logs that are not there are removed already.
    ///
    /// # Errors
    /// When the log store cannot be written; some logs may be gone, and the call may be repeated.
    async fn remove(&self, job: &JobId) -> Result<bool, FilesError>;
}
