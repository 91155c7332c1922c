//! `jobs`: lists, and commands to all jobs that match.

use std::io::Write;

use ureq::http::Method;

use super::tables::View;
use super::{schedule_tables, tables};
use crate::args::Jobs;
use crate::beans::JobList;
use crate::client::Client;
use crate::failure::Failure;

/// Does it.
///
/// # Errors
/// The server's refusal, or when the output is gone.
pub fn run(out: &mut dyn Write, jobs: &Jobs, client: &Client, view: &View) -> Result<(), Failure> {
    let kind = jobs.jobtype.as_deref().unwrap_or("wf");
    let (offset, len) = (jobs.offset.unwrap_or(0).to_string(), jobs.len.unwrap_or(0).to_string());
    let page: [(&str, Option<&str>); 2] = [("offset", Some(&offset)), ("len", Some(&len))];
    if let Some((action, done)) = change(jobs) {
        let params = [
            ("action", Some(action)),
            ("filter", jobs.filter.as_deref()),
            ("jobtype", Some(kind)),
            page[0],
            page[1],
        ];
        return changed(out, client.jobs(Method::PUT, &params)?, done, view);
    }
    if let Some(filter) = &jobs.bulk {
        let params = [("bulk", Some(filter.as_str())), page[0], page[1]];
        let rows = client.jobs(Method::GET, &params)?.bulk.unwrap_or_default();
        return Ok(schedule_tables::bulk(out, &rows, view)?);
    }
    let Some(wire) = wire_kind(&kind.to_lowercase()) else { return Ok(()) };
    let params = [("filter", jobs.filter.as_deref()), ("jobtype", Some(wire)), page[0], page[1]];
    let found = client.jobs(Method::GET, &params)?;
    match wire {
        WORKFLOWS => tables::jobs(out, &found.workflows.unwrap_or_default(), view)?,
        COORDINATORS => {
            schedule_tables::coordinators(out, &found.coordinators.unwrap_or_default(), view)?
        }
        _ => schedule_tables::bundles(out, &found.bundles.unwrap_or_default(), view)?,
    }
    Ok(())
}

const WORKFLOWS: &str = "wf";
const COORDINATORS: &str = "coord";
const BUNDLES: &str = "bundle";

/// The kind of job as it is asked for on the wire; a kind that Oozie's client does not know shows nothing there either.
fn wire_kind(kind: &str) -> Option<&'static str> {
    if kind.contains(WORKFLOWS) {
        return Some(WORKFLOWS);
    }
    [COORDINATORS, BUNDLES].into_iter().find(|known| kind.starts_with(known))
}

/// The command to all that match, and its past tense.
fn change(jobs: &Jobs) -> Option<(&'static str, &'static str)> {
    let changes = [
        (jobs.kill, "kill", "killed"),
        (jobs.suspend, "suspend", "suspended"),
        (jobs.resume, "resume", "resumed"),
    ];
    changes.into_iter().find(|(wanted, ..)| *wanted).map(|(_, action, done)| (action, done))
}

/// What was changed, by the one kind of list that the answer has.
fn changed(out: &mut dyn Write, list: JobList, done: &str, view: &View) -> Result<(), Failure> {
    let view = View { verbose: false, ..view.clone() };
    let (workflows, coordinators, bundles) =
        (list.workflows, list.coordinators, list.bundles.unwrap_or_default());
    let count = workflows
        .as_ref()
        .map(Vec::len)
        .or_else(|| coordinators.as_ref().map(Vec::len))
        .unwrap_or(bundles.len());
    if count == 0 {
        return Ok(writeln!(out, "bulk modify command did not modify any jobs")?);
    }
    writeln!(out, "the following jobs have been {done}")?;
    match (workflows, coordinators) {
        (Some(jobs), _) => tables::jobs(out, &jobs, &view)?,
        (None, Some(jobs)) => schedule_tables::coordinators(out, &jobs, &view)?,
        (None, None) => schedule_tables::bundles(out, &bundles, &view)?,
    }
    Ok(())
}
