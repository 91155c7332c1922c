//! `run`: one workflow, here and now, without a server: progress while it runs, and at the end what failed and what it
//! printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chassis::{shutdown, telemetry};
use model::{ActionId, ActionStatus, Configuration, JobId, JobStatus, WorkflowAction, WorkflowJob};
use ports::api::{ApiError, Command, SchedulerApi, SubmitRequest};
use ports::logs::{LogKey, LogStream};
use prometheus_client::registry::Registry;
use serde::Serialize;
use tempfile::TempDir;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::node::Node;
use super::progress::{Progress, Seen};
use super::views::does_work;
use super::{settings, standalone, validate};
use crate::args::Run;
use crate::configuration::{self, USER_NAME};
use crate::failure::{FAILED_EXIT, Failure, INTERRUPTED_EXIT};
use crate::terminal::{Environment, Meaning, Terminal, meaning_of, painted};
use crate::times;

/// The type word of a kill node, whose row carries its message.
const KILL: &str = ":KILL:";
/// What the definition of an application is called.
const DEFINITION: &str = "workflow.xml";
/// Where the application's configuration is by default.
const PROPERTIES: &str = "job.properties";
const APP_PATH: &str = "oozie.wf.application.path";
/// Paths of other kinds of jobs, which properties files of examples carry beside the workflow's.
const OTHER_PATHS: [&str; 2] = ["oozie.coord.application.path", "oozie.bundle.application.path"];
/// What examples expect of a cluster, when nobody says: this machine.
const CLUSTER: [(&str, &str); 3] =
    [("nameNode", "file://"), ("resourceManager", "local"), ("jobTracker", "local")];

/// Between two looks at the job: what a person takes for at once.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long a kill may take until we leave: more than the grace of a stop.
const KILL_WAIT: Duration = Duration::from_secs(15);
/// How long running parts may take to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How many workflows may stand above each other in what is shown: Oozie's limit of depth.
const DEPTH_MAX: usize = 50;
/// What is shown of each stream of a failed action.
const TAIL_BYTES: usize = 8 * 1024;
const TAIL_LINES: usize = 20;

/// Does it.
///
/// # Errors
/// Exit code 1 when the job did not succeed, 130 when it was interrupted, or why it could not be started.
pub fn run(
    run: &Run,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let app_dir = application(&run.app_dir)?;
    let conf = configured(run, &app_dir, &environment.user)?;
    let settings = settings::of_environment(environment)?;
    start_log(environment, terminal.err_color)?;
    let place = Place::of(run)?;
    let ran = standalone::runtime()?.block_on(async {
        let interrupted = shutdown::on_signals()
            .map_err(|error| Failure::Plain(format!("cannot wait for signals: {error}")))?;
        let node = Node::start(
            &settings,
            &place.path,
            &settings.jobs.rules("").base_url,
            &mut Registry::default(),
        )
        .await?;
        let watch = Watch {
            node: &node,
            app_dir: &app_dir,
            user: &environment.user,
            interrupted: &interrupted,
        };
        let ran = watch.run(conf, run.json, terminal).await;
        node.stop(DRAIN).await;
        ran
    });
    place.leave(terminal)?;
    ran
}

/// The application's whole path.
fn application(directory: &Path) -> Result<PathBuf, Failure> {
    let missing = |what: String| {
        Failure::coded("HW5006", what)
            .with_help(format!("name a directory with a {DEFINITION} in it"))
    };
    let path = fs::canonicalize(directory)
        .map_err(|error| missing(format!("{}: {error}", directory.display())))?;
    if path.join(DEFINITION).is_file() {
        return Ok(path);
    }
    Err(missing(format!("{} is not an application: it has no {DEFINITION}", directory.display())))
}

