//! End to end: the real binary as child processes, over REST and the command line.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod applications;
mod crashes;
mod examples;
mod hostile;
mod replayed;
mod witness;
