//! The front door: Oozie's REST under `/oozie`, Howdah's own API under `/api/v1`.
//!
//! ```text
//!  request ─► guard (size, mode, deadline, panic, metrics) ─► http::*   (Oozie's shapes: beans, filter, dates, log_lines)
//!                                                         └─► api_v1::* (own shapes, OpenAPI)
//!                reads ─► ports::store     commands ─► ports::api ─► the scheduler of this process, or
//!                                                                     balance: all schedulers of a cluster as one
//! ```
//!
//! **Invariants**
//! * Stateless but for the system mode, the balancing algorithm and its state, and counters: any gateway may answer any request.
//! * A handler only ever returns a `Failure`; whether it is shown as Oozie's HTML page with headers or as JSON
//!   is decided once, in `guard`.
//! * Nothing is unbounded: bodies, URLs, pages, followers and the time of a request have named limits.
#![warn(missing_docs)]

mod api_v1;
pub mod balance;
mod beans;
mod caller;
mod config;
mod dates;
mod error;
mod filter;
mod guard;
mod history;
mod http;
mod log_filter;
mod log_lines;
mod mask;
mod metrics;
mod params;
mod read;

use std::sync::Arc;

use axum::Router;

pub use api_v1::openapi_json;
pub use config::{Config, Ports};
pub use dates::{gmt_offset, zone_in_database};
pub use metrics::Metrics;

/// Everything under `/oozie` and `/api/v1`.
pub fn router(config: Config, ports: Ports) -> Router {
    let gateway = Arc::new(config::Gateway::new(config, ports));
    let routes = Router::new().nest("/oozie", http::routes()).nest("/api/v1", api_v1::routes());
    guard::around(routes, gateway.clone()).with_state(gateway)
}
