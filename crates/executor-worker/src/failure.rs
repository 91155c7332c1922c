//! Failures in Oozie's terms: what is to be done about them, and under which code people look them up.

use std::error;
use std::fmt::Write as _;

use model::{ErrorClass, Failure, Phase};
use ports::files::FilesError;

/// The action's type is not run by this version.
pub(crate) const NOT_AVAILABLE: &str = "HW2001";
/// Nobody knows how the attempt ended.
pub(crate) const LOST: &str = "HW2002";
/// The attempt took longer than it may.
pub(crate) const TIMED_OUT: &str = "HW2003";
/// There is no Java on the worker.
pub(crate) const NO_JAVA: &str = "HW2004";
/// A `file` or `archive` cannot be put into the working directory.
pub(crate) const BAD_FILE: &str = "HW2005";
/// The worker could not prepare or start the attempt: its disk, its limits.
pub(crate) const WORKER_TROUBLE: &str = "HW2006";
/// Somebody outside Howdah ended the attempt.
pub(crate) const STOPPED_FROM_OUTSIDE: &str = "HW2007";
/// The worker may not or cannot run the attempt as its user.
pub(crate) const CANNOT_RUN_AS: &str = "HW2008";
/// The file system has no such operation.
pub(crate) const NOT_SUPPORTED: &str = "HW3001";
/// No adapter serves the scheme.
pub(crate) const UNKNOWN_SCHEME: &str = "HW3002";

/// `FileNotFoundException` in the launched family.
pub(crate) const FILE_NOT_FOUND: &str = "JA008";
/// `IOException` in the launched family.
pub(crate) const FILE_TROUBLE: &str = "JA009";
/// `AccessControlException` in the launched family.
pub(crate) const ACCESS_DENIED: &str = "JA002";
/// A property or variable that an action must not set.
pub(crate) const FORBIDDEN_PROPERTY: &str = "JA010";
/// The launched program failed.
pub(crate) const LAUNCHED_FAILED: &str = "JA018";
/// The launched program ended with `System.exit(-1)`.
pub(crate) const LAUNCHED_MINUS_ONE: &str = "JA019";

/// Longer messages are cut: they go into a database row and a page.
const MESSAGE_CHARS_MAX: usize = 4_000;

/// A failure on its way up; boxed, since it is large beside what goes well.
pub(crate) type Refusal = Box<Failure>;

/// A failure before anything ran.
pub(crate) fn at_start(class: ErrorClass, code: &str, message: impl Into<String>) -> Refusal {
    failure(class, Phase::Start, code, message.into())
}

/// A failure of what ran, as Oozie's launcher reports it.
pub(crate) fn launched(class: ErrorClass, code: &str, message: impl Into<String>) -> Refusal {
    let failure = *failure(class, Phase::End, code, message.into());
    Box::new(Failure { external_status: Some("FAILED/KILLED".to_owned()), ..failure })
}

/// A failure of what Oozie runs itself, `fs` and `email`, whose status elsewhere has no name.
pub(crate) fn failure(class: ErrorClass, phase: Phase, code: &str, message: String) -> Refusal {
    Box::new(Failure {
        class,
        phase,
        code: code.to_owned(),
        message: clean(&message),
        data: None,
        external_id: None,
        external_status: None,
    })
}

/// What a file system's refusal means for a launched action: Oozie's registered exceptions (census §1.10).
pub(crate) fn of_files(doing: &str, error: &FilesError) -> Refusal {
    let (class, code) = match error {
        FilesError::NotFound { .. } => (ErrorClass::Error, FILE_NOT_FOUND),
        FilesError::PermissionDenied { .. } => (ErrorClass::NonTransient, ACCESS_DENIED),
        FilesError::NotSupported { .. } => (ErrorClass::Error, NOT_SUPPORTED),
        FilesError::UnknownScheme { .. } => (ErrorClass::Error, UNKNOWN_SCHEME),
        FilesError::BadPath { .. } | FilesError::OverLimit { .. } | FilesError::Exists { .. } => {
            (ErrorClass::Error, BAD_FILE)
        }
        FilesError::Io { .. } => (ErrorClass::Transient, FILE_TROUBLE),
    };
    at_start(class, code, format!("{doing}: {error}"))
}

/// A failure of the worker's own machine: another try, perhaps elsewhere, may work.
pub(crate) fn of_worker(doing: &str, error: &dyn error::Error) -> Refusal {
    let message =
        format!("{doing}: {}; look at the disk and the limits of the worker", with_causes(error));
    at_start(ErrorClass::Transient, WORKER_TROUBLE, message)
}

/// An error with the errors under it.
pub(crate) fn with_causes(error: &dyn error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        write!(text, ": {inner}").expect("a String takes all text");
        cause = inner.source();
    }
    text
}

fn clean(message: &str) -> String {
    message
        .chars()
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .take(MESSAGE_CHARS_MAX)
        .collect()
}
