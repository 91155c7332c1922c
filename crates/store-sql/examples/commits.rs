//! What a commit costs: rows a second for batches of 1, 100 and 1 000 transitions, on both stores, fsync on.
//!
//! A transition is one action that changes its state, one history line, and its job's row (each batch is about a tenth as many
//! jobs as transitions). `cargo run --release -p store-sql --example commits [seconds for each size]`

#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../tests/samples/mod.rs"]
mod samples;

use std::time::{Duration, Instant};

use model::job::JobHeader;
use model::{ActionStatus, Nonce};
use ports::store::{Batch, CommitOutcome, Store};
use store_sql::{PostgresStore, SqliteStore};
use testkit::postgres::Postgres;

use crate::samples::{
    NOW, Term, action_row, full_action, header, job_id, job_row, line, new_cluster,
};

/// Live actions that the transitions are spread over.
const ACTIONS: u64 = 5_000;
const ACTIONS_A_JOB: u64 = 10;
const SIZES: [u64; 3] = [1, 100, 1_000];

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(3);
    let dir = tempfile::tempdir_in(".").expect("a directory");
    let sqlite = SqliteStore::open(dir.path(), &new_cluster()).await.expect("it opens");
    measure("sqlite", &sqlite, Duration::from_secs(seconds)).await;
    let server = Postgres::start().expect("it starts");
    let postgres =
        PostgresStore::open(&server.database(), Nonce(1), &new_cluster()).await.expect("it opens");
    measure("postgres", &postgres, Duration::from_secs(seconds)).await;
}

#[expect(clippy::print_stdout, reason = "its only purpose")]
async fn measure(name: &str, store: &dyn Store, time: Duration) {
    for size in SIZES {
        let mut term = Term::take(store, &[0, 1, 2, 3], 1).await.expect("taken");
        let (mut done, mut commits, mut spent) = (0, 0_u64, Duration::ZERO);
        while spent < time {
            let batch = term.fenced(transitions(done, size));
            let start = Instant::now();
            assert_eq!(store.commit(&batch).await, CommitOutcome::Committed);
            spent += start.elapsed();
            term.advance(&batch.fences);
            (done, commits) = (done + size, commits + 1);
        }
        let (rate, each) =
            (done as f64 / spent.as_secs_f64(), spent.as_secs_f64() * 1e3 / commits as f64);
        println!("{name:8} {size:5} a commit: {rate:8.0} transitions/s, {each:7.2} ms a commit");
    }
}

/// The next `size` transitions after `done`, going round all actions.
fn transitions(done: u64, size: u64) -> Batch {
    let mut batch = Batch::default();
    for number in done..done + size {
        let (job, action) = ((number % ACTIONS) / ACTIONS_A_JOB, number % ACTIONS_A_JOB);
        let id = job_id(job);
        let mut row = full_action(&format!("action-{action}"));
        row.status = if (number / ACTIONS).is_multiple_of(2) {
            ActionStatus::Prep
        } else {
            ActionStatus::Running
        };
        batch.actions.push(action_row(&id, row));
        batch.lines.push(line(&id, EVENT));
        if batch.jobs.last().is_none_or(|last| last.header.id != id) {
            batch
                .jobs
                .push(job_row(JobHeader { changed_at: NOW + (number as i64), ..header(job) }));
            batch.jobs.last_mut().expect("pushed").conf = None;
        }
    }
    batch
}

/// As long as a usual event.
const EVENT: &str = r#"{"event":"finished","action":"action-1","token":"0123456789abcdef0123456789abcdef","result":{"succeeded":{"data":"key=value\n","stats":null,"external_child_ids":null,"external_id":"4711","external_status":"OK"}}}"#;
