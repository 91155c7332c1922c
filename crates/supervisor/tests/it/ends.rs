//! How programs end by themselves, or never begin.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use supervisor::{Outcome, Plan, Stage};

use crate::fixture::Attempt;

fn check(script: &str, outcome: Outcome) {
    let result = Attempt::of(script).run();
    assert_eq!(result.outcome, outcome, "{script}");
    assert!(result.started_at_ms > 0 && result.started_at_ms <= result.ended_at_ms, "{result:?}");
    assert_eq!(result.survivors, Vec::<i32>::new());
}

#[test]
fn the_program_decides_how_it_ended() {
    check("exit 0", Outcome::Exited { code: 0 });
    check("exit 7", Outcome::Exited { code: 7 });
    check("exit 127", Outcome::Exited { code: 127 });
    check("kill -9 $$", Outcome::Signaled { signal: 9 });
    check("kill -TERM $$", Outcome::Signaled { signal: 15 });
    check("no-such-command-in-the-shell", Outcome::Exited { code: 127 });
}

fn check_failure(change: impl FnOnce(&mut Plan), stage: Stage, errno: Option<i32>, says: &str) {
    let result = Attempt::with("echo never > started", change).run();
    let Outcome::StartFailed { stage: failed_stage, errno: failed_errno, message } =
        &result.outcome
    else {
        panic!("expected a failed start: {result:?}");
    };
    assert_eq!((*failed_stage, *failed_errno), (stage, errno), "{message}");
    assert!(message.contains(says), "`{message}` does not say `{says}`");
}

#[test]
fn a_failed_start_says_which_step_failed() {
    const ENOENT: i32 = 2;
    const EACCES: i32 = 13;
    let missing = |plan: &mut Plan| plan.program = "no-such-program".to_owned();
    check_failure(missing, Stage::Program, Some(ENOENT), "command not found: `no-such-program`");
    let closed = |plan: &mut Plan| plan.program = "/etc/passwd".to_owned();
    check_failure(closed, Stage::Program, Some(EACCES), "permission denied: `/etc/passwd`");
    let nowhere = |plan: &mut Plan| plan.working_dir = "/no/such/directory".into();
    check_failure(nowhere, Stage::WorkingDir, Some(ENOENT), "`/no/such/directory` does not exist");
    let no_log = |plan: &mut Plan| plan.stderr_log = "/no/such/directory/log".into();
    check_failure(no_log, Stage::Log, Some(ENOENT), "`/no/such/directory/log`");
    let nul = |plan: &mut Plan| plan.args.push("a\0b".to_owned());
    check_failure(nul, Stage::Program, None, "nul byte");
}

#[test]
fn a_script_whose_interpreter_is_missing_is_not_found() {
    const ENOENT: i32 = 2;
    let script = |plan: &mut Plan| {
        let path = plan.working_dir.join("script");
        fs::write(&path, "#!/no/such/interpreter\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        plan.program = path.to_str().unwrap().to_owned();
    };
    check_failure(script, Stage::Program, Some(ENOENT), "the interpreter");
}

#[test]
fn a_program_is_found_in_the_path_of_its_own_environment() {
    let attempt = Attempt::with("", |plan| {
        let path = plan.working_dir.join("hello");
        fs::write(&path, "#!/bin/sh\nexit 5\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        plan.env.insert("PATH".to_owned(), plan.working_dir.to_str().unwrap().to_owned());
        plan.program = "hello".to_owned();
        plan.args.clear();
    });
    assert_eq!(attempt.run().outcome, Outcome::Exited { code: 5 });
}
