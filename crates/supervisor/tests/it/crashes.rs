//! A supervisor that dies between any two steps leaves a truth that can be read.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use supervisor::{FIRST_ARGUMENT, Outcome, State, inspect};

use crate::fixture::{Attempt, EXE, wait_for};

/// Dies at a point, and says what the program did and what is known of it.
fn crash_at(point: &str, script: &str) -> (Attempt, State) {
    let attempt = Attempt::of(script);
    let status = Command::new(EXE)
        .arg(FIRST_ARGUMENT)
        .arg(&attempt.dir)
        .env("HOWDAH_CRASH_AT", format!("{point}:1"))
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(9), "{point}");
    let state = inspect(&attempt.dir).unwrap();
    (attempt, state)
}

#[test]
fn before_the_start_nothing_runs_and_the_attempt_is_lost() {
    for point in ["after_claim", "before_spawn"] {
        let (attempt, state) = crash_at(point, "echo > started");
        assert!(matches!(state, State::Lost { .. }), "{point}: {state:?}");
        assert!(!attempt.work("started").exists(), "{point}");
    }
}

#[test]
fn after_the_start_the_program_dies_and_the_attempt_is_lost() {
    let (attempt, state) = crash_at("after_spawn", "echo > started; sleep 1000");
    assert!(matches!(state, State::Lost { .. }), "{state:?}");
    wait_for("the end of the tree", || {
        (supervisor::kill_remains(&attempt.token).unwrap() == 0).then_some(())
    });
}

#[test]
fn a_result_without_its_name_does_not_count_and_one_with_it_does() {
    let (_attempt, state) = crash_at("before_result", "exit 3");
    assert!(matches!(state, State::Lost { .. }), "{state:?}");
    let (_attempt, state) = crash_at("after_result", "exit 3");
    assert!(
        matches!(state, State::Finished(result) if result.outcome == Outcome::Exited { code: 3 })
    );
}
