//! What the driver does not do itself: reading files, sending notifications, loading jobs. Each in a task of its own, with
//! a time-out; what comes of it goes back into the driver's inbox.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{Answered, Event, workflow};
use model::action::Answer;
use model::{ErrorClass, Failure, JobId, Phase, Shard};
use ports::api::ApiError;
use ports::bell::Bells;
use ports::clock::{Clock, Entropy};
use ports::files::{Files, FilesError};
use ports::store::{AppSource, Fence, Store, StoreError};
use tokio::sync::{Semaphore, broadcast, mpsc};

use crate::apps::Apps;
use crate::config::Config;
use crate::inbox::Message;
use crate::member::Pulse;
use crate::memory::{Errand, Held, Stored};
use crate::metrics::Metrics;
use crate::poison;
use crate::turn::Outside;

/// Errands under way at once: enough to hide a slow NameNode, few enough not to be one more load on it.
const ERRANDS_MAX: usize = 64;
/// Time for one notification (census §8, `notification.url.connection.timeout`).
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The ports and what goes with them, shared by the driver, its tasks and the API.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) bells: Arc<dyn Bells>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) apps: Apps,
    pub(crate) metrics: Metrics,
    pub(crate) inbox: mpsc::Sender<Message>,
    pub(crate) news: broadcast::Sender<Arc<BTreeSet<JobId>>>,
    pub(crate) errands: Arc<Semaphore>,
    /// Why the database cannot write now, if so.
    pub(crate) trouble: Mutex<Option<String>>,
    /// Why the shards cannot be read or taken now, if so.
    pub(crate) unreachable: Mutex<Option<String>>,
    pub(crate) tries: AtomicU32,
    /// What the driver shows of itself.
    pub(crate) pulse: Arc<Pulse>,
    /// What waited for workers at the last tick, by pool.
    pub(crate) ready: Mutex<Vec<(Arc<str>, u64)>>,
}

