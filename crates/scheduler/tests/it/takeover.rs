//! Two schedulers on one database without anybody to say who owns what: they take all shards from each other. Whoever is
//! deposed writes nothing more, and every job ends.

use std::sync::Arc;
use std::time::Duration;

use model::{JobStatus, Nonce};
use ports::api::SchedulerApi;
use ports::clock::Entropy;
use ports::store::Store;
use store_sql::PostgresStore;

use crate::bench::{
    Running, Spool, chain, check_dense, check_granted_once, check_replay, new_cluster, request,
    sqlite,
};

/// How long they fight; `HOWDAH_LONG=1` makes it a minute.
fn fight() -> Duration {
    if std::env::var_os("HOWDAH_LONG").is_some() {
        Duration::from_secs(60)
    } else {
        Duration::from_secs(10)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_scheduler_writes_nothing_and_the_new_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = sqlite(dir.path()).await;
    let old = Running::start(Arc::clone(&store), "old").await;
    let app = chain(dir.path(), 3);
    let job = old.submit(&app, &[]).await;
    let new = Running::start(Arc::clone(&store), "new").await;
    let refused = old.handle.submit(request(&app, &[], None)).await;
    assert!(refused.is_err(), "a deposed scheduler accepted {refused:?}");
    let _worker = new.work("w1");
    assert_eq!(new.ended(&job).await, JobStatus::Succeeded);
    check_replay(&*store, &job).await;
    check_dense(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_runs_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    let url = testkit::postgres::Postgres::shared().database();
    let store: Arc<dyn Store> = Arc::new(
        PostgresStore::open(&url, files_local::SystemEntropy.nonce(), &new_cluster())
            .await
            .unwrap(),
    );
    let running = Running::start(store, "a").await;
    let _worker = running.work("w1");
    let job = running.submit(&chain(dir.path(), 10), &[]).await;
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    check_replay(&*running.store, &job).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_take_shards_from_each_other_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = testkit::postgres::Postgres::shared();
    let url = postgres.database();
    let app = chain(dir.path(), 4);
    let deadline = tokio::time::Instant::now() + fight();
    let spool = Spool::default();
    let mut jobs = Vec::new();
    let (mut rounds, mut refused) = (0_u32, 0_u32);
    let mut current: Option<Running> = None;
    while tokio::time::Instant::now() < deadline {
        let process: Nonce = files_local::SystemEntropy.nonce();
        let store: Arc<dyn Store> =
            Arc::new(PostgresStore::open(&url, process, &new_cluster()).await.unwrap());
        let next = Running::start(store, &format!("s{rounds}")).await;
        let _worker = next.work_with("w", Arc::clone(&spool));
        for running in current.iter().chain([&next]) {
            for _ in 0..5 {
                match running.handle.submit(request(&app, &[], None)).await {
                    Ok(job) => jobs.push(job),
                    Err(_) => refused += 1,
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(deposed) = current.replace(next) {
            deposed.stop().await;
        }
        rounds += 1;
    }
    let last = current.unwrap();
    for job in &jobs {
        assert_eq!(last.ended(job).await, JobStatus::Succeeded, "after {rounds} rounds");
        check_replay(&*last.store, job).await;
    }
    check_granted_once(&spool);
    check_dense(&*last.store).await;
    assert!(
        rounds > 10 && jobs.len() > 50 && refused > 0,
        "{rounds} rounds, {} jobs, {refused} refused",
        jobs.len()
    );
    tracing::info!(rounds, jobs = jobs.len(), refused, "the fight is over");
}
