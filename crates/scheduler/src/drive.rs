//! The loop: messages in, turns out, one batch under way at a time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::{Effect, Event, Submission, invariants, workflow};
use futures::future::BoxFuture;
use model::{AppDigest, JobId, NodeName, Shard, WorkflowApp};
use ports::store::{ActionRow, BATCH_ROWS_MAX, Cluster, CommitOutcome, JobRow};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::inbox::{ChildApp, Message};
use crate::loading::Loader;
use crate::member::{self, Member};
use crate::memory::{Errand, Live, Memory};
use crate::outside::World;
use crate::poison::{guarded, stored_form};
use crate::ready::{Offer, Ready};
use crate::sessions::Sessions;
use crate::turn::{Output, Outside, Turn, batch_of};

/// Messages handled before a batch is sent: bounds how long the first of them waits.
const MESSAGES_PER_ROUND_MAX: usize = 256;

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
    pub(crate) loader: Loader,
    pub(crate) member: Member,
    pub(crate) keys: HashMap<String, JobId>,
    pub(crate) key_order: VecDeque<String>,
    pub(crate) inbox: mpsc::Receiver<Message>,
    pub(crate) tick: Duration,
}

impl Driver {
    /// Runs until it is told to stop; what is under way is committed first.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut pulse = tokio::time::interval(member::TURN_INTERVAL);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks = tokio::time::interval(self.tick);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if !self.member.vacant.is_empty() {
                self.world.pulse.park(true);
                self.take_vacant().await;
                self.world.pulse.park(false);
            }
            self.send_batch();
            self.member.turned();
            let timer = self.time_to_next_timer();
            let full = self.pending_rows >= BATCH_ROWS_MAX;
            tokio::select! {
                biased;
                outcome = under_way(&mut self.flight) => {
                    self.world.pulse.park(true);
                    self.landed(outcome).await;
                    self.world.pulse.park(false);
                }
                () = shutdown.cancelled() => break,
                orders = self.member.next_orders() => {
                    self.world.pulse.park(true);
                    self.ordered(orders).await;
                    self.world.pulse.park(false);
                }
                _ = pulse.tick() => {}
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

    pub(crate) fn handle(&mut self, message: Message) {
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
            Message::Loaded { wanted, takes, read } => self.loaded(wanted, takes, read),
            Message::Vacant { shards } => self.member.vacant.extend(shards),
            Message::Lost { shards, seen } => self.lost(shards, &seen),
            Message::Purge { trees } => self.purge(trees),
        }
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

    pub(crate) fn child_read_loaded(
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
        self.publish_vitals();
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
