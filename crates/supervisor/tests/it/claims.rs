//! Who owns an attempt: at most one supervisor ever, and never a process that merely has its pid.

use std::fs;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, pidfd_send_signal};
use supervisor::{
    Claim, Error, FIRST_ARGUMENT, Outcome, State, SupervisorExit, inspect, kill_remains,
    open_pidfd, remove,
};

use crate::fixture::{Attempt, EXE, exit_of, is_alive, wait_for};

const UNTIL_GO: &str = "echo $$ >> started; until [ -e go ]; do sleep 0.01; done";

fn kill_supervisor(attempt: &Attempt) {
    let pidfd = open_pidfd(&attempt.claim()).unwrap();
    pidfd_send_signal(&pidfd, Signal::KILL).unwrap();
}

fn why_lost(attempt: &Attempt) -> String {
    match inspect(&attempt.dir).unwrap() {
        State::Lost { why } => why,
        other => panic!("expected a lost attempt: {other:?}"),
    }
}

#[test]
fn a_killed_supervisor_is_lost_and_its_program_dies_with_it() {
    let attempt = Attempt::of("setsid sleep 1000 & echo $$ > pid; wait");
    let running = attempt.start();
    let pid = attempt.wait_for_file("pid");
    kill_supervisor(&attempt);
    assert_eq!(exit_of(running), SupervisorExit::Died { signal: Some(9) });
    assert_eq!(why_lost(&attempt), "its supervisor was killed");
    wait_for("the end of the program", || (!is_alive(&pid)).then_some(()));
    assert_eq!(
        kill_remains(&attempt.token).unwrap(),
        1,
        "the kernel kills the program, we its daemon"
    );
    attempt.assert_no_remains();
}

#[test]
fn an_attempt_is_started_at_most_once() {
    let attempt = Attempt::of(UNTIL_GO);
    let first = attempt.start();
    attempt.wait_for_file("started");
    assert_eq!(exit_of(attempt.start()), SupervisorExit::AlreadyClaimed, "while it runs");
    fs::write(attempt.work("go"), "").unwrap();
    assert_eq!(exit_of(first), SupervisorExit::Finished);
    assert_eq!(exit_of(attempt.start()), SupervisorExit::AlreadyClaimed, "when it has ended");
    assert_eq!(attempt.wait_for_file("started").lines().count(), 1);
    assert_eq!(attempt.result().outcome, Outcome::Exited { code: 0 });
}

#[test]
fn a_lost_attempt_is_not_started_again() {
    let attempt = Attempt::of(UNTIL_GO);
    let running = attempt.start();
    attempt.wait_for_file("started");
    kill_supervisor(&attempt);
    exit_of(running);
    assert_eq!(exit_of(attempt.start()), SupervisorExit::AlreadyClaimed);
    assert_eq!(why_lost(&attempt), "its supervisor was killed");
    assert_eq!(attempt.wait_for_file("started").lines().count(), 1);
}

#[test]
fn of_many_supervisors_at_once_one_wins() {
    const SUPERVISORS: usize = 12;
    let attempt = Attempt::of("echo $$ >> started");
    let all: Vec<_> = (0..SUPERVISORS).map(|_| attempt.start()).collect();
    let exits: Vec<_> = all.into_iter().map(exit_of).collect();
    let finished = exits.iter().filter(|exit| **exit == SupervisorExit::Finished).count();
    let refused = exits.iter().filter(|exit| **exit == SupervisorExit::AlreadyClaimed).count();
    assert_eq!((finished, refused), (1, SUPERVISORS - 1), "{exits:?}");
    assert_eq!(attempt.wait_for_file("started").lines().count(), 1);
}

#[test]
fn a_supervisor_outlives_who_started_it_and_can_be_adopted() {
    let attempt = Attempt::of(UNTIL_GO);
    let in_background = format!("'{EXE}' {FIRST_ARGUMENT} '{}' &", attempt.dir.display());
    assert!(Command::new("/bin/sh").args(["-c", &in_background]).status().unwrap().success());
    let pidfd = open_pidfd(&attempt.claim()).unwrap();
    fs::write(attempt.work("go"), "").unwrap();
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
    assert_eq!(attempt.result().outcome, Outcome::Exited { code: 0 });
}

