//! What PostgreSQL's answers mean for a batch and for a read.
//!
//! Only the server's own word about the statement, an ERROR with its SQLSTATE, says that it was rolled back. A FATAL is about
//! the connection and may cross the statement's end on its way, so it leaves the outcome open like a torn socket does.

use ports::store::{CommitOutcome, StoreError};
use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::cluster::refused;

/// Raised by `howdah_expect` when a shard's row is not what the fence says.
const FENCED: &str = "HW001";

/// Classes of SQLSTATE that are no fault of what was written: a read-only or foreign server, a serialisation failure or
/// deadlock, tables or rights that are missing, a full disk, a lock that was waited for too long, a cancel, a failing disk.
const NOT_THE_BATCH: [&str; 9] = ["25", "28", "3D", "40", "42", "53", "55", "57", "58"];

/// What an error says about a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A fence did not hold; rolled back.
    Fenced,
    /// Rolled back or never sent, for a reason that may pass.
    NotNow,
    /// Rolled back because of what was written.
    Refused,
    /// Sent, and nobody knows.
    Open,
}

pub(crate) fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Database(said) => match said.try_downcast_ref::<PgDatabaseError>() {
            Some(said) => said_of(said),
            None => Verdict::Open,
        },
        Error::Encode(_) | Error::TypeNotFound { .. } => Verdict::Refused,
        _ => Verdict::Open,
    }
}

fn said_of(said: &PgDatabaseError) -> Verdict {
    if matches!(said.severity(), PgSeverity::Fatal | PgSeverity::Panic)
        || said.code().starts_with("08")
    {
        return Verdict::Open;
    }
    by_code(said.code())
}

fn by_code(code: &str) -> Verdict {
    match code.get(..2) {
        _ if code == FENCED => Verdict::Fenced,
        Some(class) if NOT_THE_BATCH.contains(&class) => Verdict::NotNow,
        _ => Verdict::Refused,
    }
}

/// What became of the batch, when it was not fenced.
pub(crate) fn outcome(error: &Error) -> CommitOutcome {
    match verdict(error) {
        Verdict::Open => CommitOutcome::Unknown(explained(error)),
        Verdict::Refused => CommitOutcome::Rejected(explained(error)),
        Verdict::NotNow | Verdict::Fenced => CommitOutcome::Unavailable(explained(error)),
    }
}

/// What a read, a take or a connection is answered with.
pub(crate) fn store_error(what: &'static str, error: &Error) -> StoreError {
    let class = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .map(|code| code.into_owned());
    match (class.as_deref().and_then(|code| code.get(..2)), verdict(error)) {
        (Some("28" | "3D"), _) => refused(format!(
            "we cannot {what}: {}; check the address and the user",
            explained(error)
        )),
        (Some("42"), _) | (_, Verdict::Refused) => {
            StoreError::Corrupt { what, source_message: explained(error) }
        }
        (_, Verdict::NotNow | Verdict::Open | Verdict::Fenced) => {
            StoreError::Unavailable { what, source_message: explained(error) }
        }
    }
}

fn explained(error: &Error) -> String {
    let said =
        error.as_database_error().and_then(|said| said.try_downcast_ref::<PgDatabaseError>());
    match said {
        Some(said) if said.code() == "53100" => {
            format!("{said} (53100); the disk of the database is full: make room")
        }
        Some(said) if said.code() == "25006" => {
            format!("{said} (25006); this server is read-only: connect to the primary")
        }
        Some(said) => format!("{said} ({})", said.code()),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whose_fault_it_is() {
        for (code, verdict) in [
            ("HW001", Verdict::Fenced),
            ("HW002", Verdict::Refused),
            ("22021", Verdict::Refused),
            ("23505", Verdict::Refused),
            ("54000", Verdict::Refused),
            ("53100", Verdict::NotNow),
            ("55P03", Verdict::NotNow),
            ("57014", Verdict::NotNow),
            ("40P01", Verdict::NotNow),
            ("42P01", Verdict::NotNow),
        ] {
            assert_eq!(by_code(code), verdict, "{code}");
        }
        assert_eq!(verdict(&Error::WorkerCrashed), Verdict::Open);
        assert_eq!(verdict(&Error::Io(std::io::ErrorKind::ConnectionReset.into())), Verdict::Open);
    }
}
