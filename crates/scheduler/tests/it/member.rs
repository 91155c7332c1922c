//! Schedulers that own what they are told to own, on one PostgreSQL.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use files_local::SystemEntropy;
use model::{JobId, JobStatus, MemberId, Shard};
use ports::api::{Command, SchedulerApi};
use ports::clock::Entropy;
use ports::cluster::{Orders, Vitals};
use ports::store::Store;
use scheduler::Ownership;
use store_sql::PostgresStore;
use tokio::sync::watch;

use crate::bench::{
    PATIENCE, Running, Spool, chain, check_dense, check_granted_once, check_replay, new_cluster,
    request,
};

const SHARDS: u16 = 8;

/// A member with a test in the place of the coordinators.
struct Member {
    running: Running,
    orders: watch::Sender<Option<Orders>>,
    vitals: watch::Receiver<Vitals>,
}

impl Member {
    async fn start(url: &str, name: &str) -> Member {
        let (orders, given) = watch::channel(None);
        let (shown, vitals) = watch::channel(Vitals::default());
        let store: Arc<dyn Store> = Arc::new(
            PostgresStore::open(url, SystemEntropy.nonce(), &new_cluster()).await.unwrap(),
        );
        let ownership = Ownership::Ordered { orders: given, vitals: shown };
        let running = Running::start_owning(store, name, ownership).await;
        Member { running, orders, vitals }
    }

    fn order(&self, revision: i64, shards: impl IntoIterator<Item = u16>, from: Option<&str>) {
        let from = from.map(MemberId::new);
        let shards: BTreeMap<Shard, Option<MemberId>> =
            shards.into_iter().map(|shard| (Shard(shard), from.clone())).collect();
        self.orders.send_replace(Some(Orders { revision, shards }));
    }

    async fn holds(&mut self, shards: impl IntoIterator<Item = u16>) {
        let wanted: Vec<Shard> = shards.into_iter().map(Shard).collect();
        let held = |vitals: &Vitals| vitals.held.keys().copied().eq(wanted.iter().copied());
        let waiting = self.vitals.wait_for(held);
        tokio::time::timeout(PATIENCE, waiting).await.expect("it holds them in time").unwrap();
    }
}

async fn submit(member: &Member, app: &Path, count: usize) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for _ in 0..count {
        jobs.push(member.running.handle.submit(request(app, &[], None)).await.unwrap());
    }
    jobs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_are_handed_over_there_and_back_under_load_and_nobody_notices() {
    let dir = tempfile::tempdir().unwrap();
    let url = testkit::postgres::Postgres::shared().database();
    let (mut a, mut b) = (Member::start(&url, "a").await, Member::start(&url, "b").await);
    a.order(1, 0..SHARDS, None);
    a.holds(0..SHARDS).await;
    let app = chain(dir.path(), 6);
    let mut jobs = submit(&a, &app, 30).await;
    let spool = Spool::default();
    let _one_worker = [
        a.running.work_with("w", Arc::clone(&spool)),
        b.running.work_with("w", Arc::clone(&spool)),
    ];
    for round in 1..=6 {
        let (there, back) = (round * 2, round * 2 + 1);
        a.order(there, 0..SHARDS / 2, None);
        b.order(there, SHARDS / 2..SHARDS, Some("a"));
        b.holds(SHARDS / 2..SHARDS).await;
        a.holds(0..SHARDS / 2).await;
        jobs.extend(submit(&a, &app, 3).await);
        jobs.extend(submit(&b, &app, 3).await);
        b.order(back, [], None);
        a.order(back, 0..SHARDS, Some("b"));
        a.holds(0..SHARDS).await;
        b.holds([]).await;
    }
    for job in &jobs {
        assert_eq!(a.running.ended(job).await, JobStatus::Succeeded);
        check_replay(&*a.running.store, job).await;
    }
    check_granted_once(&spool);
    check_dense(&*a.running.store).await;
    let epochs = a.running.store.shards().await.unwrap();
    assert!(epochs.iter().filter(|row| row.epoch.0 >= 13).count() == usize::from(SHARDS / 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_of_somebody_else_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let url = testkit::postgres::Postgres::shared().database();
    let (mut a, mut b) = (Member::start(&url, "a").await, Member::start(&url, "b").await);
    a.order(1, 0..SHARDS, None);
    a.holds(0..SHARDS).await;
    let job = submit(&a, &chain(dir.path(), 2), 1).await.remove(0);
    let shard = job.shard(SHARDS).0;
    b.order(1, (0..SHARDS).filter(|one| *one != shard), None);
    b.holds((0..SHARDS).filter(|one| *one != shard)).await;
    let refused = b.running.handle.command(&job, "joe", Command::Kill).await.unwrap_err();
    assert_eq!(refused.code, "HW1010");
    a.running.handle.command(&job, "joe", Command::Kill).await.unwrap();
    assert_eq!(a.running.ended(&job).await, JobStatus::Killed);
    a.holds([shard]).await;
}

/// What it lost to somebody else comes back by other orders only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_never_takes_back_uninvited() {
    let dir = tempfile::tempdir().unwrap();
    let url = testkit::postgres::Postgres::shared().database();
    let (mut a, mut b) = (Member::start(&url, "a").await, Member::start(&url, "b").await);
    a.order(1, 0..SHARDS, None);
    a.holds(0..SHARDS).await;
    b.order(1, 0..SHARDS, None);
    b.holds(0..SHARDS).await;
    a.holds([]).await;
    let job = submit(&b, &chain(dir.path(), 2), 1).await.remove(0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(a.vitals.borrow().held, BTreeMap::new());
    a.order(2, 0..SHARDS, None);
    a.holds(0..SHARDS).await;
    b.holds([]).await;
    let _worker = a.running.work("w");
    assert_eq!(a.running.ended(&job).await, JobStatus::Succeeded);
}

/// Ownership does not wait for loading: a job that is asked for is loaded first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_live_jobs_are_taken_over_while_they_load() {
    let dir = tempfile::tempdir().unwrap();
    let url = testkit::postgres::Postgres::shared().database();
    let (mut a, mut b) = (Member::start(&url, "a").await, Member::start(&url, "b").await);
    a.order(1, 0..SHARDS, None);
    a.holds(0..SHARDS).await;
    let app = chain(dir.path(), 2);
    let submits = (0..1_000).map(|_| a.running.handle.submit(request(&app, &[], None)));
    let jobs: Vec<JobId> =
        futures::future::join_all(submits).await.into_iter().map(Result::unwrap).collect();
    b.order(2, 0..SHARDS, None);
    b.holds(0..SHARDS).await;
    let last = jobs.iter().max().unwrap();
    b.running.handle.command(last, "joe", Command::Kill).await.unwrap();
    let _workers = [b.running.work("w1"), b.running.work("w2")];
    for job in &jobs {
        let expected = if job == last { JobStatus::Killed } else { JobStatus::Succeeded };
        assert_eq!(b.running.ended(job).await, expected);
    }
    check_dense(&*b.running.store).await;
}
