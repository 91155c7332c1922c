//! What a client learns of servers that are not there, go away, freeze, or are something else.

use std::io::Write;
use std::time::{Duration, Instant};

use model::{Configuration, JobId};
use ports::api::{ApiError, ApiErrorKind, SchedulerApi, SubmitRequest};
use ports::store::{Reads, StoreError};
use rpc::{BROKE_OFF, MISUNDERSTOOD, NOT_REACHED, Options, Reach, SchedulerClient};

use crate::double::{client, free_port, scene, scene_at, silent_port, soon};

fn some_job() -> JobId {
    "0000123-261122144400000-howdah-W".parse().unwrap()
}

fn submit() -> SubmitRequest {
    SubmitRequest { conf: Configuration::new(), user: "joe".into(), start: true, key: None }
}

#[track_caller]
fn check(error: &ApiError, code: &str, reach: Option<Reach>) {
    assert_eq!((error.code.as_str(), Reach::of_api(error)), (code, reach), "{error}");
}

#[tokio::test]
async fn nobody_there_is_not_reached() {
    let (_socket, address) = silent_port();
    let client = client(address);
    let error = client.submit(submit()).await.unwrap_err();
    check(&error, NOT_REACHED, Some(Reach::NotReached));
    assert_eq!(error.kind, ApiErrorKind::Unavailable);
    let error = client.load(&some_job()).await.unwrap_err();
    assert_eq!(Reach::of_store(&error), Some(Reach::NotReached), "{error}");
    assert!(client.ready_attempts().await.is_empty());
}

#[tokio::test]
async fn a_server_that_comes_is_reached_by_the_same_client() {
    let (socket, address) = silent_port();
    let client = client(address);
    assert!(client.load(&some_job()).await.is_err());
    let _scene = scene_at(socket.listen(8).unwrap(), address);
    let reached = async { while client.load(&some_job()).await != Ok(None) {} };
    soon("the server is reached", reached).await;
}

/// A server on a runtime that ends all at once, as a killed process does.
#[test]
fn a_server_that_dies_under_a_call_broke_off_and_then_is_not_reached() {
    let ours = tokio::runtime::Runtime::new().unwrap();
    let theirs = tokio::runtime::Runtime::new().unwrap();
    let scene = theirs.block_on(scene());
    scene.double.told().hangs = true;
    ours.block_on(async {
        let client = client(scene.address);
        let reader = client.clone();
        let submitting = tokio::spawn(async move { client.submit(submit()).await });
        scene.double.hanging.notified().await;
        let reading = tokio::spawn(async move { (reader.load(&some_job()).await, reader) });
        scene.double.hanging.notified().await;
        let began = Instant::now();
        theirs.shutdown_background();
        let error = soon("the end of a submit", submitting).await.unwrap().unwrap_err();
        check(&error, BROKE_OFF, Some(Reach::BrokeOff));
        let (read, client) = soon("the end of a read", reading).await.unwrap();
        let error = read.unwrap_err();
        assert_eq!(Reach::of_store(&error), Some(Reach::BrokeOff), "{error}");
        assert!(began.elapsed() < Duration::from_secs(1), "took {:?}", began.elapsed());
        let error = client.submit(submit()).await.unwrap_err();
        check(&error, NOT_REACHED, Some(Reach::NotReached));
    });
}

/// It takes connections, as the kernel does for a stopped process, and says nothing.
#[tokio::test]
async fn a_frozen_server_broke_off_within_two_seconds() {
    let (_listener, address) = free_port().await;
    let client = SchedulerClient::new(&format!("http://{address}"), Options::default()).unwrap();
    let began = Instant::now();
    let error = soon("the end of a submit", client.submit(submit())).await.unwrap_err();
    check(&error, BROKE_OFF, Some(Reach::BrokeOff));
    assert!(began.elapsed() < Duration::from_secs(3), "took {:?}", began.elapsed());
}

