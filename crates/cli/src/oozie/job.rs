//! `job`: submit, look at and change one job.

use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::tables::{RULER, View};
use super::{schedule_tables, tables, unavailable};
use crate::args::Job;
use crate::beans::{
    BundleJob, CoordinatorAction, CoordinatorJob, Retry, WorkflowAction, WorkflowJob,
};
use crate::client::{Client, Params};
use crate::configuration;
use crate::failure::Failure;
use crate::http::Answer;
use crate::times::Zone;

/// Bytes of a log that are passed on at a time.
const COPY_BYTES: usize = 64 * 1024;
/// Minutes that `-poll` waits unless told otherwise, and between two looks.
const POLL_TIMEOUT_MINUTES: i64 = 30;
const POLL_INTERVAL_MINUTES: i64 = 5;

/// Does the one thing that is asked for.
///
/// # Errors
/// The server's refusal, a command line that does not fit together, or when the output is gone.
pub fn run(out: &mut dyn Write, job: &Job, client: &Client, view: &View) -> Result<(), Failure> {
    if let Some(done) = submitted(out, job, client) {
        return done;
    }
    let command =
        |id: &str, action| client.command(id, &[("action", Some(action))], None).map(drop);
    match job {
        Job { start: Some(id), .. } => command(id, "start"),
        Job { suspend: Some(id), .. } => command(id, "suspend"),
        Job { resume: Some(id), .. } => command(id, "resume"),
        Job { kill: Some(id), .. } => kill(out, id, job, client),
        Job { rerun: Some(id), .. } => rerun(out, id, job, client),
        Job { info: Some(id), .. } => info(out, id, job, client, view),
        Job { log: Some(id), .. } => log(out, id, job, client),
        Job { errorlog: Some(id), .. } => copied(out, client.job(id, "errorlog", &[])?),
        Job { auditlog: Some(id), .. } => copied(out, client.job(id, "auditlog", &[])?),
        Job { definition: Some(id), .. } => {
            Ok(writeln!(out, "{}", client.job(id, "definition", &[])?.text()?)?)
        }
        Job { configcontent: Some(id), .. } => config_content(out, id, client),
        Job { retries: Some(id), .. } => retries(out, id, client),
        Job { poll: Some(id), .. } => poll(out, id, job, client),
        _ => schedules(out, job, client),
    }
}

/// `-submit`, `-run`, `-dryrun` (unless it belongs to `-update`); `None` when none of them is asked for.
fn submitted(out: &mut dyn Write, job: &Job, client: &Client) -> Option<Result<(), Failure>> {
    let action = match job {
        Job { submit: true, .. } => None,
        Job { run: true, .. } => Some("start"),
        Job { dryrun: true, .. } => Some("dryrun"),
        _ => return None,
    };
    let conf = configuration::gathered(
        job.configured.config.as_deref(),
        &job.configured.define,
        client.user(),
    );
    let answer = conf.and_then(|conf| client.submit(&conf, action));
    Some(answer.and_then(|answer| match action {
        Some("dryrun") => dry_run(out, &answer),
        _ => Ok(writeln!(out, "job: {answer}")?),
    }))
}

/// What a dry run answers: `OK` for a workflow, what was read for a bundle, what would run for a coordinator.
fn dry_run(out: &mut dyn Write, answer: &str) -> Result<(), Failure> {
    if answer == "OK" {
        return Ok(writeln!(out, "OK")?);
    }
    if answer.contains("<bundle-app") {
        return Ok(writeln!(out, "***Bundle job after parsing: ***\n{answer}")?);
    }
    let mut parts = answer.split("action for new instance");
    writeln!(out, "***coordJob after parsing: ***\n{}", parts.next().unwrap_or_default())?;
    let instances: Vec<&str> = parts.collect();
    writeln!(out, "***total coord actions is {} ***", instances.len())?;
    for (index, instance) in instances.iter().enumerate() {
        writeln!(out, "{RULER}\ncoordAction instance: {}:\n{instance}", index + 1)?;
    }
    Ok(())
}

