//! What must never hang, crash or grow: sizes, deadlines, panics, unknown paths, a store that is down.

use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::{DEADLINE, Gateway, configuration, request};
use crate::double::RUNNING;

#[track_caller]
fn check(answer: &crate::client::Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (status, code),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn long_bodies_and_urls_are_refused() {
    let gateway = Gateway::new();
    let long = configuration(&[("a", &"x".repeat(1024 * 1024))]);
    check(&gateway.post("/oozie/v2/jobs", &long).await, 413, "HW4003");
    let mut unannounced = request(Method::POST, "/oozie/v2/jobs", &long);
    unannounced.headers_mut().remove("content-length");
    check(&gateway.send(unannounced).await, 413, "HW4003");
    let filter = "x".repeat(20_000);
    check(&gateway.get(&format!("/oozie/v2/jobs?filter=name={filter}")).await, 414, "HW4004");
    check(&gateway.get(&format!("/api/v1/jobs/{filter}")).await, 414, "HW4004");
}

#[tokio::test]
async fn a_client_that_sends_too_much_reads_the_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, Gateway::new().router()).into_future());
    let mut socket = TcpStream::connect(address).await.unwrap();
    let body = "x".repeat(8 * 1024 * 1024);
    let head = "POST /oozie/v2/jobs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/xml\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).await.expect("the server reads the body away");
    let mut answer = String::new();
    timeout(DEADLINE, socket.read_to_string(&mut answer))
        .await
        .expect("an answer in time")
        .expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("oozie-error-code: HW4003"),
        "{answer}"
    );
    server.abort();
}

#[tokio::test]
async fn unknown_paths_and_methods_have_codes() {
    let gateway = Gateway::new();
    for path in ["/oozie/v3/jobs", "/oozie/v2/nothing", "/oozie/v2/job/a/b", "/oozie"] {
        check(&gateway.get(path).await, 404, "E0301");
    }
    for path in ["/api/v1/nothing", "/api/v2"] {
        let answer = gateway.get(path).await;
        check(&answer, 404, "HW4001");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    check(&gateway.send(request(Method::DELETE, "/oozie/v2/jobs", "")).await, 405, "HW4002");
    check(&gateway.send(request(Method::POST, "/oozie/versions", "")).await, 405, "HW4002");
    check(&gateway.get("/oozie/v2/job/%ff?show=info").await, 400, "E0301");
}

#[tokio::test]
async fn head_and_options_are_answered() {
    let gateway = Gateway::new();
    let head = gateway.send(request(Method::HEAD, "/oozie/v1/admin/status", "")).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    let options = gateway.send(request(Method::OPTIONS, "/oozie/v2/jobs?user.name=joe", "")).await;
    assert_eq!(options.status, StatusCode::OK);
    assert_eq!(options.header("allow"), "GET, HEAD, POST, PUT, OPTIONS");
}

#[tokio::test]
async fn a_panic_is_a_coded_500() {
    let gateway = Gateway::new();
    gateway.world.scheduler_panics.store(true, Ordering::Relaxed);
    check(&gateway.put(&format!("/oozie/v2/job/{RUNNING}?action=kill")).await, 500, "HW4008");
    let own = gateway.get(&format!("/api/v1/jobs/{RUNNING}/explain")).await;
    check(&own, 500, "HW4008");
    assert_eq!(own.header("content-type"), "application/json");
    assert_eq!(own.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn a_scheduler_that_does_not_answer_is_given_up() {
    let gateway =
        Gateway::with(gateway::Config { request_timeout_ms: 20, ..gateway::Config::default() });
    gateway.world.scheduler_hangs.store(true, Ordering::Relaxed);
    check(&gateway.put(&format!("/oozie/v2/job/{RUNNING}?action=kill")).await, 503, "HW4007");
}

#[tokio::test]
async fn a_store_that_is_down_is_a_503() {
    let gateway = Gateway::new();
    gateway.world.store_is_down.store(true, Ordering::Relaxed);
    for path in [
        "/oozie/v2/jobs",
        &format!("/oozie/v2/job/{RUNNING}"),
        &format!("/api/v1/jobs/{RUNNING}/events"),
    ] {
        let answer = gateway.get(path).await;
        check(&answer, 503, "E0600");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn requests_are_counted_by_class() {
    let config = gateway::Config::default();
    let mut registry = Registry::default();
    config.metrics.register(&mut registry);
    let gateway = Gateway::with(config);
    gateway.get(&format!("/oozie/v2/job/{RUNNING}")).await;
    gateway.get("/oozie/v2/job/nonsense").await;
    gateway.get("/oozie/anything").await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("it encodes");
    for line in [
        r#"howdah_gateway_requests_total{route="job",method="GET",status="200"} 1"#,
        r#"howdah_gateway_requests_total{route="job",method="GET",status="400"} 1"#,
        r#"howdah_gateway_requests_total{route="other",method="GET",status="404"} 1"#,
        r#"howdah_gateway_request_seconds_count{route="job"} 2"#,
        "howdah_gateway_followers 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
