//! How job properties become variables.

use roxmltree::Document;

/// Whether a property of this name becomes a variable: `[A-Za-z_][0-9A-Za-z_]*`. All others are reached by `wf:conf('name')` only.
pub fn is_variable_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The value that a property has as a variable. It is trimmed; and because it will stand inside an action's XML, it is escaped where it could not
/// stand between `<value>` and `</value>` as it is. A value that is well-formed XML there keeps its tags and entities.
pub fn escape_variable_value(value: &str) -> String {
    let trimmed = value.trim_matches(|c: char| c <= ' ');
    if is_well_formed_content(trimmed) { trimmed.to_owned() } else { escape_xml(trimmed) }
}

/// Replaces the five characters that XML reserves. The apostrophe becomes `&#039;`.
pub fn escape_xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#039;"),
            '&' => escaped.push_str("&amp;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn is_well_formed_content(text: &str) -> bool {
    let is_plain = !text.contains(['<', '&', '>']) && text.chars().all(is_xml_character);
    is_plain || Document::parse(&format!("<value>{text}</value>")).is_ok()
}

pub(crate) fn is_xml_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
