//! How requests are spread over schedulers, counted where they arrive; and who is left alone.

use std::sync::Arc;
use std::time::Duration;

use gateway::balance::{Algorithm, Balanced, MemberMetrics, RouteClass, Settings};
use model::{Configuration, JobId, JobKind};
use ports::api::{SchedulerApi, SubmitRequest};
use ports::store::Reads;
use prometheus_client::registry::Registry;
use tokio::time::{advance, timeout};

use crate::client::DEADLINE;
use crate::double::{RUNNING, id};
use crate::schedulers::{Condition, Schedulers};

/// The algorithms alone are measured over 10 000 picks, beside their code; here all that is around them takes part.
const REQUESTS: usize = 2_000;

pub(crate) fn submission(key: Option<&str>) -> SubmitRequest {
    SubmitRequest {
        conf: Configuration::from_iter([("user.name", "joe")]),
        user: "joe".to_owned(),
        start: true,
        key: key.map(str::to_owned),
    }
}

fn job(serial: u64) -> JobId {
    JobId::new(serial, "261122144400000", "howdah", JobKind::Workflow)
}

async fn send(balanced: &Balanced, class: RouteClass) {
    for number in 0..REQUESTS {
        match class {
            RouteClass::Submit => {
                balanced.submit(submission(None)).await.expect("a job");
            }
            RouteClass::Read => {
                balanced.load(&job(number as u64)).await.expect("an answer");
            }
        }
    }
}

/// Requests with both, with the survivor of the second one's death, and with both again: in permille of the first.
async fn check(class: RouteClass, algorithm: Algorithm, weights: [u32; 2], permille: usize) {
    let schedulers = Schedulers::new(&[("s1", weights[0]), ("s2", weights[1])]);
    let balanced = schedulers.balanced(Settings::default());
    balanced.algorithms().set(class, algorithm);
    let kind = match class {
        RouteClass::Submit => "submit",
        RouteClass::Read => "read",
    };
    for (expected, members) in
        [(permille, &["s1", "s2"][..]), (1_000, &["s1"]), (permille, &["s1", "s2"])]
    {
        schedulers.is("s2", if members.len() == 2 { Condition::Well } else { Condition::Dead });
        schedulers.spread(members);
        schedulers.tell();
        send(&balanced, class).await;
        let got = [schedulers.take_asked("s1", kind), schedulers.take_asked("s2", kind)];
        assert_eq!(got[0] + got[1], REQUESTS);
        // Three standard deviations of a half, where it is chance.
        let slack = if algorithm == Algorithm::Hash { 67 } else { 1 };
        assert!(
            got[0].abs_diff(expected * REQUESTS / 1_000) <= slack,
            "{class:?} by {algorithm} over {members:?} of {weights:?}: {got:?}"
        );
    }
}

#[tokio::test]
async fn each_algorithm_gives_halves_then_all_to_the_survivor_then_halves_again() {
    for class in [RouteClass::Submit, RouteClass::Read] {
        for algorithm in Algorithm::ALL {
            check(class, algorithm, [10, 10], 500).await;
        }
    }
}

#[tokio::test]
async fn weights_count_but_for_plain_round_robin() {
    for class in [RouteClass::Submit, RouteClass::Read] {
        for algorithm in
            [Algorithm::WeightedRoundRobin, Algorithm::LeastConnections, Algorithm::Hash]
        {
            check(class, algorithm, [3, 1], 750).await;
        }
        check(class, Algorithm::RoundRobin, [3, 1], 500).await;
    }
}

#[tokio::test]
async fn the_same_key_meets_the_same_scheduler_and_gives_the_same_job() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1), ("s3", 1)]);
    let balanced = schedulers.balanced(Settings::default());
    for number in 0..100 {
        let key = format!("order-{number}");
        let first = balanced.submit(submission(Some(&key))).await.expect("a job");
        assert_eq!(balanced.submit(submission(Some(&key))).await, Ok(first.clone()));
        let owner = schedulers.owner(&first);
        assert_eq!(schedulers.take_asked(&owner, "submit"), 2, "{key}");
    }
    assert_eq!(schedulers.jobs(), 100);
}

#[tokio::test]
async fn requests_about_a_job_go_to_its_owner() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 9), ("s3", 1)]);
    let balanced = schedulers.balanced(Settings::default());
    for serial in 0..50 {
        let explained = balanced.explain(&job(serial)).await.expect("an explanation");
        assert_eq!(explained.summary, format!("{} has it", schedulers.owner(&job(serial))));
    }
}

