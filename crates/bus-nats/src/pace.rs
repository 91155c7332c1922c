//! How long to wait before the next try.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Beyond this many doublings every pause is the longest one.
const DOUBLINGS_MAX: u32 = 20;

/// The pause after so many failures in a row: doubled each time, and between a half and the whole of that by chance, so
/// that thousands of workers do not come in step.
pub(crate) fn pause(failures: u32, ms_min: u64, ms_max: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
    let whole_ms = (ms_min << doublings).min(ms_max);
    // Each state of the standard library's hash tables has keys of its own.
    let chance = RandomState::new().build_hasher().finish();
    Duration::from_millis(whole_ms / 2 + chance % (whole_ms / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound() {
        let check = |failures, at_least_ms, at_most_ms| {
            for _ in 0..100 {
                let pause_ms = pause(failures, 10, 500).as_millis();
                assert!((at_least_ms..=at_most_ms).contains(&pause_ms), "{failures}: {pause_ms}");
            }
        };
        check(0, 5, 10);
        check(1, 5, 10);
        check(3, 20, 40);
        check(100, 250, 500);
        check(u32::MAX, 250, 500);
    }
}
