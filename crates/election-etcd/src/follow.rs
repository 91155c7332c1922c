//! Keeps the agreement current: reads everything at revision R, then follows from R + 1.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{EventType, GetOptions, WatchOptions, WatchResponse, WatchStream};
use ports::election::Agreement;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::keys::Keys;
use crate::links::Links;

/// How often the server is asked to show that the watch lives.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// A watch that says nothing for so long, although asked, is not trusted: more than two questions.
const SILENCE_MAX: Duration = Duration::from_millis(1_200);
/// How long reading everything, or opening the watch, may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two tries: short at first, since nobody is accused meanwhile, then long enough not to burden a sick etcd.
const BACKOFF_MIN: Duration = Duration::from_millis(25);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Follows until the token is cancelled.
pub(crate) async fn follow(
    links: Arc<Links>,
    keys: Keys,
    agreement: watch::Sender<Option<Agreement>>,
    end: CancellationToken,
) {
    let mut backoff = BACKOFF_MIN;
    loop {
        let turn = Turn { links: &links, keys: &keys, agreement: &agreement };
        let broken = tokio::select! {
            broken = turn.follow() => broken,
            () = end.cancelled() => return,
        };
        // Only the first failure in a row is news.
        if agreement.send_replace(None).is_some() {
            warn!(why = broken, "lost the agreement in etcd");
            backoff = BACKOFF_MIN;
        }
        tokio::select! {
            () = sleep(backoff) => backoff = (backoff * 2).min(BACKOFF_MAX),
            () = end.cancelled() => return,
        }
    }
}

/// One connection's worth of following.
struct Turn<'a> {
    links: &'a Links,
    keys: &'a Keys,
    agreement: &'a watch::Sender<Option<Agreement>>,
}

impl Turn<'_> {
    /// Follows until it breaks off, and says why.
    async fn follow(&self) -> String {
        let (turn, client) = match self.links.client().await {
            Ok(found) => found,
            Err(why) => return why,
        };
        let opened = timeout(OPEN_TIMEOUT, Box::pin(self.open(client))).await;
        let why = match opened {
            Ok(Ok((agreement, stream))) => self.keep_current(agreement, stream).await,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {OPEN_TIMEOUT:?}"),
        };
        self.links.leave(turn);
        why
    }

    async fn open(
        &self,
        mut client: etcd_client::Client,
    ) -> Result<(Agreement, WatchStream), etcd_client::Error> {
        let agreement = read(self.keys, client.clone()).await?;
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(agreement.revision + 1)
            .with_progress_notify();
        let stream = client.watch(self.keys.prefix(), Some(options)).await?;
        Ok((agreement, stream))
    }

    async fn keep_current(&self, mut agreement: Agreement, mut stream: WatchStream) -> String {
        info!(revision = agreement.revision, "following the agreement in etcd");
        self.agreement.send_replace(Some(agreement.clone()));
        let mut questions = interval(PROGRESS_INTERVAL);
        questions.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = tokio::time::Instant::now();
        loop {
            tokio::select! {
                message = stream.message() => match message {
                    Ok(Some(response)) if response.canceled() => return cancelled(&response),
                    Ok(Some(response)) => {
                        unanswered = tokio::time::Instant::now();
                        self.apply(&mut agreement, &response);
                    }
                    Ok(None) => return "the watch has ended".to_owned(),
                    Err(error) => return error.to_string(),
                },
                _ = questions.tick() => {
                    if unanswered.elapsed() > SILENCE_MAX {
                        return format!("the watch was silent for {SILENCE_MAX:?}");
                    }
                    if let Err(error) = stream.request_progress().await {
                        return error.to_string();
                    }
                }
            }
        }
    }

    fn apply(&self, agreement: &mut Agreement, response: &WatchResponse) {
        if response.events().is_empty() {
            return;
        }
        for event in response.events() {
            let Some(key) = event.kv() else { continue };
            match event.event_type() {
                EventType::Put => self.keys.put(agreement, key),
                EventType::Delete => self.keys.delete(agreement, key.key()),
            }
            agreement.revision = agreement.revision.max(key.mod_revision());
        }
        self.agreement.send_replace(Some(agreement.clone()));
    }
}

fn cancelled(response: &WatchResponse) -> String {
    match response.compact_revision() {
        0 => format!("the watch was cancelled: {}", response.cancel_reason()),
        revision => format!("history up to revision {revision} was compacted away"),
    }
}

/// Everything at one revision, from a quorum.
pub(crate) async fn read(
    keys: &Keys,
    mut client: etcd_client::Client,
) -> Result<Agreement, etcd_client::Error> {
    let found = client.get(keys.prefix(), Some(GetOptions::new().with_prefix())).await?;
    let mut agreement = Agreement::default();
    for key in found.kvs() {
        keys.put(&mut agreement, key);
    }
    agreement.revision = found.header().map_or(agreement.revision, |header| header.revision());
    Ok(agreement)
}
