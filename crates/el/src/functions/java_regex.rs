//! Java's regular expressions on top of `fancy_regex`: a small translation of the notation, and Java's way of stepping from match to match.
//!
//! Translated: `\d \w \s \h \v \R \Z` and their negations with Java's (ASCII) meaning, `\Q...\E`, octal and control escapes, escaped punctuation,
//! `\p{Alpha}` and its like, and the line ends that `.` and `$` know. Inline flags `d`, `u` and `U` are refused.
//!
//! Known differences: `(?i)` folds all of Unicode, `[[:alpha:]]` is the POSIX class (Java: the letters of it), an open `{` may stand for itself, and an
//! empty match never falls between the halves of a character above U+FFFF.

use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::error::CallError;

/// Bytes of a pattern. Patterns in workflows are short; this bounds the work of compiling.
const PATTERN_BYTES_MAX: usize = 4 * 1024;
/// Backtracking steps of one search. Ordinary patterns need none; Java has no bound and would hang.
const BACKTRACKS_MAX: usize = 100_000;
/// Matches in one text. Times the steps above it bounds the work of the worst pattern to some seconds.
const MATCHES_MAX: usize = 50_000;
/// Bytes of the compiled automata: counted repetitions multiply.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// Instructions of the backtracking program.
const PROGRAM_MAX: usize = 20_000;

const LINE_END: &str = r"\n\r\x{85}\x{2028}\x{2029}";
const BLANKS: &str = r" \t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}";
const VERTICAL: &str = r"\n\x{0B}\x{0C}\r\x{85}\x{2028}\x{2029}";
const SPACES: &str = r" \t\n\x{0B}\x{0C}\r";

pub(crate) struct JavaRegex {
    regex: Regex,
}

impl JavaRegex {
    pub(crate) fn new(pattern: &str) -> Result<Self, CallError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(CallError::Failed(format!(
                "the regular expression has more than {PATTERN_BYTES_MAX} bytes"
            )));
        }
        let translated = translate(pattern)?;
        let built = RegexBuilder::new(&translated)
            .backtrack_limit(BACKTRACKS_MAX)
            .delegate_size_limit(COMPILED_BYTES_MAX)
            .delegate_dfa_size_limit(COMPILED_BYTES_MAX)
            .max_prog_size(PROGRAM_MAX)
            .build();
        let regex = built.map_err(|error| {
            CallError::Failed(format!("the regular expression [{pattern}] can't be used: {error}"))
        })?;
        Ok(JavaRegex { regex })
    }

    /// Calls `found` with each match, its start and its end. As in Java a search starts where the last match ended, one further after an empty one.
    pub(crate) fn each_match<'t>(
        &self,
        text: &'t str,
        mut found: impl FnMut(&Captures<'t, str>, usize, usize) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let mut position = Some(0);
        let mut count = 0;
        while let Some(from) = position {
            let searched = self.regex.captures_from_pos(text, from);
            let Some(captures) = searched.map_err(|error| {
                CallError::Failed(format!("the search takes too long: {error}"))
            })?
            else {
                break;
            };
            count += 1;
            if count > MATCHES_MAX {
                return Err(CallError::Failed(format!(
                    "there are more than {MATCHES_MAX} matches"
                )));
            }
            let whole = captures.get(0).expect("group 0 is the match itself");
            found(&captures, whole.start(), whole.end())?;
            position = if whole.start() == whole.end() {
                next_position(text, whole.end())
            } else {
                Some(whole.end())
            };
        }
        Ok(())
    }

    fn group_count(&self) -> usize {
        self.regex.captures_len() - 1
    }

    fn has_group(&self, name: &str) -> bool {
        self.regex.capture_names().flatten().any(|found| found == name)
    }
}

fn next_position(text: &str, position: usize) -> Option<usize> {
    text[position..].chars().next().map(|c| position + c.len_utf8())
}

/// A part of a replacement.
pub(crate) enum Piece {
    Text(String),
    Group(usize),
    Name(String),
}

/// Reads Java's replacement notation.
pub(crate) fn replacement_pieces(
    replacement: &str,
    regex: &JavaRegex,
) -> Result<Vec<Piece>, CallError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = replacement;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = rest
                    .chars()
                    .next()
                    .ok_or_else(|| bad_replacement(replacement, "a backslash at its end"))?;
                text.push(escaped);
                rest = &rest[escaped.len_utf8()..];
            }
            '$' => {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                let (piece, length) =
                    group(rest, regex).map_err(|why| bad_replacement(replacement, why))?;
                pieces.push(piece);
                rest = &rest[length..];
            }
            _ => text.push(c),
        }
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

fn bad_replacement(replacement: &str, why: &str) -> CallError {
    CallError::Failed(format!(
        "the replacement [{replacement}] has {why}; write \\$ for a dollar sign and \\\\ for a backslash"
    ))
}

/// The group named behind a `$`, and how many bytes name it. Digits count as long as such a group exists.
fn group(rest: &str, regex: &JavaRegex) -> Result<(Piece, usize), &'static str> {
    if let Some(inner) = rest.strip_prefix('{') {
        let (name, _) = inner.split_once('}').ok_or("a `${` without its `}`")?;
        return if regex.has_group(name) {
            Ok((Piece::Name(name.to_owned()), name.len() + 2))
        } else {
            Err("a group that is not in the pattern")
        };
    }
    let digits: Vec<usize> = rest
        .bytes()
        .map_while(|byte| byte.is_ascii_digit().then(|| usize::from(byte - b'0')))
        .collect();
    let (first, more) = digits.split_first().ok_or("a `$` that names no group")?;
    if *first > regex.group_count() {
        return Err("a group that is not in the pattern");
    }
    let mut number = *first;
    let mut length = 1;
    for digit in more {
        let longer = number * 10 + digit;
        if longer > regex.group_count() {
            break;
        }
        number = longer;
        length += 1;
    }
    Ok((Piece::Group(number), length))
}