/// The job's configuration: the file (`job.properties` beside the definition unless told), `-D` over it, and what only
/// this machine knows.
fn configured(run: &Run, app_dir: &Path, user: &str) -> Result<Configuration, Failure> {
    let beside = app_dir.join(PROPERTIES);
    let beside = beside.is_file().then(|| beside.display().to_string());
    let file = run.configured.config.clone().or(beside);
    let mut conf = match (&file, &run.configured.define) {
        (None, defines) if defines.is_empty() => Configuration::from_iter([(USER_NAME, user)]),
        (file, defines) => configuration::gathered(file.as_deref(), defines, user)?,
    };
    OTHER_PATHS.iter().for_each(|path| drop(conf.remove(path)));
    conf.set(APP_PATH, format!("file://{}", app_dir.display()));
    conf.fill_from(&Configuration::from_iter(CLUSTER));
    Ok(conf)
}

/// Nothing but errors disturbs the progress, unless `HOWDAH_LOG` asks.
fn start_log(environment: &Environment, color: bool) -> Result<(), Failure> {
    let level = environment.get("HOWDAH_LOG").unwrap_or("error").to_owned();
    let options = telemetry::Options { level, format: telemetry::Format::Human, color };
    telemetry::start(&options)
        .map(drop)
        .map_err(|error| Failure::coded("HW5004", error.to_string()))
}

/// Where the run keeps everything.
struct Place {
    path: PathBuf,
    temporary: Option<TempDir>,
    told: bool,
}

impl Place {
    fn of(run: &Run) -> Result<Place, Failure> {
        if let Some(path) = &run.data_dir {
            return Ok(Place { path: path.clone(), temporary: None, told: false });
        }
        let made = tempfile::Builder::new().prefix("howdah-run-").tempdir();
        let made = made.map_err(|error| {
            Failure::coded("HW5003", format!("cannot make a temporary directory: {error}"))
        })?;
        let path = made.path().to_owned();
        if !run.keep {
            return Ok(Place { path, temporary: Some(made), told: false });
        }
        Ok(Place { path: made.keep(), temporary: None, told: true })
    }

    /// Takes a temporary directory away, or says where it is kept.
    fn leave(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if self.told {
            writeln!(terminal.err, "kept in {}", self.path.display())?;
        }
        // What a killed action still holds may not be removable at once; the system clears its temporary files.
        drop(self.temporary);
        Ok(())
    }
}

/// A job that is watched until it is over.
struct Watch<'a> {
    node: &'a Node,
    app_dir: &'a Path,
    user: &'a str,
    interrupted: &'a CancellationToken,
}