impl World {
    /// Permits for [`ERRANDS_MAX`] errands.
    pub(crate) fn permits() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(ERRANDS_MAX))
    }

    /// Sends to the driver from within the driver: never waits, so that it cannot lock itself up.
    pub(crate) fn send_later(&self, message: Message) {
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            let _closed = inbox.send(message).await;
        });
    }

    /// Tells followers which jobs have new lines.
    pub(crate) fn announce(&self, jobs: &BTreeSet<JobId>) {
        self.store_trouble(None);
        if self.news.receiver_count() > 0 {
            let _nobody = self.news.send(Arc::new(jobs.clone()));
        }
    }

    /// Remembers whether the database can write.
    pub(crate) fn store_trouble(&self, why: Option<&str>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if why.is_none() {
            self.tries.store(0, Ordering::Relaxed);
        }
        if trouble.as_deref() != why {
            *trouble = why.map(str::to_owned);
        }
    }

    /// Why the database is known not to answer, or not to take writes, if so.
    pub(crate) fn known_trouble(&self) -> Option<String> {
        let told = |trouble: &Mutex<Option<String>>| {
            trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
        };
        told(&self.trouble).or_else(|| told(&self.unreachable))
    }

    /// Remembers whether the shards can be read and taken.
    pub(crate) fn out_of_reach(&self, why: Option<&str>) {
        let mut known = self.unreachable.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.as_deref() != why {
            *known = why.map(str::to_owned);
        }
    }

    /// What waited for workers at the last tick.
    pub(crate) fn ready_counts(&self) -> Vec<(Arc<str>, u64)> {
        self.ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Publishes what waits for workers.
    pub(crate) fn publish_ready(&self, counts: Vec<(Arc<str>, u64)>) {
        self.metrics.ready(&counts);
        *self.ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = counts;
    }

    /// The wait before the next try of a batch.
    pub(crate) fn next_wait(&self, first: Duration, longest: Duration) -> Duration {
        let tries = self.tries.fetch_add(1, Ordering::Relaxed).min(16);
        (first * 2_u32.pow(tries)).min(longest)
    }

    /// A job with the sources of its definition.
    pub(crate) async fn load(&self, job: &JobId) -> Result<Option<Stored>, StoreError> {
        let Some(stored) = self.store.load(job).await? else { return Ok(None) };
        let kept = match poison::stands_aside(&stored.header) {
            true => poison::kept(&*self.store, job).await?,
            false => Vec::new(),
        };
        let digest = &stored.header.app;
        let Some(source) = self.store.app(digest).await? else {
            return Err(StoreError::Corrupt {
                what: "load a job",
                source_message: format!("the definition {digest} of {job} is not there"),
            });
        };
        Ok(Some(Stored { job: stored, source: Arc::new(source), kept }))
    }

    /// Gives shards up in good order.
    pub(crate) async fn release(&self, shards: &BTreeMap<Shard, Held>) {
        let fence = |(shard, held): (&Shard, &Held)| Fence {
            shard: *shard,
            epoch: held.epoch,
            nonce: held.nonce,
            pos: held.pos,
            lines: 0,
            next_serial: held.next_serial,
        };
        let fences: Vec<Fence> = shards.iter().map(fence).collect();
        if let Err(error) = self.store.release(&fences).await {
            tracing::warn!(%error, "the shards were not released; the next owner takes them all the same");
        }
    }

    /// Reads the shard rows again, so that an idle owner learns that it was replaced.
    pub(crate) fn look_after(self: &Arc<Self>, held: &BTreeMap<Shard, Held>) {
        let world = Arc::clone(self);
        let held = held.clone();
        tokio::spawn(async move {
            let rows = match world.store.shards().await {
                Ok(rows) => rows,
                Err(error) => {
                    world.out_of_reach(Some(&error.to_string()));
                    return tracing::warn!(%error, "cannot read the shards");
                }
            };
            world.out_of_reach(None);
            if let Ok(policy) = world.store.policy().await {
                world.pulse.policy(policy);
            }
            let differs = |row: &&ports::store::ShardState| {
                held.get(&row.shard)
                    .is_some_and(|held| held.epoch != row.epoch || held.nonce != row.owner_nonce)
            };
            let lost: BTreeSet<Shard> = rows.iter().filter(differs).map(|row| row.shard).collect();
            if !lost.is_empty() {
                let _closed = world.inbox.send(Message::Lost { shards: lost, seen: held }).await;
            }
        });
    }

    /// Runs an errand.
    pub(crate) fn go(self: &Arc<Self>, errand: Errand, outside: Outside) {
        let world = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(_permit) = Arc::clone(&world.errands).acquire_owned().await else { return };
            let message = world.run(errand.job().clone(), outside).await;
            let _closed = world.inbox.send(message).await;
        });
    }

    async fn run(&self, job: JobId, outside: Outside) -> Message {
        match outside {
            Outside::Ask { action, of, user, questions } => {
                let mut answers = Vec::new();
                for (function, args) in questions {
                    let answer = self.answer(&user, &function, &args).await;
                    answers.push(Answered { function, args, answer });
                }
                Message::Happened { job, event: Box::new(Event::Answered { action, of, answers }) }
            }
            Outside::ReadChild { action, of, user, app_path, conf, parent, rerun_of } => {
                let read = self.read_child(&user, *conf, *parent);
                let child = match tokio::time::timeout(self.config.outside_timeout, read).await {
                    Ok(Ok(child)) => Ok(child),
                    Ok(Err(error)) => Err(child_failure(&error)),
                    Err(_) => Err(slow_failure(&app_path, self.config.outside_timeout)),
                };
                Message::ChildRead { job, action, of, child, rerun_of }
            }
            Outside::Notify { number, url, proxy } => {
                let delivered = notify(url, proxy).await;
                Message::Happened { job, event: Box::new(Event::Notified { number, delivered }) }
            }
        }
    }

    async fn answer(&self, user: &str, function: &str, args: &[String]) -> Answer {
        let path = args.first().map(String::as_str).unwrap_or_default();
        match tokio::time::timeout(
            self.config.outside_timeout,
            ask_files(&*self.files, user, function, path),
        )
        .await
        {
            Ok(answer) => answer,
            Err(_) => refused(
                "HW3003",
                format!(
                    "{function}({path}) was not answered within {:?}",
                    self.config.outside_timeout
                ),
                true,
            ),
        }
    }

    async fn read_child(
        &self,
        user: &str,
        conf: model::Configuration,
        parent: model::ParentRef,
    ) -> Result<(Box<engine::Submission>, Arc<AppSource>), ApiError> {
        let read = self.apps.read(&*self.files, user, &conf, self.checks_fork_join(&conf)).await?;
        let submission = self.submission_of(&read, conf, user, Some(parent), true);
        let prepared = workflow::prepare(
            &read.app,
            submission,
            read.config_default.as_ref(),
            self.clock.now(),
        );
        Ok((Box::new(prepared.map_err(crate::apps::findings)?), read.source))
    }

    /// The fork/join part of the graph check runs when neither the site nor the job switches it off (gotcha 7).
    pub(crate) fn checks_fork_join(&self, conf: &model::Configuration) -> bool {
        let wanted = conf
            .get("oozie.wf.validate.ForkJoin")
            .is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"));
        self.config.validate_fork_join && wanted
    }

    /// A submission with everything that comes from the request; its id is given out by the driver.
    pub(crate) fn submission_of(
        &self,
        read: &crate::apps::ReadApp,
        conf: model::Configuration,
        user: &str,
        parent: Option<model::ParentRef>,
        start: bool,
    ) -> engine::Submission {
        let text = |name: &str| {
            conf.get(name).map(str::trim).filter(|text| !text.is_empty()).map(Arc::<str>::from)
        };
        let cluster = self.store.cluster();
        engine::Submission {
            id: JobId::new(0, &cluster.stamp, &cluster.system_id, model::JobKind::Workflow),
            app: read.digest.clone(),
            app_name: read.app.name.as_str().into(),
            app_path: text("oozie.wf.application.path").unwrap_or_else(|| "".into()),
            user: user.into(),
            group: text("group.name"),
            acl: text("oozie.job.acl"),
            parent,
            external_id: text("oozie.wf.external.id"),
            rules: Arc::new(self.config.rules.clone()),
            start,
            conf: Arc::new(conf),
        }
    }
}

