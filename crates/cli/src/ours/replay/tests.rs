//! Replays of histories that were made here by the same engine, against rows that are as they should be, and are not.

use std::sync::Arc;

use definition::WorkflowSources;
use engine::{Event, RerunRequest, Skip, Submission, workflow};
use expect_test::{Expect, expect};
use model::action::Success;
use model::job::Rules;
use model::{
    AppDigest, Attempt, AttemptResult, Claim, Configuration, JobId, NodeName, Run, Timestamp,
    Token, WorkerId, WorkflowApp, WorkflowJob,
};
use serde_json::{Value, json};

use super::*;
use crate::http::Http;
use crate::test_server::{Reply, TestServer};

const JOB: &str = "0000001-261122144400000-howdah-W";
const BEGIN: Timestamp = Timestamp(1_795_356_000_000);

/// The definition of the first run; beside it are a `config-default.xml` and a parent's `<global>`.
const FIRST: &str = r#"<workflow-app xmlns="uri:oozie:workflow:1.0" name="w"><start to="work"/>
  <action name="work"><shell xmlns="uri:oozie:shell-action:1.0"><resource-manager>r</resource-manager><name-node>n</name-node>
    <exec>true</exec></shell><ok to="end"/><error to="end"/></action><end name="end"/></workflow-app>"#;
/// The definition of the rerun: another node.
const SECOND: &str = r#"<workflow-app xmlns="uri:oozie:workflow:1.0" name="w"><start to="end"/><end name="end"/></workflow-app>"#;
const DEFAULTS: &str =
    "<configuration><property><name>color</name><value>red</value></property></configuration>";
const GLOBAL: &str =
    "<configuration><property><name>size</name><value>big</value></property></configuration>";

fn digest(letter: &str) -> AppDigest {
    AppDigest::new(letter.repeat(64))
}

fn first_app() -> WorkflowApp {
    let defaults = definition::read_configuration(DEFAULTS).expect("read");
    let sources = WorkflowSources {
        config_default: Some(&defaults),
        inherited_global: Some(GLOBAL),
        ..WorkflowSources::of(FIRST)
    };
    definition::read_workflow(sources).expect("read")
}

fn second_app() -> WorkflowApp {
    definition::read_workflow(WorkflowSources::of(SECOND)).expect("read")
}

/// What a server holds of one job, as the three answers that it gives.
#[derive(Clone, Debug)]
struct Held {
    lines: Vec<Value>,
    stored: Value,
    /// In the order of their digests.
    definitions: Vec<Value>,
}

/// A job while it is made: its events and where they lead.
struct Making {
    events: Vec<(Timestamp, Event)>,
    job: WorkflowJob,
}

impl Making {
    fn submitted() -> Making {
        let conf = Configuration::from_iter([("user.name", "joe"), ("a", "1")]);
        let submission = Submission {
            id: JOB.parse::<JobId>().expect("an id"),
            app: digest("a"),
            app_name: "w".into(),
            app_path: "file:///apps/w".into(),
            conf: Arc::new(conf),
            user: "joe".into(),
            group: None,
            acl: None,
            parent: None,
            external_id: None,
            rules: Arc::new(Rules::default()),
            start: true,
        };
        let (job, _) = workflow::create(&first_app(), BEGIN, &submission);
        Making { events: vec![(BEGIN, Event::Submitted(Box::new(submission)))], job }
    }

    fn then(mut self, app: &WorkflowApp, event: Event) -> Making {
        let seconds = i64::try_from(self.events.len()).expect("a few");
        let now = BEGIN.plus_ms(seconds * 1_000);
        let step = workflow::step(app, &self.job, now, &event).expect("accepted");
        step.apply(&mut self.job);
        self.events.push((now, event));
        self
    }

    fn worked(self) -> Making {
        let token = Token::new("t");
        let claim = Claim { worker: WorkerId::new("local"), incarnation: 7, token: token.clone() };
        let action = NodeName::new("work");
        let of = engine::AttemptRef { run: Run(0), attempt: Attempt(1) };
        let success = Success { data: Some("rows=3\n".to_owned()), ..Success::default() };
        let result = AttemptResult::Succeeded(success);
        self.then(&first_app(), Event::Claimed { action: action.clone(), of, claim })
            .then(&first_app(), Event::Finished { action, token, result })
    }

    fn rerun(self) -> Making {
        self.then(&second_app(), rerun_request())
    }

