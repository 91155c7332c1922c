//! Everything but the front door in one process: database, scheduler, worker, monitor.
//!
//! `standalone` puts the REST API before it, `run` asks it directly.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use executor_worker::Worker;
use files_local::{LocalFiles, LocalLogs, SystemClock, SystemEntropy};
use monitor::Monitor;
use ports::bell::LocalBells;
use ports::clock::{Clock, Entropy};
use ports::files::Files;
use ports::logs::Logs;
use ports::store::{Store, StoreError};
use prometheus_client::registry::Registry;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use scheduler::{Ownership, Scheduler};
use store_sql::{NewCluster, PostgresStore, SqliteStore};
use tokio::task::JoinHandle;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::settings::{CONFIG_EXIT, Settings};
use crate::failure::Failure;

/// `EX_TEMPFAIL`: another server holds the data.
pub const SECOND_SERVER_EXIT: u8 = 75;
/// `EX_CANTCREAT`: the data directory cannot be used.
pub const DATA_DIR_EXIT: u8 = 73;
/// `EX_UNAVAILABLE`: the database does not answer, or a port is taken.
pub const UNAVAILABLE_EXIT: u8 = 69;

/// The running parts.
pub struct Node {
    /// Takes commands.
    pub scheduler: scheduler::Handle,
    /// Is read.
    pub store: Arc<dyn Store>,
    /// File systems.
    pub files: Arc<dyn Files>,
    /// What attempts printed.
    pub logs: Arc<dyn Logs>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    worker: JoinHandle<()>,
    monitor: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Node {
    /// Opens the database and starts the parts.
    ///
    /// # Errors
    /// With a code of its own: a second server, an unusable data directory, a database that does not answer.
    pub async fn start(
        settings: &Settings,
        data_dir: &Path,
        base_url: &str,
        registry: &mut Registry,
    ) -> Result<Node, Failure> {
        let shutdown = CancellationToken::new();
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
            (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let files: Arc<dyn Files> = Arc::new(LocalFiles::new());
        let bells = Arc::new(LocalBells::default());
        let store = open(settings, data_dir, &*clock, &*entropy).await?;
        let logs: Arc<dyn Logs> = Arc::new(LocalLogs::new(log_root(data_dir)));
        let ports = scheduler::Ports {
            store: Arc::clone(&store),
            files: Arc::clone(&files),
            logs: Arc::clone(&logs),
            bells: bells.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            registry,
        };
        let config = scheduler::Config {
            rules: settings.jobs.rules(base_url),
            validate_fork_join: settings.jobs.validate_fork_join,
            purge_older_than: Some(settings.jobs.keep.0),
            ..scheduler::Config::default()
        };
        let started =
            Scheduler::start(config, ports, Ownership::Everything, shutdown.clone()).await;
        let scheduler = started.map_err(|error| unusable(&error, data_dir))?;
        let worker_config = worker_config(settings, data_dir)?;
        worker_config.metrics.register(registry);
        let source = Arc::new(scheduler.clone());
        let ports = executor_worker::Ports {
            source,
            bells,
            files: Arc::clone(&files),
            clock: Arc::clone(&clock),
            entropy,
        };
        let worker = Worker::start(worker_config, ports, shutdown.clone());
        let monitor = Monitor::start(Arc::clone(&store), registry, shutdown.clone());
        Ok(Node { scheduler, store, files, logs, clock, worker, monitor, shutdown })
    }

    /// Stops taking work, lets the last commit go in, and leaves running actions to their supervisors.
    pub async fn stop(self, drain: Duration) {
        self.shutdown.cancel();
        let ended = async {
            self.scheduler.finished().await;
            // A part that panicked is ended, too; its panic was logged where it happened.
            let _ended = tokio::join!(self.worker, self.monitor);
        };
        if time::timeout(drain, ended).await.is_err() {
            tracing::warn!("stopping took too long; what is left is picked up at the next start");
        }
    }
}

fn log_root(data_dir: &Path) -> PathBuf {
    data_dir.join("logs")
}

fn worker_config(settings: &Settings, data_dir: &Path) -> Result<executor_worker::Config, Failure> {
    let mail = settings.mail.config();
    let bad = |why| Failure::coded("HW5004", why).with_exit(CONFIG_EXIT);
    let (work_dir, log_root) = (data_dir.join("work"), log_root(data_dir));
    Ok(settings.worker.config(&work_dir, &log_root, mail.map_err(bad)?))
}

async fn open(
    settings: &Settings,
    data_dir: &Path,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Arc<dyn Store>, Failure> {
    make_writable(data_dir)?;
    let database = &settings.database;
    let create = NewCluster {
        system_id: database.system_id.clone(),
        shards: database.shards,
        now: clock.now(),
    };
    let opened = match database.url.as_str() {
        "" => SqliteStore::open(data_dir, &create)
            .await
            .map(|store| Arc::new(store) as Arc<dyn Store>),
        url => PostgresStore::open(url, entropy.nonce(), &create)
            .await
            .map(|store| Arc::new(store) as Arc<dyn Store>),
    };
    opened.map_err(|error| unusable(&error, data_dir))
}

/// Makes the directory, and sees whether a file can be made in it.
fn make_writable(data_dir: &Path) -> Result<(), Failure> {
    let tried = fs::create_dir_all(data_dir).and_then(|()| tempfile::tempfile_in(data_dir));
    tried.map(drop).map_err(|error| {
        let why = match data_dir.is_file() {
            true => "it is a file".to_owned(),
            false => error.to_string(),
        };
        Failure::coded(
            "HW5003",
            format!("the data directory {} cannot be written: {why}", data_dir.display()),
        )
        .with_help("choose another with --data-dir DIR, or correct its owner and permissions")
        .with_exit(DATA_DIR_EXIT)
    })
}

fn unusable(error: &StoreError, data_dir: &Path) -> Failure {
    match error {
        StoreError::Refused { why } if is_held(data_dir) => Failure::coded("HW5002", why.clone())
            .with_help("talk to that server with `howdah job …`, or choose another --data-dir")
            .with_exit(SECOND_SERVER_EXIT),
        StoreError::Refused { why } => {
            Failure::coded("HW5003", why.clone()).with_exit(DATA_DIR_EXIT)
        }
        StoreError::Unavailable { .. } => Failure::coded("HW5005", error.to_string())
            .with_help("see whether the database is up, and its disk not full")
            .with_exit(UNAVAILABLE_EXIT),
        StoreError::Corrupt { .. } => {
            let message = format!("{error} (data directory {})", data_dir.display());
            Failure::coded("HW5005", message)
                .with_help("restore the database from its last copy")
                .with_exit(UNAVAILABLE_EXIT)
        }
    }
}

/// Whether another process holds the data directory's lock.
fn is_held(data_dir: &Path) -> bool {
    let lock = File::open(data_dir.join("lock"));
    lock.is_ok_and(|file| {
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    })
}
