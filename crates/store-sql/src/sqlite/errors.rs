//! What SQLite's result codes mean for a batch and for a read.
//!
//! A code that speaks of the file, the disk or a lock is no fault of what is written: the batch may be sent again. An input
//! or output error while the transaction ends leaves open whether its last page reached the disk: nobody knows.

use ports::store::{CommitOutcome, StoreError};
use sqlx::Error;

use crate::cluster::refused;

const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const NOTADB: i32 = 26;

/// At which point of the transaction an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before COMMIT was sent.
    Writing,
    /// In answer to COMMIT.
    Ending,
}

/// What became of the batch.
pub(crate) fn outcome(error: &Error, stage: Stage) -> CommitOutcome {
    match (code(error), stage) {
        (Some(IOERR) | None, Stage::Ending) => CommitOutcome::Unknown(explained(error)),
        (Some(code), _) if is_the_files_fault(code) => CommitOutcome::Unavailable(explained(error)),
        (Some(_), _) => CommitOutcome::Rejected(error.to_string()),
        (None, Stage::Writing) if matches!(error, Error::Encode(_)) => {
            CommitOutcome::Rejected(error.to_string())
        }
        (None, Stage::Writing) => CommitOutcome::Unavailable(error.to_string()),
    }
}

/// What a read, a take or a start is answered with.
pub(crate) fn store_error(what: &'static str, error: &Error) -> StoreError {
    match code(error) {
        Some(READONLY | CANTOPEN | PERM) => {
            refused(format!("we cannot {what}: {}", explained(error)))
        }
        Some(CORRUPT | NOTADB) => StoreError::Corrupt { what, source_message: explained(error) },
        Some(code) if !is_the_files_fault(code) => {
            StoreError::Corrupt { what, source_message: error.to_string() }
        }
        Some(_) | None => StoreError::Unavailable { what, source_message: explained(error) },
    }
}

/// The primary result code.
fn code(error: &Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn is_the_files_fault(code: i32) -> bool {
    matches!(
        code,
        PERM | BUSY
            | LOCKED
            | NOMEM
            | READONLY
            | INTERRUPT
            | IOERR
            | CORRUPT
            | FULL
            | CANTOPEN
            | PROTOCOL
            | NOTADB
    )
}

fn explained(error: &Error) -> String {
    let advice = match code(error) {
        Some(FULL) => "the disk is full: make room, and what waits is written",
        Some(READONLY | PERM | CANTOPEN) => {
            "the database file or its directory cannot be written: give the user that runs howdah the right, or mount it for writing"
        }
        Some(CORRUPT | NOTADB) => "the database file is damaged: restore a backup",
        Some(IOERR) => "the disk fails or is full: look at the system's log",
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}
