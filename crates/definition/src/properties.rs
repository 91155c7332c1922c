//! Java's `.properties` files, as `java.util.Properties` reads them: `job.properties`, captured output.
//!
//! Keys end at the first `=`, `:` or white space that is not escaped. A backslash at the end of a line joins the next
//! one, whose white space at the front goes. `\t`, `\n`, `\r`, `\f` and `\uXXXX` are characters; a backslash before any
//! other character is nothing. Lines that begin with `#` or `!` are comments and are never joined.

use std::iter::Peekable;
use std::str::Chars;

use model::{Configuration, Diagnostic};

use crate::codes;
use crate::source::{Lines, finding};

/// Reads a properties file.
///
/// # Errors
/// `HW0005` for `\u` that is not followed by four hexadecimal digits, the one thing that Java refuses.
pub fn read_properties(text: &str) -> Result<Configuration, Diagnostic> {
    let mut properties = Configuration::new();
    let mut rest = text;
    while !rest.is_empty() {
        let start = text.len() - rest.len();
        let (line, after) = logical_line(rest);
        rest = after;
        if line.is_empty() {
            continue;
        }
        let (key, value) = split(&line);
        let decoded = decode(key).and_then(|key| Some((key, decode(value)?)));
        let (key, value) = decoded.ok_or_else(|| malformed(text, start))?;
        properties.set(key, value);
    }
    Ok(properties)
}

fn malformed(text: &str, start: usize) -> Diagnostic {
    let message = "\\u must be followed by four hexadecimal digits".to_owned();
    let help = "write \\\\u for a backslash and a u, or \\u0041 for the letter A";
    Diagnostic {
        at: Lines::of(text).location(start),
        ..finding(codes::PROPERTIES, start..start, message, help)
    }
}

/// The first line of a text with the lines it is joined with, and what comes after; empty for comments and blanks.
fn logical_line(text: &str) -> (String, &str) {
    let (first, mut rest) = natural_line(text);
    let first = first.trim_start_matches(is_blank);
    if first.starts_with(['#', '!']) {
        return (String::new(), rest);
    }
    let mut line = first.to_owned();
    while is_continued(&line) {
        line.pop();
        if rest.is_empty() {
            break;
        }
        let (next, after) = natural_line(rest);
        line.push_str(next.trim_start_matches(is_blank));
        rest = after;
    }
    (line, rest)
}

/// The text up to the end of the line, and what comes after it.
fn natural_line(text: &str) -> (&str, &str) {
    let Some(end) = text.find(['\n', '\r']) else { return (text, "") };
    let break_length = if text[end..].starts_with("\r\n") { 2 } else { 1 };
    (&text[..end], &text[end + break_length..])
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\u{c}')
}

/// Whether a line ends in an odd number of backslashes.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Cuts a line into its key and its value, both still escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let ends_key = |(_, letter): &(usize, char)| {
        let ends = !escaped && (matches!(letter, '=' | ':') || is_blank(*letter));
        escaped = *letter == '\\' && !escaped;
        ends
    };
    let Some((end, _)) = line.char_indices().find(ends_key) else { return (line, "") };
    let value = line[end..].trim_start_matches(is_blank);
    let value = value.strip_prefix(['=', ':']).unwrap_or(value);
    (&line[..end], value.trim_start_matches(is_blank))
}

/// Resolves the escapes of a key or value; `None` for a malformed `\u`.
fn decode(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let unit = if letter == '\\' { escape(&mut letters)? } else { Unit::Letter(letter) };
        match unit {
            Unit::Letter(letter) => units.extend(letter.encode_utf16(&mut [0; 2]).iter()),
            Unit::Code(code) => units.push(code),
            Unit::Nothing => {}
        }
    }
    Some(String::from_utf16_lossy(&units))
}

enum Unit {
    Letter(char),
    /// Half of a character beyond the first 65536 comes as a code of its own.
    Code(u16),
    Nothing,
}

fn escape(letters: &mut Peekable<Chars<'_>>) -> Option<Unit> {
    Some(match letters.next() {
        Some('t') => Unit::Letter('\t'),
        Some('n') => Unit::Letter('\n'),
        Some('r') => Unit::Letter('\r'),
        Some('f') => Unit::Letter('\u{c}'),
        Some('u') => {
            let digits = (0..4).map(|_| letters.next().and_then(|digit| digit.to_digit(16)));
            let code = digits
                .collect::<Option<Vec<u32>>>()?
                .into_iter()
                .fold(0, |code, digit| code * 16 + digit);
            Unit::Code(u16::try_from(code).ok()?)
        }
        Some(other) => Unit::Letter(other),
        None => Unit::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, pairs: &[(&str, &str)]) {
        assert_eq!(read_properties(text), Ok(pairs.iter().copied().collect()), "{text:?}");
    }

    #[test]
    fn separators_are_any_of_three() {
        check(
            "a=1\nb:2\nc 3\nd\t = 4\ne==5\nf",
            &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "=5"), ("f", "")],
        );
        check("a\\=b\\:c\\ d=1", &[("a=b:c d", "1")]);
        check("url = hdfs://host:8020/x?a=b", &[("url", "hdfs://host:8020/x?a=b")]);
        check("=1", &[("", "1")]);
    }

    #[test]
    fn white_space_at_the_end_stays() {
        check("  a = 1 \t", &[("a", "1 \t")]);
    }

    #[test]
    fn comments_and_blank_lines_are_skipped_and_not_joined() {
        check("# a=1\n  ! b=2 \\\nc=3\n\n \t\r\n", &[("c", "3")]);
        check("a=1 # not a comment", &[("a", "1 # not a comment")]);
    }

    #[test]
    fn backslashes_join_lines() {
        check("a=1,\\\n   2,\\\r\n\t3\nb=4", &[("a", "1,2,3"), ("b", "4")]);
        check("a=1\\\\\nb=2", &[("a", "1\\"), ("b", "2")]);
        check("a=1\\", &[("a", "1")]);
        check("a=1\\\n# 2", &[("a", "1# 2")]);
    }

    #[test]
    fn escapes_are_characters() {
        check("a=\\t\\n\\u0041\\x\\\"", &[("a", "\t\nAx\"")]);
        check("a=\\ud83d\\ude00\u{1f600}", &[("a", "\u{1f600}\u{1f600}")]);
        check("a\\u003db=1", &[("a=b", "1")]);
    }

    #[test]
    fn the_last_value_wins() {
        check("a=1\na=2", &[("a", "2")]);
    }

    #[test]
    fn a_malformed_code_is_refused_with_its_place() {
        let refusal = read_properties("a=1\nb=\\u00g1").expect_err("not hexadecimal");
        assert_eq!((refusal.code.as_str(), refusal.at.line), ("HW0005", 2));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "[\\\\u0-9a-f=: \n\r#!\u{e4}]{0,60}") {
            let _ = read_properties(&text);
        }
    }
}
