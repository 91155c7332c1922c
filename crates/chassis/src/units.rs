//! Durations and sizes as people write them: `250ms`, `30s`, `5m`, `2h`, `1d`; `512`, `64 KiB`, `10 MB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time, written as a whole number and one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

/// A number of bytes, written plainly or with `KB`, `MB`, `GB` (thousands) or `KiB`, `MiB`, `GiB` (1024s).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A text that is no duration, or no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}; write a whole number and a unit, such as {example}")]
pub struct BadUnit {
    text: String,
    what: &'static str,
    example: &'static str,
}

const DURATIONS_MS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES_BYTES: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A whole number followed by one of the units, multiplied out; `None` when it is not that, or does not fit.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit.trim())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The number with the largest unit that divides it.
fn shown(value: u64, units: &[(&str, u64)], space: &str) -> String {
    let fits = |unit: &&(&str, u64)| value.is_multiple_of(unit.1) && value >= unit.1;
    match units.iter().filter(fits).max_by_key(|unit| unit.1) {
        Some((unit, factor)) => format!("{}{space}{unit}", value / factor),
        None => format!("{value}{space}{}", units[0].0),
    }
}

impl FromStr for HumanDuration {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let ms = parse(text, &DURATIONS_MS);
        ms.map(|ms| HumanDuration(Duration::from_millis(ms))).ok_or_else(|| BadUnit {
            text: text.to_owned(),
            what: "duration",
            example: "`30s`",
        })
    }
}

impl FromStr for ByteSize {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bytes = parse(text, &SIZES_BYTES);
        bytes.map(ByteSize).ok_or_else(|| BadUnit {
            text: text.to_owned(),
            what: "size",
            example: "`64 MiB`",
        })
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        f.write_str(&shown(ms, &DURATIONS_MS, ""))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.0, &SIZES_BYTES[1..], " "))
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

as_text!(HumanDuration);
as_text!(ByteSize);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_duration(text: &str, ms: u64, shown: &str) {
        let duration: HumanDuration = text.parse().expect(text);
        assert_eq!((duration.0, duration.to_string().as_str()), (Duration::from_millis(ms), shown));
    }

    #[track_caller]
    fn check_size(text: &str, bytes: u64, shown: &str) {
        let size: ByteSize = text.parse().expect(text);
        assert_eq!((size.0, size.to_string().as_str()), (bytes, shown));
    }

    #[test]
    fn people_write_durations_and_sizes() {
        check_duration("250ms", 250, "250ms");
        check_duration(" 30 s", 30_000, "30s");
        check_duration("90s", 90_000, "90s");
        check_duration("48h", 172_800_000, "2d");
        check_duration("0s", 0, "0ms");
        check_size("512", 512, "512 B");
        check_size("64 MiB", 64 << 20, "64 MiB");
        check_size("10KB", 10_000, "10 KB");
    }

    #[test]
    fn other_texts_are_refused_with_an_example() {
        let error = "30 parsecs".parse::<HumanDuration>().expect_err("no unit");
        assert_eq!(
            error.to_string(),
            "`30 parsecs` is no duration; write a whole number and a unit, such as `30s`"
        );
        assert!("30".parse::<HumanDuration>().is_err());
        assert!("-1 MiB".parse::<ByteSize>().is_err());
        assert!("99999999999999999 GiB".parse::<ByteSize>().is_err());
    }
}
