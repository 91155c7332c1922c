//! A batch in one statement: data-modifying CTEs over arrays, all behind the fence.
//!
//! The statement is put together from the files in `sql/postgres/commit`: always the fence, then only those parts that have
//! rows, so that a small batch stays cheap. The numbers of parameters are the same in every combination; what a combination
//! does not use is an empty array. It raises unless every part counts as many rows as it was given.

use ports::store::{Fence, ShardState, StoreError};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Error, Postgres};

use super::cells;
use crate::cluster::own_sql;
use crate::query::corrupt;
use crate::reads::shard_state;
use crate::rows::{ActionCells, JobCells, Rows};

type Bound<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// One part of the statement.
struct Part {
    /// Its CTEs.
    sql: &'static str,
    /// What must be true afterwards.
    check: Option<&'static str>,
    /// Whether it has anything to do.
    is_needed: fn(&Rows<'_>) -> bool,
}

const PARTS: [Part; 10] = [
    Part {
        sql: include_str!("../../sql/postgres/commit/put_job.sql"),
        check: Some(
            "howdah_expect('job', (SELECT count(*) FROM put_job), cardinality($7::text[]))",
        ),
        is_needed: |rows| !rows.jobs.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/put_conf.sql"),
        check: Some(
            "howdah_expect('job_conf', (SELECT count(*) FROM put_conf), cardinality($25::text[]))",
        ),
        is_needed: |rows| !rows.confs.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/put_action.sql"),
        check: Some(
            "howdah_expect('action', (SELECT count(*) FROM put_action), cardinality($27::text[]))",
        ),
        is_needed: |rows| !rows.actions.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/put_line.sql"),
        check: Some(
            "howdah_expect('history', (SELECT count(*) FROM put_line), cardinality($37::bigint[]))",
        ),
        is_needed: |rows| !rows.lines.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/drop_actions.sql"),
        check: None,
        is_needed: |rows| !rows.gone_actions.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/purge.sql"),
        check: None,
        is_needed: |rows| !rows.gone_jobs.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/put_app.sql"),
        check: None,
        is_needed: |rows| !rows.apps.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/put_use.sql"),
        check: None,
        is_needed: |rows| !rows.uses.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/put_submission.sql"),
        check: None,
        is_needed: |rows| !rows.submissions.is_empty(),
    },
    Part {
        sql: include_str!("../../sql/postgres/commit/put_quarantine.sql"),
        check: Some(
            "howdah_expect('quarantine', (SELECT count(*) FROM put_quarantine), cardinality($51::text[]))",
        ),
        is_needed: |rows| !rows.quarantined.is_empty(),
    },
];

/// Runs the statement to its very end: in autocommit the transaction ends after the last row has come.
pub(crate) async fn commit(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), Error> {
    let query = sqlx::query(own_sql(statement(rows)));
    let query = bind_actions(bind_jobs(bind_fences(query, rows.fences), rows), &rows.actions);
    bind_rest(bind_lines(query, rows), rows).fetch_all(connection).await.map(drop)
}

/// Drops the definitions that purges left behind and no job needs.
pub(crate) async fn drop_loose_apps(connection: &mut PgConnection) -> Result<(), Error> {
    let query = sqlx::query(include_str!("../../sql/postgres/drop_loose_apps.sql"));
    query.fetch_all(connection).await.map(drop)
}

fn statement(rows: &Rows<'_>) -> String {
    let mut ctes = include_str!("../../sql/postgres/commit/own.sql").trim_end().to_owned();
    let mut checks = "open".to_owned();
    for part in PARTS.iter().filter(|part| (part.is_needed)(rows)) {
        ctes.extend([",\n", part.sql.trim_end()]);
        if let Some(check) = part.check {
            checks.extend([" AND ", check]);
        }
    }
    format!("{ctes}\nSELECT {checks} FROM gate")
}

/// The values of one column.
fn column<R, V>(rows: &[R], value: impl Fn(&R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// $1 to $6.
fn bind_fences<'q>(query: Bound<'q>, fences: &[Fence]) -> Bound<'q> {
    query
        .bind(column(fences, |fence| i64::from(fence.shard.0)))
        .bind(column(fences, |fence| fence.epoch.0))
        .bind(column(fences, |fence| fence.nonce.to_string()))
        .bind(column(fences, |fence| fence.pos))
        .bind(column(fences, |fence| fence.lines))
        .bind(column(fences, |fence| fence.next_serial))
}

/// $7 to $26.
fn bind_jobs<'q>(query: Bound<'q>, rows: &'q Rows<'_>) -> Bound<'q> {
    let jobs: &[JobCells<'_>] = &rows.jobs;
    query
        .bind(column(jobs, |job| job.id))
        .bind(column(jobs, |job| job.kind))
        .bind(column(jobs, |job| job.shard))
        .bind(column(jobs, |job| job.status))
        .bind(column(jobs, |job| job.outstanding))
        .bind(column(jobs, |job| job.name))
        .bind(column(jobs, |job| job.app))
        .bind(column(jobs, |job| job.user))
        .bind(column(jobs, |job| job.group))
        .bind(column(jobs, |job| job.parent))
        .bind(column(jobs, |job| job.external_id))
        .bind(column(jobs, |job| job.run))
        .bind(column(jobs, |job| job.created_at))
        .bind(column(jobs, |job| job.started_at))
        .bind(column(jobs, |job| job.ended_at))
        .bind(column(jobs, |job| job.changed_at))
        .bind(column(jobs, |job| job.due_at))
        .bind(jobs.iter().map(|job| &*job.header).collect::<Vec<_>>())
        .bind(column(&rows.confs, |conf| conf.job))
        .bind(rows.confs.iter().map(|conf| &*conf.conf).collect::<Vec<_>>())
}