    fn held(self) -> Held {
        let line = |(index, (at, event)): (usize, &(Timestamp, Event))| {
            json!({
                "n": index + 1, "at": at.to_string(), "name": event.name(), "action": null,
                "level": "INFO", "text": "", "event": event, "engine": ENGINE_VERSION,
            })
        };
        let header = &self.job.header;
        let actions: Vec<_> = self.job.actions.values().map(AsRef::as_ref).collect();
        let first =
            json!({ "definition": FIRST, "config_default": DEFAULTS, "inherited_global": GLOBAL });
        let is_rerun = header.run > Run(0);
        Held {
            lines: self.events.iter().enumerate().map(line).collect(),
            stored: json!({ "header": header, "conf": header.conf.as_ref(), "actions": actions }),
            definitions: [first].into_iter().chain(is_rerun.then(second_sources)).collect(),
        }
    }
}

fn rerun_request() -> Event {
    Event::Rerun(Box::new(RerunRequest {
        app: digest("b"),
        app_name: "w".into(),
        app_path: "file:///apps/w".into(),
        conf: Arc::new(Configuration::from_iter([("user.name", "joe"), ("a", "2")])),
        rules: Arc::new(Rules::default()),
        skip: Skip::Nodes(Default::default()),
        parent: None,
    }))
}

fn second_sources() -> Value {
    json!({ "definition": SECOND, "config_default": null, "inherited_global": null })
}

fn page(lines: &[Value]) -> Reply {
    Reply::json(&json!({ "lines": lines, "next_after": null }).to_string())
}

fn missing(code: &str, message: &str) -> Reply {
    let body = json!({ "code": code, "message": message, "help": null, "diagnostics": [] });
    let headers = vec![("Content-Type", "application/json")];
    Reply::Answer("404 Not Found", headers, body.to_string())
}

impl Held {
    fn replies(&self) -> Vec<Reply> {
        let rows = [page(&self.lines), Reply::json(&self.stored.to_string()), page(&[])];
        let definitions = self.definitions.iter().map(|sources| match sources {
            Value::Null => missing("HW4001", "there is no definition with the digest x"),
            sources => Reply::json(&sources.to_string()),
        });
        rows.into_iter().chain(definitions).collect()
    }
}

/// What is printed, what the command ends with, and what the server was asked.
fn replay(replies: Vec<Reply>, json: bool) -> (String, Result<(), Failure>, Vec<String>) {
    let server = TestServer::start(replies);
    let client = Client::new(Http::new(Vec::new(), 1), &server.url, "joe", None, false);
    let one = OneJob { job: JOB.to_owned(), json, connection: Default::default() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
        out_color: false,
        err_color: false,
        watched: false,
    };
    let ended = run(&mut terminal, &one, &client);
    let asked = server.asked().into_iter().map(|asked| asked.line).collect();
    (String::from_utf8(out).expect("text"), ended, asked)
}

/// Checks what comes after the events, and the exit.
#[track_caller]
fn check(held: &Held, exact: bool, verdict: &Expect) {
    let (out, ended, _) = replay(held.replies(), false);
    let wanted = if exact { Ok(()) } else { Err(Failure::Quiet(FAILED_EXIT)) };
    assert_eq!(ended, wanted, "{out}");
    let from = out.find("; the replay ").and_then(|at| out[..at].rfind('\n')).expect("a verdict");
    verdict.assert_eq(&out[from + 1..]);
}

#[track_caller]
fn check_refused(held: &Held, message: &str, help: &str) {
    let (out, ended, _) = replay(held.replies(), false);
    let refusal = Failure::coded("HW5008", message).with_help(help);
    assert_eq!((out.as_str(), ended), ("", Err(refusal)));
}

