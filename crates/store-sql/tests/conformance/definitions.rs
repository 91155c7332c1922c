//! A definition stays as long as a job needs it, for its present run or for the history of an earlier one, and then goes.

use std::sync::Arc;

use futures::future::join;
use model::job::JobHeader;
use model::{ActionId, AppDigest};
use ports::store::{AppSource, Batch, CommitOutcome, Reads, Store};
use sqlx::{Connection, Executor, PgConnection};
use testkit::postgres::Postgres;

use crate::postgres_only::{in_time, open, until_waiting};
use crate::samples::{Term, action_row, batch_of, full_action, header, job_id, node};

/// Rounds in which a submit and a purge meet.
const ROUNDS: u64 = 40;

/// A job that begins to run this definition.
fn begun(serial: u64, app: &str) -> Batch {
    let source = AppSource {
        definition: format!("<workflow-app name='{app}'/>"),
        config_default: None,
        inherited_global: None,
    };
    let app = AppDigest::new(app);
    let apps = vec![(app.clone(), Arc::new(source))];
    Batch { apps, ..batch_of(JobHeader { app, ..header(serial) }) }
}

fn purged(serials: &[u64]) -> Batch {
    Batch { gone_jobs: serials.iter().map(|serial| job_id(*serial)).collect(), ..Batch::default() }
}

/// Which of these definitions are there.
async fn kept<'a>(store: &(impl Reads + ?Sized), apps: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    for app in apps {
        if store.app(&AppDigest::new(*app)).await.expect("read").is_some() {
            kept.push(*app);
        }
    }
    kept
}

pub(crate) async fn a_definition_goes_with_the_last_job_that_needs_it(store: &dyn Store) {
    const ALL: [&str; 3] = ["a", "b", "c"];
    let mut reused = begun(9, "c");
    reused.gone_jobs = vec![job_id(3)];
    let mut term = Term::take(store, &[0, 1, 2, 3], 1).await.expect("taken");
    for (what, batch, left) in [
        ("a job", begun(1, "a"), &ALL[..1]),
        ("another that runs the same", begun(2, "a"), &ALL[..1]),
        ("one that runs something else", begun(3, "c"), &["a", "c"]),
        ("the second runs again, and otherwise", begun(2, "b"), &ALL),
        ("a purge of one of two", purged(&[1]), &ALL),
        ("a purge in the batch of the next that needs it", reused, &ALL),
        ("a purge of what never was", purged(&[77]), &ALL),
        ("a purge of a job with two runs", purged(&[2]), &["c"]),
        ("the same definition again", begun(5, "a"), &["a", "c"]),
        ("a purge of all", purged(&[5, 9]), &[]),
    ] {
        assert_eq!(term.commit(batch).await, CommitOutcome::Committed, "{what}");
        assert_eq!(kept(store, &ALL).await, left, "after {what}");
    }
}

/// The commit that needs the definition is held up after it found the definition there; the last job that is known to run
/// it is purged meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_that_a_commit_under_way_needs_stays() {
    let url = Postgres::shared().database();
    let (one, other) = (open(&url, 1).await, open(&url, 2).await);
    let mut purging = Term::take(&one, &[1], 1).await.expect("taken");
    let mut rerunning = Term::take(&other, &[2], 2).await.expect("taken");
    assert_eq!(purging.commit(begun(1, "a")).await, CommitOutcome::Committed);
    let mut first = begun(2, "b");
    first.actions = vec![action_row(&job_id(2), full_action("x"))];
    assert_eq!(rerunning.commit(first).await, CommitOutcome::Committed);
    let mut blocker = PgConnection::connect(&url).await.expect("connected");
    let mut watcher = PgConnection::connect(&url).await.expect("connected");
    blocker.execute("BEGIN; SELECT name FROM action FOR UPDATE").await.expect("locked");
    let mut again = begun(2, "a");
    again.gone_actions = vec![ActionId { job: job_id(2), name: node("x") }];
    let purge = async {
        until_waiting(&mut watcher, 1).await;
        let unblock = async {
            until_waiting(&mut watcher, 2).await;
            blocker.execute("ROLLBACK").await.expect("unlocked");
        };
        join(purging.commit(purged(&[1])), unblock).await.0
    };
    let (rerun, purge) = in_time(join(rerunning.commit(again), purge)).await;
    assert_eq!((rerun, purge), (CommitOutcome::Committed, CommitOutcome::Committed));
    assert_eq!(kept(&one, &["a", "b"]).await, ["a", "b"]);
    assert_eq!(rerunning.commit(purged(&[2])).await, CommitOutcome::Committed);
    assert_eq!(kept(&one, &["a", "b"]).await, Vec::<&str>::new());
}

