//! Bells: hints that a pool has work. They hold no work, may be lost, doubled and late (architecture §4).

use async_trait::async_trait;
use model::Shard;

/// Rings workers.
pub trait Bell: Send + Sync {
    /// Says that `pool` has work that nobody has claimed in `shard`. Never blocks, never fails: a lost ring is repeated by the re-ringing tick.
    fn ring(&self, pool: &str, shard: Shard);
}

/// The worker's end.
#[async_trait]
pub trait Listener: Send {
    /// Waits for the next ring for one of this listener's pools; `None` when the bell is gone for good.
    async fn heard(&mut self) -> Option<String>;
}

/// Where listeners come from.
pub trait Bells: Bell {
    /// A listener for these pools, which hears every ring from now on (several rings may be heard as one).
    fn listen(&self, pools: &[String]) -> Box<dyn Listener>;
}

/// Bells inside one process.
#[derive(Clone, Debug)]
pub struct LocalBells {
    rings: tokio::sync::broadcast::Sender<String>,
}

/// Rings kept for a slow listener; a listener that lags hears its pools as rung, so the number only bounds memory.
const RINGS_KEPT_MAX: usize = 256;

impl Default for LocalBells {
    fn default() -> LocalBells {
        LocalBells { rings: tokio::sync::broadcast::channel(RINGS_KEPT_MAX).0 }
    }
}

impl Bell for LocalBells {
    fn ring(&self, pool: &str, _shard: Shard) {
        // An error says that nobody listens, which is what a lost ring is.
        let _unheard = self.rings.send(pool.to_owned());
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
    rings: tokio::sync::broadcast::Receiver<String>,
}

#[async_trait]
impl Listener for LocalListener {
    async fn heard(&mut self) -> Option<String> {
        use tokio::sync::broadcast::error::RecvError;
        loop {
            match self.rings.recv().await {
                Ok(pool) if self.pools.contains(&pool) => return Some(pool),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return self.pools.first().cloned(),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
