//! The real worker with real supervisors, driven by a scheduler that this test plays.

mod binary;
mod builtins;
mod harness;
mod launched;
mod life;
mod link;
mod users;
