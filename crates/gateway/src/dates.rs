//! Dates as Oozie's clients write and read them.
//!
//! Out: `EEE, dd MMM yyyy HH:mm:ss zzz` in the zone of the `timezone` parameter (gotcha 60). Java's names of zones are
//! understood; a name that it would not know means GMT, as in Java.

use jiff::tz::{Offset, TimeZone};
use model::Timestamp;

/// Java's own short names (`java.time.ZoneId.SHORT_IDS`, and the American ones that it keeps as offsets), and what they
/// stand for.
const SHORT_NAMES: [(&str, &str); 28] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("EST", "America/Panama"),
    ("HST", "Pacific/Honolulu"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("MST", "America/Phoenix"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// A zone with the name that dates in it show.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    zone: TimeZone,
    label: Option<&'static str>,
}

impl Zone {
    /// The default of every request.
    pub(crate) fn gmt() -> Zone {
        Zone { zone: TimeZone::UTC, label: Some("GMT") }
    }

    /// The zone of a `timezone` parameter.
    pub(crate) fn named(name: Option<&str>) -> Zone {
        match name {
            None | Some("GMT") => Zone::gmt(),
            Some("UTC") => Zone { zone: TimeZone::UTC, label: Some("UTC") },
            Some(name) => {
                let zone = gmt_offset(name).map(TimeZone::fixed);
                let zone = zone.or_else(|| zone_in_database(name));
                zone.map_or_else(Zone::gmt, |zone| Zone { zone, label: None })
            }
        }
    }

    /// `Sun, 22 Nov 2026 14:04:05 GMT`.
    pub(crate) fn show(&self, moment: Timestamp) -> String {
        let zoned = jiff::Timestamp::from_millisecond(moment.as_ms())
            .unwrap_or_default()
            .to_zoned(self.zone.clone());
        format!("{} {}", zoned.strftime("%a, %d %b %Y %H:%M:%S"), self.label_at(moment))
    }

    /// `GMT`, `PST`, or `GMT+03:00` where the zone's time has no name.
    pub(crate) fn label_at(&self, moment: Timestamp) -> String {
        if let Some(label) = self.label {
            return label.to_owned();
        }
        let at = jiff::Timestamp::from_millisecond(moment.as_ms()).unwrap_or_default();
        let info = self.zone.to_offset_info(at);
        match info.abbreviation() {
            name if name.starts_with(|c: char| c.is_ascii_alphabetic()) => name.to_owned(),
            _ => offset_name(info.offset()),
        }
    }
}

/// `GMT+5`, `GMT-08:00`, `GMT+0530`: the ids of zones that Java makes up.
pub fn gmt_offset(name: &str) -> Option<Offset> {
    let rest = name.strip_prefix("GMT")?;
    let (sign, digits) = (rest.chars().next()?, rest.get(1..)?);
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "00"),
    };
    let number =
        |text: &str| text.parse::<i32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let is_written = (1..=2).contains(&hours.len()) && minutes.len() == 2;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let sign = match sign {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let is_within = is_written && hours < 24 && minutes < 60;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().filter(|_| is_within)
}

fn offset_name(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("GMT{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// A zone by `Region/City`, or by one of Java's old short names.
pub fn zone_in_database(name: &str) -> Option<TimeZone> {
    let long = SHORT_NAMES.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
    TimeZone::get(long).ok()
}

/// The ids of all zones with their present short names: the database's, then whole hours from GMT, as Oozie lists them.
pub(crate) fn available_zones(now: Timestamp) -> Vec<(String, String)> {
    let known = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    let named = known.filter(|id| !id.starts_with("Etc/GMT"));
    let hours = (-12..=12).filter(|hours| *hours != 0).map(|hours: i32| {
        let sign = if hours < 0 { '-' } else { '+' };
        format!("GMT{sign}{:02}:00", hours.abs())
    });
    named.chain(hours).map(|id| (Zone::named(Some(&id)).label_at(now), id)).collect()
}

/// `2026-11-22 14:04:05,123`: the date at the front of a log line, UTC.
pub(crate) fn log_date(moment: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(moment.as_ms()).unwrap_or_default();
    format!("{},{:03}", at.strftime("%Y-%m-%d %H:%M:%S"), moment.as_ms().rem_euclid(1000))
}

/// `2026-11-22T14:04Z`.
pub(crate) fn parse_minutes(text: &str) -> Option<Timestamp> {
    parse_civil("%Y-%m-%dT%H:%MZ", text)
}

/// `2026-11-22 14:04:05`, with or without `,123`, UTC.
pub(crate) fn parse_log_date(text: &str) -> Option<Timestamp> {
    parse_civil("%Y-%m-%d %H:%M:%S", text.split(',').next().unwrap_or(text))
}

fn parse_civil(format: &str, text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime(format, text.trim()).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| Timestamp(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-01T12:00:00.042Z
    const SUMMER: Timestamp = Timestamp(1_782_907_200_042);

    #[track_caller]
    fn check(zone: Option<&str>, shown: &str) {
        assert_eq!(Zone::named(zone).show(SUMMER), shown);
    }

    #[test]
    fn dates_are_shown_in_the_zone_asked_for() {
        check(None, "Wed, 01 Jul 2026 12:00:00 GMT");
        check(Some("UTC"), "Wed, 01 Jul 2026 12:00:00 UTC");
        check(Some("America/Los_Angeles"), "Wed, 01 Jul 2026 05:00:00 PDT");
        check(Some("PST"), "Wed, 01 Jul 2026 05:00:00 PDT");
        check(Some("Europe/Berlin"), "Wed, 01 Jul 2026 14:00:00 CEST");
        check(Some("Asia/Dubai"), "Wed, 01 Jul 2026 16:00:00 GMT+04:00");
        check(Some("GMT+5:30"), "Wed, 01 Jul 2026 17:30:00 GMT+05:30");
        check(Some("GMT-0800"), "Wed, 01 Jul 2026 04:00:00 GMT-08:00");
        check(Some("SST"), "Wed, 01 Jul 2026 23:00:00 GMT+11:00");
    }

    #[test]
    fn unknown_zones_mean_gmt() {
        for name in [
            "",
            "Mars/Olympus",
            "GMT+x",
            "GMT+25:00",
            "GMT+1:99",
            "GMT+1:9",
            "GMT+123:00",
            "GMT+-1",
            "GMTü",
            "../../etc/passwd",
        ] {
            check(Some(name), "Wed, 01 Jul 2026 12:00:00 GMT");
        }
    }

    #[test]
    fn log_dates_read_back() {
        assert_eq!(log_date(SUMMER), "2026-07-01 12:00:00,042");
        assert_eq!(parse_log_date("2026-07-01 12:00:00,042"), Some(Timestamp(1_782_907_200_000)));
        assert_eq!(parse_minutes("2026-07-01T12:00Z"), Some(Timestamp(1_782_907_200_000)));
        assert_eq!(parse_minutes("2026-07-01T12:00"), None);
    }

    #[test]
    fn zones_are_listed_with_names() {
        let zones = available_zones(SUMMER);
        assert!(zones.contains(&("GMT-08:00".to_owned(), "GMT-08:00".to_owned())));
        assert!(zones.iter().all(|(_, id)| !id.starts_with("Etc/GMT")));
    }
}
