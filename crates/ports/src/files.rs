//! File systems, as Oozie's actions and definitions use them.
//!
//! Paths are URIs: `file:///a/b`, `hdfs://nn:8020/a/b`; an adapter says which schemes it serves. Every call names the
//! user it is made for: an adapter acts as that user or checks that the user may.

use async_trait::async_trait;
use model::Timestamp;

/// Paths that one glob may match: `oozie.action.fs.glob.max` (census §8).
pub const GLOB_PATHS_MAX: usize = 50_000;

/// What went wrong on a file system, in the kinds that callers act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// There is nothing of that name.
    #[error("{path} does not exist")]
    NotFound {
        /// The path.
        path: String,
    },
    /// The user may not.
    #[error("{user} has no permission to {what} {path}")]
    PermissionDenied {
        /// Who.
        user: String,
        /// A verb.
        what: String,
        /// The path.
        path: String,
    },
    /// This file system has no such thing (code HW3001).
    #[error("{what} is not supported by the file system of {path}")]
    NotSupported {
        /// Which operation.
        what: String,
        /// The path.
        path: String,
    },
    /// No adapter serves this scheme (code HW3002).
    #[error("no file system is configured for {path}; known schemes: {known}")]
    UnknownScheme {
        /// The path.
        path: String,
        /// The schemes that are served.
        known: String,
    },
    /// The path is malformed, or climbs out of where it must stay.
    #[error("{path} is not a usable path: {why}")]
    BadPath {
        /// The path.
        path: String,
        /// Why.
        why: String,
    },
    /// It is larger, or more, than the caller allows.
    #[error("{path} is over the limit of {limit} {unit}")]
    OverLimit {
        /// The path.
        path: String,
        /// The limit.
        limit: u64,
        /// Of what.
        unit: String,
    },
    /// The target is in the way.
    #[error("{path} exists")]
    Exists {
        /// The path.
        path: String,
    },
    /// Anything else; trying again may help.
    #[error("cannot {what} {path}: {source_message}")]
    Io {
        /// A verb.
        what: String,
        /// The path.
        path: String,
        /// The system's words.
        source_message: String,
    },
}

/// What is known of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// The full URI.
    pub path: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Bytes; 0 for a directory.
    pub size_bytes: u64,
    /// Bytes of a block.
    pub block_size_bytes: u64,
    /// Last change.
    pub modified_at: Timestamp,
    /// Permission bits.
    pub mode: u32,
}

/// Operations on file systems.
#[async_trait]
pub trait Files: Send + Sync {
    /// What is known of `path`, or `None` when there is nothing.
    async fn stat(&self, user: &str, path: &str) -> Result<Option<FileStatus>, FilesError>;
    /// The entries of a directory, by name.
    async fn list(&self, user: &str, path: &str) -> Result<Vec<FileStatus>, FilesError>;
    /// The paths that a glob (`* ? [] {a,b} \`) matches, sorted; a plain path that exists matches itself. At most [`GLOB_PATHS_MAX`], else [`FilesError::OverLimit`].
    async fn glob(&self, user: &str, pattern: &str) -> Result<Vec<FileStatus>, FilesError>;
    /// The whole file, when it has at most `bytes_max` bytes.
    async fn read(&self, user: &str, path: &str, bytes_max: u64) -> Result<Vec<u8>, FilesError>;
    /// Writes a whole file, replacing one that is there.
    async fn write(&self, user: &str, path: &str, bytes: &[u8]) -> Result<(), FilesError>;
    /// Makes a directory with its parents; an existing one is fine.
    async fn mkdir(&self, user: &str, path: &str) -> Result<(), FilesError>;
    /// Renames; with a directory as target, into it.
    async fn rename(&self, user: &str, from: &str, to: &str) -> Result<(), FilesError>;
    /// Deletes with everything below; answers whether there was anything.
    async fn delete(&self, user: &str, path: &str, skip_trash: bool) -> Result<bool, FilesError>;
    /// Makes an empty file, or sets its time to now.
    async fn touch(&self, user: &str, path: &str) -> Result<(), FilesError>;
    /// Sets permission bits.
    async fn chmod(&self, user: &str, path: &str, mode: u32) -> Result<(), FilesError>;
    /// Sets the group.
    async fn chgrp(&self, user: &str, path: &str, group: &str) -> Result<(), FilesError>;
    /// Sets how many copies are kept.
    async fn setrep(&self, user: &str, path: &str, factor: i16) -> Result<(), FilesError>;
    /// Copies a file, or a directory with everything below, to a directory or file of this machine.
    async fn fetch(
        &self,
        user: &str,
        path: &str,
        local: &std::path::Path,
    ) -> Result<(), FilesError>;
}
