//! How an attempt ended, from what its supervisor saw to what Oozie would say.

use std::fmt::Write as _;

use model::{ActionSpec, AttemptResult, Configuration, ErrorClass, Failure, Success};
use ports::work::Grant;
use supervisor::{Captured, Outcome, Stage, StopCause};

use crate::actions::{self, java, shell};
use crate::config::Config;
use crate::failure::{
    CANNOT_RUN_AS, LAUNCHED_FAILED, LAUNCHED_MINUS_ONE, LOST, Refusal, STOPPED_FROM_OUTSIDE,
    TIMED_OUT, WORKER_TROUBLE, at_start, launched,
};

/// What is told to the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// `Finish` with this.
    Result(AttemptResult),
    /// `Stopped`.
    Stopped,
}

impl Ending {
    /// For the numbers.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Ending::Result(AttemptResult::Succeeded(_)) => "succeeded",
            Ending::Result(AttemptResult::Failed(_)) => "failed",
            Ending::Stopped => "stopped",
        }
    }
}

/// Which program ran, and what was asked of it.
enum Ran {
    Shell { capture: bool },
    Java { capture: bool },
    Builtin,
}

/// What an attempt's supervisor left, in Oozie's words.
pub(crate) fn ending(
    config: &Config,
    grant: &Grant,
    external_id: Option<&str>,
    ended: &supervisor::AttemptResult,
) -> Ending {
    if ended.outcome == (Outcome::Stopped { cause: StopCause::Requested }) {
        return Ending::Stopped;
    }
    let result = match ran(grant) {
        Ok(Ran::Builtin) => of_builtin(config, ended),
        Ok(Ran::Shell { capture }) => of_launched(config, ended, shell::MAIN_CLASS, shell_code)
            .and_then(|()| shell_success(config, ended, capture)),
        Ok(Ran::Java { capture }) => of_launched(config, ended, java::MAIN_CLASS, java_code)
            .and_then(|()| java_success(config, ended, capture)),
        Err(failure) => Err(failure),
    };
    Ending::Result(with_external_id(result, external_id))
}

/// The end of an attempt that nobody can know any more.
pub(crate) fn lost(why: &str) -> Ending {
    let message = format!(
        "how the attempt ended is not known: {why}; whether its work is done must be looked at by hand"
    );
    Ending::Result(AttemptResult::Failed(*launched(ErrorClass::Error, LOST, message)))
}

fn ran(grant: &Grant) -> Result<Ran, Refusal> {
    Ok(match actions::read(grant)? {
        ActionSpec::Shell(spec) => Ran::Shell { capture: spec.launch.capture_output },
        ActionSpec::Java(spec) => Ran::Java { capture: spec.launch.capture_output },
        ActionSpec::Fs(_) | ActionSpec::Email(_) | ActionSpec::Ssh(_) => Ran::Builtin,
        ActionSpec::SubWorkflow(_) | ActionSpec::Noop | ActionSpec::Unavailable { .. } => {
            Ran::Builtin
        }
    })
}

fn with_external_id(result: Result<Success, Refusal>, external_id: Option<&str>) -> AttemptResult {
    let external_id = external_id.map(str::to_owned);
    match result {
        Ok(success) => AttemptResult::Succeeded(Success {
            external_id: success.external_id.or(external_id),
            ..success
        }),
        Err(failure) => AttemptResult::Failed(Failure {
            external_id: failure.external_id.or(external_id),
            ..*failure
        }),
    }
}

