//! What everybody in Howdah talks about: ids, statuses, definitions, jobs and their actions.
//!
//! Nouns only. Nothing in here reads a clock, touches a file or decides anything; the deciding is `engine`'s.
//!
//! **Invariants**
//! * Every id, number and moment that could be mistaken for another has a type of its own.
//! * Statuses are Oozie's own words and live here and nowhere else.
//! * The serde form of [`job`] and [`action`] is the stored form: it changes by adding fields with defaults
//!   (see `docs/design/serde-in-model.md`).
#![warn(missing_docs)]

pub mod action;
pub mod action_spec;
pub mod app;
pub mod configuration;
pub mod diagnostic;
pub mod id;
pub mod job;
pub mod status;
pub mod time;

pub use action::{
    AttemptResult, Claim, ErrorClass, Failure, Phase, RetryPolicy, Success, UserRetry,
    WorkflowAction,
};
pub use action_spec::ActionSpec;
pub use app::{ActionNode, Node, NodeKind, WorkflowApp};
pub use configuration::Configuration;
pub use diagnostic::{Diagnostic, Location, Severity};
pub use id::{
    ActionId, AppDigest, Attempt, Epoch, JobId, JobKind, MemberId, NodeName, Nonce, Run, Shard,
    Token, WorkerId,
};
pub use job::{ParentRef, WorkflowJob};
pub use status::{ActionStatus, JobStatus};
pub use time::Timestamp;
