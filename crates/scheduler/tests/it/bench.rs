//! A scheduler with what it needs, in a directory of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{Event, replay};
use files_local::{LocalFiles, LocalLogs, SystemClock, SystemEntropy};
use model::{
    AppDigest, Attempt, AttemptResult, Configuration, JobId, JobStatus, NodeName, Run, Success,
    Token, WorkerId, WorkflowApp, WorkflowJob,
};
use ports::api::{SchedulerApi, SubmitRequest};
use ports::bell::{Bells, LocalBells};
use ports::clock::{Clock, Entropy};
use ports::logs::Logs;
use ports::store::{HistoryLine, Store};
use ports::work::{FromWorker, Grant, HeldToken, Hello, Session, ToWorker, WorkSource};
use scheduler::{Config, Handle, Ownership, Ports, Scheduler};
use store_sql::{NewCluster, SqliteStore};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn new_cluster() -> NewCluster {
    NewCluster { system_id: "howdah".to_owned(), shards: 8, now: SystemClock.now() }
}

pub(crate) async fn sqlite(dir: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(dir, &new_cluster()).await.unwrap())
}

pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bells: Arc<LocalBells>,
    stop: CancellationToken,
}

impl Running {
    pub(crate) async fn start(store: Arc<dyn Store>, owner: &str) -> Running {
        Running::start_owning(store, owner, Ownership::Everything).await
    }

    pub(crate) async fn start_owning(
        store: Arc<dyn Store>,
        owner: &str,
        ownership: Ownership,
    ) -> Running {
        let logs = Arc::new(LocalLogs::new("/nowhere".into()));
        Running::start_with(store, logs, owner, None, ownership).await
    }

    /// One that purges, at its start, the jobs that have been over for so long.
    pub(crate) async fn start_purging(
        store: Arc<dyn Store>,
        logs: Arc<dyn Logs>,
        owner: &str,
        purge_older_than: Option<Duration>,
    ) -> Running {
        Running::start_with(store, logs, owner, purge_older_than, Ownership::Everything).await
    }

    async fn start_with(
        store: Arc<dyn Store>,
        logs: Arc<dyn Logs>,
        owner: &str,
        purge_older_than: Option<Duration>,
        ownership: Ownership,
    ) -> Running {
        let _already_set = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let bells = Arc::new(LocalBells::default());
        let stop = CancellationToken::new();
        let config = Config {
            owner: owner.to_owned(),
            tick: Duration::from_millis(100),
            purge_older_than,
            ..Config::default()
        };
        let ports = Ports {
            store: Arc::clone(&store),
            files: Arc::new(LocalFiles::new()),
            logs,
            bells: Arc::clone(&bells) as Arc<dyn Bells>,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            registry: &mut prometheus_client::registry::Registry::default(),
        };
        let handle = Scheduler::start(config, ports, ownership, stop.clone()).await.unwrap();
        Running { handle, store, bells, stop }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.handle.finished().await;
    }

    /// A worker that ends every attempt well, until its scheduler is gone.
    pub(crate) fn work(&self, name: &str) -> tokio::task::JoinHandle<()> {
        self.work_with(name, Spool::default())
    }

    /// The same with a spool that it shares with itself elsewhere.
    pub(crate) fn work_with(&self, name: &str, spool: Spool) -> tokio::task::JoinHandle<()> {
        let (handle, bells, name) = (self.handle.clone(), Arc::clone(&self.bells), name.to_owned());
        tokio::spawn(async move { work(handle, bells, &name, spool).await })
    }

    pub(crate) async fn submit(&self, app: &Path, conf: &[(&str, &str)]) -> JobId {
        self.handle.submit(request(app, conf, None)).await.unwrap()
    }

    /// Waits until a job is over.
    pub(crate) async fn ended(&self, job: &JobId) -> JobStatus {
        self.reached(job, JobStatus::is_terminal).await
    }