/// The kind of scope that `-date` or `-action` gives, and the scope.
fn scope(job: &Job) -> Result<Option<(&'static str, &str)>, Failure> {
    match (&job.scope.date, &job.scope.action) {
        (Some(_), Some(_)) => Err(Failure::Plain(
            "Invalid options provided for rerun: eitherdate or action expected. Don't use both at the same time."
                .to_owned(),
        )),
        (Some(dates), None) => Ok(Some(("date", dates))),
        (None, Some(numbers)) => Ok(Some(("action", numbers))),
        (None, None) => Ok(None),
    }
}

fn kill(out: &mut dyn Write, id: &str, job: &Job, client: &Client) -> Result<(), Failure> {
    let scope = if id.contains("-C") { scope(job)? } else { None };
    let Some((kind, scope)) = scope else {
        return client.command(id, &[("action", Some("kill"))], None).map(drop);
    };
    let params = [("action", Some("kill")), ("type", Some(kind)), ("scope", Some(scope))];
    touched(out, client.command(id, &params, None)?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Touched {
    actions: Option<Vec<CoordinatorAction>>,
}

fn local() -> View {
    View { zone: Zone::local(), verbose: false }
}

fn touched(out: &mut dyn Write, answer: Answer) -> Result<(), Failure> {
    let actions = answer.json::<Touched>()?.actions.unwrap_or_default();
    Ok(schedule_tables::touched(out, &actions, &local())?)
}

fn rerun(out: &mut dyn Write, id: &str, job: &Job, client: &Client) -> Result<(), Failure> {
    let (file, defines) = (job.configured.config.as_deref(), &job.configured.define);
    let given = configuration::is_given(file, defines);
    let conf = if given {
        configuration::gathered(file, defines, client.user())?
    } else {
        Default::default()
    };
    if id.contains("-W") {
        let params = [("action", Some("rerun")), ("user", Some(client.user()))];
        return client.command(id, &params, Some(&conf)).map(drop);
    }
    let flag = |set: bool| Some(if set { "true" } else { "false" });
    let (refresh, no_cleanup) =
        (("refresh", flag(job.scope.refresh)), ("nocleanup", flag(job.scope.nocleanup)));
    if id.contains("-B") {
        return rerun_bundle(out, id, job, client, &[refresh, no_cleanup]);
    }
    let wanted = "Invalid options provided for rerun: date or action expected.";
    let (kind, scope) = scope(job)?.ok_or_else(|| Failure::Plain(wanted.to_owned()))?;
    let failed = ("failed", flag(job.scope.failed));
    let params = [
        ("action", Some("coord-rerun")),
        ("type", Some(kind)),
        ("scope", Some(scope)),
        refresh,
        no_cleanup,
        failed,
    ];
    touched(out, client.command(id, &params, Some(&conf))?)
}

fn rerun_bundle(
    out: &mut dyn Write,
    id: &str,
    job: &Job,
    client: &Client,
    flags: Params<'_>,
) -> Result<(), Failure> {
    if job.scope.action.is_some() {
        let message =
            "Invalid options provided for bundle rerun. action is not valid for bundle rerun";
        return Err(Failure::Plain(message.to_owned()));
    }
    let (names, dates) = (job.scope.coordinator.as_deref(), job.scope.date.as_deref());
    let mut params =
        vec![("action", Some("bundle-rerun")), ("coord-scope", names), ("date-scope", dates)];
    params.extend_from_slice(flags);
    client.command(id, &params, None)?;
    let dates = dates.unwrap_or("null");
    match names.filter(|names| !names.is_empty()) {
        Some(names) => {
            writeln!(
                out,
                "Coordinators [{names}] of bundle {id} are scheduled to rerun on date ranges [{dates}]."
            )?;
        }
        None => writeln!(
            out,
            "All coordinators of bundle {id} are scheduled to rerun on the date ranges [{dates}]."
        )?,
    }
    Ok(())
}

fn info(
    out: &mut dyn Write,
    id: &str,
    job: &Job,
    client: &Client,
    view: &View,
) -> Result<(), Failure> {
    if id.contains("-C@") {
        return instance_info(out, id, job, client, view);
    }
    if id.ends_with("-C") {
        let page = Page::of(job, -1);
        let params = [
            ("filter", job.scope.filter.as_deref()),
            page.offset(),
            page.len(),
            ("order", job.scope.order.as_deref()),
        ];
        let bean: CoordinatorJob = client.job(id, "info", &params)?.json()?;
        return Ok(schedule_tables::coordinator(out, &bean, view)?);
    }
    if id.ends_with("-B") {
        no_filter(job, "currently not supported for a Bundle job")?;
        let bean: BundleJob = client.job(id, "info", &[])?.json()?;
        return Ok(schedule_tables::bundle(out, &bean, view)?);
    }
    if id.contains("-W@") {
        no_filter(job, "not supported for a Workflow action")?;
        let bean: WorkflowAction = client.job(id, "info", &[])?.json()?;
        return Ok(tables::action(out, &bean, view)?);
    }
    no_filter(job, "currently not supported for a Workflow job")?;
    let page = Page::of(job, 0);
    let bean: WorkflowJob = client.job(id, "info", &[page.offset(), page.len()])?.json()?;
    Ok(tables::job(out, &bean, view)?)
}

fn instance_info(
    out: &mut dyn Write,
    id: &str,
    job: &Job,
    client: &Client,
    view: &View,
) -> Result<(), Failure> {
    if job.scope.allruns {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Runs {
            workflows: Vec<WorkflowJob>,
        }
        let runs: Runs = client.job(id, "allruns", &[])?.json()?;
        return Ok(tables::runs(out, &runs.workflows, view)?);
    }
    no_filter(job, "not supported for a Coordinator action")?;
    let bean: CoordinatorAction = client.job(id, "info", &[])?.json()?;
    Ok(schedule_tables::instance(out, &bean, view)?)
}

fn no_filter(job: &Job, why: &str) -> Result<(), Failure> {
    match job.scope.filter {
        Some(_) => Err(Failure::Plain(format!("Filter option is {why}"))),
        None => Ok(()),
    }
}

/// Which part of a job's actions is asked for.
struct Page {
    offset: String,
    len: String,
}

impl Page {
    fn of(job: &Job, unset: i64) -> Page {
        let text = |number: Option<i64>| number.unwrap_or(unset).to_string();
        Page { offset: text(job.scope.offset), len: text(job.scope.len) }
    }

    fn offset(&self) -> (&'static str, Option<&str>) {
        ("offset", Some(&self.offset))
    }

    fn len(&self) -> (&'static str, Option<&str>) {
        ("len", Some(&self.len))
    }
}

fn log(out: &mut dyn Write, id: &str, job: &Job, client: &Client) -> Result<(), Failure> {
    let filter = ("logfilter", job.scope.logfilter.as_deref());
    let scope = match (&job.scope.date, &job.scope.action) {
        (Some(dates), _) => Some(("date", dates)),
        (None, Some(numbers)) => Some(("action", numbers)),
        (None, None) => None,
    };
    match scope {
        None => copied(out, client.job(id, "log", &[filter])?),
        Some((kind, scope)) if id.contains("-C") => {
            copied(out, client.job(id, "log", &[("type", Some(kind)), ("scope", Some(scope)), filter])?)
        }
        Some(_) => Err(Failure::Plain(
            "Invalid options provided for log retrieval. action and date are valid only for coordinator job log retrieval"
                .to_owned(),
        )),
    }
}

/// Passes a body on as it comes.
fn copied(out: &mut dyn Write, answer: Answer) -> Result<(), Failure> {
    let mut reader = answer.reader();
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Plain(format!("the log broke off: {error}"))),
        };
        out.write_all(&buffer[..count])?;
        out.flush()?;
    }
}

