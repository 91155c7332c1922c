//! What cannot be is said to be so: which field, and why; and the one who asked is told.

use std::fmt::Debug;

use engine::placement::Policy;
use model::AttemptResult;
use ports::api::{ApiError, ApiErrorKind};
use ports::cluster::{ClusterMap, Orders, Vitals};
use ports::store::{HistoryLine, JobFilter, JobPage};
use ports::work::{CLAIM_TOKENS_MAX, FromWorker, Grant, Hello};
use tonic::Status;

use super::api::Commanded;
use super::cluster::Joined;
use super::work::Assembly;
use super::{Malformed, job_id, reads, value};
use crate::refused::{Refused, api_error};
use crate::wire;
use crate::wire::scheduler_says::Says as SchedulerWord;
use crate::wire::worker_says::Says as WorkerWord;

const JOB: &str = "0000123-261122144400000-howdah-W";

#[track_caller]
fn check<T>(read: Result<T, Malformed>, field: &str) {
    let error = read.err().expect("it must not be read");
    assert_eq!(error.field, field, "{error}");
    assert!(!error.why.is_empty());
}

fn worker_says(word: WorkerWord) -> wire::WorkerSays {
    wire::WorkerSays { says: Some(word) }
}

fn read<M, T>(message: M) -> Result<T, Malformed>
where
    T: TryFrom<M, Error = Malformed>,
{
    message.try_into()
}

#[test]
fn words_of_workers_that_cannot_be() {
    check(read::<_, Hello>(wire::WorkerSays { says: None }), "says");
    check(read::<_, FromWorker>(wire::WorkerSays { says: None }), "says");
    let hello = || worker_says(WorkerWord::Hello(wire::WorkerHello::default()));
    check(read::<_, FromWorker>(hello()), "says");
    let beat = worker_says(WorkerWord::Beat(wire::WorkerBeat::default()));
    check(read::<_, Hello>(beat), "says");
    let tokens = vec![String::new(); CLAIM_TOKENS_MAX + 1];
    let claim = wire::Claim { pool: "p".to_owned(), tokens };
    check(read::<_, FromWorker>(worker_says(WorkerWord::Claim(claim))), "tokens");
    let stopped = wire::Stopped { job: "../etc".to_owned(), token: "t".to_owned() };
    check(read::<_, FromWorker>(worker_says(WorkerWord::Stopped(stopped))), "job");
    let finish = wire::Finish { job: JOB.to_owned(), ..wire::Finish::default() };
    check(read::<_, FromWorker>(worker_says(WorkerWord::Finish(finish))), "result");
    let holds = wire::Holds { number: 1, held: vec![wire::HeldToken::default()] };
    check(read::<_, FromWorker>(worker_says(WorkerWord::Holds(holds))), "job");
}

#[test]
fn failures_of_a_newer_kind() {
    let failure = |class, phase| {
        wire::finish::Result::Failure(wire::Failure { class, phase, ..wire::Failure::default() })
    };
    check(read::<_, AttemptResult>(failure(0, 1)), "class");
    check(read::<_, AttemptResult>(failure(99, 1)), "class");
    check(read::<_, AttemptResult>(failure(1, 0)), "phase");
    check(read::<_, AttemptResult>(failure(1, -1)), "phase");
    assert!(read::<_, AttemptResult>(failure(1, 1)).is_ok());
}

fn grants(count: usize, more: bool) -> wire::SchedulerSays {
    let grant = wire::Grant { job: JOB.to_owned(), ..wire::Grant::default() };
    let grants = wire::Grants { pool: "p".to_owned(), grants: vec![grant; count], more };
    wire::SchedulerSays { says: Some(SchedulerWord::Grants(grants)) }
}

#[test]
fn words_of_schedulers_that_cannot_be() {
    let take = |says| Assembly::default().take(says);
    check(take(wire::SchedulerSays { says: None }), "says");
    check(take(grants(CLAIM_TOKENS_MAX + 1, false)), "grants");
    let owns = wire::Owns { number: 1, shards: [(65_536, 1)].into() };
    check(take(wire::SchedulerSays { says: Some(SchedulerWord::Owns(owns)) }), "shard");
    let grant = wire::Grant { job: JOB.to_owned(), shard: 65_536, ..wire::Grant::default() };
    check(read::<_, Grant>(grant), "shard");

    let mut broken = Assembly::default();
    assert!(broken.take(grants(1, true)).is_ok_and(|whole| whole.is_none()));
    let stop = wire::Stop { job: JOB.to_owned(), token: "t".to_owned() };
    check(broken.take(wire::SchedulerSays { says: Some(SchedulerWord::Stop(stop)) }), "says");

    let mut endless = Assembly::default();
    assert!(endless.take(grants(CLAIM_TOKENS_MAX, true)).is_ok_and(|whole| whole.is_none()));
    check(endless.take(grants(1, true)), "grants");
}

#[test]
fn words_of_members_and_coordinators_that_cannot_be() {
    check(read::<_, Joined>(wire::Join::default()), "id");
    let join = wire::Join { id: "s1".to_owned(), shards: 65_536, ..wire::Join::default() };
    check(read::<_, Joined>(join), "shards");
    let held = vec![wire::HeldShard { shard: u32::MAX, epoch: 1 }];
    check(read::<_, Vitals>(wire::Beat { held, ..wire::Beat::default() }), "shard");
    let policy = Some(wire::PolicyRow::default());
    check(read::<_, Vitals>(wire::Beat { policy, ..wire::Beat::default() }), "policy");
    check(read::<_, Policy>(wire::Policy::default()), "mode");
    let shards = vec![wire::OrderedShard { shard: 65_536, from: None }];
    check(read::<_, Orders>(wire::OrdersMessage { revision: 1, shards }), "shard");
    let map = || wire::ClusterMapMessage { mode: 1, ..wire::ClusterMapMessage::default() };
    check(read::<_, ClusterMap>(wire::ClusterMapMessage { mode: 7, ..map() }), "mode");
    let owners = [(1, String::new())].into();
    check(read::<_, ClusterMap>(wire::ClusterMapMessage { owners, ..map() }), "owners");
    let members = vec![wire::Member::default()];
    check(read::<_, ClusterMap>(wire::ClusterMapMessage { members, ..map() }), "id");
    assert!(read::<_, ClusterMap>(map()).is_ok());
}

#[test]
fn requests_and_answers_that_cannot_be() {
    check(job_id(""), "job");
    check(value::<Vec<String>>(b"{"), "json");
    let request = wire::CommandRequest { job: JOB.to_owned(), ..wire::CommandRequest::default() };
    check(read::<_, Commanded>(request), "command");
    let statuses = vec!["running".to_owned()];
    check(
        read::<_, JobFilter>(wire::JobFilter { statuses, ..wire::JobFilter::default() }),
        "statuses",
    );
    check(read::<_, HistoryLine>(wire::HistoryLine::default()), "job");
    check::<JobPage>(reads::page(Vec::new()), "total");
    let actions = vec![b"[]".to_vec()];
    check(reads::job(vec![wire::JobPiece { actions, ..wire::JobPiece::default() }]), "json");
}

#[test]
fn who_sends_what_cannot_be_is_told() {
    let error = job_id("x").expect_err("it is none");
    let status = Status::from(Refused::from(error.clone()));
    let told: ApiError = api_error(&status);
    assert_eq!((told.kind, told.code.as_str()), (ApiErrorKind::Internal, "HW1032"));
    assert_eq!(told.message, error.to_string());
    let debug: &dyn Debug = &status;
    assert!(format!("{debug:?}").contains("the field `job`"));
}
