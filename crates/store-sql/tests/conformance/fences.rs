//! Who may write, and that a batch goes in whole or not at all.

use std::sync::Arc;

use futures::future::join_all;
use model::job::JobHeader;
use model::{AppDigest, Epoch, JobStatus, Nonce, Run, Shard};
use ports::store::{AppSource, Batch, CommitOutcome, Fence, JobFilter, QuarantinedEvent, Store};

use crate::samples::{
    NOW, SHARDS, Term, action_row, batch_of, fence, full_action, full_header, header, job_id,
    job_row, line,
};

pub(crate) async fn the_cluster_is_as_it_was_created(store: &dyn Store) {
    let cluster = store.cluster();
    assert_eq!(
        (&*cluster.stamp, &*cluster.system_id, cluster.shards),
        ("261121142320042", "test", SHARDS)
    );
    let shards = store.shards().await.expect("read");
    assert_eq!(shards.iter().map(|state| state.shard.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(
        shards
            .iter()
            .all(|state| state.owner.is_empty() && (state.epoch, state.pos) == (Epoch(0), 0))
    );
}

/// A batch that touches every table, in shards 0 and 1.
fn batch_for_every_table() -> Batch {
    let source =
        AppSource { definition: "<x/>".to_owned(), config_default: None, inherited_global: None };
    Batch {
        apps: vec![(AppDigest::new("new"), Arc::new(source))],
        jobs: vec![job_row(header(0)), job_row(header(1))],
        actions: vec![
            action_row(&job_id(0), full_action("a")),
            action_row(&job_id(1), full_action("a")),
        ],
        gone_jobs: vec![job_id(4)],
        lines: vec![line(&job_id(0), "0"), line(&job_id(1), "1")],
        submissions: vec![("key".to_owned(), job_id(0))],
        quarantined: vec![QuarantinedEvent {
            job: job_id(1),
            at: NOW,
            event: "e".to_owned(),
            why: "w".to_owned(),
        }],
        ..Batch::default()
    }
}

/// Everything that can be read, as text.
async fn everything(store: &dyn Store) -> String {
    let filter = JobFilter { len: 100, ..JobFilter::default() };
    let mut all = format!("{:?} {:?}", store.shards().await, store.jobs(&filter).await);
    for serial in [0, 1, 4] {
        let (job, lines) =
            (store.load(&job_id(serial)).await, store.history(&job_id(serial), 0, 100).await);
        all.extend(["\n".to_owned(), format!("{job:?} {lines:?}")]);
    }
    let (app, key) = (store.app(&AppDigest::new("new")).await, store.submission("key").await);
    format!("{all}\n{app:?} {key:?} {:?}", store.quarantined(100).await)
}

async fn with_an_old_job(store: &dyn Store) -> Term<'_> {
    let mut term = Term::take(store, &[0, 1], 7).await.expect("taken");
    assert_eq!(term.commit(batch_of(full_header(4))).await, CommitOutcome::Committed);
    term
}

pub(crate) async fn a_stale_fence_changes_nothing_anywhere(store: &dyn Store) {
    let mut term = with_an_old_job(store).await;
    let before = everything(store).await;
    let spoil: [fn(&mut Fence); 3] = [
        |fence| fence.epoch = Epoch(fence.epoch.0 - 1),
        |fence| fence.nonce = Nonce(99),
        |fence| fence.pos += 1,
    ];
    for spoil in spoil {
        for shard in [0, 1] {
            let mut batch = term.fenced(batch_for_every_table());
            let fence = &mut batch.fences[shard];
            let pos = fence.pos;
            spoil(fence);
            let moved = fence.pos - pos;
            batch
                .lines
                .iter_mut()
                .filter(|line| usize::from(line.shard.0) == shard)
                .for_each(|line| line.n += moved);
            let CommitOutcome::Fenced(states) = store.commit(&batch).await else {
                panic!("it went in")
            };
            assert_eq!(states, [term.states.values().nth(shard).expect("two shards").clone()]);
            assert_eq!(everything(store).await, before);
        }
    }
    assert_eq!(term.commit(batch_for_every_table()).await, CommitOutcome::Committed);
    assert_ne!(everything(store).await, before);
}

/// What PostgreSQL's primary key cannot see (another `at`), the fence does; what the fence cannot see, the key does.
pub(crate) async fn a_line_that_is_there_already_changes_nothing_anywhere(store: &dyn Store) {
    let mut term = with_an_old_job(store).await;
    let before = everything(store).await;
    term.states.values_mut().for_each(|state| state.pos = 0);
    let batch = term.fenced(batch_for_every_table());
    assert!(
        matches!(store.commit(&batch).await, CommitOutcome::Fenced(states) if states.len() == 1)
    );
    assert_eq!(everything(store).await, before);
}

pub(crate) async fn a_take_shuts_out_the_former_owner(store: &dyn Store) {
    let mut old = Term::take(store, &[0, 1, 2], 1).await.expect("taken");
    assert_eq!(old.commit(batch_of(header(0))).await, CommitOutcome::Committed);
    let mut new = Term::take(store, &[1], 2).await.expect("taken");
    let state = &new.states[&Shard(1)];
    assert_eq!((state.epoch, state.owner_nonce, &*state.owner), (Epoch(2), Nonce(2), "owner 2"));
    let CommitOutcome::Fenced(states) = old.commit(batch_of(header(0))).await else {
        panic!("it went in")
    };
    assert_eq!(states, std::slice::from_ref(state));
    old.states.remove(&Shard(1));
    assert_eq!(old.commit(batch_of(header(0))).await, CommitOutcome::Committed);
    assert_eq!(new.commit(batch_of(header(1))).await, CommitOutcome::Committed);
    assert_eq!(store.shards().await.expect("read")[3].epoch, Epoch(0));
}

pub(crate) async fn takes_that_race_give_every_owner_another_epoch(store: &dyn Store) {
    const OWNERS: u64 = 12;
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]];
    let takes = (1..=OWNERS).map(|nonce| Term::take(store, &orders[(nonce % 3) as usize], nonce));
    let mut terms: Vec<Term<'_>> =
        join_all(takes).await.into_iter().map(|term| term.expect("taken")).collect();
    terms.sort_by_key(|term| term.states[&Shard(0)].epoch);
    let epochs: Vec<i64> = terms.iter().map(|term| term.states[&Shard(0)].epoch.0).collect();
    assert_eq!(epochs, (1..=12).collect::<Vec<i64>>());
    let mut last = terms.pop().expect("twelve");
    for mut term in terms {
        assert!(matches!(term.commit(batch_of(header(0))).await, CommitOutcome::Fenced(_)));
    }
    assert_eq!(last.commit(batch_of(header(0))).await, CommitOutcome::Committed);
}

