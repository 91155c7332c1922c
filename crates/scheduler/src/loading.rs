//! Jobs that are not in memory (architecture §3, "loading is lazy").
//!
//! Taking a shard commits the new epoch and lists its live jobs; the scheduler works from then on. A job is loaded with its
//! family when something names it, and the rest in the background, many at a time. One load is under way at a time, and
//! what it read before shards were taken or lost meanwhile is read again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use engine::{Event, workflow};
use model::job::Reason;
use model::{AppDigest, JobId, Shard};
use ports::api::{ApiError, ApiErrorKind};
use ports::store::{AppSource, StoreError};

use crate::drive::Driver;
use crate::inbox::Message;
use crate::memory::{Held, Live, Stored};
use crate::outcomes::{AGAIN_FIRST, AGAIN_MAX};
use crate::outside::World;
use crate::poison;
use crate::turn::{Turn, answer};

/// Jobs read at once in the background: few enough that what somebody waits for is soon next.
const BACKGROUND_JOBS_MAX: usize = 256;

/// What a load is for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// A job that something named, with everybody above and below it, the ones that are over too.
    Family(JobId),
    /// Live jobs that nobody has named yet.
    Background(Vec<JobId>),
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) stored: Vec<Stored>,
    pub(crate) unreadable: Vec<(JobId, String)>,
}

/// What waits for loads.
#[derive(Default)]
pub(crate) struct Loader {
    /// Messages that wait for a job.
    pub(crate) parked: HashMap<JobId, Vec<Message>>,
    /// Jobs that something named, in order.
    queue: VecDeque<JobId>,
    is_under_way: bool,
    /// Jobs that were forgotten while a load was under way: what it read of them may be old.
    pub(crate) forgotten: HashSet<JobId>,
    /// How often shards were taken or lost.
    pub(crate) takes: u64,
}

impl Loader {
    /// Notes that a job was forgotten.
    pub(crate) fn forget(&mut self, job: &JobId) {
        if self.is_under_way {
            self.forgotten.insert(job.clone());
        }
    }
}

impl Driver {
    /// Takes shards that this process lost sight of, if it is still to own them. Waits for the database as long as it must.
    pub(crate) async fn take_back(&mut self, shards: BTreeSet<Shard>) {
        let wanted: Vec<Shard> =
            shards.into_iter().filter(|shard| self.member.is_to_own(*shard)).collect();
        self.take(&wanted).await;
    }

