//! Every command and option. Oozie's commands have Oozie's names for them; [`crate::prepass`] lets them be written with
//! one dash.

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::failure::Style;

/// Runs Apache Oozie's workflows, unchanged, and answers its REST API and command line.
///
/// The commands `job`, `jobs`, `admin`, `validate`, `info` and `version` are Oozie's: their options may be written with
/// one dash (`-config job.properties -run`), and a script that calls `oozie` works with an alias.
#[derive(Debug, Parser)]
#[command(
    name = "howdah",
    version,
    term_width = 100,
    args_override_self = true,
    disable_help_subcommand = true
)]
pub struct Howdah {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a server on this machine: scheduler, worker and REST API in one process
    Standalone(Standalone),
    /// Run a workflow application here and now, without a server
    Run(Run),
    /// Submit, run, look at and change a job (Oozie)
    Job(Box<Job>),
    /// List jobs, or kill, suspend and resume many (Oozie)
    Jobs(Jobs),
    /// Check definitions: here, or by a server with `-oozie URL` (Oozie)
    Validate(Validate),
    /// Look at the server (Oozie)
    Admin(Admin),
    /// Say why a job is not moving
    Explain(OneJob),
    /// Show what a job's actions printed
    Logs(Logs),
    /// Show what happened to a job
    Events(Events),
    /// Replay a job's history through the engine, event by event, and compare the end with what is stored
    Replay(OneJob),
    /// List time zones (Oozie)
    Info(Info),
    /// Say which version this is (Oozie)
    Version,
    /// Print a completion script for a shell
    Completion(Completion),
    /// Explain a command (Oozie)
    Help(Help),
    /// Not yet available here (Oozie)
    #[command(hide = true)]
    Sla(Unavailable),
    /// Not yet available here (Oozie)
    #[command(hide = true)]
    Pig(Unavailable),
    /// Not yet available here (Oozie)
    #[command(hide = true)]
    Hive(Unavailable),
    /// Not yet available here (Oozie)
    #[command(hide = true)]
    Sqoop(Unavailable),
    /// Not yet available here (Oozie)
    #[command(hide = true)]
    Mapreduce(Unavailable),
}

/// Which server, and as whom.
#[derive(Clone, Debug, Default, Args)]
pub struct Connection {
    /// The server's address [default: OOZIE_URL, else http://localhost:11000/oozie]
    #[arg(long, value_name = "URL")]
    pub oozie: Option<String>,
    /// How to authenticate: SIMPLE or BASIC [default: OOZIE_AUTH]
    #[arg(long, value_name = "TYPE")]
    pub auth: Option<String>,
    /// The user for BASIC authentication
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The password for BASIC authentication
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// Act as this user
    #[arg(long, value_name = "USER")]
    pub doas: Option<String>,
    /// Accepted for Oozie's sake; certificates are always checked
    #[arg(long, hide = true)]
    pub insecure: bool,
    /// Print each request
    #[arg(long)]
    pub debug: bool,
}

/// In which zone times are shown.
#[derive(Clone, Debug, Default, Args)]
pub struct Zones {
    /// Show times in this zone: `GMT`, `Region/City`, `GMT+05:30` [default: OOZIE_TIMEZONE, else GMT]
    #[arg(long, value_name = "ID")]
    pub timezone: Option<String>,
    /// Show times in the zone of this machine
    #[arg(long)]
    pub localtime: bool,
}

/// The configuration of a job.
#[derive(Clone, Debug, Default, Args)]
pub struct Configured {
    /// A `.properties` or `.xml` file
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Set a property; wins over the file
    #[arg(short = 'D', value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub define: Vec<String>,
}

/// The group of options of which a command takes one.
pub const CHOICE: &str = "what";

/// How `job` is used; what clap would make of its options is longer than a screen.
const JOB_USAGE: &str = "howdah job -run|-submit|-dryrun -config FILE [-D NAME=VALUE]...
       howdah job -info|-log|-definition|-configcontent|-poll JOB [OPTIONS]
       howdah job -start|-suspend|-resume|-kill|-rerun JOB [OPTIONS]";

