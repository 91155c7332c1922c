//! Services speak gRPC: clients and servers for the ports, and the only crate that knows the wire.
//!
//! ```text
//! gateway, worker ── SchedulerClient ─────► serve_scheduler ──── scheduler
//!                    (SchedulerApi, PolicyApi, Reads, WorkSource)
//! scheduler, gateway, worker ── MembershipClient ─► serve_coordinator ─── coordinator
//!                               (Membership, ClusterMaps)
//! ```
//!
//! **Invariants**
//! * What is public speaks of `ports` and `model`; generated code and `tonic` stay inside.
//! * A refusal arrives as it was given: kind, code, words and findings.
//! * A call that never reached its server can be told from one that broke off ([`Reach`]): only the first may be made again
//!   elsewhere without an idempotency key.
//! * Every wait, queue and message has a bound.
#![warn(missing_docs)]

mod connect;
mod convert;
mod dial;
mod membership;
mod refused;
mod scheduler_client;
mod server;
mod session;
pub mod trace;
mod wire;

pub use connect::{BadAddress, Options};
pub use membership::MembershipClient;
pub use refused::{BROKE_OFF, MISUNDERSTOOD, NOT_REACHED, Reach};
pub use scheduler_client::SchedulerClient;
pub use server::{
    CountCalls, SchedulerPorts, ServeError, Uncounted, serve_coordinator, serve_scheduler,
};

/// Longest message each way: a definition or configuration of the greatest allowed length fits with room to spare; what may
/// be longer (jobs, pages, history, grants) goes in pieces.
const MESSAGE_BYTES_MAX: usize = 32 << 20;
