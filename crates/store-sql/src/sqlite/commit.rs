//! A batch in one SQLite transaction: BEGIN IMMEDIATE, the fence by SELECT inside it, set statements, COMMIT.
//!
//! A set statement is the one in `sql/sqlite` with its VALUES repeated. One over `json_each` costs twice as much for rows as
//! wide as an action's (20 against 10 ms for a thousand), because SQLite takes the JSON of a row apart again for every
//! column. Repetitions come in few sizes, so that each statement is prepared once.

use model::{Nonce, Shard};
use ports::store::{CommitOutcome, Fence, ShardState, StoreError};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Error, Sqlite};

use super::errors::{Stage, outcome};
use super::{cells, store_error};
use crate::cluster::own_sql;
use crate::reads::shard_state;
use crate::rows::{ActionCells, ConfCells, JobCells, Rows, holds};

/// Rows in one statement, largest first. 64 jobs are 1 152 values, far below SQLite's 32 766.
const REPETITIONS: [usize; 4] = [64, 16, 4, 1];

type Bound = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// Why a transaction is rolled back.
enum Stop {
    Error(Error),
    Outcome(CommitOutcome),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

/// Writes the batch. `true` beside the outcome says that the connection is in order and may be used again.
pub(crate) async fn commit(
    writer: &mut SqliteConnection,
    rows: &Rows<'_>,
) -> (CommitOutcome, bool) {
    match write(writer, rows).await {
        Ok(()) => match run(writer, "COMMIT").await {
            Ok(()) => (CommitOutcome::Committed, true),
            Err(error) => (outcome(&error, Stage::Ending), false),
        },
        Err(stop) => {
            let in_order = run(writer, "ROLLBACK").await.is_ok();
            let outcome = match stop {
                Stop::Error(error) => outcome(&error, Stage::Writing),
                Stop::Outcome(outcome) => outcome,
            };
            let in_order = in_order && !matches!(outcome, CommitOutcome::Unavailable(_));
            (outcome, in_order)
        }
    }
}

pub(crate) async fn run(writer: &mut SqliteConnection, sql: &'static str) -> Result<(), Error> {
    sqlx::query(sql).execute(writer).await.map(drop)
}

async fn write(writer: &mut SqliteConnection, rows: &Rows<'_>) -> Result<(), Stop> {
    run(writer, "BEGIN IMMEDIATE").await?;
    check_fences(writer, rows.fences).await?;
    advance(writer, rows.fences).await?;
    drop_gone(writer, rows).await?;
    put(writer, include_str!("../../sql/sqlite/put_app.sql"), &rows.apps, None, |query, app| {
        query.bind(app.digest.to_owned()).bind(app.source.clone())
    })
    .await?;
    put(writer, include_str!("../../sql/sqlite/put_use.sql"), &rows.uses, None, |query, use_| {
        let (job, app) = *use_;
        query.bind(job.to_owned()).bind(app.to_owned())
    })
    .await?;
    put(writer, include_str!("../../sql/sqlite/put_job.sql"), &rows.jobs, Some("job"), bind_job)
        .await?;
    put(
        writer,
        include_str!("../../sql/sqlite/put_conf.sql"),
        &rows.confs,
        Some("job_conf"),
        bind_conf,
    )
    .await?;
    put(
        writer,
        include_str!("../../sql/sqlite/put_action.sql"),
        &rows.actions,
        Some("action"),
        bind_action,
    )
    .await?;
    put(
        writer,
        include_str!("../../sql/sqlite/put_line.sql"),
        rows.lines,
        Some("history"),
        |query, line| {
            let query = query
                .bind(i64::from(line.shard.0))
                .bind(line.n)
                .bind(line.at.0)
                .bind(line.job.as_str().to_owned());
            query.bind(line.name.clone()).bind(line.event.clone()).bind(line.engine.clone())
        },
    )
    .await?;
    put(
        writer,
        include_str!("../../sql/sqlite/put_submission.sql"),
        rows.submissions,
        None,
        |query, (key, job)| query.bind(key.clone()).bind(job.as_str().to_owned()),
    )
    .await?;
    put(
        writer,
        include_str!("../../sql/sqlite/put_quarantine.sql"),
        rows.quarantined,
        Some("quarantine"),
        |query, event| {
            let query = query.bind(event.job.as_str().to_owned()).bind(event.at.0);
            query.bind(event.event.clone()).bind(event.why.clone())
        },
    )
    .await?;
    drop_loose_apps(writer, rows).await
}

async fn check_fences(writer: &mut SqliteConnection, fences: &[Fence]) -> Result<(), Stop> {
    let states = shard_states(writer, fences).await?;
    if states.len() != fences.len() {
        return Err(Stop::Outcome(CommitOutcome::Rejected(
            "a fence names a shard that does not exist".to_owned(),
        )));
    }
    let differing: Vec<ShardState> = states
        .iter()
        .zip(fences)
        .filter(|(state, fence)| !holds(fence, state))
        .map(|(state, _)| state.clone())
        .collect();
    if !differing.is_empty() {
        return Err(Stop::Outcome(CommitOutcome::Fenced(differing)));
    }
    match states.iter().zip(fences).find(|(state, fence)| fence.next_serial < state.next_serial) {
        Some((state, _)) => Err(Stop::Outcome(CommitOutcome::Rejected(format!(
            "the next serial of shard {} would go back",
            state.shard
        )))),
        None => Ok(()),
    }
}

async fn shard_states(
    writer: &mut SqliteConnection,
    fences: &[Fence],
) -> Result<Vec<ShardState>, Stop> {
    const WHAT: &str = "read the fences";
    let shards: Vec<Shard> = fences.iter().map(|fence| fence.shard).collect();
    let found = sqlx::query(include_str!("../../sql/sqlite/fence.sql"))
        .bind(json(&shards))
        .fetch_all(writer)
        .await?;
    let states: Result<Vec<ShardState>, StoreError> =
        found.iter().map(|row| shard_state(cells(WHAT, row)?)).collect();
    states.map_err(|error| Stop::Outcome(CommitOutcome::Unavailable(error.to_string())))
}

async fn advance(writer: &mut SqliteConnection, fences: &[Fence]) -> Result<(), Stop> {
    let steps: Vec<(u16, i64, i64)> =
        fences.iter().map(|fence| (fence.shard.0, fence.lines, fence.next_serial)).collect();
    let done = sqlx::query(include_str!("../../sql/sqlite/advance.sql"))
        .bind(json(&steps))
        .execute(writer)
        .await?;
    expect("shard", done.rows_affected(), fences.len())
}

/// Rows that go away, before any row comes.
async fn drop_gone(writer: &mut SqliteConnection, rows: &Rows<'_>) -> Result<(), Stop> {
    if !rows.gone_actions.is_empty() {
        let ids: Vec<(&str, &str)> = rows
            .gone_actions
            .iter()
            .map(|action| (action.job.as_str(), action.name.as_str()))
            .collect();
        let sql = include_str!("../../sql/sqlite/drop_actions.sql");
        sqlx::query(sql).bind(json(&ids)).execute(&mut *writer).await?;
    }
    if rows.gone_jobs.is_empty() {
        return Ok(());
    }
    let jobs = json(&rows.gone_jobs);
    for sql in [
        include_str!("../../sql/sqlite/purge_history.sql"),
        include_str!("../../sql/sqlite/purge_actions.sql"),
        include_str!("../../sql/sqlite/purge_conf.sql"),
        include_str!("../../sql/sqlite/purge_submissions.sql"),
        include_str!("../../sql/sqlite/put_loose.sql"),
        include_str!("../../sql/sqlite/purge_use.sql"),
        include_str!("../../sql/sqlite/purge_job.sql"),
    ] {
        sqlx::query(sql).bind(jobs.clone()).execute(&mut *writer).await?;
    }
    Ok(())
}

/// Definitions that only purged jobs needed.
async fn drop_loose_apps(writer: &mut SqliteConnection, rows: &Rows<'_>) -> Result<(), Stop> {
    if rows.gone_jobs.is_empty() {
        return Ok(());
    }
    run(writer, include_str!("../../sql/sqlite/drop_loose_apps.sql")).await?;
    Ok(run(writer, include_str!("../../sql/sqlite/forget_loose_apps.sql")).await?)
}

/// Inserts or replaces rows by as few statements as `REPETITIONS` allows; all of them must be counted when `table` is given.
async fn put<R>(
    writer: &mut SqliteConnection,
    sql: &'static str,
    rows: &[R],
    table: Option<&str>,
    bind: fn(Bound, &R) -> Bound,
) -> Result<(), Stop> {
    let (mut rest, mut affected) = (rows, 0);
    while let Some(size) = REPETITIONS.iter().find(|size| **size <= rest.len()) {
        let (now, later) = rest.split_at(*size);
        let query = now.iter().fold(sqlx::query(own_sql(repeated(sql, *size))), bind);
        affected += query.execute(&mut *writer).await?.rows_affected();
        rest = later;
    }
    table.map_or(Ok(()), |table| expect(table, affected, rows.len()))
}

/// The statement for `times` rows.
fn repeated(sql: &str, times: usize) -> String {
    const VALUES: &str = "\nVALUES ";
    let start = sql.find(VALUES).expect("every set statement has a line that begins with VALUES")
        + VALUES.len();
    let end = start + sql[start..].find(')').expect("the tuple of VALUES ends") + 1;
    let more = format!(", {}", &sql[start..end]).repeat(times - 1);
    [&sql[..end], &more, &sql[end..]].concat()
}

fn expect(table: &str, found: u64, wanted: usize) -> Result<(), Stop> {
    if u64::try_from(wanted) == Ok(found) {
        return Ok(());
    }
    Err(Stop::Outcome(CommitOutcome::Rejected(format!("{found} of {wanted} rows of {table}"))))
}

fn bind_job(query: Bound, job: &JobCells<'_>) -> Bound {
    let query = query.bind(job.id.to_owned()).bind(job.kind).bind(job.shard).bind(job.status);
    let query = query.bind(job.outstanding).bind(job.name.to_owned()).bind(job.app.to_owned());
    let query = query.bind(job.user.to_owned()).bind(job.group.map(str::to_owned));
    let query = query
        .bind(job.parent.map(str::to_owned))
        .bind(job.external_id.map(str::to_owned))
        .bind(job.run);
    let query =
        query.bind(job.created_at).bind(job.started_at).bind(job.ended_at).bind(job.changed_at);
    query.bind(job.due_at).bind(job.header.clone())
}

fn bind_conf(query: Bound, conf: &ConfCells<'_>) -> Bound {
    query.bind(conf.job.to_owned()).bind(conf.conf.clone())
}

fn bind_action(query: Bound, action: &ActionCells<'_>) -> Bound {
    let query = query
        .bind(action.job.to_owned())
        .bind(action.name.to_owned())
        .bind(action.shard)
        .bind(action.status);
    let query = query
        .bind(action.ready)
        .bind(action.pool.to_owned())
        .bind(action.priority)
        .bind(action.due_at);
    query.bind(action.token.map(str::to_owned)).bind(action.body.clone())
}

/// Takes shards, in a transaction of its own.
pub(crate) async fn take(
    writer: &mut SqliteConnection,
    shards: &[Shard],
    owner: &str,
    nonce: Nonce,
) -> Result<Vec<ShardState>, StoreError> {
    const WHAT: &str = "take shards";
    let query = sqlx::query(include_str!("../../sql/sqlite/take.sql"));
    let query = query.bind(json(&shards)).bind(owner.to_owned()).bind(nonce.to_string());
    let taken = query.fetch_all(writer).await.map_err(|error| store_error(WHAT, &error))?;
    taken.iter().map(|row| shard_state(cells(WHAT, row)?)).collect()
}

/// Gives up shards that are still owned, in one transaction.
pub(crate) async fn release(writer: &mut SqliteConnection, fences: &[Fence]) -> Result<(), Error> {
    run(writer, "BEGIN IMMEDIATE").await?;
    for fence in fences {
        let query = sqlx::query(include_str!("../../sql/sqlite/release.sql"));
        let query =
            query.bind(i64::from(fence.shard.0)).bind(fence.epoch.0).bind(fence.nonce.to_string());
        query.execute(&mut *writer).await?;
    }
    run(writer, "COMMIT").await
}

/// An array as SQLite's `json_each` reads it.
pub(crate) fn json(values: &impl serde::Serialize) -> String {
    serde_json::to_string(values).expect("numbers and texts are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_repeated() {
        let sql = "-- x\nINSERT INTO a (b, c)\nVALUES (?, ?)\nON CONFLICT DO NOTHING\n";
        assert_eq!(repeated(sql, 1), sql);
        assert_eq!(
            repeated(sql, 3),
            "-- x\nINSERT INTO a (b, c)\nVALUES (?, ?), (?, ?), (?, ?)\nON CONFLICT DO NOTHING\n"
        );
    }
}
