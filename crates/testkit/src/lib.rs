//! What tests of several crates share: real neighbours, started and ended with the test.

pub mod cluster;
pub mod etcd;
pub mod nats;
pub mod postgres;
mod process;
pub mod server;
