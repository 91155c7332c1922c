//! `howdah-monitor`: reads the database and tells what it sees.

use std::sync::Arc;

use chassis::config::Settings as Layers;
use files_local::{SystemClock, SystemEntropy};
use serde::Deserialize;

use crate::links;
use crate::run::{Context, Failure, Running, Service};
use crate::settings::Store;

#[derive(Deserialize)]
struct Settings {
    store: Store,
}

/// See the module.
#[derive(Debug)]
pub struct Monitor;

impl Service for Monitor {
    const PROGRAM: &'static str = "howdah-monitor";
    const DEFAULTS: &'static str = include_str!("monitor.toml");

    async fn start(context: &mut Context, layers: &Layers) -> Result<Running, Failure> {
        let settings: Settings = layers.read().map_err(Failure::config)?;
        let store = links::store(&settings.store, &SystemClock, &SystemEntropy).await?;
        let shutdown = context.shutdown.clone();
        let running =
            monitor::Monitor::start(Arc::clone(&store) as _, &mut context.registry, shutdown);
        Ok(Box::pin(async move {
            if let Err(error) = running.await {
                tracing::error!(%error, "the monitor ended");
            }
        }))
    }
}
