//! Tests of the deciding part: a table of single decisions, and a world at random.

mod schedulers;
mod table;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    Attempt, AttemptResult, Configuration, Epoch, JobId, JobKind, MemberId, NodeName, Nonce, Run,
    Shard, Success, Timestamp, Token,
};
use ports::cluster::{ClusterMap, MemberView};
use ports::work::{FromWorker, Grant};

const SHARDS: u16 = 4;

fn job(serial: u64) -> JobId {
    JobId::new(serial, "261122144400000", "howdah", JobKind::Workflow)
}

/// A map in which each letter owns the shard of its place; `nonce` is that of every member.
fn map(owners: &str, nonce: u64) -> Arc<ClusterMap> {
    let mut letters: Vec<char> = owners.chars().filter(|letter| *letter != '-').collect();
    letters.sort_unstable();
    letters.dedup();
    let members = letters.iter().map(|letter| member(*letter, nonce)).collect();
    let named = owners.chars().zip(0..).filter(|(letter, _)| *letter != '-');
    let shards = u16::try_from(owners.chars().count()).unwrap();
    let owners = named.map(|(letter, shard)| (Shard(shard), id(letter))).collect();
    Arc::new(ClusterMap { shards, members, owners, ..ClusterMap::default() })
}

fn id(letter: char) -> MemberId {
    MemberId::new(letter.to_string())
}

fn member(letter: char, nonce: u64) -> MemberView {
    MemberView {
        id: id(letter),
        nonce: Nonce(nonce),
        address: format!("http://{letter}"),
        succession: 1,
        priority: 0,
        weight: 1,
        store_ok: true,
        draining: false,
        well_since: Timestamp(0),
        held: BTreeMap::new(),
        replica: String::new(),
    }
}

fn grant(token: &Token, serial: u64, epoch: i64) -> Grant {
    let job = job(serial);
    Grant {
        token: token.clone(),
        shard: job.shard(SHARDS),
        job,
        app_name: "app".into(),
        action: NodeName::new("a"),
        kind: "shell".into(),
        run: Run(0),
        attempt: Attempt(1),
        retries: 0,
        body: "".into(),
        user: "u".into(),
        app_path: "".into(),
        conf: Arc::new(Configuration::default()),
        pool: "p".into(),
        epoch: Epoch(epoch),
        traceparent: None,
    }
}

fn finish(token: &Token, serial: u64, next: Option<(String, Vec<Token>)>) -> FromWorker {
    FromWorker::Finish {
        job: job(serial),
        action: NodeName::new("a"),
        token: token.clone(),
        result: AttemptResult::Succeeded(Success::default()),
        next,
    }
}
