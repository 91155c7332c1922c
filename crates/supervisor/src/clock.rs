//! The only place of this crate that reads clocks.

use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};

const MS_PER_S: i64 = 1_000;
const NS_PER_MS: i64 = 1_000_000;

/// Milliseconds since this host booted, suspended time included: the clock of terms and time-outs.
///
/// It means something only on the host, and in the boot, that it was read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Boottime(u64);

impl Boottime {
    /// Reads CLOCK_BOOTTIME.
    #[must_use]
    pub fn now() -> Self {
        Self(read_ms(ClockId::Boottime))
    }

    /// The moment `delay_ms` later; saturates.
    #[must_use]
    pub fn plus_ms(self, delay_ms: u64) -> Self {
        Self(self.0.saturating_add(delay_ms))
    }

    /// How long until `later`, in milliseconds; 0 if it has passed.
    pub(crate) fn ms_until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

/// Milliseconds since 1970 by the wall clock, for people to read; no decision depends on it.
pub(crate) fn wall_clock_ms() -> u64 {
    read_ms(ClockId::Realtime)
}

/// A duration as poll(2) wants it.
pub(crate) fn timespec(duration_ms: u64) -> Timespec {
    let duration_ms = i64::try_from(duration_ms).unwrap_or(i64::MAX);
    Timespec { tv_sec: duration_ms / MS_PER_S, tv_nsec: duration_ms % MS_PER_S * NS_PER_MS }
}

fn read_ms(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec * MS_PER_S + time.tv_nsec / NS_PER_MS).unwrap_or(0)
}
