//! How every Howdah service is run: configuration, telemetry, health, metrics, shutdown.
//!
//! * [`config`]: TOML file, environment and flags over an embedded default; every value knows its origin.
//! * [`telemetry`]: log lines on standard error, for people or as JSON, with a level that can be changed.
//! * [`ready`]: one latch per dependency; a service is ready when all of them are set.
//! * [`admin`]: `/live`, `/ready`, `/metrics`, `/version`, `/log-level`.
//! * [`serve`]: HTTP with bounded connections and bounded patience.
//! * [`shutdown`]: the first signal asks everybody to finish, the second ends the process.
//!
//! Nothing in here knows a workflow.
#![warn(missing_docs)]

pub mod admin;
pub mod config;
mod nearest;
pub mod ready;
pub mod serve;
pub mod shutdown;
pub mod telemetry;
mod units;

pub use ready::{Latch, Readiness};
pub use units::{ByteSize, HumanDuration};
