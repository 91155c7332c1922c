//! Two schedulers on one PostgreSQL without anybody to tell them who owns what: each takes shards from the other every 50 ms
//! and commits all the time, while a third party ends connections in the middle. 10 s, or 60 s with `HOWDAH_LONG=1`.
//!
//! Afterwards history tells: it is dense, no line of a deposed term follows the take that deposed it, every batch that was
//! reported committed is there whole and once, none that was reported refused is, and what is there beyond those was
//! reported unknown.

#[expect(dead_code, reason = "the conformance suite uses all of it")]
mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use model::job::JobHeader;
use model::{Epoch, Nonce, Shard};
use ports::store::{Batch, CommitOutcome, HistoryLine, Reads, ShardState, Store};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use store_sql::PostgresStore;
use testkit::postgres::Postgres;
use tokio::time::{Instant, sleep};

use crate::samples::{
    NOW, SHARDS, action_row, fence, full_action, header, job_id, job_row, line, new_cluster,
};

const TAKE_INTERVAL: Duration = Duration::from_millis(50);
const CUT_INTERVAL: Duration = Duration::from_millis(230);

/// What one owner saw.
#[derive(Default)]
struct Report {
    /// Batches by what they were answered with.
    committed: BTreeMap<String, usize>,
    refused: BTreeSet<String>,
    unknown: BTreeMap<String, usize>,
    /// States right after each take.
    takes: Vec<ShardState>,
}

/// One scheduler: the shards it believes it owns, and what it saw.
struct Owner<'a> {
    store: &'a PostgresStore,
    name: u64,
    held: BTreeMap<Shard, ShardState>,
    batches: u64,
    report: Report,
}

impl Owner<'_> {
    async fn run(mut self, end: Instant) -> Report {
        let mut next_take = Instant::now();
        while Instant::now() < end {
            if Instant::now() >= next_take {
                next_take += TAKE_INTERVAL;
                self.take(self.wanted()).await;
            } else if self.held.is_empty() {
                sleep(Duration::from_millis(1)).await;
            } else {
                self.commit().await;
            }
        }
        self.report
    }

    /// Two neighbouring shards, in turn, whoever has them.
    fn wanted(&self) -> Vec<Shard> {
        let turn = u16::try_from((self.report.takes.len() as u64 + self.name) % u64::from(SHARDS))
            .expect("a shard");
        vec![Shard(turn), Shard((turn + 1) % SHARDS)]
    }

    /// Takes shards and loads them: what is loaded must be as new as the position.
    async fn take(&mut self, shards: Vec<Shard>) {
        let nonce = Nonce(self.name << 32 | self.report.takes.len() as u64);
        let Ok(taken) = self.store.take(&shards, &self.name.to_string(), nonce).await else {
            return;
        };
        for state in taken {
            self.report.takes.push(state.clone());
            let job = self.store.load(&job_id(state.shard.0.into())).await;
            let Ok(job) = job else { continue };
            let last = job.map_or(0, |job| job.header.changed_at.since_ms(NOW));
            // The other owner may have taken and written since; it can never be older.
            assert!(
                last >= state.pos,
                "shard {}: loaded {last}, position {}",
                state.shard,
                state.pos
            );
            self.held.insert(state.shard, state);
        }
    }

    async fn commit(&mut self) {
        self.batches += 1;
        let tag = format!("{}-{}", self.name, self.batches);
        let batch = self.batch(&tag);
        match self.store.commit(&batch).await {
            CommitOutcome::Committed => {
                self.report.committed.insert(tag, batch.lines.len());
                self.held
                    .values_mut()
                    .zip(&batch.fences)
                    .for_each(|(state, fence)| state.pos += fence.lines);
            }
            CommitOutcome::Fenced(states) => {
                self.report.refused.insert(tag);
                states.iter().for_each(|state| drop(self.held.remove(&state.shard)));
            }
            CommitOutcome::Unavailable(_) => drop(self.report.refused.insert(tag)),
            CommitOutcome::Unknown(_) => {
                self.report.unknown.insert(tag, batch.lines.len());
                let shards = std::mem::take(&mut self.held).into_keys().collect();
                self.take(shards).await;
            }
            CommitOutcome::Rejected(why) => panic!("{why}"),
        }
    }

    /// Some lines in every held shard, a job and an action of each; the job's time is the number of its last line.
    fn batch(&self, tag: &str) -> Batch {
        let mut batch = Batch::default();
        for (shard, state) in &self.held {
            let id = job_id(shard.0.into());
            let lines = 1 + i64::from(shard.0) % 3;
            batch.lines.extend((1..=lines).map(|n| marked(line(&id, tag), state, n)));
            batch.fences.push(fence(state, lines));
            batch.jobs.push(job_row(JobHeader {
                changed_at: NOW + (state.pos + lines),
                ..header(shard.0.into())
            }));
            batch.actions.push(action_row(&id, full_action("a")));
        }
        batch
    }
}

