//! Every read of the port, once for both databases. Each is one statement, so each sees one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::placement::Policy;
use model::job::JobHeader;
use model::{
    AppDigest, Configuration, Epoch, JobId, JobStatus, Nonce, Shard, Timestamp, WorkflowAction,
    WorkflowJob,
};
use ports::cluster::PolicyRow;
use ports::store::{
    AppSource, Cluster, HistoryLine, JobFilter, JobPage, LoadedJobs, QuarantinedEvent, ShardState,
    StoreError,
};

use crate::list;
use crate::query::{Arg, Query, Row, corrupt};

const LOAD: &str = "load a job";
pub(crate) const SETTING_POLICY: &str = "set the policy";
pub(crate) const SET_POLICY: &str = include_str!("../sql/read/set_policy.sql");

pub(crate) async fn cluster(db: &impl Query) -> Result<Option<Cluster>, StoreError> {
    let rows =
        db.query("read the cluster row", include_str!("../sql/read/cluster.sql"), vec![]).await?;
    let read = |mut row: Row| {
        Ok(Cluster {
            stamp: row.text()?,
            system_id: row.text()?,
            shards: row.number()?,
            format: row.number()?,
        })
    };
    rows.into_iter().next().map(read).transpose()
}

pub(crate) async fn shards(db: &impl Query) -> Result<Vec<ShardState>, StoreError> {
    let rows = db.query("read the shards", include_str!("../sql/read/shards.sql"), vec![]).await?;
    rows.into_iter().map(shard_state).collect()
}

/// Columns `shard, epoch, owner, owner_nonce, pos, next_serial`.
pub(crate) fn shard_state(mut row: Row) -> Result<ShardState, StoreError> {
    Ok(ShardState {
        shard: Shard(row.number()?),
        epoch: Epoch(row.number()?),
        owner: row.text()?,
        owner_nonce: nonce(&mut row)?,
        pos: row.number()?,
        next_serial: row.number()?,
    })
}

fn nonce(row: &mut Row) -> Result<Nonce, StoreError> {
    let text = row.text()?;
    u64::from_str_radix(&text, 16)
        .map(Nonce)
        .map_err(|error| row.corrupt(format!("nonce `{text}`: {error}")))
}

pub(crate) async fn live_jobs(db: &impl Query, shards: &[Shard]) -> Result<Vec<JobId>, StoreError> {
    let args = vec![numbers(shards)];
    ids(db.query("list live jobs", include_str!("../sql/read/live_jobs.sql"), args).await?)
}

pub(crate) async fn load(db: &impl Query, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
    let rows =
        db.query(LOAD, include_str!("../sql/read/load.sql"), vec![text(job.as_str())]).await?;
    assemble(rows).map_err(|error| named(error, job))
}

pub(crate) async fn load_many(db: &impl Query, jobs: &[JobId]) -> Result<LoadedJobs, StoreError> {
    let wanted = Arg::Texts(jobs.iter().map(|job| job.as_str().to_owned()).collect());
    let rows = db.query(LOAD, include_str!("../sql/read/load_many.sql"), vec![wanted]).await?;
    let mut by_job: BTreeMap<JobId, Vec<Row>> = BTreeMap::new();
    for mut row in rows {
        by_job.entry(row.parsed()?).or_default().push(row);
    }
    let mut loaded = LoadedJobs::default();
    for (job, rows) in by_job {
        match assemble(rows) {
            Ok(found) => loaded.jobs.extend(found),
            Err(error) => loaded.unreadable.push((job.clone(), named(error, &job))),
        }
    }
    Ok(loaded)
}

pub(crate) async fn policy(db: &impl Query) -> Result<PolicyRow, StoreError> {
    const WHAT: &str = "read the policy";
    let rows = db.query(WHAT, include_str!("../sql/read/policy.sql"), vec![]).await?;
    let row = rows.into_iter().next().ok_or_else(|| corrupt(WHAT, "its row is not there"))?;
    policy_row(row)
}

pub(crate) async fn set_policy(
    db: &impl Query,
    expected: i64,
    policy: &Policy,
) -> Result<Option<PolicyRow>, StoreError> {
    let args = policy_args(expected, policy)?;
    let rows = db.query(SETTING_POLICY, SET_POLICY, args).await?;
    rows.into_iter().next().map(policy_row).transpose()
}

/// The arguments of [`SET_POLICY`].
pub(crate) fn policy_args(expected: i64, policy: &Policy) -> Result<Vec<Arg>, StoreError> {
    let stored = serde_json::to_string(policy).map_err(|error| corrupt(SETTING_POLICY, error))?;
    Ok(vec![Arg::Number(expected), Arg::Text(stored)])
}

/// Columns `revision, policy`; an empty text is the policy that nobody has changed.
pub(crate) fn policy_row(mut row: Row) -> Result<PolicyRow, StoreError> {
    let revision = row.number()?;
    let stored = row.text()?;
    let policy = match stored.as_str() {
        "" => Policy::default(),
        text => serde_json::from_str(text).map_err(|error| row.corrupt(error))?,
    };
    Ok(PolicyRow { revision, policy })
}

fn assemble(rows: Vec<Row>) -> Result<Option<WorkflowJob>, StoreError> {
    let (mut header, mut conf, mut actions) =
        (None::<JobHeader>, None::<Configuration>, BTreeMap::new());
    for mut row in rows {
        match row.text()?.as_str() {
            "header" => header = Some(row.json()?),
            "conf" => conf = Some(row.json()?),
            _ => {
                let action: WorkflowAction = row.json()?;
                actions.insert(action.name.clone(), Arc::new(action));
            }
        }
    }
    let Some(mut header) = header else { return Ok(None) };
    header.conf = Arc::new(conf.ok_or_else(|| corrupt(LOAD, "it has no configuration"))?);
    Ok(Some(WorkflowJob { header, actions }))
}

