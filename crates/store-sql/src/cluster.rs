//! The one row that is written when a database is created, and what is refused because of it.
//!
//! The stamp, the system id and the number of shards are inside every job id or decide where a job lives, so they never
//! change; a server that is configured for another number of shards does not start.

use model::Timestamp;
use model::id::SYSTEM_ID_CHARS_MAX;
use ports::store::{Cluster, StoreError};
use sqlx::SqlStr;
use sqlx::migrate::{MigrateError, Migrator};

/// The version of the stored form that this program reads and writes.
pub const FORMAT: u32 = 1;

/// What a database is created with; one that exists keeps what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCluster {
    /// The system id inside every job id: at most ten letters, digits, `_`, `.` or `-`.
    pub system_id: String,
    /// How many shards; must equal what an existing database has.
    pub shards: u16,
    /// The present moment: the stamp inside every job id is made of it.
    pub now: Timestamp,
}

impl NewCluster {
    /// Refuses what no database may be created with.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.shards == 0 {
            return Err(refused("the number of shards is 0; configure at least 1"));
        }
        if self.system_id.is_empty()
            || self.system_id.len() > SYSTEM_ID_CHARS_MAX
            || !self.system_id.chars().all(known)
        {
            let id = &self.system_id;
            return Err(refused(format!(
                "the system id `{id}` is not 1 to {SYSTEM_ID_CHARS_MAX} letters, digits, `_`, `.` or `-`; configure another"
            )));
        }
        Ok(())
    }

    /// Refuses a database that was made for something else.
    pub(crate) fn accept(&self, found: Cluster) -> Result<Cluster, StoreError> {
        if found.format != FORMAT {
            return Err(refused(format!(
                "its format is {}, this program knows format {FORMAT}; start the version of howdah that it belongs to",
                found.format
            )));
        }
        if found.shards != self.shards {
            return Err(refused(format!(
                "it was created with {} shards and the configuration says {}; set the configured number to {0}",
                found.shards, self.shards
            )));
        }
        Ok(found)
    }
}

/// A database that is not ours to use.
pub(crate) fn refused(why: impl Into<String>) -> StoreError {
    StoreError::Refused { why: why.into() }
}

/// Both parts of the schema as one list; what a newer version added is left alone: `format` decides who may write.
pub(crate) fn migrations(shared: &Migrator, own: &Migrator) -> Migrator {
    let all = shared.iter().chain(own.iter()).cloned().collect();
    let mut migrator = Migrator::with_migrations(all);
    migrator.set_ignore_missing(true);
    migrator
}

/// A migration that was changed after it was applied, or broke off, needs a person; anything else is the driver's affair.
pub(crate) fn migration_error(
    error: MigrateError,
    driver: impl FnOnce(&'static str, &sqlx::Error) -> StoreError,
) -> StoreError {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            driver("create its tables", &source)
        }
        other => refused(format!(
            "its tables are not those of this program ({other}); restore a backup or choose another"
        )),
    }
}

/// A text that consists of our own files and nothing that came from outside.
pub(crate) fn own_sql(text: impl Into<String>) -> SqlStr {
    sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(system_id: &str, shards: u16) -> NewCluster {
        NewCluster { system_id: system_id.to_owned(), shards, now: Timestamp(0) }
    }

    #[test]
    fn a_system_id_that_fits_no_job_id_is_refused() {
        for (system_id, shards, fits) in [
            ("howdah", 64, true),
            ("oozie-joe", 1, true),
            ("", 1, false),
            ("elevenchars", 1, false),
            ("a/b", 1, false),
            ("a", 0, false),
        ] {
            assert_eq!(create(system_id, shards).check().is_ok(), fits, "{system_id} {shards}");
        }
    }

    #[test]
    fn another_shard_count_or_format_is_refused_with_both_numbers() {
        let found = Cluster {
            stamp: "1".repeat(15),
            system_id: "a".to_owned(),
            shards: 64,
            format: FORMAT,
        };
        assert_eq!(create("other", 64).accept(found.clone()), Ok(found.clone()));
        let why = create("a", 32).accept(found.clone()).expect_err("it is refused").to_string();
        assert!(why.contains("64 shards") && why.contains("32"), "{why}");
        let why = create("a", 64)
            .accept(Cluster { format: 2, ..found })
            .expect_err("it is refused")
            .to_string();
        assert!(why.contains("format is 2"), "{why}");
    }
}
