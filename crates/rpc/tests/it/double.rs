//! A scheduler that answers what a test told it, and remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use model::{AppDigest, JobId, WorkflowJob};
use ports::api::{
    ApiError, Command, Explanation, PolicyApi, PolicyChange, SchedulerApi, SubmitRequest,
};
use ports::cluster::PolicyRow;
use ports::store::{AppSource, HistoryLine, JobFilter, JobPage, Reads, StoreError};
use ports::work::{
    FromWorker, Hello, NoScheduler, SESSION_MESSAGES_MAX, Session, ToWorker, WorkSource,
};
use rpc::{CountCalls, Options, SchedulerClient, SchedulerPorts, serve_scheduler};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Facts are waited for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for a fact.
pub(crate) async fn soon<F: Future>(what: &str, fact: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, fact).await {
        Ok(output) => output,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// A scheduler's end of a session.
pub(crate) struct FarEnd {
    pub(crate) hello: Hello,
    pub(crate) from_worker: mpsc::Receiver<FromWorker>,
    pub(crate) to_worker: mpsc::Sender<ToWorker>,
}

/// What a test told, and what was asked.
pub(crate) struct Told {
    pub(crate) asked: Vec<String>,
    pub(crate) traces: Vec<Option<String>>,
    pub(crate) calls: BTreeMap<&'static str, u64>,
    pub(crate) refusal: Option<ApiError>,
    pub(crate) store_error: Option<StoreError>,
    pub(crate) job: Option<JobId>,
    pub(crate) explanation: Option<Explanation>,
    pub(crate) ready: Vec<(Arc<str>, u64)>,
    pub(crate) policy: Option<PolicyRow>,
    pub(crate) loaded: Option<WorkflowJob>,
    pub(crate) app: Option<AppSource>,
    pub(crate) page: JobPage,
    pub(crate) lines: Vec<HistoryLine>,
    pub(crate) sessions: Option<mpsc::Sender<FarEnd>>,
    pub(crate) hangs: bool,
}

pub(crate) struct Double {
    told: Mutex<Told>,
    /// A call hangs.
    pub(crate) hanging: Notify,
}

impl Double {
    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// Remembers the question; refuses when it was told to.
    fn asked(&self, what: impl std::fmt::Debug) -> Result<(), ApiError> {
        let mut told = self.told();
        told.asked.push(format!("{what:?}"));
        told.traces.push(rpc::trace::current());
        told.refusal.clone().map_or(Ok(()), Err)
    }

    fn read(&self, what: impl std::fmt::Debug) -> Result<(), StoreError> {
        let mut told = self.told();
        told.asked.push(format!("{what:?}"));
        told.store_error.clone().map_or(Ok(()), Err)
    }

    async fn maybe_hang(&self) {
        if self.told().hangs {
            self.hanging.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl CountCalls for Double {
    fn called(&self, method: &'static str) {
        *self.told().calls.entry(method).or_default() += 1;
    }
}

#[async_trait]
impl SchedulerApi for Double {
    async fn submit(&self, request: SubmitRequest) -> Result<JobId, ApiError> {
        self.maybe_hang().await;
        self.asked(("submit", request))?;
        Ok(self.told().job.clone().unwrap())
    }

    async fn dry_run(&self, request: SubmitRequest) -> Result<(), ApiError> {
        self.asked(("dry_run", request))
    }

    async fn command(&self, job: &JobId, user: &str, command: Command) -> Result<(), ApiError> {
        self.asked(("command", job, user, command))
    }

    async fn explain(&self, job: &JobId) -> Result<Explanation, ApiError> {
        self.asked(("explain", job))?;
        Ok(self.told().explanation.clone().unwrap())
    }

    async fn wait_for_history(&self, job: &JobId, after: i64) -> Result<(), ApiError> {
        self.maybe_hang().await;
        self.asked(("wait_for_history", job, after))
    }

    async fn ready_attempts(&self) -> Vec<(Arc<str>, u64)> {
        self.told().ready.clone()
    }
}

#[async_trait]
impl PolicyApi for Double {
    async fn policy(&self) -> Result<PolicyRow, ApiError> {
        self.asked("policy")?;
        Ok(self.told().policy.clone().unwrap())
    }

    async fn change_policy(&self, change: PolicyChange) -> Result<PolicyRow, ApiError> {
        self.asked(("change_policy", change))?;
        Ok(self.told().policy.clone().unwrap())
    }
}

#[async_trait]
impl Reads for Double {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        self.maybe_hang().await;
        self.read(("load", job))?;
        Ok(self.told().loaded.clone())
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        self.read(("app", digest))?;
        Ok(self.told().app.clone())
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        self.read(("by_external_id", external_id))?;
        Ok(self.told().job.clone())
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        self.read(("jobs", filter))?;
        Ok(self.told().page.clone())
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        self.read(("history", job, after, lines_max))?;
        Ok(self.told().lines.clone())
    }
}

#[async_trait]
impl WorkSource for Double {
    async fn open(&self, hello: Hello) -> Result<Session, NoScheduler> {
        let Some(sessions) = self.told().sessions.clone() else {
            return Err(NoScheduler("it is stopping".to_owned()));
        };
        let (to_scheduler, from_worker) = mpsc::channel(SESSION_MESSAGES_MAX);
        let (to_worker, from_scheduler) = mpsc::channel(SESSION_MESSAGES_MAX);
        let far = FarEnd { hello, from_worker, to_worker };
        sessions.send(far).await.map_err(|_| NoScheduler("nobody is there".to_owned()))?;
        Ok(Session { to_scheduler, from_scheduler })
    }
}

/// A served double and a client of it.
pub(crate) struct Scene {
    pub(crate) double: Arc<Double>,
    pub(crate) address: SocketAddr,
    pub(crate) client: SchedulerClient,
    pub(crate) sessions: mpsc::Receiver<FarEnd>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) server: JoinHandle<()>,
}

pub(crate) async fn free_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port that is ours and refuses connections until it listens.
pub(crate) fn silent_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

pub(crate) async fn scene() -> Scene {
    let (listener, address) = free_port().await;
    scene_at(listener, address)
}

pub(crate) fn scene_at(listener: TcpListener, address: SocketAddr) -> Scene {
    let (sender, sessions) = mpsc::channel(8);
    let double = Arc::new(Double { told: Mutex::new(told(sender)), hanging: Notify::new() });
    let ports = SchedulerPorts {
        api: double.clone(),
        policy: double.clone(),
        reads: double.clone(),
        work: double.clone(),
    };
    let shutdown = CancellationToken::new();
    let (counter, stop) = (double.clone(), shutdown.clone());
    let server = tokio::spawn(async move {
        serve_scheduler(listener, ports, counter, stop).await.unwrap();
    });
    let client = client(address);
    Scene { double, address, client, sessions, shutdown, server }
}

/// A client that does not take a busy machine for a frozen server: both ends of a test share a thread.
pub(crate) fn client(address: SocketAddr) -> SchedulerClient {
    let options = Options { keep_alive_timeout: PATIENCE, ..Options::default() };
    SchedulerClient::new(&format!("http://{address}"), options).unwrap()
}

fn told(sessions: mpsc::Sender<FarEnd>) -> Told {
    Told {
        asked: Vec::new(),
        traces: Vec::new(),
        calls: BTreeMap::new(),
        refusal: None,
        store_error: None,
        job: None,
        explanation: None,
        ready: Vec::new(),
        policy: None,
        loaded: None,
        app: None,
        page: JobPage { jobs: Vec::new(), total: 0 },
        lines: Vec::new(),
        sessions: Some(sessions),
        hangs: false,
    }
}
