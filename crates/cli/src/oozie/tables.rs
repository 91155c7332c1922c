//! What Oozie's client prints about workflows, byte for byte: scripts cut columns out of it (census §6).

use std::io::{self, Write};

use crate::beans::{Retry, WorkflowAction, WorkflowJob};
use crate::times::Zone;

/// The line between parts: as long as Oozie's.
pub const RULER: &str = "------------------------------------------------------------------------------------------------------------------------------------";
/// What is shown for something that is missing.
const MISSING: &str = "-";
/// What Java shows for a missing text that is printed plainly.
const NULL: &str = "null";

/// How things are shown.
#[derive(Clone, Debug)]
pub struct View {
    /// In which zone times are shown.
    pub zone: Zone,
    /// Whether everything is shown, separated by tabs.
    pub verbose: bool,
}

impl View {
    pub(crate) fn date(&self, date: Option<&String>) -> String {
        self.zone.shown(date.map(String::as_str), self.verbose)
    }

    /// To the minute, whatever was asked.
    pub(crate) fn minute(&self, date: Option<&String>) -> String {
        self.zone.shown(date.map(String::as_str), false)
    }
}

/// The text, or a dash when it is missing or empty.
pub(crate) fn masked(text: Option<&String>) -> &str {
    text.map(String::as_str).filter(|text| !text.is_empty()).unwrap_or(MISSING)
}

/// The text, or Java's word for nothing.
pub(crate) fn plain(text: Option<&String>) -> &str {
    text.map_or(NULL, String::as_str)
}

/// A line of tab separated cells, with the ruler below it.
pub(crate) fn tabbed(out: &mut dyn Write, cells: &[&str]) -> io::Result<()> {
    writeln!(out, "{}\n{RULER}", cells.join("\t"))
}

/// `job -info` of a workflow.
pub fn job(out: &mut dyn Write, job: &WorkflowJob, view: &View) -> io::Result<()> {
    writeln!(out, "Job ID : {}\n{RULER}", masked(job.id.as_ref()))?;
    writeln!(out, "Workflow Name : {}", masked(job.app_name.as_ref()))?;
    writeln!(out, "App Path      : {}", masked(job.app_path.as_ref()))?;
    writeln!(out, "Status        : {}", plain(job.status.as_ref()))?;
    writeln!(out, "Run           : {}", job.run)?;
    writeln!(out, "User          : {}", masked(job.user.as_ref()))?;
    writeln!(out, "Group         : {}", masked(job.group.as_ref()))?;
    writeln!(out, "Created       : {}", view.date(job.created_time.as_ref()))?;
    writeln!(out, "Started       : {}", view.date(job.start_time.as_ref()))?;
    writeln!(out, "Last Modified : {}", view.date(job.last_mod_time.as_ref()))?;
    writeln!(out, "Ended         : {}", view.date(job.end_time.as_ref()))?;
    writeln!(out, "CoordAction ID: {}", masked(job.parent_id.as_ref()))?;
    if job.actions.is_empty() {
        return writeln!(out, "{RULER}\n");
    }
    writeln!(out, "\nActions\n{RULER}")?;
    if view.verbose {
        actions_in_full(out, &job.actions, view)?
    } else {
        actions(out, &job.actions)?
    }
    writeln!(out)
}

fn actions(out: &mut dyn Write, actions: &[WorkflowAction]) -> io::Result<()> {
    let mut row = |id: &str, status: &str, external: &str, external_status: &str, code: &str| {
        writeln!(out, "{id:<78}{status:<10}{external:<23}{external_status:<11}{code:<10}\n{RULER}")
    };
    row("ID", "Status", "Ext ID", "Ext Status", "Err Code")?;
    actions.iter().try_for_each(|action| {
        let (external, external_status) =
            (masked(action.external_id.as_ref()), masked(action.external_status.as_ref()));
        let (status, code) = (plain(action.status.as_ref()), masked(action.error_code.as_ref()));
        row(masked(action.id.as_ref()), status, external, external_status, code)
    })
}

fn actions_in_full(out: &mut dyn Write, actions: &[WorkflowAction], view: &View) -> io::Result<()> {
    tabbed(
        out,
        &[
            "ID",
            "Console URL",
            "Error Code",
            "Error Message",
            "External ID",
            "External Status",
            "Name",
            "Retries",
            "Tracker URI",
            "Type",
            "Started",
            "Status",
            "Ended",
        ],
    )?;
    actions.iter().try_for_each(|action| {
        tabbed(
            out,
            &[
                masked(action.id.as_ref()),
                masked(action.console_url.as_ref()),
                masked(action.error_code.as_ref()),
                masked(action.error_message.as_ref()),
                masked(action.external_id.as_ref()),
                masked(action.external_status.as_ref()),
                masked(action.name.as_ref()),
                &action.retries.to_string(),
                masked(action.tracker_uri.as_ref()),
                masked(action.kind.as_ref()),
                &view.date(action.start_time.as_ref()),
                plain(action.status.as_ref()),
                &view.date(action.end_time.as_ref()),
            ],
        )
    })
}

