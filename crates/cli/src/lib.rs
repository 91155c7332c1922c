//! The command line: Oozie's commands with Oozie's output, and ours.
//!
//! * [`args`] holds every command and option, [`prepass`] lets options be written with one dash;
//! * [`oozie`] are Oozie's commands over [`client`], the REST API from the client's side;
//! * [`ours`] are the commands that only Howdah has: a server in one process, a run without a server, and looking inside.
//!
//! **Invariants**
//! * Standard output is data, standard error is everything else.
//! * Oozie's commands end with 0 or 255, ours with 0, 1 (it did not work), 2 (the command line is wrong), 130 (interrupted)
//!   or a code that their help names.
//! * The two entries that workers start as child processes are answered before anything else is set up.
#![warn(missing_docs)]

pub mod args;
pub mod beans;
pub mod client;
pub mod configuration;
pub mod failure;
pub mod http;
pub mod oozie;
pub mod ours;
pub mod prepass;
pub mod terminal;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
pub mod times;

use std::env;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, error::ErrorKind};

use args::{Command, Howdah};
use failure::{Failure, Style};
use oozie::Defines;
use oozie::tables::View;
use terminal::{Environment, Streams, Terminal};

/// The program: answers a worker's child processes at once, everything else is a command line.
pub fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == supervisor::FIRST_ARGUMENT => supervisor::main(arguments),
        Some(first) if first == executor_worker::BUILTIN_ARGUMENT => {
            executor_worker::run_builtin(arguments)
        }
        _ => {
            let words =
                env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            let environment = Environment::of_process();
            ExitCode::from(run(
                words,
                &environment,
                &mut Streams::of_process().terminal(&environment),
            ))
        }
    }
}

/// Reads a command line (without the program's name), does it, and answers the exit code.
pub fn run(mut words: Vec<String>, environment: &Environment, terminal: &mut Terminal<'_>) -> u8 {
    let defines = Defines::taken_from(&mut words);
    let (style, done) = match parsed(&words) {
        Err(failure) => (args::style_of(words.first().map_or("", String::as_str)), Err(failure)),
        Ok(Parsed::Told(text)) => {
            (Style::Ours, terminal.out.write_all(text.as_bytes()).map_err(Failure::from))
        }
        Ok(Parsed::Command(command)) => {
            (command.style(), execute(&command, environment, &defines, terminal))
        }
    };
    let flushed = terminal.out.flush().map_err(Failure::from);
    let Err(failure) = done.and(flushed) else { return 0 };
    let exit = failure.exit(style);
    // When standard error is gone too, the exit code is all that can be told.
    let _gone = failure.tell(style, terminal.err_color, terminal.err);
    exit
}

enum Parsed {
    Command(Box<Command>),
    /// Help or version, asked for.
    Told(String),
}

/// The command that the words say.
fn parsed(words: &[String]) -> Result<Parsed, Failure> {
    let Some(name) = words.first() else {
        return Err(Failure::Usage("missing sub-command".to_owned()));
    };
    let root = Howdah::command();
    let Some(command) = root.find_subcommand(name) else {
        if name.starts_with('-') {
            return matched(words.to_vec());
        }
        return Err(Failure::Usage(format!("invalid sub-command [{name}]")));
    };
    let mut spelled = vec![name.clone()];
    match args::takes_anything(name) {
        true => spelled.extend_from_slice(&words[1..]),
        false => spelled.extend(prepass::to_clap(command, &words[1..]).map_err(Failure::Usage)?),
    }
    matched(spelled)
}

fn matched(words: Vec<String>) -> Result<Parsed, Failure> {
    let command = Howdah::command();
    let name = words.first().cloned().unwrap_or_default();
    let words = std::iter::once("howdah".to_owned()).chain(words);
    let read =
        command.try_get_matches_from(words).and_then(|matches| Howdah::from_arg_matches(&matches));
    match read {
        Ok(howdah) => Ok(Parsed::Command(Box::new(howdah.command))),
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            Ok(Parsed::Told(error.to_string()))
        }
        Err(error) => Err(Failure::Usage(complaint(&name, &error))),
    }
}