fn refused(code: &str, message: String, transient: bool) -> Answer {
    Answer::Refused { code: code.to_owned(), message, transient }
}

/// The questions of `fs:*` (census §1.7). What does not exist is no error: false, or -1.
async fn ask_files(files: &dyn Files, user: &str, function: &str, path: &str) -> Answer {
    let outcome = match function {
        "fs:exists" => files.glob(user, path).await.map(|found| Answer::Bool(!found.is_empty())),
        "fs:isDir" => files
            .stat(user, path)
            .await
            .map(|found| Answer::Bool(found.is_some_and(|status| status.is_dir))),
        "fs:fileSize" => files.stat(user, path).await.map(|found| {
            Answer::Int(found.filter(|s| !s.is_dir).map_or(-1, |s| size(s.size_bytes)))
        }),
        "fs:blockSize" => files.stat(user, path).await.map(|found| {
            Answer::Int(found.filter(|s| !s.is_dir).map_or(-1, |s| size(s.block_size_bytes)))
        }),
        "fs:dirSize" => dir_size(files, user, path).await,
        other => {
            return refused(
                "HW3004",
                format!("{other} is not yet available here: it needs a Hadoop service"),
                false,
            );
        }
    };
    outcome.unwrap_or_else(|error| {
        refused(code_of(&error), error.to_string(), matches!(error, FilesError::Io { .. }))
    })
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The files directly in a directory; -1 for anything else.
async fn dir_size(files: &dyn Files, user: &str, path: &str) -> Result<Answer, FilesError> {
    match files.stat(user, path).await? {
        Some(status) if status.is_dir => {
            let entries = files.list(user, path).await?;
            Ok(Answer::Int(
                entries
                    .iter()
                    .filter(|entry| !entry.is_dir)
                    .map(|entry| size(entry.size_bytes))
                    .sum(),
            ))
        }
        Some(_) | None => Ok(Answer::Int(-1)),
    }
}

fn code_of(error: &FilesError) -> &'static str {
    match error {
        FilesError::NotSupported { .. } => "HW3001",
        FilesError::UnknownScheme { .. } => "HW3002",
        FilesError::OverLimit { .. } => "FS013",
        FilesError::PermissionDenied { .. } => "FS014",
        FilesError::NotFound { .. } => "FS009",
        FilesError::BadPath { .. } => "FS001",
        FilesError::Exists { .. } | FilesError::Io { .. } => "HW3005",
    }
}

fn child_failure(error: &ApiError) -> Failure {
    Failure {
        class: ErrorClass::Error,
        phase: Phase::Start,
        code: error.code.clone(),
        message: format!("the sub-workflow was not accepted: {}", error.message),
        data: None,
        external_id: None,
        external_status: None,
    }
}

fn slow_failure(app_path: &str, waited: Duration) -> Failure {
    let message = format!("the application at {app_path} was not read within {waited:?}");
    Failure {
        class: ErrorClass::Transient,
        phase: Phase::Start,
        code: "HW3003".to_owned(),
        message,
        data: None,
        external_id: None,
        external_status: None,
    }
}

/// One GET; 200 is delivered (gotcha 37).
async fn notify(url: String, proxy: Option<String>) -> bool {
    let sent = tokio::task::spawn_blocking(move || {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(NOTIFICATION_TIMEOUT))
            .http_status_as_error(false);
        if let Some(proxy) = proxy.as_deref().and_then(proxy_of) {
            config = config.proxy(Some(proxy));
        }
        match config.build().new_agent().get(&url).call() {
            Ok(response) => response.status().as_u16() == 200,
            Err(error) => {
                tracing::info!(url, %error, "a notification was not delivered");
                false
            }
        }
    });
    sent.await.unwrap_or(false)
}

/// `[type@]host:port`, where type is `http` or `socks` (census §1.9).
fn proxy_of(text: &str) -> Option<ureq::Proxy> {
    let (kind, host) = text.split_once('@').unwrap_or(("http", text));
    let scheme = if kind.eq_ignore_ascii_case("socks") { "socks5" } else { "http" };
    ureq::Proxy::new(&format!("{scheme}://{host}")).ok()
}
