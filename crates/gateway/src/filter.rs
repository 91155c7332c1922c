//! The filter of a list of jobs: `status=RUNNING;status=PREP;user=joe` (census §5.5).
//!
//! Of one name any value may hold, of different names all must. Names are case-insensitive, values are not.

use model::{JobStatus, Timestamp};
use ports::store::JobFilter;

use crate::dates;
use crate::error::Failure;
use crate::params::Page;

/// Pairs in one filter: bounds the statement that is made of it.
const PAIRS_MAX: usize = 200;

/// Reads a filter: `E0420` for what is no filter, `E0302` for a time that is none.
pub(crate) fn parse(text: &str, now: Timestamp, page: Page) -> Result<JobFilter, Failure> {
    let mut filter = JobFilter { offset: page.skipped(), len: page.len, ..JobFilter::default() };
    for (at, token) in text.split(';').filter(|token| !token.is_empty()).enumerate() {
        if at >= PAIRS_MAX {
            return Err(refused(text, &format!("more than {PAIRS_MAX} pairs")));
        }
        let (name, value) = pair(text, token)?;
        add(&mut filter, text, &name, value, now)?;
    }
    Ok(filter)
}

fn pair<'text>(text: &str, token: &'text str) -> Result<(String, &'text str), Failure> {
    let malformed = || refused(text, "elements must be semicolon-separated name=value pairs");
    let (name, value) = token.split_once('=').ok_or_else(malformed)?;
    let value = value.trim_end_matches('=');
    if value.is_empty() || value.contains('=') {
        Err(malformed())
    } else {
        Ok((name.to_lowercase(), value))
    }
}

fn add(
    filter: &mut JobFilter,
    text: &str,
    name: &str,
    value: &str,
    now: Timestamp,
) -> Result<(), Failure> {
    match name {
        "id" => filter.ids.push(value.to_owned()),
        "user" => filter.users.push(value.to_owned()),
        "group" => filter.groups.push(value.to_owned()),
        "name" => filter.names.push(value.to_owned()),
        "text" => {
            once(filter.texts.is_empty(), "text").map(|()| filter.texts.push(value.to_owned()))?
        }
        "status" => filter.statuses.push(status(text, value)?),
        "startcreatedtime" => {
            once(filter.created_from.is_none(), name)?;
            filter.created_from = Some(created_time(value, now)?);
        }
        "endcreatedtime" => {
            once(filter.created_to.is_none(), name)?;
            filter.created_to = Some(created_time(value, now)?);
        }
        "sortby" => filter.by_last_modified = value.eq_ignore_ascii_case("lastModifiedTime"),
        _ => return Err(refused(text, &format!("invalid name [{name}]"))),
    }
    Ok(())
}

fn status(text: &str, word: &str) -> Result<JobStatus, Failure> {
    word.parse().map_err(|_| refused(text, &format!("invalid status [{word}]")))
}

fn once(is_first: bool, name: &str) -> Result<(), Failure> {
    if is_first {
        Ok(())
    } else {
        Err(Failure::bad("E0302", format!("Invalid parameter [cannot specify multiple {name}]")))
    }
}

/// `2026-11-22T14:04Z`, or how long ago: `-2d`, `-3h`, `-5m`.
fn created_time(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let wrong = || {
        let message = format!(
            "Invalid parameter [{text} is no time: write yyyy-MM-ddTHH:mmZ, or how long ago as -2d, -3h or -5m]"
        );
        Failure::bad("E0302", message)
    };
    let Some(last) = text.chars().last() else { return Err(wrong()) };
    let unit_ms = match last {
        'd' => 24 * 60 * 60 * 1000,
        'h' => 60 * 60 * 1000,
        'm' => 60 * 1000,
        _ => return dates::parse_minutes(text).ok_or_else(wrong),
    };
    let number = text[..text.len() - 1]
        .parse::<i64>()
        .ok()
        .filter(|number| *number <= 0)
        .ok_or_else(wrong)?;
    Ok(now.plus_ms(number.saturating_mul(unit_ms)))
}

fn refused(filter: &str, why: &str) -> Failure {
    Failure::bad("E0420", format!("Invalid jobs filter [{filter}], {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);
    const PAGE: Page = Page { offset: 1, len: 50 };

    #[track_caller]
    fn check(text: &str, expected: JobFilter) {
        assert_eq!(parse(text, NOW, PAGE), Ok(JobFilter { len: 50, ..expected }));
    }

    #[track_caller]
    fn check_refused(text: &str, code: &str, words: &str) {
        let failure = parse(text, NOW, PAGE).expect_err("must be refused");
        assert_eq!(failure.code, code, "{text}");
        assert!(failure.message.contains(words), "{}", failure.message);
    }

    #[test]
    fn every_name_is_understood() {
        let texts =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        check("", JobFilter::default());
        check(";;user=joe;", JobFilter { users: texts(&["joe"]), ..JobFilter::default() });
        check(
            "USER=joe;user=Jane",
            JobFilter { users: texts(&["joe", "Jane"]), ..JobFilter::default() },
        );
        check(
            "id=a;name=b;group=c;text=d",
            JobFilter {
                ids: texts(&["a"]),
                names: texts(&["b"]),
                groups: texts(&["c"]),
                texts: texts(&["d"]),
                ..JobFilter::default()
            },
        );
        check(
            "status=RUNNING;status=PREP",
            JobFilter {
                statuses: vec![JobStatus::Running, JobStatus::Prep],
                ..JobFilter::default()
            },
        );
        check(
            "startcreatedtime=-2d;endcreatedtime=2026-07-01T12:00Z",
            JobFilter {
                created_from: Some(NOW.plus_ms(-2 * 86_400_000)),
                created_to: Some(Timestamp(1_782_907_200_000)),
                ..JobFilter::default()
            },
        );
        check(
            "startcreatedTime=-3h;endcreatedtime=-5m",
            JobFilter {
                created_from: Some(NOW.plus_ms(-3 * 3_600_000)),
                created_to: Some(NOW.plus_ms(-300_000)),
                ..JobFilter::default()
            },
        );
        check(
            "sortby=lastmodifiedTime",
            JobFilter { by_last_modified: true, ..JobFilter::default() },
        );
        check("sortby=whatever", JobFilter::default());
        check("name=a=", JobFilter { names: texts(&["a"]), ..JobFilter::default() });
    }

    #[test]
    fn pages_become_offsets_from_zero() {
        let filter = parse("", NOW, Page { offset: 51, len: 10 });
        assert_eq!(filter.map(|filter| (filter.offset, filter.len)), Ok((50, 10)));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        check_refused("status", "E0420", "name=value");
        check_refused("status=", "E0420", "name=value");
        check_refused("a=b=c", "E0420", "name=value");
        check_refused("=x", "E0420", "invalid name []");
        check_refused("frequency=5", "E0420", "invalid name [frequency]");
        check_refused("status=running", "E0420", "invalid status [running]");
        check_refused("startcreatedtime=2d", "E0302", "how long ago");
        check_refused("startcreatedtime=yesterday", "E0302", "how long ago");
        check_refused("startcreatedtime=-d", "E0302", "how long ago");
        check_refused("startcreatedtime=ü", "E0302", "how long ago");
        check_refused("endcreatedtime=-1d;endcreatedtime=-2d", "E0302", "multiple");
        check_refused(&"user=x;".repeat(201), "E0420", "more than 200 pairs");
    }
}
