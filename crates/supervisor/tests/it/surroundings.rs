//! What a program finds around itself: environment, descriptors, user.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};
use supervisor::{CaptureFile, Outcome, Plan, RunAs, Stage};

use crate::fixture::{Attempt, exit_of, is_root};

fn output(script: &str, change: impl FnOnce(&mut Plan)) -> String {
    let attempt = Attempt::with(script, |plan| {
        plan.capture_output_bytes_max = Some(10_000);
        change(plan);
    });
    let result = attempt.run();
    assert_eq!(result.outcome, Outcome::Exited { code: 0 }, "{}", attempt.log("stderr"));
    result.captured_output.unwrap().text
}

#[test]
fn the_environment_is_the_plans_and_little_else() {
    let env = |plan: &mut Plan| {
        plan.program = "env".to_owned();
        plan.args.clear();
        plan.env.insert("MINE".to_owned(), "x y".to_owned());
        plan.env.insert("TZ".to_owned(), "Europe/Berlin".to_owned());
    };
    let output = output("", env);
    let names: BTreeSet<&str> =
        output.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let allowed = "PATH LANG LC_ALL TZ TMPDIR HOME USER LOGNAME SHELL MINE HOWDAH_ATTEMPT_TOKEN";
    let allowed: BTreeSet<&str> = allowed.split(' ').collect();
    assert!(names.is_subset(&allowed), "{names:?}");
    assert!(output.contains("MINE=x y\n") && output.contains("TZ=Europe/Berlin\n"), "{output}");
    assert!(names.contains("HOWDAH_ATTEMPT_TOKEN") && names.contains("PATH"), "{output}");
}

#[test]
fn the_program_has_three_descriptors_and_an_empty_input() {
    // The fourth is the directory that `ls` reads.
    assert_eq!(output("cat; exec ls /proc/self/fd", |_| {}), "0\n1\n2\n3\n");
    assert_eq!(output("readlink /proc/$$/fd/0", |_| {}), "/dev/null\n");
}

#[test]
fn the_program_leads_a_process_group_and_answers_signals_as_usual() {
    assert_eq!(output("test $(ps -o pgid= -p $$) -eq $$ && echo leads", |_| {}), "leads\n");
    let masks = output("grep -E 'SigBlk|SigIgn' /proc/self/status", |_| {});
    // The C library keeps signals 32 and 33 to itself, and ignores them in what it spawns.
    let masks = masks.replace("0000000180000000", "0000000000000000");
    assert_eq!(masks, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[test]
fn the_mask_for_new_files_is_the_plans() {
    assert_eq!(output("umask", |plan| plan.umask = Some(0o027)), "0027\n");
}

#[test]
fn a_lock_of_the_worker_does_not_live_on_in_the_supervisor() {
    let attempt = Attempt::of("until [ -e go ]; do sleep 0.01; done");
    let path = attempt.root.path().join("lock of the worker");
    let lock = File::create(&path).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    // As a library would leave it that knows nothing of close-on-exec.
    fcntl_setfd(&lock, FdFlags::empty()).unwrap();
    let running = attempt.start();
    fcntl_setfd(&lock, FdFlags::CLOEXEC).unwrap();
    attempt.claim();
    drop(lock);
    let again = File::open(&path).unwrap();
    // Supervisors of other tests that were started in between have it until they close what they inherited.
    let deadline = Instant::now() + Duration::from_secs(30);
    while flock(&again, FlockOperation::NonBlockingLockExclusive).is_err() {
        assert!(Instant::now() < deadline, "the lock lives on");
        sleep(Duration::from_millis(5));
    }
    fs::write(attempt.work("go"), "").unwrap();
    exit_of(running);
}

const NOBODY: RunAs = RunAs { uid: 65_534, gid: 65_533, groups: Vec::new() };

#[test]
fn another_user_is_another_user_altogether() {
    if !is_root() {
        return skip("switching users");
    }
    let run_as = RunAs { groups: vec![65_531, 65_532], ..NOBODY };
    let open = |plan: &mut Plan| {
        plan.run_as = Some(run_as);
        plan.working_dir = "/".into();
    };
    let script = "id -u; id -g; id -G; echo ${HOME-none}; grep -E '^(CapEff|Uid)' /proc/self/status; echo on > /dev/stdout";
    let expected = "65534\n65533\n65533 65531 65532\nnone\nUid:\t65534\t65534\t65534\t65534\nCapEff:\t0000000000000000\non\n";
    assert_eq!(output(script, open), expected);
}

#[test]
fn another_users_file_is_not_captured_for_the_program() {
    if !is_root() {
        return skip("switching users");
    }
    let attempt = Attempt::with("true", |plan| {
        fs::write(plan.working_dir.join("of root"), "secret").unwrap();
        plan.capture_files =
            vec![CaptureFile { path: plan.working_dir.join("of root"), bytes_max: 10 }];
        plan.working_dir = "/".into();
        plan.run_as = Some(NOBODY);
    });
    assert_eq!(attempt.run().captured_files, [None]);
}

#[test]
fn a_working_directory_that_is_closed_to_the_user_fails_the_start() {
    if !is_root() {
        return skip("switching users");
    }
    let result = Attempt::with("true", |plan| {
        fs::set_permissions(&plan.working_dir, fs::Permissions::from_mode(0o700)).unwrap();
        plan.run_as = Some(NOBODY);
    })
    .run();
    assert!(
        matches!(result.outcome, Outcome::StartFailed { stage: Stage::WorkingDir, .. }),
        "{result:?}"
    );
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
pub(crate) fn skip(what: &str) {
    eprintln!("skipped: {what} needs root");
}
