//! The gateway in front of a world in memory: requests in, statuses, headers and bodies out.

#![expect(
    clippy::unwrap_used,
    reason = "a test that finds something else than it expects is to fail"
)]

mod admin;
mod api_v1;
mod balance;
mod client;
mod cluster;
mod double;
mod failover;
mod job;
mod jobs;
mod limits;
mod log;
mod schedulers;
