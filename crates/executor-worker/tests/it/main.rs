//! The real worker with real supervisors, driven by a scheduler that this test plays.

mod builtins;
mod harness;
mod launched;
mod life;
