//! What expressions of a workflow can see: its properties, its actions, and answers from outside (census §1.7).

use std::collections::BTreeMap;

use el::functions::{self, Function};
use el::{CallError, Env, EvalError, Kind, Limits, Signature, Template, Value};
use model::action::Answer;
use model::job::JobHeader;
use model::{ErrorClass, Failure, NodeName, Phase, Timestamp, WorkflowAction};

use super::draft::Draft;

/// What came of a text.
pub(super) enum Evaluated {
    /// Its value.
    Text(String),
    /// Open questions: function and arguments.
    Ask(Vec<(String, Vec<String>)>),
    /// An error of the class that Oozie gives it (gotcha 4).
    Failed(Failure),
}

/// Evaluates a text for one action, with the answers that its row holds.
pub(super) fn evaluate(draft: &Draft<'_>, name: &NodeName, text: &str) -> Evaluated {
    let look = |node: &str| draft.action(&NodeName::new(node));
    let env = WorkflowEnv {
        header: draft.header(),
        look: &look,
        asking: draft.action(name),
        now: draft.now,
        dry: false,
    };
    evaluate_in(&env, text)
}

/// Evaluates a text of a definition before there is a job (gotcha 14): functions of actions give nothing. Answers what fails.
pub(super) fn evaluate_dry(header: &JobHeader, now: Timestamp, text: &str) -> Option<Failure> {
    let env = WorkflowEnv { header, look: &|_| None, asking: None, now, dry: true };
    match evaluate_in(&env, text) {
        Evaluated::Text(_) | Evaluated::Ask(_) => None,
        Evaluated::Failed(failure) => Some(failure),
    }
}

/// Evaluates an attribute that sees job properties only; answers why when it cannot be evaluated.
pub(super) fn attribute(header: &JobHeader, text: &str) -> Result<String, String> {
    let env =
        WorkflowEnv { header, look: &|_| None, asking: None, now: header.created_at, dry: false };
    match evaluate_in(&env, text) {
        Evaluated::Text(text) => Ok(text),
        Evaluated::Ask(_) => Err("a file system is not asked here".to_owned()),
        Evaluated::Failed(failure) => Err(failure.message),
    }
}

fn evaluate_in(env: &WorkflowEnv<'_>, text: &str) -> Evaluated {
    if !text.contains("${") {
        return Evaluated::Text(text.to_owned());
    }
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            return failed(
                ErrorClass::Failed,
                "EL_ERROR",
                format!("{error} in `{}`; {}", excerpt(text, error.span.start), error.help()),
            );
        }
    };
    match template.evaluate_to_string(env, &Limits::default()) {
        Ok(text) => Evaluated::Text(text),
        Err(EvalError::Pending(questions)) => {
            Evaluated::Ask(questions.into_iter().map(|q| (q.function, q.args)).collect())
        }
        Err(EvalError::Failed { failure, span }) => {
            let message = format!("{failure} in `{}`", excerpt(text, span.start));
            match failure.class() {
                el::ErrorClass::Transient => {
                    failed(ErrorClass::Transient, "EL_EVAL_ERROR", message)
                }
                el::ErrorClass::Permanent => failed(ErrorClass::Failed, "EL_ERROR", message),
            }
        }
    }
}

fn failed(class: ErrorClass, code: &str, message: String) -> Evaluated {
    Evaluated::Failed(Failure {
        class,
        phase: Phase::Start,
        code: code.to_owned(),
        message,
        data: None,
        external_id: None,
        external_status: None,
    })
}

/// The words around a place in a text.
fn excerpt(text: &str, at: usize) -> String {
    const BEFORE: usize = 20;
    const CHARS: usize = 60;
    let mut start = at.saturating_sub(BEFORE).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    text[start..].chars().take(CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The workflow's environment.
struct WorkflowEnv<'a> {
    header: &'a JobHeader,
    look: &'a dyn Fn(&str) -> Option<&'a WorkflowAction>,
    asking: Option<&'a WorkflowAction>,
    now: Timestamp,
    /// A dry run: there are no actions, questions stay open.
    dry: bool,
}

const NONE: Signature = Signature { parameters: &[] };
const ONE: Signature = Signature { parameters: &[Kind::Text] };
const TWO: Signature = Signature { parameters: &[Kind::Text, Kind::Text] };

impl Env for WorkflowEnv<'_> {
    /// Properties whose name is an identifier, edited as Oozie edits them (gotcha 5), then the constants.
    fn variable(&self, name: &str) -> Result<Option<Value>, CallError> {
        let property = self.header.conf.get(name).filter(|_| el::is_variable_name(name));
        Ok(property
            .map(|value| Value::text(el::escape_variable_value(value)))
            .or_else(|| functions::constant(name)))
    }

    fn signature(&self, prefix: Option<&str>, name: &str) -> Option<Signature> {
        match prefix {
            None => functions::find(name).map(Function::signature),
            Some("wf") => wf_signature(name),
            Some("fs") => matches!(name, "exists" | "isDir" | "dirSize" | "fileSize" | "blockSize")
                .then_some(ONE),
            Some("hcat") => (name == "exists").then_some(ONE),
            Some("hadoop") => match name {
                "conf" => Some(TWO),
                "counters" => Some(ONE),
                _ => None,
            },
            Some(_) => None,
        }
    }

    fn call(&self, prefix: Option<&str>, name: &str, args: &[Value]) -> Result<Value, CallError> {
        let text =
            |index: usize| args.get(index).map(|arg| arg.to_text().to_string()).unwrap_or_default();
        match prefix {
            None => match functions::find(name) {
                Some(function) => function.call(args, self.now.as_ms()),
                None => Err(CallError::Failed(format!("there is no function `{name}`"))),
            },
            Some("wf") => self.wf(name, &text(0)),
            Some("hadoop") if name == "counters" => self.counters(&text(0)),
            Some(prefix) => self.ask(
                &format!("{prefix}:{name}"),
                args.iter().map(|arg| arg.to_text().to_string()).collect(),
            ),
        }
    }
}

