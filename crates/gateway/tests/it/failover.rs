//! Requests while schedulers die, freeze, come back and hand over: who notices, and what is done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gateway::balance::{Balanced, Settings};
use model::{Configuration, JobId};
use ports::api::{ApiError, Command, PolicyApi, PolicyChange, SchedulerApi};
use ports::store::{Reads, StoreError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::balance::submission;
use crate::double::{RUNNING, id};
use crate::schedulers::{Condition, Schedulers};

/// Two schedulers of which the first owns everything.
fn pair() -> (Arc<Schedulers>, Balanced) {
    let schedulers = Schedulers::new(&[("s1", 1), ("s2", 1)]);
    schedulers.spread(&["s1"]);
    schedulers.tell();
    let balanced = schedulers.balanced(Settings::default());
    (schedulers, balanced)
}

/// The second one takes over what the first one had.
fn fail_over(schedulers: &Schedulers) {
    schedulers.spread(&["s2"]);
    schedulers.tell();
}

fn spawned<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}

async fn kill(balanced: Balanced) -> Result<(), ApiError> {
    balanced.command(&id(RUNNING), "joe", Command::Kill).await
}

fn code<T: std::fmt::Debug>(answer: Result<T, ApiError>) -> String {
    answer.expect_err("a refusal").code
}

