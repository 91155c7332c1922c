//! Rings on their way to NATS: kept one per subject, sent without waiting for each answer, dropped when nobody takes them.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use model::Shard;
use ports::bell::{Bell, Bells, Listener};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info, warn};

use crate::connection::Connection;
use crate::keeper::IN_FLIGHT_MAX;
use crate::listener::NatsListener;

/// Rings that wait while NATS is slow: as many subjects; more than that are dropped, and rung again by the next tick.
const WAITING_MAX: usize = 16_384;
/// A stream that was just made may not be known to every server of a cluster yet.
const AFTER_MAKING: Duration = Duration::from_millis(20);

/// Bells that ring over NATS. Clones share a queue; it ends with the last one.
#[derive(Clone, Debug)]
pub struct NatsBells {
    connection: Connection,
    waiting: Arc<Waiting>,
    _publishing: Arc<DropGuard>,
}

impl NatsBells {
    /// Bells over this connection. Needs a runtime, where it starts a task.
    pub fn new(connection: &Connection) -> NatsBells {
        let waiting = Arc::new(Waiting::default());
        let stop = CancellationToken::new();
        let publisher = Publisher::new(connection.clone(), Arc::clone(&waiting));
        tokio::spawn(stop.clone().run_until_cancelled_owned(publisher.publish()));
        let _publishing = Arc::new(stop.drop_guard());
        NatsBells { connection: connection.clone(), waiting, _publishing }
    }
}

impl Bell for NatsBells {
    fn ring(&self, pool: &str, shard: Shard) {
        let subject = self.connection.names().work(pool, shard);
        if !self.connection.is_usable() || !self.waiting.put(&subject) {
            self.connection.metrics().rings_dropped.inc();
        }
    }
}

impl Bells for NatsBells {
    fn listen(&self, pools: &[String]) -> Box<dyn Listener> {
        Box::new(NatsListener::new(self.connection.clone(), pools))
    }
}

/// Subjects to be rung, each once, in the order in which they were first rung.
#[derive(Default)]
struct Waiting {
    subjects: Mutex<Subjects>,
    some: Notify,
}

#[derive(Default)]
struct Subjects {
    order: VecDeque<Arc<str>>,
    known: HashSet<Arc<str>>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting(…)")
    }
}

impl Waiting {
    /// False when there is no room.
    fn put(&self, subject: &str) -> bool {
        let has_room = self.lock().put(subject);
        self.some.notify_one();
        has_room
    }

    /// The first ones; what is left calls again.
    fn take(&self, count_max: usize) -> Vec<Arc<str>> {
        let (taken, is_empty) = {
            let mut subjects = self.lock();
            (subjects.take(count_max), subjects.order.is_empty())
        };
        if !is_empty {
            self.some.notify_one();
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Subjects> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subjects {
    fn put(&mut self, subject: &str) -> bool {
        if self.known.contains(subject) {
            return true;
        }
        if self.order.len() >= WAITING_MAX {
            return false;
        }
        let subject: Arc<str> = Arc::from(subject);
        self.order.push_back(Arc::clone(&subject));
        self.known.insert(subject)
    }

    fn take(&mut self, count_max: usize) -> Vec<Arc<str>> {
        let taken: Vec<Arc<str>> = self.order.drain(..count_max.min(self.order.len())).collect();
        for subject in &taken {
            self.known.remove(subject);
        }
        taken
    }
}

/// What was rung, and what NATS says.
type Answer = (Arc<str>, Result<(), PublishError>);

/// The task that sends.
struct Publisher {
    connection: Connection,
    waiting: Arc<Waiting>,
    answers: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Whether the stream was made, or found, by this process.
    is_stream_known: bool,
    /// Nothing is sent until then.
    rest_until: Option<Instant>,
    /// Whether the trouble of now was told.
    is_trouble_told: bool,
}

impl Publisher {
    fn new(connection: Connection, waiting: Arc<Waiting>) -> Publisher {
        Publisher {
            connection,
            waiting,
            answers: FuturesUnordered::new(),
            is_stream_known: false,
            rest_until: None,
            is_trouble_told: false,
        }
    }

    async fn publish(mut self) {
        loop {
            let has_room = self.answers.len() < IN_FLIGHT_MAX;
            let rest_until = self.rest_until.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                Some(answer) = self.answers.next(), if !self.answers.is_empty() => {
                    self.answered(answer).await;
                }
                () = sleep_until(rest_until), if self.rest_until.is_some() => self.rest_until = None,
                () = self.waiting.some.notified(), if has_room && self.rest_until.is_none() => {
                    self.send_waiting().await;
                }
            }
        }
    }

    async fn send_waiting(&mut self) {
        let subjects = self.waiting.take(IN_FLIGHT_MAX - self.answers.len());
        if !subjects.is_empty() && !self.is_stream_known {
            self.is_stream_known = self.make_stream().await;
        }
        for subject in subjects {
            self.send(subject).await;
        }
    }

    async fn send(&mut self, subject: Arc<str>) {
        if !self.connection.is_usable() {
            return self.dropped();
        }
        let jetstream = self.connection.keeper().jetstream();
        match jetstream.send_publish(subject.to_string(), PublishMessage::build()).await {
            Ok(answer) => {
                self.answers.push(Box::pin(async move { (subject, answer.await.map(drop)) }));
            }
            Err(error) => self.failed(&error),
        }
    }

    async fn answered(&mut self, (subject, answer): Answer) {
        match answer {
            Ok(()) => self.rung(),
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.ring_again(&subject).await;
            }
            Err(error) => self.failed(&error),
        }
    }

    fn rung(&mut self) {
        self.connection.metrics().rings_sent.inc();
        if mem::take(&mut self.is_trouble_told) {
            info!("nats takes rings again");
        }
    }

    /// The stream is gone, or has no leader.
    async fn ring_again(&mut self, subject: &str) {
        self.rest_until = Some(Instant::now() + AFTER_MAKING);
        if !self.make_stream().await || !self.waiting.put(subject) {
            self.dropped();
        }
    }

    async fn make_stream(&mut self) -> bool {
        let made = self.connection.keeper().make_stream().await;
        if let Err(error) = &made {
            self.tell(error);
        }
        made.is_ok()
    }

    fn failed(&mut self, error: &PublishError) {
        self.tell(error);
        self.dropped();
    }

    fn dropped(&self) {
        self.connection.metrics().rings_dropped.inc();
    }

    /// Once per outage.
    fn tell(&mut self, error: &dyn fmt::Display) {
        if mem::replace(&mut self.is_trouble_told, true) {
            debug!(%error, "ring is dropped");
        } else {
            warn!(%error, "nats takes no rings: they are dropped until it does");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_waits_once_and_in_order() {
        let waiting = Waiting::default();
        for subject in ["b", "a", "b", "c"] {
            assert!(waiting.put(subject));
        }
        assert_eq!(waiting.take(2), [Arc::from("b"), Arc::from("a")]);
        assert!(waiting.put("b"));
        assert_eq!(waiting.take(9), [Arc::from("c"), Arc::from("b")]);
        assert!(waiting.take(9).is_empty());
    }

    #[test]
    fn the_queue_is_bounded() {
        let waiting = Waiting::default();
        assert!((0..WAITING_MAX).all(|number| waiting.put(&number.to_string())));
        assert!(!waiting.put("one more"));
        assert!(waiting.put("7"));
        assert_eq!(waiting.take(usize::MAX).len(), WAITING_MAX);
    }
}