impl Watch<'_> {
    async fn run(
        &self,
        conf: Configuration,
        json: bool,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let request = SubmitRequest { conf, user: self.user.to_owned(), start: true, key: None };
        let job = match self.node.scheduler.submit(request).await {
            Ok(job) => job,
            Err(error) => return Err(self.refused(&error, terminal)?),
        };
        let mut progress = Progress::default();
        let (end, interrupted) = self.until_over(&job, &mut progress, terminal).await?;
        progress.erase(terminal)?;
        let failed = self.failed(&end, 0).await?;
        if json {
            let text = serde_json::to_string_pretty(&Summary::of(&end, &failed));
            writeln!(terminal.out, "{}", text.map_err(|error| Failure::Plain(error.to_string()))?)?;
        } else {
            tell_failed(&failed, terminal)?;
            writeln!(terminal.out, "{}", summary(&end, terminal.out_color))?;
        }
        match end.header.status {
            JobStatus::Succeeded => Ok(()),
            _ if interrupted => Err(Failure::Quiet(INTERRUPTED_EXIT)),
            _ => Err(Failure::Quiet(FAILED_EXIT)),
        }
    }

    /// Shows every finding of a refused definition; what is left to say is the refusal itself.
    fn refused(&self, error: &ApiError, terminal: &mut Terminal<'_>) -> Result<Failure, Failure> {
        if error.diagnostics.is_empty() {
            return Ok(Failure::coded(error.code.clone(), error.message.clone()));
        }
        let file = validate::check(&self.app_dir.join(DEFINITION))?;
        for diagnostic in &error.diagnostics {
            write!(terminal.err, "{}", validate::picture(&file, diagnostic, terminal.err_color))?;
        }
        let (count, path) = (error.diagnostics.len(), self.app_dir.join(DEFINITION));
        let mistakes =
            if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
        Ok(Failure::coded(
            error.code.clone(),
            format!("{} is refused for {mistakes}", path.display()),
        ))
    }

    /// Watches until the job is over; an interrupt kills it first. Answers the end, and whether it was interrupted.
    async fn until_over(
        &self,
        job: &JobId,
        progress: &mut Progress,
        terminal: &mut Terminal<'_>,
    ) -> Result<(Arc<WorkflowJob>, bool), Failure> {
        let mut give_up_at = None;
        loop {
            let now = self.loaded(job).await?;
            let seen = self.seen(&now, 0).await?;
            progress.update(terminal, &seen, self.node.clock.now())?;
            let late = give_up_at.is_some_and(|at| time::Instant::now() > at);
            if now.header.status.is_terminal() && now.header.stopping.is_empty() || late {
                return Ok((now, give_up_at.is_some()));
            }
            if give_up_at.is_none() && self.interrupted.is_cancelled() {
                give_up_at = Some(time::Instant::now() + KILL_WAIT);
                self.kill(job, terminal).await?;
            }
            self.pause(give_up_at.is_some()).await;
        }
    }

    /// Until the next look; an interrupt is looked at at once.
    async fn pause(&self, is_ending: bool) {
        tokio::select! {
            () = time::sleep(LOOK_INTERVAL) => {}
            () = self.interrupted.cancelled(), if !is_ending => {}
        }
    }

    async fn kill(&self, job: &JobId, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        writeln!(terminal.err, "interrupted: ending the job")?;
        let killed = self.node.scheduler.command(job, self.user, Command::Kill).await;
        killed.map_err(|error| Failure::coded(error.code, error.message))
    }

    async fn loaded(&self, job: &JobId) -> Result<Arc<WorkflowJob>, Failure> {
        let loaded = self.node.store.load(job).await;
        let loaded = loaded.map_err(|error| Failure::coded("HW5005", error.to_string()))?;
        loaded.map(Arc::new).ok_or_else(|| Failure::Plain(format!("the job {job} is gone")))
    }

    /// Every action of a job and of its children, in the order in which they were entered.
    async fn seen(&self, job: &WorkflowJob, depth: usize) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for action in in_order(job) {
            seen.push(Seen { job: job.id().clone(), depth, action: Arc::clone(action) });
            if let Some(child) = self.child(action, depth).await? {
                seen.extend(Box::pin(self.seen(&child, depth + 1)).await?);
            }
        }
        Ok(seen)
    }

    async fn child(
        &self,
        action: &WorkflowAction,
        depth: usize,
    ) -> Result<Option<Arc<WorkflowJob>>, Failure> {
        match &action.child {
            Some(child) if depth < DEPTH_MAX => self.loaded(child).await.map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// What failed in a job and in its children, with the end of what it printed.
    async fn failed(&self, job: &WorkflowJob, depth: usize) -> Result<Vec<Failed>, Failure> {
        let mut failed = Vec::new();
        for action in in_order(job)
            .into_iter()
            .filter(|action| action.error_code.is_some() && !went_well(action))
        {
            if let Some(child) = self.child(action, depth).await? {
                failed.extend(Box::pin(self.failed(&child, depth + 1)).await?);
            }
            failed.push(self.failure_of(job.id(), action).await);
        }
        Ok(failed)
    }

    async fn failure_of(&self, job: &JobId, action: &WorkflowAction) -> Failed {
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
        let id = ActionId { job: job.clone(), name: action.name.clone() };
        let key = match does_work(&action.kind) {
            true => self.node.logs.attempts(&id).await.ok().and_then(|mut keys| keys.pop()),
            false => None,
        };
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(key) = key {
            stdout = self.tail(&key, LogStream::Stdout).await;
            stderr = self.tail(&key, LogStream::Stderr).await;
        }
        Failed {
            job: job.to_string(),
            is_kill_node: is_kill_node(action),
            action: action.name.to_string(),
            status: action.status.to_string(),
            code: text(&action.error_code),
            message: text(&action.error_message),
            stdout,
            stderr,
        }
    }

    /// The last lines of a stream; a log that cannot be read has none.
    async fn tail(&self, key: &LogKey, stream: LogStream) -> Vec<String> {
        let length = self.node.logs.len(key, stream).await.unwrap_or(0);
        let offset = length.saturating_sub(TAIL_BYTES as u64);
        let bytes = self.node.logs.read(key, stream, offset, TAIL_BYTES).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().map(printable).collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].to_vec()
    }
}

