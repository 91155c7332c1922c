//! `howdah-coordinator`: one of the equal replicas that say who owns what.

use std::sync::Arc;

use chassis::config::Settings as Layers;
use coordinator::{Replica, ReplicaConfig};
use election_etcd::EtcdElection;
use files_local::SystemClock;
use ports::cluster::CoordinatorApi;
use rpc::serve_coordinator;
use serde::Deserialize;

use crate::run::{Context, Failure, Running, Service, listen};
use crate::settings::{Etcd, Rpc, ServiceSettings, name_of};

#[derive(Deserialize)]
struct Settings {
    service: ServiceSettings,
    rpc: Rpc,
    ha: Ha,
    etcd: Etcd,
}

#[derive(Deserialize)]
struct Ha {
    namespace: String,
}

/// See the module.
#[derive(Debug)]
pub struct Coordinator;

impl Service for Coordinator {
    const PROGRAM: &'static str = "howdah-coordinator";
    const DEFAULTS: &'static str = include_str!("coordinator.toml");

    async fn start(context: &mut Context, layers: &Layers) -> Result<Running, Failure> {
        let settings: Settings = layers.read().map_err(Failure::config)?;
        let listener = listen(&settings.rpc.listen).await?;
        let bound = listener.local_addr().map_err(|error| Failure::unavailable("HW5001", error))?;
        let election = EtcdElection::connect(&settings.etcd.config(&settings.ha.namespace))
            .map_err(|error| Failure::config(format!("etcd: {error}")))?;
        let config = ReplicaConfig {
            name: name_of(&settings.service.name),
            address: settings.rpc.address(bound),
        };
        let stop = context.shutdown.clone();
        let replica =
            Replica::start(config, Arc::new(election), Arc::new(SystemClock), stop.clone());
        let agreement = context.ready.latch("etcd");
        let mut map = replica.map();
        tokio::spawn(async move {
            loop {
                match map.borrow_and_update().is_some() {
                    true => agreement.set(),
                    false => agreement.clear("etcd does not answer"),
                }
                if map.changed().await.is_err() {
                    return;
                }
            }
        });
        let api: Arc<dyn CoordinatorApi> = replica.clone();
        Ok(Box::pin(async move {
            if let Err(error) = serve_coordinator(listener, api, stop.clone()).await {
                tracing::error!(%error, "the gRPC server ended");
            }
            stop.cancel();
            replica.stopped().await;
        }))
    }
}