/// `job -info` of a workflow's action.
pub fn action(out: &mut dyn Write, action: &WorkflowAction, view: &View) -> io::Result<()> {
    writeln!(out, "ID : {}\n{RULER}", masked(action.id.as_ref()))?;
    writeln!(out, "Console URL       : {}", masked(action.console_url.as_ref()))?;
    writeln!(out, "Error Code        : {}", masked(action.error_code.as_ref()))?;
    writeln!(out, "Error Message     : {}", masked(action.error_message.as_ref()))?;
    writeln!(out, "External ID       : {}", masked(action.external_id.as_ref()))?;
    writeln!(out, "External Status   : {}", masked(action.external_status.as_ref()))?;
    writeln!(out, "Name              : {}", masked(action.name.as_ref()))?;
    writeln!(out, "Retries           : {}", action.user_retry_count)?;
    writeln!(out, "Tracker URI       : {}", masked(action.tracker_uri.as_ref()))?;
    writeln!(out, "Type              : {}", masked(action.kind.as_ref()))?;
    writeln!(out, "Started           : {}", view.date(action.start_time.as_ref()))?;
    writeln!(out, "Status            : {}", plain(action.status.as_ref()))?;
    writeln!(out, "Ended             : {}", view.date(action.end_time.as_ref()))?;
    if view.verbose {
        writeln!(out, "External Stats    : {}", plain(action.stats.as_ref()))?;
        writeln!(out, "External ChildIDs : {}", plain(action.external_child_ids.as_ref()))?;
    }
    writeln!(out, "{RULER}")
}

/// `job -retries`.
pub fn retries(out: &mut dyn Write, action: &str, retries: &[Retry]) -> io::Result<()> {
    writeln!(out, "ID : {action}")?;
    if retries.is_empty() {
        writeln!(out, "No Retries")?;
    }
    for retry in retries {
        writeln!(out, "{RULER}\nAttempt        : {}", plain(retry.attempt.0.as_ref()))?;
        writeln!(out, "Start Time     : {}", plain(retry.start_time.as_ref()))?;
        writeln!(out, "End Time       : {}", plain(retry.end_time.as_ref()))?;
        let further = [
            ("Console URL    ", &retry.console_url),
            ("Child URL      ", &retry.external_child_ids),
        ];
        for (label, text) in
            further.iter().filter_map(|(label, text)| Some((label, text.as_ref()?)))
        {
            writeln!(out, "{label}: {text}")?;
        }
    }
    writeln!(out, "{RULER}")
}

/// A list of jobs in one of its two forms.
pub fn listed<J>(
    out: &mut dyn Write,
    jobs: &[J],
    view: &View,
    in_full: fn(&mut dyn Write, &[J], &View) -> io::Result<()>,
    in_short: fn(&mut dyn Write, &[J], &View) -> io::Result<()>,
) -> io::Result<()> {
    match (jobs.is_empty(), view.verbose) {
        (true, _) => writeln!(out, "No Jobs match your criteria!"),
        (false, true) => in_full(out, jobs, view),
        (false, false) => in_short(out, jobs, view),
    }
}

/// `jobs`: workflows.
pub fn jobs(out: &mut dyn Write, jobs: &[WorkflowJob], view: &View) -> io::Result<()> {
    listed(out, jobs, view, jobs_in_full, jobs_in_short)
}

fn jobs_in_short(out: &mut dyn Write, jobs: &[WorkflowJob], view: &View) -> io::Result<()> {
    let mut row = |cells: [&str; 7]| {
        let [id, name, status, user, group, started, ended] = cells;
        writeln!(
            out,
            "{id:<41}{name:<13}{status:<10}{user:<10}{group:<10}{started:<24}{ended:<24}\n{RULER}"
        )
    };
    row(["Job ID", "App Name", "Status", "User", "Group", "Started", "Ended"])?;
    jobs.iter().try_for_each(|job| {
        row([
            masked(job.id.as_ref()),
            masked(job.app_name.as_ref()),
            plain(job.status.as_ref()),
            masked(job.user.as_ref()),
            masked(job.group.as_ref()),
            &view.date(job.start_time.as_ref()),
            &view.date(job.end_time.as_ref()),
        ])
    })
}

fn jobs_in_full(out: &mut dyn Write, jobs: &[WorkflowJob], view: &View) -> io::Result<()> {
    tabbed(
        out,
        &[
            "Job ID",
            "App Name",
            "App Path",
            "Console URL",
            "User",
            "Group",
            "Run",
            "Created",
            "Started",
            "Status",
            "Last Modified",
            "Ended",
        ],
    )?;
    jobs.iter().try_for_each(|job| {
        tabbed(
            out,
            &[
                masked(job.id.as_ref()),
                masked(job.app_name.as_ref()),
                masked(job.app_path.as_ref()),
                masked(job.console_url.as_ref()),
                masked(job.user.as_ref()),
                masked(job.group.as_ref()),
                &job.run.to_string(),
                &view.date(job.created_time.as_ref()),
                &view.date(job.start_time.as_ref()),
                plain(job.status.as_ref()),
                &view.date(job.last_mod_time.as_ref()),
                &view.date(job.end_time.as_ref()),
            ],
        )
    })
}

/// `job -info -allruns`: the workflow runs of a coordinator's action.
pub fn runs(out: &mut dyn Write, jobs: &[WorkflowJob], view: &View) -> io::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut row = |id: &str, status: &str, started: &str, ended: &str| {
        writeln!(out, "{id:<41}{status:<10}{started:<24}{ended:<24}\n{RULER}")
    };
    row("Job ID", "Status", "Started", "Ended")?;
    jobs.iter().try_for_each(|job| {
        let (started, ended) =
            (view.minute(job.start_time.as_ref()), view.minute(job.end_time.as_ref()));
        row(masked(job.id.as_ref()), plain(job.status.as_ref()), &started, &ended)
    })
}
