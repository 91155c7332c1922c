//! The worker's end of the bells.
//!
//! A *round* is one pull of one bell for each pool, all answered to an inbox of the round's own. When the round is over,
//! for whatever reason, the inbox goes, and the server forgets the pulls with it: bells are asked for only while somebody
//! awaits one, and a worker without a free slot leaves them to the others. A round lasts at most five seconds.
//!
//! ```text
//!  pull for each pool ──► bell ────────────────► acknowledge it, keep those that came along, tell
//!        ▲                heartbeat ───────────► go on waiting
//!        │◄────────────── over (408), lost ───── at once
//!        │◄── pause ───── ended (409), silence ─ the consumer moved, or its server died
//!        └◄── make it ─── nobody answers (503) ─ the consumer is gone, perhaps the stream too
//! ```
//! Bells of other pools that came along are kept without an acknowledgement, for whoever awaits the next one at once. What
//! nobody awaits soon is forgotten here, before the server gives it to another worker.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use ports::bell::{Listener, Ring};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, warn};

use crate::connection::{Connection, Session};
use crate::keeper::ACK_WAIT;
use crate::pace;

/// How long the server keeps a pull.
const PULL: Duration = Duration::from_secs(4);
/// How long a round lasts, whatever the server does.
const ROUND_MAX: Duration = Duration::from_secs(5);
/// The server says so often that it still keeps a pull.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A pull about which nothing was said for so long is lost.
const SILENCE_MAX: Duration = Duration::from_millis(2_200);
/// Between two rounds that fail: the first pause, and the longest.
const RETRY_MS_MIN: u64 = 20;
const RETRY_MS_MAX: u64 = 1_000;
/// The bell is heard.
const ACKNOWLEDGED: Bytes = Bytes::from_static(b"+ACK");
/// Somebody else may have the bell, at once.
const GIVEN_BACK: Bytes = Bytes::from_static(b"-NAK");
/// Longer than a message is on its way in a machine room.
const LATE_MAX: Duration = Duration::from_millis(5);
/// A bell that came along is kept so long: well before the server gives it to somebody else ([`ACK_WAIT`]).
const KEPT: Duration = ACK_WAIT.checked_div(2).expect("two is not zero");

/// Hears the rings of its pools. Dropping what [`Listener::heard`] returned, before it is ready, loses at most the one ring
/// that came at that moment.
pub(crate) struct NatsListener {
    connection: Connection,
    pools: Vec<String>,
    /// Bells that came along with the last one: at most one of each pool.
    kept: VecDeque<(Ring, Message)>,
    kept_until: Instant,
    /// Rounds that have failed in a row.
    failures: u32,
}

impl fmt::Debug for NatsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsListener").field(&self.pools).finish()
    }
}

/// How a round ended.
enum Round {
    /// A bell.
    Rung(Ring),
    /// As it should.
    Over,
    /// It should not have.
    Failed(String),
    /// A pool has no consumer.
    NoConsumer,
}

/// What a message means.
enum Said {
    Bell(Ring),
    /// Somebody else has put it into the stream.
    NoBell,
    StillWaiting(usize),
    End(Round),
}

#[async_trait]
impl Listener for NatsListener {
    async fn heard(&mut self) -> Option<String> {
        self.heard_ring().await.map(|ring| ring.pool)
    }

    async fn heard_ring(&mut self) -> Option<Ring> {
        if self.pools.is_empty() {
            return std::future::pending().await;
        }
        if let Some(ring) = self.take_kept().await {
            return Some(self.tell(ring));
        }
        loop {
            let session = self.connection.usable().await?;
            match self.round(session).await {
                Round::Rung(ring) => return Some(self.tell(ring)),
                Round::Over => self.failures = 0,
                Round::Failed(why) => self.pause(&why).await,
                Round::NoConsumer => self.make_consumers().await,
            }
        }
    }
}

impl NatsListener {
    pub(crate) fn new(connection: Connection, pools: &[String]) -> NatsListener {
        let (kept, kept_until) = (VecDeque::new(), Instant::now());
        NatsListener { connection, pools: pools.to_vec(), kept, kept_until, failures: 0 }
    }

    fn tell(&mut self, ring: Ring) -> Ring {
        self.failures = 0;
        self.connection.metrics().rings_heard.inc();
        ring
    }

    async fn pause(&mut self, why: &str) {
        self.failures = self.failures.saturating_add(1);
        debug!(why, failures = self.failures, "pulling a bell failed");
        sleep(pace::pause(self.failures, RETRY_MS_MIN, RETRY_MS_MAX)).await;
    }

    /// What is missing for one pool is usually missing for all.
    async fn make_consumers(&mut self) {
        for pool in &self.pools {
            if let Err(error) = self.connection.keeper().make_consumer(pool).await {
                if self.failures == 0 {
                    warn!(pool, %error, "bells of a pool cannot be heard, trying again");
                }
                break;
            }
        }
        // Also after success: the servers of a cluster may not have told each other yet, and then it must not spin.
        self.pause("a consumer was missing").await;
    }

