//! `standalone`: gateway, scheduler, worker and monitor in one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chassis::config::Settings as Layers;
use chassis::{Readiness, admin, serve, shutdown, telemetry};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::node::{Node, UNAVAILABLE_EXIT};
use super::settings::{self, Settings};
use crate::args::Standalone;
use crate::failure::Failure;
use crate::terminal::{Environment, Terminal};

/// Threads that drive the asynchronous parts: the scheduler is one task, the rest waits for others.
const ASYNC_THREADS: usize = 2;
/// Threads for files and waiting children; each costs a stack only while it is used.
const BLOCKING_THREADS_MAX: usize = 64;
/// How long an unused blocking thread stays.
const BLOCKING_THREAD_IDLE: Duration = Duration::from_secs(5);
/// Between two looks at whether the database still takes writes.
const READINESS_INTERVAL: Duration = Duration::from_secs(1);

/// Starts it, and serves until it is asked to stop.
///
/// # Errors
/// With a code and an exit code of its own: settings (78), a port in use (69), a second server (75), an unusable data
/// directory (73), a database that does not answer (69).
pub fn run(
    flags: &Standalone,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let layers = settings::layers(flags, environment)?;
    if flags.print_config {
        return Ok(write!(terminal.out, "{}", layers.print())?);
    }
    let settings = settings::read(&layers)?;
    let data_dir = settings.data_dir(environment)?;
    let log_level = start_log(&settings, environment, terminal.err_color)?;
    let server = Server {
        settings: &settings,
        layers: &layers,
        environment,
        data_dir: &data_dir,
        log_level,
    };
    runtime()?.block_on(server.serve(terminal))
}

/// The threads that everything runs on.
///
/// # Errors
/// When the system has no threads left.
pub fn runtime() -> Result<Runtime, Failure> {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(ASYNC_THREADS).max_blocking_threads(BLOCKING_THREADS_MAX);
    builder.thread_keep_alive(BLOCKING_THREAD_IDLE).enable_all();
    builder.build().map_err(|error| Failure::Plain(format!("cannot start threads: {error}")))
}

/// Starts logging; `HOWDAH_LOG` goes over the settings.
fn start_log(
    settings: &Settings,
    environment: &Environment,
    color: bool,
) -> Result<telemetry::LogLevel, Failure> {
    let level = environment.get("HOWDAH_LOG").unwrap_or(&settings.log.level).to_owned();
    let options = telemetry::Options { level, format: settings.log.format, color };
    let bad = |error: telemetry::Error| {
        Failure::coded("HW5004", error.to_string()).with_exit(settings::CONFIG_EXIT)
    };
    telemetry::start(&options).map_err(bad)
}

struct Server<'a> {
    settings: &'a Settings,
    layers: &'a Layers,
    environment: &'a Environment,
    data_dir: &'a Path,
    log_level: telemetry::LogLevel,
}

impl Server<'_> {
    async fn serve(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let stop = shutdown::on_signals()
            .map_err(|error| Failure::Plain(format!("cannot wait for signals: {error}")))?;
        let listener = listen(&self.settings.server.listen).await?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::Plain(format!("cannot listen: {error}")))?;
        let base_url = self.base_url(address);
        let (mut registry, ready) = (Registry::default(), Readiness::new());
        let (database, door) = (ready.latch("database"), ready.latch("listener"));
        let node = Node::start(self.settings, self.data_dir, &base_url, &mut registry).await?;
        let watching = tokio::spawn(watch(node.scheduler.clone(), database));
        let app = self.router(&node, &base_url, registry, ready, &stop);
        door.set();
        writeln!(
            terminal.out,
            "howdah is ready at {base_url} (data in {})",
            self.data_dir.display()
        )?;
        terminal.out.flush()?;
        let limits = serve::Limits::of_process();
        let served = serve::serve(listener, app, limits, stop.clone());
        let drain = self.settings.server.drain.0;
        let ended = until(served, &stop, drain).await;
        watching.abort();
        node.stop(drain).await;
        ended
    }

    fn router(
        &self,
        node: &Node,
        base_url: &str,
        mut registry: Registry,
        ready: Readiness,
        stop: &CancellationToken,
    ) -> Router {
        let config = gateway::Config {
            base_url: base_url.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: settings::told(self.layers),
            os_env: self.environment.variables.clone().into_iter().collect::<BTreeMap<_, _>>(),
            proxy_users: self.settings.server.proxy_users.clone(),
            shutdown: stop.clone(),
            ..gateway::Config::default()
        };
        config.metrics.register(&mut registry);
        let ports = gateway::Ports {
            scheduler: Arc::new(node.scheduler.clone()),
            store: Arc::clone(&node.store) as Arc<dyn ports::store::Reads>,
            files: Arc::clone(&node.files),
            logs: Arc::clone(&node.logs),
            clock: Arc::clone(&node.clock),
            cluster: None,
            policy: None,
            balance: None,
        };
        gateway::router(config, ports)
            .merge(admin::router(Arc::new(registry), ready))
            .merge(admin::log_level_router(self.log_level.clone()))
    }

    /// What is configured, else the address; a loopback or unspecified one is this host's own name.
    fn base_url(&self, address: SocketAddr) -> String {
        let configured = self.settings.server.base_url.trim_end_matches('/');
        if !configured.is_empty() {
            return configured.to_owned();
        }
        let (ip, port) = (address.ip(), address.port());
        if ip.is_loopback() || ip.is_unspecified() {
            return format!("http://localhost:{port}/oozie");
        }
        format!("http://{address}/oozie")
    }
}

async fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::coded("HW5001", format!("cannot listen on {address}: {error}"))
            .with_help("stop what listens there, or choose another place with --listen ADDR:PORT")
            .with_exit(UNAVAILABLE_EXIT)
    })
}

/// Serves; once it is asked to stop, open requests get as long as the drain.
async fn until(
    served: impl Future<Output = std::io::Result<()>>,
    stop: &CancellationToken,
    drain: Duration,
) -> Result<(), Failure> {
    let late = async {
        stop.cancelled().await;
        time::sleep(drain).await;
    };
    tokio::select! {
        ended = served => ended.map_err(|error| Failure::Plain(format!("cannot serve: {error}"))),
        () = late => Ok(()),
    }
}

/// Keeps the database's latch as the scheduler sees it.
async fn watch(scheduler: scheduler::Handle, latch: chassis::Latch) {
    let mut tick = time::interval(READINESS_INTERVAL);
    loop {
        tick.tick().await;
        match scheduler.store_trouble() {
            None => latch.set(),
            Some(why) => latch.clear(&why),
        }
    }
}
