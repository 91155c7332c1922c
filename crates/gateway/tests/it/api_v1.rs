//! Howdah's own API: jobs, events, history, explain, logs, definitions, stored rows, and the document of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use engine::event::Event;
use expect_test::expect_file;
use futures::StreamExt;
use model::job::JobHeader;
use model::{ActionStatus, Attempt, JobStatus, WorkflowAction};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::client::{DEADLINE, Gateway, request};
use crate::double::{ABSENT, DEFINITION, DIGEST, RUNNING, SUCCEEDED, id};

#[test]
fn the_document_is_fresh() {
    expect_file!["../../../../docs/openapi.json"].assert_eq(&gateway::openapi_json());
}

#[tokio::test]
async fn a_job_is_shown_with_its_actions() {
    let gateway = Gateway::new();
    let job = gateway.get(&format!("/api/v1/jobs/{RUNNING}")).await.json();
    assert_eq!(
        (&job["id"], &job["status"], &job["over"]),
        (&json!(RUNNING), &json!("RUNNING"), &json!(false))
    );
    assert_eq!(job["created_at"], json!("2026-07-01T12:01:00.000Z"));
    let fetch = &job["actions"][1];
    assert_eq!(
        (&fetch["name"], &fetch["attempt"], &fetch["pool"]),
        (&json!("fetch"), &json!(2), &json!("default"))
    );
    assert_eq!(fetch["error"], json!({ "code": "JA018", "message": "exit code 1" }));
    assert_eq!(fetch["earlier"][0]["attempt"], json!(1));
}

#[tokio::test]
async fn errors_are_json_with_code_and_help() {
    let gateway = Gateway::new();
    for path in ["", "/events", "/history", "/logs/fetch", "/definition", "/stored"] {
        let answer = gateway.get(&format!("/api/v1/jobs/{ABSENT}{path}")).await;
        let body = answer.json();
        let code = if path == "/logs/fetch" { "E0605" } else { "E0604" };
        assert_eq!((answer.status, &body["code"]), (StatusCode::NOT_FOUND, &json!(code)), "{path}");
        assert!(body["message"].is_string() && body["help"].is_string(), "{body}");
        assert_eq!(body["diagnostics"], json!([]));
    }
    assert_eq!(
        gateway.get(&format!("/api/v1/jobs/{RUNNING}/logs/fetch?stream=x")).await.code(),
        "E0303"
    );
    assert_eq!(
        gateway.get(&format!("/api/v1/jobs/{RUNNING}/events?until=x")).await.code(),
        "E0303"
    );
}

#[tokio::test]
async fn explanations_and_definitions_are_passed_on() {
    let gateway = Gateway::new();
    let told = gateway.get(&format!("/api/v1/jobs/{RUNNING}/explain")).await.json();
    assert_eq!(told["waits"][0]["waiting_for"], json!("worker one"));
    assert_eq!(told["waits"][0]["since"], json!("2026-07-01T12:00:00.000Z"));
    assert_eq!(gateway.get(&format!("/api/v1/jobs/{RUNNING}/definition")).await.text(), DEFINITION);
}

#[tokio::test]
async fn stored_rows_are_shown_whole() {
    let gateway = Gateway::new();
    let shown = gateway.get(&format!("/api/v1/jobs/{RUNNING}/stored")).await.json();
    let job = gateway.world.jobs.lock().unwrap()[&id(RUNNING)].clone();
    let actions: Vec<&WorkflowAction> = job.actions.values().map(AsRef::as_ref).collect();
    let rows =
        json!({ "header": &job.header, "conf": job.header.conf.as_ref(), "actions": actions });
    assert_eq!(shown, rows);
    let read: JobHeader = serde_json::from_value(shown["header"].clone()).unwrap();
    let conf = serde_json::from_value(shown["conf"].clone()).unwrap();
    assert_eq!(JobHeader { conf, ..read }, job.header);
}

