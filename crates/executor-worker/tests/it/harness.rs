//! A worker in a directory of its own, and the scheduler it speaks with.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use executor_worker::{Config, Ports, RunAs, Worker};
use files_local::{LocalFiles, LocalLogs, SystemClock, SystemEntropy};
use model::{
    ActionId, Attempt, AttemptResult, Configuration, Epoch, Failure, JobId, NodeName, Run, Shard,
    Success, Token, WorkerId,
};
use ports::bell::{Bell, Bells, LocalBells};
use ports::logs::{LogKey, LogStream, Logs};
use ports::work::{
    FromWorker, Grant, Hello, NoScheduler, SESSION_MESSAGES_MAX, Session, ToWorker, WorkSource,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes on a busy machine; nothing waits for it in a good run.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const POOL: &str = "default";

/// The scheduler's ends of a session.
pub(crate) struct Peer {
    to_worker: mpsc::Sender<ToWorker>,
    from_worker: mpsc::Receiver<FromWorker>,
    /// Said before what was waited for.
    earlier: VecDeque<FromWorker>,
}

impl Peer {
    async fn heard(&mut self) -> FromWorker {
        match self.earlier.pop_front() {
            Some(message) => message,
            None => self.from_worker.recv().await.expect("the worker keeps its session"),
        }
    }

    /// What the worker says that it holds; everything else that it says meanwhile is heard later.
    pub(crate) async fn held(&mut self) -> Vec<Token> {
        let owns = ToWorker::Owns { number: 1, shards: BTreeMap::new() };
        self.to_worker.send(owns).await.expect("the session lasts");
        loop {
            match self.from_worker.recv().await.expect("the worker keeps its session") {
                FromWorker::Holds { held, .. } => {
                    return held.into_iter().map(|held| held.token).collect();
                }
                other => self.earlier.push_back(other),
            }
        }
    }
}

struct Source(mpsc::Sender<Peer>);

#[async_trait]
impl WorkSource for Source {
    async fn open(&self, _hello: Hello) -> Result<Session, NoScheduler> {
        let (to_scheduler, from_worker) = mpsc::channel(SESSION_MESSAGES_MAX);
        let (to_worker, from_scheduler) = mpsc::channel(SESSION_MESSAGES_MAX);
        let gone = |_| NoScheduler("the test is over".to_owned());
        self.0
            .send(Peer { to_worker, from_worker, earlier: VecDeque::new() })
            .await
            .map_err(gone)?;
        Ok(Session { to_scheduler, from_scheduler })
    }
}

/// A worker and its scheduler.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    pub(crate) config: Config,
    /// Who submits.
    pub(crate) user: &'static str,
    peers: mpsc::Receiver<Peer>,
    source: Arc<Source>,
    bells: Arc<LocalBells>,
    peer: Option<Peer>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    attempts: u32,
    /// Whether the claims inside of `Finish` are answered with nothing.
    pub(crate) answers_next: bool,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(|_| {})
    }

    /// A worker with other settings than the usual ones.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Bench {
        let dir = tempfile::tempdir().expect("room");
        let (work, logs) = (dir.path().join("work"), dir.path().join("logs"));
        let supervisor = PathBuf::from(env!("CARGO_BIN_EXE_howdah-action"));
        let mut config =
            Config::new(WorkerId::new("w1"), vec![POOL.to_owned()], 4, work, logs, supervisor);
        config.kill_grace_ms = 300;
        config.run_as = RunAs::Worker;
        change(&mut config);
        let (source, peers) = mpsc::channel(SESSION_MESSAGES_MAX);
        let bench = Bench {
            dir,
            config,
            user: "ann",
            peers,
            source: Arc::new(Source(source)),
            bells: Arc::default(),
            peer: None,
            running: None,
            attempts: 0,
            answers_next: true,
        };
        fs::create_dir(bench.path("app")).expect("room");
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of the application.
    pub(crate) fn app_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path("app").join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("room");
        fs::write(&path, text).expect("room");
        path
    }

    /// An executable script somewhere outside of the application.
    pub(crate) fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("room");
        fs::write(&path, text).expect("room");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        path
    }

    pub(crate) fn start(&mut self) {
        let ports = Ports {
            source: Arc::clone(&self.source) as Arc<dyn WorkSource>,
            bells: Arc::clone(&self.bells) as Arc<dyn Bells>,
            files: Arc::new(LocalFiles::new()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let shutdown = CancellationToken::new();
        let worker = Worker::start(self.config.clone(), ports, shutdown.clone());
        self.running = Some((shutdown, worker));
    }

    /// Ends the worker as a crash would: what it was about to say is not said.
    pub(crate) async fn end_worker(&mut self) {
        let (shutdown, worker) = self.running.take().expect("it was started");
        shutdown.cancel();
        worker.await.expect("it does not break");
        self.peer = None;
    }

    /// The present session; waits for one when there is none.
    pub(crate) async fn peer(&mut self) -> &mut Peer {
        if self.peer.is_none() {
            let peer =
                timeout(DEADLINE, self.peers.recv()).await.expect("a worker opens a session");
            self.peer = peer;
        }
        self.peer.as_mut().expect("it was put there")
    }

    pub(crate) fn hang_up(&mut self) {
        self.peer = None;
    }

    /// What the worker says, until something is told by it; claims are answered with nothing.
    pub(crate) async fn until<T>(&mut self, mut told: impl FnMut(&FromWorker) -> Option<T>) -> T {
        let heard = async {
            loop {
                let message = self.peer().await.heard().await;
                let found = told(&message);
                let unanswered = match (&message, &found) {
                    (FromWorker::Claim { pool, .. }, None) => Some(pool),
                    (FromWorker::Finish { next: Some((pool, _)), .. }, _) if self.answers_next => {
                        Some(pool)
                    }
                    _ => None,
                };
                if let Some(pool) = unanswered {
                    self.tell(ToWorker::Grants { pool: pool.clone(), grants: Vec::new() }).await;
                }
                if let Some(found) = found {
                    return found;
                }
            }
        };
        timeout(DEADLINE, heard).await.expect("the worker says it in time")
    }

    pub(crate) async fn tell(&mut self, message: ToWorker) {
        self.peer().await.to_worker.send(message).await.expect("the worker keeps its session");
    }

    /// The tokens of the next claim, which is left without an answer.
    pub(crate) async fn claimed(&mut self) -> Vec<Token> {
        self.until(|message| match message {
            FromWorker::Claim { tokens, .. } => Some(tokens.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn grant(&mut self, grant: Grant) {
        self.tell(ToWorker::Grants { pool: POOL.to_owned(), grants: vec![grant] }).await;
    }

    /// Grants an attempt of an action; answers its token.
    pub(crate) async fn start_attempt(&mut self, kind: &str, body: &str) -> Token {
        self.bells.ring(POOL, Shard(0));
        let token = self.claimed().await.remove(0);
        let grant = self.grant_of(&token, kind, body);
        self.grant(grant).await;
        token
    }

    pub(crate) fn grant_of(&mut self, token: &Token, kind: &str, body: &str) -> Grant {
        self.attempts += 1;
        Grant {
            token: token.clone(),
            job: job(),
            app_name: "app".into(),
            action: NodeName::new("a"),
            kind: kind.into(),
            run: Run(0),
            attempt: Attempt(self.attempts),
            retries: 0,
            body: body.into(),
            user: self.user.into(),
            app_path: format!("file://{}", self.path("app").display()).into(),
            conf: Arc::new(Configuration::from_iter([("oozie.of.job", "yes"), ("colour", "blue")])),
            pool: POOL.into(),
            shard: Shard(0),
            epoch: Epoch(1),
            traceparent: Some("00-trace-01".to_owned()),
        }
    }

    /// Waits for the end of an attempt, and acknowledges it.
    pub(crate) async fn result(&mut self, token: &Token) -> AttemptResult {
        let result = self.unacknowledged_result(token).await;
        self.tell(ToWorker::FinishAcknowledged { token: token.clone() }).await;
        result
    }

    pub(crate) async fn unacknowledged_result(&mut self, wanted: &Token) -> AttemptResult {
        self.until(|message| match message {
            FromWorker::Finish { token, result, .. } if token == wanted => Some(result.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn stopped(&mut self, wanted: &Token) {
        self.until(|message| {
            matches!(message, FromWorker::Stopped { token, .. } if token == wanted).then_some(())
        })
        .await;
    }

    /// Runs one attempt from grant to end.
    pub(crate) async fn run(&mut self, kind: &str, body: &str) -> AttemptResult {
        if self.running.is_none() {
            self.start();
        }
        let token = self.start_attempt(kind, body).await;
        self.result(&token).await
    }

    pub(crate) async fn succeeds(&mut self, kind: &str, body: &str) -> Success {
        match self.run(kind, body).await {
            AttemptResult::Succeeded(success) => success,
            AttemptResult::Failed(failure) => {
                panic!("{failure:?}; stderr: {}", self.log(LogStream::Stderr).await)
            }
        }
    }

    pub(crate) async fn fails(&mut self, kind: &str, body: &str) -> Failure {
        match self.run(kind, body).await {
            AttemptResult::Failed(failure) => failure,
            AttemptResult::Succeeded(success) => panic!("it should fail: {success:?}"),
        }
    }

    /// What the last attempt printed.
    pub(crate) async fn log(&self, stream: LogStream) -> String {
        let action = ActionId { job: job(), name: NodeName::new("a") };
        let key = LogKey { action, run: Run(0), attempt: Attempt(self.attempts) };
        let logs = LocalLogs::new(self.config.log_root.clone());
        String::from_utf8_lossy(&logs.read(&key, stream, 0, 1 << 20).await.expect("it can be read"))
            .into_owned()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some((shutdown, _)) = &self.running {
            shutdown.cancel();
        }
    }
}

pub(crate) fn job() -> JobId {
    "0000001-200101000000000-howdah-W".parse().expect("a job id")
}

/// Waits for a fact.
pub(crate) async fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, waited).await.unwrap_or_else(|_| panic!("never came true: {what}"));
}

pub(crate) fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// A `shell` body.
pub(crate) fn shell(inner: &str) -> String {
    format!(
        r#"<shell xmlns="uri:oozie:shell-action:1.0"><resource-manager>rm</resource-manager><name-node>file:///</name-node>{inner}</shell>"#
    )
}

/// A `shell` body that runs a script of the application.
pub(crate) fn script(name: &str, more: &str) -> String {
    shell(&format!("<exec>{name}</exec>{more}<file>{name}</file>"))
}

/// Whether a process runs; one that has ended and was not waited for by its parent does not.
pub(crate) fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}