    pub(crate) async fn reached(
        &self,
        job: &JobId,
        wanted: impl Fn(JobStatus) -> bool,
    ) -> JobStatus {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut after = 0;
        loop {
            let status = self.store.load(job).await.unwrap().unwrap().header.status;
            if wanted(status) {
                return status;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{job} is {status}: {:?}",
                self.handle.explain(job).await
            );
            let lines = self.store.history(job, after, 10_000).await.unwrap();
            after = lines.last().map_or(after, |line| line.n);
            tokio::time::timeout(Duration::from_secs(1), self.handle.wait_for_history(job, after))
                .await
                .ok();
        }
    }
}

pub(crate) fn request(app: &Path, conf: &[(&str, &str)], key: Option<&str>) -> SubmitRequest {
    let mut all: Configuration = conf.iter().copied().collect();
    all.set("oozie.wf.application.path", format!("file://{}", app.display()));
    SubmitRequest { conf: all, user: "joe".to_owned(), start: true, key: key.map(str::to_owned) }
}

/// What a worker keeps: results that nobody has acknowledged yet, and, as a witness, what it was granted under which token.
#[derive(Default)]
pub(crate) struct Kept {
    results: BTreeMap<Token, FromWorker>,
    granted: BTreeMap<(JobId, NodeName, Run, Attempt), Token>,
    doubled: Vec<String>,
}

/// Shared by a worker with itself elsewhere.
pub(crate) type Spool = Arc<Mutex<Kept>>;

impl Kept {
    /// What is said to who owns shards: everything that is held, and every result again.
    fn answer(&self, number: u64) -> Vec<FromWorker> {
        let mut messages = vec![FromWorker::Holds { number, held: self.held() }];
        for message in self.results.values() {
            let mut message = message.clone();
            if let FromWorker::Finish { next, .. } = &mut message {
                *next = None;
            }
            messages.push(message);
        }
        messages
    }

    fn held(&self) -> Vec<HeldToken> {
        let job_of = |message: &FromWorker| match message {
            FromWorker::Finish { job, .. } | FromWorker::Stopped { job, .. } => job.clone(),
            other => panic!("only last words are kept, not {other:?}"),
        };
        let listed = |(token, message): (&Token, &FromWorker)| HeldToken {
            token: token.clone(),
            job: job_of(message),
        };
        self.results.iter().map(listed).collect()
    }

    fn grant(&mut self, grant: &Grant) {
        let attempt = (grant.job.clone(), grant.action.clone(), grant.run, grant.attempt);
        let before = self.granted.insert(attempt, grant.token.clone());
        if before.is_some_and(|token| token != grant.token) {
            self.doubled.push(format!("{} {} {:?}", grant.job, grant.action, grant.attempt));
        }
    }
}

/// No attempt was given out under two tokens.
pub(crate) fn check_granted_once(spool: &Spool) {
    let kept = spool.lock().unwrap();
    assert!(kept.doubled.is_empty(), "given out twice: {:?}", kept.doubled);
}

/// Comes back when it is cut off, lists the results that nobody acknowledged, and repeats them.
async fn work(handle: Handle, bells: Arc<LocalBells>, name: &str, spool: Spool) {
    for incarnation in 1.. {
        let pools = vec!["default".to_owned()];
        let hello = Hello { worker: WorkerId::new(name), incarnation, pools };
        let Ok(session) = handle.open(hello).await else { return };
        serve(session, &bells, &spool).await;
    }
}

async fn serve(mut session: Session, bells: &LocalBells, spool: &Spool) {
    let mut listener = bells.listen(&["default".to_owned()]);
    let mut slow = tokio::time::interval(Duration::from_millis(200));
    loop {
        let claim = FromWorker::Claim { pool: "default".to_owned(), tokens: tokens(4) };
        tokio::select! {
            _ = listener.heard() => { let _cut_off = session.to_scheduler.send(claim).await; }
            _ = slow.tick() => { let _cut_off = session.to_scheduler.send(claim).await; }
            message = session.from_scheduler.recv() => match message {
                Some(ToWorker::Grants { grants, .. }) => {
                    for grant in grants {
                        let token = grant.token.clone();
                        spool.lock().unwrap().grant(&grant);
                        let message = finish(grant);
                        spool.lock().unwrap().results.insert(token, message.clone());
                        let _cut_off = session.to_scheduler.send(message).await;
                    }
                }
                Some(ToWorker::Stop { job, token }) => {
                    spool.lock().unwrap().results.remove(&token);
                    let _cut_off = session.to_scheduler.send(FromWorker::Stopped { job, token }).await;
                }
                Some(ToWorker::FinishAcknowledged { token }) => { spool.lock().unwrap().results.remove(&token); }
                Some(ToWorker::StoppedAcknowledged { .. }) => {}
                Some(ToWorker::Owns { number, .. }) => {
                    let answer = spool.lock().unwrap().answer(number);
                    for message in answer {
                        let _cut_off = session.to_scheduler.send(message).await;
                    }
                }
                None => return,
            },
        }
    }
}

