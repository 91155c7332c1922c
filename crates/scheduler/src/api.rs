//! The scheduler's face: what gateways and workers call. Cheap to clone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use engine::{Event, RerunRequest, workflow};
use model::{Configuration, JobId};
use ports::api::{
    ApiError, ApiErrorKind, Command, Explanation, PolicyApi, PolicyChange, SchedulerApi,
    SubmitRequest, Wait,
};
use ports::cluster::PolicyRow;
use ports::store::StoreError;
use ports::work::{FromWorker, Hello, NoScheduler, SESSION_MESSAGES_MAX, Session, WorkSource};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::apps::{ReadApp, findings};
use crate::inbox::Message;
use crate::memory::Stored;
use crate::outside::World;

/// Longest wait of one [`SchedulerApi::wait_for_history`]; the caller asks again.
const FOLLOW_WAIT: Duration = Duration::from_secs(15);
/// Longest wait for an answer of the driver: beyond it the caller learns that nobody knows. Shorter than a gateway's patience,
/// which knows less to say.
const ANSWER_WAIT: Duration = Duration::from_secs(55);
/// The same while the database is known not to take writes.
const TROUBLE_WAIT: Duration = Duration::from_secs(5);
/// A database that restarts is waited for so long before anything is asked of it.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(2);
/// Times that a change of the policy is made anew because somebody was faster.
const POLICY_TRIES_MAX: usize = 8;
/// Between two looks at whether it takes writes.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Clone)]
pub struct Handle {
    world: Arc<World>,
    sessions: Arc<AtomicU64>,
    driving: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    pub(crate) fn new(world: Arc<World>, driving: JoinHandle<()>) -> Handle {
        Handle {
            world,
            sessions: Arc::new(AtomicU64::new(1)),
            driving: Arc::new(tokio::sync::Mutex::new(Some(driving))),
        }
    }

    /// Waits until the driver has committed its last batch after a shutdown.
    pub async fn finished(&self) {
        if let Some(driving) = self.driving.lock().await.take() {
            let _panicked = driving.await;
        }
    }

