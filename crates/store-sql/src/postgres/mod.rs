//! PostgreSQL for a cluster: one committing connection for each process, a pool for reads and takes, the primary only.
//!
//! **Invariants**
//! * A batch is one statement in autocommit; nothing is open across a round trip.
//! * A commit whose answer did not come leaves its backend in `in_doubt`. The next take of this process ends just that
//!   backend before it takes, and then waits for the row locks that it may still hold (review S-1).
//! * A take has committed before it returns; loads are statements that begin after it (review S-2).

mod commit;
mod connect;
mod errors;

use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;
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
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{Connection, Postgres, Row as _, TypeInfo, ValueRef};
use tokio::sync::{Mutex, watch};

pub use self::connect::Timeline;

use self::connect::{Backend, Connector, Link};
use self::errors::{Verdict, outcome, store_error, verdict};
use crate::cluster::{self, FORMAT, NewCluster, own_sql};
use crate::query::{Arg, Cell, Query, Row, corrupt};
use crate::reads;
use crate::rows::{Rows, holds};

/// How long an answer may take before we stop waiting: longer than the server's own bound of 10 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long creating tables may take, and waiting for another process that creates them.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(60);
/// Months beyond the present one whose partitions of history are made ahead.
const MONTHS_AHEAD: i32 = 2;

static SHARED: Migrator = sqlx::migrate!("migrations/both");
static OWN: Migrator = sqlx::migrate!("migrations/postgres");

/// The database of a cluster.
#[derive(Debug)]
pub struct PostgresStore {
    cluster: Cluster,
    connector: Connector,
    pool: PgPool,
    committer: Mutex<Option<Link>>,
    in_doubt: StdMutex<Vec<Backend>>,
}

/// What [`PostgresStore::maintain`] found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Monthly partitions of history that were made.
    pub partitions_made: u64,
    /// Lines in the default partition, counted up to 1 000: anything but 0 is worth an alert.
    pub default_lines: u64,
}

impl PostgresStore {
    /// Connects to the primary at `url`, creates what is missing, and makes history's partitions. Any number of processes may
    /// do so at once. `process` names the connections: `hw:<16 hex digits>`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a standby, a wrong address or user, another number of shards or another format;
    /// [`StoreError::Unavailable`] when there is no answer.
    pub async fn open(
        url: &str,
        process: Nonce,
        create: &NewCluster,
    ) -> Result<PostgresStore, StoreError> {
        create.check()?;
        let connector = Connector::new(url, process)?;
        migrate(&connector, create).await?;
        let pool = connector.pool();
        let store = PostgresStore {
            cluster: read_cluster(&pool, create).await?,
            pool,
            committer: Mutex::new(None),
            in_doubt: StdMutex::default(),
            connector,
        };
        store.maintain(create.now).await?;
        Ok(store)
    }

    /// Which history the server was on when the newest connection was made.
    pub fn timeline(&self) -> Option<Timeline> {
        *self.connector.timelines().borrow()
    }

    /// Changes when a new connection finds the server on another history: then all shards are to be taken again.
    pub fn timelines(&self) -> watch::Receiver<Option<Timeline>> {
        self.connector.timelines()
    }

    /// Makes history's partitions for the month of `now` and the two after it. To be called once a day.
    pub async fn maintain(&self, now: Timestamp) -> Result<Maintenance, StoreError> {
        const WHAT: &str = "make partitions of history";
        let making = sqlx::query_scalar::<_, bool>(include_str!("../../sql/postgres/maintain.sql"));
        let made = making.bind(now.0).bind(MONTHS_AHEAD).fetch_all(&self.pool).await;
        let made = made.map_err(|error| store_error(WHAT, &error))?;
        let counting =
            sqlx::query_scalar::<_, i64>(include_str!("../../sql/postgres/default_lines.sql"));
        let waiting =
            counting.fetch_one(&self.pool).await.map_err(|error| store_error(WHAT, &error))?;
        Ok(Maintenance {
            partitions_made: made.iter().filter(|made| **made).fold(0, |count, _| count + 1),
            default_lines: u64::try_from(waiting).unwrap_or_default(),
        })
    }

    /// Sends the batch and waits for the answer, with the backend in doubt until there is one.
    async fn send(&self, link: &mut Link, rows: &Rows<'_>) -> CommitOutcome {
        self.doubt(&link.backend);
        let answer =
            tokio::time::timeout(ANSWER_TIMEOUT, commit::commit(&mut link.connection, rows)).await;
        let Ok(answer) = answer else {
            return CommitOutcome::Unknown(format!("no answer within {ANSWER_TIMEOUT:?}"));
        };
        let outcome = match answer {
            Ok(()) => CommitOutcome::Committed,
            Err(error) if verdict(&error) == Verdict::Fenced => {
                refusal(&mut link.connection, rows.fences).await
            }
            Err(error) => outcome(&error),
        };
        if !matches!(outcome, CommitOutcome::Unknown(_)) {
            self.trust(&link.backend);
        }
        outcome
    }

