//! Applications: read from a file system as the submitting user, checked, and shared in memory by digest.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use definition::WorkflowSources;
use engine::workflow;
use model::{AppDigest, Configuration, Diagnostic, Severity, WorkflowApp};
use ports::api::{ApiError, ApiErrorKind};
use ports::files::{Files, FilesError};
use ports::store::AppSource;
use sha2::{Digest, Sha256};

/// Definitions kept although no live job runs them.
const IDLE_APPS_MAX: usize = 256;
/// Bytes of a definition that are read at all; what is over `WorkflowDefinitionMaxLength` (E0736) is refused by its reader.
const DEFINITION_BYTES_MAX: u64 = 4 << 20;
/// Bytes of `config-default.xml`.
const CONFIG_DEFAULT_BYTES_MAX: u64 = 4 << 20;

/// Definitions in memory.
#[derive(Debug, Default)]
pub(crate) struct Apps {
    known: Mutex<HashMap<AppDigest, Arc<WorkflowApp>>>,
}

/// A definition that was read and found good.
#[derive(Clone, Debug)]
pub(crate) struct ReadApp {
    /// Its digest.
    pub(crate) digest: AppDigest,
    /// Its sources.
    pub(crate) source: Arc<AppSource>,
    /// What they say.
    pub(crate) app: Arc<WorkflowApp>,
    /// The properties of `config-default.xml`.
    pub(crate) config_default: Option<Configuration>,
}

/// The digest of sources: equal digests, equal applications.
pub(crate) fn digest_of(source: &AppSource) -> AppDigest {
    let mut hash = Sha256::new();
    hash.update((source.definition.len() as u64).to_be_bytes());
    hash.update(source.definition.as_bytes());
    for part in [&source.config_default, &source.inherited_global] {
        let text = part.as_deref();
        hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
        hash.update(text.unwrap_or_default().as_bytes());
    }
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        write!(hex, "{byte:02x}").expect("a String takes every write");
    }
    AppDigest::new(hex)
}

impl Apps {
    /// The application of these sources, parsed once.
    ///
    /// # Errors
    /// All findings, when the sources are no application.
    pub(crate) fn get(
        &self,
        digest: &AppDigest,
        source: &AppSource,
    ) -> Result<Arc<WorkflowApp>, Vec<Diagnostic>> {
        if let Some(app) = self.lock().get(digest) {
            return Ok(Arc::clone(app));
        }
        let defaults =
            source.config_default.as_deref().map(definition::read_configuration).transpose()?;
        let sources = WorkflowSources {
            config_default: defaults.as_ref(),
            inherited_global: source.inherited_global.as_deref(),
            validate_fork_join: false,
            ..WorkflowSources::of(&source.definition)
        };
        let app = Arc::new(definition::read_workflow(sources)?);
        let mut known = self.lock();
        if known.len() >= IDLE_APPS_MAX {
            known.retain(|_, app| Arc::strong_count(app) > 1);
        }
        known.insert(digest.clone(), Arc::clone(&app));
        Ok(app)
    }

