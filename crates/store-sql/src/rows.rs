//! A batch as rows of columns, checked before any database sees it.
//!
//! What is refused here is refused alike by both stores: a row of a shard without a fence, lines that are not dense, a key
//! twice, a NUL. The columns beside the JSON are derived here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::job::JobHeader;
use model::{ActionId, AppDigest, JobId, JobKind, Shard};
use ports::store::{
    ActionRow, AppSource, Batch, Fence, HistoryLine, JobRow, QuarantinedEvent, ShardState,
};

/// Longest text in an indexed column, in bytes: PostgreSQL's index rows end at 2 704. The JSON keeps the whole.
const INDEXED_BYTES_MAX: usize = 512;

/// A checked batch.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) fences: &'a [Fence],
    pub(crate) apps: Vec<AppCells<'a>>,
    /// Job and digest. A job's row changes its definition only in a batch that brings that definition.
    pub(crate) uses: Vec<(&'a str, &'a str)>,
    pub(crate) jobs: Vec<JobCells<'a>>,
    pub(crate) confs: Vec<ConfCells<'a>>,
    pub(crate) gone_actions: Vec<&'a ActionId>,
    pub(crate) gone_jobs: &'a [JobId],
    pub(crate) actions: Vec<ActionCells<'a>>,
    pub(crate) lines: &'a [HistoryLine],
    pub(crate) submissions: &'a [(String, JobId)],
    pub(crate) quarantined: &'a [QuarantinedEvent],
}

/// The columns of `job`.
#[derive(Debug)]
pub(crate) struct JobCells<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) shard: i64,
    pub(crate) status: &'static str,
    pub(crate) outstanding: bool,
    pub(crate) name: &'a str,
    pub(crate) app: &'a str,
    pub(crate) user: &'a str,
    pub(crate) group: Option<&'a str>,
    pub(crate) parent: Option<&'a str>,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) run: i64,
    pub(crate) created_at: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) changed_at: i64,
    pub(crate) due_at: Option<i64>,
    pub(crate) header: String,
}

/// The columns of `job_conf`.
#[derive(Debug)]
pub(crate) struct ConfCells<'a> {
    pub(crate) job: &'a str,
    pub(crate) conf: String,
}

/// The columns of `action`.
#[derive(Debug)]
pub(crate) struct ActionCells<'a> {
    pub(crate) job: &'a str,
    pub(crate) name: &'a str,
    pub(crate) shard: i64,
    pub(crate) status: &'static str,
    pub(crate) ready: bool,
    pub(crate) pool: &'a str,
    pub(crate) priority: i64,
    pub(crate) due_at: Option<i64>,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: String,
}

/// The columns of `app`.
#[derive(Debug)]
pub(crate) struct AppCells<'a> {
    pub(crate) digest: &'a str,
    pub(crate) source: String,
}

