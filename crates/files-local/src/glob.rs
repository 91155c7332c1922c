//! Hadoop's globs: `*`, `?`, `[a-z]`, `[^a]`, `{a,b}` and `\` before a character that is meant as it stands.
//!
//! Braces are multiplied out first, since they may hold slashes; then each part of a path is matched by itself, so
//! that no wildcard crosses a slash. As in Hadoop a wildcard matches names that begin with a dot too.

/// What braces may multiply out to: more is a mistake, and each costs a walk.
const ALTERNATIVES_MAX: usize = 1024;

/// Why a text is no pattern.
pub(crate) type Fault = &'static str;

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Exactly this name.
    Name(String),
    /// Every name that matches.
    Pattern(Vec<Token>),
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Exactly(char),
    /// Any one character.
    AnyOne,
    /// Any number of any characters.
    AnyRun,
    /// One character in the ranges; or, negated, outside of them.
    OneOf { negated: bool, ranges: Vec<(char, char)> },
}

/// The paths, part by part, that a pattern stands for.
pub(crate) fn parse(pattern: &str) -> Result<Vec<Vec<Part>>, Fault> {
    let mut alternatives = Vec::new();
    expand(pattern, &mut alternatives)?;
    alternatives.iter().map(|path| parts(path)).collect()
}

/// `.` and `..` are resolved in the text, as in a plain path.
fn parts(path: &str) -> Result<Vec<Part>, Fault> {
    let mut found = Vec::new();
    for text in path.split('/') {
        match text {
            "" | "." => {}
            ".." => {
                found.pop().ok_or("its `..` climb above the root")?;
            }
            other => found.push(part(other)?),
        }
    }
    Ok(found)
}

/// Multiplies out the braces.
fn expand(pattern: &str, into: &mut Vec<String>) -> Result<(), Fault> {
    let mut waiting = vec![pattern.to_owned()];
    while let Some(text) = waiting.pop() {
        match first_braces(&text)? {
            None => into.push(text),
            Some((open, close)) => {
                let (head, tail) = (&text[..open], &text[close + 1..]);
                let choices = split_choices(&text[open + 1..close]);
                waiting.extend(choices.iter().rev().map(|choice| format!("{head}{choice}{tail}")));
            }
        }
        if into.len() + waiting.len() > ALTERNATIVES_MAX {
            return Err("its braces stand for more than 1024 paths");
        }
    }
    Ok(())
}

/// Where the first outermost pair of braces opens and closes.
fn first_braces(text: &str) -> Result<Option<(usize, usize)>, Fault> {
    let (mut open, mut depth) = (None, 0_usize);
    for (at, c) in unescaped(text) {
        match c {
            '{' => {
                open.get_or_insert(at);
                depth += 1;
            }
            '}' if depth == 1 => return Ok(open.map(|open| (open, at))),
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
    }
    if depth > 0 { Err("a `{` is not closed") } else { Ok(None) }
}

fn split_choices(inner: &str) -> Vec<&str> {
    let (mut choices, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in unescaped(inner) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                choices.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    choices.push(&inner[from..]);
    choices
}

/// The characters that no backslash precedes, with where they stand.
fn unescaped(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut escaped = false;
    text.char_indices().filter(move |(_, c)| {
        let plain = !escaped && *c != '\\';
        escaped = !escaped && *c == '\\';
        plain
    })
}

fn part(text: &str) -> Result<Part, Fault> {
    let tokens = tokens(text)?;
    let name: Option<String> = tokens
        .iter()
        .map(|token| if let Token::Exactly(c) = token { Some(*c) } else { None })
        .collect();
    Ok(name.map_or(Part::Pattern(tokens), Part::Name))
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut found = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        found.push(match c {
            '\\' => Token::Exactly(chars.next().ok_or("a `\\` at its end escapes nothing")?),
            '*' => Token::AnyRun,
            '?' => Token::AnyOne,
            '[' => one_of(&mut chars)?,
            other => Token::Exactly(other),
        });
    }
    Ok(found)
}

fn one_of(chars: &mut std::str::Chars<'_>) -> Result<Token, Fault> {
    const OPEN: Fault = "a `[` is not closed";
    let negated = chars.as_str().starts_with(['^', '!']);
    if negated {
        chars.next();
    }
    let mut ranges = Vec::new();
    loop {
        let from = match chars.next().ok_or(OPEN)? {
            ']' if !ranges.is_empty() => return Ok(Token::OneOf { negated, ranges }),
            '\\' => chars.next().ok_or(OPEN)?,
            other => other,
        };
        let is_range = chars.as_str().starts_with('-') && !chars.as_str().starts_with("-]");
        ranges.push(if is_range { (from, range_end(chars).ok_or(OPEN)?) } else { (from, from) });
    }
}

fn range_end(chars: &mut std::str::Chars<'_>) -> Option<char> {
    chars.next();
    match chars.next()? {
        '\\' => chars.next(),
        other => Some(other),
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Token::Exactly(wanted) => *wanted == c,
            Token::AnyOne | Token::AnyRun => true,
            Token::OneOf { negated, ranges } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
        }
    }
}

