//! What tests of several crates share: real neighbours, started and ended with the test.

pub mod postgres;
pub mod server;