    /// Asks the coordinators to hand every shard over, and waits until nothing is held, at most for `patience`.
    pub async fn drain(&self, patience: Duration) {
        self.world.pulse.drain();
        let asked = Instant::now();
        while self.world.pulse.held() > 0 && asked.elapsed() < patience {
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// How many shards it holds: part of readiness.
    pub fn shards_held(&self) -> usize {
        self.world.pulse.held()
    }

    /// Why the database cannot write now, if so: part of readiness.
    pub fn store_trouble(&self) -> Option<String> {
        self.world.known_trouble()
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, ApiError>>) -> Message,
    ) -> Result<T, ApiError> {
        self.writable().await?;
        let (reply, mut answer) = oneshot::channel();
        self.world.inbox.send(message(reply)).await.map_err(|_| stopping())?;
        let asked = Instant::now();
        loop {
            if let Ok(answered) = timeout(LOOK_INTERVAL, &mut answer).await {
                return answered.unwrap_or_else(|_| Err(stopping()));
            }
            let trouble = self.store_trouble();
            let patience = if trouble.is_some() { TROUBLE_WAIT } else { ANSWER_WAIT };
            if asked.elapsed() >= patience {
                return Err(unanswered(patience, trouble.as_deref().unwrap_or("it is very busy")));
            }
        }
    }

    /// Refuses what would only wait for a database that is known not to take writes.
    async fn writable(&self) -> Result<(), ApiError> {
        let asked = Instant::now();
        while let Some(why) = self.store_trouble() {
            if asked.elapsed() >= TROUBLE_PATIENCE {
                let words = format!(
                    "the database cannot be written now: {why}; nothing was changed, try again when it can"
                );
                return Err(ApiError::new(ApiErrorKind::Unavailable, "E0600", words));
            }
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    async fn read_app(&self, user: &str, conf: &Configuration) -> Result<ReadApp, ApiError> {
        let limit = self.world.config.outside_timeout;
        let read =
            self.world.apps.read(&*self.world.files, user, conf, self.world.checks_fork_join(conf));
        timeout(limit, read).await.map_err(|_| {
            let path = conf.get(workflow::APP_PATH).unwrap_or_default();
            ApiError::new(
                ApiErrorKind::Unavailable,
                "HW3003",
                format!("the application at {path} was not read within {limit:?}; try again"),
            )
        })?
    }

    /// Reads and completes a submission, without storing anything.
    async fn prepared(
        &self,
        request: &SubmitRequest,
    ) -> Result<(engine::Submission, ReadApp), ApiError> {
        let posted =
            definition::substituted(&request.conf).map_err(|finding| findings(vec![finding]))?;
        if posted.get(workflow::APP_PATH).is_none_or(|path| path.trim().is_empty()) {
            return Err(ApiError::new(
                ApiErrorKind::BadRequest,
                "E0404",
                format!("the configuration must set {}", workflow::APP_PATH),
            ));
        }
        let read = self.read_app(&request.user, &posted).await?;
        let mut conf = posted;
        conf.set("user.name", request.user.as_str());
        let submission = self.world.submission_of(&read, conf, &request.user, None, request.start);
        let prepared = workflow::prepare(
            &read.app,
            submission,
            read.config_default.as_ref(),
            self.world.clock.now(),
        );
        Ok((prepared.map_err(findings)?, read))
    }

    async fn rerun_request(
        &self,
        job: &JobId,
        user: &str,
        posted: &Configuration,
    ) -> Result<(RerunRequest, ReadApp), ApiError> {
        let stored = self
            .world
            .store
            .load(job)
            .await
            .map_err(|error| store_error(&error))?
            .ok_or_else(|| no_job(job))?;
        let posted = definition::substituted(posted).map_err(|finding| findings(vec![finding]))?;
        let refused = |rejection: engine::Rejection| {
            ApiError::new(ApiErrorKind::BadRequest, rejection.code, rejection.message)
        };
        let (conf, skip) =
            workflow::prepare_rerun(&stored.header.conf, &posted).map_err(refused)?;
        let path = conf.get(workflow::APP_PATH).unwrap_or(&stored.header.app_path).to_owned();
        let read = self.read_app(user, &conf).await?;
        let submission = self.world.submission_of(&read, conf, &stored.header.user, None, true);
        let prepared = workflow::prepare(
            &read.app,
            submission,
            read.config_default.as_ref(),
            self.world.clock.now(),
        );
        let prepared = prepared.map_err(findings)?;
        let request = RerunRequest {
            app: prepared.app,
            app_name: prepared.app_name,
            app_path: path.into(),
            conf: prepared.conf,
            rules: prepared.rules,
            skip,
            parent: None,
        };
        Ok((request, read))
    }
}

fn stopping() -> ApiError {
    ApiError::new(ApiErrorKind::Unavailable, "HW1014", "the scheduler is stopping; try again")
}

/// Nobody knows what becomes of it.
fn unanswered(waited: Duration, why: &str) -> ApiError {
    let words = format!(
        "no answer within {waited:?} ({why}): it may still happen; look, or repeat it with its Idempotency-Key"
    );
    ApiError::new(ApiErrorKind::Unavailable, "HW1012", words)
}

fn store_error(error: &StoreError) -> ApiError {
    let kind = match error {
        StoreError::Unavailable { .. } => ApiErrorKind::Unavailable,
        StoreError::Corrupt { .. } | StoreError::Refused { .. } => ApiErrorKind::Internal,
    };
    ApiError::new(kind, "HW1013", error.to_string())
}

fn no_job(job: &JobId) -> ApiError {
    ApiError::new(ApiErrorKind::NotFound, "E0604", format!("Job does not exist [{job}]"))
}

#[async_trait]
impl SchedulerApi for Handle {
    async fn submit(&self, request: SubmitRequest) -> Result<JobId, ApiError> {
        if let Some(key) = &request.key
            && let Some(known) =
                self.world.store.submission(key).await.map_err(|error| store_error(&error))?
        {
            return Ok(known);
        }
        let (submission, read) = self.prepared(&request).await?;
        let key = request.key;
        self.ask(|reply| Message::Submit {
            submission: Box::new(submission),
            source: read.source,
            key,
            reply,
        })
        .await
    }

    async fn dry_run(&self, request: SubmitRequest) -> Result<(), ApiError> {
        let (prepared, read) = self.prepared(&request).await?;
        workflow::dry_run(&read.app, &prepared, self.world.clock.now()).map_err(findings)
    }

    async fn command(&self, job: &JobId, user: &str, command: Command) -> Result<(), ApiError> {
        let (event, source) = match command {
            Command::Start => (Event::Started, None),
            Command::Suspend => (Event::Suspended, None),
            Command::Resume => (Event::Resumed, None),
            Command::Kill => (Event::Killed, None),
            Command::Rerun(posted) => {
                let (request, read) = self.rerun_request(job, user, &posted).await?;
                (Event::Rerun(Box::new(request)), Some(read.source))
            }
        };
        let job = job.clone();
        self.ask(|reply| Message::Command { job, event: Box::new(event), source, reply }).await
    }

    async fn explain(&self, job: &JobId) -> Result<Explanation, ApiError> {
        let found = self.world.load(job).await.map_err(|error| store_error(&error))?;
        let Stored { job: stored, source, kept: _ } = found.ok_or_else(|| no_job(job))?;
        let app = self.world.apps.get(&stored.header.app, &source).map_err(findings)?;
        let (summary, waits) = workflow::explain(&app, &stored);
        let waits = waits.into_iter().map(|wait| Wait {
            action: wait.action,
            attempt: wait.attempt,
            status: wait.status.map(|status| status.to_string()),
            waiting_for: wait.waiting_for,
            since: wait.since,
            until: wait.until,
        });
        Ok(Explanation {
            job: job.to_string(),
            status: stored.header.status.to_string(),
            summary,
            waits: waits.collect(),
        })
    }

    async fn wait_for_history(&self, job: &JobId, after: i64) -> Result<(), ApiError> {
        let mut news = self.world.news.subscribe();
        let deadline = Instant::now() + FOLLOW_WAIT;
        loop {
            let lines = self
                .world
                .store
                .history(job, after, 1)
                .await
                .map_err(|error| store_error(&error))?;
            if !lines.is_empty() {
                return Ok(());
            }
            loop {
                match tokio::time::timeout_at(deadline, news.recv()).await {
                    Err(_) => return Ok(()),
                    Ok(Ok(jobs)) if !jobs.contains(job) => {}
                    Ok(_) => break,
                }
            }
        }
    }

    async fn ready_attempts(&self) -> Vec<(Arc<str>, u64)> {
        self.world.ready_counts()
    }
}

#[async_trait]
impl PolicyApi for Handle {
    async fn policy(&self) -> Result<PolicyRow, ApiError> {
        self.world.store.policy().await.map_err(|error| store_error(&error))
    }

    async fn change_policy(&self, change: PolicyChange) -> Result<PolicyRow, ApiError> {
        for _ in 0..POLICY_TRIES_MAX {
            let PolicyRow { revision, mut policy } = self.policy().await?;
            change.clone().apply(&mut policy, self.world.clock.now());
            let set = self.world.store.set_policy(revision, &policy).await;
            if let Some(row) = set.map_err(|error| store_error(&error))? {
                self.world.pulse.policy(row.clone());
                return Ok(row);
            }
        }
        let words = "others change the policy all the time; look at it, and try again";
        Err(ApiError::new(ApiErrorKind::Unavailable, "HW1013", words))
    }
}

#[async_trait]
impl WorkSource for Handle {
    async fn open(&self, hello: Hello) -> Result<Session, NoScheduler> {
        let (to_scheduler, mut said) = mpsc::channel::<FromWorker>(SESSION_MESSAGES_MAX);
        let (to_worker, from_scheduler) = mpsc::channel(SESSION_MESSAGES_MAX);
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let inbox = self.world.inbox.clone();
        let opened = Message::Opened { session, hello, to_worker };
        inbox.send(opened).await.map_err(|_| NoScheduler("it is stopping".to_owned()))?;
        tokio::spawn(async move {
            while let Some(message) = said.recv().await {
                if inbox.send(Message::Said { session, message }).await.is_err() {
                    return;
                }
            }
            let _closed = inbox.send(Message::Closed { session }).await;
        });
        Ok(Session { to_scheduler, from_scheduler })
    }
}