#[tokio::test]
async fn definitions_are_found_by_their_digest() {
    let gateway = Gateway::new();
    let found = gateway.get(&format!("/api/v1/definitions/{DIGEST}")).await.json();
    let sources = json!({
        "definition": DEFINITION, "config_default": "<configuration/>", "inherited_global": null
    });
    assert_eq!(found, sources);
    let (unknown, upper) = ("f".repeat(64), DIGEST.to_uppercase());
    let table = [
        (unknown.as_str(), StatusCode::NOT_FOUND, "HW4001"),
        (&upper, StatusCode::BAD_REQUEST, "E0303"),
        (&DIGEST[1..], StatusCode::BAD_REQUEST, "E0303"),
        ("digest", StatusCode::BAD_REQUEST, "E0303"),
        ("..%2Fjobs", StatusCode::BAD_REQUEST, "E0303"),
    ];
    for (digest, status, code) in table {
        let answer = gateway.get(&format!("/api/v1/definitions/{digest}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{digest}");
        assert!(answer.json()["help"].is_string(), "{digest}");
    }
}

#[tokio::test]
async fn rows_and_definitions_wait_for_the_database() {
    let gateway = Gateway::new();
    gateway.world.store_is_down.store(true, Ordering::Relaxed);
    for path in [format!("jobs/{RUNNING}/stored"), format!("definitions/{DIGEST}")] {
        let answer = gateway.get(&format!("/api/v1/{path}")).await;
        let found = (answer.status, answer.code());
        assert_eq!(found, (StatusCode::SERVICE_UNAVAILABLE, "E0600".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn history_is_paged() {
    let gateway = Gateway::new();
    for event in [Event::Started, Event::Suspended, Event::Resumed] {
        gateway.world.happened(RUNNING, &event);
    }
    let first = gateway.get(&format!("/api/v1/jobs/{RUNNING}/history?len=2")).await.json();
    assert_eq!(first["next_after"], json!(2));
    assert_eq!(first["lines"][0]["event"], json!({ "event": "started" }));
    assert_eq!(first["lines"][0]["text"], json!("job started"));
    let rest = gateway.get(&format!("/api/v1/jobs/{RUNNING}/history?len=2&after=2")).await.json();
    assert_eq!(
        (rest["lines"].as_array().map(Vec::len), &rest["next_after"]),
        (Some(1), &Value::Null)
    );
}

/// Reads a stream until `part` has come.
async fn read_until(response: &mut axum::body::BodyDataStream, part: &str) -> String {
    let mut text = String::new();
    while !text.contains(part) {
        let chunk = timeout(DEADLINE, response.next())
            .await
            .unwrap_or_else(|_| panic!("`{part}` did not come after `{text}`"));
        let chunk =
            chunk.unwrap_or_else(|| panic!("ended before `{part}`: `{text}`")).expect("a chunk");
        text.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
    text
}

async fn open(gateway: &Gateway, uri: &str) -> axum::body::BodyDataStream {
    let response: Response = gateway.open(request(Method::GET, uri, "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body().into_data_stream()
}

async fn assert_ends(stream: &mut axum::body::BodyDataStream) {
    let end = timeout(DEADLINE, stream.next()).await.expect("it ends");
    assert!(end.is_none(), "{end:?}");
}

#[tokio::test]
async fn events_are_sent_as_they_happen() {
    let gateway = Gateway::new();
    gateway.world.happened(RUNNING, &Event::Started);
    let mut stream = open(&gateway, &format!("/api/v1/jobs/{RUNNING}/events")).await;
    let first = read_until(&mut stream, "\n\n").await;
    assert!(
        first.contains("event: history\n")
            && first.contains("id: 1\n")
            && first.contains("job started"),
        "{first}"
    );
    gateway.world.happened(SUCCEEDED, &Event::Woke);
    gateway.world.happened(RUNNING, &Event::Suspended);
    let second = read_until(&mut stream, "\n\n").await;
    assert!(second.contains("id: 3\n") && second.contains("job suspended"), "{second}");
}

#[tokio::test]
async fn events_go_on_where_the_client_was() {
    let gateway = Gateway::new();
    for event in [Event::Started, Event::Suspended, Event::Resumed] {
        gateway.world.happened(RUNNING, &event);
    }
    let mut again = request(Method::GET, &format!("/api/v1/jobs/{RUNNING}/events?after=0"), "");
    again.headers_mut().insert("Last-Event-ID", "2".parse().unwrap());
    let mut stream = gateway.open(again).await.into_body().into_data_stream();
    assert!(read_until(&mut stream, "\n\n").await.contains("id: 3\n"));
}

#[tokio::test]
async fn events_end_with_the_job_when_asked_to() {
    let gateway = Gateway::new();
    gateway.world.happened(RUNNING, &Event::Started);
    let mut stream = open(&gateway, &format!("/api/v1/jobs/{RUNNING}/events?until=over")).await;
    read_until(&mut stream, "\n\n").await;
    gateway.world.set_status(RUNNING, JobStatus::Killed);
    gateway.world.happened(RUNNING, &Event::Killed);
    let rest = read_until(&mut stream, "event: end").await;
    assert!(rest.contains("job killed"), "{rest}");
    assert_ends(&mut stream).await;
}

#[tokio::test]
async fn streams_end_with_the_process() {
    let shutdown = CancellationToken::new();
    let gateway =
        Gateway::with(gateway::Config { shutdown: shutdown.clone(), ..gateway::Config::default() });
    gateway.world.prints(RUNNING, "fetch", 2, "");
    let mut events = open(&gateway, &format!("/api/v1/jobs/{RUNNING}/events")).await;
    let mut log = open(&gateway, &format!("/api/v1/jobs/{RUNNING}/logs/fetch?follow=true")).await;
    shutdown.cancel();
    assert_ends(&mut events).await;
    assert_ends(&mut log).await;
}

#[tokio::test]
async fn followers_are_bounded_and_give_their_place_back() {
    let gateway = Gateway::with(gateway::Config { followers_max: 1, ..gateway::Config::default() });
    let uri = format!("/api/v1/jobs/{RUNNING}/events");
    let first = open(&gateway, &uri).await;
    let refused = gateway.get(&uri).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "HW4006")
    );
    drop(first);
    let again = gateway.open(request(Method::GET, &uri, "")).await;
    assert_eq!(again.status(), StatusCode::OK);
}

#[tokio::test]
async fn logs_are_read_by_offset_tail_and_attempt() {
    let gateway = Gateway::new();
    gateway.world.prints(RUNNING, "fetch", 1, "first");
    gateway.world.prints(RUNNING, "fetch", 2, "0123456789");
    let table = [
        ("", "0123456789", "0"),
        ("?offset=7", "789", "7"),
        ("?offset=70", "", "70"),
        ("?tail=2", "89", "8"),
        ("?tail=99", "0123456789", "0"),
        ("?attempt=1", "first", "0"),
        ("?stream=stderr", "", "0"),
        ("?attempt=7", "", ""),
    ];
    for (query, text, offset) in table {
        let answer = gateway.get(&format!("/api/v1/jobs/{RUNNING}/logs/fetch{query}")).await;
        assert_eq!((answer.text(), answer.header("howdah-log-offset")), (text, offset), "{query}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    let long = "x".repeat(200_000);
    gateway.world.prints(RUNNING, ":start:", 1, &long);
    assert_eq!(gateway.get(&format!("/api/v1/jobs/{RUNNING}/logs/:start:")).await.text(), long);
}

#[tokio::test]
async fn a_followed_log_goes_over_attempts_until_the_action_is_over() {
    let gateway = Gateway::new();
    let mut stream =
        open(&gateway, &format!("/api/v1/jobs/{RUNNING}/logs/fetch?follow=true")).await;
    assert!(
        timeout(Duration::from_millis(20), stream.next()).await.is_err(),
        "there is nothing yet"
    );
    gateway.world.prints(RUNNING, "fetch", 2, "one");
    assert_eq!(read_until(&mut stream, "one").await, "one");
    gateway.world.set_action(RUNNING, "fetch", |action| action.attempt = Attempt(3));
    gateway.world.prints(RUNNING, "fetch", 3, "two");
    assert_eq!(read_until(&mut stream, "two").await, "two");
    gateway.world.prints(RUNNING, "fetch", 3, "three");
    gateway.world.set_action(RUNNING, "fetch", |action| action.status = ActionStatus::Ok);
    assert_eq!(read_until(&mut stream, "three").await, "three");
    assert_ends(&mut stream).await;
}