/// `job`: exactly one of the group says what to do.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new(CHOICE).required(true).multiple(false), override_usage = JOB_USAGE)]
pub struct Job {
    /// Store a job without starting it
    #[arg(long, group = "what")]
    pub submit: bool,
    /// Store a job and start it
    #[arg(long, group = "what")]
    pub run: bool,
    /// Check everything about a job, store nothing
    #[arg(long, group = "what")]
    pub dryrun: bool,
    /// Start a stored job
    #[arg(long, value_name = "JOB", group = "what")]
    pub start: Option<String>,
    /// Let nothing new of a job start
    #[arg(long, value_name = "JOB", group = "what")]
    pub suspend: Option<String>,
    /// Let a suspended job go on
    #[arg(long, value_name = "JOB", group = "what")]
    pub resume: Option<String>,
    /// End a job
    #[arg(long, value_name = "JOB", group = "what")]
    pub kill: Option<String>,
    /// Run a job again
    #[arg(long, value_name = "JOB", group = "what")]
    pub rerun: Option<String>,
    /// Show a job or an action
    #[arg(long, value_name = "ID", group = "what")]
    pub info: Option<String>,
    /// Show a job's log
    #[arg(long, value_name = "JOB", group = "what")]
    pub log: Option<String>,
    /// Show the errors of a job's log
    #[arg(long, value_name = "JOB", group = "what")]
    pub errorlog: Option<String>,
    /// Show who did what to a job
    #[arg(long, value_name = "JOB", group = "what")]
    pub auditlog: Option<String>,
    /// Show a job's definition
    #[arg(long, value_name = "JOB", group = "what")]
    pub definition: Option<String>,
    /// Show a job's configuration
    #[arg(long, value_name = "JOB", group = "what")]
    pub configcontent: Option<String>,
    /// Show the earlier tries of an action
    #[arg(long, value_name = "ACTION", group = "what")]
    pub retries: Option<String>,
    /// Wait until a job is over
    #[arg(long, value_name = "JOB", group = "what")]
    pub poll: Option<String>,
    /// Change a coordinator or bundle, with `-value`
    #[arg(long, value_name = "JOB", group = "what")]
    pub change: Option<String>,
    /// Set a coordinator or its actions aside
    #[arg(long, value_name = "JOB", group = "what")]
    pub ignore: Option<String>,
    /// Read a coordinator's definition again
    #[arg(long, value_name = "JOB", group = "what")]
    pub update: Option<String>,
    /// Show what a coordinator waits for
    #[arg(long, value_name = "JOB", group = "what")]
    pub missingdeps: Option<String>,
    /// Switch on the alerts of a job
    #[arg(long, value_name = "JOBS", group = "what")]
    pub slaenable: Option<String>,
    /// Switch off the alerts of a job
    #[arg(long, value_name = "JOBS", group = "what")]
    pub sladisable: Option<String>,
    /// Change what a job's alerts watch, with `-value`
    #[arg(long, value_name = "JOBS", group = "what")]
    pub slachange: Option<String>,
    /// Not yet available here
    #[arg(long, value_name = "JAR", group = "what", hide = true)]
    pub validatejar: Option<String>,
    /// Not yet available here
    #[arg(long, value_name = "JAR", group = "what", hide = true)]
    pub submitjar: Option<String>,
    /// Not yet available here
    #[arg(long, value_name = "JAR", group = "what", hide = true)]
    pub runjar: Option<String>,
    /// The job's configuration.
    #[command(flatten)]
    pub configured: Configured,
    /// How it is narrowed down.
    #[command(flatten)]
    pub scope: Scope,
    /// Minutes to wait at most, below 1 for ever (with -poll) [default: 30]
    #[arg(long, value_name = "MINUTES")]
    pub timeout: Option<i64>,
    /// Minutes between two looks (with -poll) [default: 5]
    #[arg(long, value_name = "MINUTES")]
    pub interval: Option<i64>,
    /// Show everything, separated by tabs
    #[arg(long)]
    pub verbose: bool,
    /// In which zone.
    #[command(flatten)]
    pub zones: Zones,
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,
}

