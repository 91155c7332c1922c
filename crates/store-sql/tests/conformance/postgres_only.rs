//! What only a server can show: connections that die in the middle, several processes, partitions, roles, standbys.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures::future::join_all;
use model::job::JobHeader;
use model::{Nonce, Run, Shard, Timestamp};
use ports::store::{Batch, CommitOutcome, Reads, Store, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use store_sql::{Maintenance, NewCluster, PostgresStore};
use testkit::postgres::Postgres;

use crate::proxy::Proxy;
use crate::samples::{NOW, Term, batch_of, header, job_id, line, new_cluster};

/// How long a fact is waited for on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn open(url: &str, process: u64) -> PostgresStore {
    PostgresStore::open(url, Nonce(process), &new_cluster()).await.expect("it opens")
}

async fn number(watcher: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(watcher).await.expect("counted")
}

/// Waits until this many of our connections wait for a lock.
pub(crate) async fn until_waiting(watcher: &mut PgConnection, wanted: i64) {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                           AND application_name LIKE 'hw:%' AND wait_event_type = 'Lock'";
    let waiting = async {
        while number(watcher, WAITING).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("they wait for the lock");
}

pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it ends")
}

/// A job that is in, and a transaction of somebody else that keeps every batch about it waiting behind its fence.
struct Jam {
    url: String,
    watcher: PgConnection,
    blocker: PgConnection,
}

impl Jam {
    async fn new() -> Jam {
        let url = Postgres::shared().database();
        let store = open(&url, 0xa).await;
        let mut term = Term::take(&store, &[1], 1).await.expect("taken");
        assert_eq!(term.commit(batch_of(header(1))).await, CommitOutcome::Committed);
        let mut blocker = PgConnection::connect(&url).await.expect("connected");
        blocker.execute("BEGIN; SELECT id FROM job FOR UPDATE").await.expect("locked");
        Jam { watcher: PgConnection::connect(&url).await.expect("connected"), blocker, url }
    }

    async fn clear(&mut self) {
        self.blocker.execute("ROLLBACK").await.expect("unlocked");
    }
}

fn second_run() -> Batch {
    batch_of(JobHeader { run: Run(1), ..header(1) })
}

async fn stored_run(store: &PostgresStore) -> Run {
    store.load(&job_id(1)).await.expect("it loads").expect("it is there").header.run
}

async fn through(proxy: &Proxy, url: &str) -> PostgresStore {
    let database = url.rsplit('/').next().expect("a name");
    open(&Postgres::shared().tcp_url(database, proxy.port), 0xb).await
}

