//! The actor: one loop that owns what is held, speaks with the scheduler, and starts a task per attempt.
//!
//! ```text
//!            session.from_scheduler ──► hear      ┌─► Slots (claims)      ┐
//!  bells, tick ───────────────────────► want ─────┤   held attempts       ├─► outbox ──► session.to_scheduler
//!            tasks of attempts ───────► ended ────┘   tombstones          ┘
//! ```
//! Without a session everything runs on; what should have been said is said when there is one again, from what is held.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{AttemptResult, ErrorClass, JobId, Nonce, Success, Token};
use ports::bell::Bells;
use ports::clock::{Clock, Entropy};
use ports::crash;
use ports::files::Files;
use ports::work::{FromWorker, Grant, Hello, Session, ToWorker, WorkSource};
use tokio::sync::mpsc;
use tokio::task::{self, JoinHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::actions::NOOP;
use crate::attempt_dir::AttemptDir;
use crate::begin::{self, Found};
use crate::claim::{Mint, Slots};
use crate::config::Config;
use crate::failure::{WORKER_TROUBLE, at_start};
use crate::held::{Held, HeldState};
use crate::outcome::Ending;
use crate::session;
use crate::spool::{Entry, EntryState};
use crate::supervise::{Attempt, Context, Progress};
use crate::tombstones::Tombstones;

/// Without bells work is asked for so often (architecture §1.7).
const ASK_INTERVAL: Duration = Duration::from_millis(500);
/// Between two beats.
const BEAT_INTERVAL: Duration = Duration::from_secs(5);
/// Messages that wait for a slow scheduler; one that is slower is left, and told everything anew.
const OUTBOX_MAX: usize = 16_384;
/// News from tasks that wait for the loop; the tasks wait too when it is full.
const NEWS_MAX: usize = 256;

/// What a worker needs from the world.
#[derive(Clone)]
pub struct Ports {
    /// Where work comes from.
    pub source: Arc<dyn WorkSource>,
    /// Hints that there is some.
    pub bells: Arc<dyn Bells>,
    /// The file systems of definitions and data.
    pub files: Arc<dyn Files>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports(…)")
    }
}

/// A worker.
#[derive(Clone, Copy, Debug)]
pub struct Worker(());

impl Worker {
    /// Starts a worker, which goes on with what a former one on the same directory had begun. It ends at `shutdown`,
    /// and leaves what runs to its supervisors.
    pub fn start(config: Config, ports: Ports, shutdown: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = work(config, ports) => {}
            }
        })
    }
}

async fn work(config: Config, ports: Ports) {
    let Found { binary, spool, entries, orphans } = begin::find(&config).await;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (files, clock) = (Arc::clone(&ports.files), Arc::clone(&ports.clock));
    let context = Arc::new(Context { config, binary, files, clock, spool, host });
    task::spawn_blocking(move || begin::remove_orphans(&orphans));
    let (mut actor, inputs) = Actor::new(context, ports);
    actor.remember(entries);
    actor.run(inputs).await;
}

/// What the loop waits for besides the session.
struct Inputs {
    bells: mpsc::Receiver<String>,
    progress: mpsc::Receiver<Progress>,
    opened: mpsc::Receiver<Session>,
    ask: Interval,
    beat: Interval,
}

struct Actor {
    context: Arc<Context>,
    ports: Ports,
    incarnation: Nonce,
    slots: Slots,
    held: BTreeMap<Token, Held>,
    tombstones: Tombstones,
    tasks: JoinSet<(Token, Ending)>,
    tokens_of_tasks: HashMap<task::Id, Token>,
    progress: mpsc::Sender<Progress>,
    opened: mpsc::Sender<Session>,
    to_scheduler: Option<mpsc::Sender<FromWorker>>,
    from_scheduler: Option<mpsc::Receiver<ToWorker>>,
    outbox: VecDeque<FromWorker>,
    /// Helpers that end with the actor: bells, connecting.
    helpers: JoinSet<()>,
}

