//! `howdah-gateway`: Oozie's REST interface in front of all schedulers.

use std::collections::BTreeSet;
use std::sync::Arc;

use chassis::HumanDuration;
use chassis::config::Settings as Layers;
use chassis::serve;
use files_local::{LocalFiles, LocalLogs, SystemClock, SystemEntropy};
use gateway::balance::{Algorithm, Balanced, MemberMetrics};
use ports::cluster::ClusterMaps;
use serde::Deserialize;

use crate::links::{self, Schedulers};
use crate::run::{Context, Failure, Running, Service, environment, listen};
use crate::settings::{Ha, ServiceSettings, name_of};

#[derive(Deserialize)]
struct Settings {
    service: ServiceSettings,
    http: Http,
    ha: Ha,
    balance: Balance,
    logs: Logs,
}

#[derive(Deserialize)]
struct Http {
    listen: String,
    base_url: String,
    proxy_users: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Balance {
    submit: Algorithm,
    read: Algorithm,
    patience: HumanDuration,
}

#[derive(Deserialize)]
struct Logs {
    dir: String,
}

/// See the module.
#[derive(Debug)]
pub struct Gateway;

impl Service for Gateway {
    const PROGRAM: &'static str = "howdah-gateway";
    const DEFAULTS: &'static str = include_str!("gateway.toml");

    async fn start(context: &mut Context, layers: &Layers) -> Result<Running, Failure> {
        let settings: Settings = layers.read().map_err(Failure::config)?;
        let listener = listen(&settings.http.listen).await?;
        let bound = listener.local_addr().map_err(|error| Failure::unavailable("HW5001", error))?;
        let maps = links::coordinators(&settings.ha)?;
        let metrics = MemberMetrics::default();
        metrics.register(&mut context.registry);
        let balance = gateway::balance::Settings {
            submit: settings.balance.submit,
            read: settings.balance.read,
            patience: settings.balance.patience.0,
            ..gateway::balance::Settings::default()
        };
        let schedulers = Arc::new(Schedulers::default());
        let balanced = Balanced::new(&*maps, schedulers, Arc::new(SystemEntropy), balance, metrics);
        let owner = context.ready.latch("an owner");
        tokio::spawn(balanced.clone().watch_owners(move |reached| match reached {
            Ok(()) => owner.set(),
            Err(why) => owner.clear(why),
        }));
        let base_url = match settings.http.base_url.trim_end_matches('/') {
            "" => format!("http://{bound}/oozie"),
            said => said.to_owned(),
        };
        let stop = context.shutdown.clone();
        let told = |(key, value)| (format!("howdah.{key}"), value);
        let config = gateway::Config {
            base_url,
            server_id: name_of(&settings.service.name),
            settings: layers.values().map(told).collect(),
            os_env: environment().collect(),
            proxy_users: settings.http.proxy_users,
            shutdown: stop.clone(),
            ..gateway::Config::default()
        };
        config.metrics.register(&mut context.registry);
        let (remote, algorithms) = (Arc::new(balanced.clone()), balanced.algorithms());
        let ports = gateway::Ports {
            scheduler: remote.clone(),
            store: remote.clone(),
            files: Arc::new(LocalFiles::new()),
            logs: Arc::new(LocalLogs::new(settings.logs.dir.into())),
            clock: Arc::new(SystemClock),
            cluster: Some(maps as Arc<dyn ClusterMaps>),
            policy: Some(remote),
            balance: Some(algorithms),
        };
        let routes = gateway::router(config, ports);
        let drain = settings.service.drain.0;
        Ok(Box::pin(async move {
            let served = serve::serve(listener, routes, serve::Limits::of_process(), stop.clone());
            let late = async {
                stop.cancelled().await;
                tokio::time::sleep(drain).await;
            };
            tokio::select! {
                ended = served => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the HTTP server ended");
                    }
                }
                () = late => tracing::warn!("requests took too long; the process ends without them"),
            }
        }))
    }
}