fn named(error: StoreError, job: &JobId) -> StoreError {
    match error {
        StoreError::Corrupt { what, source_message } => {
            StoreError::Corrupt { what, source_message: format!("{job}: {source_message}") }
        }
        other => other,
    }
}

pub(crate) async fn family(db: &impl Query, job: &JobId) -> Result<Vec<JobId>, StoreError> {
    ids(db
        .query("read a family", include_str!("../sql/read/family.sql"), vec![text(job.as_str())])
        .await?)
}

pub(crate) async fn app(
    db: &impl Query,
    digest: &AppDigest,
) -> Result<Option<AppSource>, StoreError> {
    let rows = db
        .query(
            "read a definition",
            include_str!("../sql/read/app.sql"),
            vec![text(digest.as_str())],
        )
        .await?;
    rows.into_iter().next().map(|mut row| row.json()).transpose()
}

pub(crate) async fn submission(db: &impl Query, key: &str) -> Result<Option<JobId>, StoreError> {
    first(
        db.query(
            "look up a submission",
            include_str!("../sql/read/submission.sql"),
            vec![text(key)],
        )
        .await?,
    )
}

pub(crate) async fn by_external_id(db: &impl Query, id: &str) -> Result<Option<JobId>, StoreError> {
    first(
        db.query(
            "look up an external id",
            include_str!("../sql/read/by_external_id.sql"),
            vec![text(id)],
        )
        .await?,
    )
}

pub(crate) async fn jobs(db: &impl Query, filter: &JobFilter) -> Result<JobPage, StoreError> {
    const WHAT: &str = "list jobs";
    let wanted = list::wanted(filter);
    let rows = db.query(WHAT, &wanted.page_sql, wanted.page_args).await?;
    let jobs = rows.into_iter().map(|mut row| row.json()).collect::<Result<Vec<JobHeader>, _>>()?;
    let mut counted = db.query(WHAT, &wanted.total_sql, wanted.total_args).await?;
    let total = counted.pop().ok_or_else(|| corrupt(WHAT, "no count"))?.number()?;
    Ok(JobPage { jobs, total })
}

pub(crate) async fn history(
    db: &impl Query,
    job: &JobId,
    after: i64,
    lines_max: u32,
) -> Result<Vec<HistoryLine>, StoreError> {
    let args = vec![text(job.as_str()), Arg::Number(after), Arg::Number(lines_max.into())];
    lines(
        db.query("read the history of a job", include_str!("../sql/read/history.sql"), args)
            .await?,
    )
}

pub(crate) async fn shard_history(
    db: &impl Query,
    shard: Shard,
    after: i64,
    lines_max: u32,
) -> Result<Vec<HistoryLine>, StoreError> {
    let args = vec![Arg::Number(shard.0.into()), Arg::Number(after), Arg::Number(lines_max.into())];
    lines(
        db.query(
            "read the history of a shard",
            include_str!("../sql/read/shard_history.sql"),
            args,
        )
        .await?,
    )
}

fn lines(rows: Vec<Row>) -> Result<Vec<HistoryLine>, StoreError> {
    let read = |mut row: Row| {
        Ok(HistoryLine {
            shard: Shard(row.number()?),
            n: row.number()?,
            at: Timestamp(row.number()?),
            job: row.parsed()?,
            name: row.text()?,
            event: row.text()?,
            engine: row.text()?,
        })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) async fn job_counts(db: &impl Query) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
    let rows = db.query("count jobs", include_str!("../sql/read/job_counts.sql"), vec![]).await?;
    rows.into_iter().map(|mut row| Ok((row.parsed()?, row.number()?))).collect()
}

pub(crate) async fn purgeable(
    db: &impl Query,
    shards: &[Shard],
    ended_before: Timestamp,
    jobs_max: u32,
) -> Result<Vec<JobId>, StoreError> {
    let args = vec![numbers(shards), Arg::Number(ended_before.0), Arg::Number(jobs_max.into())];
    ids(db.query("look for jobs to purge", include_str!("../sql/read/purgeable.sql"), args).await?)
}

pub(crate) async fn quarantined(
    db: &impl Query,
    events_max: u32,
) -> Result<Vec<QuarantinedEvent>, StoreError> {
    let args = vec![Arg::Number(events_max.into())];
    let rows =
        db.query("read the quarantine", include_str!("../sql/read/quarantined.sql"), args).await?;
    let read = |mut row: Row| {
        Ok(QuarantinedEvent {
            job: row.parsed()?,
            at: Timestamp(row.number()?),
            event: row.text()?,
            why: row.text()?,
        })
    };
    rows.into_iter().map(read).collect()
}

fn ids(rows: Vec<Row>) -> Result<Vec<JobId>, StoreError> {
    rows.into_iter().map(|mut row| row.parsed()).collect()
}

fn first(rows: Vec<Row>) -> Result<Option<JobId>, StoreError> {
    rows.into_iter().next().map(|mut row| row.parsed()).transpose()
}

fn text(text: &str) -> Arg {
    Arg::Text(text.to_owned())
}

fn numbers(shards: &[Shard]) -> Arg {
    Arg::Numbers(shards.iter().map(|shard| shard.0.into()).collect())
}