#[tokio::test]
async fn reads_of_one_job_stay_together_by_hash() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1), ("s3", 1)]);
    let settings = Settings { read: Algorithm::Hash, ..Settings::default() };
    let balanced = schedulers.balanced(settings);
    for _ in 0..30 {
        balanced.load(&id(RUNNING)).await.expect("an answer");
        balanced.history(&id(RUNNING), 0, 1).await.expect("an answer");
    }
    let counts = ["s1", "s2", "s3"].map(|member| schedulers.take_asked(member, "read"));
    assert!(counts.contains(&60), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn who_fails_is_left_alone_for_a_while_and_then_tried_again() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1)]);
    let metrics = MemberMetrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let balanced = schedulers.counted(Settings::default(), metrics);
    schedulers.is("s2", Condition::WithoutStore);
    for _ in 0..100 {
        balanced.load(&id(RUNNING)).await.expect("the other one answers");
    }
    assert_eq!(schedulers.take_asked("s2", "read"), 3, "three failures eject");
    schedulers.is("s2", Condition::Well);
    advance(Duration::from_secs(1)).await;
    for _ in 0..100 {
        balanced.load(&id(RUNNING)).await.expect("an answer");
    }
    assert!(schedulers.take_asked("s2", "read") >= 50);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("it encodes");
    for line in [
        r#"howdah_gateway_member_requests_total{member="s2",class="read",outcome="failed"} 3"#,
        r#"howdah_gateway_member_in_flight{member="s2",class="read"} 0"#,
        r#"howdah_gateway_member_ejections_total{member="s2"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_down_for_all_ejects_nobody_for_long() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1)]);
    let balanced = schedulers.balanced(Settings::default());
    for member in ["s1", "s2"] {
        schedulers.is(member, Condition::WithoutStore);
    }
    balanced.load(&id(RUNNING)).await.expect_err("patience ends");
    for member in ["s1", "s2"] {
        schedulers.is(member, Condition::Well);
        schedulers.take_asked(member, "read");
    }
    for _ in 0..100 {
        balanced.load(&id(RUNNING)).await.expect("an answer");
    }
    for member in ["s1", "s2"] {
        assert!(schedulers.take_asked(member, "read") >= 40, "{member}");
    }
}

/// Until a fact holds.
async fn until(fact: impl Fn() -> bool) {
    let looked = async {
        while !fact() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, looked).await.expect("it becomes true");
}

#[tokio::test]
async fn who_drains_gets_nothing_new_and_ends_what_is_under_way() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1)]);
    let settings = Settings { read: Algorithm::RoundRobin, ..Settings::default() };
    let balanced = Arc::new(schedulers.balanced(settings));
    schedulers.is("s1", Condition::Frozen);
    let under_way = tokio::spawn({
        let balanced = balanced.clone();
        async move { balanced.load(&id(RUNNING)).await }
    });
    let mut asked = 0;
    while asked == 0 {
        asked = schedulers.take_asked("s1", "read");
        tokio::task::yield_now().await;
    }
    schedulers.changes("s1", |view| view.draining = true);
    // It is in the map again, but what it got before is not answered yet.
    schedulers.is("s1", Condition::BreaksOff);
    schedulers.tell();
    for _ in 0..20 {
        balanced.load(&id(RUNNING)).await.expect("an answer");
        balanced.submit(submission(None)).await.expect("a job");
    }
    assert_eq!(schedulers.take_asked("s1", "read"), 0);
    assert_eq!(schedulers.take_asked("s1", "submit"), 0);
    assert!(!under_way.is_finished());
    schedulers.is("s1", Condition::Well);
    until(|| under_way.is_finished()).await;
    assert!(under_way.await.unwrap().is_ok());
}

#[tokio::test]
async fn who_cannot_read_the_database_is_asked_only_when_nobody_else_is_there() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1)]);
    let balanced = schedulers.balanced(Settings::default());
    schedulers.changes("s1", |view| view.store_ok = false);
    schedulers.tell();
    for _ in 0..10 {
        balanced.load(&id(RUNNING)).await.expect("an answer");
    }
    assert_eq!(schedulers.take_asked("s1", "read"), 0);
    schedulers.is("s2", Condition::Dead);
    balanced.load(&id(RUNNING)).await.expect("better than nothing");
    assert_eq!(schedulers.take_asked("s1", "read"), 1);
}

#[tokio::test]
async fn what_waits_is_summed_over_the_owners() {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1), ("s3", 1)]);
    schedulers.spread(&["s1", "s2"]);
    schedulers.tell();
    let balanced = schedulers.balanced(Settings::default());
    assert_eq!(balanced.ready_attempts().await, [("default".into(), 4)]);
}