fn wf_signature(name: &str) -> Option<Signature> {
    match name {
        "id" | "name" | "appPath" | "user" | "group" | "run" | "lastErrorNode" => Some(NONE),
        "conf"
        | "callback"
        | "transition"
        | "errorCode"
        | "errorMessage"
        | "actionData"
        | "actionExternalId"
        | "actionTrackerUri"
        | "actionExternalStatus" => Some(ONE),
        _ => None,
    }
}

impl WorkflowEnv<'_> {
    fn wf(&self, name: &str, arg: &str) -> Result<Value, CallError> {
        let header = self.header;
        let opt = |text: Option<&str>| text.map_or(Value::Null, Value::text);
        let of = |field: fn(&WorkflowAction) -> Option<&str>| opt((self.look)(arg).and_then(field));
        Ok(match name {
            "id" => Value::text(header.id.as_str()),
            "name" => Value::text(&header.app_name),
            "appPath" => Value::text(&header.app_path),
            "user" => Value::text(&header.user),
            "group" => opt(header.group.as_deref()),
            "run" => Value::Int(i64::from(header.run.0)),
            "lastErrorNode" => opt(header.last_error_node.as_ref().map(NodeName::as_str)),
            "conf" => opt(header.conf.get(arg)),
            "callback" => Value::text(self.callback(arg)),
            "transition" => of(|action| action.transition.as_deref()),
            "errorCode" => of(|action| action.error_code.as_deref()),
            "errorMessage" => of(|action| action.error_message.as_deref()),
            "actionExternalId" => of(|action| action.external_id.as_deref()),
            "actionTrackerUri" => of(|action| action.tracker_uri.as_deref()),
            "actionExternalStatus" => of(|action| action.external_status.as_deref()),
            "actionData" => self.action_data(arg),
            _ => return Err(CallError::Failed(format!("there is no function `wf:{name}`"))),
        })
    }

    fn callback(&self, status: &str) -> String {
        let name = self.asking.map_or("", |action| action.name.as_str());
        format!(
            "{}/callback?id={}@{name}&status={status}",
            self.header.rules.base_url, self.header.id
        )
    }

    /// Ids of jobs elsewhere take the place of captured output (gotcha 25).
    fn action_data(&self, name: &str) -> Value {
        let Some(action) = (self.look)(name) else {
            return Value::map(Vec::<(String, Value)>::new());
        };
        match (&action.external_child_ids, &action.data) {
            (Some(ids), _) => Value::map([("hadoopJobs", Value::text(ids))]),
            (None, Some(data)) => {
                let pairs = definition::read_properties(data).unwrap_or_default();
                Value::map(pairs.iter().map(|(key, value)| (key.to_owned(), Value::text(value))))
            }
            (None, None) => Value::map(Vec::<(String, Value)>::new()),
        }
    }

    fn counters(&self, name: &str) -> Result<Value, CallError> {
        let Some(stats) = (self.look)(name).and_then(|action| action.stats.as_deref()) else {
            return if self.dry {
                Ok(Value::Null)
            } else {
                Err(CallError::Failed(format!("action `{name}` has no counters")))
            };
        };
        let groups: BTreeMap<String, BTreeMap<String, i64>> =
            serde_json::from_str(stats).map_err(|error| {
                CallError::Failed(format!("the statistics of `{name}` are no counters: {error}"))
            })?;
        let inner = |counters: BTreeMap<String, i64>| {
            Value::map(counters.into_iter().map(|(key, count)| (key, Value::Int(count))))
        };
        Ok(Value::map(groups.into_iter().map(|(group, counters)| (group, inner(counters)))))
    }

    fn ask(&self, function: &str, args: Vec<String>) -> Result<Value, CallError> {
        let known = self.asking.and_then(|action| {
            action.questions.iter().find(|q| q.function == function && q.args == args)
        });
        match known.and_then(|question| question.answer.as_ref()) {
            Some(Answer::Bool(yes)) => Ok(Value::Bool(*yes)),
            Some(Answer::Int(number)) => Ok(Value::Int(*number)),
            Some(Answer::Text(text)) => Ok(Value::text(text)),
            Some(Answer::Refused { code, message, transient: true }) => {
                Err(CallError::Transient(format!("{code}: {message}")))
            }
            Some(Answer::Refused { code, message, transient: false }) => {
                Err(CallError::Failed(format!("{code}: {message}")))
            }
            None => Err(CallError::Pending(el::Question { function: function.to_owned(), args })),
        }
    }
}
