//! The loop: messages in, turns out, one batch under way at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::{Effect, Event, RerunRequest, Submission, invariants, workflow};
use futures::future::BoxFuture;
use model::{AppDigest, JobId, JobKind, NodeName, Shard, WorkflowApp};
use ports::api::{ApiError, ApiErrorKind};
use ports::store::{ActionRow, AppSource, BATCH_ROWS_MAX, Cluster, CommitOutcome, JobRow};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::inbox::{ChildApp, Message};
use crate::memory::{Errand, Held, Live, Memory};
use crate::outside::World;
use crate::poison::{self, guarded, stored_form};
use crate::ready::{Offer, Ready};
use crate::sessions::Sessions;
use crate::turn::{Output, Outside, Turn, answer, batch_of};

/// Messages handled before a batch is sent: bounds how long the first of them waits.
const MESSAGES_PER_ROUND_MAX: usize = 256;
/// Idempotency keys remembered after their commit, so that a late repeat finds them without the database.
const KEYS_MAX: usize = 10_000;

/// A batch on its way to the database.
pub(crate) struct Flight {
    pub(crate) turns: Vec<Turn>,
    pub(crate) lines: BTreeMap<Shard, i64>,
    pub(crate) commit: BoxFuture<'static, CommitOutcome>,
}

/// The driver: the only writer of its shards.
pub(crate) struct Driver {
    pub(crate) cluster: Cluster,
    pub(crate) world: Arc<World>,
    pub(crate) memory: Memory,
    pub(crate) ready: Ready,
    pub(crate) sessions: Sessions,
    pub(crate) pending: Vec<Turn>,
    pub(crate) pending_rows: usize,
    pub(crate) flight: Option<Flight>,
    /// Messages that wait for a job to be loaded.
    pub(crate) parked: HashMap<JobId, Vec<Message>>,
    /// Jobs that are to be loaded, one load at a time.
    pub(crate) loads: VecDeque<JobId>,
    pub(crate) loading: Option<JobId>,
    /// Jobs that were forgotten while a load was under way: what it read of them may be old.
    pub(crate) forgotten: HashSet<JobId>,
    pub(crate) keys: HashMap<String, JobId>,
    pub(crate) key_order: VecDeque<String>,
    pub(crate) inbox: mpsc::Receiver<Message>,
    pub(crate) tick: Duration,
}