    /// The application of this digest, if it is in memory.
    pub(crate) fn known(&self, digest: &AppDigest) -> Option<Arc<WorkflowApp>> {
        self.lock().get(digest).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AppDigest, Arc<WorkflowApp>>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Reads an application as its user: the file itself, or `workflow.xml` in the directory (gotcha 11).
    ///
    /// # Errors
    /// E0504 to E0507 for a path that cannot be read, the definition's own codes for what is wrong in it.
    pub(crate) async fn read(
        &self,
        files: &dyn Files,
        user: &str,
        conf: &Configuration,
        fork_join: bool,
    ) -> Result<ReadApp, ApiError> {
        let path = conf.get(workflow::APP_PATH).unwrap_or_default();
        let file = definition_path(files, user, path).await?;
        let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
        let definition = read_text(files, user, &file, DEFINITION_BYTES_MAX).await?;
        let default_path = format!("{directory}/config-default.xml");
        let config_default = match files
            .stat(user, &default_path)
            .await
            .map_err(|error| refused(&default_path, &error))?
        {
            Some(_) => Some(read_text(files, user, &default_path, CONFIG_DEFAULT_BYTES_MAX).await?),
            None => None,
        };
        let inherited_global = conf.get(workflow::GLOBAL_CONF).map(str::to_owned);
        let source = Arc::new(AppSource { definition, config_default, inherited_global });
        let digest = digest_of(&source);
        if fork_join {
            let whole = WorkflowSources {
                inherited_global: source.inherited_global.as_deref(),
                ..WorkflowSources::of(&source.definition)
            };
            definition::read_workflow(whole).map_err(findings)?;
        }
        let app = self.get(&digest, &source).map_err(findings)?;
        let config_default = source
            .config_default
            .as_deref()
            .map(definition::read_configuration)
            .transpose()
            .map_err(findings)?;
        Ok(ReadApp { digest, source, app, config_default })
    }
}

async fn definition_path(files: &dyn Files, user: &str, path: &str) -> Result<String, ApiError> {
    let path = path.trim().trim_end_matches('/');
    match files.stat(user, path).await.map_err(|error| refused(path, &error))? {
        Some(status) if status.is_dir => Ok(format!("{path}/workflow.xml")),
        Some(_) => Ok(path.to_owned()),
        None => {
            let message = format!(
                "the application path {path} does not exist; check oozie.wf.application.path"
            );
            Err(ApiError::new(ApiErrorKind::BadRequest, "E0504", message))
        }
    }
}

async fn read_text(
    files: &dyn Files,
    user: &str,
    path: &str,
    bytes_max: u64,
) -> Result<String, ApiError> {
    let bytes = files.read(user, path, bytes_max).await.map_err(|error| refused(path, &error))?;
    match definition::decode(&bytes, definition::Limits::configuration()) {
        Ok(text) => Ok(text.to_owned()),
        Err(finding) => Err(findings(vec![finding])),
    }
}

fn refused(path: &str, error: &FilesError) -> ApiError {
    let code = match error {
        FilesError::NotFound { .. } => "E0505",
        FilesError::PermissionDenied { .. } => "E0507",
        FilesError::OverLimit { .. } => "E0736",
        FilesError::UnknownScheme { .. } => "E0904",
        FilesError::NotSupported { .. }
        | FilesError::BadPath { .. }
        | FilesError::Exists { .. }
        | FilesError::Io { .. } => "E0507",
    };
    let advice = match error {
        FilesError::NotFound { .. } => "put it there, or correct oozie.wf.application.path",
        FilesError::PermissionDenied { .. } => "give that user the right to read it",
        FilesError::OverLimit { .. } => "make it smaller",
        FilesError::UnknownScheme { .. }
        | FilesError::NotSupported { .. }
        | FilesError::BadPath { .. }
        | FilesError::Exists { .. }
        | FilesError::Io { .. } => "check oozie.wf.application.path",
    };
    let message = format!("cannot read the application at {path}: {error}; {advice}");
    ApiError::new(ApiErrorKind::BadRequest, code, message)
}

/// An API error that carries all findings; its own code and words are the first error's.
pub(crate) fn findings(diagnostics: Vec<Diagnostic>) -> ApiError {
    let first = diagnostics
        .iter()
        .find(|finding| finding.severity == Severity::Error)
        .or_else(|| diagnostics.first());
    let (code, mut message) = first.map_or_else(
        || ("E0701".to_owned(), String::new()),
        |finding| (finding.code.clone(), finding.to_string()),
    );
    if let Some(stripped) = message.strip_prefix(&format!("{code}: ")) {
        message = stripped.to_owned();
    }
    ApiError { kind: ApiErrorKind::BadRequest, code, message, diagnostics }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_where_the_definition_ends() {
        let source = |definition: &str, defaults: Option<&str>| AppSource {
            definition: definition.to_owned(),
            config_default: defaults.map(str::to_owned),
            inherited_global: None,
        };
        let all =
            [source("ab", None), source("ab", Some("")), source("a", Some("b")), source("a", None)];
        for (index, left) in all.iter().enumerate() {
            for right in &all[index + 1..] {
                assert_ne!(digest_of(left), digest_of(right), "{left:?} {right:?}");
            }
        }
    }
}
