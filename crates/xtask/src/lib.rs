//! Chores and checks of the project itself. Nothing that is shipped depends on this crate.
//!
//! * [`tidy`]: what no compiler checks, as tests and as a command.
//! * [`errors`]: the error codes that the code uses, and their pages.
//! * [`deny`], [`setup`], [`example_jar`], [`demo`]: what the Makefile calls.
//! * [`workspace`] and [`rust_text`]: the project as data for all of these.

pub mod demo;
pub mod deny;
pub mod errors;
pub mod example_jar;
pub mod rust_text;
pub mod setup;
mod setup_nats;
pub mod tidy;
pub mod workspace;
