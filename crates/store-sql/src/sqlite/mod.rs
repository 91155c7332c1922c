//! SQLite in a directory of this machine: one writing connection, a few reading ones, WAL, every commit synced.
//!
//! **Invariants**
//! * One server: the data directory is locked for life ([`data_dir`]).
//! * One writer: whatever writes holds `writer`. A connection whose state is not known any more is dropped, which rolls back,
//!   and the next writer opens another.

mod commit;
mod data_dir;
mod errors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use engine::placement::Policy;
use model::{AppDigest, JobId, JobStatus, Nonce, Shard, Timestamp, WorkflowJob};
use ports::cluster::PolicyRow;
use ports::store::{
    AppSource, Batch, Cluster, CommitOutcome, Fence, HistoryLine, JobFilter, JobPage, LoadedJobs,
    QuarantinedEvent, Reads, ShardState, Store, StoreError,
};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row as _, Sqlite, TypeInfo, ValueRef};
use tokio::sync::{Mutex, MutexGuard};

use self::data_dir::DataDir;
use self::errors::store_error;
use crate::cluster::{self, FORMAT, NewCluster, own_sql};
use crate::query::{Arg, Cell, Query, Row, for_sqlite};
use crate::reads;
use crate::rows::Rows;

/// Reading connections: each costs a thread and its page cache; reads are short.
const READERS_MAX: u32 = 4;
/// How long a statement waits for a lock: only a checkpoint or a person's `sqlite3` can hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle reader gives its memory back.
const READER_IDLE_MAX: Duration = Duration::from_secs(60);
/// Prepared statements of the writer: each set statement in four sizes, and some room.
const STATEMENTS_MAX: usize = 64;

/// Pages that the writer may keep, in KiB: a batch of 2 000 rows must not spill in the middle of its transaction.
const CACHE_KIB: &str = "-16384";
/// Pages in the write-ahead log before they go into the database: 16 MiB, so that hot pages go once for many commits.
const CHECKPOINT_PAGES: &str = "4000";

static SHARED: Migrator = sqlx::migrate!("migrations/both");
static OWN: Migrator = sqlx::migrate!("migrations/sqlite");

/// The database of a single server.
#[derive(Debug)]
pub struct SqliteStore {
    cluster: Cluster,
    readers: SqlitePool,
    writer: Mutex<Option<SqliteConnection>>,
    path: PathBuf,
    _dir: DataDir,
}

impl SqliteStore {
    /// Opens `<data_dir>/howdah.db`, creating what is missing, and holds `<data_dir>/lock` for life.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when another server holds the directory (with its pid), when it cannot be written, is on a
    /// network file system, or when the database was made for another number of shards or another format.
    pub async fn open(data_dir: &Path, create: &NewCluster) -> Result<SqliteStore, StoreError> {
        create.check()?;
        let dir = DataDir::take(data_dir).await?;
        let path = dir.database();
        let mut writer = connect(&path).await?;
        let found = prepare(&mut writer, create).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(READER_IDLE_MAX)
            .connect_lazy_with(reader_options(&path));
        Ok(SqliteStore {
            cluster: create.accept(found)?,
            readers,
            writer: Mutex::new(Some(writer)),
            path,
            _dir: dir,
        })
    }

    /// The writing connection, which the caller puts back when it is in order.
    async fn writer(&self) -> Result<Writer<'_>, StoreError> {
        let mut slot = self.writer.lock().await;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => connect(&self.path).await?,
        };
        Ok(Writer { slot, connection })
    }
}

struct Writer<'a> {
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
}

impl Writer<'_> {
    fn put_back(mut self) {
        *self.slot = Some(self.connection);
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

fn reader_options(path: &Path) -> SqliteConnectOptions {
    options(path).pragma("query_only", "ON")
}

async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .statement_cache_capacity(STATEMENTS_MAX)
        .pragma("cache_size", CACHE_KIB)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
    options.connect().await.map_err(|error| store_error("open the database", &error))
}

/// Creates tables and rows that are missing. It always begins to write, so that a database that cannot be written is found now.
async fn prepare(
    writer: &mut SqliteConnection,
    create: &NewCluster,
) -> Result<Cluster, StoreError> {
    const WHAT: &str = "create the database";
    cluster::migrations(&SHARED, &OWN)
        .run(&mut *writer)
        .await
        .map_err(|error| cluster::migration_error(error, store_error))?;
    write_cluster(writer, create).await.map_err(|error| store_error(WHAT, &error))?;
    let row = sqlx::query(include_str!("../../sql/read/cluster.sql")).fetch_one(writer).await;
    let mut row = cells(WHAT, &row.map_err(|error| store_error(WHAT, &error))?)?;
    Ok(Cluster {
        stamp: row.text()?,
        system_id: row.text()?,
        shards: row.number()?,
        format: row.number()?,
    })
}

async fn write_cluster(
    writer: &mut SqliteConnection,
    create: &NewCluster,
) -> Result<(), sqlx::Error> {
    commit::run(writer, "BEGIN IMMEDIATE").await?;
    sqlx::query(include_str!("../../sql/both/create_cluster.sql"))
        .bind(create.now.to_id_stamp())
        .bind(create.system_id.clone())
        .bind(i64::from(create.shards))
        .bind(i64::from(FORMAT))
        .bind(create.now.0)
        .execute(&mut *writer)
        .await?;
    commit::run(writer, include_str!("../../sql/both/create_shards.sql")).await?;
    commit::run(writer, "COMMIT").await
}

