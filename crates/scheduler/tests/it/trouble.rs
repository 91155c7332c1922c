//! A database that refuses, breaks off and stalls on request: the real one behind a thin wrapper.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use engine::placement::Policy;
use model::{AppDigest, JobId, JobStatus, NodeName, Nonce, Shard, Timestamp, WorkflowJob};
use ports::api::{Command, SchedulerApi};
use ports::cluster::PolicyRow;
use ports::store::{
    AppSource, Batch, Cluster, CommitOutcome, Fence, HistoryLine, JobFilter, JobPage, LoadedJobs,
    QuarantinedEvent, Reads, ShardState, Store, StoreError,
};

use crate::bench::{
    Running, Spool, chain, check_dense, check_granted_once, check_replay, request, sqlite,
};

/// What the wrapper does with a batch.
enum Whim {
    Pass,
    Refuse,
    /// Says that it does not know, having written it or not.
    Forget {
        written: bool,
    },
    Stall,
}

type Mood = Box<dyn Fn(u32, &Batch) -> Whim + Send + Sync>;

struct Moody {
    inner: Arc<dyn Store>,
    whim: Mood,
    commits: AtomicU32,
    /// A job whose row is damaged.
    unreadable: Option<JobId>,
}

fn moody(
    inner: Arc<dyn Store>,
    whim: impl Fn(u32, &Batch) -> Whim + Send + Sync + 'static,
) -> Arc<dyn Store> {
    Arc::new(Moody { inner, whim: Box::new(whim), commits: AtomicU32::new(0), unreadable: None })
}

#[async_trait]
impl Reads for Moody {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        if self.unreadable.as_ref() == Some(job) {
            let source_message = "the row is damaged".to_owned();
            return Err(StoreError::Corrupt { what: "load a job", source_message });
        }
        self.inner.load(job).await
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        self.inner.app(digest).await
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        self.inner.by_external_id(external_id).await
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        self.inner.jobs(filter).await
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        self.inner.history(job, after, lines_max).await
    }
}

#[async_trait]
impl Store for Moody {
    async fn commit(&self, batch: &Batch) -> CommitOutcome {
        let nth = self.commits.fetch_add(1, Ordering::SeqCst);
        match (self.whim)(nth, batch) {
            Whim::Pass => self.inner.commit(batch).await,
            Whim::Refuse => CommitOutcome::Rejected("it is refused".to_owned()),
            Whim::Forget { written: true } => {
                self.inner.commit(batch).await;
                CommitOutcome::Unknown("the line broke".to_owned())
            }
            Whim::Forget { written: false } => CommitOutcome::Unknown("the line broke".to_owned()),
            Whim::Stall => CommitOutcome::Unavailable("the disk is full".to_owned()),
        }
    }

