//! The worker: claims attempts, runs each under a supervisor of its own, and reports how they ended.
//!
//! ```text
//!  scheduler ◄──── session ────► worker.rs ── one task per attempt ──► supervise.rs ──► supervisor ──► the action
//!                                   │                                     │
//!                                claim.rs: slots, tokens              prepare: localise/, actions/
//!                                spool.rs: what survives a kill -9    outcome.rs: how it ended, in Oozie's words
//! ```
//!
//! * [`Worker`] is the actor; it owns what is held, and is the only one who speaks to the scheduler.
//! * An attempt's directory is `<work_dir>/<job>/<action>/<run>-<attempt>-<token>`; the working directory of its program
//!   is `work` in it.
//! * `fs`, `email` and `ssh` actions run as `<supervisor> __action <attempt directory>`, which comes to [`run_builtin`]:
//!   a child process like any other, that can be stopped and survives the worker.
//!
//! **Invariants**
//! * An attempt is started at most once: only the supervisor that creates the claim in its directory executes anything.
//! * What was granted and is not acknowledged is listed in every `Hello`; results and stops are said again until they are
//!   acknowledged.
//! * A worker that dies leaves its supervisors running; the next one on the same directory adopts them.
//! * No file of an action is put outside its working directory.
//! * What an action does, and what is prepared for it, is done as the job's user (`users.rs`), or the worker was told
//!   otherwise ([`RunAs`]).
#![warn(missing_docs)]

mod actions;
mod attempt_dir;
mod begin;
mod builtin;
mod claim;
mod config;
mod failure;
mod held;
pub mod link;
mod localise;
mod metrics;
mod outcome;
mod session;
mod settings;
mod spool;
mod supervise;
mod tombstones;
mod users;
mod worker;

pub use builtin::{BUILTIN_ARGUMENT, run_builtin, run_builtin_with};
pub use config::{
    CAPTURE_OUTPUT_BYTES_LIMIT, Config, MailConfig, MailSecurity, RunAs, Secret, SshConfig,
};
pub use metrics::Metrics;
pub use settings::{MailSettings, WorkerSettings};
pub use worker::{Ports, Worker};
