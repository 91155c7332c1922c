//! One job's trouble stays that job's (architecture §4, "Poison").
//!
//! A panic of the engine is caught, and so is an event that the database refuses: the job is SUSPENDED with a code of its own,
//! the event is kept for a person, everybody else goes on. A resume tries what was kept again, before anything else: what a
//! worker reported once is not reported twice, and its work must not be done twice.
//!
//! A refused batch is unwound as a whole: every job that it touches goes back to what is stored, and then the events from
//! outside that its turns were made of are stepped and committed again, one by one and in their order. Nothing that was
//! computed from a state that the database refused is ever written.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::{Event, Rejection};
use model::job::{JobHeader, Reason};
use model::{AppDigest, JobId, Shard, WorkflowApp};
use ports::api::{ApiError, ApiErrorKind};
use ports::store::{AppSource, CommitOutcome, QuarantinedEvent, Store, StoreError};
use ports::work::ToWorker;

use crate::drive::{Driver, Flight};
use crate::memory::Held;
use crate::outcomes::{AGAIN_FIRST, AGAIN_MAX, unknown};
use crate::turn::{Output, Parts, Turn, answer, moved};

/// The engine panicked.
pub(crate) const STUMBLED: &str = "HW1020";
/// The database refuses what an event leads to.
pub(crate) const REFUSED: &str = "HW1021";
/// Kept events that are looked through for those of one job, newest first: beyond them a person has to look.
const KEPT_MAX: u32 = 1_000;

/// Runs a piece of the engine; a panic in it comes back as its words. `stored_form` is that of the event, for planted panics.
pub(crate) fn guarded<T>(
    stored_form: impl FnOnce() -> String,
    run: impl FnOnce() -> T,
) -> Result<T, String> {
    let run = || {
        assert!(!ports::crash::is_panic_planted(stored_form), "a panic was planted here");
        run()
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_words(panic.as_ref()))
}

