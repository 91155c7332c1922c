//! The text of a document before anything is read from it: bytes to text, limits, places.
//!
//! **Invariants**
//! * Nothing is parsed before its size, its depth and the absence of a document type declaration are known: hostile XML
//!   costs one linear scan.
//! * Every place that is told to a person comes from one [`Lines`] of the same text.

use std::ops::Range;

use model::{Diagnostic, Location, Severity};
use roxmltree::{Document, ParsingOptions};

use crate::codes;
use crate::prescan;

/// How long a workflow definition may be: Oozie's `WorkflowDefinitionMaxLength`.
pub const MAX_DEFINITION_BYTES: usize = 100_000;

/// How long a configuration document may be. A coordinator hands on whole data sets in properties; real ones stay below
/// a tenth of this.
pub const MAX_CONFIGURATION_BYTES: usize = 4 * 1024 * 1024;

/// How deep elements may be nested. Workflows need 6 levels, nested input logic of coordinators a few more; every
/// recursion of this crate is bounded by it.
pub const MAX_DEPTH: usize = 128;

/// What a document may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest document, in bytes (Oozie compares the file's length, not its characters).
    pub max_bytes: usize,
}

impl Default for Limits {
    /// Oozie's limit for definitions, [`MAX_DEFINITION_BYTES`].
    fn default() -> Limits {
        Limits { max_bytes: MAX_DEFINITION_BYTES }
    }
}

impl Limits {
    /// The limit for configuration documents, [`MAX_CONFIGURATION_BYTES`].
    pub fn configuration() -> Limits {
        Limits { max_bytes: MAX_CONFIGURATION_BYTES }
    }
}

/// Takes the bytes of a file as text: not too long (`E0736`), UTF-8 (`HW0002`), no binary file (`HW0001`).
///
/// A byte order mark at the front is dropped.
///
/// # Errors
/// One diagnostic that says what the bytes are instead.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<&str, Diagnostic> {
    if bytes.len() > limits.max_bytes {
        return Err(too_long(bytes.len(), limits));
    }
    if let Some(kind) = kind_of_binary(bytes) {
        let message = format!("the file is {kind}, not XML text");
        return Err(finding(
            codes::NOT_TEXT,
            0..0,
            message,
            "save the definition as plain UTF-8 text",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Parses a document: size, depth and the absence of a document type declaration are checked before.
///
/// `malformed` is the code for text that is not well-formed XML.
pub(crate) fn parse<'text>(
    text: &'text str,
    limits: Limits,
    malformed: &str,
) -> Result<Document<'text>, Diagnostic> {
    if text.len() > limits.max_bytes {
        return Err(too_long(text.len(), limits));
    }
    let lines = Lines::of(text);
    prescan::check(text).map_err(|refusal| refusal.diagnostic(&lines, malformed))?;
    let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
        .map_err(|error| not_well_formed(&lines, &error, malformed))
}

fn too_long(length: usize, limits: Limits) -> Diagnostic {
    let message =
        format!("the definition is {length} bytes long, the limit is {}", limits.max_bytes);
    finding(
        codes::TOO_LONG,
        0..0,
        message,
        "move parts of it into sub-workflows, or raise the limit of the server",
    )
}

fn not_utf8(bytes: &[u8], at: usize) -> Diagnostic {
    let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    let message = format!("byte {at} (line {line}) is not UTF-8: 0x{:02x}", bytes[at]);
    finding(codes::NOT_UTF8, at..at + 1, message, "save the file in the UTF-8 encoding")
}

/// Says what a file is that is no text; `None` for text, of whatever encoding.
fn kind_of_binary(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => Some("UTF-16 text"),
        [0x1f, 0x8b, ..] => Some("a gzip archive"),
        [b'P', b'K', 3, 4, ..] => Some("a zip or jar archive"),
        _ if bytes.contains(&0) => Some("a binary file (it has NUL bytes)"),
        _ => None,
    }
}

fn not_well_formed(lines: &Lines<'_>, error: &roxmltree::Error, code: &str) -> Diagnostic {
    let place = error.pos();
    let at = Location { line: place.row, column: place.col };
    let start = lines.offset(at);
    Diagnostic {
        code: code.to_owned(),
        severity: Severity::Error,
        at,
        span: start..start,
        message: format!("not well-formed XML: {}", without_place(&error.to_string(), place)),
        help: Some("correct the XML here; an XML-aware editor shows the place".to_owned()),
    }
}

/// The parser's own words without the place at their end, which is told anyway.
fn without_place(words: &str, place: roxmltree::TextPos) -> String {
    words.strip_suffix(&format!(" at {place}")).unwrap_or(words).to_owned()
}

/// An error without a place for people yet.
pub(crate) fn finding(code: &str, span: Range<usize>, message: String, help: &str) -> Diagnostic {
    Diagnostic {
        code: code.to_owned(),
        severity: Severity::Error,
        at: Location::default(),
        span,
        message,
        help: (!help.is_empty()).then(|| help.to_owned()),
    }
}

/// Where the lines of a text begin: turns bytes into places in `log(lines)`.
#[derive(Debug)]
pub(crate) struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
}

impl<'text> Lines<'text> {
    pub(crate) fn of(text: &'text str) -> Lines<'text> {
        let after_breaks =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The place of a byte.
    pub(crate) fn location(&self, offset: usize) -> Location {
        let line = self.starts.partition_point(|start| *start <= offset) - 1;
        let column =
            self.text.get(self.starts[line]..offset).map_or(0, |part| part.chars().count());
        Location { line: number(line + 1), column: number(column + 1) }
    }

    /// The first byte of a place, at most the end of the text.
    fn offset(&self, at: Location) -> usize {
        let line = (at.line as usize).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(self.text.len());
        let skipped = self.text[start..].chars().take((at.column as usize).saturating_sub(1));
        (start + skipped.map(char::len_utf8).sum::<usize>()).min(self.text.len())
    }
}

/// Lines and columns fit `u32` because documents are bounded; a larger one is shown as the largest.
fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let lines = Lines::of("ab\nüxy\n");
        assert_eq!(lines.location(0), Location { line: 1, column: 1 });
        assert_eq!(lines.location(5), Location { line: 2, column: 2 });
        assert_eq!(lines.offset(Location { line: 2, column: 2 }), 5);
        assert_eq!(lines.location(8), Location { line: 3, column: 1 });
    }

    #[track_caller]
    fn check(bytes: &[u8], code: &str, message: &str) {
        let refusal = decode(bytes, Limits { max_bytes: 20 }).expect_err("must be refused");
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), (code, message));
    }

    #[test]
    fn what_is_no_text_is_named() {
        check(b"\x1f\x8b\x08xx", "HW0001", "the file is a gzip archive, not XML text");
        check(b"PK\x03\x04xx", "HW0001", "the file is a zip or jar archive, not XML text");
        check(b"\xff\xfe<\0", "HW0001", "the file is UTF-16 text, not XML text");
        check(b"<a>\0</a>", "HW0001", "the file is a binary file (it has NUL bytes), not XML text");
        check(b"<a>\n\xe4</a>", "HW0002", "byte 4 (line 2) is not UTF-8: 0xe4");
        check(&[b' '; 21], "E0736", "the definition is 21 bytes long, the limit is 20");
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(decode("\u{feff}<a/>".as_bytes(), Limits::default()), Ok("<a/>"));
    }
}