/// Review S-1: the commit goes in after its client has given it up; whoever takes waits for it, and loads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_owner_waits_for_a_commit_whose_client_is_gone() {
    let mut jam = Jam::new().await;
    let proxy = Proxy::to(Postgres::shared().port()).await;
    let (old, new) = (through(&proxy, &jam.url).await, open(&jam.url, 0xc).await);
    let mut term = Term::take(&old, &[1], 2).await.expect("taken");
    let taking = async {
        until_waiting(&mut jam.watcher, 1).await;
        proxy.cut().await;
        let take = new.take(&[Shard(1)], "new", Nonce(3));
        let clear = async {
            until_waiting(&mut jam.watcher, 2).await;
            jam.clear().await;
        };
        futures::join!(take, clear).0.expect("taken")
    };
    let (outcome, taken) =
        in_time(async { futures::join!(term.commit(second_run()), taking) }).await;
    assert!(matches!(outcome, CommitOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(taken[0].pos, 2);
    assert_eq!(stored_run(&new).await, Run(1));
}

/// The owner itself ends the backend that it doubts, and so needs not wait for whatever that waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_takes_again_ends_the_backend_it_doubts() {
    let mut jam = Jam::new().await;
    let proxy = Proxy::to(Postgres::shared().port()).await;
    let store = through(&proxy, &jam.url).await;
    let mut term = Term::take(&store, &[1], 2).await.expect("taken");
    let cutting = async {
        until_waiting(&mut jam.watcher, 1).await;
        proxy.cut().await;
    };
    let (outcome, ()) = in_time(async { futures::join!(term.commit(second_run()), cutting) }).await;
    assert!(matches!(outcome, CommitOutcome::Unknown(_)), "{outcome:?}");
    let taken = in_time(store.take(&[Shard(1)], "again", Nonce(4))).await.expect("taken");
    assert_eq!((taken[0].pos, stored_run(&store).await), (1, Run(0)));
    jam.clear().await;
    assert_eq!((store.shards().await.expect("read")[1].pos, stored_run(&store).await), (1, Run(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_ended_in_mid_commit_leaves_the_outcome_unknown() {
    let mut jam = Jam::new().await;
    let store = open(&jam.url, 0xd).await;
    let mut term = Term::take(&store, &[1], 2).await.expect("taken");
    let ending = async {
        until_waiting(&mut jam.watcher, 1).await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND wait_event_type = 'Lock'";
        jam.watcher.execute(sql).await.expect("ended");
    };
    let (outcome, ()) = in_time(async { futures::join!(term.commit(second_run()), ending) }).await;
    assert!(matches!(outcome, CommitOutcome::Unknown(_)), "{outcome:?}");
    jam.clear().await;
    let mut term = Term::take(&store, &[1], 3).await.expect("taken");
    assert_eq!(stored_run(&store).await, Run(0));
    assert_eq!(term.commit(second_run()).await, CommitOutcome::Committed);
    assert_eq!(stored_run(&store).await, Run(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_commit_is_out_and_may_be_sent_again() {
    let mut jam = Jam::new().await;
    let store = open(&jam.url, 0xe).await;
    let mut term = Term::take(&store, &[1], 2).await.expect("taken");
    let cancelling = async {
        until_waiting(&mut jam.watcher, 1).await;
        let sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND wait_event_type = 'Lock'";
        jam.watcher.execute(sql).await.expect("cancelled");
    };
    let (outcome, ()) =
        in_time(async { futures::join!(term.commit(second_run()), cancelling) }).await;
    assert!(matches!(outcome, CommitOutcome::Unavailable(_)), "{outcome:?}");
    jam.clear().await;
    assert_eq!(stored_run(&store).await, Run(0));
    assert_eq!(term.commit(second_run()).await, CommitOutcome::Committed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_unavailable_and_a_wrong_database_is_refused() {
    let server = Postgres::shared();
    let found = PostgresStore::open(&server.tcp_url("x", 1), Nonce(1), &new_cluster()).await;
    assert!(matches!(found, Err(StoreError::Unavailable { .. })), "{found:?}");
    let found =
        PostgresStore::open(&server.url("no_such_database"), Nonce(1), &new_cluster()).await;
    assert!(
        matches!(&found, Err(StoreError::Refused { why }) if why.contains("no_such_database")),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_create_one_cluster() {
    let url = Postgres::shared().database();
    let creates: Vec<NewCluster> =
        (0..6).map(|n| NewCluster { now: NOW + n, ..new_cluster() }).collect();
    let opening = creates
        .iter()
        .zip(1..)
        .map(|(create, process)| PostgresStore::open(&url, Nonce(process), create));
    let stores: Vec<PostgresStore> =
        join_all(opening).await.into_iter().map(|store| store.expect("it opens")).collect();
    let stamps: BTreeSet<&str> = stores.iter().map(|store| &*store.cluster().stamp).collect();
    assert_eq!(stamps.len(), 1);
    assert_eq!(stores[0].shards().await.expect("read").len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_shard_count_or_format_is_refused() {
    let url = Postgres::shared().database();
    drop(open(&url, 1).await);
    let found =
        PostgresStore::open(&url, Nonce(1), &NewCluster { shards: 8, ..new_cluster() }).await;
    assert!(
        matches!(&found, Err(StoreError::Refused { why }) if why.contains("4 shards")),
        "{found:?}"
    );
    let mut person = PgConnection::connect(&url).await.expect("connected");
    person.execute("UPDATE cluster SET format = 99").await.expect("updated");
    let found = PostgresStore::open(&url, Nonce(1), &new_cluster()).await;
    assert!(
        matches!(&found, Err(StoreError::Refused { why }) if why.contains("format is 99")),
        "{found:?}"
    );
}

/// Also: the role needs no rights beyond its own database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_carry_the_name_of_the_process_and_its_timeline() {
    let server = Postgres::shared();
    server.sql("postgres", "CREATE ROLE plain LOGIN").expect("created");
    server.sql("postgres", "CREATE DATABASE of_plain OWNER plain").expect("created");
    let url = server.url("of_plain").replace("howdah@", "plain@");
    let store = open(&url, 0xfeed).await;
    let mut term = Term::take(&store, &[1], 2).await.expect("taken");
    assert_eq!(term.commit(batch_of(header(1))).await, CommitOutcome::Committed);
    let mut person = PgConnection::connect(&url).await.expect("connected");
    let named =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hw:000000000000feed'";
    assert!(number(&mut person, named).await >= 2);
    let timeline = store.timeline().expect("connected");
    assert_eq!(timeline.timeline, 1);
    let identifier = number(&mut person, "SELECT system_identifier FROM pg_control_system()").await;
    assert_eq!(timeline.system_identifier, identifier);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_refused() {
    let standby = Postgres::start_in_recovery().expect("it starts");
    let found = PostgresStore::open(&standby.url("postgres"), Nonce(1), &new_cluster()).await;
    assert!(
        matches!(&found, Err(StoreError::Refused { why }) if why.contains("standby")),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_and_the_default_one_is_emptied() {
    const YEAR_MS: i64 = 365 * 24 * 3_600_000;
    let url = Postgres::shared().database();
    let store = open(&url, 1).await;
    assert_eq!(store.maintain(NOW).await, Ok(Maintenance { partitions_made: 0, default_lines: 0 }));
    let mut person = PgConnection::connect(&url).await.expect("connected");
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1",
    )
    .fetch_all(&mut person)
    .await
    .expect("read");
    assert_eq!(names, ["history_2026_11", "history_2026_12", "history_2027_01", "history_default"]);
    let mut term = Term::take(&store, &[1], 2).await.expect("taken");
    let mut batch = Batch {
        lines: vec![line(&job_id(1), "now"), line(&job_id(1), "later")],
        ..Batch::default()
    };
    batch.lines[1].at = NOW + YEAR_MS;
    assert_eq!(term.commit(batch).await, CommitOutcome::Committed);
    assert_eq!(store.maintain(NOW).await.expect("maintained").default_lines, 1);
    let later = Timestamp(NOW.0 + YEAR_MS);
    assert_eq!(
        store.maintain(later).await,
        Ok(Maintenance { partitions_made: 3, default_lines: 0 })
    );
    let events: Vec<String> = store
        .history(&job_id(1), 0, 9)
        .await
        .expect("read")
        .into_iter()
        .map(|line| line.event)
        .collect();
    assert_eq!(events, ["now", "later"]);
    assert_eq!(number(&mut person, "SELECT count(*) FROM history_2027_11").await, 1);
}

/// Review S-16: the statement itself raises, whatever the program checked before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_counts_too_few_rows_takes_the_whole_statement_back() {
    let url = Postgres::shared().database();
    let store = open(&url, 1).await;
    let mut term = Term::take(&store, &[1], 2).await.expect("taken");
    let mut person = PgConnection::connect(&url).await.expect("connected");
    person
        .execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        )
        .await
        .expect("created");
    person
        .execute(
            "CREATE TRIGGER lossy BEFORE INSERT ON action FOR EACH ROW EXECUTE FUNCTION lose()",
        )
        .await
        .expect("created");
    let mut batch = batch_of(header(1));
    batch.actions = vec![crate::samples::action_row(&job_id(1), crate::samples::full_action("a"))];
    let outcome = term.commit(batch).await;
    assert!(
        matches!(&outcome, CommitOutcome::Rejected(why) if why.contains("0 of 1 rows of action")),
        "{outcome:?}"
    );
    assert_eq!(store.load(&job_id(1)).await, Ok(None));
    assert_eq!(store.shards().await.expect("read")[1].pos, 0);
}
