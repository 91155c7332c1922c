//! The binary under the supervisors: replaced, deleted, and what process lists show.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use supervisor::{Binary, Outcome, THIS_BINARY, start};

use crate::fixture::{Attempt, EXE, exit_of};

/// A copy of the supervising binary that may be taken away.
fn copy(attempt: &Attempt) -> PathBuf {
    let path = attempt.root.path().join("howdah-copy");
    // By another process: a child that another test forks meanwhile could hold our descriptor, and keep the copy busy.
    assert!(Command::new("cp").arg(EXE).arg(&path).status().unwrap().success());
    path
}

fn check_run(attempt: &Attempt, binary: &Binary) {
    exit_of(start(binary, &attempt.dir).unwrap());
    assert_eq!(attempt.result().outcome, Outcome::Exited { code: 0 });
}

#[test]
fn an_opened_binary_starts_supervisors_whatever_becomes_of_its_file() {
    let (first, second) = (Attempt::of("true"), Attempt::of("true"));
    let path = copy(&first);
    let binary = Binary::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    check_run(&first, &binary);
    fs::write(&path, "another version").unwrap();
    check_run(&second, &binary);
}

#[test]
fn a_binary_that_is_not_there_cannot_be_opened() {
    let error = Binary::open(Path::new("/no/such/binary")).unwrap_err();
    assert_eq!(error.to_string(), "cannot open `/no/such/binary`");
}

#[test]
fn process_lists_show_the_binary_by_its_name() {
    let attempt = Attempt::of("cat /proc/$PPID/comm; tr '\\0' ' ' < /proc/$PPID/cmdline");
    let path = copy(&attempt);
    check_run(&attempt, &Binary::open(&path).unwrap());
    let shown = format!("howdah-copy\n{} __supervise {} ", path.display(), attempt.dir.display());
    assert_eq!(attempt.log("stdout"), shown);
}

#[test]
fn a_program_can_be_the_supervisors_own_binary() {
    let attempt = Attempt::with("", |plan| {
        plan.program = THIS_BINARY.to_owned();
        plan.args = vec!["no such command".to_owned()];
    });
    let path = copy(&attempt);
    let binary = Binary::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    exit_of(start(&binary, &attempt.dir).unwrap());
    const USAGE_EXIT_CODE: i32 = 2;
    assert_eq!(attempt.result().outcome, Outcome::Exited { code: USAGE_EXIT_CODE });
}
