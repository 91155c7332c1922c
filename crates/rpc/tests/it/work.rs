//! Sessions: both ends hear everything in order, and whatever half closes first ends the other.

use std::time::{Duration, Instant};

use model::{Token, WorkerId};
use ports::work::{
    CLAIM_TOKENS_MAX, FromWorker, Grant, Hello, NoScheduler, Session, ToWorker, WorkSource,
};

use crate::double::{FarEnd, Scene, client, scene, silent_port, soon};
use crate::generated::{self, samples};

fn hello() -> Hello {
    Hello { worker: WorkerId::new("w1"), incarnation: 7, pools: vec!["default".to_owned()] }
}

async fn opened(scene: &mut Scene) -> (Session, FarEnd) {
    let session = scene.client.open(hello()).await.unwrap();
    let far = soon("the far end", scene.sessions.recv()).await.unwrap();
    (session, far)
}

fn stop(token: &str) -> ToWorker {
    ToWorker::StoppedAcknowledged { token: Token::new(token) }
}

fn beat() -> FromWorker {
    FromWorker::Beat { tokens: vec![Token::new("t")] }
}

#[tokio::test]
async fn every_word_arrives_in_order_both_ways() {
    let mut scene = scene().await;
    for hello in samples(generated::hello(), 8) {
        let _session = scene.client.open(hello.clone()).await.unwrap();
        assert_eq!(soon("the far end", scene.sessions.recv()).await.unwrap().hello, hello);
    }
    let (mut session, mut far) = opened(&mut scene).await;
    for (question, answer) in samples((generated::from_worker(), generated::to_worker()), 100) {
        session.to_scheduler.send(question.clone()).await.unwrap();
        let heard = soon("a worker's word", far.from_worker.recv()).await.unwrap();
        assert_eq!(heard, question);
        let expected = format!("{answer:?}");
        far.to_worker.send(answer).await.unwrap();
        let heard = soon("a scheduler's word", session.from_scheduler.recv()).await.unwrap();
        assert_eq!(format!("{heard:?}"), expected);
    }
}

/// 40 MB in one answer: more than one message may be.
#[tokio::test]
async fn a_full_claim_of_large_grants_arrives_as_one_answer() {
    let mut scene = scene().await;
    let (mut session, far) = opened(&mut scene).await;
    let pattern = samples(generated::grant(), 1).pop().unwrap();
    let grant = |number: usize| Grant {
        token: Token::new(format!("t{number}")),
        body: "x".repeat(80_000).into(),
        ..pattern.clone()
    };
    let grants: Vec<Grant> = (0..CLAIM_TOKENS_MAX).map(grant).collect();
    let message = ToWorker::Grants { pool: "p".to_owned(), grants: grants.clone() };
    far.to_worker.send(message).await.unwrap();
    far.to_worker.send(stop("after")).await.unwrap();
    let heard = soon("the grants", session.from_scheduler.recv()).await.unwrap();
    let ToWorker::Grants { pool, grants: heard } = heard else { panic!("{heard:?}") };
    assert_eq!(pool, "p");
    assert!(heard == grants, "the grants came back changed");
    let heard = soon("the word after", session.from_scheduler.recv()).await.unwrap();
    assert_eq!(format!("{heard:?}"), format!("{:?}", stop("after")));
}

#[tokio::test]
async fn a_worker_that_closes_its_half_is_heard_to_the_end_and_ends_the_session() {
    let mut scene = scene().await;
    let (mut session, mut far) = opened(&mut scene).await;
    session.to_scheduler.send(beat()).await.unwrap();
    drop(session.to_scheduler);
    assert_eq!(soon("the last word", far.from_worker.recv()).await, Some(beat()));
    assert_eq!(soon("the end", far.from_worker.recv()).await, None);
    soon("the other half's end", far.to_worker.closed()).await;
    assert!(soon("our other half's end", session.from_scheduler.recv()).await.is_none());
}

#[tokio::test]
async fn a_worker_that_hears_no_more_ends_the_session() {
    let mut scene = scene().await;
    let (session, mut far) = opened(&mut scene).await;
    drop(session.from_scheduler);
    assert_eq!(soon("the end", far.from_worker.recv()).await, None);
    soon("the other half's end", far.to_worker.closed()).await;
    soon("our other half's end", session.to_scheduler.closed()).await;
}

#[tokio::test]
async fn a_scheduler_that_closes_its_half_is_heard_to_the_end_and_ends_the_session() {
    let mut scene = scene().await;
    let (mut session, far) = opened(&mut scene).await;
    far.to_worker.send(stop("last")).await.unwrap();
    drop(far.to_worker);
    let heard = soon("the last word", session.from_scheduler.recv()).await.unwrap();
    assert_eq!(format!("{heard:?}"), format!("{:?}", stop("last")));
    assert!(soon("the end", session.from_scheduler.recv()).await.is_none());
    soon("our other half's end", session.to_scheduler.closed()).await;
}

#[tokio::test]
async fn a_scheduler_that_hears_no_more_ends_the_session() {
    let mut scene = scene().await;
    let (mut session, far) = opened(&mut scene).await;
    drop(far.from_worker);
    assert!(soon("the end", session.from_scheduler.recv()).await.is_none());
    soon("our other half's end", session.to_scheduler.closed()).await;
    soon("their other half's end", far.to_worker.closed()).await;
}

#[tokio::test]
async fn a_server_that_stops_ends_its_sessions_at_once() {
    let mut scene = scene().await;
    let (mut session, mut far) = opened(&mut scene).await;
    scene.shutdown.cancel();
    assert!(soon("the end", session.from_scheduler.recv()).await.is_none());
    soon("our other half's end", session.to_scheduler.closed()).await;
    assert_eq!(soon("their end", far.from_worker.recv()).await, None);
    soon("the end of the server", scene.server).await.unwrap();
}

/// A server on a runtime that ends all at once, as a killed process does.
#[test]
fn a_server_that_dies_ends_its_sessions_at_once() {
    let ours = tokio::runtime::Runtime::new().unwrap();
    let theirs = tokio::runtime::Runtime::new().unwrap();
    let scene = theirs.block_on(scene());
    ours.block_on(async {
        let mut session = client(scene.address).open(hello()).await.unwrap();
        let began = Instant::now();
        theirs.shutdown_background();
        assert!(soon("the end", session.from_scheduler.recv()).await.is_none());
        soon("our other half's end", session.to_scheduler.closed()).await;
        assert!(began.elapsed() < Duration::from_secs(1), "took {:?}", began.elapsed());
    });
}

#[tokio::test]
async fn no_session_says_why() {
    let scene = scene().await;
    scene.double.told().sessions = None;
    let error = scene.client.open(hello()).await.unwrap_err();
    assert_eq!(error, NoScheduler("it is stopping".to_owned()));

    let (_socket, address) = silent_port();
    let NoScheduler(why) = client(address).open(hello()).await.unwrap_err();
    assert!(why.starts_with("HW1030: "), "{why}");
}
