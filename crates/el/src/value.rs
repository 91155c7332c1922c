//! Values and the conversions between them (JSP 2.0 section 2.8, as Oozie 5.2 carries them out).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::number::{java_double, java_long, write_java_double};

/// How many characters of a value are shown in an error.
const SHOWN_CHARS_MAX: usize = 60;

/// A value of the language. Cloning is cheap.
///
/// Maps come from functions (`wf:actionData`, `hadoop:counters`). Whoever builds one bounds its depth: printing it goes down one call per level.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`: "" as a string, 0 as a number, false as a boolean.
    #[default]
    Null,
    /// `true` and `false`.
    Bool(bool),
    /// A whole number; arithmetic wraps around at 64 bits as Java's does.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Str(Arc<str>),
    /// A map; looking up a missing key gives null.
    Map(Arc<BTreeMap<String, Value>>),
}

/// What a function wants its argument to be. Arguments are converted before the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Taken as it is, null too (Java's `Object`).
    Any,
    /// A string; null becomes "".
    Text,
    /// A 32-bit whole number (Java's `int`); a larger value is cut to its low 32 bits, as Java does.
    Int,
    /// A 64-bit whole number.
    Long,
    /// A floating-point number.
    Double,
    /// A boolean; a string is true only when it says `true` in any case.
    Bool,
    /// A map; null and "" become null.
    Map,
}

/// A value that can't be turned into the kind that an operator or a function needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot convert [{shown}] from {from} to {to}")]
pub struct NotConvertible {
    /// The value as text, cut when it is long.
    pub shown: String,
    /// What it is.
    pub from: &'static str,
    /// What it should have been.
    pub to: &'static str,
}

impl Value {
    /// A string.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Str(Arc::from(text.as_ref()))
    }

    /// A map from pairs of key and value.
    pub fn map<K: Into<String>, V: Into<Value>>(pairs: impl IntoIterator<Item = (K, V)>) -> Value {
        Value::Map(Arc::new(
            pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        ))
    }

    /// The word for this value's type in messages.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::Float(_) => "float",
            Value::Str(_) => "string",
            Value::Map(_) => "map",
        }
    }

    /// The value as a string; null is "".
    pub fn to_text(&self) -> Arc<str> {
        match self {
            Value::Str(text) => Arc::clone(text),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Map(_) => {
                Arc::from(self.to_string())
            }
        }
    }

    /// The value as a boolean: null and "" are false, a string is true when it says `true` in any case.
    ///
    /// # Errors
    /// Numbers and maps have no truth value.
    pub fn to_bool(&self) -> Result<bool, NotConvertible> {
        match self {
            Value::Null => Ok(false),
            Value::Bool(truth) => Ok(*truth),
            Value::Str(text) => Ok(text.eq_ignore_ascii_case("true")),
            Value::Int(_) | Value::Float(_) | Value::Map(_) => Err(self.not("boolean")),
        }
    }

    /// The value as a 64-bit whole number: null and "" are 0, a float loses its fraction.
    ///
    /// # Errors
    /// Booleans, maps and strings that are not whole numbers.
    pub fn to_long(&self) -> Result<i64, NotConvertible> {
        match self {
            Value::Null => Ok(0),
            Value::Int(number) => Ok(*number),
            // Saturates, and NaN is 0: the same in Rust and in Java.
            Value::Float(number) => Ok(*number as i64),
            Value::Str(text) if text.is_empty() => Ok(0),
            Value::Str(text) => java_long(text).ok_or_else(|| self.not("integer")),
            Value::Bool(_) | Value::Map(_) => Err(self.not("integer")),
        }
    }

    /// The value as a floating-point number: null and "" are 0.
    ///
    /// # Errors
    /// Booleans, maps and strings that are not numbers.
    pub fn to_double(&self) -> Result<f64, NotConvertible> {
        match self {
            Value::Null => Ok(0.0),
            Value::Int(number) => Ok(*number as f64),
            Value::Float(number) => Ok(*number),
            Value::Str(text) if text.is_empty() => Ok(0.0),
            Value::Str(text) => java_double(text).ok_or_else(|| self.not("float")),
            Value::Bool(_) | Value::Map(_) => Err(self.not("float")),
        }
    }

    /// Converts to what a function's parameter asks for.
    ///
    /// # Errors
    /// See the conversions; only maps, null and "" fit where a map is wanted.
    pub fn convert(&self, kind: Kind) -> Result<Value, NotConvertible> {
        Ok(match kind {
            Kind::Any => self.clone(),
            Kind::Text => Value::Str(self.to_text()),
            Kind::Int => Value::Int(i64::from(self.to_int()?)),
            Kind::Long => Value::Int(self.to_long()?),
            Kind::Double => Value::Float(self.to_double()?),
            Kind::Bool => Value::Bool(self.to_bool()?),
            Kind::Map => self.to_map()?,
        })
    }

    /// Java's `intValue`: a float is cut at the ends of the 32-bit range, a whole number keeps its low 32 bits, a string must be in range.
    fn to_int(&self) -> Result<i32, NotConvertible> {
        match self {
            Value::Float(number) => Ok(*number as i32),
            Value::Str(_) => i32::try_from(self.to_long()?).map_err(|_| self.not("32-bit integer")),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Map(_) => {
                Ok(self.to_long()? as i32)
            }
        }
    }

    fn to_map(&self) -> Result<Value, NotConvertible> {
        match self {
            Value::Map(_) => Ok(self.clone()),
            Value::Null => Ok(Value::Null),
            Value::Str(text) if text.is_empty() => Ok(Value::Null),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
                Err(self.not("map"))
            }
        }
    }

    /// What `empty` says: null, "" and the map without entries.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Str(text) => text.is_empty(),
            Value::Map(map) => map.is_empty(),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => false,
        }
    }

    pub(crate) fn not(&self, to: &'static str) -> NotConvertible {
        let text = self.to_text();
        let cut = text.char_indices().nth(SHOWN_CHARS_MAX).map(|(index, _)| index);
        let shown =
            cut.map_or_else(|| text.as_ref().to_owned(), |index| format!("{}...", &text[..index]));
        NotConvertible { shown, from: self.type_name(), to }
    }
}

impl fmt::Display for Value {
    /// The value as a string in mixed text: null is nothing, a map is `{key=value, ...}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write_java_double(f, *number),
            Value::Str(text) => f.write_str(text),
            Value::Map(map) => write_map(f, map),
        }
    }
}

fn write_map(f: &mut fmt::Formatter<'_>, map: &BTreeMap<String, Value>) -> fmt::Result {
    f.write_str("{")?;
    for (index, (key, value)) in map.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        match value {
            Value::Null => write!(f, "{comma}{key}=null")?,
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) | Value::Map(_) => {
                write!(f, "{comma}{key}={value}")?
            }
        }
    }
    f.write_str("}")
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Str(Arc::from(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Value::Null, Value::from)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Float(number)
    }
}
