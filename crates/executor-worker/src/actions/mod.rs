//! One file per kind of action: from an evaluated body to what a supervisor runs.
//!
//! `shell` and `java` run the user's program, as the job's user where the worker is so told. `fs`, `email` and `ssh` run this program again, as
//! [`crate::run_builtin`]; their files hold what is done there.

pub(crate) mod email;
pub(crate) mod fs;
pub(crate) mod java;
pub(crate) mod shell;
pub(crate) mod ssh;

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::{ActionId, ActionSpec, Configuration, ErrorClass};
use ports::logs::{LogKey, LogStream};
use ports::work::Grant;
use supervisor::{Plan, THIS_BINARY};

use crate::attempt_dir::AttemptDir;
use crate::builtin;
use crate::config::Config;
use crate::failure::{FORBIDDEN_PROPERTY, NOT_AVAILABLE, Refusal, WORKER_TROUBLE, at_start};
use crate::supervise::Context;
use crate::users::Account;

/// The type that is answered without a process.
pub(crate) const NOOP: &str = "noop";

/// Our own property: how many seconds an attempt may take.
const TIMEOUT_PROPERTY: &str = "howdah.action.timeout.seconds";

/// Whether an action runs a program of the user, with files around it, and is planned as that user.
pub(crate) fn is_launched(grant: &Grant) -> bool {
    matches!(&*grant.kind, "shell" | "java")
}

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

/// Puts everything in place for an attempt of that account, and says what its supervisor is to run. Of launched actions
/// this is done by a thread of the account.
pub(crate) async fn plan(
    context: &Context,
    grant: &Grant,
    dir: &AttemptDir,
    account: Option<&Account>,
) -> Result<Plan, Refusal> {
    let builtin = |conf: &Configuration, capture_output: bool| {
        builtin::plan(&context.config, grant, dir, conf, account, capture_output)
    };
    match read(grant)? {
        ActionSpec::Shell(spec) => {
            Ok(as_account(shell::plan(context, grant, dir, &spec).await?, account))
        }
        ActionSpec::Java(spec) => {
            Ok(as_account(java::plan(context, grant, dir, &spec).await?, account))
        }
        ActionSpec::Fs(spec) => builtin(&spec.configuration, false),
        ActionSpec::Email(_) => builtin(&Configuration::new(), false),
        ActionSpec::Ssh(spec) => builtin(&Configuration::new(), spec.capture_output),
        ActionSpec::SubWorkflow(_) | ActionSpec::Noop | ActionSpec::Unavailable { .. } => {
            Err(unavailable(grant))
        }
    }
}

/// A home in the definition stays.
fn as_account(mut plan: Plan, account: Option<&Account>) -> Plan {
    if let Some(account) = account {
        plan.run_as = Some(account.to_plan());
        plan.env.entry("HOME".to_owned()).or_insert_with(|| account.home.clone());
    }
    plan
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
    let logs = log_dir(config, grant);
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
    let program = THIS_BINARY.to_owned();
    let args =
        vec![builtin::BUILTIN_ARGUMENT.to_owned(), dir.path().to_string_lossy().into_owned()];
    Ok(Plan { program, args, ..base_plan(config, grant, dir, conf)? })
}

/// Where an attempt's logs are.
pub(crate) fn log_dir(config: &Config, grant: &Grant) -> PathBuf {
    let action = ActionId { job: grant.job.clone(), name: grant.action.clone() };
    let key = LogKey { action, run: grant.run, attempt: grant.attempt };
    files_local::log_dir(&config.log_root, &key)
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
