//! What is written: module docs, length, nothing left undone, nothing that only one machine has, no dead links.

use std::path::Path;

use super::Offence;
use crate::rust_text::is_whole;
use crate::workspace::{Source, Workspace};

/// A longer file has a second idea in it.
const LINES_MAX: usize = 800;
/// Tests are lists, and read like lists.
const TEST_LINES_MAX: usize = 1_200;

/// Calls that stand for work not done. The names are put together, so that this file does not break its own rule.
const UNDONE_CALLS: [&str; 3] = ["todo!", "unimplemented!", "#[ignore"];
const UNDONE_WORDS: [&str; 2] = [concat!("FIX", "ME"), concat!("X", "XX")];

/// Folders and addresses that are somebody's surroundings, not the project's.
const SURROUNDINGS: [&str; 10] = [
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/work", "/."),
    concat!("/tmp", "/team"),
    concat!("/ro", "ot/"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("repo1.", "maven.org"),
    concat!("registry.", "npmjs.org"),
    concat!("pypi", ".org"),
];

/// Every file of Rust begins with what it is for.
pub(super) fn module_docs(workspace: &Workspace) -> Vec<Offence> {
    let begins = |source: &&Source| !source.text.trim_start().starts_with("//!");
    let words = "begins without `//!`; say what the file is for, and what always holds";
    workspace
        .sources
        .iter()
        .filter(begins)
        .map(|source| Offence::new(&source.path, words))
        .collect()
}

/// Nothing stands for work that was not done.
pub(super) fn undone(workspace: &Workspace) -> Vec<Offence> {
    workspace.sources.iter().flat_map(undone_in).collect()
}

fn undone_in(source: &Source) -> Vec<Offence> {
    let line = |at: usize| format!("{}:{}", source.path, source.rust.line(at));
    let calls = UNDONE_CALLS.iter().flat_map(|call| source.rust.code.match_indices(call));
    let calls = calls.filter(|(at, _)| !is_run_by_another(source, *at));
    let calls = calls
        .map(|(at, call)| Offence::new(line(at), format!("`{call}`: finish it, or leave it out")));
    let words = source
        .rust
        .comments
        .iter()
        .filter(|comment| UNDONE_WORDS.iter().any(|word| has_word(&comment.text, word)));
    let words = words.map(|comment| {
        Offence::new(line(comment.at), "a note to do it later: do it, or open an issue")
    });
    calls.chain(words).collect()
}

/// Whether a test is ignored only because another test of the file runs it, in surroundings of its own.
fn is_run_by_another(source: &Source, at: usize) -> bool {
    let reason = source.rust.literals.iter().find(|literal| literal.at > at);
    let runner = reason.and_then(|reason| reason.text.strip_prefix("run by "));
    runner.is_some_and(|runner| source.rust.code.contains(&format!("fn {runner}(")))
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| is_whole(text, at, word.len()))
}

/// No file is too long to be read.
pub(super) fn lengths(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    for source in &workspace.sources {
        let max = if source.is_test() { TEST_LINES_MAX } else { LINES_MAX };
        let lines = source.text.lines().count();
        if lines > max {
            offences.push(Offence::new(
                &source.path,
                format!("has {lines} lines, {max} are allowed; which second idea moved in?"),
            ));
        }
    }
    offences
}

/// No text names a place that only one machine has.
pub(super) fn machines(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    let written = workspace.texts.iter().filter(|text| !text.path.ends_with("Cargo.lock"));
    for text in written {
        for place in SURROUNDINGS {
            let hits =
                text.text.match_indices(place).filter(|(at, _)| is_beginning(&text.text[..*at]));
            for (at, _) in hits {
                let line = text.text[..at].matches('\n').count() + 1;
                let words =
                    format!("`{place}` is a place of one machine or network; make it a setting");
                offences.push(Offence::new(format!("{}:{line}", text.path), words));
            }
        }
    }
    offences
}

/// Links between our pages lead somewhere.
pub(super) fn links(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    for page in workspace.texts.iter().filter(|text| text.path.ends_with(".md")) {
        let folder =
            workspace.root.join(&page.path).parent().map(Path::to_owned).unwrap_or_default();
        for (at, target) in targets(&page.text) {
            if !folder.join(target).exists() {
                let line = page.text[..at].matches('\n').count() + 1;
                let words = format!("the link to `{target}` leads nowhere");
                offences.push(Offence::new(format!("{}:{line}", page.path), words));
            }
        }
    }
    offences
}

/// The files that a page of Markdown links to, with their places.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let target = |(at, opening): (usize, &str)| {
        let inside = &text[at + opening.len()..];
        let target = inside[..inside.find(')')?].split('#').next()?;
        let is_file = !target.is_empty() && !target.contains("://");
        is_file.then_some((at, target))
    };
    text.match_indices("](").filter(|(at, _)| !is_code(&text[..*at])).filter_map(target).collect()
}

/// Whether a place is inside of backquotes, judged by its own line.
fn is_code(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.matches('`').count() % 2 == 1
}

/// A path that goes on from something else, as in `<data-dir>/…`, is no place of a machine.
fn is_beginning(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || ">})]_-.".contains(c))
}

#[cfg(test)]
mod tests {
    use crate::rust_text::RustText;

    use super::*;

    fn source(text: &str) -> Source {
        Source {
            path: "a.rs".to_owned(),
            package: "a".to_owned(),
            text: text.to_owned(),
            rust: RustText::read(text),
        }
    }

    #[test]
    fn work_left_undone_is_found_in_code_and_comments_only() {
        assert_eq!(undone_in(&source("fn a() { let b = \"todo!\"; }")), []);
        assert_eq!(undone_in(&source("fn a() { todo!() }")).len(), 1);
        assert_eq!(undone_in(&source("#[ignore = \"slow\"] fn a() {}")).len(), 1);
        assert_eq!(undone_in(&source("#[ignore = \"run by b\"] fn a() {} fn b() {}")), []);
        assert_eq!(undone_in(&source(&format!("// {}: later", UNDONE_WORDS[0]))).len(), 1);
    }

    #[test]
    fn links_to_files_are_found() {
        let text = "[a](b/c.md#d), [e](https://f.example), [g](#h), [i](../j)";
        let found: Vec<&str> = targets(text).into_iter().map(|(_, target)| target).collect();
        assert_eq!(found, ["b/c.md", "../j"]);
    }

    #[test]
    fn a_place_of_a_machine_begins_a_path() {
        assert!(is_beginning("see "));
        assert!(!is_beginning("<data-dir>"));
    }
}
