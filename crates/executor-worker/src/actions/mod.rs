//! One file per kind of action: from an evaluated body to what a supervisor runs.
//!
//! `shell` and `java` run the user's program. `fs`, `email` and `ssh` run this program again, as
//! [`crate::run_builtin`]; their files hold what is done there.

pub(crate) mod email;
pub(crate) mod fs;
pub(crate) mod java;
pub(crate) mod shell;
pub(crate) mod ssh;

use std::collections::BTreeMap;
use std::fs as std_fs;

use model::{ActionId, ActionSpec, Configuration, ErrorClass};
use ports::logs::{LogKey, LogStream};
use ports::work::Grant;
use supervisor::Plan;

use crate::attempt_dir::AttemptDir;
use crate::builtin;
use crate::config::Config;
use crate::failure::{
    FORBIDDEN_PROPERTY, NOT_AVAILABLE, Refusal, WORKER_TROUBLE, at_start, of_worker,
};
use crate::supervise::Context;

/// The type that is answered without a process.
pub(crate) const NOOP: &str = "noop";

/// Our own property: how many seconds an attempt may take.
const TIMEOUT_PROPERTY: &str = "howdah.action.timeout.seconds";

/// The typed body of a grant.
pub(crate) fn read(grant: &Grant) -> Result<ActionSpec, Refusal> {
    definition::read_action(&grant.kind, &grant.body).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let code = problems.first().map_or(WORKER_TROUBLE, |problem| problem.code.as_str());
        at_start(
            ErrorClass::Error,
            code,
            format!("the evaluated body cannot be read: {}", all.join("; ")),
        )
    })
}

/// Puts everything in place for an attempt, and says what its supervisor is to run.
pub(crate) async fn plan(
    context: &Context,
    grant: &Grant,
    dir: &AttemptDir,
) -> Result<Plan, Refusal> {
    let config = &context.config;
    match read(grant)? {
        ActionSpec::Shell(spec) => shell::plan(context, grant, dir, &spec).await,
        ActionSpec::Java(spec) => java::plan(context, grant, dir, &spec).await,
        ActionSpec::Fs(spec) => builtin::plan(config, grant, dir, &spec.configuration, false),
        ActionSpec::Email(_) => builtin::plan(config, grant, dir, &Configuration::new(), false),
        ActionSpec::Ssh(spec) => {
            builtin::plan(config, grant, dir, &Configuration::new(), spec.capture_output)
        }
        ActionSpec::SubWorkflow(_) | ActionSpec::Noop | ActionSpec::Unavailable { .. } => {
            Err(unavailable(grant))
        }
    }
}

fn unavailable(grant: &Grant) -> Refusal {
    let message = format!(
        "actions of type `{}` are not yet available here; they are read and checked, but no worker of this version runs them",
        grant.kind
    );
    at_start(ErrorClass::Error, NOT_AVAILABLE, message)
}

/// A plan that still lacks its program, with what all programs get.
fn base_plan(
    config: &Config,
    grant: &Grant,
    dir: &AttemptDir,
    conf: &Configuration,
) -> Result<Plan, Refusal> {
    let logs = files_local::log_dir(&config.log_root, &log_key(grant));
    std_fs::create_dir_all(&logs)
        .map_err(|error| of_worker("cannot make the directory of the logs", &error))?;
    Ok(Plan {
        token: grant.token.to_string(),
        program: String::new(),
        args: Vec::new(),
        env: environment(config, grant),
        working_dir: dir.work(),
        stdout_log: logs.join(LogStream::Stdout.as_str()),
        stderr_log: logs.join(LogStream::Stderr.as_str()),
        log_bytes_max: config.log_bytes_max,
        capture_output_bytes_max: None,
        capture_files: Vec::new(),
        timeout_ms: timeout_ms(conf, &grant.conf)?,
        kill_grace_ms: config.kill_grace_ms,
        run_as: None,
        umask: None,
        lease_ms: None,
    })
}

/// A plan for a built-in action.
pub(crate) fn builtin_plan(
    config: &Config,
    grant: &Grant,
    dir: &AttemptDir,
    conf: &Configuration,
) -> Result<Plan, Refusal> {
    let program = config.supervisor.to_string_lossy().into_owned();
    let args =
        vec![builtin::BUILTIN_ARGUMENT.to_owned(), dir.path().to_string_lossy().into_owned()];
    Ok(Plan { program, args, ..base_plan(config, grant, dir, conf)? })
}

/// Which logs an attempt writes.
pub(crate) fn log_key(grant: &Grant) -> LogKey {
    let action = ActionId { job: grant.job.clone(), name: grant.action.clone() };
    LogKey { action, run: grant.run, attempt: grant.attempt }
}

/// What every program finds in its environment. The working directory is searched first, as Oozie has it.
fn environment(config: &Config, grant: &Grant) -> BTreeMap<String, String> {
    let action_id = format!("{}@{}", grant.job, grant.action);
    let mut env = BTreeMap::from([
        ("PATH", format!(".:{}", config.search_path)),
        ("USER", grant.user.to_string()),
        ("LOGNAME", grant.user.to_string()),
        ("OOZIE_JOB_ID", grant.job.to_string()),
        ("OOZIE_ACTION_ID", action_id),
        ("HOWDAH_JOB_ID", grant.job.to_string()),
        ("HOWDAH_ACTION", grant.action.to_string()),
        ("HOWDAH_RUN", grant.run.to_string()),
        ("HOWDAH_ATTEMPT", grant.attempt.to_string()),
        ("HOWDAH_TOKEN", grant.token.to_string()),
    ]);
    if let Some(traceparent) = &grant.traceparent {
        env.insert("TRACEPARENT", traceparent.clone());
    }
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The action's own wish goes before the job's.
fn timeout_ms(action: &Configuration, job: &Configuration) -> Result<Option<u64>, Refusal> {
    const MS_PER_SECOND: u64 = 1_000;
    let Some(text) = action.get(TIMEOUT_PROPERTY).or_else(|| job.get(TIMEOUT_PROPERTY)) else {
        return Ok(None);
    };
    match text.trim().parse::<u64>() {
        Ok(seconds) if seconds > 0 => Ok(Some(seconds.saturating_mul(MS_PER_SECOND))),
        _ => {
            let message = format!(
                "property [{TIMEOUT_PROPERTY}] is `{text}`; it must be a whole number of seconds above 0"
            );
            Err(at_start(ErrorClass::Error, FORBIDDEN_PROPERTY, message))
        }
    }
}
