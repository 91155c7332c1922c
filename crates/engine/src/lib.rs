//! Deciding: pure step functions that turn events into the next state and into wishes (effects).
//!
//! The heart of Howdah. No clock, no input or output, no randomness, no async, no order of hash tables: the same engine
//! runs in production, in tests and simulations, in `howdah explain` and in `howdah replay`.
//!
//! * [`workflow::step`]: one event in, changes and effects out.
//! * [`workflow::outstanding`]: all that a stored state still wants, for a fresh owner.
//! * [`replay`]: a job rebuilt from its history, bit for bit.
//! * [`placement`]: which member of a cluster owns which shard.
//! * [`invariants`]: what must always hold.
#![warn(missing_docs)]

pub mod event;
pub mod invariants;
pub mod placement;
pub mod replay;
pub mod workflow;

pub use event::{Answered, AttemptRef, Effect, Event, Rejection, RerunRequest, Skip, Submission};

/// The engine's version, written beside each history line: replay through another version may differ, and says so.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");
