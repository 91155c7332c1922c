//! Makes the stream and its consumers, and makes them again when they are gone.
//!
//! Everything is in memory: a bell that a server has lost is rung again, and what is written to disk would only cost time.

use std::fmt;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::{ContextBuilder, CreateStreamErrorKind};
use async_nats::jetstream::stream::{
    self, ConsumerErrorKind, DiscardPolicy, RetentionPolicy, StorageType,
};
use async_nats::jetstream::{Context, ErrorCode};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::ANSWER_MAX;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::pace;

/// Rings whose answers are awaited at a time.
pub(crate) const IN_FLIGHT_MAX: usize = 256;
/// A stream that was just made is not made again, whatever still fails.
const SETTLE: Duration = Duration::from_millis(250);
/// Between two tries that fail: the first pause, and the longest.
const RETRY_MS_MIN: u64 = 50;
const RETRY_MS_MAX: u64 = 2_000;
/// Pools times shards that ring at a time; the oldest go first, and are rung again.
const BELLS_MAX: i64 = 1_000_000;
/// A bell that nobody hears for so long belongs to a pool that nobody serves.
const BELL_AGE_MAX: Duration = Duration::from_secs(600);
/// A worker acknowledges at once; what it does not is heard by another one soon.
pub(crate) const ACK_WAIT: Duration = Duration::from_millis(500);
/// Bells on their way to workers, of one pool.
const UNACKNOWLEDGED_MAX: i64 = 10_000;
/// Pulls that wait for a bell of one pool: two for each of 10 000 workers, since one may not know yet that its last
/// pull is over.
const PULLS_MAX: i64 = 20_000;
/// The consumer of a pool that nobody serves any more goes away.
const CONSUMER_IDLE_MAX: Duration = Duration::from_secs(3_600);

/// Why something could not be made.
#[derive(Debug, Error)]
#[error("cannot make {what}: {why}")]
pub(crate) struct NotMade {
    what: String,
    why: String,
}

/// Makes the stream and its consumers; only one task of the process at a time.
pub(crate) struct Keeper {
    jetstream: Context,
    names: Names,
    replicas: usize,
    metrics: Metrics,
    stream: Mutex<Made>,
}

/// What became of the last try to make the stream.
#[derive(Debug, Default)]
struct Made {
    /// Until when nothing is tried.
    rest_until: Option<Instant>,
    /// Tries since the last good one.
    failures: u32,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keeper({})", self.names.stream())
    }
}

/// JetStream, with our bounds.
pub(crate) fn context(client: &Client) -> Context {
    ContextBuilder::new()
        .timeout(ANSWER_MAX)
        .ack_timeout(ANSWER_MAX)
        .max_ack_inflight(IN_FLIGHT_MAX)
        .build(client.clone())
}

impl Keeper {
    pub(crate) fn new(client: &Client, names: Names, replicas: usize, metrics: Metrics) -> Keeper {
        let (jetstream, stream) = (context(client), Mutex::default());
        Keeper { jetstream, names, replicas, metrics, stream }
    }

    pub(crate) fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// Makes the stream, if it was not made a moment ago; while tries fail, most calls fail without one.
    pub(crate) async fn make_stream(&self) -> Result<(), NotMade> {
        let mut made = self.stream.lock().await;
        if made.rest_until.is_some_and(|until| Instant::now() < until) {
            return if made.failures == 0 { Ok(()) } else { Err(self.no_stream("too soon")) };
        }
        let result = self.try_stream().await;
        made.failures = if result.is_ok() { 0 } else { made.failures.saturating_add(1) };
        let rest = match made.failures {
            0 => SETTLE,
            failures => pace::pause(failures, RETRY_MS_MIN, RETRY_MS_MAX),
        };
        made.rest_until = Some(Instant::now() + rest);
        result
    }

    async fn try_stream(&self) -> Result<(), NotMade> {
        let created = self.jetstream.create_stream(self.stream_config()).await;
        match created.map_err(|error| error.kind()) {
            Ok(_) => {
                self.metrics.streams_made.inc();
                info!(stream = self.names.stream(), replicas = self.replicas, "stream is there");
                Ok(())
            }
            Err(CreateStreamErrorKind::JetStream(error))
                if error.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                self.change_stream().await;
                Ok(())
            }
            Err(error) => Err(self.no_stream(error)),
        }
    }

    /// Somebody made it with other settings, such as a former version; what cannot be changed is used as it is.
    async fn change_stream(&self) {
        let (stream, replicas) = (self.names.stream(), self.replicas);
        match self.jetstream.update_stream(self.stream_config()).await {
            Ok(_) => info!(stream, replicas, "stream has our settings now"),
            Err(error) => warn!(stream, %error, "stream keeps settings that are not ours"),
        }
    }

    fn no_stream(&self, why: impl fmt::Display) -> NotMade {
        NotMade { what: format!("the stream {}", self.names.stream()), why: why.to_string() }
    }

    fn stream_config(&self) -> stream::Config {
        stream::Config {
            name: self.names.stream(),
            subjects: vec![self.names.all_work()],
            retention: RetentionPolicy::WorkQueue,
            max_messages_per_subject: 1,
            max_messages: BELLS_MAX,
            max_age: BELL_AGE_MAX,
            discard: DiscardPolicy::Old,
            storage: StorageType::Memory,
            num_replicas: self.replicas,
            ..stream::Config::default()
        }
    }

    /// Makes the consumer of a pool, and the stream when that is gone too.
    pub(crate) async fn make_consumer(&self, pool: &str) -> Result<(), NotMade> {
        match self.try_consumer(pool).await {
            Err(ConsumerErrorKind::JetStream(error))
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                self.make_stream().await?;
                self.try_consumer(pool).await
            }
            other => other,
        }
        .map_err(|error| NotMade {
            what: format!("the consumer of the pool {pool}"),
            why: error.to_string(),
        })
    }

    async fn try_consumer(&self, pool: &str) -> Result<(), ConsumerErrorKind> {
        let config = self.consumer_config(pool);
        let made = self.jetstream.create_consumer_on_stream(config, self.names.stream()).await;
        made.map(drop).map_err(|error| error.kind())
    }

    fn consumer_config(&self, pool: &str) -> pull::Config {
        pull::Config {
            durable_name: Some(self.names.consumer(pool)),
            filter_subject: self.names.work_of(pool),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: UNACKNOWLEDGED_MAX,
            max_waiting: PULLS_MAX,
            inactive_threshold: CONSUMER_IDLE_MAX,
            memory_storage: true,
            ..pull::Config::default()
        }
    }
}
