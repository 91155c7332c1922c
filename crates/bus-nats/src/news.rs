//! News that a shard's history has grown: "shard s has reached n". Whoever follows reads the history itself by position,
//! from the database, and looks there by itself too; news only save waiting.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::Message;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use model::Shard;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};

use crate::connection::Connection;

/// News over NATS: to be told, and to be followed. Clones share a queue; it ends with the last one.
#[derive(Clone, Debug)]
pub struct NatsNews {
    connection: Connection,
    latest: Arc<Latest>,
    _telling: Arc<DropGuard>,
}

/// The latest number of each shard that was not told yet; so it is bounded by the number of shards.
#[derive(Debug, Default)]
struct Latest {
    reached: Mutex<BTreeMap<Shard, u64>>,
    some: Notify,
}

impl NatsNews {
    /// News over this connection. Needs a runtime, where it starts a task.
    pub fn new(connection: &Connection) -> NatsNews {
        let latest = Arc::new(Latest::default());
        let stop = CancellationToken::new();
        let telling = tell(connection.clone(), Arc::clone(&latest));
        tokio::spawn(stop.clone().run_until_cancelled_owned(telling));
        let _telling = Arc::new(stop.drop_guard());
        NatsNews { connection: connection.clone(), latest, _telling }
    }

    /// Says that the history of `shard` has reached line `n`. Never blocks, never fails: what is not told is lost, and what
    /// comes faster than it can be told is told as its last number.
    pub fn announce(&self, shard: Shard, n: u64) {
        if self.connection.is_usable() {
            self.latest.put(shard, n);
        }
    }

    /// What is announced from now on by all, over all outages. Numbers of a shard may be missing, repeat, or come in another
    /// order.
    pub async fn follow(&self) -> BoxStream<'static, (Shard, u64)> {
        let names = self.connection.names().clone();
        match self.connection.client().subscribe(names.all_history()).await {
            Ok(news) => {
                let read = move |message: Message| {
                    let shard = names.read_history(&message.subject)?;
                    let n = std::str::from_utf8(&message.payload).ok()?.parse().ok()?;
                    Some((shard, n))
                };
                // The connection is kept open for as long as somebody follows.
                let connection = self.connection.clone();
                let kept = move |message| {
                    let _open = &connection;
                    futures::future::ready(read(message))
                };
                news.filter_map(kept).boxed()
            }
            Err(error) => {
                warn!(%error, "news cannot be followed, the history is looked at in turns only");
                stream::pending().boxed()
            }
        }
    }
}

impl Latest {
    fn put(&self, shard: Shard, n: u64) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = reached.entry(shard).or_insert(n);
        *latest = n.max(*latest);
        drop(reached);
        self.some.notify_one();
    }

    fn take(&self) -> BTreeMap<Shard, u64> {
        mem::take(&mut *self.reached.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn tell(connection: Connection, latest: Arc<Latest>) {
    loop {
        latest.some.notified().await;
        for (shard, n) in latest.take() {
            let subject = connection.names().history(shard);
            let told = connection.client().publish(subject, Bytes::from(n.to_string())).await;
            if let Err(error) = told {
                debug!(%error, "news are lost");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_number_waits() {
        let latest = Latest::default();
        for (shard, n) in [(1, 5), (2, 1), (1, 7), (1, 6)] {
            latest.put(Shard(shard), n);
        }
        assert_eq!(latest.take(), BTreeMap::from([(Shard(1), 7), (Shard(2), 1)]));
        assert!(latest.take().is_empty());
    }
}
