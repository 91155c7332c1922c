//! `howdah standalone` and the commands that talk to it.

use std::fs;
use std::net::TcpListener;

use crate::server::Server;
use crate::{Said, application, say, text};

fn submitted(server: &Server, app: &std::path::Path) -> String {
    let path = format!("oozie.wf.application.path=file://{}", text(app));
    let words =
        ["job", "-D", &path, "-D", "nameNode=file://", "-D", "resourceManager=local", "-run"];
    let said = server.say(&words);
    assert_eq!(said.exit, Some(0), "{}", said.err);
    said.out.strip_prefix("job: ").expect("an id").trim().to_owned()
}

#[test]
fn a_job_goes_through_every_command() {
    let server = Server::start();
    let (_directory, app) = application("talk", "echo out=1; echo err >&2");
    let job = submitted(&server, &app);
    let followed = server.say(&["events", &job, "--follow"]);
    assert!(
        followed.exit == Some(0) && followed.out.contains("work: ended well"),
        "{}{}",
        followed.out,
        followed.err
    );
    let polled = server.say(&["job", "-poll", &job, "-verbose"]);
    assert_eq!((polled.out.as_str(), polled.exit), ("SUCCEEDED\n", Some(0)));
    let info = server.say(&["job", "-info", &job]);
    assert!(
        info.out.starts_with(&format!("Job ID : {job}\n----"))
            && info.out.contains("Status        : SUCCEEDED"),
        "{}",
        info.out
    );
    let list = server.say(&["jobs", "-filter", "name=talk"]);
    assert!(list.out.contains(&job), "{}", list.out);
    let logs = server.say(&["logs", &job, "work"]);
    assert_eq!((logs.out.as_str(), logs.err.as_str()), ("out=1\n", "err\n"));
    let all = server.say(&["logs", &job, "--follow"]);
    assert_eq!((all.out.as_str(), all.err.as_str()), ("work | out=1\n", "work | err\n"));
    let explained = server.say(&["explain", &job]);
    assert!(explained.out.starts_with(&format!("{job} SUCCEEDED: ")), "{}", explained.out);
    let replayed = server.say(&["replay", &job]);
    assert!(
        replayed.out.ends_with("the replay ends exactly where the stored rows stand\n"),
        "{}",
        replayed.out
    );
    assert_eq!(
        server.say(&["job", "-definition", &job]).out,
        format!("{}\n", fs::read_to_string(app.join("workflow.xml")).expect("there"))
    );
    let missing = server.say(&["job", "-info", "0000009-000000000000000-howdah-W"]);
    assert!(
        missing.exit == Some(255) && missing.err.starts_with("Error: E0604 : "),
        "{}",
        missing.err
    );
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_job_is_suspended_resumed_and_killed_by_hand() {
    let server = Server::start();
    let (_directory, app) = application("long", "sleep 600");
    let job = submitted(&server, &app);
    let status = |server: &Server, wanted: &str| {
        let line = format!("Status        : {wanted}\n");
        server.wait_for(&["job", "-info", &job], |said: &Said| said.out.contains(&line));
    };
    let explained = server.wait_for(&["explain", &job], |said| said.out.contains("worker local"));
    assert!(explained.out.contains("work (attempt 1, RUNNING) waits"), "{}", explained.out);
    for (option, wanted) in [("-suspend", "SUSPENDED"), ("-resume", "RUNNING"), ("-kill", "KILLED")]
    {
        assert_eq!(server.say(&["job", option, &job]).exit, Some(0));
        status(&server, wanted);
    }
    let rerun = server.say(&["job", "-rerun", &job, "-Doozie.wf.rerun.failnodes=true"]);
    assert_eq!(rerun.exit, Some(0), "{}", rerun.err);
    status(&server, "RUNNING");
    let bulk = server.say(&["jobs", "-kill", "-filter", "name=long"]);
    assert!(
        bulk.out.starts_with("the following jobs have been killed\n"),
        "{}{}",
        bulk.out,
        bulk.err
    );
}

#[test]
fn validate_asks_the_server_when_told_to() {
    let server = Server::start();
    let (_directory, app) = application("valid", "true");
    let file = app.join("workflow.xml");
    let said = server.say(&["validate", "-oozie", &server.url, text(&file)]);
    assert_eq!((said.out.as_str(), said.exit), ("Valid workflow-app\n", Some(0)), "{}", said.err);
    fs::write(&file, "<nonsense/>").expect("writable");
    let said = server.say(&["validate", "-oozie", &server.url, text(&file)]);
    assert!(said.exit == Some(255) && said.err.starts_with("Error: E0701: "), "{}", said.err);
    assert_eq!(said.err.matches("E0701").count(), 1, "{}", said.err);
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::start();
    let said =
        say(&["standalone", "--listen", "127.0.0.1:0", "--data-dir", text(server.data.path())]);
    assert_eq!((said.exit, said.out.as_str()), (Some(75), ""));
    assert!(said.err.starts_with("error[HW5002]: ") && said.err.contains("help: "), "{}", said.err);
}

#[track_caller]
fn check_start(words: &[&str], exit: i32, code: &str) {
    let said = say(&[&["standalone"], words].concat());
    assert_eq!((said.exit, said.out.as_str()), (Some(exit), ""), "{}", said.err);
    assert!(
        said.err.starts_with(&format!("error[{code}]: ")) && said.err.contains("\n  help: "),
        "{}",
        said.err
    );
}

#[test]
fn each_way_to_fail_at_the_start_has_its_code() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    check_start(&["--listen", &address, "--data-dir", text(&data)], 69, "HW5001");
    assert!(!data.exists(), "nothing is made before the port is ours");
    check_start(&["--listen", "127.0.0.1:0", "--data-dir", "/dev/null/data"], 73, "HW5003");
    check_start(&["--slots", "many"], 78, "HW5004");
    let file = directory.path().join("howdah.toml");
    fs::write(&file, "[server]\nlistn = \"x\"\n").expect("writable");
    check_start(&["--config", text(&file)], 78, "HW5004");
}

#[test]
fn the_printed_configuration_can_be_read_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("howdah.toml");
    let first = say(&["standalone", "--print-config", "--slots", "3"]);
    assert!(
        first.exit == Some(0) && first.out.contains("worker.slots = 3  # flag --slots\n"),
        "{}",
        first.err
    );
    fs::write(&file, &first.out).expect("writable");
    let second = say(&["standalone", "--print-config", "--config", text(&file)]);
    assert_eq!(second.exit, Some(0), "{}", second.err);
    let values = |text: &str| {
        text.lines()
            .map(|line| line.split("  # ").next().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(values(&first.out), values(&second.out));
}
