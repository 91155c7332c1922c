//! One job's trouble stays that job's (architecture §4, "Poison").
//!
//! A panic of the engine is caught, and so is an event that the database refuses: the job is SUSPENDED with a code of its own,
//! the event is kept for a person, everybody else goes on. A resume tries what was kept again, before anything else: what a
//! worker reported once is not reported twice, and its work must not be done twice.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::{Event, Rejection};
use model::JobId;
use model::job::{JobHeader, Reason};
use ports::store::{QuarantinedEvent, Store, StoreError};

use crate::drive::Driver;
use crate::turn::Turn;

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
}