/// A full queue of connections drops what comes: as a host does that is cut off. All callers learn it after one time-out.
#[tokio::test]
async fn a_server_that_is_cut_off_is_not_reached_and_nobody_waits_in_a_row() {
    let (socket, address) = silent_port();
    let _listener = socket.listen(1).unwrap();
    let limit = Duration::from_millis(200);
    let mut queued = Vec::new();
    while let Ok(Ok(connection)) =
        tokio::time::timeout(limit, tokio::net::TcpStream::connect(address)).await
    {
        queued.push(connection);
    }

    let options = Options { connect_timeout: limit, ..Options::default() };
    let client = SchedulerClient::new(&format!("http://{address}"), options).unwrap();
    let began = Instant::now();
    let calls = (0..50).map(|_| client.submit(submit()));
    for answer in futures::future::join_all(calls).await {
        check(&answer.unwrap_err(), NOT_REACHED, Some(Reach::NotReached));
    }
    assert!(began.elapsed() < 5 * limit, "took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_says_that_it_is_well() {
    let scene = scene().await;
    let endpoint = tonic::transport::Endpoint::new(format!("http://{}", scene.address)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    for service in ["", "howdah.v1.Scheduler", "howdah.v1.Work"] {
        let request = tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, tonic_health::ServingStatus::Serving.into(), "{service}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_broke_off() {
    let scene = scene().await;
    scene.double.told().hangs = true;
    let options = Options { request_timeout: Duration::from_millis(50), ..Options::default() };
    let client = SchedulerClient::new(&format!("http://{}", scene.address), options).unwrap();
    let error = soon("the time-out", client.submit(submit())).await.unwrap_err();
    check(&error, BROKE_OFF, Some(Reach::BrokeOff));
}

/// Which of the three depends on whether the other side hangs up before it has the request.
#[tokio::test]
async fn what_is_no_scheduler_is_no_refusal_of_one() {
    let (listener, address) = free_port().await;
    let listener = listener.into_std().unwrap();
    listener.set_nonblocking(false).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = soon("an answer", client(address).submit(submit())).await.unwrap_err();
    assert!([NOT_REACHED, BROKE_OFF, MISUNDERSTOOD].contains(&error.code.as_str()), "{error}");
}

#[tokio::test]
async fn addresses_are_looked_at() {
    for address in ["", "localhost:1", "https://localhost:1", "http://", "ftp://x:1", "http://a b"]
    {
        let error = SchedulerClient::new(address, Options::default()).unwrap_err();
        assert_eq!(error.address, address);
    }
}

#[tokio::test]
async fn a_server_that_stops_ends_waits_at_once_and_takes_nothing_new() {
    let scene = scene().await;
    scene.double.told().hangs = true;
    let waiter = scene.client.clone();
    let waiting = tokio::spawn(async move { waiter.wait_for_history(&some_job(), 1).await });
    scene.double.hanging.notified().await;
    scene.shutdown.cancel();
    assert_eq!(soon("the end of a wait", waiting).await.unwrap(), Ok(()));
    soon("the end of the server", scene.server).await.unwrap();
    let error = scene.client.submit(submit()).await.unwrap_err();
    check(&error, NOT_REACHED, Some(Reach::NotReached));
}

/// Nobody is left to wonder for ever, and what is said is that nobody knows.
#[tokio::test]
async fn a_request_that_outlives_its_server_is_cut_off() {
    let scene = scene().await;
    scene.double.told().hangs = true;
    let client = scene.client.clone();
    let submitting = tokio::spawn(async move { client.submit(submit()).await });
    scene.double.hanging.notified().await;
    scene.shutdown.cancel();
    let error = soon("the end of the submit", submitting).await.unwrap().unwrap_err();
    check(&error, BROKE_OFF, Some(Reach::BrokeOff));
    soon("the end of the server", scene.server).await.unwrap();
}

#[test]
fn errors_of_the_database_are_no_errors_of_the_way() {
    let source_message = "E0600".to_owned();
    let error = StoreError::Unavailable { what: "read a job", source_message };
    assert_eq!(Reach::of_store(&error), None);
    assert_eq!(Reach::of_store(&StoreError::Refused { why: "HW1030: x".to_owned() }), None);
}
