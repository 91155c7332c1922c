//! What no compiler checks. Each rule says which place breaks it, and why the rule is there.

mod calls;
mod dependencies;
mod layers;
mod log_lines;
mod texts;

use std::io::Write;

use anyhow::ensure;

use crate::errors;
use crate::workspace::Workspace;

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offence {
    /// A file with a line, a package, or an edge between packages.
    pub place: String,
    /// What is wrong there, and why it is.
    pub words: String,
}

impl Offence {
    /// An offence at a place.
    pub fn new(place: impl Into<String>, words: impl Into<String>) -> Offence {
        Offence { place: place.into(), words: words.into() }
    }
}

/// A rule: its name, and what looks for offences.
type Rule = (&'static str, fn(&Workspace) -> Vec<Offence>);

const RULES: [Rule; 16] = [
    ("layers hold", layers::layers_hold),
    ("foreign crates have owners", dependencies::owners),
    ("pure crates depend on little", dependencies::pure_crates),
    ("listed dependencies are used", dependencies::used),
    ("pure crates touch nothing", calls::purity),
    ("clocks, chance and exits have owners", calls::owners),
    ("log lines read alike", log_lines::log_lines),
    ("every module says what it is for", texts::module_docs),
    ("nothing is left undone", texts::undone),
    ("files are short", texts::lengths),
    ("no place of one machine is named", texts::machines),
    ("links lead somewhere", texts::links),
    ("every error code has a page", errors::codes_without_page),
    ("every page has an error code", errors::pages_without_code),
    ("error pages have their parts", errors::malformed_pages),
    ("the index of error pages is fresh", errors::stale_index),
];

/// Checks all rules and prints every offence.
///
/// # Errors
/// When there is an offence.
pub fn run(workspace: &Workspace, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut count = 0;
    for (name, rule) in RULES {
        let offences = rule(workspace);
        if !offences.is_empty() {
            writeln!(out, "{name}: {} offences\n{}", offences.len(), listed(&offences))?;
        }
        count += offences.len();
    }
    ensure!(count == 0, "{count} offences; each line says what to do");
    writeln!(out, "tidy: {} rules hold over {} files", RULES.len(), workspace.texts.len())?;
    Ok(())
}

fn listed(offences: &[Offence]) -> String {
    let lines = offences.iter().map(|offence| format!("  {}: {}\n", offence.place, offence.words));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static WORKSPACE: LazyLock<Workspace> =
        LazyLock::new(|| Workspace::load().expect("the workspace can be read"));

    fn check(name: &str) {
        let (_, rule) = RULES.iter().find(|(rule, _)| *rule == name).expect("the rule exists");
        let offences = rule(&WORKSPACE);
        assert!(offences.is_empty(), "{name}:\n{}", listed(&offences));
    }

    #[test]
    fn layers_hold() {
        check("layers hold");
    }

    #[test]
    fn dependencies_are_owned_and_used() {
        check("foreign crates have owners");
        check("pure crates depend on little");
        check("listed dependencies are used");
    }

    #[test]
    fn calls_are_where_they_belong() {
        check("pure crates touch nothing");
        check("clocks, chance and exits have owners");
    }

    #[test]
    fn log_lines_read_alike() {
        check("log lines read alike");
    }

    #[test]
    fn texts_are_tidy() {
        check("every module says what it is for");
        check("nothing is left undone");
        check("files are short");
        check("no place of one machine is named");
        check("links lead somewhere");
    }

    #[test]
    fn error_codes_and_pages_agree() {
        check("every error code has a page");
        check("every page has an error code");
        check("error pages have their parts");
        check("the index of error pages is fresh");
    }
}
