//! The schema tables against the original schema files: Java's own validator must accept and refuse the same documents.
//!
//! Needs `java`, `javac`, and the client jar of Oozie 5.2.1 in the local Maven cache (fetched with `mvn` when it is not
//! there); says `skipped:` otherwise.

#[path = "../common/mod.rs"]
mod common;
mod mutate;
mod referee;
mod samples;
mod tree;

use definition::{DefinitionKind, Limits, check_schema};

use common::{Random, corpus, skipped};
use referee::Referee;
use tree::Element;

/// How many damaged and made-up documents are compared.
const DOCUMENTS: usize = 16_000;

/// How many disagreements are shown before giving up.
const SHOWN: usize = 8;

#[derive(Default)]
struct Verdicts {
    accepted: usize,
    refused: usize,
    disagreements: Vec<String>,
}

impl Verdicts {
    fn compare(&mut self, referee: &mut Referee, kind: DefinitionKind, text: &str, what: &str) {
        let ours = check_schema(text, kind, Limits { max_bytes: usize::MAX });
        let theirs = referee.mistake(kind, text);
        match (ours.first(), &theirs) {
            (None, None) => self.accepted += 1,
            (Some(_), Some(_)) => self.refused += 1,
            (ours, theirs) => {
                let ours = ours.map_or_else(|| "accepted".to_owned(), ToString::to_string);
                let theirs = theirs.as_deref().unwrap_or("accepted");
                self.disagreements
                    .push(format!("{what}\n  ours:   {ours}\n  theirs: {theirs}\n  {text}\n"));
            }
        }
    }

    #[track_caller]
    fn assert_agreement(&self) {
        let shown = self.disagreements.iter().take(SHOWN).cloned().collect::<String>();
        assert!(
            self.disagreements.is_empty(),
            "{} disagreements:\n{shown}",
            self.disagreements.len()
        );
        assert!(self.accepted > 0 && self.refused > 0, "both verdicts must occur");
    }
}

fn kind_of(text: &str) -> Option<DefinitionKind> {
    let kinds = [DefinitionKind::Workflow, DefinitionKind::Coordinator, DefinitionKind::Bundle];
    kinds.into_iter().find(|kind| text.contains(kind.root()))
}

fn originals() -> Vec<(String, DefinitionKind, String)> {
    let readable = |(path, bytes): (String, Vec<u8>)| {
        let text = String::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').to_owned();
        Some((path, kind_of(&text)?, text))
    };
    corpus().into_iter().filter_map(readable).collect()
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the figures of the comparison are worth seeing with --nocapture"
)]
fn the_original_schemas_agree() {
    let mut referee = match Referee::start() {
        Ok(referee) => referee,
        Err(why) => return skipped(&format!("no referee for the schemas: {why}")),
    };
    let originals = originals();
    if originals.is_empty() {
        skipped(&format!("no corpus in {}", common::corpus_root().display()));
    }
    let mut published = Verdicts::default();
    for (path, kind, text) in &originals {
        published.compare(&mut referee, *kind, text, path);
    }
    let mut damaged = Verdicts::default();
    let mut random = Random(1);
    for number in 0..DOCUMENTS {
        let (kind, text) = document(&originals, &mut random);
        damaged.compare(&mut referee, kind, &text, &format!("document {number}"));
    }
    eprintln!("published: {} accepted, {} refused", published.accepted, published.refused);
    eprintln!("damaged and made up: {} accepted, {} refused", damaged.accepted, damaged.refused);
    if !originals.is_empty() {
        published.assert_agreement();
    }
    damaged.assert_agreement();
}

/// A document that is made up, or published and damaged, or both.
fn document(
    originals: &[(String, DefinitionKind, String)],
    random: &mut Random,
) -> (DefinitionKind, String) {
    let made_up = match random.below(if originals.is_empty() { 6 } else { 12 }) {
        0..4 => Some((DefinitionKind::Workflow, samples::workflow(random))),
        4 => Some((DefinitionKind::Coordinator, samples::coordinator(random))),
        5 => Some((DefinitionKind::Bundle, samples::bundle(random))),
        _ => None,
    };
    if let Some((kind, mut tree)) = made_up {
        if random.percent(30) {
            mutate::mutate(&mut tree, random);
        }
        return (kind, tree.text());
    }
    let (_, kind, text) = &originals[random.below(originals.len())];
    if random.percent(10) {
        return (*kind, mutate::scratch(text, random));
    }
    let Some(mut tree) = Element::parse(text) else {
        return (*kind, mutate::scratch(text, random));
    };
    for _ in 0..1 + random.below(2) {
        mutate::mutate(&mut tree, random);
    }
    (*kind, tree.text())
}