/// What narrows a job command down.
#[derive(Clone, Debug, Default, Args)]
pub struct Scope {
    /// The first action to show, from 1 (with -info)
    #[arg(long, value_name = "N")]
    pub offset: Option<i64>,
    /// How many actions to show (with -info)
    #[arg(long, value_name = "N")]
    pub len: Option<i64>,
    /// Which coordinator actions (with -info)
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// `desc` for the newest coordinator action first (with -info)
    #[arg(long, value_name = "ORDER")]
    pub order: Option<String>,
    /// Which lines: `recent=2h;loglevel=ERROR;limit=100` (with -log)
    #[arg(long, value_name = "FILTER")]
    pub logfilter: Option<String>,
    /// Which coordinator actions, by number
    #[arg(long, value_name = "NUMBERS")]
    pub action: Option<String>,
    /// Which coordinator actions, by date
    #[arg(long, value_name = "DATES")]
    pub date: Option<String>,
    /// Which coordinators of a bundle
    #[arg(long, value_name = "NAMES")]
    pub coordinator: Option<String>,
    /// The new value (with -change, -slachange)
    #[arg(long, value_name = "VALUE")]
    pub value: Option<String>,
    /// Look for input again (with -rerun)
    #[arg(long)]
    pub refresh: bool,
    /// Keep old output (with -rerun)
    #[arg(long)]
    pub nocleanup: bool,
    /// Rerun only failed workflow actions (with -rerun)
    #[arg(long)]
    pub failed: bool,
    /// Show all workflow runs of a coordinator action (with -info)
    #[arg(long)]
    pub allruns: bool,
    /// Whether to show what changes (with -update)
    #[arg(long, value_name = "BOOLEAN")]
    pub diff: Option<String>,
}

/// `jobs`.
#[derive(Debug, Args)]
pub struct Jobs {
    /// Which: `status=RUNNING;user=joe;name=etl;text=...;startcreatedtime=-2d;sortBy=lastModifiedTime`
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Which kind: wf, coordinator or bundle [default: wf]
    #[arg(long, value_name = "KIND")]
    pub jobtype: Option<String>,
    /// The first job to show, from 1
    #[arg(long, value_name = "N")]
    pub offset: Option<i64>,
    /// How many jobs to show
    #[arg(long, value_name = "N")]
    pub len: Option<i64>,
    /// Kill all that match
    #[arg(long)]
    pub kill: bool,
    /// Suspend all that match
    #[arg(long)]
    pub suspend: bool,
    /// Resume all that match
    #[arg(long)]
    pub resume: bool,
    /// Coordinator actions of a bundle: `bundle=B;actionstatus=FAILED`
    #[arg(long, value_name = "FILTER")]
    pub bulk: Option<String>,
    /// Show everything, separated by tabs
    #[arg(long)]
    pub verbose: bool,
    /// In which zone.
    #[command(flatten)]
    pub zones: Zones,
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,
}

/// `admin`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new(CHOICE).multiple(false))]
pub struct Admin {
    /// Show the server's mode
    #[arg(long, group = "what")]
    pub status: bool,
    /// Show the server's version
    #[arg(long = "version", group = "what")]
    pub server_version: bool,
    /// Change the server's mode: NORMAL, NOWEBSERVICE or SAFEMODE
    #[arg(long, value_name = "MODE", group = "what")]
    pub systemmode: Option<String>,
    /// Show what the server has queued
    #[arg(long, group = "what")]
    pub queuedump: bool,
    /// Show all servers
    #[arg(long, group = "what")]
    pub servers: bool,
    /// Show the server's configuration
    #[arg(long, group = "what")]
    pub configuration: bool,
    /// Show the server's environment
    #[arg(long, group = "what")]
    pub osenv: bool,
    /// Show the server's Java properties
    #[arg(long, group = "what")]
    pub javasysprops: bool,
    /// Show the server's metrics
    #[arg(long, group = "what")]
    pub metrics: bool,
    /// Show the server's instrumentation
    #[arg(long, group = "what")]
    pub instrumentation: bool,
    /// Show the shared libraries, or those that match
    #[arg(long, value_name = "PATTERN", num_args = 0..=1, default_missing_value = "", group = "what")]
    pub shareliblist: Option<String>,
    /// Have the server look for new shared libraries
    #[arg(long, group = "what")]
    pub sharelibupdate: bool,
    /// Delete old jobs: `wf=30;coord=7;bundle=7;limit=100` in days
    #[arg(long, value_name = "AGES", group = "what")]
    pub purge: Option<String>,
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,
}