fn config_content(out: &mut dyn Write, id: &str, client: &Client) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Bean {
        conf: Option<String>,
    }
    if !["-W", "-C", "-B"].iter().any(|end| id.ends_with(end)) {
        return Ok(writeln!(out, "ERROR:  job id [{id}] doesn't end with either C or W or B")?);
    }
    let bean: Bean = client.job(id, "info", &[])?.json()?;
    Ok(writeln!(out, "{}", bean.conf.as_deref().unwrap_or("null"))?)
}

fn retries(out: &mut dyn Write, id: &str, client: &Client) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Retries {
        retries: Vec<Retry>,
    }
    let found: Retries = client.job(id, "retries", &[])?.json()?;
    Ok(tables::retries(out, id, &found.retries)?)
}

/// Waits until a job is over or the time is; ends well either way (gotcha 65).
fn poll(out: &mut dyn Write, id: &str, job: &Job, client: &Client) -> Result<(), Failure> {
    let interval = job.interval.unwrap_or(POLL_INTERVAL_MINUTES);
    if interval < 1 {
        return Err(Failure::Plain("interval must be a positive integer".to_owned()));
    }
    let over =
        statuses_that_end(id).ok_or_else(|| Failure::Plain("invalid job type".to_owned()))?;
    let minutes =
        |count: i64| Duration::from_secs(u64::try_from(count).unwrap_or(0).saturating_mul(60));
    let timeout = job.timeout.unwrap_or(POLL_TIMEOUT_MINUTES);
    let end = (timeout >= 1).then(|| Instant::now() + minutes(timeout));
    loop {
        #[derive(Deserialize)]
        struct Bean {
            status: String,
        }
        let status = client.job(id, "status", &[])?.json::<Bean>()?.status;
        if job.verbose {
            writeln!(out, "{status}")?;
        }
        if over.contains(&status.as_str()) || end.is_some_and(|end| Instant::now() > end) {
            return Ok(());
        }
        thread::sleep(minutes(interval));
    }
}

