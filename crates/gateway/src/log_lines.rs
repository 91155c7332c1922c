//! A job's history as the lines that `oozie job -log` prints: one line per event, in the layout of Oozie's log.
//!
//! ```text
//! 2026-11-22 14:04:05,123  INFO WorkflowEngine:17 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[etl] JOB[0000…-W] ACTION[0000…-W@fetch] ended well
//! ```
//!
//! The number behind `WorkflowEngine` is that of the line in its shard's history.

use engine::event::{Answered, Event, RerunRequest, Skip, Submission};
use model::job::JobHeader;
use model::{AttemptResult, ErrorClass, Failure, JobStatus, NodeName};
use ports::store::HistoryLine;

use crate::dates;

/// Longest text of one event in a line.
const WORDS_CHARS_MAX: usize = 2_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Info,
    /// It will be tried again, or somebody should know.
    Warn,
    /// It failed.
    Error,
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }
}

/// An event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) level: Level,
    /// The action it is about, if it is about one.
    pub(crate) action: Option<NodeName>,
    /// One line.
    pub(crate) words: String,
    /// Whether a person asked for it: what the audit log shows.
    pub(crate) by_person: bool,
}

/// One log line, without a line break.
pub(crate) fn line(server: &str, job: &JobHeader, entry: &HistoryLine, told: &Told) -> String {
    let action =
        told.action.as_ref().map_or_else(|| "-".to_owned(), |name| format!("{}@{name}", job.id));
    format!(
        "{date} {level:>5} WorkflowEngine:{n} - SERVER[{server}] USER[{user}] GROUP[{group}] TOKEN[-] APP[{app}] JOB[{id}] ACTION[{action}] {words}",
        date = dates::log_date(entry.at),
        level = told.level.as_str(),
        n = entry.n,
        user = job.user,
        group = job.group.as_deref().unwrap_or("-"),
        app = job.app_name,
        id = job.id,
        words = told.words,
    )
}

/// A line of history in words; an event of an engine that we do not know is told by its name.
pub(crate) fn told(entry: &HistoryLine) -> Told {
    match serde_json::from_str::<Event>(&entry.event) {
        Ok(event) => {
            let (level, words) = words(&event);
            Told {
                level,
                action: action_of(&event).cloned(),
                words: one_line(&words),
                by_person: is_by_person(&event),
            }
        }
        Err(_) => Told {
            level: Level::Info,
            action: None,
            words: one_line(&entry.name),
            by_person: false,
        },
    }
}

fn words(event: &Event) -> (Level, String) {
    match event {
        Event::Submitted(submission) => (Level::Info, submitted(submission)),
        Event::Started => (Level::Info, "job started".to_owned()),
        Event::Suspended => (Level::Info, "job suspended".to_owned()),
        Event::Resumed => (Level::Info, "job resumed".to_owned()),
        Event::Killed => (Level::Info, "job killed".to_owned()),
        Event::Rerun(request) => (Level::Info, rerun(request)),
        Event::Answered { answers, .. } => (Level::Info, answered(answers)),
        Event::Claimed { of, claim, .. } => (
            Level::Info,
            format!("attempt {} of run {} is taken by worker {}", of.attempt, of.run, claim.worker),
        ),
        Event::Progressed { external_id, console_url, .. } => {
            (Level::Info, progressed(external_id.as_deref(), console_url.as_deref()))
        }
        Event::Finished { result, .. } => finished(result),
        Event::Returned { token } => {
            (Level::Warn, format!("claim {token} came back unstarted: its worker was restarted"))
        }
        Event::Stopped { token } => {
            (Level::Info, format!("nothing runs under claim {token} any more"))
        }
        Event::ChildRead { child, .. } => {
            (Level::Info, format!("child workflow {} of {} starts", child.id, child.app_path))
        }
        Event::ChildRefused { failure, .. } => (Level::Error, failed(failure)),
        Event::ChildChanged { child, status, .. } => {
            (level_of_child(*status), format!("child workflow {child} is {status}"))
        }
        Event::Woke => (Level::Info, "woke up: a moment came that was waited for".to_owned()),
        Event::Notified { number, delivered: true } => {
            (Level::Info, format!("notification {number} delivered"))
        }
        Event::Notified { number, delivered: false } => {
            (Level::Warn, format!("notification {number} was not delivered"))
        }
        Event::Continued => (Level::Info, "went on entering nodes".to_owned()),
        Event::Quarantined { reason } => {
            (Level::Error, format!("quarantined: {}: {}", reason.code, reason.message))
        }
    }
}

fn action_of(event: &Event) -> Option<&NodeName> {
    match event {
        Event::Answered { action, .. }
        | Event::Claimed { action, .. }
        | Event::Progressed { action, .. }
        | Event::Finished { action, .. }
        | Event::ChildRead { action, .. }
        | Event::ChildRefused { action, .. }
        | Event::ChildChanged { action, .. } => Some(action),
        Event::Submitted(_)
        | Event::Started
        | Event::Suspended
        | Event::Resumed
        | Event::Killed
        | Event::Rerun(_)
        | Event::Returned { .. }
        | Event::Stopped { .. }
        | Event::Woke
        | Event::Notified { .. }
        | Event::Continued
        | Event::Quarantined { .. } => None,
    }
}

