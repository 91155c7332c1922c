//! Bad input gets a clear error, and nobody else is disturbed.
//!
//! Every case happens to a running server while a job of somebody else is in flight: that job must end well, in its usual
//! time. The case itself ends in an error with a code of `docs/errors/`, or in the quarantine of that one job.

mod bench;
mod configurations;
mod definitions;
mod http;
mod places;
mod poison;
mod programs;