impl<'a> Rows<'a> {
    /// Checks a batch for a database of `shards` shards and makes its columns; the error says what can never be stored.
    pub(crate) fn of(batch: &'a Batch, shards: u16) -> Result<Rows<'a>, String> {
        check_fences(batch)?;
        check_shards(batch, shards)?;
        check_lines(batch)?;
        check_keys(batch)?;
        let rows = Rows::made(batch, shards)
            .map_err(|error| format!("a row cannot be written as JSON: {error}"))?;
        rows.check_texts()?;
        Ok(rows)
    }

    fn made(batch: &'a Batch, shards: u16) -> Result<Rows<'a>, serde_json::Error> {
        Ok(Rows {
            fences: &batch.fences,
            apps: batch.apps.iter().map(AppCells::of).collect::<Result<_, _>>()?,
            uses: uses_of(batch),
            jobs: batch
                .jobs
                .iter()
                .map(|row| JobCells::of(row, shards))
                .collect::<Result<_, _>>()?,
            confs: batch.jobs.iter().filter_map(ConfCells::of).collect::<Result<_, _>>()?,
            gone_actions: gone_for_good(batch),
            gone_jobs: &batch.gone_jobs,
            actions: batch
                .actions
                .iter()
                .map(|row| ActionCells::of(row, shards))
                .collect::<Result<_, _>>()?,
            lines: &batch.lines,
            submissions: &batch.submissions,
            quarantined: &batch.quarantined,
        })
    }

    /// PostgreSQL stores no NUL and SQLite would: refused for both, naming the row.
    fn check_texts(&self) -> Result<(), String> {
        let jobs = self.jobs.iter().map(|job| (job.id, job.texts()));
        let actions = self.actions.iter().map(|action| (action.job, action.texts()));
        let lines = self
            .lines
            .iter()
            .map(|line| (line.job.as_str(), vec![&*line.name, &line.event, &line.engine]));
        let apps = self.apps.iter().map(|app| (app.digest, vec![app.digest]));
        let keys = self.submissions.iter().map(|(key, job)| (job.as_str(), vec![&**key]));
        let events = self
            .quarantined
            .iter()
            .map(|event| (event.job.as_str(), vec![&*event.event, &event.why]));
        let gone = self
            .gone_actions
            .iter()
            .map(|action| (action.job.as_str(), vec![action.name.as_str()]));
        let mut all =
            jobs.chain(actions).chain(lines).chain(apps).chain(keys).chain(events).chain(gone);
        match all.find(|(_, texts)| texts.iter().any(|text| text.contains('\0'))) {
            Some((of, _)) => Err(format!("a text of {of:?} holds a NUL, which no database stores")),
            None => Ok(()),
        }
    }
}

impl<'a> JobCells<'a> {
    fn of(row: &'a JobRow, shards: u16) -> Result<JobCells<'a>, serde_json::Error> {
        let header = &*row.header;
        Ok(JobCells {
            id: header.id.as_str(),
            kind: kind_of(header.id.kind()),
            shard: header.id.shard(shards).0.into(),
            status: header.status.as_str(),
            outstanding: is_outstanding(header),
            name: indexed(&header.app_name),
            app: header.app.as_str(),
            user: indexed(&header.user),
            group: header.group.as_deref().map(indexed),
            parent: header.parent.as_ref().map(|parent| parent.job.as_str()),
            external_id: header.external_id.as_deref(),
            run: header.run.0.into(),
            created_at: header.created_at.0,
            started_at: header.started_at.map(|at| at.0),
            ended_at: header.ended_at.map(|at| at.0),
            changed_at: header.changed_at.0,
            due_at: row.due_at.map(|at| at.0),
            header: serde_json::to_string(header)?,
        })
    }

    fn texts(&self) -> Vec<&str> {
        let optional = [self.group, self.external_id].into_iter().flatten();
        [self.name, self.app, self.user].into_iter().chain(optional).collect()
    }
}

impl<'a> ConfCells<'a> {
    fn of(row: &'a JobRow) -> Option<Result<ConfCells<'a>, serde_json::Error>> {
        let conf = row.conf.as_ref()?;
        Some(
            serde_json::to_string(&**conf)
                .map(|conf| ConfCells { job: row.header.id.as_str(), conf }),
        )
    }
}

impl<'a> ActionCells<'a> {
    fn of(row: &'a ActionRow, shards: u16) -> Result<ActionCells<'a>, serde_json::Error> {
        let action = &*row.action;
        let claim = action.claim.as_ref().filter(|_| action.is_live());
        Ok(ActionCells {
            job: row.job.as_str(),
            name: action.name.as_str(),
            shard: row.job.shard(shards).0.into(),
            status: action.status.as_str(),
            ready: row.ready,
            pool: &action.pool,
            priority: action.priority.into(),
            due_at: action.due_at.map(|at| at.0),
            token: claim.map(|claim| claim.token.as_str()),
            body: serde_json::to_string(action)?,
        })
    }

    fn texts(&self) -> Vec<&str> {
        [self.name, self.pool].into_iter().chain(self.token).collect()
    }
}

impl<'a> AppCells<'a> {
    fn of(
        (digest, source): &'a (AppDigest, Arc<AppSource>),
    ) -> Result<AppCells<'a>, serde_json::Error> {
        Ok(AppCells { digest: digest.as_str(), source: serde_json::to_string(&**source)? })
    }
}

fn kind_of(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Workflow => "W",
        JobKind::Coordinator => "C",
        JobKind::Bundle => "B",
    }
}

/// Whether a new owner of its shard must load the job: it is not over, or something of it still has to happen outside.
fn is_outstanding(header: &JobHeader) -> bool {
    !header.status.is_terminal() || !header.stopping.is_empty() || !header.notifications.is_empty()
}

/// What of a text goes into an indexed column.
pub(crate) fn indexed(text: &str) -> &str {
    let mut end = text.len().min(INDEXED_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether the row of its shard is what the fence says.
pub(crate) fn holds(fence: &Fence, state: &ShardState) -> bool {
    (fence.epoch, fence.nonce, fence.pos) == (state.epoch, state.owner_nonce, state.pos)
}

/// Which jobs begin to need which definitions.
fn uses_of(batch: &Batch) -> Vec<(&str, &str)> {
    let brought: BTreeSet<&str> = batch.apps.iter().map(|(digest, _)| digest.as_str()).collect();
    let needed = batch.jobs.iter().map(|row| (row.header.id.as_str(), row.header.app.as_str()));
    needed.filter(|(_, app)| brought.contains(app)).collect()
}

/// An action that goes away and comes again in one batch is a row that is replaced.
fn gone_for_good(batch: &Batch) -> Vec<&ActionId> {
    if batch.gone_actions.is_empty() {
        return Vec::new();
    }
    let back: BTreeSet<(&str, &str)> =
        batch.actions.iter().map(|row| (row.job.as_str(), row.action.name.as_str())).collect();
    let is_back = |action: &ActionId| back.contains(&(action.job.as_str(), action.name.as_str()));
    batch.gone_actions.iter().filter(|action| !is_back(action)).collect()
}

fn check_fences(batch: &Batch) -> Result<(), String> {
    match batch.fences.windows(2).find(|pair| pair[0].shard >= pair[1].shard) {
        Some(pair) => Err(format!(
            "the fences of shards {} and {} are not in ascending order",
            pair[0].shard, pair[1].shard
        )),
        None => Ok(()),
    }
}

/// Nothing is written that no fence guards.
fn check_shards(batch: &Batch, shards: u16) -> Result<(), String> {
    let fenced: BTreeSet<Shard> = batch.fences.iter().map(|fence| fence.shard).collect();
    let jobs = batch.jobs.iter().map(|row| &row.header.id);
    let parts = batch
        .actions
        .iter()
        .map(|row| &row.job)
        .chain(batch.gone_actions.iter().map(|action| &action.job));
    let others = batch.gone_jobs.iter().chain(batch.lines.iter().map(|line| &line.job));
    let keyed = batch
        .submissions
        .iter()
        .map(|(_, job)| job)
        .chain(batch.quarantined.iter().map(|event| &event.job));
    let mut touched = jobs.chain(parts).chain(others).chain(keyed);
    match touched.find(|job| !fenced.contains(&job.shard(shards))) {
        Some(job) => Err(format!(
            "{job} lives in shard {}, which has no fence in this batch",
            job.shard(shards)
        )),
        None if fenced.is_empty() && !batch.apps.is_empty() => {
            Err("a definition comes without any fence".to_owned())
        }
        None => Ok(()),
    }
}

/// Lines are dense from `pos + 1` on, in the order of their numbers, exactly as many as the fence says.
fn check_lines(batch: &Batch) -> Result<(), String> {
    let mut ends: BTreeMap<Shard, i64> =
        batch.fences.iter().map(|fence| (fence.shard, fence.pos)).collect();
    for line in &batch.lines {
        let Some(last) = ends.get_mut(&line.shard) else {
            return Err(format!("a line of shard {} has no fence in this batch", line.shard));
        };
        if line.n != *last + 1 {
            return Err(format!("line {} of shard {} follows line {last}", line.n, line.shard));
        }
        *last = line.n;
    }
    match batch.fences.iter().find(|fence| ends[&fence.shard] != fence.pos + fence.lines) {
        Some(fence) => Err(format!(
            "the fence of shard {} says {} lines, other lines came",
            fence.shard, fence.lines
        )),
        None => Ok(()),
    }
}

/// Jobs and actions at most once each; no job both written and taken away.
fn check_keys(batch: &Batch) -> Result<(), String> {
    let mut jobs = BTreeSet::new();
    let all = batch.jobs.iter().map(|row| &row.header.id).chain(&batch.gone_jobs);
    if let Some(job) = all.into_iter().find(|job| !jobs.insert(job.as_str())) {
        return Err(format!("{job} is in this batch twice"));
    }
    let mut actions = BTreeSet::new();
    match batch
        .actions
        .iter()
        .find(|row| !actions.insert((row.job.as_str(), row.action.name.as_str())))
    {
        Some(row) => Err(format!("{}@{} is in this batch twice", row.job, row.action.name)),
        None => Ok(()),
    }
}
