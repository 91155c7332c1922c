//! Every expression of real applications parses. They are read from the folder that HOWDAH_CORPUS names, where there is one.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use el::{ParseErrorKind, Template};

/// Bytes in which an expression must end.
const EXPRESSION_BYTES: usize = 2_000;

/// The ones that are broken, and why.
const BROKEN: [(&str, ParseErrorKind); 1] = [
    // A kill message that is wrong on purpose: it opens two braces.
    ("${{wf:user()}", ParseErrorKind::UnexpectedCharacter('{')),
];

#[test]
#[expect(
    clippy::print_stderr,
    reason = "says what was skipped, and shows broken expressions with their files"
)]
fn every_expression_of_the_corpus_parses() {
    let folder = env::var("HOWDAH_CORPUS").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/public"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        eprintln!("skipped: there is no corpus at {}", folder.display());
        return;
    }
    let mut broken = BTreeMap::new();
    let mut count = 0;
    for file in definitions(&folder) {
        let text = without_comments(&String::from_utf8_lossy(
            &fs::read(&file).expect("a file that was just listed"),
        ));
        for start in text.match_indices("${").map(|(start, _)| start) {
            count += 1;
            if let Err((expression, kind)) = parses(&text[start..]) {
                eprintln!("broken: {expression} ({kind}) in {}", file.display());
                broken.insert(expression, kind);
            }
        }
    }
    eprintln!("{count} expressions");
    assert!(count > 1_000, "only {count} expressions were found");
    let expected: BTreeMap<_, _> =
        BROKEN.into_iter().map(|(expression, kind)| (expression.to_owned(), kind)).collect();
    assert_eq!(broken, expected);
}

/// Tries each closing brace, for strings may contain some.
fn parses(text: &str) -> Result<(), (String, ParseErrorKind)> {
    let mut first = None;
    for (end, _) in text.match_indices('}').take_while(|(end, _)| *end < EXPRESSION_BYTES) {
        match Template::parse(&text[..=end]) {
            Ok(_) => return Ok(()),
            Err(error) => first = first.or_else(|| Some((text[..=end].to_owned(), error.kind))),
        }
    }
    Err(first.unwrap_or_else(|| (text.chars().take(80).collect(), ParseErrorKind::Unclosed)))
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    kept + rest
}

fn definitions(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder that was just listed").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "xml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
