//! `howdah replay` against a server: jobs that were killed, rerun with another definition, and started by other jobs.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::server::Server;
use crate::{application, text};

const EXACT: &str = "the replay ends exactly where the stored rows stand\n";

fn submitted(server: &Server, app: &Path) -> String {
    let path = format!("oozie.wf.application.path=file://{}", text(app));
    let words =
        ["job", "-D", &path, "-D", "nameNode=file://", "-D", "resourceManager=local", "-run"];
    let said = server.say(&words);
    assert_eq!(said.exit, Some(0), "{}", said.err);
    said.out.strip_prefix("job: ").expect("an id").trim().to_owned()
}

fn wait_for(server: &Server, job: &str, status: &str) {
    let line = format!("Status        : {status}\n");
    server.wait_for(&["job", "-info", job], |said| said.out.contains(&line));
}

/// Replays as text and as JSON; answers the text.
#[track_caller]
fn check_exact(server: &Server, job: &str) -> String {
    let said = server.say(&["replay", job]);
    assert_eq!(said.exit, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.ends_with(EXACT), "{}", said.out);
    let json = server.say(&["replay", job, "--json"]);
    let told: Value = serde_json::from_str(&json.out).expect(&json.err);
    assert_eq!((json.exit, &told["exact"]), (Some(0), &Value::Bool(true)), "{}", json.out);
    said.out
}

#[test]
fn a_job_that_was_killed_and_rerun_with_another_definition_replays_exactly() {
    let server = Server::start();
    let (_directory, app) = application("twice", "sleep 600");
    let job = submitted(&server, &app);
    server.wait_for(&["explain", &job], |said| said.out.contains("worker local"));
    check_exact(&server, &job);
    assert_eq!(server.say(&["job", "-kill", &job]).exit, Some(0));
    wait_for(&server, &job, "KILLED");
    let definition = fs::read_to_string(app.join("workflow.xml")).expect("written");
    fs::write(app.join("workflow.xml"), definition.replace("sleep 600", "echo done"))
        .expect("writable");
    let rerun = server.say(&["job", "-rerun", &job, "-Doozie.wf.rerun.failnodes=true"]);
    assert_eq!(rerun.exit, Some(0), "{}", rerun.err);
    wait_for(&server, &job, "SUCCEEDED");
    let told = check_exact(&server, &job);
    for part in [
        "job: RUNNING → KILLED",
        "work: KILLED → PREP in run 1",
        "job: KILLED → RUNNING in run 1",
        " rerun\n",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_child_with_its_parents_global_and_its_own_defaults_replays_exactly() {
    let server = Server::start();
    let (_directory, app) = application("child", "echo ${color}");
    let definition = fs::read_to_string(app.join("workflow.xml")).expect("written");
    let (head, tail) = definition.split_once("  <global>").expect("there");
    let tail = tail.split_once("</global>\n").expect("there").1;
    fs::write(app.join("workflow.xml"), format!("{head}{tail}")).expect("writable");
    let defaults =
        "<configuration><property><name>color</name><value>red</value></property></configuration>";
    fs::write(app.join("config-default.xml"), defaults).expect("writable");
    let parent = app.with_file_name("parent");
    fs::create_dir(&parent).expect("a directory");
    let definition = format!(
        r#"<workflow-app xmlns="uri:oozie:workflow:1.0" name="parent">
  <global><resource-manager>${{resourceManager}}</resource-manager><name-node>${{nameNode}}</name-node></global>
  <start to="call"/>
  <action name="call">
    <sub-workflow><app-path>file://{}</app-path><propagate-configuration/></sub-workflow>
    <ok to="end"/><error to="fail"/>
  </action>
  <kill name="fail"><message>no</message></kill>
  <end name="end"/>
</workflow-app>
"#,
        text(&app)
    );
    fs::write(parent.join("workflow.xml"), definition).expect("writable");
    let job = submitted(&server, &parent);
    wait_for(&server, &job, "SUCCEEDED");
    let told = server.say(&["replay", &job, "--json"]).out;
    assert!(told.contains("child_changed"), "{told}");
    check_exact(&server, &job);
    let list = server.say(&["jobs", "-filter", "name=child"]);
    let child = list.out.split_whitespace().find(|word| word.ends_with("-W") && *word != job);
    let child = child.unwrap_or_else(|| panic!("no child: {}", list.out));
    check_exact(&server, child);
}

#[test]
fn what_is_no_job_is_refused() {
    let server = Server::start();
    let said = server.say(&["replay", "0000009-000000000000000-howdah-W"]);
    assert_eq!((said.exit, said.out.as_str()), (Some(1), ""));
    assert!(said.err.starts_with("error[E0604]: ") && said.err.contains("help: "), "{}", said.err);
}
