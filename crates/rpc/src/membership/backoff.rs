//! How long to wait before the next coordinator is asked.

use std::sync::Arc;
use std::time::Duration;

use ports::clock::Entropy;

/// Shortest wait after a failure, in ms.
const WAIT_MIN_MS: u64 = 50;
/// Longest, in ms: a cluster without coordinators is back within this time after the first one is.
const WAIT_MAX_MS: u64 = 500;
/// A stay of this length was no failure: the next coordinator is asked at once.
const STAY_MIN: Duration = Duration::from_secs(1);

/// Waits that grow, each cut short by chance, so that members do not come all at once.
#[derive(Clone)]
pub(super) struct Backoff {
    entropy: Arc<dyn Entropy>,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(entropy: Arc<dyn Entropy>) -> Backoff {
        Backoff { entropy, failures: 0 }
    }

    /// The wait after a coordinator was left that we stayed with for so long.
    pub(super) fn after(&mut self, stayed: Duration) -> Duration {
        if stayed >= STAY_MIN {
            self.failures = 0;
            return Duration::ZERO;
        }
        self.failures = self.failures.saturating_add(1);
        let longest = (WAIT_MIN_MS << self.failures.min(8)).min(WAIT_MAX_MS);
        let chance = self.entropy.nonce().0 % (longest - WAIT_MIN_MS + 1);
        Duration::from_millis(WAIT_MIN_MS + chance)
    }
}

#[cfg(test)]
mod tests {
    use model::Nonce;

    use super::*;

    struct Always(u64);

    impl Entropy for Always {
        fn nonce(&self) -> Nonce {
            Nonce(self.0)
        }
    }

    #[test]
    fn waits_grow_within_their_bounds_and_a_long_stay_ends_them() {
        for chance in [0, 7, 450, u64::MAX] {
            let mut backoff = Backoff::new(Arc::new(Always(chance)));
            for failures in 1..40_u32 {
                let wait = u64::try_from(backoff.after(Duration::ZERO).as_millis()).unwrap();
                let longest = if failures < 4 { 50 << failures } else { 500 };
                assert!((50..=longest).contains(&wait), "{wait} ms after {failures} failures");
            }
            assert_eq!(backoff.after(STAY_MIN), Duration::ZERO);
            assert!(backoff.after(Duration::ZERO) <= Duration::from_millis(100));
        }
    }
}
