//! `shell`: a program, with arguments, environment and captured output (census §1.4).

use std::fs;

use model::ErrorClass;
use model::action_spec::Shell;
use ports::work::Grant;
use supervisor::Plan;

use super::base_plan;
use crate::attempt_dir::AttemptDir;
use crate::failure::{FORBIDDEN_PROPERTY, LAUNCHED_FAILED, Refusal, at_start};
use crate::localise::configuration::ACTION_XML;
use crate::localise::{links, localise};
use crate::supervise::Context;

/// Oozie's launcher class, which its messages name.
pub(crate) const MAIN_CLASS: &str = "org.apache.oozie.action.hadoop.ShellMain";

pub(crate) async fn plan(
    context: &Context,
    grant: &Grant,
    dir: &AttemptDir,
    spec: &Shell,
) -> Result<Plan, Refusal> {
    let (config, name) = (&context.config, last_part(&spec.exec));
    if name.is_empty() {
        let message = "<exec> is empty after its expressions were evaluated; name a program";
        return Err(at_start(ErrorClass::Error, LAUNCHED_FAILED, message));
    }
    let localised = localise(&*context.files, grant, &spec.launch, dir, Some(name)).await?;
    let mut plan = base_plan(config, grant, dir, &localised.conf)?;
    for env_var in &spec.env_vars {
        let (name, value) = split_env_var(env_var)?;
        plan.env.insert(name.to_owned(), value.to_owned());
    }
    // Last, as Oozie sets it: no definition can hide it.
    plan.env.insert(
        "OOZIE_ACTION_CONF_XML".to_owned(),
        dir.work().join(ACTION_XML).to_string_lossy().into_owned(),
    );
    Ok(Plan {
        program: program(&spec.exec, dir),
        args: spec.arguments.clone(),
        capture_output_bytes_max: spec
            .launch
            .capture_output
            .then_some(config.capture_output_bytes_max),
        ..plan
    })
}

/// Oozie runs the last part of `exec`, from the working directory or else from `PATH`. Beyond it, a path that exists
/// in the working directory, or on this machine, is taken at its word.
fn program(exec: &str, dir: &AttemptDir) -> String {
    let shipped = |name: &str| {
        links::inside(name).ok().map(|name| dir.work().join(name)).filter(|path| path.is_file())
    };
    let own = exec.starts_with('/') && fs::metadata(exec).is_ok_and(|found| found.is_file());
    match shipped(last_part(exec)).or_else(|| shipped(exec)) {
        Some(path) => path.to_string_lossy().into_owned(),
        None if own => exec.to_owned(),
        None => last_part(exec).to_owned(),
    }
}

fn last_part(exec: &str) -> &str {
    exec.rsplit('/').find(|part| !part.is_empty()).unwrap_or(exec)
}

/// The name ends at the first `=`; the value is taken as it is.
fn split_env_var(env_var: &str) -> Result<(&str, &str), Refusal> {
    match env_var.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => {
            let message = format!("wrong format [{env_var}] in <env-var>, NAME=value is expected");
            Err(at_start(ErrorClass::Failed, FORBIDDEN_PROPERTY, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_vars_are_cut_at_the_first_equals_sign() {
        assert_eq!(split_env_var("A=b=c ").ok(), Some(("A", "b=c ")));
        assert_eq!(split_env_var("A=").ok(), Some(("A", "")));
        assert_eq!(
            split_env_var("A").map_err(|failure| (failure.class, failure.code)),
            Err((ErrorClass::Failed, "JA010".to_owned()))
        );
        assert!(split_env_var("=b").is_err());
    }

    #[test]
    fn the_program_is_the_last_part() {
        for (exec, name) in [
            ("a.sh", "a.sh"),
            ("/user/x/a.sh", "a.sh"),
            ("hdfs://nn/x/a.sh", "a.sh"),
            ("bin/", "bin"),
        ] {
            assert_eq!(last_part(exec), name);
        }
    }
}
