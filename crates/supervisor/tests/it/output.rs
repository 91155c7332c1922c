//! What programs write: logs with a limit, captures with a bound.

use std::fs;
use std::os::unix::fs::symlink;

use supervisor::{AttemptResult, CaptureFile, Captured, Outcome};

use crate::fixture::Attempt;

#[test]
fn each_stream_has_its_log() {
    let attempt = Attempt::of("echo out; echo err >&2");
    let result = attempt.run();
    assert_eq!(
        (attempt.log("stdout"), attempt.log("stderr")),
        ("out\n".to_owned(), "err\n".to_owned())
    );
    assert_eq!((result.stdout_bytes, result.stderr_bytes), (4, 4));
    assert_eq!((result.captured_output, result.output_too_large), (None, false));
}

#[test]
fn both_streams_may_share_a_log() {
    let attempt =
        Attempt::with("echo out; echo err >&2", |plan| plan.stderr_log = plan.stdout_log.clone());
    attempt.run();
    assert_eq!(attempt.log("stdout").len(), "out\nerr\n".len());
}

#[test]
fn a_flood_fills_the_log_to_its_limit_and_never_blocks_the_program() {
    const FLOOD_BYTES: u64 = 200_000_000;
    const LIMIT_BYTES: u64 = 100_000;
    let script = format!("yes | head -c {FLOOD_BYTES}; exit 3");
    let attempt = Attempt::with(&script, |plan| plan.log_bytes_max = LIMIT_BYTES);
    let result = attempt.run();
    assert_eq!(result.outcome, Outcome::Exited { code: 3 });
    assert_eq!(
        (result.stdout_bytes, result.stdout_dropped_bytes),
        (FLOOD_BYTES, FLOOD_BYTES - LIMIT_BYTES)
    );
    let log = attempt.log("stdout");
    let note = "\n[howdah: 199900000 bytes were dropped, the limit of this log is 100000 bytes]\n";
    assert_eq!(log.len() as u64, LIMIT_BYTES + note.len() as u64);
    assert!(log.ends_with(note));
}

#[test]
fn what_is_left_of_the_tree_may_finish_its_output() {
    let attempt = Attempt::of("(trap '' TERM; sleep 0.7; echo late) & echo early");
    assert_eq!(attempt.run().outcome, Outcome::Exited { code: 0 });
    assert_eq!(attempt.log("stdout"), "early\nlate\n");
}

fn check_capture(script: &str, bytes_max: u64, captured: Captured) {
    let too_large = captured.too_large;
    let attempt = Attempt::with(script, |plan| plan.capture_output_bytes_max = Some(bytes_max));
    let result = attempt.run();
    assert_eq!(
        (result.captured_output, result.output_too_large),
        (Some(captured), too_large),
        "{script}"
    );
}

fn text(text: &str, replaced: bool) -> Captured {
    Captured { text: text.to_owned(), replaced, too_large: false }
}

fn too_large() -> Captured {
    Captured { text: String::new(), replaced: false, too_large: true }
}

#[test]
fn captured_output_is_text_within_its_bound() {
    check_capture("printf 'a=1\\nb=2'; echo not this >&2", 100, text("a=1\nb=2", false));
    check_capture("true", 0, text("", false));
    check_capture("printf 12345", 5, text("12345", false));
    check_capture("printf 123456", 5, too_large());
    check_capture("yes | head -c 300000", 200_000, too_large());
    check_capture("printf 'a\\000b\\377c'", 100, text("a\u{fffd}b\u{fffd}c", true));
}

fn run_with_files(script: &str) -> AttemptResult {
    let file = |path: &str| CaptureFile { path: path.into(), bytes_max: 10 };
    let attempt = Attempt::with(script, |plan| {
        symlink("/etc/hostname", plan.working_dir.join("link")).unwrap();
        plan.capture_files = ["a", "b", "link", "fifo"].map(file).into();
        fs::write(plan.working_dir.join("b"), "before").unwrap();
    });
    attempt.run()
}

#[test]
fn captured_files_are_plain_and_within_their_bound() {
    let result = run_with_files("printf a=1 > a; mkfifo fifo");
    assert_eq!(
        result.captured_files,
        [Some(text("a=1", false)), Some(text("before", false)), None, None]
    );
    assert!(!result.output_too_large);
    let result = run_with_files("printf 0123456789a > a; rm b");
    assert_eq!(result.captured_files, [Some(too_large()), None, None, None]);
    assert!(result.output_too_large);
}
