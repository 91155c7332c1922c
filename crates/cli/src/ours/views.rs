//! What `/api/v1` tells, as far as the command line shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job with its actions.
#[derive(Clone, Debug, Deserialize)]
pub struct JobView {
    /// Oozie's word.
    pub status: String,
    /// Whether it is over until somebody reruns it.
    pub over: bool,
    /// In the order in which they started.
    pub actions: Vec<ActionView>,
    /// Everything else.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// An action.
#[derive(Clone, Debug, Deserialize)]
pub struct ActionView {
    /// Its node's name.
    pub name: String,
    /// `shell`, `switch`, `:FORK:`, ...
    pub kind: String,
    /// When it started, RFC 3339 in UTC.
    pub started_at: Option<String>,
}

/// A page of history.
#[derive(Clone, Debug, Deserialize)]
pub struct HistoryPage {
    /// Oldest first.
    pub lines: Vec<LineView>,
    /// Where the next page begins; nothing at the end.
    pub next_after: Option<i64>,
}

/// One event of a job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LineView {
    /// Its number.
    pub n: i64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The kind of event.
    pub name: String,
    /// The action it is about.
    pub action: Option<String>,
    /// `INFO`, `WARN` or `ERROR`.
    pub level: String,
    /// In words.
    pub text: String,
    /// As it is stored.
    pub event: Value,
    /// The engine that decided.
    pub engine: String,
}

/// Why a job is not moving.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Explanation {
    /// The job.
    pub job: String,
    /// Its status.
    pub status: String,
    /// One sentence about the whole.
    pub summary: String,
    /// One entry for each thing that is waited for.
    pub waits: Vec<Wait>,
}

/// One thing that is waited for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Wait {
    /// The action, or nothing when the job itself waits.
    pub action: Option<String>,
    /// Its attempt.
    pub attempt: Option<u32>,
    /// Its status.
    pub status: Option<String>,
    /// For what.
    pub waiting_for: String,
    /// Since when.
    pub since: String,
    /// Until when at most.
    pub until: Option<String>,
}

impl ActionView {
    /// Whether something outside of the engine runs for it: not a node that only steers.
    pub fn does_work(&self) -> bool {
        does_work(&self.kind)
    }
}

/// Whether a node of this type does work, rather than only steer the flow.
pub fn does_work(kind: &str) -> bool {
    !kind.starts_with(':') && kind != "switch"
}