fn is_by_person(event: &Event) -> bool {
    match event {
        Event::Submitted(submission) => submission.parent.is_none(),
        Event::Rerun(request) => request.parent.is_none(),
        Event::Started | Event::Suspended | Event::Resumed | Event::Killed => true,
        Event::Answered { .. }
        | Event::Claimed { .. }
        | Event::Progressed { .. }
        | Event::Finished { .. }
        | Event::Returned { .. }
        | Event::Stopped { .. }
        | Event::ChildRead { .. }
        | Event::ChildRefused { .. }
        | Event::ChildChanged { .. }
        | Event::Woke
        | Event::Notified { .. }
        | Event::Continued
        | Event::Quarantined { .. } => false,
    }
}

fn submitted(submission: &Submission) -> String {
    let how = if submission.start { "submitted and started" } else { "submitted" };
    let by = match &submission.parent {
        Some(parent) => format!("action {}@{}", parent.job, parent.action),
        None => submission.user.to_string(),
    };
    format!("job {how} by {by}, application {}", submission.app_path)
}

fn rerun(request: &RerunRequest) -> String {
    match &request.skip {
        Skip::AllButFailed => "job runs again, from what failed".to_owned(),
        Skip::Nodes(nodes) if nodes.is_empty() => "job runs again, from its start".to_owned(),
        Skip::Nodes(nodes) => {
            let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
            format!("job runs again, without {}", names.join(", "))
        }
    }
}

fn answered(answers: &[Answered]) -> String {
    let asked: Vec<String> =
        answers.iter().map(|one| format!("{}({})", one.function, one.args.join(", "))).collect();
    format!("answered: {}", asked.join(", "))
}

fn progressed(external_id: Option<&str>, console_url: Option<&str>) -> String {
    let place = |what: &str, value: Option<&str>| value.map(|value| format!(" {what} {value}"));
    let parts = [place("as", external_id), place("seen at", console_url)];
    format!("runs{}", parts.into_iter().flatten().collect::<String>())
}

fn finished(result: &AttemptResult) -> (Level, String) {
    match result {
        AttemptResult::Succeeded(success) => match &success.external_status {
            Some(status) => (Level::Info, format!("ended well, external status {status}")),
            None => (Level::Info, "ended well".to_owned()),
        },
        AttemptResult::Failed(failure) => (level_of(failure), failed(failure)),
    }
}

fn failed(failure: &Failure) -> String {
    format!("failed: {}: {}", failure.code, failure.message)
}

fn level_of(failure: &Failure) -> Level {
    match failure.class {
        ErrorClass::Transient => Level::Warn,
        ErrorClass::NonTransient | ErrorClass::Error | ErrorClass::Failed => Level::Error,
    }
}

fn level_of_child(status: JobStatus) -> Level {
    match status {
        JobStatus::Failed | JobStatus::Killed => Level::Error,
        JobStatus::Suspended => Level::Warn,
        JobStatus::Prep | JobStatus::Running | JobStatus::Succeeded => Level::Info,
    }
}

/// One line, not too long: a message of an action may hold whole stack traces.
fn one_line(words: &str) -> String {
    let flat = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = words.chars().take(WORDS_CHARS_MAX).map(flat).collect();
    if words.chars().nth(WORDS_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use model::{Phase, Shard, Success, Timestamp, Token};

    use super::*;

    #[track_caller]
    fn check(event: &Event, level: Level, action: Option<&str>, words: &str) {
        let entry = HistoryLine {
            shard: Shard(0),
            n: 7,
            at: Timestamp(0),
            job: "0000001-261122144400000-howdah-W".parse().expect("an id"),
            name: event.name().to_owned(),
            event: serde_json::to_string(event).expect("an event is JSON"),
            engine: "1".to_owned(),
        };
        let told = told(&entry);
        assert_eq!(
            (told.level, told.action.as_ref().map(NodeName::as_str), told.words.as_str()),
            (level, action, words)
        );
    }

    fn ended(result: AttemptResult) -> Event {
        Event::Finished { action: NodeName::new("fetch"), token: Token::new("t"), result }
    }

    fn failure(class: ErrorClass) -> AttemptResult {
        let message = "exit code 1\nsee stderr".to_owned();
        let code = "JA018".to_owned();
        AttemptResult::Failed(Failure {
            class,
            phase: Phase::Check,
            code,
            message,
            data: None,
            external_id: None,
            external_status: None,
        })
    }

    #[test]
    fn events_are_told_in_one_line() {
        check(&Event::Started, Level::Info, None, "job started");
        check(
            &ended(AttemptResult::Succeeded(Success::default())),
            Level::Info,
            Some("fetch"),
            "ended well",
        );
        let words = "failed: JA018: exit code 1 see stderr";
        check(&ended(failure(ErrorClass::Error)), Level::Error, Some("fetch"), words);
        check(&ended(failure(ErrorClass::Transient)), Level::Warn, Some("fetch"), words);
        check(
            &Event::Notified { number: 3, delivered: false },
            Level::Warn,
            None,
            "notification 3 was not delivered",
        );
    }

    #[test]
    fn unknown_events_are_told_by_name_and_long_words_are_cut() {
        let entry = HistoryLine {
            shard: Shard(0),
            n: 1,
            at: Timestamp(0),
            job: "0000001-261122144400000-howdah-W".parse().expect("an id"),
            name: "beamed_up".to_owned(),
            event: r#"{"event":"beamed_up"}"#.to_owned(),
            engine: "9".to_owned(),
        };
        assert_eq!(told(&entry).words, "beamed_up");
        assert_eq!(one_line(&"x".repeat(5_000)).chars().count(), WORDS_CHARS_MAX + 1);
    }
}
