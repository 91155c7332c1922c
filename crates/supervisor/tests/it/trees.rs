//! Ending whole trees: stops, time-outs, leases, and what programs leave behind.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use supervisor::{Boottime, Outcome, Plan, StopCause, SupervisorExit, renew_lease, request_stop};

use crate::fixture::{Attempt, LONG_GRACE_MS, exit_of};

const STOPPED: Outcome = Outcome::Stopped { cause: StopCause::Requested };

/// Each stops three scripts; together they cover the five milliseconds after a claim.
const EARLY_STOPS: u64 = 30;

/// Far below the grace, far above what a busy machine needs.
const EARLY_STOP_MAX: Duration = Duration::from_secs(5);

/// Ignores SIGTERM, and has descendants in sessions of their own that do the same.
const STUBBORN: &str = "trap '' TERM
    for i in 1 2 3; do setsid sh -c 'sleep 1000 & setsid sleep 1000 & sleep 1000' & done
    sh -c 'setsid sh -c \"sleep 1000 & exit\" & exit'
    echo > ready; wait; sleep 1000";

fn check_stop(script: &str, kill_grace_ms: u64, log: &str) {
    let attempt = Attempt::with(script, |plan| plan.kill_grace_ms = kill_grace_ms);
    let running = attempt.start();
    attempt.wait_for_file("ready");
    request_stop(&attempt.dir, Some(&attempt.claim())).unwrap();
    exit_of(running);
    let result = attempt.result();
    assert_eq!((result.outcome, result.survivors), (STOPPED, vec![]), "{script}");
    assert_eq!(attempt.log("stdout"), log, "{script}");
    attempt.assert_no_remains();
}

#[test]
fn a_stop_ends_the_whole_tree() {
    let long = LONG_GRACE_MS;
    check_stop("echo > ready; exec sleep 1000", long, "");
    check_stop(
        "trap 'echo bye; exit 0' TERM; echo > ready; while :; do sleep 0.01; done",
        long,
        "bye\n",
    );
    check_stop("sleep 1000 & echo > ready; kill -STOP $$; wait", long, "");
    check_stop(STUBBORN, 50, "");
    check_stop(STUBBORN, 0, "");
}

#[test]
fn a_stop_request_without_a_signal_is_seen_too() {
    let attempt = Attempt::of("echo > ready; exec sleep 1000");
    let running = attempt.start();
    attempt.wait_for_file("ready");
    request_stop(&attempt.dir, None).unwrap();
    exit_of(running);
    assert_eq!(attempt.result().outcome, STOPPED);
}

#[test]
fn a_stop_before_the_start_executes_nothing() {
    let attempt = Attempt::of("echo > started");
    request_stop(&attempt.dir, None).unwrap();
    assert_eq!(attempt.run().outcome, STOPPED);
    assert!(!attempt.work("started").exists());
}

/// A stop that comes while the program begins to be: before its exec, or while a shell forks.
fn check_early_stop(script: &str, wait_us: u64) {
    let attempt = Attempt::of(script);
    let running = attempt.start();
    let claim = attempt.claim();
    thread::sleep(Duration::from_micros(wait_us));
    let asked = Instant::now();
    request_stop(&attempt.dir, Some(&claim)).unwrap();
    exit_of(running);
    assert_eq!(attempt.result().outcome, STOPPED, "{script}");
    let took = asked.elapsed();
    assert!(took < EARLY_STOP_MAX, "{script}: stopped {wait_us} us after the claim took {took:?}");
}

#[test]
fn a_stop_just_after_the_claim_does_not_wait_for_the_grace() {
    for round in 0..EARLY_STOPS {
        let wait_us = round * 5_000 / EARLY_STOPS;
        check_early_stop("exec sleep 1000", wait_us);
        check_early_stop("sleep 1000; true", wait_us);
        check_early_stop("sleep 1000 & sleep 1000; wait", wait_us);
    }
}

fn supervisor_of(attempt: &Attempt) -> Pid {
    Pid::from_raw(attempt.claim().pid).unwrap()
}

#[test]
fn a_signal_without_a_request_is_told_apart() {
    let attempt = Attempt::of("echo > ready; exec sleep 1000");
    let running = attempt.start();
    attempt.wait_for_file("ready");
    kill_process(supervisor_of(&attempt), Signal::TERM).unwrap();
    exit_of(running);
    assert_eq!(attempt.result().outcome, Outcome::Stopped { cause: StopCause::Signal });
}

#[test]
fn the_end_of_a_terminal_does_not_matter() {
    let attempt = Attempt::of("echo > ready; until [ -e go ]; do sleep 0.01; done; exit 4");
    let running = attempt.start();
    attempt.wait_for_file("ready");
    for signal in [Signal::HUP, Signal::INT] {
        kill_process(supervisor_of(&attempt), signal).unwrap();
    }
    fs::write(attempt.work("go"), "").unwrap();
    exit_of(running);
    assert_eq!(attempt.result().outcome, Outcome::Exited { code: 4 });
}

fn check_end(script: &str, change: impl FnOnce(&mut Plan), outcome: Outcome) {
    let attempt = Attempt::with(script, change);
    let result = attempt.run();
    assert_eq!((result.outcome, result.survivors), (outcome, vec![]), "{script}");
    attempt.assert_no_remains();
}

#[test]
fn a_time_out_ends_the_whole_tree() {
    let at_once = |plan: &mut Plan| (plan.timeout_ms, plan.kill_grace_ms) = (Some(100), 0);
    check_end(STUBBORN, at_once, Outcome::TimedOut);
    check_end("exit 3", |plan| plan.timeout_ms = Some(600_000), Outcome::Exited { code: 3 });
}

#[test]
fn what_the_program_leaves_behind_ends_with_it() {
    let impatient = |plan: &mut Plan| plan.kill_grace_ms = 50;
    check_end("sleep 1000 & exit 3", impatient, Outcome::Exited { code: 3 });
    check_end(
        "setsid sh -c 'setsid sleep 1000 & exit' & sleep 0.05",
        impatient,
        Outcome::Exited { code: 0 },
    );
    check_end(
        "(trap '' TERM; sleep 1000) & sleep 0.05; kill -9 $$",
        impatient,
        Outcome::Signaled { signal: 9 },
    );
}

#[test]
fn a_lease_that_nobody_renews_ends_the_tree() {
    let leased = |plan: &mut Plan| plan.lease_ms = Some(50);
    check_end("sleep 1000", leased, Outcome::Stopped { cause: StopCause::LeaseExpired });
    let attempt = Attempt::with("sleep 0.3", leased);
    renew_lease(&attempt.dir, Boottime::now().plus_ms(600_000)).unwrap();
    assert_eq!(attempt.run().outcome, Outcome::Exited { code: 0 });
}

#[test]
fn a_renewed_lease_expires_too() {
    let attempt = Attempt::with("echo > ready; sleep 1000", |plan| plan.lease_ms = Some(50));
    renew_lease(&attempt.dir, Boottime::now().plus_ms(600)).unwrap();
    let running = attempt.start();
    attempt.wait_for_file("ready");
    let exit = exit_of(running);
    assert_eq!(exit, SupervisorExit::Finished);
    assert_eq!(attempt.result().outcome, Outcome::Stopped { cause: StopCause::LeaseExpired });
}