pub(crate) fn finish(grant: Grant) -> FromWorker {
    let result = AttemptResult::Succeeded(Success::default());
    FromWorker::Finish {
        job: grant.job,
        action: grant.action,
        token: grant.token,
        result,
        next: Some(("default".to_owned(), tokens(1))),
    }
}

pub(crate) fn tokens(count: usize) -> Vec<Token> {
    (0..count).map(|_| Token::new(SystemEntropy.nonce().to_string())).collect()
}

/// Writes an application.
pub(crate) fn app(dir: &Path, name: &str, nodes: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(&path).unwrap();
    let text = format!(
        "<workflow-app xmlns=\"uri:oozie:workflow:1.0\" name=\"{name}\">{nodes}<kill name=\"fail\"><message>failed</message></kill><end name=\"end\"/></workflow-app>"
    );
    std::fs::write(path.join("workflow.xml"), text).unwrap();
    path
}

pub(crate) fn noop(name: &str, ok: &str) -> String {
    format!(
        "<action name=\"{name}\"><noop xmlns=\"uri:howdah:noop-action:1.0\"/><ok to=\"{ok}\"/><error to=\"fail\"/></action>"
    )
}

/// A chain of no-ops.
pub(crate) fn chain(dir: &Path, length: usize) -> std::path::PathBuf {
    let mut nodes = "<start to=\"a1\"/>".to_owned();
    for index in 1..=length {
        let next = if index == length { "end".to_owned() } else { format!("a{}", index + 1) };
        nodes += &noop(&format!("a{index}"), &next);
    }
    app(dir, &format!("chain{length}"), &nodes)
}

/// The history of a job rebuilds its rows, bit for bit.
pub(crate) async fn check_replay(store: &dyn Store, job: &JobId) -> WorkflowJob {
    let lines = store.history(job, 0, 1_000_000).await.unwrap();
    let events: Vec<(model::Timestamp, Event)> =
        lines.iter().map(|line| (line.at, serde_json::from_str(&line.event).unwrap())).collect();
    let mut digests = BTreeSet::new();
    for (_, event) in &events {
        match event {
            Event::Submitted(submission) => digests.insert(submission.app.clone()),
            Event::Rerun(request) => digests.insert(request.app.clone()),
            _ => false,
        };
    }
    let mut apps = BTreeMap::new();
    for digest in digests {
        let source = store.app(&digest).await.unwrap().unwrap();
        let app = definition::read_workflow(definition::WorkflowSources {
            validate_fork_join: false,
            ..definition::WorkflowSources::of(&source.definition)
        });
        apps.insert(digest, Arc::new(app.unwrap()));
    }
    let app_of = |digest: &AppDigest| -> Option<Arc<WorkflowApp>> { apps.get(digest).cloned() };
    let replayed =
        replay::replay(events.iter().map(|(at, event)| (*at, event)), &app_of, |_, _, _, _| {})
            .unwrap()
            .unwrap();
    let stored = store.load(job).await.unwrap().unwrap();
    assert_eq!(replayed, stored, "the history of {job} leads elsewhere");
    stored
}

/// Lines of one shard are dense, and their numbers the shard's position.
pub(crate) async fn check_dense(store: &dyn Store) -> Vec<HistoryLine> {
    let mut all = Vec::new();
    for row in store.shards().await.unwrap() {
        let lines = store.shard_history(row.shard, 0, 1_000_000).await.unwrap();
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(
                line.n,
                i64::try_from(index).unwrap() + 1,
                "shard {} is not dense",
                row.shard
            );
        }
        assert_eq!(row.pos, i64::try_from(lines.len()).unwrap());
        all.extend(lines);
    }
    all
}
