//! The coordinator from outside: on a real etcd, and its desk in random weather.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod cluster;
mod random;
mod world;
