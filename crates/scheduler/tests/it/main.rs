//! The scheduler on real databases, with workers made of a few lines: what is acknowledged is stored, what is stored goes
//! on, history rebuilds the rows, and one job's trouble stays that job's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod bench;
mod life;
mod member;
mod purge;
mod takeover;
mod trouble;
