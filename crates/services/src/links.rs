//! What connects services: clients of coordinators and schedulers, NATS, the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bus_nats::{Connection, NatsBells};
use files_local::SystemEntropy;
use gateway::balance::{Connect, Remote};
use ports::clock::{Clock, Entropy};
use ports::store::StoreError;
use ports::work::{Hello, NoScheduler, Session, WorkSource};
use prometheus_client::registry::Registry;
use rpc::{MembershipClient, SchedulerClient};
use store_sql::{NewCluster, PostgresStore};

use crate::run::Failure;
use crate::settings::{Ha, Nats, Store};

/// A client of the coordinators.
pub(crate) fn coordinators(ha: &Ha) -> Result<Arc<MembershipClient>, Failure> {
    let client = MembershipClient::new(&ha.coordinators, Arc::new(SystemEntropy));
    client.map(Arc::new).map_err(|error| Failure::config(format!("ha.coordinators: {error}")))
}

/// Bells over NATS; servers that are not there yet are waited for elsewhere.
pub(crate) async fn bells(
    nats: &Nats,
    namespace: &str,
    client: &str,
    registry: &mut Registry,
) -> Result<Arc<NatsBells>, Failure> {
    let metrics = bus_nats::Metrics::default();
    metrics.register(registry);
    let connection = Connection::open(&nats.config(namespace, client), &metrics).await;
    let connection =
        connection.map_err(|error| Failure::unavailable(error.code(), error.to_string()))?;
    Ok(Arc::new(NatsBells::new(&connection)))
}

/// The database of a cluster.
pub(crate) async fn store(
    settings: &Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Arc<PostgresStore>, Failure> {
    let create = NewCluster {
        system_id: settings.system_id.clone(),
        shards: settings.shards,
        now: clock.now(),
    };
    let opened = PostgresStore::open(&settings.url, entropy.nonce(), &create).await;
    opened.map(Arc::new).map_err(|error| match error {
        StoreError::Refused { why } => Failure::config(why),
        other => Failure::unavailable("HW5005", other),
    })
}

/// Schedulers by address; each client is made once.
#[derive(Default)]
pub(crate) struct Schedulers {
    known: Mutex<HashMap<String, Arc<SchedulerClient>>>,
}

impl Schedulers {
    fn client(&self, address: &str) -> Result<Arc<SchedulerClient>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(address) {
            return Ok(Arc::clone(client));
        }
        let client = SchedulerClient::new(address, rpc::Options::default())
            .map_err(|error| error.to_string())?;
        let client = Arc::new(client);
        known.insert(address.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

impl Connect for Schedulers {
    fn connect(&self, address: &str) -> Result<Arc<dyn Remote>, String> {
        Ok(self.client(address)?)
    }
}

impl executor_worker::link::Schedulers for Schedulers {
    fn at(&self, address: &str) -> Arc<dyn WorkSource> {
        match self.client(address) {
            Ok(client) => client,
            Err(why) => Arc::new(Nowhere(why)),
        }
    }
}

/// A scheduler whose address is none.
struct Nowhere(String);

#[async_trait]
impl WorkSource for Nowhere {
    async fn open(&self, _hello: Hello) -> Result<Session, NoScheduler> {
        Err(NoScheduler(self.0.clone()))
    }
}