impl Actor {
    fn new(context: Arc<Context>, ports: Ports) -> (Actor, Inputs) {
        let (progress, progress_heard) = mpsc::channel(NEWS_MAX);
        let (opened, sessions) = mpsc::channel(1);
        let (bells, bells_heard) = mpsc::channel(NEWS_MAX);
        let incarnation = ports.entropy.nonce();
        let mut helpers = JoinSet::new();
        helpers.spawn(session::pass_on(ports.bells.listen(&context.config.pools), bells));
        let slots = Slots::new(context.config.slots, Mint::new(incarnation));
        let actor = Actor {
            context,
            ports,
            incarnation,
            slots,
            held: BTreeMap::new(),
            tombstones: Tombstones::default(),
            tasks: JoinSet::new(),
            tokens_of_tasks: HashMap::new(),
            progress,
            opened,
            to_scheduler: None,
            from_scheduler: None,
            outbox: VecDeque::new(),
            helpers,
        };
        let (ask, beat) = (ticker(ASK_INTERVAL), ticker(BEAT_INTERVAL));
        (
            actor,
            Inputs { bells: bells_heard, progress: progress_heard, opened: sessions, ask, beat },
        )
    }

    /// Takes up what a former process had begun.
    fn remember(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let (token, grant) = (entry.grant.token.clone(), Arc::new(entry.grant.clone()));
            let state = match &entry.state {
                EntryState::Finished { result } => HeldState::Finished(result.clone()),
                EntryState::Stopped => HeldState::Stopped,
                EntryState::Granted | EntryState::Started { .. } => {
                    self.spawn(&grant, move |attempt| async move {
                        attempt.run_remembered(&entry).await
                    })
                }
            };
            self.held.insert(token, Held { grant, state });
        }
    }

    fn spawn<F: Future<Output = Ending> + Send + 'static>(
        &mut self,
        grant: &Arc<Grant>,
        run: impl FnOnce(Attempt) -> F,
    ) -> HeldState {
        let stop = CancellationToken::new();
        let attempt = Attempt::new(
            Arc::clone(&self.context),
            Arc::clone(grant),
            stop.clone(),
            self.progress.clone(),
        );
        let (token, ending) = (grant.token.clone(), run(attempt));
        let task = self.tasks.spawn(async move { (token, ending.await) });
        self.tokens_of_tasks.insert(task.id(), grant.token.clone());
        self.slots.occupy();
        HeldState::Running { stop }
    }

    async fn run(mut self, mut inputs: Inputs) {
        self.connect();
        loop {
            self.claim();
            self.show_numbers();
            tokio::select! {
                biased;
                message = session::heard(&mut self.from_scheduler) => match message {
                    Some(message) => self.hear(message),
                    None => self.leave_session("it was closed"),
                },
                sent = session::send_first(self.to_scheduler.as_ref(), &mut self.outbox), if !self.outbox.is_empty() => {
                    if !sent {
                        self.leave_session("it takes no messages");
                    }
                }
                Some(joined) = self.tasks.join_next_with_id() => self.task_joined(joined),
                Some(session) = inputs.opened.recv() => self.enter_session(session),
                Some(progress) = inputs.progress.recv() => self.tell_progress(progress),
                Some(pool) = inputs.bells.recv() => self.slots.want(&pool),
                _ = inputs.ask.tick() => self.ask_everywhere(),
                _ = inputs.beat.tick() => self.beat(),
            }
        }
    }

    // ---- the session ----

    fn connect(&mut self) {
        let hello = Hello {
            worker: self.context.config.worker.clone(),
            incarnation: self.incarnation.0,
            pools: self.context.config.pools.clone(),
            // Nothing is granted or acknowledged without a session, so this stays true until there is one.
        };
        self.helpers.spawn(session::connect(
            Arc::clone(&self.ports.source),
            Arc::clone(&self.ports.entropy),
            hello,
            self.opened.clone(),
        ));
    }

    fn enter_session(&mut self, session: Session) {
        info!(held = self.held.len(), "session opened");
        (self.to_scheduler, self.from_scheduler) =
            (Some(session.to_scheduler), Some(session.from_scheduler));
        let untold: Vec<FromWorker> =
            self.held.values().filter_map(|held| held.last_words(None)).collect();
        self.outbox.extend(untold);
        self.ask_everywhere();
    }

    fn leave_session(&mut self, why: &str) {
        warn!(why, "session is over, opening another");
        (self.to_scheduler, self.from_scheduler) = (None, None);
        self.outbox.clear();
        self.slots.forget_claims();
        // Tokens of this session are void from now on, so no grant can meet a stone any more.
        self.tombstones = Tombstones::default();
        self.connect();
    }

    fn is_connected(&self) -> bool {
        self.to_scheduler.is_some()
    }

    fn say(&mut self, message: FromWorker) {
        if !self.is_connected() {
            return;
        }
        self.outbox.push_back(message);
        if self.outbox.len() > OUTBOX_MAX {
            self.leave_session("it is too slow");
        }
    }

    fn claim(&mut self) {
        while self.is_connected()
            && let Some((pool, tokens)) = self.slots.next_claim()
        {
            self.say(FromWorker::Claim { pool, tokens });
        }
    }

    fn ask_everywhere(&mut self) {
        for pool in &self.context.config.pools {
            self.slots.want(pool);
        }
        if self.slots.is_answer_overdue() {
            self.leave_session("a claim was not answered");
        }
    }

    fn beat(&mut self) {
        let running =
            self.held.iter().filter(|(_, held)| matches!(held.state, HeldState::Running { .. }));
        let tokens: Vec<Token> = running.map(|(token, _)| token.clone()).collect();
        if !tokens.is_empty() {
            self.say(FromWorker::Beat { tokens });
        }
    }

    fn tell_progress(&mut self, progress: Progress) {
        if let Some(held) = self.held.get(&progress.token) {
            let (job, action) = (held.grant.job.clone(), held.grant.action.clone());
            let external_id = Some(progress.external_id);
            self.say(FromWorker::Progressed {
                job,
                action,
                token: progress.token,
                external_id,
                console_url: None,
            });
        }
    }

    // ---- what the scheduler says ----

    fn hear(&mut self, message: ToWorker) {
        match message {
            ToWorker::Grants { pool, grants } => {
                crash::point("before_grants_taken");
                let tokens: Vec<&Token> = grants.iter().map(|grant| &grant.token).collect();
                self.slots.answered(&pool, &tokens);
                grants.into_iter().for_each(|grant| self.take(grant));
                crash::point("after_grants_taken");
            }
            ToWorker::FinishAcknowledged { token } => self.finish_acknowledged(&token),
            ToWorker::Stop { job, token } => {
                crash::point("after_stop_heard");
                self.stop(job, token);
            }
            ToWorker::StoppedAcknowledged { token } => self.stopped_acknowledged(&token),
            ToWorker::Owns { number, .. } => {
                let held = self.held.values().map(Held::listed).collect();
                self.say(FromWorker::Holds { number, held });
            }
        }
    }

    fn take(&mut self, grant: Grant) {
        let token = grant.token.clone();
        if self.held.contains_key(&token) {
            return debug!(%token, "grant is known already");
        }
        if self.tombstones.has(&token) || !self.slots.is_token_of_this_session(&token) {
            info!(%token, job = %grant.job, "grant came after its stop, or was not asked for: not started");
            return self.say(FromWorker::Stopped { job: grant.job, token });
        }
        let grant = Arc::new(grant);
        if &*grant.kind == NOOP {
            return self.answer_noop(grant);
        }
        info!(%token, job = %grant.job, action = %grant.action, attempt = %grant.attempt, "attempt granted");
        let state = self.spawn(&grant, |attempt| attempt.run_new());
        self.held.insert(token, Held { grant, state });
    }

    /// Nothing is to be done, and nothing to be remembered: an answer that is lost is given again by whoever claims next.
    fn answer_noop(&mut self, grant: Arc<Grant>) {
        let success = Success { external_status: Some("OK".to_owned()), ..Success::default() };
        let result = AttemptResult::Succeeded(success);
        let token = grant.token.clone();
        self.held.insert(
            token.clone(),
            Held { grant, state: HeldState::Running { stop: CancellationToken::new() } },
        );
        self.slots.occupy();
        self.ended(&token, Ending::Result(result));
    }

    fn stop(&mut self, job: JobId, token: Token) {
        match self.held.get(&token).map(|held| &held.state) {
            Some(HeldState::Running { stop }) => stop.cancel(),
            // Its `Finish` is on its way and answers the stop too.
            Some(HeldState::Finished(_)) => {}
            Some(HeldState::Stopped) => self.say(FromWorker::Stopped { job, token }),
            None => {
                self.tombstones.put(token.clone());
                self.say(FromWorker::Stopped { job, token });
            }
        }
    }

    fn finish_acknowledged(&mut self, token: &Token) {
        if matches!(self.held.get(token), Some(Held { state: HeldState::Finished(_), .. })) {
            self.forget(token);
        }
    }

    fn stopped_acknowledged(&mut self, token: &Token) {
        self.tombstones.take_away(token);
        if matches!(self.held.get(token), Some(Held { state: HeldState::Stopped, .. })) {
            self.forget(token);
        }
    }

    /// The end is committed: nothing of the attempt is needed any more but its logs.
    fn forget(&mut self, token: &Token) {
        let Some(held) = self.held.remove(token) else { return };
        crash::point("after_acknowledgement");
        if &*held.grant.kind == NOOP {
            return;
        }
        let context = Arc::clone(&self.context);
        task::spawn_blocking(move || {
            let token = &held.grant.token;
            let dir = AttemptDir::of(&context.config.work_dir, &held.grant);
            if let Err(error) = dir.remove() {
                warn!(%token, error = %error, "attempt directory stays");
            }
            if let Err(error) = context.spool.remove(token) {
                warn!(%token, error = %error, "spool entry stays");
            }
        });
    }

    // ---- what tasks say ----

    fn task_joined(&mut self, joined: Result<(task::Id, (Token, Ending)), task::JoinError>) {
        match joined {
            Ok((id, (token, ending))) => {
                self.tokens_of_tasks.remove(&id);
                self.ended(&token, ending);
            }
            Err(error) => {
                let Some(token) = self.tokens_of_tasks.remove(&error.id()) else { return };
                warn!(%token, error = %error, "task of an attempt broke");
                let message = "the worker made a mistake while it looked after the attempt; its log says more";
                let failure = at_start(ErrorClass::Error, WORKER_TROUBLE, message);
                self.ended(&token, Ending::Result(AttemptResult::Failed(*failure)));
            }
        }
    }

    fn ended(&mut self, token: &Token, ending: Ending) {
        let Some(held) = self.held.get_mut(token) else { return };
        self.slots.release();
        self.context.config.metrics.count_end(&held.grant.kind, ending.word());
        held.state = match ending {
            Ending::Result(result) => HeldState::Finished(result),
            Ending::Stopped => HeldState::Stopped,
        };
        let next = match (&self.to_scheduler, &held.state) {
            (Some(_), HeldState::Finished(_)) => self.slots.claim_freed(&held.grant.pool),
            _ => None,
        };
        if let Some(message) = held.last_words(next) {
            self.say(message);
        }
    }

    fn show_numbers(&self) {
        let metrics = &self.context.config.metrics;
        metrics.set_slots(self.context.config.slots, self.slots.busy(), self.held.len());
        metrics.set_connected(self.is_connected());
    }
}

fn ticker(period: Duration) -> Interval {
    let mut ticker = interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
