//! A Rust file taken apart just far enough to ask about it: code, comments, string literals, and which of it is tests.
//!
//! This is no parser. It knows the comments, literals and braces of the language, so that a word in a comment is not
//! taken for code and a brace in a string is not counted.

use std::ops::Range;

/// A file of Rust, with its parts told apart.
#[derive(Debug)]
pub struct RustText {
    /// The code, as long as the file: comments and the insides of literals are blanks, line breaks stay.
    pub code: String,
    /// String literals, in order.
    pub literals: Vec<Part>,
    /// Comments, in order, with their slashes.
    pub comments: Vec<Part>,
    /// Where `#[cfg(test)]` items are, in bytes.
    tests: Vec<Range<usize>>,
}

/// A comment or a literal.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins, in bytes of the file.
    pub at: usize,
    /// Its text; of a literal, what is between the quotes, as written.
    pub text: String,
}

enum Kind {
    Comment,
    Literal { opening: usize, closing: usize },
    Character,
}

impl RustText {
    /// Takes a file apart.
    pub fn read(text: &str) -> RustText {
        let mut read = RustText {
            code: String::new(),
            literals: Vec::new(),
            comments: Vec::new(),
            tests: Vec::new(),
        };
        let mut at = 0;
        while at < text.len() {
            at = match special(text, at) {
                Some((kind, length)) => read.take(text, at, &kind, length),
                None => read.take_code(text, at),
            };
        }
        read.tests = test_items(&read.code);
        read
    }

    /// Whether this byte belongs to an item that exists only in tests.
    pub fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// The line of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// Where a path or word stands in the code as whole words, as in `Instant::now`.
    pub fn places(&self, words: &str) -> Vec<usize> {
        let hits = self.code.match_indices(words).map(|(at, _)| at);
        hits.filter(|at| is_whole(&self.code, *at, words.len())).collect()
    }

    fn take(&mut self, text: &str, at: usize, kind: &Kind, length: usize) -> usize {
        let whole = &text[at..at + length];
        match kind {
            Kind::Comment => self.comments.push(Part { at, text: whole.to_owned() }),
            Kind::Literal { opening, closing } => {
                let inside = &whole[*opening..whole.len() - closing];
                self.literals.push(Part { at, text: inside.to_owned() });
            }
            Kind::Character => {}
        }
        // One blank for each byte, so that places in the code are places in the file.
        self.code.extend(whole.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        at + length
    }

    fn take_code(&mut self, text: &str, at: usize) -> usize {
        let character = text[at..].chars().next().expect("the caller checked that there is more");
        match character.is_ascii() {
            true => self.code.push(character),
            false => self.code.extend((0..character.len_utf8()).map(|_| '_')),
        }
        at + character.len_utf8()
    }
}

/// Whether what stands here is not a part of a longer word.
pub fn is_whole(text: &str, at: usize, length: usize) -> bool {
    let is_word =
        |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !is_word(text[..at].chars().next_back()) && !is_word(text[at + length..].chars().next())
}

/// What begins here that is no code, and how many bytes it has.
fn special(text: &str, at: usize) -> Option<(Kind, usize)> {
    let rest = &text[at..];
    if rest.starts_with("//") {
        return Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return Some((Kind::Comment, block_comment(rest)));
    }
    if rest.starts_with('"') {
        return Some((Kind::Literal { opening: 1, closing: 1 }, quoted(rest)));
    }
    if rest.starts_with('\'') {
        return character(rest).map(|length| (Kind::Character, length));
    }
    let begins_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if begins_word { raw(rest) } else { None }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = &rest[1..];
    if inside.starts_with('\\') {
        let after = inside.char_indices().nth(2)?.0;
        return inside[after..].find('\'').map(|end| 1 + after + end + 1);
    }
    let length = inside.chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(length + 2)
}

/// `r"…"`, `r#"…"#`, with or without `b` or `c` before it.
fn raw(rest: &str) -> Option<(Kind, usize)> {
    let after_prefix = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let after_r = after_prefix.strip_prefix('r')?;
    let hashes = after_r.bytes().take_while(|byte| *byte == b'#').count();
    let inside = after_r[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = rest.len() - inside.len();
    let closed = inside.find(&end).map_or(rest.len(), |at| opening + at + end.len());
    Some((Kind::Literal { opening, closing: end.len() }, closed))
}

/// The items under `#[cfg(test)]` and the like: to the closing brace, or to the semicolon.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    for marker in ["#[cfg(test)]", "#[cfg(all(test,", "#[test]", "#[tokio::test"] {
        for (begin, _) in code.match_indices(marker) {
            items.push(begin..item_end(code, begin + marker.len()));
        }
    }
    items
}

fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b';' if depth == 0 => return at,
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(text: &str) -> Vec<String> {
        RustText::read(text).literals.into_iter().map(|part| part.text).collect()
    }

    #[test]
    fn literals_are_found_in_all_their_forms() {
        assert_eq!(
            literals(r##"f("a", r"b\", r#"c"d"#, b"e", br"f", "g\"h", 'i', '"', '\'', "j")"##),
            ["a", "b\\", "c\"d", "e", "f", "g\\\"h", "j"]
        );
        assert_eq!(
            literals("fn f<'a>(x: &'a str) { \"k\" } // \"l\"\n/* \"m\" /* */ \"n\" */ \"o\""),
            ["k", "o"]
        );
    }

    #[test]
    fn code_keeps_its_place_and_loses_comments_and_literals() {
        let text = "let é = \"tokio\"; // tokio\ntokio::spawn";
        let read = RustText::read(text);
        assert_eq!(read.code.len(), text.len());
        let places = read.places("tokio");
        assert_eq!(places.iter().map(|at| read.line(*at)).collect::<Vec<_>>(), [2]);
        assert_eq!(&text[places[0]..], "tokio::spawn");
    }

    #[test]
    fn words_are_whole_words() {
        let read = RustText::read("MyInstant::now(); Instant::nowhere(); Instant::now()");
        assert_eq!(read.places("Instant::now").len(), 1);
    }

    #[test]
    fn tests_are_known() {
        let text = "fn a() {} #[cfg(test)] mod tests { fn b() { \"}\"; } } fn c() {} #[cfg(test)] mod more; fn d() {}";
        let read = RustText::read(text);
        let is_test = |words: &str| read.is_test(text.find(words).expect("it is in the text"));
        assert!(is_test("fn b"));
        assert!(is_test("mod more"));
        assert!(!is_test("fn a") && !is_test("fn c") && !is_test("fn d"));
    }
}