/// The job's run counts its lines, so a load that misses the last batch disagrees with the position that the take gave.
pub(crate) async fn a_load_after_a_take_sees_the_last_batch(store: &dyn Store) {
    const TAKES: u64 = 25;
    let mut term = Term::take(store, &[1], 1).await.expect("taken");
    assert_eq!(write_run(&mut term).await, CommitOutcome::Committed);
    for nonce in 2..2 + TAKES {
        let writing = async { while write_run(&mut term).await == CommitOutcome::Committed {} };
        let taking = async {
            tokio::task::yield_now().await;
            let next = Term::take(store, &[1], nonce).await.expect("taken");
            let job = store.load(&job_id(1)).await.expect("it loads").expect("it is there");
            (i64::from(job.header.run.0), next)
        };
        let ((), (run, next)) = futures::join!(writing, taking);
        assert_eq!(run, next.states[&Shard(1)].pos);
        term = next;
    }
}

async fn write_run(term: &mut Term<'_>) -> CommitOutcome {
    let run = u32::try_from(term.states[&Shard(1)].pos + 1).expect("a small number");
    term.commit(batch_of(JobHeader { run: Run(run), ..header(1) })).await
}

pub(crate) async fn a_release_is_for_the_term_that_owns(store: &dyn Store) {
    let old = Term::take(store, &[0, 1], 1).await.expect("taken");
    let new = Term::take(store, &[1], 2).await.expect("taken");
    let fences: Vec<Fence> = old.states.values().map(|state| fence(state, 0)).collect();
    store.release(&fences).await.expect("released");
    let after = store.shards().await.expect("read");
    assert_eq!((&*after[0].owner, after[0].epoch), ("", Epoch(1)));
    assert_eq!(after[1], new.states[&Shard(1)]);
}

pub(crate) async fn serials_never_go_back(store: &dyn Store) {
    let mut term = Term::take(store, &[0], 1).await.expect("taken");
    term.states.get_mut(&Shard(0)).expect("taken").next_serial = 5;
    assert_eq!(term.commit(batch_of(header(0))).await, CommitOutcome::Committed);
    term.states.get_mut(&Shard(0)).expect("taken").next_serial = 4;
    let outcome = term.commit(batch_of(header(0))).await;
    assert!(matches!(outcome, CommitOutcome::Rejected(_)), "{outcome:?}");
    let purge = Batch { gone_jobs: vec![job_id(0)], ..Batch::default() };
    term.states.get_mut(&Shard(0)).expect("taken").next_serial = 5;
    assert_eq!(term.commit(purge).await, CommitOutcome::Committed);
    assert_eq!(Term::take(store, &[0], 2).await.expect("taken").states[&Shard(0)].next_serial, 5);
}

pub(crate) async fn live_jobs_are_those_with_something_left_to_do(store: &dyn Store) {
    let mut term = Term::take(store, &[0, 1, 2, 3], 1).await.expect("taken");
    let over = |serial| JobHeader { status: JobStatus::Succeeded, ..header(serial) };
    let with_a_stop = JobHeader { stopping: full_header(0).stopping, ..over(4) };
    let with_a_notification = JobHeader { notifications: full_header(0).notifications, ..over(5) };
    let suspended = JobHeader { status: JobStatus::Suspended, ..header(8) };
    let all = [over(0), over(1), with_a_stop, with_a_notification, suspended, header(2), header(3)];
    let jobs = all.into_iter().map(job_row).collect();
    assert_eq!(term.commit(Batch { jobs, ..Batch::default() }).await, CommitOutcome::Committed);
    let live = |shards: &'static [Shard]| async { store.live_jobs(shards).await.expect("read") };
    assert_eq!(live(&[Shard(0), Shard(1)]).await, [job_id(4), job_id(5), job_id(8)]);
    assert_eq!(live(&[Shard(3)]).await, [job_id(3)]);
    assert_eq!(live(&[]).await, []);
}