/// In which statuses a job of this id's kind is over.
fn statuses_that_end(id: &str) -> Option<&'static [&'static str]> {
    if id.ends_with("-W") {
        return Some(&["FAILED", "KILLED", "SUCCEEDED"]);
    }
    if id.ends_with("-C") || id.ends_with("-B") {
        return Some(&["DONEWITHERROR", "FAILED", "IGNORED", "KILLED", "SUCCEEDED"]);
    }
    id.contains("-C@").then_some(&[
        "FAILED",
        "KILLED",
        "SUCCEEDED",
        "TIMEDOUT",
        "SKIPPED",
        "IGNORED",
    ])
}

/// What only coordinators and bundles know; a server that has them does it.
fn schedules(out: &mut dyn Write, job: &Job, client: &Client) -> Result<(), Failure> {
    let (action, date) =
        (("action-list", job.scope.action.as_deref()), ("date", job.scope.date.as_deref()));
    let coordinators = ("coordinators", job.scope.coordinator.as_deref());
    let alerts = |id: &str, what, value| {
        client
            .command(
                id,
                &[("action", Some(what)), action, date, coordinators, ("value", value)],
                None,
            )
            .map(drop)
    };
    match job {
        Job { change: Some(id), .. } => {
            let missing = "-value option needs to be specified for -change option";
            let value =
                job.scope.value.as_deref().ok_or_else(|| Failure::Plain(missing.to_owned()))?;
            client
                .command(id, &[("action", Some("change")), ("value", Some(value))], None)
                .map(drop)
        }
        Job { ignore: Some(id), .. } => {
            let params = [
                ("action", Some("ignore")),
                ("type", Some("action")),
                ("scope", job.scope.action.as_deref()),
            ];
            let text = client.command(id, &params, None)?.text()?;
            let answer: Touched = serde_json::from_str(&text).unwrap_or_default();
            Ok(schedule_tables::touched_with_status(
                out,
                &answer.actions.unwrap_or_default(),
                &local(),
            )?)
        }
        Job { slaenable: Some(ids), .. } => alerts(ids, "sla-enable", None),
        Job { sladisable: Some(ids), .. } => alerts(ids, "sla-disable", None),
        Job { slachange: Some(ids), .. } => alerts(ids, "sla-change", job.scope.value.as_deref()),
        Job { update: Some(_), .. } => Err(unavailable("job -update")),
        Job { missingdeps: Some(_), .. } => Err(unavailable("job -missingdeps")),
        _ => Err(unavailable("a job made from a jar")),
    }
}
