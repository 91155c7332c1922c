//! Published definitions: how many are read, and why each of the others is not.
//!
//! `tests/corpus-refusals.txt` lists every refusal that was looked at and found right: path, codes, reason. A refusal
//! that is not listed, or a listed one that is read now, fails the test.

use std::collections::BTreeMap;

use definition::{
    DefinitionKind, Limits, SiteDefaults, WorkflowSources, decode, read_workflow,
    validate_definition,
};
use model::Diagnostic;

use super::common::{corpus, corpus_root, skipped};

const REVIEWED: &str = include_str!("../corpus-refusals.txt");

/// Path, codes and reason of each reviewed refusal.
fn reviewed() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let lines = REVIEWED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let fields = |line: &'static str| {
        let mut fields = line.splitn(3, " | ");
        let mut next = || fields.next().expect("path | codes | reason").trim();
        (next(), (next(), next()))
    };
    lines.map(fields).collect()
}

/// A workflow is read as at submit, with addresses from the site; others are validated; other XML is left out.
fn judge(bytes: &[u8]) -> Option<Result<DefinitionKind, Vec<Diagnostic>>> {
    let text = match decode(bytes, Limits::default()) {
        Ok(text) => text,
        Err(refusal) => return Some(Err(vec![refusal])),
    };
    let kinds = [DefinitionKind::Workflow, DefinitionKind::Coordinator, DefinitionKind::Bundle];
    let kind = kinds.into_iter().find(|kind| text.contains(&format!("<{}", kind.root())))?;
    let site = SiteDefaults {
        name_node: Some("hdfs://site".to_owned()),
        resource_manager: Some("site:8032".to_owned()),
    };
    Some(match kind {
        DefinitionKind::Workflow => {
            read_workflow(WorkflowSources { site: &site, ..WorkflowSources::of(text) })
                .map(|_| kind)
        }
        DefinitionKind::Coordinator | DefinitionKind::Bundle => {
            validate_definition(text, Limits::default())
        }
    })
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are worth seeing with --nocapture")]
fn published_definitions_are_read_or_refused_for_a_reviewed_reason() {
    let files = corpus();
    if files.is_empty() {
        return skipped(&format!("no corpus in {}", corpus_root().display()));
    }
    let mut reviewed = reviewed();
    let (mut accepted, mut by_code, mut unexpected) =
        (0, BTreeMap::<String, usize>::new(), Vec::new());
    for (path, bytes) in &files {
        let Some(verdict) = judge(bytes) else { continue };
        let listed = reviewed.remove(path.as_str());
        let codes = verdict.as_ref().err().map(|found| codes(found));
        match (&verdict, codes) {
            (Err(found), Some(codes)) => {
                *by_code.entry(codes.clone()).or_default() += 1;
                if listed.is_none_or(|(expected, _)| expected != codes) {
                    unexpected.push(format!("{path} | {codes} | {}", found[0]));
                }
            }
            _ => {
                accepted += 1;
                unexpected
                    .extend(listed.map(|_| format!("{path} is accepted, but listed as refused")));
            }
        }
    }
    eprintln!("corpus: {accepted} accepted, refused by code: {by_code:?}");
    unexpected.extend(reviewed.keys().map(|path| format!("{path} is listed, but not there")));
    assert!(unexpected.is_empty(), "{} surprises:\n{}", unexpected.len(), unexpected.join("\n"));
}

fn codes(found: &[Diagnostic]) -> String {
    let codes: std::collections::BTreeSet<&str> =
        found.iter().map(|one| one.code.as_str()).collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}
