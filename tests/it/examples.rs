//! Every application in `examples/` ends as its entry in `expected.json` says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::server::Server;

use crate::command_line::howdah;
use crate::expected::{Entry, copy, each, runnable};
use crate::replayed;

/// Oozie's setting that `expected.json` names, and ours.
const RETRY_CODES: (&str, &str) = (
    "oozie.service.LiteWorkflowStoreService.user.retry.error.code.ext",
    "HOWDAH_JOBS__USER_RETRY_CODES",
);

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

#[test]
fn every_example_ends_as_its_entry_says() {
    let text = std::fs::read_to_string(examples().join("expected.json")).unwrap();
    let entries: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert!(entries.len() > 20, "a table that is nearly empty proves nothing");
    let mut by_settings: BTreeMap<BTreeMap<String, String>, Vec<Entry>> = BTreeMap::new();
    for entry in runnable(entries) {
        by_settings.entry(entry.settings.clone()).or_default().push(entry);
    }
    let different: Vec<String> =
        by_settings.into_iter().flat_map(|(settings, entries)| run(&settings, entries)).collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Runs these entries on one server with these settings, and answers what is not as it should be.
fn run(settings: &BTreeMap<String, String>, entries: Vec<Entry>) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let variables: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (variable(name), value.as_str())).collect();
    let mut server = Server::start_with(&directory.path().join("data"), &[], &variables).unwrap();
    let count = entries.len();
    let different = each(chains(entries), |chain| run_chain(&server, &chain));
    server.kill();
    assert!(replayed::check_all(&server.data_dir) >= count, "every job is in the database");
    different
}

fn variable(setting: &str) -> &'static str {
    assert_eq!(setting, RETRY_CODES.0, "nobody knows this setting");
    RETRY_CODES.1
}

/// Entries that go on in the copy of the one before, together with it.
fn chains(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut chains: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match chains.last_mut() {
            Some(chain) if entry.continues => chain.push(entry),
            _ => chains.push(vec![entry]),
        }
    }
    chains
}

fn run_chain(server: &Server, chain: &[Entry]) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let app = fresh_copy(&chain[0], &directory);
    let path = format!("file://{}", app.display());
    let own = [("oozie.wf.application.path", path.as_str()), ("user.name", "tester")];
    chain
        .iter()
        .flat_map(|entry| entry.run(server, &app.join("job.properties"), &own, &app))
        .collect()
}

fn fresh_copy(entry: &Entry, directory: &TempDir) -> PathBuf {
    let app = directory.path().join(&entry.app);
    copy(&examples().join(&entry.app), &app);
    if let Some(build) = &entry.build {
        assert!(
            Command::new(app.join(build)).status().unwrap().success(),
            "{build} of {}",
            entry.app
        );
    }
    app
}

#[test]
fn an_example_that_succeeds_runs_without_a_server() {
    let directory = TempDir::new().unwrap();
    let app = fresh_copy(&Entry { app: "etl".to_owned(), ..Entry::default() }, &directory);
    let said = howdah(&["run", app.to_str().unwrap()], &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("etl SUCCEEDED in "), "{said:?}");
    assert!(app.join("output/published/_SUCCESS").exists());
}

#[test]
fn an_example_that_fails_says_what_failed_and_what_it_printed() {
    let directory = TempDir::new().unwrap();
    let app = fresh_copy(&Entry { app: "error-path".to_owned(), ..Entry::default() }, &directory);
    let said = howdah(&["run", app.to_str().unwrap()], &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.starts_with("error-path KILLED in "), "{said:?}");
    let failed = "import ERROR 1: Main Class [org.apache.oozie.action.hadoop.ShellMain], exit code [3]\n  stderr | not a number: twelve\n";
    let killed = "\nrefused: import of twelve failed: ";
    assert!(said.err.contains(failed) && said.err.contains(killed), "{}", said.err);
}
