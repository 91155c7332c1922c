//! `replay`: a job's recorded history through the same pure engine, event by event, with what each changed; at the end
//! a clear word whether the engine of this program comes out where the server's rows stand.
//!
//! Compared is what the server shows of a job: statuses, runs, attempts, transitions, times and errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use definition::WorkflowSources;
use engine::event::Event;
use engine::workflow::Step;
use model::{AppDigest, Configuration, NodeName, Timestamp, WorkflowApp, WorkflowJob};
use serde::Serialize;

use super::events::history;
use super::explain::moment_ms;
use super::views::{ActionView, JobView, LineView};
use crate::args::OneJob;
use crate::client::Client;
use crate::failure::{FAILED_EXIT, Failure};
use crate::http::path_encoded;
use crate::terminal::{Meaning, Terminal, painted};

/// The property that hands a parent's `<global>` down to its children.
const INHERITED_GLOBAL: &str = "oozie.wf.globalconf";
/// Events of one job that are replayed: a job of ten thousand actions with all their attempts.
const EVENTS_MAX: usize = 200_000;

/// Does it.
///
/// # Errors
/// The server's refusal, a history that this engine cannot follow, or exit code 1 when the ends differ.
pub fn run(terminal: &mut Terminal<'_>, one: &OneJob, client: &Client) -> Result<(), Failure> {
    let path = format!("jobs/{}", path_encoded(&one.job));
    // What happens between the two answers shows up as a difference; a job that is over does not move.
    let lines = recorded(client, &one.job)?;
    let stored: JobView = client.api(&path, &[])?;
    let text = client.api_text(&format!("{path}/definition"), &[])?;
    let replayed = replayed(&lines, &stored, &text)?;
    let differences =
        replayed.end.as_ref().map(|end| differences(end, &stored)).unwrap_or_default();
    if one.json {
        let told = Told { lines: &replayed.lines, differences: &differences };
        let text = serde_json::to_string_pretty(&told)
            .map_err(|error| Failure::Plain(error.to_string()))?;
        writeln!(terminal.out, "{text}")?;
    } else {
        told(terminal, &replayed.lines, &differences)?;
    }
    if differences.is_empty() { Ok(()) } else { Err(Failure::Quiet(FAILED_EXIT)) }
}

fn recorded(client: &Client, job: &str) -> Result<Vec<LineView>, Failure> {
    let mut lines = Vec::new();
    history(client, job, |line| {
        if lines.len() >= EVENTS_MAX {
            return Err(Failure::coded(
                "HW5008",
                format!("the history of {job} has more than {EVENTS_MAX} events"),
            ));
        }
        lines.push(line);
        Ok(())
    })?;
    Ok(lines)
}

/// One event and what it changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Changed {
    n: i64,
    at: String,
    event: String,
    action: Option<String>,
    /// `job: PREP → RUNNING`, `fetch: RUNNING → OK (to clean)`.
    changes: Vec<String>,
}

struct Replayed {
    lines: Vec<Changed>,
    end: Option<WorkflowJob>,
}

#[derive(Serialize)]
struct Told<'a> {
    lines: &'a [Changed],
    differences: &'a [String],
}

fn replayed(lines: &[LineView], stored: &JobView, definition: &str) -> Result<Replayed, Failure> {
    let unreadable = |line: &LineView| {
        format!("line {} ({}) is not an event of this program's engine", line.n, line.name)
    };
    let read = |line: &LineView| {
        let event = serde_json::from_value::<Event>(line.event.clone());
        let at = moment_ms(&line.at).map(Timestamp);
        event.ok().zip(at).ok_or_else(|| Failure::coded("HW5008", unreadable(line)))
    };
    let events: Vec<(Event, Timestamp)> = lines.iter().map(read).collect::<Result<_, _>>()?;
    let app = application(definition, conf_of(&events))?;
    let app_of =
        |digest: &AppDigest| (digest.as_str() == stored.app_digest).then(|| Arc::clone(&app));
    let (mut changed, mut before) = (Vec::with_capacity(lines.len()), BTreeMap::new());
    let history = events.iter().map(|(event, at)| (*at, event));
    let end = engine::replay::replay(history, &app_of, |line, _, step, job| {
        let recorded = &lines[line - 1];
        changed.push(Changed {
            n: recorded.n,
            at: recorded.at.clone(),
            event: recorded.name.clone(),
            action: recorded.action.clone(),
            changes: changes(step, job, &mut before),
        });
    });
    let end = end.map_err(|error| {
        Failure::coded("HW5008", format!("{} cannot be replayed: {error}", stored.id))
            .with_help("a job that was rerun with another definition is replayed only by the server's own checks")
    })?;
    Ok(Replayed { lines: changed, end })
}