/// An event as it is stored.
pub(crate) fn stored_form(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_else(|error| format!("unreadable: {error}"))
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

/// Whether the job was set aside and not resumed since.
pub(crate) fn stands_aside(header: &JobHeader) -> bool {
    header.reason.as_ref().is_some_and(|reason| [STUMBLED, REFUSED].contains(&&*reason.code))
}

/// What was put aside of a job and tells news of the world, oldest first. The rest is asked, read or sent anew by a resume.
pub(crate) async fn kept(store: &dyn Store, job: &JobId) -> Result<Vec<Event>, StoreError> {
    let mut events: Vec<Event> = Vec::new();
    for kept in store.quarantined(KEPT_MAX).await?.into_iter().rev() {
        let Some(event) = (kept.job == *job).then(|| serde_json::from_str(&kept.event).ok()) else {
            continue;
        };
        events.extend(event.filter(|event| is_news(event) && !events.contains(event)));
    }
    Ok(events)
}

fn is_news(event: &Event) -> bool {
    match event {
        Event::Progressed { .. }
        | Event::Finished { .. }
        | Event::Returned { .. }
        | Event::Stopped { .. }
        | Event::ChildChanged { .. } => true,
        Event::Submitted(_)
        | Event::Started
        | Event::Suspended
        | Event::Resumed
        | Event::Killed
        | Event::Rerun(_)
        | Event::Answered { .. }
        | Event::Claimed { .. }
        | Event::ChildRead { .. }
        | Event::ChildRefused { .. }
        | Event::Woke
        | Event::Notified { .. }
        | Event::Continued
        | Event::Quarantined { .. } => false,
    }
}

impl Driver {
    /// Tries what was kept of a job again, before it is resumed; refuses when the engine still stumbles over it.
    pub(crate) fn retry(&mut self, turn: &mut Turn, job: &JobId) -> Result<(), Rejection> {
        let kept = self.memory.jobs.get_mut(job).map(|live| std::mem::take(&mut live.kept));
        let mut kept = kept.unwrap_or_default().into_iter();
        while let Some(event) = kept.next() {
            match self.step(turn, job, event) {
                Err(rejection) if rejection.code == STUMBLED => {
                    if let Some(live) = self.memory.jobs.get_mut(job) {
                        live.kept.extend(kept);
                    }
                    return Err(rejection);
                }
                // News that came late is absorbed.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Sets a job aside whose event made the engine panic; answers what a person who asked for it is told.
    pub(crate) fn stumbled(
        &mut self,
        turn: &mut Turn,
        job: &JobId,
        event: &Event,
        words: &str,
    ) -> Rejection {
        let message = format!("the engine stumbled over `{}`: {words}", event.name());
        self.quarantine(turn, job, event, STUMBLED, &message);
        let message = format!("job {job} was set aside: {message}; please report it");
        Rejection { code: STUMBLED, message, silent: false }
    }

    /// Sets a job aside: SUSPENDED with a reason, the event kept for a person.
    pub(crate) fn quarantine(
        &mut self,
        turn: &mut Turn,
        job: &JobId,
        event: &Event,
        code: &str,
        message: &str,
    ) {
        tracing::error!(%job, event = event.name(), code, message, "job quarantined");
        self.world.metrics.quarantined();
        turn.quarantined(QuarantinedEvent {
            job: job.clone(),
            at: self.world.clock.now(),
            event: stored_form(event),
            why: format!("{code}: {message}"),
        });
        if let Some(live) = self.memory.jobs.get_mut(job).filter(|_| is_news(event)) {
            live.kept.push(event.clone());
        }
        let message = format!("{message}; resume the job to try again, or kill it");
        let reason = Reason { code: code.to_owned(), message };
        if !matches!(event, Event::Quarantined { .. }) {
            self.absorb(turn, job, Event::Quarantined { reason });
        }
    }

    /// The database refuses something in this batch for good: the batch and what was to follow it are made anew, event by
    /// event, and the jobs of the guilty ones stand aside.
    pub(crate) async fn rejected(&mut self, flight: Flight, why: &str) {
        let mut turns = flight.turns;
        turns.append(&mut self.pending);
        self.pending_rows = 0;
        tracing::warn!(
            turns = turns.len(),
            why,
            "the database refuses a batch; each event goes alone"
        );
        let touched: BTreeSet<JobId> = turns.iter().flat_map(Turn::jobs_touched).collect();
        self.back_to_stored(touched).await;
        for turn in turns {
            self.redo(turn.into_parts()).await;
        }
    }

    /// Forgets what is in memory of these jobs and reads what is stored of them.
    async fn back_to_stored(&mut self, jobs: BTreeSet<JobId>) {
        self.keys.retain(|_, job| !jobs.contains(job));
        for job in &jobs {
            self.ready.withdraw_job(job);
            self.memory.remove(job);
            self.memory.errands.retain(|errand| errand.job() != job);
        }
        let jobs: Vec<JobId> = jobs.into_iter().collect();
        let mut wait = AGAIN_FIRST;
        loop {
            match self.world.read_all(&jobs).await {
                Ok(read) => return self.came(read),
                Err(error) => {
                    tracing::error!(%error, "cannot read jobs again; trying again");
                    self.member.turned();
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(AGAIN_MAX);
                }
            }
        }
    }

    /// Makes a turn again, event by event, and answers who waits for it by what came of it now.
    async fn redo(&mut self, parts: Parts) {
        let get = |(digest, source): (&AppDigest, &Arc<AppSource>)| {
            Some((digest.clone(), self.world.apps.get(digest, source).ok()?))
        };
        let apps: BTreeMap<AppDigest, Arc<WorkflowApp>> =
            parts.apps.iter().filter_map(get).collect();
        let held = self.memory.shards.clone();
        let mut outcome = Ok(());
        for (job, event) in &parts.causes {
            outcome = outcome.and(self.alone(job, event, &parts, &apps).await);
        }
        for output in parts.outputs {
            self.release_redone(output, &held, outcome.clone());
        }
    }

    /// Steps and commits one event; it is put aside when the database refuses it, and says so.
    async fn alone(
        &mut self,
        job: &JobId,
        event: &Event,
        parts: &Parts,
        apps: &BTreeMap<AppDigest, Arc<WorkflowApp>>,
    ) -> Result<(), ApiError> {
        let held = self.memory.shards.clone();
        if !self.still_holds(job, &held) {
            return Err(moved());
        }
        let mut turn = Turn::default();
        for (digest, source) in &parts.apps {
            turn.app(digest.clone(), Arc::clone(source));
        }
        let stepped = self.step_again(&mut turn, job, event, parts, apps);
        self.push(turn);
        match self.land().await {
            None if !self.still_holds(job, &held) => Err(unknown()),
            None => stepped.map_err(|rejection| {
                let kind = match rejection.code {
                    STUMBLED => ApiErrorKind::Internal,
                    _ => ApiErrorKind::BadRequest,
                };
                ApiError::new(kind, rejection.code, rejection.message)
            }),
            Some((touched, why)) => {
                self.back_to_stored(touched).await;
                self.blame(job, event, &why).await;
                Err(quarantined_error())
            }
        }
    }

    /// Whether the shard of a job is still held as it was: neither lost nor taken again.
    fn still_holds(&self, job: &JobId, before: &BTreeMap<Shard, Held>) -> bool {
        let shard = job.shard(self.cluster.shards);
        match (self.memory.shards.get(&shard), before.get(&shard)) {
            (Some(now), Some(before)) => now.nonce == before.nonce,
            _ => false,
        }
    }

    fn step_again(
        &mut self,
        turn: &mut Turn,
        job: &JobId,
        event: &Event,
        parts: &Parts,
        apps: &BTreeMap<AppDigest, Arc<WorkflowApp>>,
    ) -> Result<(), Rejection> {
        let refused = |code, message: String| Rejection { code, message, silent: false };
        let app_of = |digest: &AppDigest| {
            let words =
                || refused("HW1011", "the application cannot be read a second time".to_owned());
            apps.get(digest).cloned().ok_or_else(words)
        };
        let stepped = match event {
            Event::Submitted(submission) => {
                let app = app_of(&submission.app)?;
                for (key, job) in parts.submissions.iter().filter(|(_, of)| of == job) {
                    turn.submission(key.clone(), job.clone());
                    self.remember_key(key.clone(), job);
                }
                turn.cause(job, event);
                let created = self.create(turn, app, submission);
                return created.map_err(|words| {
                    refused(STUMBLED, format!("the engine stumbled over `submitted`: {words}"))
                });
            }
            Event::Rerun(request) => {
                self.step_with(turn, job, event.clone(), Some(app_of(&request.app)?))
            }
            Event::Claimed { claim, .. } if self.memory.tokens.contains_key(&claim.token) => {
                Err(refused("HW1003", format!("token {} is held already", claim.token)))
            }
            _ => self.step(turn, job, event.clone()),
        };
        stepped.or_else(|rejection| if rejection.silent { Ok(()) } else { Err(rejection) })
    }

    /// Sends what has gathered, whatever that takes; answers what it touches when the database refuses it.
    async fn land(&mut self) -> Option<(BTreeSet<JobId>, String)> {
        loop {
            self.send_batch();
            let mut flight = self.flight.take()?;
            match flight.commit.as_mut().await {
                CommitOutcome::Rejected(why) => {
                    let touched = flight.turns.iter().flat_map(Turn::jobs_touched).collect();
                    return Some((touched, why));
                }
                other => {
                    self.flight = Some(flight);
                    Box::pin(self.landed(other)).await;
                }
            }
        }
    }

    /// Quarantines a job for an event whose outcome the database refuses.
    async fn blame(&mut self, job: &JobId, event: &Event, why: &str) {
        let mut aside = Turn::default();
        let message = format!("the database refuses what `{}` leads to: {why}", event.name());
        self.quarantine(&mut aside, job, event, REFUSED, &message);
        self.push(aside);
        if let Some((_, why)) = self.land().await {
            tracing::error!(%job, why, "a quarantine could not be written");
        }
    }

    /// What still leaves of a turn that was made again: what its events lead to left already; a grant counts only when its
    /// claim is held now; a worker's result counts as acknowledged, or it would come for ever (L-1).
    fn release_redone(
        &mut self,
        output: Output,
        held: &BTreeMap<Shard, Held>,
        outcome: Result<(), ApiError>,
    ) {
        match output {
            Output::Id(reply, job) => answer(reply, outcome.map(|()| job)),
            Output::Done(reply, ..) => answer(reply, outcome),
            Output::ToWorker(session, ToWorker::Grants { pool, mut grants }) => {
                grants.retain(|grant| {
                    let holder = self.memory.tokens.get(&grant.token);
                    holder.is_some_and(|(job, action)| *job == grant.job && *action == grant.action)
                });
                self.sessions.send(session, ToWorker::Grants { pool, grants });
            }
            Output::Acknowledge(session, job, message) => {
                if self.still_holds(&job, held) {
                    self.sessions.send(session, message);
                }
            }
            Output::ToWorker(session, message) => self.sessions.send(session, message),
            Output::Stop(..) | Output::StopUnknown(..) | Output::Outside(..) | Output::Ring(..) => {
            }
        }
    }
}

fn quarantined_error() -> ApiError {
    let words = "the job was set aside just now, because the database refuses what this leads to; see `howdah explain`";
    ApiError::new(ApiErrorKind::Unavailable, REFUSED, words)
}