/// A line without what would steer the terminal.
fn printable(line: &str) -> String {
    line.chars()
        .map(|letter| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter })
        .collect()
}

fn went_well(action: &WorkflowAction) -> bool {
    action.status == ActionStatus::Ok && !is_kill_node(action)
}

fn is_kill_node(action: &WorkflowAction) -> bool {
    &*action.kind == KILL
}

fn in_order(job: &WorkflowJob) -> Vec<&Arc<WorkflowAction>> {
    let mut actions: Vec<&Arc<WorkflowAction>> = job.actions.values().collect();
    actions.sort_by_key(|action| (action.created_at, action.started_at));
    actions
}

/// An action that failed.
#[derive(Clone, Debug, Serialize)]
struct Failed {
    job: String,
    #[serde(skip)]
    is_kill_node: bool,
    action: String,
    status: String,
    code: String,
    message: String,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

/// The end of a run.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    job: String,
    name: String,
    status: String,
    duration_ms: i64,
    actions: Vec<ActionEnd>,
    failed: &'a [Failed],
}

#[derive(Debug, Serialize)]
struct ActionEnd {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    duration_ms: Option<i64>,
    data: Option<String>,
}

impl<'a> Summary<'a> {
    fn of(job: &WorkflowJob, failed: &'a [Failed]) -> Summary<'a> {
        let end = |action: &Arc<WorkflowAction>| ActionEnd {
            name: action.name.to_string(),
            kind: action.kind.to_string(),
            status: action.status.to_string(),
            duration_ms: action
                .started_at
                .zip(action.ended_at)
                .map(|(start, end)| end.since_ms(start)),
            data: action.data.as_deref().map(str::to_owned),
        };
        Summary {
            job: job.id().to_string(),
            name: job.header.app_name.to_string(),
            status: job.header.status.to_string(),
            duration_ms: duration_ms(job),
            actions: in_order(job).into_iter().map(end).collect(),
            failed,
        }
    }
}

fn duration_ms(job: &WorkflowJob) -> i64 {
    let header = &job.header;
    let start = header.started_at.unwrap_or(header.created_at);
    header.ended_at.unwrap_or(header.changed_at).since_ms(start)
}

/// `etl SUCCEEDED in 3.2s (7 actions, 0000001-…-W)`
fn summary(job: &WorkflowJob, color: bool) -> String {
    let header = &job.header;
    let status = painted(header.status.as_str(), meaning_of(header.status.as_str()), color);
    let actions = job.actions.values().filter(|action| does_work(&action.kind)).count();
    let plural = if actions == 1 { "" } else { "s" };
    let reason = header
        .reason
        .as_ref()
        .map(|reason| format!(": {}: {}", reason.code, reason.message))
        .unwrap_or_default();
    let took = times::span(duration_ms(job));
    format!(
        "{} {status} in {took} ({actions} action{plural}, {}){reason}",
        header.app_name, header.id
    )
}

fn tell_failed(failed: &[Failed], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let color = terminal.err_color;
    for one in failed {
        let status = painted(&one.status, meaning_of(&one.status), color);
        match one.is_kill_node {
            true => writeln!(
                terminal.err,
                "\n{}: {}",
                painted(&one.action, Meaning::Bad, color),
                one.message
            )?,
            false => {
                writeln!(terminal.err, "\n{} {status} {}: {}", one.action, one.code, one.message)?
            }
        }
        for (name, lines) in [("stdout", &one.stdout), ("stderr", &one.stderr)] {
            let lead = painted(&format!("  {name} |"), Meaning::Aside, color);
            lines.iter().try_for_each(|line| writeln!(terminal.err, "{lead} {line}"))?;
        }
    }
    if failed.is_empty() { Ok(()) } else { Ok(writeln!(terminal.err)?) }
}
