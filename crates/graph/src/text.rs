//! Text in pictures: how wide it is, how it is cut, how it is escaped.
//!
//! All text is set in one monospaced face, so a width is a count of characters and needs no font at hand.

use std::borrow::Cow;

/// Width of one character of the face (Hack) in parts of the font size: 1 233 of 2 048 units.
const ADVANCE_EM: f64 = 0.602;

/// What browsers may put in place of Hack, which pictures made here embed: faces of the same width.
pub(crate) const FAMILY: &str = "Hack, 'DejaVu Sans Mono', Menlo, Consolas, monospace";

pub(crate) fn width_px(text: &str, size_px: f64) -> f64 {
    text.chars().count() as f64 * ADVANCE_EM * size_px
}

/// At most `chars_max` characters, the last of them an ellipsis where something was cut.
pub(crate) fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    if text.chars().nth(chars_max).is_none() {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    Cow::Owned(format!("{}…", kept.trim_end()))
}

/// Text for an XML document; what XML 1.0 cannot hold becomes the replacement character.
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(character),
            control if control < ' ' || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// A quoted string of the DOT language.
pub(crate) fn dot(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control < ' ' => quoted.push('\u{fffd}'),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}