    fn doubt(&self, backend: &Backend) {
        self.in_doubt.lock().expect("nobody panics while holding it").push(backend.clone());
    }

    fn trust(&self, backend: &Backend) {
        self.in_doubt
            .lock()
            .expect("nobody panics while holding it")
            .retain(|doubted| doubted != backend);
    }

    /// Ends the backends whose last answer never came, so that nothing of theirs can go in after the take.
    async fn end_doubted(&self) -> Result<(), sqlx::Error> {
        // A commit in flight is in the list too: it holds the lock of `committer`, and is waited for.
        let _no_commit = self.committer.lock().await;
        let doubted = self.in_doubt.lock().expect("nobody panics while holding it").clone();
        for backend in doubted {
            let query = sqlx::query(include_str!("../../sql/postgres/end_backend.sql"));
            let query = query
                .bind(backend.pid)
                .bind(backend.started.clone())
                .bind(self.connector.name.clone());
            query.fetch_all(&self.pool).await?;
            self.trust(&backend);
        }
        Ok(())
    }
}

/// After a purge: definitions that nobody needs any more go away. What does not go now goes after the next purge, whoever
/// makes it. Answers whether the connection is in order.
async fn drop_loose_apps(connection: &mut PgConnection) -> bool {
    let dropping = commit::drop_loose_apps(connection);
    let why = match tokio::time::timeout(ANSWER_TIMEOUT, dropping).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => store_error("drop definitions", &error).to_string(),
        Err(_) => late("drop definitions", ANSWER_TIMEOUT).to_string(),
    };
    tracing::warn!(why, "definitions of purged jobs stay until the next purge");
    false
}

/// Which fences did not hold.
async fn refusal(connection: &mut PgConnection, fences: &[Fence]) -> CommitOutcome {
    let states = match tokio::time::timeout(
        ANSWER_TIMEOUT,
        commit::shard_states(connection, fences),
    )
    .await
    {
        Ok(Ok(states)) => states,
        Ok(Err(error)) => return CommitOutcome::Unavailable(error.to_string()),
        Err(_) => {
            return CommitOutcome::Unavailable(late("read the fences", ANSWER_TIMEOUT).to_string());
        }
    };
    let fence_of = |state: &ShardState| fences.iter().find(|fence| fence.shard == state.shard);
    let differs = |state: &ShardState| fence_of(state).is_some_and(|fence| !holds(fence, state));
    let differing: Vec<ShardState> =
        states.iter().filter(|state| differs(state)).cloned().collect();
    if !differing.is_empty() {
        return CommitOutcome::Fenced(differing);
    }
    let why = "a fence names a shard that does not exist, or would set its next serial back";
    CommitOutcome::Rejected(why.to_owned())
}

async fn migrate(connector: &Connector, create: &NewCluster) -> Result<(), StoreError> {
    let mut link = connector.unbounded().await?;
    let prepared =
        tokio::time::timeout(MIGRATE_TIMEOUT, prepare(&mut link.connection, create)).await;
    prepared.map_err(|_| late("create its tables", MIGRATE_TIMEOUT))??;
    link.connection.close().await.map_err(|error| store_error("create its tables", &error))
}

async fn prepare(connection: &mut PgConnection, create: &NewCluster) -> Result<(), StoreError> {
    cluster::migrations(&SHARED, &OWN)
        .run(&mut *connection)
        .await
        .map_err(|error| cluster::migration_error(error, store_error))?;
    write_cluster(connection, create)
        .await
        .map_err(|error| store_error("create the database", &error))
}

async fn write_cluster(
    connection: &mut PgConnection,
    create: &NewCluster,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(include_str!("../../sql/both/create_cluster.sql"))
        .bind(create.now.to_id_stamp())
        .bind(create.system_id.clone())
        .bind(i64::from(create.shards))
        .bind(i64::from(FORMAT))
        .bind(create.now.0)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(include_str!("../../sql/both/create_shards.sql"))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn read_cluster(pool: &PgPool, create: &NewCluster) -> Result<Cluster, StoreError> {
    let found = reads::cluster(pool).await?;
    create.accept(found.ok_or_else(|| corrupt("read the cluster row", "it is not there"))?)
}

fn late(what: &'static str, waited: Duration) -> StoreError {
    StoreError::Unavailable { what, source_message: format!("no answer within {waited:?}") }
}

/// The cells of a row, by what is in them.
fn cells(what: &'static str, row: &PgRow) -> Result<Row, StoreError> {
    let cells: Result<Vec<Cell>, sqlx::Error> = (0..row.len()).map(|at| cell(row, at)).collect();
    cells.map(|cells| Row::new(what, cells)).map_err(|error| corrupt(what, error))
}

fn cell(row: &PgRow, at: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let is_text = value.type_info().name() == "TEXT";
    if is_text { row.try_get(at).map(Cell::Text) } else { row.try_get(at).map(Cell::Number) }
}

impl Query for PgPool {
    async fn query(
        &self,
        what: &'static str,
        sql: &str,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut query = sqlx::query::<Postgres>(own_sql(sql));
        for arg in args {
            query = match arg {
                Arg::Number(number) => query.bind(number),
                Arg::Text(text) => query.bind(text),
                Arg::Numbers(numbers) => query.bind(numbers),
                Arg::Texts(texts) => query.bind(texts),
            };
        }
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, query.fetch_all(self))
            .await
            .map_err(|_| late(what, ANSWER_TIMEOUT))?;
        let rows = answer.map_err(|error| store_error(what, &error))?;
        rows.iter().map(|row| cells(what, row)).collect()
    }
}

