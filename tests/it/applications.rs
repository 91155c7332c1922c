//! Oozie's own example applications run to the status that Oozie would give.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use testkit::server::Server;

use crate::expected::{Entry, copy, each, on_path, runnable};
use crate::replayed;
use crate::sshd::Sshd;

#[derive(Deserialize)]
struct Table {
    runnable: Vec<Entry>,
    not_runnable: Vec<Value>,
}

/// Where this folder's additions are.
fn additions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/oozie-apps")
}

/// The definitions are Oozie's and are not kept here.
fn corpus() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/public");
    std::env::var_os("HOWDAH_CORPUS").map_or(beside, PathBuf::from)
}

#[test]
fn oozies_applications_end_as_oozie_ends_them() {
    let corpus = corpus();
    if !corpus.is_dir() {
        eprintln!("skipped: no corpus in {}; HOWDAH_CORPUS names it", corpus.display());
        return;
    }
    let table: Table =
        serde_json::from_str(&fs::read_to_string(additions().join("apps.json")).unwrap()).unwrap();
    assert!(
        table.runnable.len() > 20 && !table.not_runnable.is_empty(),
        "a table that is nearly empty proves nothing"
    );
    let directory = TempDir::new().unwrap();
    let sshd =
        (on_path("ssh") && on_path("sshd")).then(|| Sshd::start(&directory.path().join("ssh")));
    let path = sshd.as_ref().map(Sshd::path);
    let variables: Vec<(&str, &str)> = path.iter().map(|path| ("PATH", path.as_str())).collect();
    let mut server = Server::start_with(&directory.path().join("data"), &[], &variables).unwrap();
    let entries = runnable(table.runnable);
    let count = entries.len();
    let different = each(entries, |entry| run(&server, &corpus, &entry));
    server.kill();
    assert!(replayed::check_all(&server.data_dir) >= count, "every job is in the database");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Puts one application together in a directory of its own, runs it, and answers what is not as it should be.
fn run(server: &Server, corpus: &Path, entry: &Entry) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let (root, user) = (directory.path(), user());
    let home = root.join("user").join(&user).join("examples");
    copy(
        &corpus.join(&entry.corpus_path),
        &home.join("apps").join(&entry.app).join("workflow.xml"),
    );
    for added in &entry.added {
        let to = home.join(&added.to);
        match added.from.as_str() {
            "java" => build(&to),
            from => copy(&additions().join(from), &to),
        }
    }
    let own = [("root", root.to_str().unwrap()), ("user.name", user.as_str())];
    entry.run(server, &additions().join(&entry.app).join("job.properties"), &own, &home)
}

fn build(jar: &Path) {
    assert!(
        Command::new(additions().join("java/build.sh")).arg(jar).status().unwrap().success(),
        "build.sh of java"
    );
}

/// Who runs the test: `ssh` actions log in as the job's user.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
