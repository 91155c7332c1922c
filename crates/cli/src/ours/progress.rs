//! The progress of a run, one line for each action: what ended stays, what runs is redrawn in place where a person watches.

use std::collections::BTreeSet;
use std::io;

use model::{ActionStatus, JobId, NodeName, Run, Timestamp, WorkflowAction};

use super::views::does_work;
use crate::terminal::{Meaning, Terminal, meaning_of, painted};
use crate::times;

/// Lines of running actions that are redrawn; a wide fork shows the first ones and a count.
const RUNNING_LINES_MAX: usize = 12;
/// The width of a terminal that does not tell its own.
const WIDTH: usize = 80;

/// An action as it stands now.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its job: the one that was started, or a child.
    pub job: JobId,
    /// How many workflows stand above it.
    pub depth: usize,
    /// The action.
    pub action: std::sync::Arc<WorkflowAction>,
}

/// What was told already.
#[derive(Debug, Default)]
pub struct Progress {
    told: BTreeSet<(JobId, NodeName, Run)>,
    drawn: usize,
}

impl Progress {
    /// Tells what ended since the last time, and draws what runs.
    ///
    /// # Errors
    /// When standard error is gone.
    pub fn update(
        &mut self,
        terminal: &mut Terminal<'_>,
        seen: &[Seen],
        now: Timestamp,
    ) -> io::Result<()> {
        self.erase(terminal)?;
        for seen in seen
            .iter()
            .filter(|seen| does_work(&seen.action.kind) && seen.action.status.is_terminal())
        {
            let key = (seen.job.clone(), seen.action.name.clone(), seen.action.run);
            if self.told.insert(key) {
                writeln!(terminal.err, "{}", line(seen, now, terminal.err_color))?;
            }
        }
        if terminal.watched { self.draw(terminal, seen, now) } else { Ok(()) }
    }

    /// Takes away what runs: the end is told otherwise.
    ///
    /// # Errors
    /// When standard error is gone.
    pub fn erase(&mut self, terminal: &mut Terminal<'_>) -> io::Result<()> {
        if self.drawn > 0 {
            write!(terminal.err, "\x1b[{}A\x1b[J", self.drawn)?;
            self.drawn = 0;
        }
        Ok(())
    }

    fn draw(
        &mut self,
        terminal: &mut Terminal<'_>,
        seen: &[Seen],
        now: Timestamp,
    ) -> io::Result<()> {
        let running: Vec<&Seen> = seen
            .iter()
            .filter(|seen| does_work(&seen.action.kind) && seen.action.is_live())
            .collect();
        let columns = columns();
        for seen in running.iter().take(RUNNING_LINES_MAX) {
            // A line that the terminal breaks would count as two and be left behind.
            let text: String = line(seen, now, false).chars().take(columns).collect();
            writeln!(terminal.err, "{}", painted(&text, Meaning::Busy, terminal.err_color))?;
            self.drawn += 1;
        }
        if let Some(more) = running.len().checked_sub(RUNNING_LINES_MAX).filter(|more| *more > 0) {
            writeln!(terminal.err, "  and {more} more")?;
            self.drawn += 1;
        }
        terminal.err.flush()
    }
}

/// How wide the terminal is, less one column, so that no line touches its edge.
fn columns() -> usize {
    let told = rustix::termios::tcgetwinsize(io::stderr()).map(|size| usize::from(size.ws_col));
    told.ok().filter(|columns| *columns > 0).unwrap_or(WIDTH) - 1
}

/// `  OK          fetch  shell  1.2s`
fn line(seen: &Seen, now: Timestamp, color: bool) -> String {
    let Seen { depth, action, .. } = seen;
    let status = format!("{:<10}", shown_status(action));
    let status = painted(&status, meaning_of(action.status.as_str()), color);
    let took = duration(action, now).map(|took| format!("  {took}")).unwrap_or_default();
    let error = match (&action.error_code, action.status == ActionStatus::Ok) {
        (Some(code), false) => format!("  {}", painted(code, Meaning::Bad, color)),
        (None, _) | (Some(_), true) => String::new(),
    };
    format!(
        "{}  {status}  {:<24} {:<12}{took}{error}",
        "  ".repeat(*depth),
        action.name,
        action.kind
    )
}

/// The status, with the number of the try from the second on.
fn shown_status(action: &WorkflowAction) -> String {
    match (action.attempt.0, action.is_live()) {
        (attempt @ 2.., true) => format!("{} {attempt}", action.status),
        (_, _) => action.status.to_string(),
    }
}

fn duration(action: &WorkflowAction, now: Timestamp) -> Option<String> {
    let started = action.started_at?;
    Some(times::span(action.ended_at.unwrap_or(now).since_ms(started)))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::{Attempt, UserRetry};

    use super::*;

    fn action(name: &str, status: ActionStatus, started: i64, ended: Option<i64>) -> Seen {
        let at = Timestamp(started);
        let action = WorkflowAction {
            name: NodeName::new(name),
            kind: if name.starts_with(':') { ":START:".into() } else { "shell".into() },
            status,
            path: "/".into(),
            run: Run(0),
            attempt: Attempt(1),
            conf: None,
            evaluated: true,
            cred: None,
            transition: None,
            created_at: at,
            started_at: Some(at),
            ended_at: ended.map(Timestamp),
            changed_at: at,
            retries: 0,
            user_retry: UserRetry::default(),
            due_at: None,
            data: None,
            stats: None,
            external_child_ids: None,
            external_id: None,
            external_status: None,
            tracker_uri: None,
            console_url: None,
            error_code: (status == ActionStatus::Error).then(|| "JA018".into()),
            error_message: None,
            claim: None,
            result: None,
            questions: Vec::new(),
            pool: "default".into(),
            priority: 0,
            child: None,
            earlier: Vec::new(),
        };
        let job = "0000001-261122144400000-howdah-W".parse().expect("an id");
        Seen { job, depth: 0, action: action.into() }
    }

    fn check(watched: bool, steps: &[&[Seen]], expected: &Expect) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal =
            Terminal { out: &mut out, err: &mut err, out_color: false, err_color: false, watched };
        let mut progress = Progress::default();
        for seen in steps {
            progress
                .update(&mut terminal, seen, Timestamp(5_000))
                .expect("a vector takes everything");
        }
        let text = String::from_utf8(err).expect("text").replace('\x1b', "ESC");
        // A mark before each line keeps its leading blanks.
        expected.assert_eq(&text.lines().map(|line| format!("|{line}\n")).collect::<String>());
    }

    #[test]
    fn each_action_is_told_once_when_it_ended() {
        let start = action(":start:", ActionStatus::Ok, 0, Some(0));
        let running = action("fetch", ActionStatus::Running, 1_000, None);
        let ok = action("fetch", ActionStatus::Ok, 1_000, Some(3_200));
        let failed = action("clean", ActionStatus::Error, 3_200, Some(3_300));
        check(
            false,
            &[&[start.clone(), running], &[start.clone(), ok.clone()], &[start, ok, failed]],
            &expect![[r#"
                |  OK          fetch                    shell         2.2s
                |  ERROR       clean                    shell         100ms  JA018
            "#]],
        );
    }

    #[test]
    fn what_runs_is_redrawn_in_place() {
        let running = action("fetch", ActionStatus::Running, 1_000, None);
        let ok = action("fetch", ActionStatus::Ok, 1_000, Some(3_200));
        check(
            true,
            &[&[running], &[ok]],
            &expect![[r#"
                |  RUNNING     fetch                    shell         4.0s
                |ESC[1AESC[J  OK          fetch                    shell         2.2s
            "#]],
        );
    }
}