/// What is wrong with a command line: of our commands all that clap says, of Oozie's one line, as Oozie has it.
fn complaint(name: &str, error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    match (args::style_of(name), error.kind()) {
        (Style::Ours, _) => text.to_owned(),
        (Style::Oozie, ErrorKind::MissingRequiredArgument) => match choices(name) {
            choices if choices.is_empty() => first_line(text),
            choices => format!("Missing required option: [{}]", choices.join(", ")),
        },
        (Style::Oozie, _) => first_line(text),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The options of which a command takes exactly one, as Oozie writes them.
fn choices(name: &str) -> Vec<String> {
    let mut root = Howdah::command();
    // Building is what puts options into their groups.
    root.build();
    let Some(command) = root.find_subcommand(name) else { return Vec::new() };
    let named = |arg: &&clap::Arg| {
        command.get_groups().any(|group| {
            group.get_id() == args::CHOICE && group.get_args().any(|id| id == arg.get_id())
        })
    };
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter(named);
    shown.filter_map(|arg| arg.get_long()).map(|long| format!("-{long}")).collect()
}

fn execute(
    command: &Command,
    environment: &Environment,
    defines: &Defines,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let client = |connection| oozie::client(connection, environment, defines);
    let view = |zones, verbose| View { zone: oozie::zone(zones, environment), verbose };
    match command {
        Command::Job(job) => oozie::job::run(
            terminal.out,
            job,
            &client(&job.connection)?,
            &view(&job.zones, job.verbose),
        ),
        Command::Jobs(jobs) => oozie::jobs::run(
            terminal.out,
            jobs,
            &client(&jobs.connection)?,
            &view(&jobs.zones, jobs.verbose),
        ),
        Command::Admin(admin) => {
            oozie::admin::run(terminal.out, admin, &client(&admin.connection)?)
        }
        Command::Info(info) => Ok(oozie::info::info(terminal.out, info)?),
        Command::Version => Ok(oozie::info::version(terminal.out)?),
        Command::Help(help) => explained(help.command.as_deref(), terminal),
        Command::Validate(validate) if validate.connection.oozie.is_some() => {
            ours::validate::by_server(terminal.out, &validate.path, &client(&validate.connection)?)
        }
        Command::Validate(validate) => {
            ours::validate::here(terminal, &validate.path, validate.json)
        }
        Command::Standalone(standalone) => ours::standalone::run(standalone, environment, terminal),
        Command::Run(run) => ours::run::run(run, environment, terminal),
        Command::Explain(one) => ours::explain::run(terminal, one, &client(&one.connection)?),
        Command::Logs(logs) => ours::logs::run(terminal, logs, client(&logs.connection)?),
        Command::Events(events) => {
            ours::events::run(terminal, events, &client(&events.connection)?)
        }
        Command::Replay(one) => ours::replay::run(terminal, one, &client(&one.connection)?),
        Command::Completion(completion) => {
            clap_complete::generate(completion.shell, &mut args::command(), "howdah", terminal.out);
            Ok(())
        }
        Command::Sla(_) => Err(oozie::unavailable("sla")),
        Command::Pig(_) => Err(oozie::unavailable("pig")),
        Command::Hive(_) => Err(oozie::unavailable("hive")),
        Command::Sqoop(_) => Err(oozie::unavailable("sqoop")),
        Command::Mapreduce(_) => Err(oozie::unavailable("mapreduce")),
    }
}

/// `help [sub-command]`.
fn explained(name: Option<&str>, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut root = args::command();
    // Building fills in what sub-commands inherit, such as their full name in the usage line.
    root.build();
    let help = match name.map(|name| root.find_subcommand_mut(name).ok_or(name)) {
        None => root.render_long_help(),
        Some(Ok(command)) => command.render_help(),
        Some(Err(name)) => return Err(Failure::Usage(format!("invalid sub-command [{name}]"))),
    };
    Ok(write!(terminal.out, "{help}")?)
}
