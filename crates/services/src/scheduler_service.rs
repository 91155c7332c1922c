//! `howdah-scheduler`: a member that owns what the coordinators say.

use std::sync::Arc;
use std::time::Duration;

use chassis::config::Settings as Layers;
use files_local::{LocalFiles, LocalLogs, SystemClock, SystemEntropy};
use model::Nonce;
use ports::clock::Entropy;
use ports::cluster::{Joining, Membership, Vitals};
use ports::store::{Reads, Store as _};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use rpc::{CountCalls, SchedulerPorts, serve_scheduler};
use scheduler::{Handle, JobSettings, Ownership};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::links;
use crate::run::{Context, Failure, Running, Service, listen};
use crate::settings::{Ha, Nats, Rpc, ServiceSettings, Store, member_of};

/// Between two looks at whether it is ready.
const READINESS_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Settings {
    service: ServiceSettings,
    rpc: Rpc,
    ha: Member,
    store: Store,
    nats: Nats,
    jobs: Jobs,
    logs: Logs,
}

#[derive(Deserialize)]
struct Member {
    #[serde(flatten)]
    ha: Ha,
    priority: i32,
    weight: u32,
}

#[derive(Deserialize)]
struct Jobs {
    base_url: String,
    #[serde(flatten)]
    jobs: JobSettings,
}

#[derive(Deserialize)]
struct Logs {
    dir: String,
}

/// See the module.
#[derive(Debug)]
pub struct Scheduler;

impl Service for Scheduler {
    const PROGRAM: &'static str = "howdah-scheduler";
    const DEFAULTS: &'static str = include_str!("scheduler.toml");

    async fn start(context: &mut Context, layers: &Layers) -> Result<Running, Failure> {
        let settings: Settings = layers.read().map_err(Failure::config)?;
        let listener = listen(&settings.rpc.listen).await?;
        let bound = listener.local_addr().map_err(|error| Failure::unavailable("HW5001", error))?;
        let address = settings.rpc.address(bound);
        let id = member_of(&settings.service.name);
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let store = links::store(&settings.store, &*clock, &*entropy).await?;
        let namespace = &settings.ha.ha.namespace;
        let client = format!("howdah-scheduler {id}");
        let bells = links::bells(&settings.nats, namespace, &client, &mut context.registry).await?;
        let coordinators = links::coordinators(&settings.ha.ha)?;
        let nonce: Nonce = entropy.nonce();
        let joining = Joining {
            id: id.clone(),
            nonce,
            address,
            priority: settings.ha.priority,
            weight: settings.ha.weight,
            shards: store.cluster().shards,
        };
        let (shown, vitals) = watch::channel(Vitals::default());
        let orders = coordinators.join(joining, vitals);
        let config = scheduler::Config {
            owner: id.to_string(),
            rules: settings.jobs.jobs.rules(settings.jobs.base_url.trim_end_matches('/')),
            validate_fork_join: settings.jobs.jobs.validate_fork_join,
            purge_older_than: Some(settings.jobs.jobs.keep.0),
            ..scheduler::Config::default()
        };
        let calls = Calls::default();
        let help = "Calls that this scheduler took, by method";
        context.registry.register("howdah_rpc_requests", help, calls.0.clone());
        let stop = CancellationToken::new();
        let ports = scheduler::Ports {
            store: store.clone(),
            files: Arc::new(LocalFiles::new()),
            logs: Arc::new(LocalLogs::new(settings.logs.dir.into())),
            bells,
            clock,
            entropy,
            registry: &mut context.registry,
        };
        let ownership = Ownership::Ordered { orders, vitals: shown };
        let handle = scheduler::Scheduler::start(config, ports, ownership, stop.clone())
            .await
            .map_err(|error| Failure::unavailable("HW5005", error))?;
        watch_readiness(&handle, context);
        let ports = SchedulerPorts {
            api: Arc::new(handle.clone()),
            policy: Arc::new(handle.clone()),
            reads: store as Arc<dyn Reads>,
            work: Arc::new(handle.clone()),
        };
        let serving = tokio::spawn(serve_scheduler(listener, ports, Arc::new(calls), stop.clone()));
        Ok(Box::pin(end(handle, serving, context.shutdown.clone(), stop, settings.service.drain.0)))
    }
}

/// First every shard is handed over, while requests are still served; then everything ends.
async fn end(
    handle: Handle,
    mut serving: tokio::task::JoinHandle<Result<(), rpc::ServeError>>,
    shutdown: CancellationToken,
    stop: CancellationToken,
    drain: Duration,
) {
    tokio::select! {
        () = shutdown.cancelled() => handle.drain(drain).await,
        ended = &mut serving => tracing::error!(?ended, "the gRPC server ended"),
        () = handle.finished() => tracing::error!("the driver ended; this process cannot go on"),
    }
    stop.cancel();
    let ended = async {
        handle.finished().await;
        if !serving.is_finished() {
            let _ended = serving.await;
        }
    };
    if tokio::time::timeout(drain, ended).await.is_err() {
        tracing::warn!("stopping took too long; others go on with what is left");
    }
}

fn watch_readiness(handle: &Handle, context: &Context) {
    let database = context.ready.latch("database");
    let handle = handle.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(READINESS_INTERVAL);
        loop {
            tick.tick().await;
            match handle.store_trouble() {
                None => database.set(),
                Some(why) => database.clear(&why),
            }
        }
    });
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    method: &'static str,
}

/// `howdah_rpc_requests_total{method}`.
#[derive(Clone, Debug, Default)]
struct Calls(Family<Method, Counter>);

impl CountCalls for Calls {
    fn called(&self, method: &'static str) {
        self.0.get_or_create(&Method { method }).inc();
    }
}
