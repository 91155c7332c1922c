//! What the driver remembers: the live jobs of its shards, the fence of each shard, timers, and what is under way outside.
//!
//! All of it can be dropped at any moment and loaded again; nothing in here is the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use engine::{AttemptRef, Event, workflow};
use model::{Epoch, JobId, NodeName, Nonce, Shard, Timestamp, Token, WorkflowApp, WorkflowJob};
use ports::store::{AppSource, ShardState};

/// A job in memory.
#[derive(Debug)]
pub(crate) struct Live {
    /// Its state, as stepped so far; may be ahead of the database by the turns under way.
    pub(crate) job: WorkflowJob,
    /// Its definition.
    pub(crate) app: Arc<WorkflowApp>,
    /// The latest moment that any of its rows carries: `now` never goes below.
    pub(crate) latest: Timestamp,
    /// When it is to be woken.
    pub(crate) wake_at: Option<Timestamp>,
    /// News that was put aside with the job, to be tried again when it is resumed.
    pub(crate) kept: Vec<Event>,
}

/// A job as it is stored, with what belongs to it.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Its rows.
    pub(crate) job: WorkflowJob,
    /// The sources of its definition.
    pub(crate) source: Arc<AppSource>,
    /// News that was put aside with it.
    pub(crate) kept: Vec<Event>,
}

impl Live {
    /// A loaded or new job.
    pub(crate) fn new(job: WorkflowJob, app: Arc<WorkflowApp>) -> Live {
        let rows = job.actions.values().map(|action| action.changed_at);
        let latest = rows.fold(job.header.changed_at, Timestamp::max);
        Live { job, app, latest, wake_at: None, kept: Vec::new() }
    }

    /// Whether the job may be forgotten: it is over and nothing of it is outstanding.
    pub(crate) fn is_done(&self) -> bool {
        let header = &self.job.header;
        header.status.is_terminal() && header.stopping.is_empty() && header.notifications.is_empty()
    }
}

/// A shard this process holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its term.
    pub(crate) epoch: Epoch,
    /// The nonce of this take.
    pub(crate) nonce: Nonce,
    /// Number of the last history line that was sent.
    pub(crate) pos: i64,
    /// The next serial.
    pub(crate) next_serial: i64,
}

impl From<ShardState> for Held {
    fn from(row: ShardState) -> Held {
        Held {
            epoch: row.epoch,
            nonce: row.owner_nonce,
            pos: row.pos,
            next_serial: row.next_serial,
        }
    }
}

/// Something that is being done outside, so that it is not begun twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Errand {
    /// Questions of an attempt are being answered.
    Ask(JobId, NodeName, AttemptRef),
    /// The application of a child is being read.
    ReadChild(JobId, NodeName, AttemptRef),
    /// A notification is under way.
    Notify(JobId, u64),
}

/// The driver's memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The shards it holds.
    pub(crate) shards: BTreeMap<Shard, Held>,
    /// The jobs it knows.
    pub(crate) jobs: HashMap<JobId, Live>,
    /// Who holds a token: the same token gets the same answer for ever.
    pub(crate) tokens: HashMap<Token, (JobId, NodeName)>,
    /// When to wake which job.
    pub(crate) timers: BTreeSet<(Timestamp, JobId)>,
    /// What is under way outside.
    pub(crate) errands: HashSet<Errand>,
    /// Live jobs of these shards that were not loaded yet.
    pub(crate) unloaded: BTreeSet<JobId>,
    /// Jobs whose rows cannot be read: they stand still, and nothing is said of them, to workers least of all.
    pub(crate) unreadable: BTreeSet<JobId>,
}

impl Memory {
    /// Takes a job in.
    pub(crate) fn insert(&mut self, live: Live) {
        for action in live.job.actions.values() {
            if let Some(claim) = &action.claim {
                self.tokens
                    .insert(claim.token.clone(), (live.job.id().clone(), action.name.clone()));
            }
        }
        let id = live.job.id().clone();
        self.jobs.insert(id.clone(), live);
        self.set_timer(&id);
    }

    /// Forgets a job.
    pub(crate) fn remove(&mut self, job: &JobId) {
        let Some(live) = self.jobs.remove(job) else { return };
        if let Some(at) = live.wake_at {
            self.timers.remove(&(at, job.clone()));
        }
        for action in live.job.actions.values() {
            if let Some(claim) = &action.claim {
                self.tokens.remove(&claim.token);
            }
        }
    }

    /// Forgets a shard and its jobs.
    pub(crate) fn drop_shard(&mut self, shard: Shard, shards: u16) -> Vec<JobId> {
        self.shards.remove(&shard);
        self.unreadable.retain(|job| job.shard(shards) != shard);
        self.unloaded.retain(|job| job.shard(shards) != shard);
        let gone: Vec<JobId> =
            self.jobs.keys().filter(|job| job.shard(shards) == shard).cloned().collect();
        for job in &gone {
            self.remove(job);
        }
        gone
    }

    /// Sets the timer of a job to what it now waits for.
    pub(crate) fn set_timer(&mut self, job: &JobId) {
        let Some(live) = self.jobs.get_mut(job) else { return };
        let next = workflow::next_wakeup(&live.job);
        if next == live.wake_at {
            return;
        }
        if let Some(at) = live.wake_at {
            self.timers.remove(&(at, job.clone()));
        }
        if let Some(at) = next {
            self.timers.insert((at, job.clone()));
        }
        live.wake_at = next;
    }

    /// Jobs whose time has come.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<JobId> {
        let due: Vec<(Timestamp, JobId)> =
            self.timers.iter().take_while(|(at, _)| *at <= now).cloned().collect();
        for entry in &due {
            self.timers.remove(entry);
            if let Some(live) = self.jobs.get_mut(&entry.1) {
                live.wake_at = None;
            }
        }
        due.into_iter().map(|(_, job)| job).collect()
    }

    /// The next timer.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }
}
