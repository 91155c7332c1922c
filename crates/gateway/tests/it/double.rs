//! A world for the gateway: a handful of jobs in memory, commands that are written down, refusals on request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine::event::Event;
use model::action::EarlierAttempt;
use model::job::{JobHeader, Rules};
use model::{
    ActionId, ActionStatus, AppDigest, Attempt, Configuration, JobId, JobStatus, NodeName, Run,
    Shard, Timestamp, UserRetry, WorkflowAction, WorkflowJob,
};
use ports::api::{ApiError, ApiErrorKind, Command, Explanation, SchedulerApi, SubmitRequest, Wait};
use ports::clock::Clock;
use ports::files::{FileStatus, Files, FilesError};
use ports::logs::{LogKey, LogStream, Logs};
use ports::store::{AppSource, HistoryLine, JobFilter, JobPage, Reads, StoreError};
use tokio::sync::Notify;

/// 2026-07-01T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp(1_782_907_200_000);

pub(crate) const RUNNING: &str = "0000001-261122144400000-howdah-W";
pub(crate) const SUCCEEDED: &str = "0000002-261122144400000-howdah-W";
pub(crate) const SUSPENDED: &str = "0000003-261122144400000-howdah-W";
pub(crate) const NEW: &str = "0000009-261122144400000-howdah-W";
pub(crate) const ABSENT: &str = "0000777-261122144400000-howdah-W";

/// The digest of [`DEFINITION`] and what is around it.
pub(crate) const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub(crate) const DEFINITION: &str = r#"<workflow-app name="etl" xmlns="uri:oozie:workflow:0.5">
  <start to="fetch"/>
  <action name="fetch">
    <shell xmlns="uri:oozie:shell-action:0.3"><exec>fetch.sh</exec></shell>
    <ok to="end"/><error to="fail"/>
  </action>
  <kill name="fail"><message>no</message></kill>
  <end name="end"/>
</workflow-app>"#;

#[derive(Default)]
pub(crate) struct World {
    pub(crate) jobs: Mutex<BTreeMap<JobId, WorkflowJob>>,
    pub(crate) history: Mutex<Vec<HistoryLine>>,
    pub(crate) logs: Mutex<BTreeMap<LogKey, Vec<u8>>>,
    pub(crate) files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// What the scheduler was told, in words.
    pub(crate) told: Mutex<Vec<String>>,
    /// The last submit.
    pub(crate) submitted: Mutex<Option<SubmitRequest>>,
    /// What the scheduler answers instead.
    pub(crate) refusal: Mutex<Option<ApiError>>,
    pub(crate) store_is_down: AtomicBool,
    pub(crate) scheduler_panics: AtomicBool,
    pub(crate) scheduler_hangs: AtomicBool,
    news: Notify,
}

impl World {
    /// Three jobs of joe: one runs, one has succeeded, one is suspended.
    pub(crate) fn new() -> Arc<World> {
        let world = World::default();
        for (id, status, minute) in [
            (RUNNING, JobStatus::Running, 1),
            (SUCCEEDED, JobStatus::Succeeded, 2),
            (SUSPENDED, JobStatus::Suspended, 3),
        ] {
            let job = job(id, status, NOON.plus_ms(minute * 60_000));
            world.jobs.lock().unwrap().insert(job.header.id.clone(), job);
        }
        Arc::new(world)
    }

    pub(crate) fn happened(&self, job: &str, event: &Event) {
        let mut history = self.history.lock().unwrap();
        let n = i64::try_from(history.len()).unwrap() + 1;
        history.push(HistoryLine {
            shard: Shard(0),
            n,
            at: NOON.plus_ms(n * 1_000),
            job: id(job),
            name: event.name().to_owned(),
            event: serde_json::to_string(event).unwrap(),
            engine: "test".to_owned(),
        });
        drop(history);
        self.news.notify_waiters();
    }