    async fn round(&mut self, session: Session) -> Round {
        let inbox = self.connection.client().new_inbox();
        let mut answers = match self.connection.client().subscribe(format!("{inbox}.*")).await {
            Ok(answers) => answers,
            Err(error) => return Round::Failed(error.to_string()),
        };
        let connection = self.connection.clone();
        let ended;
        tokio::select! {
            biased;
            () = connection.lost(session) => ended = Round::Over,
            round = self.await_bell(&inbox, &mut answers) => ended = round,
        }
        if self.pools.len() > 1 {
            tokio::spawn(give_back(connection.client().clone(), answers));
        }
        ended
    }

    async fn await_bell(&mut self, inbox: &str, answers: &mut Subscriber) -> Round {
        if let Err(error) = self.pull(inbox).await {
            return Round::Failed(error.to_string());
        }
        let begun = Instant::now();
        let mut last_said = vec![begun; self.pools.len()];
        loop {
            let silent = last_said.iter().min().map_or(begun, |said| *said + SILENCE_MAX);
            let message = tokio::select! {
                biased;
                message = answers.next() => message,
                () = sleep_until(begun + ROUND_MAX) => return Round::Over,
                () = sleep_until(silent) => return Round::Failed("silence".to_owned()),
            };
            let Some(message) = message else {
                return Round::Failed("the inbox was closed".to_owned());
            };
            match self.read(inbox, &message) {
                Said::Bell(ring) => return self.take(inbox, ring, &message, answers).await,
                Said::StillWaiting(pool) => last_said[pool] = Instant::now(),
                Said::End(round) => return round,
                Said::NoBell => {
                    answer(self.connection.client(), &message, ACKNOWLEDGED).await;
                    return Round::Failed(format!("{} is no bell", message.subject));
                }
            }
        }
    }

    async fn pull(&self, inbox: &str) -> Result<(), async_nats::PublishError> {
        let (expires, heartbeat) = (PULL.as_nanos(), HEARTBEAT.as_nanos());
        let request = format!(r#"{{"batch":1,"expires":{expires},"idle_heartbeat":{heartbeat}}}"#);
        let request = Bytes::from(request);
        for (index, pool) in self.pools.iter().enumerate() {
            let (subject, answer) =
                (self.connection.names().pull(pool), format!("{inbox}.{index}"));
            self.connection.client().publish_with_reply(subject, answer, request.clone()).await?;
        }
        Ok(())
    }

    /// A bell comes with its own subject, everything else with that of the pull.
    fn read(&self, inbox: &str, message: &Message) -> Said {
        let Some(status) = message.status else {
            let rung = self.connection.names().read_work(&message.subject);
            return match rung {
                Some((pool, shard)) => Said::Bell(Ring { pool, shard: Some(shard) }),
                None => Said::NoBell,
            };
        };
        let index = message.subject.strip_prefix(inbox).and_then(|rest| rest.strip_prefix('.'));
        let index = index.and_then(|digits| digits.parse().ok());
        let index = index.filter(|index: &usize| *index < self.pools.len());
        match (status, index) {
            (StatusCode::IDLE_HEARTBEAT, Some(index)) => Said::StillWaiting(index),
            (StatusCode::NO_RESPONDERS, _) => Said::End(Round::NoConsumer),
            (StatusCode::TIMEOUT, _) => Said::End(Round::Over),
            _ => Said::End(Round::Failed(describe(message))),
        }
    }

    /// Uses one bell, and keeps those that came with it.
    async fn take(
        &mut self,
        inbox: &str,
        ring: Ring,
        bell: &Message,
        rest: &mut Subscriber,
    ) -> Round {
        answer(self.connection.client(), bell, ACKNOWLEDGED).await;
        self.kept_until = Instant::now() + KEPT;
        while let Some(Some(message)) = rest.next().now_or_never() {
            if let Said::Bell(ring) = self.read(inbox, &message) {
                self.kept.push_back((ring, message));
            }
        }
        Round::Rung(ring)
    }

    async fn take_kept(&mut self) -> Option<Ring> {
        if Instant::now() >= self.kept_until {
            self.kept.clear();
        }
        let (ring, bell) = self.kept.pop_front()?;
        answer(self.connection.client(), &bell, ACKNOWLEDGED).await;
        Some(ring)
    }
}

/// Gives those bells to others that were on their way when the round ended, and which the server would otherwise keep for
/// us a while.
async fn give_back(client: Client, mut late: Subscriber) {
    let until = Instant::now() + LATE_MAX;
    while let Ok(Some(message)) = timeout_at(until, late.next()).await {
        if message.status.is_none() {
            answer(&client, &message, GIVEN_BACK).await;
        }
    }
}

/// An answer that is lost lets somebody hear the bell once more.
async fn answer(client: &Client, bell: &Message, word: Bytes) {
    let Some(to) = bell.reply.clone() else { return };
    if let Err(error) = client.publish(to, word).await {
        debug!(%error, "bell is not answered");
    }
}

fn describe(message: &Message) -> String {
    let status = message.status.unwrap_or(StatusCode::OK);
    format!("{status} {}", message.description.as_deref().unwrap_or_default())
}