    /// Takes shards; gives up only when other orders came.
    pub(crate) async fn take(&mut self, shards: &[Shard]) {
        let mut wait = AGAIN_FIRST;
        while let Err(error) = self.try_take(shards).await {
            tracing::error!(%error, "cannot take shards; trying again");
            self.world.out_of_reach(Some(&error.to_string()));
            if self.member.has_new_orders() {
                return;
            }
            self.member.turned();
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_MAX);
        }
    }

    /// Two steps: the new epoch is committed, then everything is read by snapshots that begin later (S-2).
    pub(crate) async fn try_take(&mut self, shards: &[Shard]) -> Result<(), StoreError> {
        if shards.is_empty() {
            return Ok(());
        }
        self.loader.takes += 1;
        let nonce = self.world.entropy.nonce();
        let rows = self.world.store.take(shards, &self.world.config.owner, nonce).await?;
        let live = self.world.store.live_jobs(shards).await?;
        tracing::info!(shards = shards.len(), live_jobs = live.len(), "shards taken");
        for row in rows {
            self.memory.shards.insert(row.shard, Held::from(row));
        }
        self.memory.unloaded.extend(live);
        self.world.out_of_reach(None);
        self.publish_vitals();
        self.announce_shards();
        self.start_load();
        Ok(())
    }

    /// Keeps a message until a job is loaded.
    pub(crate) fn park(&mut self, job: JobId, message: Message) {
        let waiting = self.loader.parked.entry(job.clone()).or_default();
        waiting.push(message);
        if waiting.len() == 1 {
            self.loader.queue.push_back(job);
            self.start_load();
        }
    }

    /// Starts the next load, if none is under way.
    pub(crate) fn start_load(&mut self) {
        if self.loader.is_under_way {
            return;
        }
        let wanted = match self.loader.queue.pop_front() {
            Some(job) => Wanted::Family(job),
            None if self.memory.unloaded.is_empty() => return,
            None => {
                let some = self.memory.unloaded.iter().take(BACKGROUND_JOBS_MAX);
                Wanted::Background(some.cloned().collect())
            }
        };
        self.loader.forgotten.clear();
        self.loader.is_under_way = true;
        self.world.read_jobs(wanted, self.loader.takes, &self.memory.unloaded);
    }

    /// A load is over.
    pub(crate) fn loaded(&mut self, wanted: Wanted, takes: u64, read: Result<Read, StoreError>) {
        self.loader.is_under_way = false;
        let is_stale = takes != self.loader.takes;
        match (wanted, read) {
            (Wanted::Family(job), Ok(read)) if is_stale || self.is_old(&read) => {
                self.loader.queue.push_front(job);
            }
            (Wanted::Family(job), read) => self.family_loaded(&job, read),
            (Wanted::Background(_), Ok(_)) if is_stale => {}
            (Wanted::Background(jobs), Ok(read)) => {
                self.came(read);
                jobs.iter().for_each(|job| {
                    self.memory.unloaded.remove(job);
                });
            }
            (Wanted::Background(_), Err(error)) => {
                // The next tick tries again.
                return tracing::warn!(%error, "cannot read live jobs");
            }
        }
        self.start_load();
    }

    fn is_old(&self, read: &Read) -> bool {
        read.stored.iter().any(|stored| self.loader.forgotten.contains(stored.job.id()))
    }

    fn family_loaded(&mut self, job: &JobId, read: Result<Read, StoreError>) {
        let waiting = self.loader.parked.remove(job).unwrap_or_default();
        match read {
            Err(error) => self.refuse_parked(job, waiting, &error.to_string()),
            Ok(read) => {
                let unreadable = read.unreadable.iter().find(|(which, _)| which == job);
                let why = unreadable.map(|(_, why)| why.clone());
                self.came(read);
                self.memory.unloaded.remove(job);
                if self.memory.jobs.contains_key(job) {
                    waiting.into_iter().for_each(|message| self.handle_loaded(message));
                } else if let Some(why) = why {
                    self.refuse_parked(job, waiting, &why);
                } else {
                    let words = format!("Job does not exist [{job}]");
                    let error = ApiError::new(ApiErrorKind::NotFound, "E0604", words);
                    self.handle_unloaded(waiting, &error);
                }
            }
        }
    }

    /// What waited for a job that could not be read: people are told, workers come back and say it again.
    fn refuse_parked(&mut self, job: &JobId, waiting: Vec<Message>, why: &str) {
        let words = format!("cannot read job {job}: {why}");
        let error = ApiError::new(ApiErrorKind::Unavailable, "HW1013", words);
        let (said, others): (Vec<Message>, Vec<Message>) =
            waiting.into_iter().partition(|message| matches!(message, Message::Said { .. }));
        for message in said {
            if let Message::Said { session, .. } = message {
                self.sessions.close(session);
            }
        }
        self.handle_unloaded(others, &error);
    }

    /// Handles what waited for a load, with whatever there is now.
    fn handle_loaded(&mut self, message: Message) {
        match message {
            Message::Command { job, event, source, reply } => {
                self.command_loaded(job, *event, source, reply)
            }
            Message::ChildRead { job, action, of, child, rerun_of } => {
                self.child_read_loaded(job, action, of, child, rerun_of)
            }
            other => self.handle(other),
        }
    }

    /// Handles what waited for a job that is not to be had: commands are refused; a child that is gone is made anew.
    fn handle_unloaded(&mut self, waiting: Vec<Message>, error: &ApiError) {
        for message in waiting {
            match message {
                Message::Command { reply, .. } => answer(reply, Err(error.clone())),
                other => self.handle_loaded(other),
            }
        }
    }

    /// Takes what was read into memory: first all of it, so that families find each other, then what they want is done.
    pub(crate) fn came(&mut self, read: Read) {
        for (job, why) in read.unreadable {
            self.cannot_read(&job, &why);
        }
        let mut came = BTreeSet::new();
        for stored in read.stored {
            came.extend(self.insert(stored));
        }
        for job in &came {
            self.memory.unloaded.remove(job);
            self.resume_work(job);
        }
        self.compare_with_workers(&came);
    }

    fn insert(&mut self, stored: Stored) -> Option<JobId> {
        let Stored { job: stored, source, kept } = stored;
        let id = stored.id().clone();
        let is_ours = self.memory.shards.contains_key(&id.shard(self.cluster.shards));
        if !is_ours || self.memory.jobs.contains_key(&id) || self.loader.forgotten.contains(&id) {
            return None;
        }
        match self.world.apps.get(&stored.header.app, &source) {
            Ok(app) => {
                self.memory.insert(Live { kept, ..Live::new(stored, app) });
                Some(id)
            }
            Err(findings) => {
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                self.cannot_read(&id, &format!("its definition: {first}"));
                None
            }
        }
    }

    /// Does what a loaded job still wants.
    fn resume_work(&mut self, id: &JobId) {
        let Some(live) = self.memory.jobs.get(id) else { return };
        let wishes = poison::guarded(String::new, || workflow::outstanding(&live.app, &live.job));
        let mut turn = Turn::default();
        match wishes {
            Ok(wishes) => self.follow(&mut turn, id, wishes),
            Err(words) => {
                let message = format!("the engine stumbled over the stored job: {words}");
                tracing::error!(job = %id, message, "job quarantined");
                let reason = Reason { code: poison::STUMBLED.to_owned(), message };
                self.absorb(&mut turn, id, Event::Quarantined { reason });
            }
        }
        self.push(turn);
    }

    pub(crate) fn cannot_read(&mut self, job: &JobId, why: &dyn std::fmt::Display) {
        tracing::error!(%job, %why, "a stored job cannot be read; it stands still, the others go on");
        self.memory.unreadable.insert(job.clone());
    }
}

