//! What the worker holds and what it has said last of it, until that is acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use model::{JobId, Shard, Token};
use ports::work::{FromWorker, HeldToken};

/// Last words that wait for their acknowledgement. A worker has as many as it runs attempts between two owners of a shard;
/// one that has more is told to begin anew.
pub(super) const WORDS_MAX: usize = 65_536;

/// The worker's side of every attempt that is not settled.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Granted, and no end acknowledged.
    held: BTreeMap<Token, JobId>,
    /// `Finish` (without `next`) and `Stopped`.
    words: BTreeMap<Token, FromWorker>,
    /// The last `Progressed` of each held token.
    progress: BTreeMap<Token, FromWorker>,
}

impl Ledger {
    /// What the worker had before this session.
    pub(super) fn remember(&mut self, held: Vec<HeldToken>) {
        self.held.extend(held.into_iter().map(|held| (held.token, held.job)));
    }

    /// A grant goes to the worker.
    pub(super) fn granted(&mut self, token: Token, job: JobId) {
        self.held.insert(token, job);
    }

    /// Whether a token is held.
    pub(super) fn has(&self, token: &Token) -> bool {
        self.held.contains_key(token)
    }

    /// Something that is to reach the owner, now or later.
    pub(super) fn keep(&mut self, token: &Token, message: FromWorker) {
        match message {
            FromWorker::Progressed { .. } if self.has(token) => {
                self.progress.insert(token.clone(), message);
            }
            FromWorker::Finish { .. } | FromWorker::Stopped { .. } => {
                self.words.insert(token.clone(), message);
            }
            FromWorker::Progressed { .. }
            | FromWorker::Claim { .. }
            | FromWorker::Holds { .. }
            | FromWorker::Beat { .. } => {}
        }
    }

    /// Whether more is kept than ever should be.
    pub(super) fn is_full(&self) -> bool {
        self.words.len() > WORDS_MAX
    }

    /// The job of a result that waits for its acknowledgement.
    pub(super) fn finished(&self, token: &Token) -> Option<&JobId> {
        match self.words.get(token)? {
            FromWorker::Finish { job, .. } => Some(job),
            _ => None,
        }
    }

    /// The job of a confirmed stop that waits for its acknowledgement.
    pub(super) fn stopped(&self, token: &Token) -> Option<&JobId> {
        match self.words.get(token)? {
            FromWorker::Stopped { job, .. } => Some(job),
            _ => None,
        }
    }

    /// The end of an attempt is committed.
    pub(super) fn settle(&mut self, token: &Token) {
        self.held.remove(token);
        self.words.remove(token);
        self.progress.remove(token);
    }

    /// The job of a token.
    pub(super) fn job(&self, token: &Token) -> Option<&JobId> {
        self.held.get(token)
    }

    /// What the owner of some shards has to hear, in the order in which it happened to each attempt.
    pub(super) fn untold(&self, is_owned: impl Fn(&JobId) -> bool) -> Vec<FromWorker> {
        let all = self.progress.values().chain(self.words.values());
        all.filter(|message| job_of(message).is_some_and(&is_owned)).cloned().collect()
    }

    /// The shards whose owners matter.
    pub(super) fn shards(&self, shard: impl Fn(&JobId) -> Shard) -> BTreeSet<Shard> {
        let told = self.words.values().filter_map(job_of);
        self.held.values().chain(told).map(shard).collect()
    }

    #[cfg(test)]
    pub(super) fn tokens(&self) -> BTreeSet<Token> {
        self.held.keys().cloned().collect()
    }
}

/// The job that a message is about.
pub(super) fn job_of(message: &FromWorker) -> Option<&JobId> {
    match message {
        FromWorker::Progressed { job, .. }
        | FromWorker::Finish { job, .. }
        | FromWorker::Stopped { job, .. } => Some(job),
        FromWorker::Claim { .. } | FromWorker::Holds { .. } | FromWorker::Beat { .. } => None,
    }
}
