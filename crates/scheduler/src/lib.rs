//! The scheduler: owns shards, turns events into state, and does outside what the state wants.
//!
//! ```text
//!  gateway ── Handle (api) ─┐                              ┌─► outside: applications read, questions answered,
//!                           ├─► Driver ─► engine::step ─┐  │            notifications sent, workers rung
//!  workers ── Sessions ─────┘      ▲                    ▼  │
//!                                  │     turns ─► one batch, fenced, all or nothing ─► Store
//!                                  └───────────── outcome: only now replies, grants, stops leave
//! ```
//! **Invariants**
//! * All writes of a shard go through the one driver that holds it; the only other writer is a take.
//! * No output leaves before the commit of the state it was computed from, refusals and reads of memory included (S-18).
//! * A commit of unknown outcome is never followed by a plain reload: the shard is taken again (S-1).
//! * A member takes what it is told to take, and gives up what it is told to; who may write is the database's word.
//! * One job's trouble stays that job's: a panic in the engine, a row that the database refuses (L-1).
//!
//! Read next: `drive`, which is the loop; `turn` for what one event becomes; `outcomes` for the ends of a commit.

mod api;
mod apps;
mod commands;
mod config;
mod drive;
mod inbox;
mod loading;
mod member;
mod memory;
mod metrics;
mod outcomes;
mod outside;
mod poison;
mod ready;
mod service;
mod sessions;
mod settings;
mod turn;
mod workers;

pub use api::Handle;
pub use config::Config;
pub use member::Ownership;
pub use service::{Ports, Scheduler};
pub use settings::JobSettings;