    pub(crate) fn set_action(
        &self,
        job: &str,
        name: &str,
        change: impl FnOnce(&mut WorkflowAction),
    ) {
        let mut jobs = self.jobs.lock().unwrap();
        let action = jobs.get_mut(&id(job)).unwrap().actions.get_mut(name).unwrap();
        change(Arc::make_mut(action));
    }

    pub(crate) fn set_status(&self, job: &str, status: JobStatus) {
        self.jobs.lock().unwrap().get_mut(&id(job)).unwrap().header.status = status;
    }

    pub(crate) fn prints(&self, job: &str, name: &str, attempt: u32, text: &str) {
        let action = ActionId { job: id(job), name: NodeName::new(name) };
        let key = LogKey { action, run: Run(0), attempt: Attempt(attempt) };
        self.logs.lock().unwrap().entry(key).or_default().extend_from_slice(text.as_bytes());
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    fn check_up(&self) -> Result<(), StoreError> {
        match self.store_is_down.load(Ordering::Relaxed) {
            true => Err(StoreError::Unavailable {
                what: "read a job",
                source_message: "connection refused".to_owned(),
            }),
            false => Ok(()),
        }
    }

    async fn answer(&self, words: String) -> Result<(), ApiError> {
        assert!(!self.scheduler_panics.load(Ordering::Relaxed), "the scheduler panics on request");
        if self.scheduler_hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.told.lock().unwrap().push(words);
        match self.refusal.lock().unwrap().clone() {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }
}

pub(crate) fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

fn job(text: &str, status: JobStatus, created_at: Timestamp) -> WorkflowJob {
    let start = action(":start:", ":START:", ActionStatus::Ok, created_at);
    let fetch = WorkflowAction {
        conf: Some("<shell/>".into()),
        attempt: Attempt(2),
        error_code: Some("JA018".into()),
        error_message: Some("exit code 1".into()),
        user_retry: UserRetry { count: 1, max: 3, interval_minutes: 10, ..UserRetry::default() },
        earlier: vec![EarlierAttempt {
            attempt: Attempt(1),
            started_at: Some(created_at),
            ended_at: created_at.plus_ms(500),
            error_code: None,
        }],
        ..action("fetch", "shell", ActionStatus::Running, created_at.plus_ms(1_000))
    };
    // By name `again` comes first, by its start last: it has none yet.
    let again = WorkflowAction {
        started_at: None,
        ..action("again", "fs", ActionStatus::Prep, created_at)
    };
    let actions = [start, fetch, again]
        .into_iter()
        .map(|action| (action.name.clone(), Arc::new(action)))
        .collect();
    let ended_at = status.is_terminal().then(|| created_at.plus_ms(5_000));
    let header = JobHeader {
        id: id(text),
        app: AppDigest::new(DIGEST),
        app_name: "etl".into(),
        app_path: "file:///apps/etl".into(),
        conf: Arc::new(Configuration::from_iter([("user.name", "joe"), ("a", "1 < 2")])),
        user: "joe".into(),
        group: None,
        acl: None,
        parent: None,
        external_id: Some("ext-1".into()),
        rules: Arc::new(Rules::default()),
        status,
        run: Run(0),
        created_at,
        started_at: Some(created_at),
        ended_at,
        changed_at: created_at.plus_ms(2_000),
        frontier: Vec::new(),
        joins: BTreeMap::new(),
        kept: std::collections::BTreeSet::new(),
        last_error_node: None,
        stopping: BTreeMap::new(),
        notifications: BTreeMap::new(),
        next_notification: 0,
        reason: None,
        rerun_children: Default::default(),
    };
    WorkflowJob { header, actions }
}

fn action(name: &str, kind: &str, status: ActionStatus, started_at: Timestamp) -> WorkflowAction {
    WorkflowAction {
        name: NodeName::new(name),
        kind: kind.into(),
        status,
        path: "/".into(),
        run: Run(0),
        attempt: Attempt(1),
        conf: None,
        evaluated: true,
        cred: None,
        transition: None,
        created_at: started_at,
        started_at: Some(started_at),
        ended_at: None,
        changed_at: started_at,
        retries: 0,
        user_retry: UserRetry::default(),
        due_at: None,
        data: None,
        stats: None,
        external_child_ids: None,
        external_id: None,
        external_status: None,
        tracker_uri: None,
        console_url: None,
        error_code: None,
        error_message: None,
        claim: None,
        result: None,
        questions: Vec::new(),
        pool: "default".into(),
        priority: 0,
        child: None,
        earlier: Vec::new(),
    }
}

#[async_trait]
impl Reads for World {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        self.check_up()?;
        Ok(self.jobs.lock().unwrap().get(job).cloned())
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        self.check_up()?;
        let known = digest.as_str() == DIGEST;
        Ok(known.then(|| AppSource {
            definition: DEFINITION.to_owned(),
            config_default: Some("<configuration/>".to_owned()),
            inherited_global: None,
        }))
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        let jobs = self.jobs.lock().unwrap();
        let newest =
            jobs.values().rev().find(|job| job.header.external_id.as_deref() == Some(external_id));
        Ok(newest.map(|job| job.header.id.clone()))
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        self.check_up()?;
        let any = |wanted: &[String], value: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one == value)
        };
        let jobs = self.jobs.lock().unwrap();
        let fits = |job: &&JobHeader| {
            any(&filter.ids, job.id.as_str())
                && any(&filter.users, &job.user)
                && any(&filter.names, &job.app_name)
                && (filter.statuses.is_empty() || filter.statuses.contains(&job.status))
                && filter.created_from.is_none_or(|from| job.created_at >= from)
                && filter.created_to.is_none_or(|to| job.created_at <= to)
        };
        let found: Vec<JobHeader> =
            jobs.values().map(|job| &job.header).filter(fits).cloned().rev().collect();
        let total = found.len() as u64;
        let page = found.into_iter().skip(filter.offset as usize).take(filter.len as usize);
        Ok(JobPage { jobs: page.collect(), total })
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        self.check_up()?;
        let history = self.history.lock().unwrap();
        let lines = history.iter().filter(|line| line.job == *job && line.n > after);
        Ok(lines.take(lines_max as usize).cloned().collect())
    }
}