fn check_forgery(forge: impl FnOnce(&mut Claim), why: &str) {
    let attempt = Attempt::of(UNTIL_GO);
    let running = attempt.start();
    let honest = attempt.claim();
    let mut forged = honest.clone();
    forge(&mut forged);
    let path = attempt.dir.join("claim.json");
    fs::write(&path, serde_json::to_vec(&forged).unwrap()).unwrap();
    assert_eq!(why_lost(&attempt), why);
    assert!(matches!(open_pidfd(&forged), Err(Error::Gone { .. })));
    fs::write(&path, serde_json::to_vec(&honest).unwrap()).unwrap();
    assert_eq!(attempt.claim(), honest);
    fs::write(attempt.work("go"), "").unwrap();
    exit_of(running);
}

#[test]
fn a_pid_alone_proves_nothing() {
    check_forgery(|claim| claim.start_time += 1, "its supervisor was killed");
    check_forgery(|claim| claim.boot_id.push('x'), "this host was rebooted while it ran");
}

#[test]
fn a_live_process_without_the_lock_proves_nothing() {
    let attempt = Attempt::of(UNTIL_GO);
    let running = attempt.start();
    attempt.wait_for_file("started");
    let lock = attempt.dir.join("lock");
    // As if the claimed process had never held it: a file of the same name that nobody has locked.
    fs::rename(&lock, attempt.dir.join("aside")).unwrap();
    assert_eq!(why_lost(&attempt), "its supervisor let go of its lock: it is being killed");
    fs::rename(attempt.dir.join("aside"), &lock).unwrap();
    fs::write(attempt.work("go"), "").unwrap();
    exit_of(running);
}

#[test]
fn a_result_of_another_attempt_is_not_taken_for_its_own() {
    let (attempt, other) = (Attempt::of("exit 1"), Attempt::of("exit 2"));
    attempt.run();
    other.run();
    fs::copy(other.dir.join("result.json"), attempt.dir.join("result.json")).unwrap();
    assert_eq!(why_lost(&attempt), "the result belongs to another attempt");
}

#[test]
fn a_plan_that_cannot_be_read_starts_nothing() {
    let attempt = Attempt::of("true");
    fs::write(attempt.dir.join("plan.json"), "{").unwrap();
    let exit = exit_of(attempt.start());
    assert!(
        matches!(&exit, SupervisorExit::BadPlan { message } if message.contains("plan.json")),
        "{exit:?}"
    );
    assert_eq!(inspect(&attempt.dir).unwrap(), State::NotStarted);
}

#[test]
fn a_running_attempt_cannot_be_removed() {
    let attempt = Attempt::of(UNTIL_GO);
    let running = attempt.start();
    attempt.claim();
    assert!(matches!(remove(&attempt.dir), Err(Error::StillRunning(_))));
    fs::write(attempt.work("go"), "").unwrap();
    exit_of(running);
    remove(&attempt.dir).unwrap();
    assert!(!attempt.dir.exists());
}

#[test]
fn a_supervisor_leaves_only_the_files_that_are_promised() {
    let attempt = Attempt::of("true");
    attempt.run();
    let entries = fs::read_dir(&attempt.dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["claim.json", "lock", "plan.json", "result.json"]);
}

#[test]
fn a_plan_is_never_seen_in_part() {
    const WRITES: usize = 1_000;
    let mut written = None;
    let attempt = Attempt::with("exit 0", |plan| {
        plan.env.insert("LARGE".to_owned(), "x".repeat(1 << 16));
        written = Some(plan.clone());
    });
    let (plan, path) = (written.unwrap(), attempt.dir.join("plan.json"));
    let whole = fs::metadata(&path).unwrap().len();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..WRITES).for_each(|_| plan.write(&attempt.dir).unwrap()));
        while !writer.is_finished() {
            assert_eq!(fs::metadata(&path).unwrap().len(), whole);
        }
    });
}