#[test]
fn every_event_is_told_with_what_it_changed() {
    let (out, ended, asked) = replay(Making::submitted().worked().rerun().held().replies(), false);
    assert_eq!(ended, Ok(()));
    expect![[r#"
             1 2026-11-22T14:00:00.000Z submitted
                 job: RUNNING
                 :start:: OK (to work)
                 work: PREP
             2 2026-11-22T14:00:01.000Z claimed
                 work: PREP → RUNNING
             3 2026-11-22T14:00:02.000Z finished
                 job: RUNNING → SUCCEEDED
                 end: OK
                 work: RUNNING → OK (to end)
             4 2026-11-22T14:00:03.000Z rerun
                 work: gone
                 job: SUCCEEDED → SUCCEEDED in run 1
                 :start:: OK → OK in run 1 (to end)
                 end: OK → OK in run 1
        4 events; the replay ends exactly where the stored rows stand
    "#]]
    .assert_eq(&out);
    let asked: Vec<&str> =
        asked.iter().map(|line| line.split('?').next().expect("a path")).collect();
    let job = format!("GET /api/v1/jobs/{JOB}");
    let wanted = [
        format!("{job}/history"),
        format!("{job}/stored"),
        format!("{job}/history"),
        format!("GET /api/v1/definitions/{}", digest("a")),
        format!("GET /api/v1/definitions/{}", digest("b")),
    ];
    assert_eq!(asked, wanted);
}

#[test]
fn every_field_that_differs_is_told() {
    let mut held = Making::submitted().worked().held();
    held.stored["header"]["status"] = json!("KILLED");
    held.stored["header"]["unheard_of"] = json!(1);
    held.stored["conf"]["a"] = json!("x");
    held.stored["conf"].as_object_mut().expect("properties").remove("user.name");
    let actions = held.stored["actions"].as_array_mut().expect("rows");
    let gone = actions.iter().position(|row| row["name"] == ":start:").expect("there");
    let mut extra = actions.remove(gone);
    extra["name"] = json!("extra");
    actions.push(extra);
    let work = actions.iter_mut().find(|row| row["name"] == "work").expect("there");
    work["ended_at"] = json!(1);
    work["claim"] = json!({ "worker": "other" });
    check(
        &held,
        false,
        &expect![[r#"
        3 events; the replay ends elsewhere, in 5 rows:
          job:
            status: replayed "SUCCEEDED", stored "KILLED"
            unheard_of: replayed nothing, stored 1
          configuration:
            a: replayed "1", stored "x"
            user.name: replayed "joe", stored nothing
          action :start:: replayed, but not stored
          action extra: stored, but not replayed
          action work:
            claim: replayed null, stored {"worker":"other"}
            ended_at: replayed 1795356002000, stored 1
    "#]],
    );
}

#[test]
fn a_milliseconds_difference_is_one() {
    let mut held = Making::submitted().held();
    let changed_at = held.stored["header"]["changed_at"].as_i64().expect("a moment");
    held.stored["header"]["changed_at"] = json!(changed_at + 1);
    check(
        &held,
        false,
        &expect![[r#"
            1 event; the replay ends elsewhere, in 1 row:
              job:
                changed_at: replayed 1795356000000, stored 1795356000001
        "#]],
    );
}

#[test]
fn what_is_around_a_definition_counts() {
    for part in ["config_default", "inherited_global"] {
        let mut held = Making::submitted().worked().held();
        held.definitions[0][part] = Value::Null;
        let (out, ended, _) = replay(held.replies(), true);
        assert_eq!(ended, Err(Failure::Quiet(FAILED_EXIT)));
        let told: Value = serde_json::from_str(&out).expect("JSON");
        let fields = told["differences"][0]["fields"].as_array().expect("fields");
        let names: Vec<&Value> = fields.iter().map(|field| &field["field"]).collect();
        assert_eq!(told["differences"][0]["row"], json!("action work"));
        assert_eq!(names, ["conf"]);
    }
}

#[test]
fn events_of_other_engines_are_told() {
    let mut held = Making::submitted().worked().held();
    held.lines[0]["engine"] = json!("0.0.9");
    held.lines[2]["engine"] = json!("9.0.0");
    check(
        &held,
        true,
        &expect![[r#"
            3 events; the replay ends exactly where the stored rows stand
            events that other engines decided: 1 by 0.0.9, 1 by 9.0.0; this one is 0.1.0 and may decide otherwise
        "#]],
    );
}

#[test]
fn a_replay_goes_as_far_as_it_can() {
    let mut held = Making::submitted().worked().held();
    held.lines[2]["event"] = json!({ "event": "invented" });
    held.lines[2]["engine"] = json!("9.0.0");
    check(
        &held,
        false,
        &expect![[r#"
            3 events; the replay breaks off at line 3 (finished, by engine 9.0.0): this program cannot read the event `finished`
            events that other engines decided: 1 by 9.0.0; this one is 0.1.0 and may decide otherwise
        "#]],
    );
    let mut held = Making::submitted().worked().rerun().held();
    held.definitions[1] = Value::Null;
    check(
        &held,
        false,
        &expect![[r#"
            4 events; the replay breaks off at line 4 (rerun, by engine 0.1.0): there is no definition with the digest x
        "#]],
    );
    let mut held = Making::submitted().worked().rerun().held();
    held.definitions[1]["definition"] = json!("<workflow-app/>");
    check(
        &held,
        false,
        &expect![[r#"
            4 events; the replay breaks off at line 4 (rerun, by engine 0.1.0): this program cannot read the definition: E0701: <workflow-app> has no namespace (line 1, column 1); add xmlns="..." with one of uri:oozie:workflow:0.1, uri:oozie:workflow:0.2, uri:oozie:workflow:0.2.5, uri:oozie:workflow:0.3, uri:oozie:workflow:0.4, uri:oozie:workflow:0.4.5, uri:oozie:workflow:0.5 or uri:oozie:workflow:1.0
        "#]],
    );
    let mut making = Making::submitted();
    making.events.push((BEGIN, rerun_request()));
    let mut held = making.held();
    held.definitions.push(second_sources());
    check(
        &held,
        false,
        &expect![[r#"
            2 events; the replay breaks off at line 2 (rerun, by engine 0.1.0): this engine refuses it: E0805: job 0000001-261122144400000-howdah-W is RUNNING; only a job that is SUCCEEDED, KILLED or FAILED can be rerun
        "#]],
    );
}

#[test]
fn a_history_without_its_beginning_cannot_be_replayed() {
    let help = "`howdah events` shows what is left of its history";
    let mut held = Making::submitted().worked().held();
    held.lines.remove(0);
    held.definitions.clear();
    check_refused(
        &held,
        &format!(
            "{JOB} cannot be replayed: the history begins with `claimed` instead of `submitted`; an earlier part of it is missing"
        ),
        help,
    );
    held.lines.clear();
    check_refused(
        &held,
        &format!("{JOB} cannot be replayed: its history is empty: it was purged"),
        help,
    );
    let mut held = Making::submitted().held();
    held.definitions[0] = Value::Null;
    let message = format!("{JOB} cannot be replayed: there is no definition with the digest x");
    check_refused(&held, &message, help);
    held.lines[0]["engine"] = json!("0.0.9");
    let help = format!(
        "its history was begun by engine 0.0.9, this one is {ENGINE_VERSION}; replay it with a program of that version"
    );
    check_refused(&held, &message, &help);
}

#[test]
fn rows_are_read_until_they_belong_to_the_history() {
    let (before, after) = (Making::submitted().held(), Making::submitted().worked().held());
    let (old, new) = after.lines.split_at(before.lines.len());
    let replies = vec![
        page(old),
        Reply::json(&before.stored.to_string()),
        page(new),
        Reply::json(&after.stored.to_string()),
        page(&[]),
        Reply::json(&after.definitions[0].to_string()),
    ];
    let (out, ended, asked) = replay(replies, false);
    assert_eq!(ended, Ok(()), "{out}");
    let ranges: Vec<&str> = asked
        .iter()
        .filter_map(|line| line.split_once("after="))
        .map(|(_, rest)| rest.split('&').next().expect("a number"))
        .collect();
    assert_eq!(ranges, ["0", "1", "3"]);
}

#[test]
fn everything_is_told_as_json_too() {
    let mut held = Making::submitted().worked().held();
    held.stored["actions"][0]["retries"] = json!(5);
    held.lines[1]["engine"] = json!("0.0.9");
    let (out, ended, _) = replay(held.replies(), true);
    assert_eq!(ended, Err(Failure::Quiet(FAILED_EXIT)));
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        told["lines"][2]["changes"],
        json!(["job: RUNNING → SUCCEEDED", "end: OK", "work: RUNNING → OK (to end)"])
    );
    let mut told = told;
    told.as_object_mut().expect("an object").remove("lines");
    expect![[r#"
        {
          "differences": [
            {
              "fields": [
                {
                  "field": "retries",
                  "replayed": 0,
                  "stored": 5
                }
              ],
              "found": "fields",
              "row": "action :start:"
            }
          ],
          "engine": "0.1.0",
          "exact": false,
          "job": "0000001-261122144400000-howdah-W",
          "other_engines": {
            "0.0.9": 1
          },
          "recorded": 3,
          "stopped": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&told).expect("JSON"));
}
