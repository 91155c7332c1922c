//! Bells: hints that a pool has work. They hold no work, may be lost, doubled and late (architecture §4).

use async_trait::async_trait;
use model::Shard;

/// Rings workers.
pub trait Bell: Send + Sync {
    /// Says that `pool` has work that nobody has claimed in `shard`. Never blocks, never fails: a lost ring is repeated by the re-ringing tick.
    fn ring(&self, pool: &str, shard: Shard);
}

/// A ring as it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The pool that has work.
    pub pool: String,
    /// Where; nothing when the listener does not know.
    pub shard: Option<Shard>,
}

/// The worker's end.
#[async_trait]
pub trait Listener: Send {
    /// Waits for the next ring for one of this listener's pools; `None` when the bell is gone for good.
    async fn heard(&mut self) -> Option<String>;

    /// The same with the shard that rang, from listeners that know it.
    async fn heard_ring(&mut self) -> Option<Ring> {
        self.heard().await.map(|pool| Ring { pool, shard: None })
    }
}

/// Where listeners come from.
pub trait Bells: Bell {
    /// A listener for these pools, which hears every ring from now on (several rings may be heard as one).
    fn listen(&self, pools: &[String]) -> Box<dyn Listener>;
}

/// Bells inside one process.
#[derive(Clone, Debug)]
pub struct LocalBells {
    rings: tokio::sync::broadcast::Sender<Ring>,
}

/// Rings kept for a slow listener; a listener that lags hears its pools as rung, so the number only bounds memory.
const RINGS_KEPT_MAX: usize = 256;

impl Default for LocalBells {
    fn default() -> LocalBells {
        LocalBells { rings: tokio::sync::broadcast::channel(RINGS_KEPT_MAX).0 }
    }
}

impl Bell for LocalBells {
    fn ring(&self, pool: &str, shard: Shard) {
        // An error says that nobody listens, which is what a lost ring is.
        let _unheard = self.rings.send(Ring { pool: pool.to_owned(), shard: Some(shard) });
    }
}

impl Bells for LocalBells {
    fn listen(&self, pools: &[String]) -> Box<dyn Listener> {
        Box::new(LocalListener { pools: pools.to_vec(), rings: self.rings.subscribe() })
    }
}

#[derive(Debug)]
struct LocalListener {
    pools: Vec<String>,
    rings: tokio::sync::broadcast::Receiver<Ring>,
}

#[async_trait]
impl Listener for LocalListener {
    async fn heard(&mut self) -> Option<String> {
        self.heard_ring().await.map(|ring| ring.pool)
    }

    async fn heard_ring(&mut self) -> Option<Ring> {
        use tokio::sync::broadcast::error::RecvError;
        loop {
            match self.rings.recv().await {
                Ok(ring) if self.pools.contains(&ring.pool) => return Some(ring),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    let pool = self.pools.first()?.clone();
                    return Some(Ring { pool, shard: None });
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