/// The cells of a row, by what is in them.
fn cells(what: &'static str, row: &SqliteRow) -> Result<Row, StoreError> {
    let cells: Result<Vec<Cell>, sqlx::Error> = (0..row.len()).map(|at| cell(row, at)).collect();
    cells.map(|cells| Row::new(what, cells)).map_err(|error| crate::query::corrupt(what, error))
}

fn cell(row: &SqliteRow, at: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let is_text = value.type_info().name() == "TEXT";
    if is_text {
        row.try_get_unchecked(at).map(Cell::Text)
    } else {
        row.try_get_unchecked(at).map(Cell::Number)
    }
}

type SqliteQuery = sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments>;

fn bound(query: SqliteQuery, arg: Arg) -> SqliteQuery {
    match arg {
        Arg::Number(number) => query.bind(number),
        Arg::Text(text) => query.bind(text),
        Arg::Numbers(numbers) => query.bind(commit::json(&numbers)),
        Arg::Texts(texts) => query.bind(commit::json(&texts)),
    }
}

impl Query for SqliteStore {
    async fn query(
        &self,
        what: &'static str,
        sql: &str,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>, StoreError> {
        let query = sqlx::query::<Sqlite>(own_sql(for_sqlite(sql)));
        let query = args.into_iter().fold(query, bound);
        let rows =
            query.fetch_all(&self.readers).await.map_err(|error| store_error(what, &error))?;
        rows.iter().map(|row| cells(what, row)).collect()
    }
}

#[async_trait]
impl Reads for SqliteStore {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        reads::load(self, job).await
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        reads::app(self, digest).await
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        reads::by_external_id(self, external_id).await
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        reads::jobs(self, filter).await
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        reads::history(self, job, after, lines_max).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    async fn take(
        &self,
        shards: &[Shard],
        owner: &str,
        nonce: Nonce,
    ) -> Result<Vec<ShardState>, StoreError> {
        let mut writer = self.writer().await?;
        let mut taken = commit::take(&mut writer.connection, shards, owner, nonce).await?;
        writer.put_back();
        taken.sort_by_key(|state| state.shard);
        Ok(taken)
    }

    async fn release(&self, fences: &[Fence]) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let released = commit::release(&mut writer.connection, fences).await;
        released.map_err(|error| store_error("release shards", &error))?;
        writer.put_back();
        Ok(())
    }

    async fn commit(&self, batch: &Batch) -> CommitOutcome {
        let rows = match Rows::of(batch, self.cluster.shards) {
            Ok(rows) => rows,
            Err(why) => return CommitOutcome::Rejected(why),
        };
        let mut writer = match self.writer().await {
            Ok(writer) => writer,
            Err(error) => return CommitOutcome::Unavailable(error.to_string()),
        };
        let (outcome, in_order) = commit::commit(&mut writer.connection, &rows).await;
        if in_order {
            writer.put_back();
        }
        outcome
    }

    async fn shards(&self) -> Result<Vec<ShardState>, StoreError> {
        reads::shards(self).await
    }

    async fn live_jobs(&self, shards: &[Shard]) -> Result<Vec<JobId>, StoreError> {
        reads::live_jobs(self, shards).await
    }

    async fn load_many(&self, jobs: &[JobId]) -> Result<LoadedJobs, StoreError> {
        reads::load_many(self, jobs).await
    }

    async fn policy(&self) -> Result<PolicyRow, StoreError> {
        reads::policy(self).await
    }

    async fn set_policy(
        &self,
        expected: i64,
        policy: &Policy,
    ) -> Result<Option<PolicyRow>, StoreError> {
        let mut writer = self.writer().await?;
        let args = reads::policy_args(expected, policy)?;
        let sql = own_sql(for_sqlite(reads::SET_POLICY));
        let query = args.into_iter().fold(sqlx::query::<Sqlite>(sql), bound);
        let rows = query.fetch_all(&mut writer.connection).await;
        let rows = rows.map_err(|error| store_error(reads::SETTING_POLICY, &error))?;
        writer.put_back();
        let row = rows.first().map(|row| cells(reads::SETTING_POLICY, row)).transpose()?;
        row.map(reads::policy_row).transpose()
    }

    async fn family(&self, job: &JobId) -> Result<Vec<JobId>, StoreError> {
        reads::family(self, job).await
    }

    async fn submission(&self, key: &str) -> Result<Option<JobId>, StoreError> {
        reads::submission(self, key).await
    }

    async fn shard_history(
        &self,
        shard: Shard,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        reads::shard_history(self, shard, after, lines_max).await
    }

    async fn job_counts(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        reads::job_counts(self).await
    }

    async fn purgeable(
        &self,
        shards: &[Shard],
        ended_before: Timestamp,
        jobs_max: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        reads::purgeable(self, shards, ended_before, jobs_max).await
    }

    async fn quarantined(&self, events_max: u32) -> Result<Vec<QuarantinedEvent>, StoreError> {
        reads::quarantined(self, events_max).await
    }
}
