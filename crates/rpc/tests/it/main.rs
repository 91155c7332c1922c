//! Clients against servers over real sockets, with small ports behind the servers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod calls;
mod coordinators;
mod double;
mod generated;
mod ways;
mod work;
