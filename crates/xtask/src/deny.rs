//! Licences, sources and advisories of what is compiled in: by cargo-deny where it is installed, else what can be known
//! without it, and a clear word about the rest.

use std::io::Write;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, ensure};
use toml::Table;

use crate::workspace::{Release, Workspace};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks against `deny.toml`.
///
/// # Errors
/// When something is not allowed, or cargo-deny fails.
pub fn run(workspace: &Workspace, out: &mut dyn Write) -> anyhow::Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let has_deny = Command::new(&cargo)
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if has_deny {
        let status =
            Command::new(cargo).args(["deny", "check"]).current_dir(&workspace.root).status()?;
        ensure!(status.success(), "cargo deny: {status}");
        return Ok(());
    }
    let refused = without_cargo_deny(workspace)?;
    ensure!(refused.is_empty(), "not allowed by deny.toml:\n  {}", refused.join("\n  "));
    writeln!(
        out,
        "deny: licences and sources of {} packages are allowed",
        workspace.everything.len()
    )?;
    writeln!(
        out,
        "deny: ADVISORIES WERE NOT CHECKED, because cargo-deny is not installed (cargo install cargo-deny)"
    )?;
    Ok(())
}

fn without_cargo_deny(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let text =
        fs::read_to_string(workspace.root.join("deny.toml")).context("cannot read deny.toml")?;
    let settings: Table = text.parse().context("deny.toml is no TOML")?;
    let allowed =
        settings["licenses"]["allow"].as_array().context("deny.toml has no licenses.allow")?;
    let allowed: Vec<&str> = allowed.iter().filter_map(|licence| licence.as_str()).collect();
    let foreign = workspace.everything.iter().filter(|release| release.source.is_some());
    Ok(foreign.filter_map(|release| refusal(release, &allowed)).collect())
}

fn refusal(release: &Release, allowed: &[&str]) -> Option<String> {
    let Release { name, licence, source } = release;
    if source.as_deref() != Some(REGISTRY) {
        return Some(format!("{name} comes from {}", source.as_deref().unwrap_or("nowhere")));
    }
    match licence {
        None => Some(format!("{name} names no licence")),
        Some(licence) if is_allowed(licence, allowed) => None,
        Some(licence) => Some(format!("{name} is licensed as {licence}")),
    }
}

/// Whether a licence expression can be met: any side of OR, both sides of AND.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    either(&words, allowed)
}

fn either(words: &[&str], allowed: &[&str]) -> bool {
    split(words, "OR")
        .into_iter()
        .any(|side| split(side, "AND").into_iter().all(|one| single(one, allowed)))
}

fn single(words: &[&str], allowed: &[&str]) -> bool {
    match words {
        ["(", inside @ .., ")"] => either(inside, allowed),
        // An exception only adds to what may be done.
        [licence, "WITH", _] | [licence] => allowed.contains(licence),
        _ => false,
    }
}

/// Splits at a word that is not inside of parentheses.
fn split<'a, 'b>(words: &'a [&'b str], at: &str) -> Vec<&'a [&'b str]> {
    let mut depth = 0_i32;
    let outside = |word: &&str| {
        depth += i32::from(*word == "(") - i32::from(*word == ")");
        depth == 0 && *word == at
    };
    words.split(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions_are_judged() {
        let check = |expression, expected| {
            assert_eq!(
                is_allowed(expression, &["MIT", "Apache-2.0", "Zlib"]),
                expected,
                "{expression}"
            )
        };
        check("MIT", true);
        check("GPL-3.0", false);
        check("GPL-3.0 OR MIT", true);
        check("MIT/Apache-2.0", true);
        check("MIT AND GPL-3.0", false);
        check("MIT AND Zlib", true);
        check("(MIT OR GPL-3.0) AND Zlib", true);
        check("(MIT OR GPL-3.0) AND BSL-1.0", false);
        check("Apache-2.0 WITH LLVM-exception", true);
    }
}