impl World {
    /// Reads jobs, for the driver.
    fn read_jobs(self: &Arc<Self>, wanted: Wanted, takes: u64, live: &BTreeSet<JobId>) {
        let world = Arc::clone(self);
        let live = match &wanted {
            Wanted::Family(_) => BTreeSet::new(),
            Wanted::Background(_) => live.clone(),
        };
        tokio::spawn(async move {
            let read = match &wanted {
                Wanted::Family(job) => world.read_family(job).await,
                Wanted::Background(jobs) => world.read_with_relatives(jobs, &live).await,
            };
            let _closed = world.inbox.send(Message::Loaded { wanted, takes, read }).await;
        });
    }

    async fn read_family(&self, job: &JobId) -> Result<Read, StoreError> {
        let mut members = self.store.family(job).await?;
        members.push(job.clone());
        self.read_all(&members).await
    }

    /// These jobs and, of their families, everybody who is live too: news of a family reach those in memory only.
    async fn read_with_relatives(
        &self,
        jobs: &[JobId],
        live: &BTreeSet<JobId>,
    ) -> Result<Read, StoreError> {
        let mut read = Read::default();
        let mut asked: BTreeSet<JobId> = jobs.iter().cloned().collect();
        let mut next: Vec<JobId> = jobs.to_vec();
        while !next.is_empty() {
            let came = self.read_all(&next).await?;
            let relatives = came.stored.iter().flat_map(|stored| {
                let parent = stored.job.header.parent.iter().map(|parent| &parent.job);
                parent.chain(stored.job.actions.values().filter_map(|action| action.child.as_ref()))
            });
            next = relatives
                .filter(|one| live.contains(*one) && !asked.contains(*one))
                .cloned()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            asked.extend(next.iter().cloned());
            read.stored.extend(came.stored);
            read.unreadable.extend(came.unreadable);
        }
        Ok(read)
    }

    /// Reads jobs with the sources of their definitions, each definition once.
    pub(crate) async fn read_all(&self, jobs: &[JobId]) -> Result<Read, StoreError> {
        let loaded = self.store.load_many(jobs).await?;
        let told = |(job, error): (JobId, StoreError)| (job, error.to_string());
        let mut read = Read {
            stored: Vec::new(),
            unreadable: loaded.unreadable.into_iter().map(told).collect(),
        };
        let mut sources: BTreeMap<AppDigest, Option<Arc<AppSource>>> = BTreeMap::new();
        for job in loaded.jobs {
            let digest = job.header.app.clone();
            if !sources.contains_key(&digest) {
                let source = self.store.app(&digest).await?;
                sources.insert(digest.clone(), source.map(Arc::new));
            }
            let kept = match poison::stands_aside(&job.header) {
                true => poison::kept(&*self.store, job.id()).await?,
                false => Vec::new(),
            };
            match sources.get(&digest).cloned().flatten() {
                Some(source) => read.stored.push(Stored { job, source, kept }),
                None => {
                    let why = format!("its definition {digest} is not there");
                    read.unreadable.push((job.id().clone(), why));
                }
            }
        }
        Ok(read)
    }
}
