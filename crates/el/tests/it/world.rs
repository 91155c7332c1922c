//! The variables and functions that tests see, and the one helper that evaluates.

use std::cell::RefCell;
use std::collections::BTreeMap;

use el::functions;
use el::{CallError, Env, EvalError, Kind, Limits, Question, Signature, Template, Value};

/// 2009-08-24T01:02:03Z.
pub(crate) const NOW_MS: i64 = 1_251_075_723_000;

/// Answers `fs:exists` from its map, else asks; counts what was called.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) answers: BTreeMap<String, bool>,
    pub(crate) calls: RefCell<Vec<String>>,
}

impl Env for World {
    fn variable(&self, name: &str) -> Result<Option<Value>, CallError> {
        Ok(Some(match name {
            "s" => Value::text("hello"),
            "n" => Value::text("12"),
            "e" => Value::text(""),
            "nil" => Value::Null,
            "t" => Value::text("true"),
            "L" => Value::Int(1024),
            "D" => Value::Float(1.5),
            "B" => Value::Bool(true),
            "m" => Value::map([("k", Value::text("v")), ("n", Value::Int(7))]),
            "unreachable" => return Err(CallError::Transient("the store is away".to_owned())),
            _ => return Ok(functions::sla_constant(name)),
        }))
    }

    fn signature(&self, prefix: Option<&str>, name: &str) -> Option<Signature> {
        const TEXT: Kind = Kind::Text;
        let parameters: &'static [Kind] = match (prefix, name) {
            (None | Some("t"), "id" | "nz") => &[TEXT],
            (Some("t"), "obj") => &[Kind::Any],
            (Some("t"), "long") => &[Kind::Long],
            (Some("t"), "int") => &[Kind::Int],
            (Some("t"), "double") => &[Kind::Double],
            (Some("t"), "bool") => &[Kind::Bool],
            (Some("t"), "mapin") => &[Kind::Map],
            (Some("t"), "nul" | "map" | "fail" | "away") => &[],
            (Some("t"), "ra" | "aa") => &[TEXT, TEXT, TEXT],
            (Some("fs"), "exists") => &[TEXT],
            (None, _) => return Some(functions::find(name)?.signature()),
            (Some(_), _) => return None,
        };
        Some(Signature { parameters })
    }

    fn call(&self, prefix: Option<&str>, name: &str, args: &[Value]) -> Result<Value, CallError> {
        self.calls.borrow_mut().push(name.to_owned());
        match (prefix, name, args) {
            (_, "nul", []) => Ok(Value::Null),
            (_, "map", []) => Ok(Value::map([("k", "v"), ("n", "7")])),
            (_, "fail", []) => Err(CallError::Failed("boom".to_owned())),
            (_, "away", []) => Err(CallError::Transient("the name node is away".to_owned())),
            (_, "nz", [text]) => Ok(Value::from(format!("<{text}>"))),
            (_, "mapin", [map]) => {
                Ok(Value::text(if *map == Value::Null { "nullmap" } else { "map" }))
            }
            (_, "ra", [source, regex, with]) => {
                functions::replace_all(&source.to_text(), &regex.to_text(), &with.to_text())
                    .map(Value::from)
            }
            (_, "aa", [source, with, by]) => {
                functions::append_all(&source.to_text(), &with.to_text(), &by.to_text())
                    .map(Value::from)
            }
            (Some("fs"), "exists", [path]) => self.exists(&path.to_text()),
            (None, _, _) if functions::find(name).is_some() => {
                functions::find(name).expect("just found").call(args, NOW_MS)
            }
            (_, _, [only]) => Ok(only.clone()),
            _ => {
                Err(CallError::Failed(format!("[{name}] was called with {} arguments", args.len())))
            }
        }
    }
}

impl World {
    fn exists(&self, path: &str) -> Result<Value, CallError> {
        let question = Question { function: "fs:exists".to_owned(), args: vec![path.to_owned()] };
        self.answers
            .get(path)
            .map(|answer| Value::Bool(*answer))
            .ok_or(CallError::Pending(question))
    }
}

pub(crate) fn evaluate(text: &str) -> Result<Value, EvalError> {
    parsed(text).evaluate(&World::default(), &Limits::default())
}

pub(crate) fn parsed(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|error| panic!("[{text}] should parse: {error}"))
}

/// `=> Type [value]`, or `!! message` for mistakes of both kinds.
pub(crate) fn outcome(text: &str) -> String {
    match Template::parse(text).map_err(|error| error.to_string()).and_then(|template| {
        template.evaluate(&World::default(), &Limits::default()).map_err(|error| error.to_string())
    }) {
        Ok(Value::Null) => "=> null".to_owned(),
        Ok(value) => format!("=> {} [{}]", type_name(&value), value.to_text().replace('\n', "\\n")),
        Err(message) => format!("!! {message}"),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "Boolean",
        Value::Int(_) => "Long",
        Value::Float(_) => "Double",
        Value::Str(_) => "String",
        Value::Map(_) => "Map",
    }
}