/// The other way round: whoever needs a definition that is just being dropped waits, and brings it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_that_is_being_dropped_comes_again() {
    let url = Postgres::shared().database();
    let store = open(&url, 1).await;
    let mut term = Term::take(&store, &[1, 2], 1).await.expect("taken");
    assert_eq!(term.commit(begun(1, "a")).await, CommitOutcome::Committed);
    let mut dropping = PgConnection::connect(&url).await.expect("connected");
    let mut watcher = PgConnection::connect(&url).await.expect("connected");
    dropping
        .execute("DELETE FROM app_use; INSERT INTO app_loose VALUES ('a'); BEGIN; SELECT howdah_drop_loose_apps()")
        .await
        .expect("dropped");
    let finish = async {
        until_waiting(&mut watcher, 1).await;
        dropping.execute("COMMIT").await.expect("gone");
    };
    let (outcome, ()) = in_time(join(term.commit(begun(2, "a")), finish)).await;
    assert_eq!(outcome, CommitOutcome::Committed);
    assert_eq!(kept(&store, &["a"]).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submits_and_purges_that_race_leave_no_job_without_its_definition() {
    let url = Postgres::shared().database();
    let (one, other) = (open(&url, 1).await, open(&url, 2).await);
    let mut purging = Term::take(&one, &[1], 1).await.expect("taken");
    let mut submitting = Term::take(&other, &[2], 2).await.expect("taken");
    for round in 0..ROUNDS {
        let (old, new) = (round * 4 + 1, round * 4 + 2);
        assert_eq!(purging.commit(begun(old, "a")).await, CommitOutcome::Committed);
        let racing = join(purging.commit(purged(&[old])), submitting.commit(begun(new, "a")));
        assert_eq!(racing.await, (CommitOutcome::Committed, CommitOutcome::Committed));
        assert_eq!(kept(&one, &["a"]).await, ["a"], "in round {round}");
        assert_eq!(submitting.commit(purged(&[new])).await, CommitOutcome::Committed);
        assert_eq!(kept(&one, &["a"]).await, Vec::<&str>::new(), "in round {round}");
    }
}

/// What a process left behind that died between its purge and the drop goes after the next purge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drop_that_did_not_happen_happens_later() {
    let url = Postgres::shared().database();
    let store = open(&url, 1).await;
    let mut term = Term::take(&store, &[1, 2], 1).await.expect("taken");
    for (serial, app) in [(1, "a"), (2, "b")] {
        assert_eq!(term.commit(begun(serial, app)).await, CommitOutcome::Committed);
    }
    let mut dead = PgConnection::connect(&url).await.expect("connected");
    let purge = "WITH gone AS (DELETE FROM app_use WHERE app = 'a' RETURNING app) INSERT INTO app_loose SELECT app FROM gone";
    dead.execute(purge).await.expect("purged");
    assert_eq!(kept(&store, &["a", "b"]).await, ["a", "b"]);
    assert_eq!(term.commit(purged(&[2])).await, CommitOutcome::Committed);
    assert_eq!(kept(&store, &["a", "b"]).await, Vec::<&str>::new());
}
