//! What coordinators agree on, kept in etcd: the port [`ports::election::Election`] on etcd 3.4 or newer.
//!
//! ```text
//! /howdah/<namespace>/members/<id>      a scheduler, under its lease       (its create revision is its place in the succession)
//!                     /decided          who owns what, by compare-and-set
//!                     /policy           the policy, copied from the database
//!                     /replicas/<name>  a coordinator, under its lease
//! ```
//!
//! **Invariants**
//! * Reads are linearizable; what is written is written in one transaction that compares revisions.
//! * An entry is replaced, never deleted and put, so that its create revision stays.
//! * The agreement that is handed out is whole: read at revision R, then followed from R + 1. Whenever the watch breaks
//!   off, is silent, or was compacted away, there is none until everything was read again.
//! * What cannot be read (somebody else wrote under our prefix) is as if it were not there, and is told once.
#![warn(missing_docs)]

mod config;
mod election;
mod follow;
mod keys;
mod links;

pub use config::{BadConfig, EtcdConfig};
pub use election::EtcdElection;
