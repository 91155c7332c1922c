//! Maps as text: JSON, a properties file, a Hadoop configuration. Each is XML-escaped at the end, because it will stand inside an action's XML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::error::CallError;
use crate::functions::time::java_date;
use crate::value::Value;
use crate::variable::{escape_xml, is_xml_character};

/// JSON without blanks; null is `null`.
pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    push_json(&mut out, value);
    escape_xml(&out)
}

fn push_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Float(number) if !number.is_finite() => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => out.push_str(&value.to_text()),
        Value::Str(text) => push_json_text(out, text),
        Value::Map(map) => push_json_map(out, map),
    }
}

fn push_json_map(out: &mut String, map: &BTreeMap<String, Value>) {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_json_text(out, key);
        out.push(':');
        push_json(out, value);
    }
    out.push('}');
}

fn push_json_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' | '/' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2000}'..='\u{20ff}' => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("writing to a string");
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// A properties file: an empty comment, the date, and one line an entry.
pub(crate) fn properties(value: &Value, now_ms: i64) -> Result<String, CallError> {
    let mut out = format!("#\n#{}\n", java_date(now_ms));
    for (key, value) in text_entries(value)? {
        push_property(&mut out, key, true);
        out.push('=');
        push_property(&mut out, value, false);
        out.push('\n');
    }
    Ok(escape_xml(&out))
}

/// In a key every blank is escaped, in a value only a leading one.
fn push_property(out: &mut String, text: &str, is_key: bool) {
    for (index, c) in text.char_indices() {
        match c {
            ' ' if is_key || index == 0 => out.push_str("\\ "),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
}

/// A `<configuration>`, indented by two, lines ended by carriage return and line feed, values trimmed.
pub(crate) fn configuration(value: &Value) -> Result<String, CallError> {
    let mut out = String::new();
    for (key, value) in text_entries(value)? {
        let (name, value) = (element("name", key)?, element("value", value)?);
        write!(out, "  <property>\r\n    {name}\r\n    {value}\r\n  </property>\r\n")
            .expect("writing to a string");
    }
    let xml = if out.is_empty() {
        "<configuration />".to_owned()
    } else {
        format!("<configuration>\r\n{out}</configuration>")
    };
    Ok(escape_xml(&xml))
}

fn element(tag: &str, text: &str) -> Result<String, CallError> {
    if let Some(c) = text.chars().find(|c| !is_xml_character(*c)) {
        return Err(CallError::Failed(format!(
            "the character {:#06x} can't stand in XML; use toJsonStr",
            u32::from(c)
        )));
    }
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    if text.is_empty() {
        return Ok(format!("<{tag} />"));
    }
    let content = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\r', "&#xD;")
        .replace('\n', "\r\n");
    Ok(format!("<{tag}>{content}</{tag}>"))
}

/// The entries of a map of strings; these two forms know nothing else.
fn text_entries(value: &Value) -> Result<Vec<(&str, &str)>, CallError> {
    let Value::Map(map) = value else {
        return Err(CallError::Failed("there is no map".to_owned()));
    };
    map.iter().map(|(key, value)| Ok((key.as_str(), text_entry(key, value)?))).collect()
}

fn text_entry<'a>(key: &str, value: &'a Value) -> Result<&'a str, CallError> {
    match value {
        Value::Str(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Map(_) => {
            Err(CallError::Failed(format!(
                "the entry [{key}] is a {}, not a string; use toJsonStr",
                value.type_name()
            )))
        }
    }
}
