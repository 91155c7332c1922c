//! A member's link to the coordinators, and everybody's view of the cluster.
//!
//! **Invariants**
//! * Both run on threads of their own: beats do not depend on how busy the process is otherwise.
//! * One coordinator at a time; one that is silent for [`SILENCE_MS`] is left for the next, which takes over the lease.
//! * Losing all of them changes nothing in what was last known.

mod backoff;
mod map;
mod member;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use ports::clock::Entropy;
use ports::cluster::{ClusterMap, ClusterMaps, Joining, Membership, Orders, SILENCE_MS, Vitals};
use tokio::runtime;
use tokio::sync::watch;
use tonic::transport::Endpoint;

use crate::connect::{BadAddress, Options, endpoint};
use crate::membership::backoff::Backoff;

/// Coordinators in the order in which they are tried, from a first one that differs from process to process.
#[derive(Clone)]
struct Coordinators {
    endpoints: Arc<[Endpoint]>,
    turn: usize,
    backoff: Backoff,
}

impl Coordinators {
    fn new(endpoints: Arc<[Endpoint]>, entropy: Arc<dyn Entropy>) -> Coordinators {
        let count = endpoints.len();
        let turn = usize::try_from(entropy.nonce().0 % count as u64).unwrap_or(0);
        Coordinators { endpoints, turn, backoff: Backoff::new(entropy) }
    }

    /// The one whose turn it is.
    fn current(&self) -> &Endpoint {
        &self.endpoints[self.turn % self.endpoints.len()]
    }

    /// Goes on to the next one; says how long to wait before it is asked.
    fn leave(&mut self, stayed: Duration) -> Duration {
        self.turn = (self.turn + 1) % self.endpoints.len();
        self.backoff.after(stayed)
    }
}

/// The coordinators of a cluster, for one that joins, and for all who watch.
pub struct MembershipClient {
    endpoints: Arc<[Endpoint]>,
    entropy: Arc<dyn Entropy>,
    map: OnceLock<watch::Receiver<Option<Arc<ClusterMap>>>>,
}

impl std::fmt::Debug for MembershipClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let uris = self.endpoints.iter().map(Endpoint::uri);
        f.debug_list().entries(uris).finish()
    }
}

impl MembershipClient {
    /// A client of the coordinators at these addresses, each `http://host:port`. Nothing is asked of them yet.
    ///
    /// # Errors
    /// When there are none, or one is no address.
    pub fn new(
        addresses: &[String],
        entropy: Arc<dyn Entropy>,
    ) -> Result<MembershipClient, BadAddress> {
        if addresses.is_empty() {
            let why = "there is no coordinator to go to".to_owned();
            return Err(BadAddress { address: String::new(), why });
        }
        let reachable = |address: &String| {
            let endpoint = endpoint(address, &Options::default())?;
            Ok(endpoint.connect_timeout(Duration::from_millis(SILENCE_MS)))
        };
        let endpoints = addresses.iter().map(reachable);
        let endpoints = endpoints.collect::<Result<_, _>>()?;
        Ok(MembershipClient { endpoints, entropy, map: OnceLock::new() })
    }

    fn coordinators(&self) -> Coordinators {
        Coordinators::new(self.endpoints.clone(), self.entropy.clone())
    }
}

impl Membership for MembershipClient {
    /// Ends before the process only when `vitals` has no sender any more, or nobody holds what this returns.
    fn join(
        &self,
        joining: Joining,
        vitals: watch::Receiver<Vitals>,
    ) -> watch::Receiver<Option<Orders>> {
        let (orders, known) = watch::channel(None);
        let coordinators = self.coordinators();
        on_own_thread("membership", move || {
            member::Link::new(coordinators, joining, vitals, orders).keep()
        });
        known
    }
}

impl ClusterMaps for MembershipClient {
    fn watch(&self) -> watch::Receiver<Option<Arc<ClusterMap>>> {
        let begin = || {
            let (maps, known) = watch::channel(None);
            let coordinators = self.coordinators();
            on_own_thread("cluster-map", move || map::keep(coordinators, maps));
            known
        };
        self.map.get_or_init(begin).clone()
    }
}

/// Runs a task to its end on a thread that does nothing else.
fn on_own_thread<F: Future<Output = ()>>(
    name: &'static str,
    task: impl FnOnce() -> F + Send + 'static,
) {
    let run = move || match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(task()),
        Err(error) => tracing::error!(%error, name, "a runtime cannot be started"),
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(run) {
        tracing::error!(%error, name, "a thread cannot be started");
    }
}
