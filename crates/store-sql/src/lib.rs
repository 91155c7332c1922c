//! The database behind one suite of tests: [`SqliteStore`] for one machine, [`PostgresStore`] for a cluster.
//!
//! ```text
//!  Batch ─► rows: checked, turned into columns ─┬─► sqlite::commit    BEGIN IMMEDIATE · fence · a few set statements · COMMIT
//!                                               └─► postgres::commit  one statement of data-modifying CTEs over arrays
//!  reads ─► sql/read/*.sql, the same for both ──┬─► a pool of reading connections
//! ```
//!
//! **Invariants**
//! * A batch goes in whole or not at all, and only while the rows of all its shards equal its fences (architecture §3).
//! * Rows that belong to a shard without a fence in the batch, and lines that are not dense, never reach the database.
//! * What a database says about a statement decides its outcome; silence is [`CommitOutcome::Unknown`].
//! * An outcome that is nobody's fault (a full disk, no connection, a lock) is never `Rejected`: no job is quarantined for it.
//! * The schema is one: `migrations/both`, and beside it what must differ. Migrations only ever add.
//!
//! [`CommitOutcome::Unknown`]: ports::store::CommitOutcome::Unknown
#![warn(missing_docs)]

mod cluster;
mod list;
mod postgres;
mod query;
mod reads;
mod rows;
mod sqlite;

pub use cluster::{FORMAT, NewCluster};
pub use postgres::{Maintenance, PostgresStore, Timeline};
pub use sqlite::SqliteStore;