#[async_trait]
impl SchedulerApi for World {
    async fn submit(&self, request: SubmitRequest) -> Result<JobId, ApiError> {
        *self.submitted.lock().unwrap() = Some(request.clone());
        self.answer(format!(
            "submit for {} start={} key={:?}",
            request.user, request.start, request.key
        ))
        .await?;
        Ok(id(NEW))
    }

    async fn dry_run(&self, request: SubmitRequest) -> Result<(), ApiError> {
        self.answer(format!("dry run for {}", request.user)).await
    }

    async fn command(&self, job: &JobId, user: &str, command: Command) -> Result<(), ApiError> {
        let word = match &command {
            Command::Start => "start".to_owned(),
            Command::Suspend => "suspend".to_owned(),
            Command::Resume => "resume".to_owned(),
            Command::Kill => "kill".to_owned(),
            Command::Rerun(conf) => format!("rerun {:?}", conf.iter().collect::<Vec<_>>()),
        };
        self.answer(format!("{word} {job} by {user}")).await?;
        match self.jobs.lock().unwrap().get_mut(job) {
            Some(known) if command == Command::Kill => known.header.status = JobStatus::Killed,
            Some(_) => {}
            None => {
                return Err(ApiError::new(
                    ApiErrorKind::NotFound,
                    "E0604",
                    format!("Job does not exist [{job}]"),
                ));
            }
        }
        Ok(())
    }

    async fn explain(&self, job: &JobId) -> Result<Explanation, ApiError> {
        self.answer(format!("explain {job}")).await?;
        let wait = Wait {
            action: Some(NodeName::new("fetch")),
            attempt: Some(2),
            status: Some("RUNNING".to_owned()),
            waiting_for: "worker one".to_owned(),
            since: NOON,
            until: None,
        };
        Ok(Explanation {
            job: job.to_string(),
            status: "RUNNING".into(),
            summary: "fetch runs".into(),
            waits: vec![wait],
        })
    }

