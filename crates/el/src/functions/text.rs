//! String functions.

use fancy_regex::Captures;

use crate::error::CallError;
use crate::functions::check_size;
use crate::functions::java_regex::{JavaRegex, Piece, replacement_pieces};

/// Both, one after the other.
pub fn concat(left: &str, right: &str) -> String {
    format!("{left}{right}")
}

/// Without the control characters and blanks (up to U+0020) at both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// `application/x-www-form-urlencoded` of the UTF-8 bytes: a blank is `+`, letters, digits and `.-*_` stay.
pub fn url_encode(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            _ => encoded.extend([
                '%',
                char::from(DIGITS[usize::from(byte >> 4)]),
                char::from(DIGITS[usize::from(byte & 15)]),
            ]),
        }
    }
    encoded
}

/// Replaces every match of a Java regular expression. In the replacement `$1` and `${name}` are groups, and a backslash takes the next character as it is.
///
/// # Errors
/// A pattern or replacement that Java would refuse, one that is too hard (see `java_regex`), or a result that is too long.
pub fn replace_all(source: &str, regex: &str, replacement: &str) -> Result<String, CallError> {
    let regex = JavaRegex::new(regex)?;
    let mut replaced = String::with_capacity(source.len());
    let mut copied = 0;
    let mut pieces = None;
    regex.each_match(source, |captures, start, end| {
        if pieces.is_none() {
            pieces = Some(replacement_pieces(replacement, &regex)?);
        }
        replaced.push_str(&source[copied..start]);
        pieces.iter().flatten().for_each(|piece| push_piece(&mut replaced, piece, captures));
        copied = end;
        check_size(replaced.len())
    })?;
    replaced.push_str(&source[copied..]);
    Ok(replaced)
}

fn push_piece(out: &mut String, piece: &Piece, captures: &Captures<'_, str>) {
    match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Group(number) => {
            out.push_str(captures.get(*number).map_or("", |group| group.as_str()))
        }
        Piece::Name(name) => out.push_str(captures.name(name).map_or("", |group| group.as_str())),
    }
}

/// Adds text to every part between delimiters, as in `appendAll("/a/,/b/", "ADD", ",")` = `/a/ADD,/b/ADD`.
///
/// As in Oozie the delimiter splits as a regular expression, joins as it stands, and empty parts at the end are lost.
///
/// # Errors
/// A delimiter that is no Java regular expression, or a result that is too long.
pub fn append_all(source: &str, addition: &str, delimiter: &str) -> Result<String, CallError> {
    let parts = split(source, delimiter)?;
    let mut appended = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            appended.push_str(delimiter);
        }
        appended.push_str(part);
        appended.push_str(addition);
        check_size(appended.len())?;
    }
    let lost_empty_start =
        source.starts_with(delimiter) && parts.first().is_some_and(|part| !part.is_empty());
    if lost_empty_start {
        appended.insert_str(0, addition);
    }
    Ok(appended)
}

/// Java's `String.split`: no empty part from a match of nothing at the start, no empty parts at the end, and the whole text where nothing matches.
fn split<'a>(source: &'a str, regex: &str) -> Result<Vec<&'a str>, CallError> {
    let mut parts = Vec::new();
    let mut from = 0;
    JavaRegex::new(regex)?.each_match(source, |_, start, end| {
        if end > 0 {
            parts.push(&source[from..start]);
            from = end;
        }
        Ok(())
    })?;
    if from == 0 {
        return Ok(vec![source]);
    }
    parts.push(&source[from..]);
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    Ok(parts)
}