/// The line tells its batch and the term that wrote it.
fn marked(line: HistoryLine, state: &ShardState, n: i64) -> HistoryLine {
    HistoryLine {
        n: state.pos + n,
        engine: format!("{} {}", state.epoch, state.owner_nonce),
        ..line
    }
}

fn term_of(line: &HistoryLine) -> (Epoch, String) {
    let (epoch, nonce) = line.engine.split_once(' ').expect("written by marked");
    (Epoch(epoch.parse().expect("a number")), nonce.to_owned())
}

/// Ends a connection of some committer in the midst of its work, again and again.
async fn cut(url: &str, end: Instant) -> u32 {
    let mut person = PgConnection::connect(url).await.expect("connected");
    let mut cuts = 0;
    while Instant::now() < end {
        sleep(CUT_INTERVAL).await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name LIKE 'hw:%' AND state = 'active' AND query LIKE '%gate AS%' LIMIT 1";
        cuts += u32::from(person.execute(sql).await.expect("ended").rows_affected() == 1);
    }
    cuts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_owners_that_take_from_each_other_leave_one_history() {
    let seconds = if std::env::var_os("HOWDAH_LONG").is_some() { 60 } else { 10 };
    let url = Postgres::shared().database();
    let end = Instant::now() + Duration::from_secs(seconds);
    let first = PostgresStore::open(&url, Nonce(1), &new_cluster()).await.expect("it opens");
    let second = PostgresStore::open(&url, Nonce(2), &new_cluster()).await.expect("it opens");
    let owners = [(&first, 1), (&second, 2)].map(|(store, name)| {
        Owner { store, name, held: BTreeMap::new(), batches: 0, report: Report::default() }.run(end)
    });
    let (reports, cuts) = futures::join!(join_all(owners), cut(&url, end));
    let mut found = BTreeMap::<String, usize>::new();
    for shard in (0..SHARDS).map(Shard) {
        for line in checked_history(&first, shard, &reports).await {
            *found.entry(line.event).or_default() += 1;
        }
    }
    check_batches(found, &reports);
    let count = |of: fn(&Report) -> usize| reports.iter().map(of).collect::<Vec<usize>>();
    let (committed, refused) =
        (count(|report| report.committed.len()), count(|report| report.refused.len()));
    let (unknown, takes) =
        (count(|report| report.unknown.len()), count(|report| report.takes.len()));
    say(&format!(
        "{seconds} s: committed {committed:?}, refused {refused:?}, unknown {unknown:?}, takes {takes:?}, cuts {cuts}"
    ));
    let contended = [committed, refused, takes].iter().flatten().all(|count| *count >= 10);
    assert!(
        contended && cuts > 0 && unknown.iter().sum::<usize>() > 0,
        "the fight did not take place"
    );
}

#[expect(clippy::print_stderr, reason = "how hard the fight was is worth reading")]
fn say(words: &str) {
    eprintln!("{words}");
}

/// Dense, and every line in the term that was in force at its position.
async fn checked_history(
    store: &PostgresStore,
    shard: Shard,
    reports: &[Report],
) -> Vec<HistoryLine> {
    let lines = store.shard_history(shard, 0, u32::MAX).await.expect("read");
    let mut takes: Vec<&ShardState> = reports
        .iter()
        .flat_map(|report| &report.takes)
        .filter(|state| state.shard == shard)
        .collect();
    takes.sort_by_key(|state| state.epoch);
    for (line, n) in lines.iter().zip(1..) {
        assert_eq!(line.n, n, "shard {shard}");
        // The last take at or below this position; a take whose answer was lost on the way wrote nothing.
        let in_force = takes.iter().rev().find(|take| take.pos < n).expect("somebody took it");
        assert_eq!(
            term_of(line),
            (in_force.epoch, in_force.owner_nonce.to_string()),
            "shard {shard}, line {n}"
        );
    }
    let state = store.shards().await.expect("read").swap_remove(usize::from(shard.0));
    assert_eq!(state.pos, lines.len() as i64, "shard {shard}");
    let job = store.load(&job_id(shard.0.into())).await.expect("it loads").expect("it is there");
    assert_eq!(job.header.changed_at.since_ms(NOW), state.pos, "shard {shard}");
    lines
}

/// Whole and once, or not at all.
fn check_batches(mut found: BTreeMap<String, usize>, reports: &[Report]) {
    for report in reports {
        for (tag, lines) in &report.committed {
            assert_eq!(found.remove(tag), Some(*lines), "{tag} was reported committed");
        }
        for (tag, lines) in &report.unknown {
            assert!(found.remove(tag).is_none_or(|count| count == *lines), "{tag} went in by half");
        }
    }
    assert_eq!(found, BTreeMap::new(), "these were reported refused, or by nobody");
}