/// $27 to $36.
fn bind_actions<'q>(query: Bound<'q>, actions: &'q [ActionCells<'_>]) -> Bound<'q> {
    query
        .bind(column(actions, |action| action.job))
        .bind(column(actions, |action| action.name))
        .bind(column(actions, |action| action.shard))
        .bind(column(actions, |action| action.status))
        .bind(column(actions, |action| action.ready))
        .bind(column(actions, |action| action.pool))
        .bind(column(actions, |action| action.priority))
        .bind(column(actions, |action| action.due_at))
        .bind(column(actions, |action| action.token))
        .bind(actions.iter().map(|action| &*action.body).collect::<Vec<_>>())
}

/// $37 to $43.
fn bind_lines<'q>(query: Bound<'q>, rows: &'q Rows<'_>) -> Bound<'q> {
    let lines = rows.lines;
    query
        .bind(column(lines, |line| i64::from(line.shard.0)))
        .bind(column(lines, |line| line.n))
        .bind(column(lines, |line| line.at.0))
        .bind(lines.iter().map(|line| line.job.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| &*line.name).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| &*line.event).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| &*line.engine).collect::<Vec<_>>())
}

/// $44 to $56.
fn bind_rest<'q>(query: Bound<'q>, rows: &'q Rows<'_>) -> Bound<'q> {
    query
        .bind(column(&rows.gone_actions, |action| action.job.as_str()))
        .bind(column(&rows.gone_actions, |action| action.name.as_str()))
        .bind(rows.gone_jobs.iter().map(model::JobId::as_str).collect::<Vec<_>>())
        .bind(column(&rows.apps, |app| app.digest))
        .bind(rows.apps.iter().map(|app| &*app.source).collect::<Vec<_>>())
        .bind(rows.submissions.iter().map(|(key, _)| &**key).collect::<Vec<_>>())
        .bind(rows.submissions.iter().map(|(_, job)| job.as_str()).collect::<Vec<_>>())
        .bind(rows.quarantined.iter().map(|event| event.job.as_str()).collect::<Vec<_>>())
        .bind(column(rows.quarantined, |event| event.at.0))
        .bind(rows.quarantined.iter().map(|event| &*event.event).collect::<Vec<_>>())
        .bind(rows.quarantined.iter().map(|event| &*event.why).collect::<Vec<_>>())
        .bind(column(&rows.uses, |(job, _)| *job))
        .bind(column(&rows.uses, |(_, app)| *app))
}

/// What the rows of these fences are now.
pub(crate) async fn shard_states(
    connection: &mut PgConnection,
    fences: &[Fence],
) -> Result<Vec<ShardState>, StoreError> {
    const WHAT: &str = "read the fences";
    let shards = column(fences, |fence| i64::from(fence.shard.0));
    let found = sqlx::query(include_str!("../../sql/postgres/fence.sql"))
        .bind(shards)
        .fetch_all(connection)
        .await;
    let found = found.map_err(|error| corrupt(WHAT, error))?;
    found.iter().map(|row| shard_state(cells(WHAT, row)?)).collect()
}