    fn cluster(&self) -> &Cluster {
        self.inner.cluster()
    }
    async fn take(
        &self,
        shards: &[Shard],
        owner: &str,
        nonce: Nonce,
    ) -> Result<Vec<ShardState>, StoreError> {
        self.inner.take(shards, owner, nonce).await
    }
    async fn release(&self, fences: &[Fence]) -> Result<(), StoreError> {
        self.inner.release(fences).await
    }
    async fn shards(&self) -> Result<Vec<ShardState>, StoreError> {
        self.inner.shards().await
    }
    async fn live_jobs(&self, shards: &[Shard]) -> Result<Vec<JobId>, StoreError> {
        self.inner.live_jobs(shards).await
    }
    async fn load_many(&self, jobs: &[JobId]) -> Result<LoadedJobs, StoreError> {
        let mut loaded = self.inner.load_many(jobs).await?;
        if let Some(damaged) = &self.unreadable {
            let error = || StoreError::Corrupt {
                what: "load a job",
                source_message: "the row is damaged".to_owned(),
            };
            let before = loaded.jobs.len();
            loaded.jobs.retain(|job| job.id() != damaged);
            if loaded.jobs.len() < before {
                loaded.unreadable.push((damaged.clone(), error()));
            }
        }
        Ok(loaded)
    }
    async fn policy(&self) -> Result<PolicyRow, StoreError> {
        self.inner.policy().await
    }
    async fn set_policy(
        &self,
        expected: i64,
        policy: &Policy,
    ) -> Result<Option<PolicyRow>, StoreError> {
        self.inner.set_policy(expected, policy).await
    }
    async fn family(&self, job: &JobId) -> Result<Vec<JobId>, StoreError> {
        self.inner.family(job).await
    }
    async fn submission(&self, key: &str) -> Result<Option<JobId>, StoreError> {
        self.inner.submission(key).await
    }
    async fn shard_history(
        &self,
        shard: Shard,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        self.inner.shard_history(shard, after, lines_max).await
    }
    async fn job_counts(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        self.inner.job_counts().await
    }
    async fn purgeable(
        &self,
        shards: &[Shard],
        ended_before: Timestamp,
        jobs_max: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.inner.purgeable(shards, ended_before, jobs_max).await
    }
    async fn quarantined(&self, events_max: u32) -> Result<Vec<QuarantinedEvent>, StoreError> {
        self.inner.quarantined(events_max).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_rows_are_refused_stands_aside_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let poisonous = |batch: &Batch| {
        let second_claim = |row: &ports::store::ActionRow| {
            row.action.name == NodeName::new("a2") && row.action.claim.is_some()
        };
        batch
            .actions
            .iter()
            .any(|row| row.job.as_str().starts_with("0000001-") && second_claim(row))
    };
    let store =
        moody(
            sqlite(dir.path()).await,
            move |_, batch| if poisonous(batch) { Whim::Refuse } else { Whim::Pass },
        );
    let running = Running::start(store, "a").await;
    let app = chain(dir.path(), 4);
    let mut jobs = Vec::new();
    for _ in 0..12 {
        jobs.push(running.submit(&app, &[]).await);
    }
    let spool = Spool::default();
    let _workers = [running.work_with("w1", Arc::clone(&spool)), running.work("w2")];
    for job in &jobs {
        let status = running
            .reached(job, |status| status.is_terminal() || status == JobStatus::Suspended)
            .await;
        let poisoned = job.as_str().starts_with("0000001-");
        assert_eq!(
            status,
            if poisoned { JobStatus::Suspended } else { JobStatus::Succeeded },
            "{job}"
        );
        let stored = check_replay(&*running.store, job).await;
        assert_eq!(
            stored.header.reason.is_some_and(|reason| reason.code == "HW1021"),
            poisoned,
            "{job}"
        );
    }
    assert_eq!(running.store.quarantined(10).await.unwrap().len(), 1);
    check_granted_once(&spool);
    check_dense(&*running.store).await;
}

/// Refusals, lost shards and broken lines of the database at the same time: whatever was computed from what did not go in is
/// computed anew, and nothing is given out twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_among_broken_commits_double_nothing() {
    for seed in 0..6_u32 {
        let dir = tempfile::tempdir().unwrap();
        let poisonous = |batch: &Batch| {
            let poisoned = |row: &ports::store::ActionRow| {
                let serial: u32 = row.job.as_str()[..7].parse().unwrap();
                serial % 5 == 1 && row.action.name == NodeName::new("a3")
            };
            batch.actions.iter().any(poisoned)
        };
        let store = moody(sqlite(dir.path()).await, move |nth, batch| match nth {
            _ if poisonous(batch) => Whim::Refuse,
            _ if (nth + seed) % 11 == 9 => Whim::Forget { written: seed % 2 == 0 },
            _ if (nth + seed) % 13 == 7 => Whim::Stall,
            _ => Whim::Pass,
        });
        let running = Running::start(store, "a").await;
        let app = chain(dir.path(), 5);
        let mut jobs = Vec::new();
        for _ in 0..15 {
            jobs.extend(running.handle.submit(request(&app, &[], None)).await);
        }
        let spool = Spool::default();
        let _worker = running.work_with("w1", Arc::clone(&spool));
        let mut aside = 0;
        for job in &jobs {
            let status = running
                .reached(job, |status| status.is_terminal() || status == JobStatus::Suspended)
                .await;
            let serial: u32 = job.as_str()[..7].parse().unwrap();
            let poisoned = serial % 5 == 1;
            aside += u32::from(poisoned);
            let expected = if poisoned { JobStatus::Suspended } else { JobStatus::Succeeded };
            assert_eq!(status, expected, "{job}, seed {seed}");
            check_replay(&*running.store, job).await;
        }
        assert!(aside > 0, "no job was poisoned, seed {seed}");
        check_granted_once(&spool);
        check_dense(&*running.store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_unknown_outcome_is_followed_by_a_new_take_and_nothing_is_lost_or_doubled() {
    for written in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let store = moody(sqlite(dir.path()).await, move |nth, _| {
            if nth % 7 == 6 { Whim::Forget { written } } else { Whim::Pass }
        });
        let running = Running::start(store, "a").await;
        let spool = Spool::default();
        let _worker = running.work_with("w1", Arc::clone(&spool));
        let app = chain(dir.path(), 6);
        let mut jobs = Vec::new();
        for _ in 0..20 {
            jobs.extend(running.handle.submit(request(&app, &[], None)).await);
        }
        assert!(jobs.len() >= 10, "only {} submits were acknowledged", jobs.len());
        for job in &jobs {
            assert_eq!(running.ended(job).await, JobStatus::Succeeded, "written: {written}");
            check_replay(&*running.store, job).await;
        }
        check_granted_once(&spool);
        check_dense(&*running.store).await;
        let epochs = running.store.shards().await.unwrap();
        assert!(epochs.iter().any(|row| row.epoch.0 > 1), "no shard was taken again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_write_for_a_while_quarantines_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = moody(sqlite(dir.path()).await, |nth, _| {
        if (3..8).contains(&nth) { Whim::Stall } else { Whim::Pass }
    });
    let running = Running::start(store, "a").await;
    let _worker = running.work("w1");
    let job = running.submit(&chain(dir.path(), 4), &[]).await;
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    assert_eq!(
        running.handle.command(&job, "joe", Command::Kill).await,
        Ok(()),
        "silent, as in Oozie"
    );
    assert!(running.store.quarantined(10).await.unwrap().is_empty());
    check_replay(&*running.store, &job).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_job_that_cannot_be_read_stands_still_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let before = Running::start(sqlite(dir.path()).await, "a").await;
    let app = chain(dir.path(), 3);
    let (damaged, whole) = (before.submit(&app, &[]).await, before.submit(&app, &[]).await);
    before.stop().await;
    let inner = sqlite(dir.path()).await;
    let store = Arc::new(Moody {
        inner,
        whim: Box::new(|_, _| Whim::Pass),
        commits: AtomicU32::new(0),
        unreadable: Some(damaged.clone()),
    });
    let after = Running::start(store, "b").await;
    let _worker = after.work("w1");
    assert_eq!(after.ended(&whole).await, JobStatus::Succeeded);
    let refused = after.handle.command(&damaged, "joe", Command::Kill).await.unwrap_err();
    assert!(refused.message.contains("damaged"), "{refused:?}");
    assert_eq!(after.ended(&after.submit(&app, &[]).await).await, JobStatus::Succeeded);
}