/// Whether a launched program ended well. `code_of` is the error code for an exit code.
fn of_launched(
    config: &Config,
    ended: &supervisor::AttemptResult,
    main_class: &str,
    code_of: fn(i32) -> String,
) -> Result<(), Refusal> {
    let failed = |message: String| Err(launched(ErrorClass::Error, LAUNCHED_FAILED, message));
    match &ended.outcome {
        Outcome::Exited { code: 0 } => Ok(()),
        Outcome::Exited { code } => {
            let message = format!("Main Class [{main_class}], exit code [{code}]");
            Err(launched(ErrorClass::Error, &code_of(*code), message))
        }
        Outcome::Signaled { signal } => {
            failed(format!("Main Class [{main_class}], killed by signal [{signal}]"))
        }
        Outcome::StartFailed { stage: Stage::Program, message, .. } => failed(format!(
            "{message}; name a program in PATH ({}), or ship it with <file>",
            config.search_path
        )),
        other => Err(ended_otherwise(other, ended)),
    }
}

/// Oozie's shell main ends with 1 whatever the command ended with, and that is the error code.
fn shell_code(_exit_code: i32) -> String {
    "1".to_owned()
}

/// What a main gives to `System.exit` is the error code, but for -1, which the system shows as 255. A main that throws has
/// its own code in Oozie; its virtual machine ends with 1, and nothing tells it from `System.exit(1)`.
fn java_code(exit_code: i32) -> String {
    match exit_code {
        1 => LAUNCHED_FAILED.to_owned(),
        255 => LAUNCHED_MINUS_ONE.to_owned(),
        other => other.to_string(),
    }
}

/// The ends that mean the same for every kind.
fn ended_otherwise(outcome: &Outcome, ended: &supervisor::AttemptResult) -> Refusal {
    match outcome {
        Outcome::TimedOut => {
            let took_s = ended.ended_at_ms.saturating_sub(ended.started_at_ms) / 1_000;
            let message = format!("the attempt was ended after {took_s} s, its time-out");
            launched(ErrorClass::Error, TIMED_OUT, message)
        }
        Outcome::Stopped { cause: StopCause::LeaseExpired } => launched(
            ErrorClass::Error,
            LOST,
            "the attempt was ended because its worker had lost contact",
        ),
        Outcome::Stopped { .. } => {
            let message = "the attempt was ended from outside, as at a shutdown of its host";
            launched(ErrorClass::Error, STOPPED_FROM_OUTSIDE, message)
        }
        Outcome::StartFailed { stage: Stage::RunAs, message, .. } => {
            let message = format!("{message}; give the worker the right to switch users");
            at_start(ErrorClass::Error, CANNOT_RUN_AS, message)
        }
        Outcome::StartFailed { message, .. } => {
            at_start(ErrorClass::Transient, WORKER_TROUBLE, message.clone())
        }
        Outcome::Exited { code } => {
            let message = format!(
                "the built-in action ended without an answer, exit code [{code}]; its stderr says more"
            );
            launched(ErrorClass::Error, WORKER_TROUBLE, message)
        }
        Outcome::Signaled { signal } => {
            let message = format!("the built-in action was killed by signal [{signal}]");
            launched(ErrorClass::Error, WORKER_TROUBLE, message)
        }
    }
}

fn of_builtin(config: &Config, ended: &supervisor::AttemptResult) -> Result<Success, Refusal> {
    let answer = ended.captured_files.first().and_then(Option::as_ref);
    let answer =
        answer.and_then(|captured| serde_json::from_str::<AttemptResult>(&captured.text).ok());
    match (answer, &ended.outcome) {
        (Some(AttemptResult::Succeeded(success)), Outcome::Exited { code: 0 }) => match &ended
            .captured_output
        {
            Some(captured) if captured.too_large => Err(Box::new(Failure {
                code: "ERR_OUTPUT_EXCEED_MAX_LEN".to_owned(),
                ..*over_limit("standard output", config)
            })),
            Some(captured) => Ok(Success { data: Some(properties(&captured.text)?), ..success }),
            None => Ok(success),
        },
        (Some(AttemptResult::Failed(failure)), Outcome::Exited { .. }) => Err(Box::new(failure)),
        (_, outcome) => Err(ended_otherwise(outcome, ended)),
    }
}

fn shell_success(
    config: &Config,
    ended: &supervisor::AttemptResult,
    capture: bool,
) -> Result<Success, Refusal> {
    let data = captured(config, ended.captured_output.as_ref().filter(|_| capture))?;
    Ok(Success { data, ..succeeded() })
}

