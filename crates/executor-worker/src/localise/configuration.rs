//! The configuration of a launched action, low to high: the job's `oozie.` properties, `job-xml` files in order, the
//! inline configuration, and what Howdah knows of the job (census §1.6).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use definition::{MAX_CONFIGURATION_BYTES, read_configuration, substituted, write_configuration};
use model::action_spec::Launch;
use model::{Configuration, ErrorClass};
use ports::files::{Files, FilesError};
use ports::work::Grant;

use super::AppDir;
use crate::failure::{BAD_FILE, FILE_NOT_FOUND, FORBIDDEN_PROPERTY, Refusal, at_start, of_files};

/// The file in the working directory.
pub(crate) const ACTION_XML: &str = "action.xml";

/// Properties that belong to the job, not to an action.
const FORBIDDEN: [&str; 4] =
    ["user.name", "mapreduce.job.user.name", "fs.default.name", "yarn.resourcemanager.address"];

/// Puts the parts together.
pub(crate) async fn assemble(
    files: &dyn Files,
    grant: &Grant,
    launch: &Launch,
    app: &AppDir,
) -> Result<Configuration, Refusal> {
    let mut conf: Configuration =
        grant.conf.iter().filter(|(name, _)| name.starts_with("oozie.")).collect();
    for path in &launch.job_xml {
        let job_xml =
            read_job_xml(files, grant, &app.resolve(path, launch.name_node.as_deref())).await?;
        refuse_forbidden(&job_xml, path)?;
        conf.overlay(&job_xml);
    }
    refuse_forbidden(&launch.configuration, "inline")?;
    conf.overlay(&launch.configuration);
    conf.overlay(&known(grant, launch));
    Ok(conf)
}

async fn read_job_xml(
    files: &dyn Files,
    grant: &Grant,
    uri: &str,
) -> Result<Configuration, Refusal> {
    let doing = format!("cannot read the job-xml file `{uri}`");
    let bytes = files.read(&grant.user, uri, MAX_CONFIGURATION_BYTES as u64).await;
    let bytes = bytes.map_err(|error| match error {
        FilesError::NotFound { .. } => {
            at_start(ErrorClass::Error, FILE_NOT_FOUND, format!("{doing}: it does not exist"))
        }
        other => of_files(&doing, &other),
    })?;
    let bad = |why: String| at_start(ErrorClass::Error, BAD_FILE, format!("{doing}: {why}"));
    let text = String::from_utf8(bytes).map_err(|error| bad(error.to_string()))?;
    let read = read_configuration(&text).map_err(|problems| {
        bad(problems
            .first()
            .map_or_else(|| "it is no configuration".to_owned(), |problem| problem.message.clone()))
    })?;
    resolved(&read, &grant.conf).ok_or_else(|| bad("its ${…} nest too deeply".to_owned()))
}

/// The file's `${name}` are properties of the job, or of the file.
fn resolved(file: &Configuration, job: &Configuration) -> Option<Configuration> {
    let mut both = job.clone();
    both.overlay(file);
    let both = substituted(&both).ok()?;
    Some(
        file.iter()
            .filter_map(|(name, _)| Some((name.to_owned(), both.get(name)?.to_owned())))
            .collect(),
    )
}

fn refuse_forbidden(conf: &Configuration, of: &str) -> Result<(), Refusal> {
    match FORBIDDEN.iter().find(|name| conf.get(name).is_some()) {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "property [{name}] is not allowed in the configuration of an action ({of}); remove it"
            );
            Err(at_start(ErrorClass::Failed, FORBIDDEN_PROPERTY, message))
        }
    }
}

fn known(grant: &Grant, launch: &Launch) -> Configuration {
    let mut conf = Configuration::from_iter([
        ("user.name", grant.user.to_string()),
        ("mapreduce.job.user.name", grant.user.to_string()),
        ("oozie.job.id", grant.job.to_string()),
        ("oozie.action.id", format!("{}@{}", grant.job, grant.action)),
    ]);
    if let Some(name_node) = &launch.name_node {
        conf.set("fs.default.name", name_node);
        conf.set("fs.defaultFS", name_node);
    }
    if let Some(resource_manager) = &launch.resource_manager {
        conf.set("yarn.resourcemanager.address", resource_manager);
    }
    conf
}

/// Writes `action.xml`; it may hold passwords.
pub(crate) fn write(conf: &Configuration, work: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(work.join(ACTION_XML))?;
    file.write_all(write_configuration(conf).as_bytes())
}