    async fn wait_for_history(&self, job: &JobId, after: i64) -> Result<(), ApiError> {
        let news = self.news.notified();
        let there =
            self.history.lock().unwrap().iter().any(|line| line.job == *job && line.n > after);
        if !there {
            news.await;
        }
        Ok(())
    }

    async fn ready_attempts(&self) -> Vec<(Arc<str>, u64)> {
        vec![("default".into(), 3)]
    }
}

#[async_trait]
impl Logs for World {
    async fn attempts(&self, action: &ActionId) -> Result<Vec<LogKey>, FilesError> {
        Ok(self.logs.lock().unwrap().keys().filter(|key| key.action == *action).cloned().collect())
    }

    async fn read(
        &self,
        key: &LogKey,
        stream: LogStream,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, FilesError> {
        let logs = self.logs.lock().unwrap();
        let Some(bytes) = logs.get(key).filter(|_| stream == LogStream::Stdout) else {
            return Ok(Vec::new());
        };
        Ok(bytes.iter().skip(usize::try_from(offset).unwrap()).take(bytes_max).copied().collect())
    }

    async fn len(&self, key: &LogKey, stream: LogStream) -> Result<u64, FilesError> {
        let logs = self.logs.lock().unwrap();
        Ok(logs
            .get(key)
            .filter(|_| stream == LogStream::Stdout)
            .map_or(0, |bytes| bytes.len() as u64))
    }

    async fn remove(&self, job: &JobId) -> Result<bool, FilesError> {
        self.logs.lock().unwrap().retain(|key, _| key.action.job != *job);
        Ok(true)
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        NOON.plus_ms(3_600_000)
    }
}

fn not_supported(path: &str) -> FilesError {
    FilesError::NotSupported { what: "this".to_owned(), path: path.to_owned() }
}

#[async_trait]
impl Files for World {
    async fn stat(&self, _: &str, path: &str) -> Result<Option<FileStatus>, FilesError> {
        let files = self.files.lock().unwrap();
        Ok(files.get(path).map(|bytes| FileStatus {
            path: path.to_owned(),
            is_dir: false,
            size_bytes: bytes.len() as u64,
            block_size_bytes: 0,
            modified_at: NOON,
            mode: 0o644,
        }))
    }

    async fn list(&self, _: &str, path: &str) -> Result<Vec<FileStatus>, FilesError> {
        Err(not_supported(path))
    }

    async fn glob(&self, _: &str, pattern: &str) -> Result<Vec<FileStatus>, FilesError> {
        Err(not_supported(pattern))
    }

    async fn read(&self, _: &str, path: &str, _: u64) -> Result<Vec<u8>, FilesError> {
        let missing = || FilesError::NotFound { path: path.to_owned() };
        self.files.lock().unwrap().get(path).cloned().ok_or_else(missing)
    }

    async fn write(&self, _: &str, path: &str, bytes: &[u8]) -> Result<(), FilesError> {
        self.files.lock().unwrap().insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    async fn mkdir(&self, _: &str, path: &str) -> Result<(), FilesError> {
        Err(not_supported(path))
    }

    async fn rename(&self, _: &str, from: &str, _: &str) -> Result<(), FilesError> {
        Err(not_supported(from))
    }

    async fn delete(&self, _: &str, path: &str, _: bool) -> Result<bool, FilesError> {
        Err(not_supported(path))
    }

    async fn touch(&self, _: &str, path: &str) -> Result<(), FilesError> {
        Err(not_supported(path))
    }

    async fn chmod(&self, _: &str, path: &str, _: u32) -> Result<(), FilesError> {
        Err(not_supported(path))
    }

    async fn chgrp(&self, _: &str, path: &str, _: &str) -> Result<(), FilesError> {
        Err(not_supported(path))
    }

    async fn setrep(&self, _: &str, path: &str, _: i16) -> Result<(), FilesError> {
        Err(not_supported(path))
    }

    async fn fetch(&self, _: &str, path: &str, _: &std::path::Path) -> Result<(), FilesError> {
        Err(not_supported(path))
    }
}