#[async_trait]
impl Reads for PostgresStore {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        reads::load(&self.pool, job).await
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        reads::app(&self.pool, digest).await
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        reads::by_external_id(&self.pool, external_id).await
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        reads::jobs(&self.pool, filter).await
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        reads::history(&self.pool, job, after, lines_max).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    async fn take(
        &self,
        shards: &[Shard],
        owner: &str,
        nonce: Nonce,
    ) -> Result<Vec<ShardState>, StoreError> {
        const WHAT: &str = "take shards";
        self.end_doubted().await.map_err(|error| store_error(WHAT, &error))?;
        let numbers: Vec<i64> = shards.iter().map(|shard| shard.0.into()).collect();
        let args =
            vec![Arg::Numbers(numbers), Arg::Text(owner.to_owned()), Arg::Text(nonce.to_string())];
        let rows = self.pool.query(WHAT, include_str!("../../sql/postgres/take.sql"), args).await?;
        let mut taken = rows.into_iter().map(reads::shard_state).collect::<Result<Vec<_>, _>>()?;
        taken.sort_by_key(|state| state.shard);
        Ok(taken)
    }

    async fn release(&self, fences: &[Fence]) -> Result<(), StoreError> {
        let nonces = fences.iter().map(|fence| fence.nonce.to_string()).collect();
        let args = vec![
            Arg::Numbers(fences.iter().map(|fence| fence.shard.0.into()).collect()),
            Arg::Numbers(fences.iter().map(|fence| fence.epoch.0).collect()),
            Arg::Texts(nonces),
        ];
        self.pool
            .query("release shards", include_str!("../../sql/postgres/release.sql"), args)
            .await
            .map(drop)
    }

    async fn commit(&self, batch: &Batch) -> CommitOutcome {
        let rows = match Rows::of(batch, self.cluster.shards) {
            Ok(rows) => rows,
            Err(why) => return CommitOutcome::Rejected(why),
        };
        let mut slot = self.committer.lock().await;
        let mut link = match slot.take() {
            Some(link) => link,
            None => match self.connector.committer().await {
                Ok(link) => link,
                Err(error) => return CommitOutcome::Unavailable(error.to_string()),
            },
        };
        let outcome = self.send(&mut link, &rows).await;
        let mut in_order = !matches!(outcome, CommitOutcome::Unknown(_));
        if outcome == CommitOutcome::Committed && !rows.gone_jobs.is_empty() {
            in_order = drop_loose_apps(&mut link.connection).await;
        }
        if in_order {
            *slot = Some(link);
        }
        outcome
    }

    async fn shards(&self) -> Result<Vec<ShardState>, StoreError> {
        reads::shards(&self.pool).await
    }

    async fn live_jobs(&self, shards: &[Shard]) -> Result<Vec<JobId>, StoreError> {
        reads::live_jobs(&self.pool, shards).await
    }

    async fn load_many(&self, jobs: &[JobId]) -> Result<LoadedJobs, StoreError> {
        reads::load_many(&self.pool, jobs).await
    }

    async fn policy(&self) -> Result<PolicyRow, StoreError> {
        reads::policy(&self.pool).await
    }

    async fn set_policy(
        &self,
        expected: i64,
        policy: &Policy,
    ) -> Result<Option<PolicyRow>, StoreError> {
        reads::set_policy(&self.pool, expected, policy).await
    }

    async fn family(&self, job: &JobId) -> Result<Vec<JobId>, StoreError> {
        reads::family(&self.pool, job).await
    }

    async fn submission(&self, key: &str) -> Result<Option<JobId>, StoreError> {
        reads::submission(&self.pool, key).await
    }

    async fn shard_history(
        &self,
        shard: Shard,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        reads::shard_history(&self.pool, shard, after, lines_max).await
    }

    async fn job_counts(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        reads::job_counts(&self.pool).await
    }

    async fn purgeable(
        &self,
        shards: &[Shard],
        ended_before: Timestamp,
        jobs_max: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        reads::purgeable(&self.pool, shards, ended_before, jobs_max).await
    }

    async fn quarantined(&self, events_max: u32) -> Result<Vec<QuarantinedEvent>, StoreError> {
        reads::quarantined(&self.pool, events_max).await
    }
}