/// Whether the whole name matches. Takes at most (tokens × characters) steps, whatever the pattern.
pub(crate) fn matches(tokens: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut token, mut at) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    while at < name.len() {
        match tokens.get(token) {
            Some(Token::AnyRun) => {
                last_run = Some((token, at));
                token += 1;
            }
            Some(other) if other.takes(name[at]) => (token, at) = (token + 1, at + 1),
            _ => match last_run {
                None => return false,
                Some((run, from)) => {
                    last_run = Some((run, from + 1));
                    (token, at) = (run + 1, from + 1);
                }
            },
        }
    }
    tokens[token..].iter().all(|rest| *rest == Token::AnyRun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let alternatives = parse(pattern).expect("a pattern");
        let fits = |name: &str| {
            alternatives.iter().any(|parts| match parts.as_slice() {
                [Part::Name(wanted)] => wanted == name,
                [Part::Pattern(tokens)] => matches(tokens, name),
                _ => false,
            })
        };
        for name in yes {
            assert!(fits(name), "{pattern} should match {name}");
        }
        for name in no {
            assert!(!fits(name), "{pattern} should not match {name}");
        }
    }

    #[test]
    fn each_sign_means_what_it_means_in_hadoop() {
        check("*", &["a", "", ".hidden", "ä"], &[]);
        check("a*b*c", &["abc", "aXbYbZc", "abbcc"], &["ab", "acb", "abcd"]);
        check("?", &["a", "ä"], &["", "ab"]);
        check("part-[0-9]", &["part-7"], &["part-x", "part-", "part-77"]);
        check("[^ab]c", &["xc", "^c"], &["ac", "bc"]);
        check("[!ab]c", &["xc"], &["ac"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("[]x]", &["]", "x"], &["y"]);
        check(r"[\]\-]", &["]", "-"], &["\\"]);
        check(r"\*\{x", &["*{x"], &["a{x"]);
        check("{a,b*}.txt", &["a.txt", "bcd.txt"], &["c.txt"]);
        check("x{a,{b,c}d}y", &["xay", "xbdy", "xcdy"], &["xby", "xy"]);
        check("{a,}z", &["az", "z"], &["bz"]);
        check("a}b", &["a}b"], &[]);
    }

    #[test]
    fn a_broken_pattern_says_what_is_wrong() {
        let many = "{a,b}".repeat(11);
        for (pattern, why) in [
            ("a[b", "a `[` is not closed"),
            ("a{b", "a `{` is not closed"),
            ("a\\", "a `\\` at its end escapes nothing"),
            ("/a/../../b", "its `..` climb above the root"),
            (&many, "its braces stand for more than 1024 paths"),
        ] {
            assert_eq!(parse(pattern), Err(why), "{pattern}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = "a*".repeat(100) + "b";
        check(&pattern, &[], &["a".repeat(250).as_str()]);
    }

    #[test]
    fn braces_may_hold_slashes() {
        assert_eq!(
            parse("/{a/b,c}/d").expect("a pattern").iter().map(Vec::len).collect::<Vec<_>>(),
            [3, 2]
        );
    }
}
