//! `java`: a main class in a virtual machine of its own, with the system properties that Oozie's launcher sets.

use std::path::{Path, PathBuf};

use model::action_spec::Java;
use model::{ErrorClass, Timestamp};
use ports::work::Grant;
use supervisor::{CaptureFile, Plan};

use super::base_plan;
use crate::attempt_dir::AttemptDir;
use crate::config::Config;
use crate::failure::{NO_JAVA, Refusal, at_start};
use crate::localise::configuration::ACTION_XML;
use crate::localise::{Localised, localise};
use crate::supervise::Context;

/// Oozie's launcher class, which its messages name.
pub(crate) const MAIN_CLASS: &str = "org.apache.oozie.action.hadoop.JavaMain";

/// Replaces the main class.
const MAIN_CLASS_PROPERTY: &str = "oozie.launcher.action.main.class";

/// `oozie.external.stats.max.size` is without limit in Oozie; a database row is not.
const STATS_BYTES_MAX: u64 = 1 << 20;
/// Ids of jobs, some forty bytes each.
const CHILD_IDS_BYTES_MAX: u64 = 64 << 10;

/// Files that a main may write, each named by the system property `oozie.action.<file>`; in the order of the plan's
/// captures.
const OUTPUT_FILE: &str = "output.properties";
const STATS_FILE: &str = "stats.properties";
const CHILD_IDS_FILE: &str = "externalChildIDs";

/// Where each file is among the captures.
pub(crate) const OUTPUT_CAPTURE: usize = 0;
pub(crate) const STATS_CAPTURE: usize = 1;
pub(crate) const CHILD_IDS_CAPTURE: usize = 2;

pub(crate) async fn plan(
    context: &Context,
    grant: &Grant,
    dir: &AttemptDir,
    spec: &Java,
) -> Result<Plan, Refusal> {
    let config = &context.config;
    let program = find_java(config)?;
    let localised = localise(&*context.files, grant, &spec.launch, dir, None).await?;
    let plan = base_plan(config, grant, dir, &localised.conf)?;
    let capture = |path: &str, bytes_max| CaptureFile { path: PathBuf::from(path), bytes_max };
    Ok(Plan {
        program: program.to_string_lossy().into_owned(),
        args: arguments(grant, context.clock.now(), &dir.work(), spec, &localised),
        capture_files: vec![
            capture(OUTPUT_FILE, config.capture_output_bytes_max),
            capture(STATS_FILE, STATS_BYTES_MAX),
            capture(CHILD_IDS_FILE, CHILD_IDS_BYTES_MAX),
        ],
        ..plan
    })
}

fn arguments(
    grant: &Grant,
    now: Timestamp,
    work: &Path,
    spec: &Java,
    localised: &Localised,
) -> Vec<String> {
    let main_class = localised.conf.get(MAIN_CLASS_PROPERTY).unwrap_or(&spec.main_class);
    let properties = system_properties(grant, now, work)
        .into_iter()
        .map(|(name, value)| format!("-D{name}={value}"));
    let mut arguments = vec!["-cp".to_owned(), class_path(work, &localised.jars)];
    arguments.extend(spec.java_opts.iter().cloned());
    arguments.extend(properties);
    arguments.push(main_class.to_owned());
    arguments.extend(spec.args.iter().cloned());
    arguments
}

fn class_path(work: &Path, jars: &[String]) -> String {
    let jars = jars.iter().map(|jar| work.join(jar));
    let all = std::iter::once(work.to_owned()).chain(jars);
    all.map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>().join(":")
}

fn system_properties(grant: &Grant, now: Timestamp, work: &Path) -> Vec<(String, String)> {
    let in_work = |file: &str| work.join(file).to_string_lossy().into_owned();
    let file = |file: &str| (format!("oozie.action.{file}"), in_work(file));
    let own = |name: &str, value: String| (name.to_owned(), value);
    vec![
        own("oozie.job.id", grant.job.to_string()),
        own("oozie.launcher.job.id", grant.job.to_string()),
        own("oozie.action.id", format!("{}@{}", grant.job, grant.action)),
        own("oozie.action.conf.xml", in_work(ACTION_XML)),
        own("oozie.job.launch.time", now.as_ms().to_string()),
        file(OUTPUT_FILE),
        file(STATS_FILE),
        file(CHILD_IDS_FILE),
        file("newId"),
        file("error.properties"),
    ]
}

fn find_java(config: &Config) -> Result<PathBuf, Refusal> {
    let of_home = config.java_home.iter().map(|home| home.join("bin"));
    let of_path =
        config.search_path.split(':').filter(|dir| dir.starts_with('/')).map(PathBuf::from);
    of_home.chain(of_path).map(|dir| dir.join("java")).find(|java| java.is_file()).ok_or_else(|| {
        let message = "there is no Java on this worker: neither JAVA_HOME/bin/java nor `java` in PATH is a file; install a \
                       Java runtime, or set java_home of the worker";
        at_start(ErrorClass::Error, NO_JAVA, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_path_begins_with_the_working_directory() {
        let jars = ["b.jar".to_owned(), "a.jar".to_owned()];
        assert_eq!(class_path(Path::new("/w"), &jars), "/w:/w/b.jar:/w/a.jar");
    }
}
