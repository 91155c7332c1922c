//! The error codes that the code uses, and their pages in `docs/errors/`. Each side has what the other has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write;

use anyhow::Context;

use crate::rust_text::is_whole;
use crate::tidy::Offence;
use crate::workspace::{Source, Text, Workspace};

const FOLDER: &str = "docs/errors/";
const INDEX: &str = "docs/errors/README.md";
/// What a page has, in this order.
const PARTS: [&str; 3] = ["**What happened.**", "**Why.**", "**What to do.**"];
/// A page is read by somebody in trouble.
const PAGE_LINES_MAX: usize = 24;

/// Codes made of a family and digits, with the number of digits and what the family is about.
const FAMILIES: [(&str, usize, &str); 8] = [
    ("E", 4, "Oozie's own codes: the situation is the one that Oozie has under this code"),
    ("EM", 3, "E-mail actions (Oozie's codes)"),
    ("FS", 3, "File system actions (Oozie's codes)"),
    ("JA", 3, "Launched actions: shell, java and the like (Oozie's codes)"),
    ("SH", 3, "Ssh actions (Oozie's codes)"),
    ("GIT", 3, "Git actions (Oozie's codes)"),
    ("SUBWF", 3, "Sub-workflows (Oozie's codes)"),
    ("HW", 4, "Howdah's own codes"),
];

/// Codes that are words; all of them are Oozie's.
const WORDS: [&str; 24] = [
    "AUTHENTICATION",
    "AUTH_FAILED",
    "COULD_NOT_CONNECT",
    "COULD_NOT_END",
    "COULD_NOT_RESOLVE_HOST",
    "EL_ERROR",
    "EL_EVAL_ERROR",
    "END_DATA_MISSING",
    "ERR_OUTPUT_EXCEED_MAX_LEN",
    "ERR_USER_MISMATCH",
    "EXECUTION_FAILED",
    "EXEC_DATA_MISSING",
    "Exception",
    "FNF",
    "INVALID_INPUT",
    "IOException",
    "IO_ERROR",
    "NO_EXEC_PERM",
    "SETUP_FAILED",
    "START_DATA_MISSING",
    "UNKNOWN_ERROR",
    "UNSUPPORTED_VERSION",
    "VALIDATION_ERROR",
    "XML_ERROR",
];

/// Packages whose literals no user ever sees.
const SILENT_PACKAGES: [&str; 3] = ["xtask", "testkit", "e2e"];

/// Every code that shipped code names in a literal, with the places.
pub fn used(workspace: &Workspace) -> BTreeMap<String, BTreeSet<String>> {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let heard =
        |source: &&Source| !source.is_test() && !SILENT_PACKAGES.contains(&source.package.as_str());
    for source in workspace.sources.iter().filter(heard) {
        for literal in
            source.rust.literals.iter().filter(|literal| !source.rust.is_test(literal.at))
        {
            for code in codes_of(&literal.text) {
                let place = format!("{}:{}", source.path, source.rust.line(literal.at));
                used.entry(code).or_default().insert(place);
            }
        }
    }
    used
}

/// Prints every code with its places, and whether it has a page.
///
/// # Errors
/// When nothing can be written.
pub fn list(workspace: &Workspace, out: &mut dyn Write) -> anyhow::Result<()> {
    let pages = pages(workspace);
    for (code, places) in used(workspace) {
        let page = if pages.contains_key(code.as_str()) { "" } else { "NO PAGE" };
        let crates: BTreeSet<&str> =
            places.iter().filter_map(|place| place.split('/').nth(1)).collect();
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        writeln!(
            out,
            "{code:<26} {page:<8} {:<28} {}",
            Vec::from_iter(crates).join(","),
            places.join(" ")
        )?;
    }
    for offence in pages_without_code(workspace) {
        writeln!(out, "{}: {}", offence.place, offence.words)?;
    }
    Ok(())
}

/// Writes the index of the pages.
///
/// # Errors
/// When it cannot be written.
pub fn write_index(workspace: &Workspace) -> anyhow::Result<()> {
    fs::write(workspace.root.join(INDEX), index(workspace))
        .with_context(|| format!("cannot write {INDEX}"))
}

/// Codes that nobody explains.
pub fn codes_without_page(workspace: &Workspace) -> Vec<Offence> {
    let pages = pages(workspace);
    let used = used(workspace).into_iter().filter(|(code, _)| !pages.contains_key(code.as_str()));
    let offence = |(code, places): (String, BTreeSet<String>)| {
        let place = places.into_iter().next().unwrap_or_default();
        Offence::new(place, format!("{code} has no page; write {FOLDER}{code}.md"))
    };
    used.map(offence).collect()
}

/// Pages about codes that are gone.
pub fn pages_without_code(workspace: &Workspace) -> Vec<Offence> {
    let used = used(workspace);
    let gone = pages(workspace).into_iter().filter(|(code, _)| !used.contains_key(*code));
    gone.map(|(code, page)| {
        Offence::new(&page.path, format!("no code raises {code}; remove the page"))
    })
    .collect()
}

