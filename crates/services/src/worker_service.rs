//! `howdah-worker`: hears bells, claims work from every scheduler, and runs it.

use std::path::Path;
use std::sync::Arc;

use chassis::config::Settings as Layers;
use executor_worker::link::Link;
use executor_worker::{MailSettings, WorkerSettings};
use files_local::{LocalFiles, SystemClock, SystemEntropy};
use ports::cluster::ClusterMaps;
use serde::Deserialize;

use crate::links::{self, Schedulers};
use crate::run::{Context, Failure, Running, Service};
use crate::settings::{Ha, Nats, ServiceSettings, name_of};

#[derive(Deserialize)]
struct Settings {
    service: ServiceSettings,
    ha: Ha,
    nats: Nats,
    worker: Dirs,
    mail: MailSettings,
}

#[derive(Deserialize)]
struct Dirs {
    work_dir: String,
    log_dir: String,
    #[serde(flatten)]
    worker: WorkerSettings,
}

/// See the module.
#[derive(Debug)]
pub struct Worker;

impl Service for Worker {
    const PROGRAM: &'static str = "howdah-worker";
    const DEFAULTS: &'static str = include_str!("worker.toml");

    async fn start(context: &mut Context, layers: &Layers) -> Result<Running, Failure> {
        let settings: Settings = layers.read().map_err(Failure::config)?;
        let mut worker = settings.worker.worker;
        worker.name = name_of(&worker.name);
        let client = format!("howdah-worker {}", worker.name);
        let (ha, registry) = (&settings.ha, &mut context.registry);
        let bells = links::bells(&settings.nats, &ha.namespace, &client, registry).await?;
        let maps: Arc<dyn ClusterMaps> = links::coordinators(ha)?;
        let link = Arc::new(Link::new(maps, Arc::<Schedulers>::default(), bells));
        for dir in [&settings.worker.work_dir, &settings.worker.log_dir] {
            std::fs::create_dir_all(dir).map_err(|error| {
                let why = format!("the directory {dir} cannot be made: {error}");
                Failure::unavailable("HW5003", why)
            })?;
        }
        let mail = settings.mail.config().map_err(Failure::config)?;
        let (work_dir, log_dir) = (&settings.worker.work_dir, &settings.worker.log_dir);
        let config = worker.config(Path::new(work_dir), Path::new(log_dir), mail);
        config.metrics.register(registry);
        let ports = executor_worker::Ports {
            source: link.clone(),
            bells: link,
            files: Arc::new(LocalFiles::new()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let shutdown = context.shutdown.clone();
        let running = executor_worker::Worker::start(config, ports, shutdown.clone());
        let drain = settings.service.drain.0;
        Ok(Box::pin(async move {
            tokio::pin!(running);
            tokio::select! {
                ended = &mut running => return tracing::error!(?ended, "the worker ended"),
                () = shutdown.cancelled() => {}
            }
            if tokio::time::timeout(drain, running).await.is_err() {
                tracing::warn!(
                    "stopping took too long; supervisors go on, the next start adopts them"
                );
            }
        }))
    }
}
