//! `replay`: a job's recorded history through the same pure engine, event by event, with what each changed; at the end
//! a clear word whether the engine of this program comes out exactly where the server's rows stand.
//!
//! ```text
//!  recorded: history, rows and definitions from the server ─► follow: engine::replay ─► compare: row by row, field by field
//! ```
//!
//! A history that goes only part of the way (an event of another version, say) is followed as far as that; one whose
//! beginning is missing cannot be followed at all (`HW5008`).

mod compare;
mod follow;
mod recorded;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;

use engine::ENGINE_VERSION;
use serde::Serialize;

use self::compare::{Found, RowDifference, excerpts};
use self::follow::{Changed, Stop};
use self::recorded::Recorded;
use crate::args::OneJob;
use crate::client::Client;
use crate::failure::{FAILED_EXIT, Failure};
use crate::terminal::{Meaning, Terminal, painted};

/// The code of a history that cannot be replayed at all.
const NOT_REPLAYABLE: &str = "HW5008";

/// Does it.
///
/// # Errors
/// The server's refusal, a history that cannot be followed at all, or exit code 1 when it leads elsewhere or breaks off.
pub fn run(terminal: &mut Terminal<'_>, one: &OneJob, client: &Client) -> Result<(), Failure> {
    let told = Told::of(&Recorded::read(client, &one.job)?)?;
    if one.json {
        let text = serde_json::to_string_pretty(&told)
            .map_err(|error| Failure::Plain(error.to_string()))?;
        writeln!(terminal.out, "{text}")?;
    } else {
        told.write(terminal.out, terminal.out_color)?;
    }
    if told.exact { Ok(()) } else { Err(Failure::Quiet(FAILED_EXIT)) }
}

/// Everything that is told about a replay; with `--json`, this.
#[derive(Debug, Serialize)]
struct Told {
    job: String,
    /// The engine that replays.
    engine: &'static str,
    /// How many of the events other engines decided, by their versions.
    other_engines: BTreeMap<String, usize>,
    /// Whether the whole history was replayed and ends where the stored rows stand.
    exact: bool,
    /// How many events were recorded.
    recorded: usize,
    /// Those that were replayed.
    lines: Vec<Changed>,
    /// Where it broke off.
    stopped: Option<Stop>,
    differences: Vec<RowDifference>,
}

impl Told {
    fn of(recorded: &Recorded) -> Result<Told, Failure> {
        let followed = follow::follow(recorded)?;
        let (stopped, differences) = match followed.end {
            Ok(end) => (None, compare::differences(&end, &recorded.stored)),
            Err(stop) => (Some(stop), Vec::new()),
        };
        Ok(Told {
            job: recorded.job.clone(),
            engine: ENGINE_VERSION,
            other_engines: other_engines(recorded),
            exact: stopped.is_none() && differences.is_empty(),
            recorded: recorded.lines.len(),
            lines: followed.lines,
            stopped,
            differences,
        })
    }

    fn write(&self, out: &mut dyn Write, color: bool) -> Result<(), Failure> {
        self.lines.iter().try_for_each(|line| write_line(out, line, color))?;
        let events = if self.recorded == 1 { "event" } else { "events" };
        writeln!(out, "{} {events}; {}", self.recorded, self.verdict(color))?;
        self.differences.iter().try_for_each(|difference| write_difference(out, difference))?;
        if !self.other_engines.is_empty() {
            writeln!(out, "{}", painted(&self.about_engines(), Meaning::Busy, color))?;
        }
        Ok(())
    }

    fn verdict(&self, color: bool) -> String {
        let (words, meaning) = match (&self.stopped, self.differences.len()) {
            (Some(stop), _) => (
                format!(
                    "the replay breaks off at line {} ({}, by engine {}): {}",
                    stop.n, stop.event, stop.engine, stop.why
                ),
                Meaning::Bad,
            ),
            (None, 0) => {
                ("the replay ends exactly where the stored rows stand".to_owned(), Meaning::Good)
            }
            (None, 1) => ("the replay ends elsewhere, in 1 row:".to_owned(), Meaning::Bad),
            (None, rows) => (format!("the replay ends elsewhere, in {rows} rows:"), Meaning::Bad),
        };
        painted(&words, meaning, color)
    }

    /// `events that other engines decided: 3 by 0.0.9; this one is 0.1.0 and may decide otherwise`
    fn about_engines(&self) -> String {
        let count = |(version, events): (&String, &usize)| format!("{events} by {version}");
        let counts: Vec<String> = self.other_engines.iter().map(count).collect();
        format!(
            "events that other engines decided: {}; this one is {ENGINE_VERSION} and may decide otherwise",
            counts.join(", ")
        )
    }
}

fn other_engines(recorded: &Recorded) -> BTreeMap<String, usize> {
    let mut others = BTreeMap::new();
    for line in recorded.lines.iter().filter(|line| line.engine != ENGINE_VERSION) {
        *others.entry(line.engine.clone()).or_default() += 1;
    }
    others
}

fn write_line(out: &mut dyn Write, line: &Changed, color: bool) -> Result<(), Failure> {
    let action = line.action.as_ref().map(|action| format!(" {action}")).unwrap_or_default();
    let number = painted(&format!("{:>6} {}", line.n, line.at), Meaning::Aside, color);
    let engine = match line.engine.as_str() {
        ENGINE_VERSION => String::new(),
        other => painted(&format!(" (engine {other})"), Meaning::Busy, color),
    };
    writeln!(out, "{number} {}{action}{engine}", line.event)?;
    Ok(line.changes.iter().try_for_each(|change| writeln!(out, "         {change}"))?)
}

fn write_difference(out: &mut dyn Write, difference: &RowDifference) -> Result<(), Failure> {
    let row = &difference.row;
    match &difference.found {
        Found::OnlyReplayed => writeln!(out, "  {row}: replayed, but not stored")?,
        Found::OnlyStored => writeln!(out, "  {row}: stored, but not replayed")?,
        Found::Fields { fields } => {
            writeln!(out, "  {row}:")?;
            for field in fields {
                let (replayed, stored) = excerpts(field.replayed.as_ref(), field.stored.as_ref());
                writeln!(out, "    {}: replayed {replayed}, stored {stored}", field.field)?;
            }
        }
    }
    Ok(())
}
