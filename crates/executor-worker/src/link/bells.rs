//! Bells as the worker hears them: those from outside, with a note of where it rang, and the link's own.

use std::pin::Pin;

use async_trait::async_trait;
use ports::bell::{Listener, Ring};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::known::Rung;

/// A wait for the next ring, which comes back with its listener. It goes on when nobody polls it for a while.
type Hearing = Pin<Box<dyn Future<Output = (Box<dyn Listener>, Option<Ring>)> + Send>>;

/// A listener to both.
pub(super) struct LinkListener {
    pools: Vec<String>,
    /// Nothing once the bells outside are gone for good.
    outside: Option<Hearing>,
    own: broadcast::Receiver<String>,
    rung: Rung,
}

impl LinkListener {
    pub(super) fn new(
        inner: Box<dyn Listener>,
        pools: Vec<String>,
        own: broadcast::Receiver<String>,
        rung: Rung,
    ) -> LinkListener {
        LinkListener { pools, outside: Some(hear(inner)), own, rung }
    }
}

fn hear(mut listener: Box<dyn Listener>) -> Hearing {
    Box::pin(async move {
        let ring = listener.heard_ring().await;
        (listener, ring)
    })
}

async fn next(outside: &mut Option<Hearing>) -> (Box<dyn Listener>, Option<Ring>) {
    match outside {
        Some(hearing) => hearing.await,
        None => std::future::pending().await,
    }
}

#[async_trait]
impl Listener for LinkListener {
    async fn heard(&mut self) -> Option<String> {
        self.heard_ring().await.map(|ring| ring.pool)
    }

    async fn heard_ring(&mut self) -> Option<Ring> {
        loop {
            tokio::select! {
                biased;
                own = self.own.recv() => match own {
                    Ok(pool) if self.pools.contains(&pool) => return Some(Ring { pool, shard: None }),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                (listener, ring) = next(&mut self.outside) => {
                    self.outside = ring.is_some().then(|| hear(listener));
                    if let Some(ring) = ring {
                        self.rung.note(&ring);
                        return Some(ring);
                    }
                }
            }
        }
    }
}
