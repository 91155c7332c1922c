//! Whole command lines, from the words to the streams and the exit code.

use std::collections::BTreeMap;
use std::fs;

use expect_test::{Expect, expect, expect_file};

use super::*;
use crate::test_server::{Reply, TestServer};

struct Said {
    out: String,
    err: String,
    exit: u8,
}

fn say(words: &[&str], url: Option<&str>) -> Said {
    let variables = url
        .map(|url| ("OOZIE_URL".to_owned(), url.to_owned()))
        .into_iter()
        .collect::<BTreeMap<_, _>>();
    let environment = Environment { variables, user: "joe".to_owned() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
        out_color: false,
        err_color: false,
        watched: false,
    };
    let exit =
        run(words.iter().map(|word| (*word).to_owned()).collect(), &environment, &mut terminal);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { out: text(out), err: text(err), exit }
}

#[track_caller]
fn check(words: &str, exit: u8, expected: &Expect) {
    let said = say(&words.split_whitespace().collect::<Vec<_>>(), None);
    assert_eq!(said.exit, exit, "{}", said.err);
    expected.assert_eq(&format!("{}{}", said.out, said.err));
}

#[test]
fn wrong_oozie_command_lines_end_with_255() {
    check(
        "",
        255,
        &expect![[r#"
        Invalid sub-command: missing sub-command

        use 'help [sub-command]' for help details
    "#]],
    );
    check(
        "jbo -run",
        255,
        &expect![[r#"
        Invalid sub-command: invalid sub-command [jbo]

        use 'help [sub-command]' for help details
    "#]],
    );
    check(
        "job -nonsense",
        255,
        &expect![[r#"
        Invalid sub-command: Unrecognized option: -nonsense

        use 'help [sub-command]' for help details
    "#]],
    );
    check(
        "job -info",
        255,
        &expect![[r#"
        Invalid sub-command: Missing argument for option: info

        use 'help [sub-command]' for help details
    "#]],
    );
    check(
        "job -run",
        255,
        &expect![[r#"
        Error: configuration is not specified
    "#]],
    );
    check(
        "pig -file x.pig -X -p a=b",
        255,
        &expect![[r#"
        Error: `pig` is not yet available here
    "#]],
    );
    check(
        "help nonsense",
        255,
        &expect![[r#"
        Invalid sub-command: invalid sub-command [nonsense]

        use 'help [sub-command]' for help details
    "#]],
    );
}

#[test]
fn exactly_one_thing_is_asked_of_a_job() {
    let said = |words: &[&str]| say(words, None);
    assert_eq!(said(&["job"]).exit, 255);
    let two = said(&["job", "-run", "-kill", "x"]);
    assert_eq!(two.exit, 255);
    assert!(
        two.err.starts_with(
            "Invalid sub-command: the argument '--run' cannot be used with '--kill <JOB>'"
        ),
        "{}",
        two.err
    );
}

#[test]
fn our_commands_end_with_2_when_they_are_wrong() {
    let said = say(&["explain"], None);
    assert_eq!((said.exit, said.out.as_str()), (2, ""));
    assert!(said.err.contains("<JOB>"), "{}", said.err);
}

#[test]
fn a_run_prints_the_id_and_a_refusal_goes_to_standard_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("job.properties");
    fs::write(&file, "a=1\n").expect("writable");
    let words = ["job", "-config", file.to_str().expect("text"), "-D", "b=2", "-run"];
    let server =
        TestServer::start(vec![Reply::json("[2]"), Reply::created(r#"{"id":"0000001-1-h-W"}"#)]);
    let said = say(&words, Some(&server.url));
    assert_eq!((said.out.as_str(), said.err.as_str(), said.exit), ("job: 0000001-1-h-W\n", "", 0));
    let body = server.asked().remove(1).body;
    for property in [
        "<name>a</name><value>1</value>",
        "<name>b</name><value>2</value>",
        "<name>user.name</name><value>joe</value>",
    ] {
        assert!(body.contains(property), "{body}");
    }
    let server = TestServer::start(vec![
        Reply::json("[2]"),
        Reply::refusal("E0707", "Loop detected at parsing"),
    ]);
    let said = say(&words, Some(&server.url));
    assert_eq!(
        (said.out.as_str(), said.err.as_str(), said.exit),
        ("", "Error: E0707 : Loop detected at parsing\n", 255)
    );
}

#[test]
fn a_poll_ends_well_even_when_the_job_failed() {
    let server = TestServer::start(vec![Reply::json("[2]"), Reply::json(r#"{"status":"FAILED"}"#)]);
    let said = say(&["job", "-poll", "1-W", "-timeout", "-1", "-verbose"], Some(&server.url));
    assert_eq!((said.out.as_str(), said.err.as_str(), said.exit), ("FAILED\n", "", 0));
}

#[test]
fn a_log_passes_through_as_it_is() {
    let server =
        TestServer::start(vec![Reply::json("[2]"), Reply::text("first\nsecond, no line break")]);
    let said = say(&["job", "-log", "1-W", "-logfilter", "limit=2"], Some(&server.url));
    assert_eq!((said.out.as_str(), said.exit), ("first\nsecond, no line break", 0));
    assert_eq!(
        server.asked()[1].line,
        "GET /oozie/v2/job/1-W?show=log&logfilter=limit%3D2&user.name=joe"
    );
}

#[test]
fn our_commands_explain_refusals() {
    let body = r#"{"code":"E0604","message":"there is no job 1-W","help":"list jobs with `howdah jobs`","diagnostics":[]}"#;
    let headers = vec![("Content-Type", "application/json")];
    let server = TestServer::start(vec![Reply::Answer("404 Not Found", headers, body.to_owned())]);
    let said = say(&["explain", "1-W"], Some(&server.url));
    let expected = "error[E0604]: there is no job 1-W\n  help: list jobs with `howdah jobs`\n";
    assert_eq!((said.err.as_str(), said.exit), (expected, 1));
    assert_eq!(server.asked()[0].line, "GET /api/v1/jobs/1-W/explain?user.name=joe");
}

#[test]
fn the_history_of_a_job_is_read_page_by_page() {
    let line = |n: u32| {
        format!(
            r#"{{"n":{n},"at":"2026-11-22T14:00:00.000Z","name":"started","action":null,"level":"INFO","text":"started","event":{{}},"engine":"0"}}"#
        )
    };
    let first = Reply::json(&format!(r#"{{"lines":[{}],"next_after":7}}"#, line(7)));
    let second = Reply::json(&format!(r#"{{"lines":[{}],"next_after":null}}"#, line(9)));
    let server = TestServer::start(vec![first, second]);
    let said = say(&["events", "1-W", "--json"], Some(&server.url));
    assert_eq!((said.out.lines().count(), said.exit), (2, 0), "{}", said.err);
    assert_eq!(
        server.asked()[1].line,
        "GET /api/v1/jobs/1-W/history?after=7&len=1000&user.name=joe"
    );
}

#[test]
fn an_actions_streams_stay_apart() {
    let server = TestServer::start(vec![Reply::text("out\n"), Reply::text("err\n")]);
    let said = say(&["logs", "1-W", "fetch"], Some(&server.url));
    assert_eq!((said.out.as_str(), said.err.as_str(), said.exit), ("out\n", "err\n", 0));
    let asked = server.asked();
    assert_eq!(
        asked[0].line,
        "GET /api/v1/jobs/1-W/logs/fetch?stream=stdout&follow=false&user.name=joe"
    );
    assert_eq!(
        asked[1].line,
        "GET /api/v1/jobs/1-W/logs/fetch?stream=stderr&follow=false&user.name=joe"
    );
}

#[test]
fn help_is_what_is_checked_in() {
    let golden = |name: &str| format!("{}/src/help/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    for name in ["job", "run", "standalone", "validate"] {
        let said = say(&["help", name], None);
        assert_eq!(said.exit, 0);
        expect_file![golden(name)].assert_eq(&said.out);
    }
    expect_file![golden("howdah")].assert_eq(&say(&["help"], None).out);
}

#[test]
fn versions_and_completions_are_data() {
    assert_eq!(say(&["--version"], None).out, concat!("howdah ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(say(&["version"], None).out.starts_with("Oozie client build version: 5.2.1\n"));
    for shell in ["bash", "zsh", "fish"] {
        let said = say(&["completion", shell], None);
        assert!(said.exit == 0 && said.out.contains("standalone"), "{shell}");
    }
}
