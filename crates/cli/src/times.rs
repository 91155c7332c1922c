//! Dates as Oozie's client prints them: read from the wire in GMT, shown in the zone that the user asked for.

use jiff::civil::DateTime;
use jiff::tz::{self, TimeZone};
use jiff::{Timestamp, Zoned};

/// What is shown for a date that is missing.
const MISSING: &str = "-";

/// A zone with the name that is printed behind times in it, when it is not the zone's own abbreviation.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
    label: Option<String>,
}

impl Zone {
    /// Greenwich, which Oozie's client shows unless told otherwise.
    pub fn gmt() -> Zone {
        Zone { zone: TimeZone::UTC, label: Some("GMT".to_owned()) }
    }

    /// The zone of this machine.
    pub fn local() -> Zone {
        Zone { zone: TimeZone::system(), label: None }
    }

    /// A zone by its id, as Java's `TimeZone.getTimeZone`: `Region/City`, an old three-letter id, `GMT+05:30`.
    /// What is not known is Greenwich, as there.
    pub fn named(id: &str) -> Zone {
        match id {
            "GMT" => Zone::gmt(),
            "UTC" => Zone { zone: TimeZone::UTC, label: Some("UTC".to_owned()) },
            _ => Zone::with_offset(id).or_else(|| Zone::in_database(id)).unwrap_or_else(Zone::gmt),
        }
    }

    /// The label of an offset loses its `GMT`, as Oozie's client cuts it to fit the column.
    fn with_offset(id: &str) -> Option<Zone> {
        let offset = gateway::gmt_offset(id)?;
        let minutes = offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let label = format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        Some(Zone { zone: TimeZone::fixed(offset), label: Some(label) })
    }

    fn in_database(id: &str) -> Option<Zone> {
        gateway::zone_in_database(id).map(|zone| Zone { zone, label: None })
    }

    /// A wire date as the tables show it: to the minute, or to the second when verbose; `-` for none.
    pub fn shown(&self, date: Option<&str>, verbose: bool) -> String {
        let Some(moment) = date.and_then(parse) else { return MISSING.to_owned() };
        let local = moment.to_zoned(self.zone.clone());
        let format = if verbose { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" };
        format!("{} {}", local.strftime(format), self.label_at(&local))
    }

    fn label_at(&self, moment: &Zoned) -> String {
        self.label.clone().unwrap_or_else(|| moment.strftime("%Z").to_string())
    }
}

/// Reads `Thu, 01 Jan 2009 00:00:00 GMT`, the only form that Oozie's client understands.
pub fn parse(text: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A wire date as Java prints a date that nobody formatted: `Thu Jan 01 00:00:00 UTC 2009`, in the zone of this machine.
pub fn as_java(date: Option<&str>) -> String {
    let moment = date.and_then(parse).map(|moment| moment.to_zoned(TimeZone::system()));
    moment.map_or_else(
        || "null".to_owned(),
        |local| local.strftime("%a %b %d %H:%M:%S %Z %Y").to_string(),
    )
}

/// A moment for people, in milliseconds since the epoch: local time, with the zone.
pub fn shown_ms(ms: i64) -> String {
    let moment = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A span for people: `40ms`, `1.4s`, `12.0s`, `3m05s`, `2h07m`.
pub fn span(ms: i64) -> String {
    let (ms, seconds) = (ms.max(0), ms.max(0) / 1000);
    match seconds {
        0 => format!("{ms}ms"),
        1..60 => format!("{seconds}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Every zone with the abbreviation of its standard time, by id.
pub fn available() -> Vec<(String, String)> {
    let ids = tz::db().available().map(|name| name.as_str().to_owned());
    let mut zones: Vec<(String, String)> =
        ids.filter_map(|id| Some((standard_label(&id)?, id))).collect();
    zones.sort_by(|left, right| left.1.cmp(&right.1));
    zones
}

/// The abbreviation in January or July, whichever is not summer time.
fn standard_label(id: &str) -> Option<String> {
    /// The middle of January and of July 2024.
    const WINTER_AND_SUMMER: [i64; 2] = [1_705_276_800, 1_721_001_600];
    let zone = TimeZone::get(id).ok()?;
    let moments =
        WINTER_AND_SUMMER.iter().filter_map(|second| Timestamp::from_second(*second).ok());
    let infos: Vec<_> =
        moments.map(|moment| (moment, zone.to_offset_info(moment).dst().is_dst())).collect();
    let moment = infos.iter().find(|(_, is_dst)| !is_dst).or_else(|| infos.first())?.0;
    Some(moment.to_zoned(zone).strftime("%Z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, verbose: bool, expected: &str) {
        assert_eq!(
            Zone::named(zone).shown(Some("Wed, 15 Jul 2026 22:05:09 GMT"), verbose),
            expected
        );
    }

    #[test]
    fn dates_are_shown_in_the_asked_zone() {
        check("GMT", false, "2026-07-15 22:05 GMT");
        check("UTC", true, "2026-07-15 22:05:09 UTC");
        check("America/Los_Angeles", false, "2026-07-15 15:05 PDT");
        check("PST", false, "2026-07-15 15:05 PDT");
        check("Europe/Berlin", true, "2026-07-16 00:05:09 CEST");
        check("GMT+05:30", false, "2026-07-16 03:35 +05:30");
        check("GMT-0700", false, "2026-07-15 15:05 -07:00");
        check("GMT+5", false, "2026-07-16 03:05 +05:00");
        check("Mars/Olympus", false, "2026-07-15 22:05 GMT");
        check("GMT+99", false, "2026-07-15 22:05 GMT");
        check("GMT-00:30", false, "2026-07-15 21:35 -00:30");
    }

    #[test]
    fn missing_and_unreadable_dates_are_a_dash() {
        assert_eq!(Zone::gmt().shown(None, false), "-");
        assert_eq!(Zone::gmt().shown(Some("2026-07-15"), false), "-");
    }

    #[test]
    fn spans_are_short() {
        let spans = [0, 449, 12_000, 185_000, 7_620_000, -5].map(span);
        assert_eq!(spans, ["0ms", "449ms", "12.0s", "3m05s", "2h07m", "0ms"]);
    }

    #[test]
    fn zones_are_listed_with_their_standard_abbreviation() {
        let zones = available();
        assert!(zones.contains(&("PST".to_owned(), "America/Los_Angeles".to_owned())));
        assert!(zones.contains(&("AEST".to_owned(), "Australia/Sydney".to_owned())));
    }
}
