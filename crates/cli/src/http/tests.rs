//! The HTTP client against a server of a few lines.

use std::net::TcpListener;
use std::time::Duration;

use super::*;
use crate::client::Client;
use crate::test_server::{Reply, TestServer};
use model::Configuration;

fn http() -> Http {
    Http {
        first_pause: Duration::from_millis(1),
        ..Http::new(vec![("X-Test".to_owned(), "1".to_owned())], TRIES)
    }
}

fn client(server: &TestServer) -> Client {
    Client::new(http(), &server.url, "joe", Some("ann"), false)
}

fn versions() -> Reply {
    Reply::json("[0,1,2]")
}

#[test]
fn a_lost_submit_is_sent_again_under_the_same_key() {
    let server = TestServer::start(vec![
        versions(),
        Reply::Lost,
        Reply::Lost,
        Reply::created(r#"{"id":"1-W"}"#),
    ]);
    let conf = Configuration::from_iter([("a", "1 < 2")]);
    let id = client(&server).submit(&conf, Some("start"));
    assert_eq!(id, Ok("1-W".to_owned()));
    let asked = server.asked();
    assert_eq!(asked[3].line, "POST /oozie/v2/jobs?action=start&user=ann&user.name=joe&doAs=ann");
    let keys: Vec<Option<&str>> =
        asked[1..].iter().map(|one| one.header("idempotency-key")).collect();
    assert!(
        keys[0].is_some_and(|key| key.len() == 32) && keys.iter().all(|key| *key == keys[0]),
        "{keys:?}"
    );
    assert!(asked[1].body.contains("<name>a</name><value>1 &lt; 2</value>"), "{}", asked[1].body);
    assert_eq!(asked[1].header("content-type"), Some("application/xml;charset=UTF-8"));
    assert_eq!(asked[1].header("x-test"), Some("1"));
}

#[test]
fn two_submits_have_two_keys() {
    let created = || Reply::created(r#"{"id":"1-W"}"#);
    let server = TestServer::start(vec![versions(), created(), created()]);
    let client = client(&server);
    let conf = Configuration::new();
    assert!(client.submit(&conf, None).is_ok() && client.submit(&conf, None).is_ok());
    let asked = server.asked();
    assert_ne!(asked[1].header("idempotency-key"), asked[2].header("idempotency-key"));
}

#[test]
fn a_lost_command_is_not_sent_again() {
    let server = TestServer::start(vec![versions(), Reply::Lost]);
    let failure =
        client(&server).command("1-W", &[("action", Some("kill"))], None).expect_err("lost");
    let said = failure.to_string();
    assert!(said.starts_with("IO_ERROR : cannot reach ") && said.ends_with("(tries: 1)"), "{said}");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_lost_read_is_sent_again() {
    let server =
        TestServer::start(vec![Reply::Lost, versions(), Reply::Lost, Reply::text("the log\n")]);
    let log = client(&server).job("1-W", "log", &[("logfilter", None)]).and_then(Answer::text);
    assert_eq!(log, Ok("the log\n".to_owned()));
    assert_eq!(server.asked()[3].line, "GET /oozie/v2/job/1-W?show=log&user.name=joe&doAs=ann");
}

#[test]
fn a_server_that_is_not_there_is_tried_four_times() {
    let port =
        TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let url = format!("http://127.0.0.1:{port}/oozie");
    let failure = Client::new(http(), &url, "joe", None, false)
        .job("1-W", "info", &[])
        .expect_err("nobody listens");
    let said = failure.to_string();
    assert!(said.starts_with(&format!("IO_ERROR : cannot reach {url}/versions: ")), "{said}");
    assert!(said.contains("refused") && said.ends_with("(tries: 4)"), "{said}");
}

#[track_caller]
fn check_version(spoken: &str, expected: &str) {
    let server = TestServer::start(vec![Reply::json(spoken), Reply::json("{}")]);
    let answer = client(&server).job("x", "info", &[]);
    let said = match answer {
        Ok(_) => server.asked()[1].line.clone(),
        Err(failure) => failure.to_string(),
    };
    assert_eq!(said, expected);
}

#[test]
fn the_best_common_version_is_spoken() {
    check_version("[0,1,2]", "GET /oozie/v2/job/x?show=info&user.name=joe&doAs=ann");
    check_version("[1]", "GET /oozie/v1/job/x?show=info&user.name=joe&doAs=ann");
    check_version(
        "[7]",
        "UNSUPPORTED_VERSION : Supported version [2] or less, Unsupported versions[7]",
    );
}

#[track_caller]
fn check_refusal(reply: Reply, expected: &str) {
    let server = TestServer::start(vec![versions(), reply]);
    let failure = client(&server).job("x", "info", &[]).expect_err("refused");
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn refusals_are_told_as_the_server_tells_them() {
    check_refusal(
        Reply::refusal("E0604", "Job does not exist [x]"),
        "E0604 : Job does not exist [x]",
    );
    let plain = |status| Reply::Answer(status, Vec::new(), String::new());
    check_refusal(plain("502 Bad Gateway"), "HTTP error code: 502 : Bad Gateway");
    let headers = vec![("Content-Type", "application/json")];
    let body =
        r#"{"code":"HW4006","message":"too many","help":"later","diagnostics":[]}"#.to_owned();
    check_refusal(Reply::Answer("503 Service Unavailable", headers, body), "HW4006 : too many");
}

#[test]
fn an_answer_that_is_no_json_is_shown() {
    let server = TestServer::start(vec![Reply::text("<html>It works!</html>")]);
    let said = client(&server).job("x", "info", &[]).expect_err("no versions").to_string();
    assert!(
        said.contains("not what was expected") && said.ends_with("<html>It works!</html>"),
        "{said}"
    );
}

#[test]
fn texts_are_encoded_for_addresses() {
    assert_eq!(
        query_encoded("status=RUNNING;name=a b/ä"),
        "status%3DRUNNING%3Bname%3Da+b%2F%C3%A4"
    );
    assert_eq!(path_encoded("1-W@a b/:start:"), "1-W@a%20b%2F:start:");
}