impl Driver {
    /// Runs until it is told to stop; what is under way is committed first.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(self.tick);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.send_batch();
            let timer = self.time_to_next_timer();
            let full = self.pending_rows >= BATCH_ROWS_MAX;
            tokio::select! {
                biased;
                outcome = under_way(&mut self.flight) => self.landed(outcome).await,
                () = shutdown.cancelled() => break,
                message = self.inbox.recv(), if !full => match message {
                    Some(message) => self.take_in(message),
                    None => break,
                },
                () = tokio::time::sleep(timer), if !full => self.wake_due(),
                _ = ticks.tick(), if !full => self.ticked(),
            }
        }
        self.wind_down().await;
    }

    fn take_in(&mut self, first: Message) {
        self.handle(first);
        for _ in 1..MESSAGES_PER_ROUND_MAX {
            if self.pending_rows >= BATCH_ROWS_MAX {
                return;
            }
            let Ok(message) = self.inbox.try_recv() else { return };
            self.handle(message);
        }
    }

    fn time_to_next_timer(&self) -> Duration {
        const IDLE: Duration = Duration::from_secs(3600);
        let Some(at) = self.memory.next_timer() else { return IDLE };
        Duration::from_millis(u64::try_from(at.since_ms(self.world.clock.now())).unwrap_or(0))
            .min(IDLE)
    }

    /// Sends what has gathered, unless a batch is under way.
    pub(crate) fn send_batch(&mut self) {
        if self.flight.is_some() || self.pending.is_empty() {
            return;
        }
        let turns = std::mem::take(&mut self.pending);
        self.pending_rows = 0;
        self.flight = Some(self.flight_of(turns));
    }

    pub(crate) fn flight_of(&self, turns: Vec<Turn>) -> Flight {
        let batch = batch_of(&turns, &self.memory.shards, self.cluster.shards);
        let lines = batch.fences.iter().map(|fence| (fence.shard, fence.lines)).collect();
        let store = Arc::clone(&self.world.store);
        let metrics = self.world.metrics.clone();
        metrics.batch(&batch);
        let commit = Box::pin(async move {
            if batch.fences.is_empty() {
                return CommitOutcome::Committed;
            }
            ports::crash::point("before_commit");
            let outcome = store.commit(&batch).await;
            ports::crash::point("after_commit");
            outcome
        });
        Flight { turns, lines, commit }
    }

    /// Puts a turn into the next batch. One that writes nothing waits with the others, since it was computed from their state.
    pub(crate) fn push(&mut self, turn: Turn) {
        if turn.writes_nothing() && turn.outputs.is_empty() {
            return;
        }
        if turn.writes_nothing() && self.pending.is_empty() {
            match &mut self.flight {
                Some(flight) => flight.turns.push(turn),
                None => self.release(vec![turn]),
            }
            return;
        }
        self.pending_rows += turn.rows();
        self.pending.push(turn);
    }

    /// Handles what waited for a load, with whatever there is now.
    pub(crate) fn handle_loaded(&mut self, message: Message) {
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
    pub(crate) fn handle_unloaded(&mut self, waiting: Vec<Message>, error: &ApiError) {
        for message in waiting {
            match message {
                Message::Command { reply, .. } => answer(reply, Err(error.clone())),
                other => self.handle_loaded(other),
            }
        }
    }

    /// Drops shards that somebody else has, unless they were taken again since.
    fn lost(&mut self, mut shards: BTreeSet<Shard>, seen: &BTreeMap<Shard, Held>) {
        let same = |shard: &Shard| match (self.memory.shards.get(shard), seen.get(shard)) {
            (Some(held), Some(seen)) => held.epoch == seen.epoch && held.nonce == seen.nonce,
            _ => false,
        };
        shards.retain(same);
        if !shards.is_empty() {
            tracing::warn!(?shards, "another scheduler owns these shards now");
            self.lose(&shards);
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Submit { submission, source, key, reply } => {
                self.submit(*submission, source, key, reply)
            }
            Message::Command { job, event, source, reply } => {
                self.command(job, event, source, reply)
            }
            Message::Happened { job, event } => self.happened(&job, *event),
            Message::ChildRead { job, action, of, child, rerun_of } => {
                self.child_read(job, action, of, child, rerun_of)
            }
            Message::Opened { session, hello, to_worker } => self.opened(session, hello, to_worker),
            Message::Said { session, message } => self.said(session, message),
            Message::Closed { session } => self.sessions.close(session),
            Message::Loaded { job, family } => self.loaded(&job, family),
            Message::Lost { shards, seen } => self.lost(shards, &seen),
            Message::Purge { trees } => self.purge(trees),
        }
    }

    // === commands

    fn submit(
        &mut self,
        mut submission: Submission,
        source: Arc<AppSource>,
        key: Option<String>,
        reply: crate::inbox::Reply<JobId>,
    ) {
        let mut turn = Turn::default();
        if let Some(known) = key.as_ref().and_then(|key| self.keys.get(key)) {
            let known = known.clone();
            turn.outputs.push(Output::Id(reply, known));
            return self.push(turn);
        }
        let Some(shard) = self.shard_for(key.as_deref()) else {
            return answer(
                reply,
                Err(ApiError::new(
                    ApiErrorKind::Unavailable,
                    "HW1010",
                    "this scheduler holds no shard; try again",
                )),
            );
        };
        let Ok(app) = self.world.apps.get(&submission.app, &source) else {
            return answer(
                reply,
                Err(ApiError::new(
                    ApiErrorKind::Internal,
                    "HW1011",
                    "the application cannot be read a second time",
                )),
            );
        };
        submission.id = self.next_id(shard);
        let id = submission.id.clone();
        turn.cause(&id, &Event::Submitted(Box::new(submission.clone())));
        turn.app(submission.app.clone(), source);
        if let Err(words) = self.create(&mut turn, app, &submission) {
            tracing::error!(words, "the engine stumbled over a submit");
            let message = format!(
                "the engine stumbled over `submitted`: {words}; nothing was stored; please report it with the definition"
            );
            return answer(
                reply,
                Err(ApiError::new(ApiErrorKind::Internal, poison::STUMBLED, message)),
            );
        }
        if let Some(key) = key {
            turn.submission(key.clone(), id.clone());
            self.remember_key(key, &id);
        }
        turn.outputs.push(Output::Id(reply, id));
        self.world.metrics.submitted();
        self.push(turn);
    }

    pub(crate) fn remember_key(&mut self, key: String, job: &JobId) {
        if self.key_order.len() >= KEYS_MAX
            && let Some(oldest) = self.key_order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.key_order.push_back(key.clone());
        self.keys.insert(key, job.clone());
    }

    /// By hash of the key when there is one (a repeat meets the same driver), else where the next id is the lowest.
    fn shard_for(&self, key: Option<&str>) -> Option<Shard> {
        let shards = u64::from(self.cluster.shards);
        if let Some(key) = key {
            let shard = Shard(u16::try_from(fnv1a(key.as_bytes()) % shards).unwrap_or(0));
            if self.memory.shards.contains_key(&shard) {
                return Some(shard);
            }
        }
        self.memory
            .shards
            .iter()
            .min_by_key(|(shard, held)| (held.next_serial, shard.0))
            .map(|(shard, _)| *shard)
    }

    fn next_id(&mut self, shard: Shard) -> JobId {
        let count = self.memory.shards.get_mut(&shard).map_or(0, |held| {
            held.next_serial += 1;
            held.next_serial - 1
        });
        let serial =
            u64::try_from(count).unwrap_or(0) * u64::from(self.cluster.shards) + u64::from(shard.0);
        JobId::new(serial, &self.cluster.stamp, &self.cluster.system_id, JobKind::Workflow)
    }

    /// Makes a job; a panic of the engine comes back as its words.
    pub(crate) fn create(
        &mut self,
        turn: &mut Turn,
        app: Arc<WorkflowApp>,
        submission: &Submission,
    ) -> Result<(), String> {
        let now = self.world.clock.now();
        let event = Event::Submitted(Box::new(submission.clone()));
        let created = guarded(|| stored_form(&event), || workflow::create(&app, now, submission));
        let (job, step) = created?;
        let id = job.id().clone();
        self.memory.insert(Live::new(job, app));
        turn.line(&id, now, &event);
        self.record(turn, &id, &step);
        self.follow(turn, &id, step.effects);
        Ok(())
    }

    fn command(
        &mut self,
        job: JobId,
        event: Box<Event>,
        source: Option<Arc<AppSource>>,
        reply: crate::inbox::Reply<()>,
    ) {
        if !self.memory.jobs.contains_key(&job)
            || matches!(*event, Event::Rerun(_)) && self.needs_children(&job)
        {
            return self.park(job.clone(), Message::Command { job, event, source, reply });
        }
        self.command_loaded(job, *event, source, reply);
    }

    fn command_loaded(
        &mut self,
        job: JobId,
        event: Event,
        source: Option<Arc<AppSource>>,
        reply: crate::inbox::Reply<()>,
    ) {
        let mut turn = Turn::default();
        turn.cause(&job, &event);
        let outcome = match (source, &event) {
            (Some(source), Event::Rerun(request)) => self.rerun(&mut turn, &job, request, source),
            _ => self.step(&mut turn, &job, event),
        };
        let outcome = match outcome {
            Err(rejection) if rejection.silent => {
                tracing::warn!(%job, code = rejection.code, reason = rejection.message, "command without effect");
                Ok(())
            }
            Err(rejection) if rejection.code == poison::STUMBLED => {
                Err(ApiError::new(ApiErrorKind::Internal, rejection.code, rejection.message))
            }
            Err(rejection) => {
                Err(ApiError::new(ApiErrorKind::BadRequest, rejection.code, rejection.message))
            }
            Ok(()) => Ok(()),
        };
        turn.outputs.push(Output::Done(reply, job, outcome));
        self.push(turn);
    }

    fn rerun(
        &mut self,
        turn: &mut Turn,
        job: &JobId,
        request: &RerunRequest,
        source: Arc<AppSource>,
    ) -> Result<(), engine::Rejection> {
        let refused = |_| engine::Rejection {
            code: "HW1011",
            message: "the application cannot be read a second time".to_owned(),
            silent: false,
        };
        let app = self.world.apps.get(&request.app, &source).map_err(refused)?;
        turn.app(request.app.clone(), source);
        self.step_with(turn, job, Event::Rerun(Box::new(request.clone())), Some(app))
    }

    /// Whether a rerun would reach for children that are not in memory.
    fn needs_children(&self, job: &JobId) -> bool {
        let Some(live) = self.memory.jobs.get(job) else { return true };
        let mut children = live.job.actions.values().filter_map(|action| action.child.as_ref());
        children
            .any(|child| !self.memory.jobs.contains_key(child) && !self.forgotten.contains(child))
    }

    // === the world

    fn happened(&mut self, job: &JobId, event: Event) {
        match &event {
            Event::Answered { action, of, .. } => {
                self.memory.errands.remove(&Errand::Ask(job.clone(), action.clone(), *of));
            }
            Event::Notified { number, .. } => {
                self.memory.errands.remove(&Errand::Notify(job.clone(), *number));
            }
            _ => {}
        }
        let mut turn = Turn::default();
        self.absorb(&mut turn, job, event);
        self.push(turn);
    }

    /// Steps a job with news of the world; news of a job that is not here is of a job that is over.
    pub(crate) fn absorb(&mut self, turn: &mut Turn, job: &JobId, event: Event) {
        if !self.memory.jobs.contains_key(job) {
            return;
        }
        let name = event.name();
        turn.cause(job, &event);
        if let Err(rejection) = self.step(turn, job, event) {
            tracing::debug!(%job, event = name, code = rejection.code, reason = rejection.message, "event without effect");
        }
    }

    fn child_read(
        &mut self,
        job: JobId,
        action: NodeName,
        of: engine::AttemptRef,
        child: ChildApp,
        rerun_of: Option<JobId>,
    ) {
        if let Some(old) = rerun_of.clone().filter(|old| !self.memory.jobs.contains_key(old)) {
            return self.park(old, Message::ChildRead { job, action, of, child, rerun_of });
        }
        self.child_read_loaded(job, action, of, child, rerun_of);
    }

    fn child_read_loaded(
        &mut self,
        job: JobId,
        action: NodeName,
        of: engine::AttemptRef,
        child: ChildApp,
        rerun_of: Option<JobId>,
    ) {
        self.memory.errands.remove(&Errand::ReadChild(job.clone(), action.clone(), of));
        let mut turn = Turn::default();
        match child {
            Ok((mut submission, source)) => {
                if !self.memory.jobs.contains_key(&job) {
                    return;
                }
                let in_memory = rerun_of.filter(|old| self.memory.jobs.contains_key(old));
                submission.id =
                    in_memory.unwrap_or_else(|| self.next_id(job.shard(self.cluster.shards)));
                let Ok(app) = self.world.apps.get(&submission.app, &source) else { return };
                turn.app(submission.app.clone(), source);
                self.absorb(&mut turn, &job, Event::ChildRead { action, of, child: submission });
                drop(app);
            }
            Err(failure) => {
                self.absorb(&mut turn, &job, Event::ChildRefused { action, of, failure })
            }
        }
        self.push(turn);
    }

    fn wake_due(&mut self) {
        for job in self.memory.due(self.world.clock.now()) {
            let mut turn = Turn::default();
            self.absorb(&mut turn, &job, Event::Woke);
            self.memory.set_timer(&job);
            self.push(turn);
        }
    }

    // === stepping

    /// Steps one job and whoever of its family that reaches, all into one turn.
    pub(crate) fn step(
        &mut self,
        turn: &mut Turn,
        job: &JobId,
        event: Event,
    ) -> Result<(), engine::Rejection> {
        self.step_with(turn, job, event, None)
    }

    pub(crate) fn step_with(
        &mut self,
        turn: &mut Turn,
        job: &JobId,
        event: Event,
        app: Option<Arc<WorkflowApp>>,
    ) -> Result<(), engine::Rejection> {
        if matches!(event, Event::Resumed) {
            self.retry(turn, job)?;
        }
        let Some(live) = self.memory.jobs.get_mut(job) else { return Ok(()) };
        let now = self.world.clock.now().max(live.latest);
        let app = app.unwrap_or_else(|| Arc::clone(&live.app));
        let stepped =
            guarded(|| stored_form(&event), || workflow::step(&app, &live.job, now, &event));
        let step = match stepped {
            Ok(step) => step?,
            Err(words) => return Err(self.stumbled(turn, job, &event, &words)),
        };
        if step.is_empty() {
            return Ok(());
        }
        let before = cfg!(debug_assertions).then(|| live.job.clone());
        live.latest = now;
        self.forget_tokens(job, &step);
        let Some(live) = self.memory.jobs.get_mut(job) else { return Ok(()) };
        let digest_before = live.job.header.app.clone();
        step.apply(&mut live.job);
        if live.job.header.app != digest_before {
            live.app = app;
        }
        if let Some(before) = before {
            let legal = invariants::check_step(&before, &live.job, &step);
            debug_assert!(legal.is_ok(), "after {}: {legal:?}", event.name());
        }
        turn.line(job, now, &event);
        self.record(turn, job, &step);
        self.follow(turn, job, step.effects);
        Ok(())
    }

    /// Tokens of claims that this step ends are free again.
    fn forget_tokens(&mut self, job: &JobId, step: &workflow::Step) {
        let Some(live) = self.memory.jobs.get(job) else { return };
        let touched = step.actions.iter().map(|action| &action.name).chain(&step.gone);
        for name in touched {
            if let Some(claim) = live.job.action(name).and_then(|action| action.claim.as_ref()) {
                self.memory.tokens.remove(&claim.token);
            }
        }
    }

    /// Puts the rows of a step into the turn, and what they mean into the memory.
    fn record(&mut self, turn: &mut Turn, job: &JobId, step: &workflow::Step) {
        let woken_at = self.memory.jobs.get(job).and_then(|live| live.wake_at);
        self.memory.set_timer(job);
        let Some(live) = self.memory.jobs.get(job) else { return };
        let header = &live.job.header;
        let job_row = step.header.is_some() || live.wake_at != woken_at;
        for name in &step.gone {
            self.ready.withdraw(job, name);
            turn.action_gone(job, name);
        }
        let others = live
            .job
            .actions
            .values()
            .filter(|action| step.effects_are_complete && action.is_live());
        for action in step.actions.iter().chain(others) {
            let ready = workflow::is_offered(header, action);
            if !ready {
                self.ready.withdraw(job, &action.name);
            }
            if let Some(claim) = &action.claim {
                self.memory.tokens.insert(claim.token.clone(), (job.clone(), action.name.clone()));
            }
            turn.action(ActionRow { job: job.clone(), action: Arc::clone(action), ready });
        }
        if job_row {
            let conf = step.conf_changed.then(|| Arc::clone(&header.conf));
            turn.job(JobRow { header: Arc::new(header.clone()), due_at: live.wake_at, conf });
        }
    }

    /// Does what can be done at once, and keeps the rest for after the commit. Families recurse as deep as
    /// `oozie.action.subworkflow.max.depth` lets them.
    pub(crate) fn follow(&mut self, turn: &mut Turn, job: &JobId, effects: Vec<Effect>) {
        for effect in effects {
            self.follow_one(turn, job, effect);
        }
    }

    fn follow_one(&mut self, turn: &mut Turn, job: &JobId, effect: Effect) {
        let shard = job.shard(self.cluster.shards);
        match effect {
            Effect::Offer { action, of, pool, priority } => {
                self.ready.offer(Offer { job: job.clone(), action, of }, &pool, priority);
                turn.outputs.push(Output::Ring(pool, shard));
            }
            Effect::CreateChild(submission) => self.create_child(turn, &submission),
            Effect::Tell { job: other, event } => self.tell(turn, &other, *event),
            Effect::Stop { token, worker, .. } => {
                turn.outputs.push(Output::Stop(worker, job.clone(), token))
            }
            Effect::Wake { .. } => self.memory.set_timer(job),
            Effect::Continue => self.world.send_later(Message::Happened {
                job: job.clone(),
                event: Box::new(Event::Continued),
            }),
            Effect::Ask { action, of, questions } => {
                let errand = Errand::Ask(job.clone(), action.clone(), of);
                let user = self.user_of(job);
                self.outside(turn, errand, Outside::Ask { action, of, user, questions });
            }
            Effect::ReadChild { action, of, app_path, conf, parent, rerun_of } => {
                let errand = Errand::ReadChild(job.clone(), action.clone(), of);
                let user = self.user_of(job);
                self.outside(
                    turn,
                    errand,
                    Outside::ReadChild { action, of, user, app_path, conf, parent, rerun_of },
                );
            }
            Effect::Notify { number, url, proxy } => {
                self.outside(
                    turn,
                    Errand::Notify(job.clone(), number),
                    Outside::Notify { number, url, proxy },
                );
            }
        }
    }

    fn user_of(&self, job: &JobId) -> Arc<str> {
        self.memory
            .jobs
            .get(job)
            .map_or_else(|| "".into(), |live| Arc::clone(&live.job.header.user))
    }

    fn outside(&mut self, turn: &mut Turn, errand: Errand, outside: Outside) {
        if self.memory.errands.insert(errand.clone()) {
            turn.outputs.push(Output::Outside(errand, outside));
        }
    }

    fn create_child(&mut self, turn: &mut Turn, submission: &Submission) {
        match self.app_of(&submission.app) {
            Some(app) => {
                if let (Err(words), Some(parent)) =
                    (self.create(turn, app, submission), &submission.parent)
                {
                    let event = Event::Submitted(Box::new(submission.clone()));
                    self.stumbled(turn, &parent.job, &event, &words);
                }
            }
            None => {
                tracing::error!(job = %submission.id, app = %submission.app, "the application of a child is not in memory")
            }
        }
    }

    fn tell(&mut self, turn: &mut Turn, other: &JobId, event: Event) {
        let app = match &event {
            Event::Rerun(request) => self.app_of(&request.app),
            _ => None,
        };
        let name = event.name();
        if let Err(rejection) = self.step_with(turn, other, event, app) {
            tracing::debug!(job = %other, event = name, code = rejection.code, "news of the family without effect");
        }
    }

    fn app_of(&self, digest: &AppDigest) -> Option<Arc<WorkflowApp>> {
        self.world.apps.known(digest)
    }

    fn ticked(&mut self) {
        self.repeat_stops(None);
        self.ring_again();
        self.forget_done();
        self.start_load();
        self.world.publish_ready(self.ready.counts());
        self.world.look_after(&self.memory.shards);
    }

    /// Rings for work that nobody has claimed, and says so when nobody could.
    fn ring_again(&mut self) {
        for (pool, waiting) in self.ready.counts() {
            if !self.sessions.serve(&pool) {
                tracing::debug!(%pool, waiting, "no connected worker serves this pool");
            }
            self.world.bells.ring(&pool, Shard(0));
        }
    }
}

/// The outcome of the batch under way; never, when there is none.
async fn under_way(flight: &mut Option<Flight>) -> CommitOutcome {
    match flight {
        Some(flight) => flight.commit.as_mut().await,
        None => std::future::pending().await,
    }
}

/// FNV-1a, 64 bits: a stable hash for choosing shards.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