/// The configuration that the job has now: of its submit, or of its last rerun.
fn conf_of(events: &[(Event, Timestamp)]) -> Option<&Configuration> {
    events.iter().rev().find_map(|(event, _)| match event {
        Event::Submitted(submission) => Some(submission.conf.as_ref()),
        Event::Rerun(request) => Some(request.conf.as_ref()),
        _ => None,
    })
}

fn application(text: &str, conf: Option<&Configuration>) -> Result<Arc<WorkflowApp>, Failure> {
    let inherited_global = conf.and_then(|conf| conf.get(INHERITED_GLOBAL));
    let sources = WorkflowSources {
        inherited_global,
        validate_fork_join: false,
        ..WorkflowSources::of(text)
    };
    let app = definition::read_workflow(sources).map_err(|found| {
        let first = found.first().map(ToString::to_string).unwrap_or_default();
        Failure::coded("HW5008", format!("this program cannot read the job's definition: {first}"))
    })?;
    Ok(Arc::new(app))
}

/// What a step changed, in words; `before` holds the statuses that were told last.
fn changes(step: &Step, job: &WorkflowJob, before: &mut BTreeMap<String, String>) -> Vec<String> {
    let mut changes = Vec::new();
    let mut put = |who: String, status: String, to: Option<&str>| {
        let former = before.insert(who.clone(), status.clone());
        let to = to.map(|node| format!(" (to {node})")).unwrap_or_default();
        match former {
            Some(former) if former != status => {
                changes.push(format!("{who}: {former} → {status}{to}"))
            }
            Some(_) => {}
            None => changes.push(format!("{who}: {status}{to}")),
        }
    };
    put("job".to_owned(), job.header.status.to_string(), None);
    for action in &step.actions {
        put(action.name.to_string(), action.status.to_string(), action.transition.as_deref());
    }
    for gone in &step.gone {
        before.remove(gone.as_str());
        changes.push(format!("{gone}: gone"));
    }
    changes
}

/// Where the replayed job and the stored one differ.
fn differences(job: &WorkflowJob, stored: &JobView) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: String, replayed: String, stored: String| {
        if replayed != stored {
            found.push(format!("{what}: replayed {replayed}, stored {stored}"));
        }
    };
    compare("status".to_owned(), job.header.status.to_string(), stored.status.clone());
    compare("run".to_owned(), job.header.run.to_string(), stored.run.to_string());
    for view in &stored.actions {
        match job.actions.get(&NodeName::new(view.name.as_str())) {
            None => compare(view.name.clone(), "nothing".to_owned(), view.status.clone()),
            Some(action) => {
                let facts = facts_of(action).into_iter().zip(facts_of_view(view));
                facts.for_each(|((what, replayed), stored)| {
                    compare(format!("{} {what}", view.name), replayed, stored)
                });
            }
        }
    }
    for name in job
        .actions
        .keys()
        .filter(|name| stored.actions.iter().all(|view| view.name != name.as_str()))
    {
        compare(name.to_string(), "there".to_owned(), "nothing".to_owned());
    }
    found
}

fn facts_of(action: &model::WorkflowAction) -> [(&'static str, String); 6] {
    let moment =
        |moment: Option<Timestamp>| shown(moment.map(|moment| moment.to_string()).as_deref());
    [
        ("status", action.status.to_string()),
        ("attempt", action.attempt.to_string()),
        ("transition", shown(action.transition.as_deref())),
        ("start", moment(action.started_at)),
        ("end", moment(action.ended_at)),
        ("error", shown(action.error_code.as_deref())),
    ]
}

fn facts_of_view(view: &ActionView) -> [String; 6] {
    [
        view.status.clone(),
        view.attempt.to_string(),
        shown(view.transition.as_deref()),
        shown(view.started_at.as_deref()),
        shown(view.ended_at.as_deref()),
        shown(view.error.as_ref().map(|error| error.code.as_str())),
    ]
}

fn shown(text: Option<&str>) -> String {
    text.unwrap_or("none").to_owned()
}

fn told(
    terminal: &mut Terminal<'_>,
    lines: &[Changed],
    differences: &[String],
) -> Result<(), Failure> {
    let color = terminal.out_color;
    for line in lines {
        let action = line.action.as_ref().map(|action| format!(" {action}")).unwrap_or_default();
        let number = painted(&format!("{:>6} {}", line.n, line.at), Meaning::Aside, color);
        writeln!(terminal.out, "{number} {}{action}", line.event)?;
        line.changes.iter().try_for_each(|change| writeln!(terminal.out, "         {change}"))?;
    }
    let verdict = match differences.len() {
        0 => painted("the replay ends exactly where the stored rows stand", Meaning::Good, color),
        count => {
            painted(&format!("the replay ends elsewhere, in {count} places:"), Meaning::Bad, color)
        }
    };
    writeln!(terminal.out, "{} events; {verdict}", lines.len())?;
    Ok(differences.iter().try_for_each(|difference| writeln!(terminal.out, "  {difference}"))?)
}