/// Pages that lack a part, or say too much.
pub fn malformed_pages(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (code, page) in pages(workspace) {
        if let Err(words) = well_formed(code, &page.text) {
            offences.push(Offence::new(&page.path, words));
        }
    }
    offences
}

/// The index, when it is not what the pages say.
pub fn stale_index(workspace: &Workspace) -> Vec<Offence> {
    let written = workspace.texts.iter().find(|text| text.path == INDEX);
    match written {
        Some(text) if text.text == index(workspace) => Vec::new(),
        _ => vec![Offence::new(
            INDEX,
            "differs from the pages; run `cargo run -p xtask -- errors-index`",
        )],
    }
}

fn well_formed(code: &str, text: &str) -> Result<(), String> {
    let Some(title) = title(code, text) else {
        return Err(format!("begins without `# {code}: ` and what happened in a few words"));
    };
    if title.ends_with('.') || text.lines().count() > PAGE_LINES_MAX {
        return Err(format!("a title has no full stop, a page at most {PAGE_LINES_MAX} lines"));
    }
    let places: Vec<Option<usize>> = PARTS.iter().map(|part| text.find(part)).collect();
    match places.iter().all(Option::is_some) && places.is_sorted() {
        true => Ok(()),
        false => Err(format!("has not the parts {}, in this order", PARTS.join(" "))),
    }
}

fn title<'a>(code: &str, text: &'a str) -> Option<&'a str> {
    text.lines().next()?.strip_prefix("# ")?.strip_prefix(code)?.strip_prefix(": ")
}

fn pages(workspace: &Workspace) -> BTreeMap<&str, &Text> {
    let page = |text| -> Option<(&str, &Text)> {
        let text: &Text = text;
        let code = text.path.strip_prefix(FOLDER)?.strip_suffix(".md")?;
        (text.path != INDEX).then_some((code, text))
    };
    workspace.texts.iter().filter_map(page).collect()
}

fn index(workspace: &Workspace) -> String {
    let pages = pages(workspace);
    let mut text = "# Error codes\n\nEvery code that a user can meet has a page: what happened, why, and what to do. \
        This list is made by `cargo run -p xtask -- errors-index`.\n"
        .to_owned();
    let words = ("", "Oozie's codes that are words");
    let families = FAMILIES.iter().map(|(family, _, about)| (*family, *about));
    for (family, about) in families.chain([words]) {
        let own: Vec<_> = pages.iter().filter(|(code, _)| family_of(code) == family).collect();
        if !own.is_empty() {
            write!(text, "\n## {about}\n\n").expect("a String takes all text");
        }
        for (code, page) in own {
            let title = title(code, &page.text).unwrap_or_default();
            writeln!(text, "* [{code}]({code}.md): {title}").expect("a String takes all text");
        }
    }
    text
}

fn family_of(code: &str) -> &'static str {
    let is_of = |(family, digits, _): &&(&str, usize, &str)| {
        code.strip_prefix(family)
            .is_some_and(|rest| rest.len() == *digits && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    FAMILIES.iter().find(is_of).map_or("", |(family, _, _)| *family)
}

/// The codes in a literal: a word only when it is all of it, the others anywhere.
fn codes_of(literal: &str) -> Vec<String> {
    if WORDS.contains(&literal) {
        return vec![literal.to_owned()];
    }
    let words = literal.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let whole =
        |word: &&str| literal.match_indices(*word).any(|(at, _)| is_whole(literal, at, word.len()));
    words.filter(|word| !family_of(word).is_empty()).filter(whole).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_literals() {
        let check =
            |literal, expected: &[&str]| assert_eq!(codes_of(literal), expected, "{literal}");
        check("E0701", &["E0701"]);
        check("HW1003: it has a document type", &["HW1003"]);
        check("E07011 AE0701 E070", &[]);
        check("SUBWF001", &["SUBWF001"]);
        check("EL_ERROR", &["EL_ERROR"]);
        check("an EL_ERROR in a sentence", &[]);
        check("FNF", &["FNF"]);
    }

    #[test]
    fn a_page_has_its_parts() {
        let page = |title: &str| {
            format!("{title}\n\n**What happened.** a\n\n**Why.** b\n\n**What to do.** c\n")
        };
        assert_eq!(well_formed("E0001", &page("# E0001: it broke")), Ok(()));
        assert!(well_formed("E0001", &page("# E0002: it broke")).is_err());
        assert!(well_formed("E0001", &page("# E0001: It broke.")).is_err());
        assert!(
            well_formed(
                "E0001",
                "# E0001: it broke\n\n**Why.** b\n\n**What happened.** a\n\n**What to do.** c\n"
            )
            .is_err()
        );
    }
}
