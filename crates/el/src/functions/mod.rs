//! The functions and constants that all of Oozie's evaluators share, none of which looks at anything but its arguments.
//!
//! An [`crate::Env`] asks [`find`] in its `signature` and `call`, and [`constant`] in its `variable`. Which groups a phase has is the environment's decision.

mod encode;
mod java_regex;
mod text;
mod time;

use crate::error::CallError;
use crate::evaluate::Signature;
use crate::value::{Kind, Value};

pub use text::{append_all, concat, replace_all, trim, url_encode};
pub use time::timestamp;

/// Bytes that one function may produce, so that nested calls can't grow without end between two checks of the evaluator.
pub const TEXT_BYTES_MAX: usize = crate::LIMIT_OUTPUT_BYTES;

const KB: i64 = 1024;

/// A pure function without a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `firstNotNull(a, b)`: the first value that is not null, unconverted.
    FirstNotNull,
    /// `concat(a, b)`.
    Concat,
    /// `trim(s)`: without the control characters and blanks around it.
    Trim,
    /// `replaceAll(source, regex, replacement)`: Java's regular expressions.
    ReplaceAll,
    /// `appendAll(source, addition, delimiter)`: adds to each part between delimiters.
    AppendAll,
    /// `urlEncode(s)`: `application/x-www-form-urlencoded`, UTF-8.
    UrlEncode,
    /// `timestamp()`: now in UTC, as `2009-08-24T00:00Z`.
    Timestamp,
    /// `toJsonStr(map)`: JSON, XML-escaped.
    ToJsonStr,
    /// `toPropertiesStr(map)`: the form of a Java properties file, XML-escaped.
    ToPropertiesStr,
    /// `toConfigurationStr(map)`: the form of a Hadoop configuration, XML-escaped.
    ToConfigurationStr,
}

/// The function of this name, if it is one of the shared ones (none has a prefix).
pub fn find(name: &str) -> Option<Function> {
    Some(match name {
        "firstNotNull" => Function::FirstNotNull,
        "concat" => Function::Concat,
        "trim" => Function::Trim,
        "replaceAll" => Function::ReplaceAll,
        "appendAll" => Function::AppendAll,
        "urlEncode" => Function::UrlEncode,
        "timestamp" => Function::Timestamp,
        "toJsonStr" => Function::ToJsonStr,
        "toPropertiesStr" => Function::ToPropertiesStr,
        "toConfigurationStr" => Function::ToConfigurationStr,
        _ => return None,
    })
}

impl Function {
    /// What it takes.
    pub const fn signature(self) -> Signature {
        use Kind::{Any, Map, Text};
        let parameters: &'static [Kind] = match self {
            Function::FirstNotNull => &[Any, Any],
            Function::Concat => &[Text, Text],
            Function::Trim | Function::UrlEncode => &[Text],
            Function::ReplaceAll | Function::AppendAll => &[Text, Text, Text],
            Function::Timestamp => &[],
            Function::ToJsonStr | Function::ToPropertiesStr | Function::ToConfigurationStr => {
                &[Map]
            }
        };
        Signature { parameters }
    }

    /// Calls it. `now_ms` is the time in milliseconds since 1970, for `timestamp` and for the date in `toPropertiesStr`.
    ///
    /// # Errors
    /// Arguments that the function can't work with, or a result above [`TEXT_BYTES_MAX`].
    pub fn call(self, args: &[Value], now_ms: i64) -> Result<Value, CallError> {
        let text = match (self, args) {
            (Function::FirstNotNull, [Value::Null, second]) => return Ok(second.clone()),
            (Function::FirstNotNull, [first, _]) => return Ok(first.clone()),
            (Function::Concat, [left, right]) => concat(&left.to_text(), &right.to_text()),
            (Function::Trim, [text]) => trim(&text.to_text()).to_owned(),
            (Function::ReplaceAll, [source, regex, replacement]) => {
                replace_all(&source.to_text(), &regex.to_text(), &replacement.to_text())?
            }
            (Function::AppendAll, [source, addition, delimiter]) => {
                append_all(&source.to_text(), &addition.to_text(), &delimiter.to_text())?
            }
            (Function::UrlEncode, [text]) => url_encode(&text.to_text()),
            (Function::Timestamp, []) => timestamp(now_ms),
            (Function::ToJsonStr, [map]) => encode::json(map),
            (Function::ToPropertiesStr, [map]) => encode::properties(map, now_ms)?,
            (Function::ToConfigurationStr, [map]) => encode::configuration(map)?,
            (function, _) => {
                return Err(CallError::Failed(format!(
                    "it takes {} arguments",
                    function.signature().parameters.len()
                )));
            }
        };
        check_size(text.len())?;
        Ok(Value::from(text))
    }
}

/// A constant of the workflow evaluator: sizes, and the names of Hadoop's record counters for `hadoop:counters(node)[RECORDS][MAP_IN]`.
pub fn constant(name: &str) -> Option<Value> {
    Some(match name {
        "KB" => Value::Int(KB),
        "MB" => Value::Int(KB.pow(2)),
        "GB" => Value::Int(KB.pow(3)),
        "TB" => Value::Int(KB.pow(4)),
        "PB" => Value::Int(KB.pow(5)),
        "RECORDS" => Value::text("org.apache.hadoop.mapred.Task$Counter"),
        "MAP_IN" => Value::text("MAP_INPUT_RECORDS"),
        "MAP_OUT" => Value::text("MAP_OUTPUT_RECORDS"),
        "REDUCE_IN" => Value::text("REDUCE_INPUT_RECORDS"),
        "REDUCE_OUT" => Value::text("REDUCE_OUTPUT_RECORDS"),
        "GROUPS" => Value::text("REDUCE_INPUT_GROUPS"),
        _ => return None,
    })
}

/// A constant inside `sla:info`: minutes in a unit of time.
pub fn sla_constant(name: &str) -> Option<Value> {
    match name {
        "MINUTES" => Some(Value::Int(1)),
        "HOURS" => Some(Value::Int(60)),
        "DAYS" => Some(Value::Int(24 * 60)),
        _ => None,
    }
}

fn check_size(bytes: usize) -> Result<(), CallError> {
    if bytes > TEXT_BYTES_MAX {
        return Err(CallError::Failed(format!(
            "its result has more than {TEXT_BYTES_MAX} bytes; make the arguments smaller"
        )));
    }
    Ok(())
}
