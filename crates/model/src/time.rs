//! Moments, in whole milliseconds since 1970-01-01T00:00Z: the precision that Oozie's own dates and ids carry.

use std::fmt;
use std::ops;

use serde::{Deserialize, Serialize};

/// A moment in milliseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds since the Unix epoch.
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// This moment moved by `ms` milliseconds, stopping at the ends of what can be told.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    pub fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    fn zoned(self) -> jiff::Zoned {
        jiff::Timestamp::from_millisecond(self.0)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(jiff::tz::TimeZone::UTC)
    }

    /// `yyyy-MM-ddTHH:mmZ`: Oozie's form of a date in definitions and EL, UTC.
    pub fn to_oozie_minutes(self) -> String {
        self.zoned().strftime("%Y-%m-%dT%H:%MZ").to_string()
    }

    /// `yyMMddHHmmssSSS`: the stamp inside Oozie's job ids, UTC.
    pub fn to_id_stamp(self) -> String {
        format!("{}{:03}", self.zoned().strftime("%y%m%d%H%M%S"), self.0.rem_euclid(1000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}Z", self.zoned().strftime("%Y-%m-%dT%H:%M:%S"), self.0.rem_euclid(1000))
    }
}

impl ops::Add<i64> for Timestamp {
    type Output = Timestamp;

    fn add(self, ms: i64) -> Timestamp {
        self.plus_ms(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_a_moment() {
        let moment = Timestamp(1_795_271_000_042);
        assert_eq!(moment.to_string(), "2026-11-21T14:23:20.042Z");
        assert_eq!(moment.to_oozie_minutes(), "2026-11-21T14:23Z");
        assert_eq!(moment.to_id_stamp(), "261121142320042");
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(Timestamp(i64::MAX).plus_ms(1), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).since_ms(Timestamp(9)), -4);
    }
}
