//! Election and membership: who is alive, and which scheduler owns which shard (architecture §3).
//!
//! ```text
//! scheduler ──join, beats──► Replica ── Input ──► Desk (pure: desk/)
//!           ◄──orders───────    │    ◄─ Action ──
//!                               └── Election (etcd): register, decide, watch
//! ```
//! Replicas are equal and there is no leader among them: what is to be is a pure function of what is agreed, and whichever
//! replica comes first writes it by compare-and-set. Losing all of them stops nothing but failover.
#![warn(missing_docs)]

pub mod desk;
mod dial;
mod join;
mod replica;

pub use replica::{Replica, ReplicaConfig};