fn translate(pattern: &str) -> Result<String, CallError> {
    let flags = inline_flags(pattern);
    if flags.contains(['d', 'u', 'U']) {
        return Err(CallError::Failed(format!(
            "the regular expression [{pattern}] has a flag of d, u, U, which is not supported"
        )));
    }
    let mut translation = Translation { out: String::new(), rest: pattern, class_depth: 0 };
    while let Some(c) = translation.take() {
        match c {
            '\\' => translation.escape(),
            '[' => translation.open_class(),
            ']' if translation.class_depth > 0 => translation.close_class(),
            '~' if translation.class_depth > 0 => translation.literal('~'),
            '.' if translation.class_depth == 0 && !flags.contains('s') => {
                translation.push(&format!("[^{LINE_END}]"))
            }
            '$' if translation.class_depth == 0 && !flags.contains('m') => {
                translation.final_line_end()
            }
            _ => translation.out.push(c),
        }
    }
    Ok(translation.out)
}

/// The letters of all `(?letters)` and `(?letters:` in the pattern.
fn inline_flags(pattern: &str) -> String {
    let after = pattern.split("(?").skip(1);
    after
        .flat_map(|group| group.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '-'))
        .collect()
}

struct Translation<'a> {
    out: String,
    rest: &'a str,
    class_depth: usize,
}

impl Translation<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn open_class(&mut self) {
        self.class_depth += 1;
        self.push("[");
    }

    fn close_class(&mut self) {
        self.class_depth -= 1;
        self.push("]");
    }

    fn final_line_end(&mut self) {
        self.push(&format!(r"(?=(?:\r\n|[{LINE_END}])?\z)"));
    }

    /// Punctuation as a code, so that it has no meaning of its own.
    fn literal(&mut self, c: char) {
        if c.is_alphanumeric() || !c.is_ascii() {
            self.out.push(c);
        } else {
            self.push(&format!("\\x{{{:02X}}}", u32::from(c)));
        }
    }

    /// A set of characters, alone or inside of a class.
    fn set(&mut self, content: &str) {
        if self.class_depth > 0 { self.push(content) } else { self.push(&format!("[{content}]")) }
    }

    fn complement(&mut self, content: &str) {
        self.push(&format!("[^{content}]"));
    }

    fn escape(&mut self) {
        let Some(c) = self.take() else { return self.push("\\") };
        match c {
            'd' => self.set("0-9"),
            'D' => self.complement("0-9"),
            'w' => self.set("a-zA-Z0-9_"),
            'W' => self.complement("a-zA-Z0-9_"),
            's' => self.set(SPACES),
            'S' => self.complement(SPACES),
            'h' => self.set(BLANKS),
            'H' => self.complement(BLANKS),
            'v' => self.set(VERTICAL),
            'V' => self.complement(VERTICAL),
            'R' => self.push(&format!(r"(?:\r\n|[{VERTICAL}])")),
            'Z' => self.final_line_end(),
            'Q' => self.quoted(),
            'p' | 'P' => self.property(c),
            '0' => self.octal(),
            'c' => self.control(),
            _ if c.is_ascii_alphanumeric() => self.out.extend(['\\', c]),
            _ => self.literal(c),
        }
    }

    fn quoted(&mut self) {
        let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
        self.rest = rest;
        quoted.chars().for_each(|c| self.literal(c));
    }

    /// `\p{Alpha}`: Java's names of ASCII sets become their POSIX form; `IsX` is the property `X`; others stay.
    fn property(&mut self, letter: char) {
        let Some((name, rest)) =
            self.rest.strip_prefix('{').and_then(|inner| inner.split_once('}'))
        else {
            return self.out.extend(['\\', letter]);
        };
        self.rest = rest;
        let negated = letter == 'P';
        match posix_class(name) {
            Some(posix) if negated => self.push(&format!("[[:^{posix}:]]")),
            Some(posix) => self.push(&format!("[[:{posix}:]]")),
            None => {
                self.push(&format!("\\{letter}{{{}}}", name.strip_prefix("Is").unwrap_or(name)))
            }
        }
    }

    /// `\0` and up to three octal digits, at most 377.
    fn octal(&mut self) {
        let digits: Vec<u32> = self.rest.chars().take(3).map_while(|c| c.to_digit(8)).collect();
        let count = if digits.first().is_some_and(|first| *first > 3) {
            digits.len().min(2)
        } else {
            digits.len()
        };
        let code = digits.iter().take(count).fold(0, |code, digit| code * 8 + digit);
        self.rest = &self.rest[count..];
        self.push(&format!("\\x{{{code:02X}}}"));
    }

    fn control(&mut self) {
        match self.take() {
            Some(c) if c.is_ascii() => self.push(&format!("\\x{{{:02X}}}", u32::from(c) ^ 64)),
            _ => self.push("\\c"),
        }
    }
}

fn posix_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "lower",
        "Upper" => "upper",
        "ASCII" => "ascii",
        "Alpha" => "alpha",
        "Digit" => "digit",
        "Alnum" => "alnum",
        "Punct" => "punct",
        "Graph" => "graph",
        "Print" => "print",
        "Blank" => "blank",
        "Cntrl" => "cntrl",
        "XDigit" => "xdigit",
        "Space" => "space",
        _ => return None,
    })
}
