//! Bells and news over NATS: the only crate that knows it.
//!
//! ```text
//!  scheduler  NatsBells::ring ──► waiting rings ──► publishing task ─┐      ┌─ HOWDAH_<namespace>_WORK, in memory,
//!                                 (one per subject)                 ├─────►┤  at most one bell per subject
//!  worker     Listener::heard ──► one pull per pool ────────────────┘      └─ one durable consumer per pool
//!  scheduler  NatsNews::announce ──► latest of each shard ──► <namespace>.history.<shard> ──► NatsNews::follow  monitor
//! ```
//!
//! **Invariants**
//! * Nothing here is remembered by anybody: each bell and each piece of news may be lost, doubled or late, and whoever
//!   sends it repeats it, or whoever waits for it looks by itself (architecture §1.7, §4).
//! * [`NatsBells::ring`](ports::bell::Bell::ring) and [`NatsNews::announce`] never wait and never fail, whatever NATS does.
//! * A server that cannot be reached is no error, not even at the start. One that can be reached and cannot do what is
//!   needed is refused with a code of its own.
//! * Stream and consumers are made by whoever misses them first, as often as they are lost, at a bounded rate.
#![warn(missing_docs)]

mod config;
mod connection;
mod error;
mod keeper;
mod listener;
mod metrics;
mod names;
mod news;
mod pace;
mod rings;

pub use config::{Config, Credentials, Tls};
pub use connection::Connection;
pub use error::Error;
pub use metrics::Metrics;
pub use news::NatsNews;
pub use rings::NatsBells;
