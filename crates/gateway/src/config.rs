//! What a gateway is told at its start, and what its handlers share.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ports::api::{PolicyApi, SchedulerApi};
use ports::clock::Clock;
use ports::cluster::ClusterMaps;
use ports::files::Files;
use ports::logs::Logs;
use ports::store::Reads;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::balance::Algorithms;
use crate::metrics::Metrics;

/// Longest body of a request: a configuration with whole data sets in it stays far below.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Open event streams and followed logs in one gateway: each costs a few hundred bytes and a read every 200 ms.
const FOLLOWERS_MAX: usize = 256;
/// Pictures drawn at the same time: each takes a processor for itself, and jobs need theirs.
const DRAWINGS_MAX: usize = 1;
/// The longest a request may take before its answer begins; a submit that reads many files stays below it.
const REQUEST_TIMEOUT_MS: u64 = 60_000;
/// The release of Oozie whose interface this is.
const OOZIE_VERSION: &str = "5.2.1";

/// The settings of a gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// How clients reach this server, such as `http://localhost:11000/oozie`.
    pub base_url: String,
    /// The name of this server in log lines and in `available-oozie-servers`.
    pub server_id: String,
    /// The other gateways of the cluster: how clients reach each, by its server id. `available-oozie-servers` lists them
    /// beside this one, as Oozie lists the servers that are registered.
    pub peers: BTreeMap<String, String>,
    /// Howdah's version; `build-version` shows it behind the version of Oozie that is spoken.
    pub version: String,
    /// The settings in force by name, for `admin/configuration`; secrets are masked when they are shown.
    pub settings: BTreeMap<String, String>,
    /// The environment of the process, for `admin/os-env`; secrets are masked when it is shown.
    pub os_env: BTreeMap<String, String>,
    /// Users who may act for others by `doAs`, such as `hue`; `*` stands for any.
    pub proxy_users: BTreeSet<String>,
    /// Longest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Most event streams and followed logs at the same time.
    pub followers_max: usize,
    /// The longest a request may take before its answer begins, in milliseconds.
    pub request_timeout_ms: u64,
    /// Where requests are counted; register it once with the process's registry.
    pub metrics: Metrics,
    /// Ends streams when the process stops, so that a graceful shutdown does not wait for them.
    pub shutdown: CancellationToken,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            base_url: "http://localhost:11000/oozie".to_owned(),
            server_id: "howdah".to_owned(),
            peers: BTreeMap::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: BTreeMap::new(),
            os_env: BTreeMap::new(),
            proxy_users: BTreeSet::new(),
            body_bytes_max: BODY_BYTES_MAX,
            followers_max: FOLLOWERS_MAX,
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            metrics: Metrics::default(),
            shutdown: CancellationToken::new(),
        }
    }
}

impl Config {
    /// `5.2.1-howdah-0.1.0`: clients that compare versions see Oozie's first.
    pub(crate) fn build_version(&self) -> String {
        format!("{OOZIE_VERSION}-howdah-{}", self.version)
    }
}

/// What a gateway needs from the world.
#[derive(Clone)]
pub struct Ports {
    /// Takes commands.
    pub scheduler: Arc<dyn SchedulerApi>,
    /// Is read.
    pub store: Arc<dyn Reads>,
    /// Definitions that are posted within a submit are written, and definitions to validate are read here.
    pub files: Arc<dyn Files>,
    /// What attempts printed.
    pub logs: Arc<dyn Logs>,
    /// For filters such as `startcreatedtime=-2d`.
    pub clock: Arc<dyn Clock>,
    /// Who is there and who owns what; nothing on a server that is no cluster.
    pub cluster: Option<Arc<dyn ClusterMaps>>,
    /// Changes the policy of the cluster; nothing on a server that is no cluster.
    pub policy: Option<Arc<dyn PolicyApi>>,
    /// The algorithms by which this gateway spreads requests; nothing when there is one scheduler only.
    pub balance: Option<Arc<Algorithms>>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// What every handler gets.
pub(crate) type App = Arc<Gateway>;

#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) config: Config,
    pub(crate) ports: Ports,
    pub(crate) mode: ModeCell,
    pub(crate) followers: Arc<Semaphore>,
    pub(crate) drawings: Arc<Semaphore>,
}

impl Gateway {
    pub(crate) fn new(config: Config, ports: Ports) -> Gateway {
        let followers = Arc::new(Semaphore::new(config.followers_max));
        let drawings = Arc::new(Semaphore::new(DRAWINGS_MAX));
        Gateway { config, ports, mode: ModeCell::default(), followers, drawings }
    }
}

/// Oozie's system mode: in the other two only reads are answered (census §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemMode {
    Normal,
    NoWebService,
    SafeMode,
}

impl SystemMode {
    const ALL: [SystemMode; 3] =
        [SystemMode::Normal, SystemMode::NoWebService, SystemMode::SafeMode];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SystemMode::Normal => "NORMAL",
            SystemMode::NoWebService => "NOWEBSERVICE",
            SystemMode::SafeMode => "SAFEMODE",
        }
    }

    pub(crate) fn named(word: &str) -> Option<SystemMode> {
        SystemMode::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// The mode of this process; starts as NORMAL.
#[derive(Debug, Default)]
pub(crate) struct ModeCell(AtomicU8);

impl ModeCell {
    pub(crate) fn get(&self) -> SystemMode {
        SystemMode::ALL[usize::from(self.0.load(Ordering::Relaxed))]
    }

    pub(crate) fn set(&self, mode: SystemMode) {
        let index =
            SystemMode::ALL.iter().position(|one| *one == mode).expect("ALL holds every mode");
        self.0.store(u8::try_from(index).expect("there are three"), Ordering::Relaxed);
    }
}