fn java_success(
    config: &Config,
    ended: &supervisor::AttemptResult,
    capture: bool,
) -> Result<Success, Refusal> {
    let file = |at: usize| ended.captured_files.get(at).and_then(Option::as_ref);
    let text = |at: usize| {
        file(at)
            .filter(|captured| !captured.too_large)
            .map(|captured| captured.text.trim().to_owned())
    };
    Ok(Success {
        data: captured(config, file(java::OUTPUT_CAPTURE).filter(|_| capture))?,
        stats: text(java::STATS_CAPTURE),
        external_child_ids: text(java::CHILD_IDS_CAPTURE).filter(|ids| !ids.is_empty()),
        ..succeeded()
    })
}

fn succeeded() -> Success {
    Success { external_status: Some("SUCCEEDED".to_owned()), ..Success::default() }
}

fn captured(config: &Config, captured: Option<&Captured>) -> Result<Option<String>, Refusal> {
    match captured {
        None => Ok(None),
        Some(captured) if captured.too_large => Err(over_limit("output.properties", config)),
        Some(captured) => properties(&captured.text).map(Some),
    }
}

/// Over the limit the action fails (gotcha 26).
fn over_limit(what: &str, config: &Config) -> Refusal {
    let limit = config.capture_output_bytes_max;
    let message = format!(
        "{what} data exceeds its limit [{limit}]; print less while <capture-output/> is set, or raise \
         worker.captured_output_max of the server"
    );
    launched(ErrorClass::Error, LAUNCHED_FAILED, message)
}

/// The captured text, read as Java reads properties, and written as Java writes them.
fn properties(text: &str) -> Result<String, Refusal> {
    let read = definition::read_properties(text).map_err(|problem| {
        let message = format!("the captured output is no properties file: {}", problem.message);
        launched(ErrorClass::Error, LAUNCHED_FAILED, message)
    })?;
    Ok(written(&read))
}

fn written(properties: &Configuration) -> String {
    let mut text = String::new();
    for (name, value) in properties.iter() {
        escape(&mut text, name, true);
        text.push('=');
        escape(&mut text, value, false);
        text.push('\n');
    }
    text
}

/// Blanks are escaped everywhere in a name, in a value only in front.
fn escape(into: &mut String, text: &str, is_name: bool) {
    for (at, c) in text.chars().enumerate() {
        match c {
            ' ' if is_name || at == 0 => into.push_str("\\ "),
            '\t' => into.push_str("\\t"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\u{c}' => into.push_str("\\f"),
            '\\' | '=' | ':' | '#' | '!' => into.extend(['\\', c]),
            ' '..='~' => into.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    write!(into, "\\u{unit:04X}").expect("a String takes all text");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_output_is_stored_as_java_stores_properties() {
        let check = |text: &str, expected: &str| {
            assert_eq!(properties(text).as_deref(), Ok(expected), "{text:?}")
        };
        check("b=2\na = 1\n# no\n", "a=1\nb=2\n");
        check("", "");
        check("just words\n", "just=words\n");
        check("k= x:y=z #", "k=x\\:y\\=z \\#\n");
        check("ü=\u{fffd}\u{1f600}", "\\u00FC=\\uFFFD\\uD83D\\uDE00\n");
        check("a\\ b=\\ c\\td", "a\\ b=\\ c\\td\n");
    }

    #[test]
    fn exit_codes_are_error_codes_as_in_oozie() {
        assert_eq!([1, 3, 255].map(shell_code), ["1", "1", "1"]);
        assert_eq!([1, 3, 255].map(java_code), ["JA018", "3", "JA019"]);
    }

    #[test]
    fn what_java_refuses_is_refused() {
        let refused = properties("a=\\uXYZ").map_err(|failure| failure.code);
        assert_eq!(refused, Err("JA018".to_owned()));
    }
}