/// `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// A definition, or a directory with definitions
    #[arg(value_name = "FILE|DIR")]
    pub path: String,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,
}

/// `info`.
#[derive(Debug, Args)]
pub struct Info {
    /// List the time zones that `-timezone` knows
    #[arg(long)]
    pub timezones: bool,
}

/// `standalone`.
#[derive(Debug, Args)]
pub struct Standalone {
    /// Where everything is kept [default: $XDG_DATA_HOME/howdah, else ~/.local/share/howdah]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Where to listen [default: 127.0.0.1:11000]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Actions that run at the same time [default: 4 per processor]
    #[arg(long, value_name = "N")]
    pub slots: Option<String>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every setting with where it comes from, and end
    #[arg(long)]
    pub print_config: bool,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The application's directory: with `workflow.xml`, and perhaps `job.properties` and `lib/`
    #[arg(value_name = "APP_DIR")]
    pub app_dir: PathBuf,
    /// The job's configuration.
    #[command(flatten)]
    pub configured: Configured,
    /// Where to keep everything; implies --keep [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep the temporary directory with the job and its logs
    #[arg(long)]
    pub keep: bool,
    /// Print the end as JSON
    #[arg(long)]
    pub json: bool,
}

/// `explain` and `replay`.
#[derive(Debug, Args)]
pub struct OneJob {
    /// The job's id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// The job's id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Only this action
    #[arg(value_name = "ACTION")]
    pub action: Option<String>,
    /// Go on as more is printed, until the action is over
    #[arg(long, short)]
    pub follow: bool,
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,
}

/// `events`.
#[derive(Debug, Args)]
pub struct Events {
    /// The job's id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Go on as more happens, until the job is over
    #[arg(long, short)]
    pub follow: bool,
    /// Print each event as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// Which server.
    #[command(flatten)]
    pub connection: Connection,
}

/// `completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    pub shell: Shell,
}

/// `help`.
#[derive(Debug, Args)]
pub struct Help {
    /// The command to explain
    pub command: Option<String>,
}

/// A command of Oozie's that is not here yet; whatever is given to it is taken.
#[derive(Debug, Args)]
pub struct Unavailable {
    /// Ignored
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

impl Command {
    /// Whether it speaks as Oozie does.
    pub fn style(&self) -> Style {
        match self {
            Command::Job(_)
            | Command::Jobs(_)
            | Command::Admin(_)
            | Command::Info(_)
            | Command::Version
            | Command::Help(_)
            | Command::Sla(_)
            | Command::Pig(_)
            | Command::Hive(_)
            | Command::Sqoop(_)
            | Command::Mapreduce(_) => Style::Oozie,
            Command::Validate(validate) if validate.connection.oozie.is_some() => Style::Oozie,
            Command::Validate(_)
            | Command::Standalone(_)
            | Command::Run(_)
            | Command::Explain(_)
            | Command::Logs(_)
            | Command::Events(_)
            | Command::Replay(_)
            | Command::Completion(_) => Style::Ours,
        }
    }
}

/// Whether a command of this name speaks as Oozie does when its options cannot even be read.
pub fn style_of(name: &str) -> Style {
    match name {
        "standalone" | "run" | "explain" | "logs" | "events" | "replay" | "completion" => {
            Style::Ours
        }
        _ => Style::Oozie,
    }
}

/// Whether everything after this command's name is taken as it is.
pub fn takes_anything(name: &str) -> bool {
    matches!(name, "sla" | "pig" | "hive" | "sqoop" | "mapreduce")
}

/// The whole command line, for help, completion and [`crate::prepass`].
pub fn command() -> clap::Command {
    Howdah::command()
}
