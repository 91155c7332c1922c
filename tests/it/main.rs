//! End to end: the real binary as child processes, over REST and the command line.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![expect(clippy::print_stderr, reason = "a test that cannot be run here says so")]

mod applications;
mod cluster;
mod command_line;
mod crashes;
mod examples;
mod expected;
mod hostile;
mod replayed;
mod sshd;
mod witness;
