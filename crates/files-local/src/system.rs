//! The kernel's clock and its random numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use model::{Nonce, Timestamp};
use ports::clock::{Clock, Entropy};
use rustix::io::{Errno, retry_on_intr};
use rustix::rand::{GetRandomFlags, getrandom};

/// The wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The kernel's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn nonce(&self) -> Nonce {
        let mut bytes = [0; 8];
        // Requests of up to 256 bytes are answered whole once the kernel's pool is ready, for which this call waits.
        let got: Result<usize, Errno> =
            retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty()));
        assert_eq!(got, Ok(bytes.len()), "Linux has getrandom(2) since 3.17");
        Nonce(u64::from_ne_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nonces_do_not_repeat() {
        let nonces: BTreeSet<Nonce> = (0..1000).map(|_| SystemEntropy.nonce()).collect();
        assert_eq!(nonces.len(), 1000);
    }

    #[test]
    fn the_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now() > Timestamp(1_760_000_000_000));
    }
}