#[tokio::test(start_paused = true)]
async fn a_command_waits_for_the_new_owner_when_the_old_one_is_not_reached() {
    let (schedulers, balanced) = pair();
    schedulers.is("s1", Condition::Dead);
    let command = spawned(kill(balanced));
    sleep(Duration::from_millis(1_500)).await;
    fail_over(&schedulers);
    assert_eq!(command.await.unwrap(), Ok(()));
    assert_eq!(schedulers.commands().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_is_repeated_when_the_owner_says_that_it_is_none() {
    let (schedulers, balanced) = pair();
    schedulers.spread(&["s2"]); // s2 took over, and the map is late
    let command = spawned(kill(balanced));
    sleep(Duration::from_millis(500)).await;
    assert!(!command.is_finished());
    schedulers.tell();
    assert_eq!(command.await.unwrap(), Ok(()));
    assert_eq!(schedulers.commands().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_owner_that_is_not_ready_yet_is_asked_again_without_a_newer_map() {
    let (schedulers, balanced) = pair();
    fail_over(&schedulers);
    schedulers.spread(&["s1"]); // the map is early
    let command = spawned(kill(balanced));
    sleep(Duration::from_millis(300)).await;
    schedulers.spread(&["s2"]);
    assert_eq!(command.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_broke_off_is_told_and_not_repeated() {
    let (schedulers, balanced) = pair();
    schedulers.is("s1", Condition::BreaksOff);
    assert_eq!(code(kill(balanced.clone()).await), "HW1031");
    assert_eq!(schedulers.commands().len(), 1, "it was done, and once");
    let rerun = Command::Rerun(Configuration::default());
    assert_eq!(code(balanced.command(&id(RUNNING), "joe", rerun).await), "HW1031");
    assert_eq!(code(balanced.change_policy(PolicyChange::Failback).await), "HW1031");
}

#[tokio::test(start_paused = true)]
async fn a_submit_that_broke_off_is_repeated_with_its_key_and_done_once() {
    for key in [Some("order-1"), None] {
        let (schedulers, balanced) = pair();
        schedulers.is("s1", Condition::BreaksOff);
        let submit = spawned(async move { balanced.submit(submission(key)).await });
        sleep(Duration::from_millis(500)).await;
        assert!(!submit.is_finished() && schedulers.jobs() == 1);
        schedulers.is("s1", Condition::Dead);
        fail_over(&schedulers);
        let job = submit.await.unwrap().expect("the job of the first try");
        assert_eq!((schedulers.jobs(), schedulers.owner(&job).as_str()), (1, "s2"));
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends_with_the_last_error() {
    let (schedulers, balanced) = pair();
    schedulers.is("s1", Condition::Dead);
    let begun = Instant::now();
    assert_eq!(code(kill(balanced.clone()).await), "HW1030");
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(6), "{waited:?}");
    schedulers.is("s1", Condition::Well);
    schedulers.spread(&["s2"]);
    assert_eq!(code(kill(balanced).await), "HW1010");
}

#[tokio::test(start_paused = true)]
async fn a_read_goes_elsewhere_at_once_when_its_scheduler_is_dead_or_breaks_off() {
    for condition in [Condition::Dead, Condition::BreaksOff, Condition::WithoutStore] {
        let (schedulers, balanced) = pair();
        schedulers.is("s1", condition);
        let begun = Instant::now();
        for _ in 0..10 {
            assert!(balanced.load(&id(RUNNING)).await.expect("an answer").is_some());
        }
        assert_eq!(begun.elapsed(), Duration::ZERO, "{condition:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_frozen_is_given_up_when_the_map_has_it_no_more() {
    let (schedulers, balanced) = pair();
    schedulers.is("s1", Condition::Frozen);
    let (command, submit, explain) = (
        spawned(kill(balanced.clone())),
        spawned({
            let balanced = balanced.clone();
            async move { balanced.submit(submission(None)).await }
        }),
        spawned({
            let balanced = balanced.clone();
            async move { balanced.explain(&id(RUNNING)).await }
        }),
    );
    let reads: Vec<_> = (0..2)
        .map(|_| {
            let balanced = balanced.clone();
            spawned(async move { balanced.load(&id(RUNNING)).await })
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    assert!(!command.is_finished() && !submit.is_finished() && !explain.is_finished());
    fail_over(&schedulers);
    assert_eq!(code(command.await.unwrap()), "HW1031", "nobody knows");
    assert!(submit.await.unwrap().is_ok());
    assert_eq!(explain.await.unwrap().expect("an answer").summary, "s2 has it");
    for read in reads {
        assert!(read.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_does_not_wait_for_a_scheduler_that_the_map_still_has() {
    let (schedulers, balanced) = pair();
    schedulers.is("s1", Condition::Frozen);
    for _ in 0..4 {
        assert!(balanced.load(&id(RUNNING)).await.expect("the other one answers").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_history_of_a_job_follows_it_to_its_new_owner() {
    let (schedulers, balanced) = pair();
    schedulers.is("s1", Condition::Frozen);
    let wait = spawned(async move { balanced.wait_for_history(&id(RUNNING), 0).await });
    sleep(Duration::from_millis(100)).await;
    schedulers.is("s1", Condition::BreaksOff); // it is there, and has handed the job over
    fail_over(&schedulers);
    assert_eq!(wait.await.unwrap(), Ok(()));
    assert_eq!(schedulers.take_asked("s2", "job"), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_map_requests_wait_and_then_say_so() {
    let schedulers = Schedulers::untold(&[("s1", 1)]);
    let balanced = schedulers.balanced(Settings::default());
    let submit = spawned({
        let balanced = balanced.clone();
        async move { balanced.submit(submission(None)).await }
    });
    sleep(Duration::from_secs(4)).await;
    schedulers.tell();
    assert!(submit.await.unwrap().is_ok());

    let nobody = Schedulers::untold(&[("s1", 1)]).balanced(Settings::default());
    let begun = Instant::now();
    assert_eq!(code(nobody.submit(submission(None)).await), "HW4010");
    assert_eq!(code(kill(nobody.clone()).await), "HW4010");
    assert!(matches!(nobody.load(&id(RUNNING)).await, Err(StoreError::Unavailable { .. })));
    assert!(begun.elapsed() >= Duration::from_secs(15), "each of the three is patient");
    assert!(nobody.ready_attempts().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_it_reaches_an_owner() {
    let schedulers = Schedulers::untold(&[("s1", 1), ("s2", 1)]);
    let balanced = schedulers.balanced(Settings::default());
    assert!(balanced.reaches_an_owner().await.is_err());
    schedulers.spread(&["s1"]);
    schedulers.tell();
    assert_eq!(balanced.reaches_an_owner().await, Ok(()));
    for (condition, ready) in [
        (Condition::WithoutStore, true),
        (Condition::Dead, false),
        (Condition::Frozen, false),
        (Condition::Well, true),
    ] {
        schedulers.is("s1", condition);
        assert_eq!(balanced.reaches_an_owner().await.is_ok(), ready, "{condition:?}");
    }
    let told = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn({
        let told = told.clone();
        balanced.watch_owners(move |state| told.store(state.is_ok(), Ordering::Relaxed))
    });
    for (condition, ready) in [(Condition::Well, true), (Condition::Dead, false)] {
        schedulers.is("s1", condition);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(told.load(Ordering::Relaxed), ready);
    }
    watching.abort();
}

/// Clients that read and submit without a pause until they are stopped; any error ends the test.
struct Clients {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    submits: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<Vec<JobId>>>,
}

impl Clients {
    fn start(balanced: &Balanced) -> Clients {
        let (stop, reads, submits) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default(), Arc::default());
        let reader = {
            let (balanced, stop, reads) = (balanced.clone(), stop.clone(), reads.clone());
            spawned(async move {
                while !stop.load(Ordering::Relaxed) {
                    assert!(
                        balanced
                            .load(&id(RUNNING))
                            .await
                            .expect("no client sees an error")
                            .is_some()
                    );
                    balanced.wait_for_history(&id(RUNNING), 0).await.expect("no error");
                    balanced.explain(&id(RUNNING)).await.expect("no error");
                    reads.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(7)).await;
                }
                Vec::new()
            })
        };
        let submitter = |client: usize| {
            let (balanced, stop, submits): (_, _, Arc<AtomicUsize>) =
                (balanced.clone(), stop.clone(), Arc::clone(&submits));
            spawned(async move {
                let mut jobs = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let key = format!("{client}-{}", jobs.len());
                    let key = (client > 0).then_some(key.as_str());
                    jobs.push(
                        balanced.submit(submission(key)).await.expect("no client sees an error"),
                    );
                    submits.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(11)).await;
                }
                jobs
            })
        };
        let tasks = [reader].into_iter().chain((0..3).map(submitter)).collect();
        Clients { stop, reads, submits, tasks }
    }

    /// The story goes on once the clients got through.
    async fn get_through(&self) {
        let count = || (self.reads.load(Ordering::Relaxed), self.submits.load(Ordering::Relaxed));
        let (reads, submits) = count();
        while count().0 < reads + 20 || count().1 < submits + 20 {
            assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a client saw an error");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(self) -> Vec<JobId> {
        self.stop.store(true, Ordering::Relaxed);
        let mut jobs = Vec::new();
        for task in self.tasks {
            jobs.extend(task.await.expect("no client sees an error"));
        }
        jobs
    }
}

#[tokio::test(start_paused = true)]
async fn no_client_sees_an_error_from_failover_to_failback() {
    for death in [Condition::Dead, Condition::BreaksOff, Condition::Frozen] {
        let (schedulers, balanced) = pair();
        let clients = Clients::start(&balanced);
        clients.get_through().await;

        schedulers.is("s1", death);
        sleep(Duration::from_millis(1_000)).await; // until the coordinators are sure
        schedulers.is("s1", if death == Condition::BreaksOff { Condition::Dead } else { death });
        schedulers.spread(&["s2"]);
        schedulers.tell();
        clients.get_through().await;

        schedulers.restarts("s1");
        schedulers.tell();
        clients.get_through().await;

        schedulers.changes("s2", |view| view.draining = true);
        schedulers.tell();
        schedulers.spread(&["s1"]); // handed over, and the map is late
        sleep(Duration::from_millis(50)).await;
        schedulers.tell();
        clients.get_through().await;
        assert!(schedulers.take_asked("s1", "submit") > 0, "work went back");

        let mut jobs = clients.end().await;
        let submitted = jobs.len();
        jobs.sort();
        jobs.dedup();
        assert_eq!((jobs.len(), schedulers.jobs()), (submitted, submitted), "{death:?}: each once");
    }
}
