//! `howdah run`: exit codes, what is shown, what is left behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::{application, howdah, say, text};

#[test]
fn a_job_that_succeeds_ends_with_0_and_one_line_each() {
    let (_directory, app) = application("hello", "echo greeting=hello");
    let said = say(&["run", text(&app)]);
    assert_eq!(said.exit, Some(0), "{}", said.err);
    assert!(
        said.out.starts_with("hello SUCCEEDED in ") && said.out.contains("(1 action, "),
        "{}",
        said.out
    );
    assert!(said.err.starts_with("  OK          work                     shell"), "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
}

#[test]
fn a_job_that_fails_ends_with_1_and_says_what_it_printed() {
    let (_directory, app) = application("broken", "echo one; echo two >&2; exit 3");
    let said = say(&["run", text(&app)]);
    assert_eq!(said.exit, Some(1));
    assert!(said.out.starts_with("broken KILLED in "), "{}", said.out);
    for part in
        ["work ERROR 1: ", "exit code [3]", "stdout | one", "stderr | two", "fail: it said 1"]
    {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

#[test]
fn the_end_is_told_as_json_too() {
    let (_directory, app) = application("told", "echo greeting=${greeting}");
    fs::write(
        app.join("job.properties"),
        "greeting=from the file\noozie.coord.application.path=/x\n",
    )
    .expect("writable");
    let data = |words: &[&str]| {
        let said = say(&[&["run", text(&app), "--json"], words].concat());
        let told: serde_json::Value = serde_json::from_str(&said.out).expect(&said.err);
        assert_eq!(told["status"], "SUCCEEDED");
        told["actions"][1]["data"].as_str().expect("captured").to_owned()
    };
    assert!(data(&[]).contains("greeting=from the file"));
    assert!(data(&["-Dgreeting=given"]).contains("greeting=given"));
}

#[test]
fn a_refused_definition_is_shown_with_its_place() {
    let (_directory, app) = application("refused", "true");
    let definition = fs::read_to_string(app.join("workflow.xml"))
        .expect("written")
        .replace("start to=\"work\"", "start to=\"wrk\"");
    fs::write(app.join("workflow.xml"), definition).expect("writable");
    let said = say(&["run", text(&app)]);
    assert_eq!((said.exit, said.out.as_str()), (Some(1), ""));
    for part in ["E0708", "workflow.xml:3:", "did you mean 'work'?", "refused for 1 mistake"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

#[test]
fn what_is_no_application_has_a_code() {
    let directory = tempfile::tempdir().expect("a directory");
    let said = say(&["run", text(directory.path())]);
    assert_eq!(said.exit, Some(1));
    assert!(said.err.starts_with("error[HW5006]: ") && said.err.contains("help: "), "{}", said.err);
}

#[test]
fn an_interrupt_kills_the_job_and_ends_with_130() {
    let (directory, app) =
        application("sleepy", "echo $$ > \"$marker\"; echo started >&2; sleep 600");
    let marker = directory.path().join("pid");
    let definition = fs::read_to_string(app.join("workflow.xml")).expect("written");
    fs::write(app.join("workflow.xml"), definition.replace("$marker", text(&marker)))
        .expect("writable");
    let mut child = howdah(&["run", text(&app)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let deadline = std::time::Instant::now() + crate::DEADLINE;
    while fs::read_to_string(&marker).map_or(true, |text| text.is_empty()) {
        assert!(std::time::Instant::now() < deadline, "the action never started");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let lines: Vec<String> = BufReader::new(child.stderr.take().expect("piped"))
        .lines()
        .map(|line| line.expect("text"))
        .collect();
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{lines:?}");
    assert_eq!(lines[0], "interrupted: ending the job");
    let pid = fs::read_to_string(&marker).expect("written");
    assert!(
        !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists(),
        "the action lives on"
    );
}

#[test]
fn a_data_directory_is_kept_and_a_temporary_one_is_not() {
    let (directory, app) = application("kept", "true");
    let data = directory.path().join("data");
    assert_eq!(say(&["run", text(&app), "--data-dir", text(&data)]).exit, Some(0));
    assert!(data.join("howdah.db").is_file());
    let temporary = directory.path().join("tmp");
    fs::create_dir(&temporary).expect("a directory");
    let mut command = howdah(&["run", text(&app)]);
    assert!(command.env("TMPDIR", &temporary).status().expect("starts").success());
    assert_eq!(fs::read_dir(&temporary).expect("a directory").count(), 0);
    let mut command = howdah(&["run", text(&app), "--keep"]);
    let said = crate::Said::of(command.env("TMPDIR", &temporary).output().expect("starts"));
    assert!(said.err.contains("kept in "), "{}", said.err);
    assert_eq!(fs::read_dir(&temporary).expect("a directory").count(), 1);
}
