//! The two modes as state machines, in tables that the code runs and that `docs/ha.md` is made from.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Who works in active-standby mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Works {
    /// Nobody is there, or nobody may.
    Nobody,
    /// The preferred member.
    Preferred,
    /// Another one.
    Standby,
}

/// What moves the active-standby machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Nobody works and a willing member is there.
    Came,
    /// The working member is gone, frozen, cut off or without the database.
    WorkerLost,
    /// The working member is to leave.
    WorkerDrains,
    /// The preferred member was well for long enough, or a person asked.
    PreferredReady,
}

/// How work moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The best willing member takes at once; the fence shuts the old one out.
    Elect,
    /// The best willing member takes when the old one has released.
    HandOver,
    /// The preferred member takes when the other one has released.
    HandBack,
}

/// Active-standby: state, happening, and how work moves. What is not in here changes nothing.
pub const ACTIVE_STANDBY: [(Works, Happening, Step); 6] = [
    (Works::Nobody, Happening::Came, Step::Elect),
    (Works::Preferred, Happening::WorkerLost, Step::Elect),
    (Works::Preferred, Happening::WorkerDrains, Step::HandOver),
    (Works::Standby, Happening::WorkerLost, Step::Elect),
    (Works::Standby, Happening::WorkerDrains, Step::HandOver),
    (Works::Standby, Happening::PreferredReady, Step::HandBack),
];

/// What one member does in load-balanced mode; the state of the cluster is the set of those that work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalancedState {
    /// It owns nothing.
    Idle,
    /// It owns its share.
    Works,
}

/// What moves one member of the balanced mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalancedHappening {
    /// It is willing, and there are shards that nobody holds.
    Vacancy,
    /// It was well for long enough, or a person asked.
    Ready,
    /// It is gone, frozen, cut off or without the database.
    Lost,
    /// It is to leave.
    Drains,
}

/// Load-balanced: a member's state, what happens to it, its next state, and how its shards move.
pub const BALANCED: [(BalancedState, BalancedHappening, BalancedState, Step); 4] = [
    (BalancedState::Idle, BalancedHappening::Vacancy, BalancedState::Works, Step::Elect),
    (BalancedState::Idle, BalancedHappening::Ready, BalancedState::Works, Step::HandBack),
    (BalancedState::Works, BalancedHappening::Lost, BalancedState::Idle, Step::Elect),
    (BalancedState::Works, BalancedHappening::Drains, BalancedState::Idle, Step::HandOver),
];

/// The row of [`ACTIVE_STANDBY`].
pub(super) fn active_standby(works: Works, happening: Happening) -> Option<Step> {
    let row = ACTIVE_STANDBY.iter().find(|(from, what, _)| *from == works && *what == happening);
    row.map(|(_, _, step)| *step)
}

/// The row of [`BALANCED`].
pub(super) fn balanced(state: BalancedState, happening: BalancedHappening) -> Option<Step> {
    let row = BALANCED.iter().find(|(from, what, ..)| *from == state && *what == happening);
    row.map(|(.., step)| *step)
}

/// Both tables as Markdown, for `docs/ha.md`.
pub fn tables() -> String {
    let mut text =
        "### Active-standby\n\n| works | happens | work moves by |\n|---|---|---|\n".to_owned();
    for (works, happening, step) in ACTIVE_STANDBY {
        writeln!(text, "| {works:?} | {happening:?} | {step:?} |")
            .expect("a String takes every write");
    }
    text.push_str("\n### Load-balanced, for each member\n\n| member | happens | member then | its shards move by |\n|---|---|---|---|\n");
    for (state, happening, next, step) in BALANCED {
        writeln!(text, "| {state:?} | {happening:?} | {next:?} | {step:?} |")
            .expect("a String takes every write");
    }
    text
}
