//! The programs of a cluster: each service of its own, put together from ports and adapters.
//!
//! | program | what it needs |
//! |---|---|
//! | `howdah-coordinator` | etcd |
//! | `howdah-scheduler` | PostgreSQL, NATS, coordinators |
//! | `howdah-worker` | NATS, coordinators, schedulers |
//! | `howdah-gateway` | coordinators, schedulers |
//! | `howdah-monitor` | PostgreSQL |
//!
//! They are a crate of their own so that each service is a library that knows ports only, and so that `howdah`, which runs
//! without a cluster, is built without etcd, NATS and gRPC.
#![warn(missing_docs)]

mod coordinator_service;
mod gateway_service;
mod links;
mod monitor_service;
mod run;
mod scheduler_service;
mod settings;
mod worker_service;

pub use coordinator_service::Coordinator;
pub use gateway_service::Gateway;
pub use monitor_service::Monitor;
pub use run::{Context, Failure, Running, Service, main};
pub use scheduler_service::Scheduler;
pub use worker_service::Worker;
