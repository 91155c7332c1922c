//! The `logfilter` parameter: `recent=2h;loglevel=WARN|ERROR;text=shell;limit=50` (census §5.2).
//!
//! Offsets are in hours (`2`, `2h`) or minutes (`90m`): of `start` and `end` from the job's creation, of `recent` back
//! from the end. Where a moment is not given exactly, two minutes are added around it, as in Oozie.

use model::Timestamp;

use crate::dates;
use crate::error::Failure;
use crate::log_lines::Level;

/// What Oozie adds around moments that are not given exactly.
const SLACK_MS: i64 = 2 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;

/// Oozie's words for levels; ours are among them.
const LEVELS: [&str; 7] = ["ALL", "DEBUG", "ERROR", "INFO", "TRACE", "WARN", "FATAL"];

/// Which lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogFilter {
    start: Option<Moment>,
    end: Option<Moment>,
    recent_ms: Option<i64>,
    levels: Vec<String>,
    text: Option<String>,
    /// At most this many lines.
    pub(crate) limit: Option<usize>,
    /// Whether the filter itself is shown on top.
    pub(crate) debug: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    At(Timestamp),
    AfterCreationMs(i64),
}

impl Moment {
    fn resolved(self, created_at: Timestamp) -> Timestamp {
        match self {
            Moment::At(moment) => moment,
            Moment::AfterCreationMs(ms) => created_at.plus_ms(ms),
        }
    }

    fn is_exact(self) -> bool {
        matches!(self, Moment::At(_))
    }
}

/// From when to when, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl LogFilter {
    /// Reads a filter; `E0302` for what is none.
    pub(crate) fn parse(text: Option<&str>) -> Result<LogFilter, Failure> {
        let mut filter = LogFilter::default();
        let text = text.filter(|text| !text.eq_ignore_ascii_case("null")).unwrap_or("");
        for token in text.split(';').filter(|token| !token.is_empty()) {
            let (name, value) = token.split_once('=').unwrap_or((token, ""));
            filter.add(&name.to_lowercase(), value)?;
        }
        Ok(filter)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "start" => self.start = Some(moment(value)?),
            "end" => self.end = Some(moment(value)?),
            "recent" => self.recent_ms = Some(offset_ms(value)?),
            "limit" => {
                self.limit = Some(
                    value.parse().map_err(|_| refused(&format!("limit={value} is no number")))?,
                )
            }
            "loglevel" => self.levels = levels(value)?,
            "text" => self.text = (!value.is_empty()).then(|| value.to_owned()),
            "debug" => self.debug = true,
            _ => return Err(refused(&format!("Unsupported log filter {name}"))),
        }
        Ok(())
    }

    /// The window for a job that was created and ended (or not yet: now) then.
    pub(crate) fn window(
        &self,
        created_at: Timestamp,
        ended_at: Timestamp,
    ) -> Result<Window, Failure> {
        let slack = |moment: Option<Moment>| {
            if moment.is_some_and(Moment::is_exact) { 0 } else { SLACK_MS }
        };
        let to = self.end.map_or(ended_at, |end| end.resolved(self.end_base(created_at)));
        let from = match self.recent_ms {
            Some(recent_ms) => to.plus_ms(-recent_ms),
            None => self.start.map_or(created_at, |start| start.resolved(created_at)),
        };
        let window =
            Window { from: from.plus_ms(-slack(self.start)), to: to.plus_ms(slack(self.end)) };
        if window.from > window.to {
            return Err(refused(&format!(
                "the log would start at {} and end at {}",
                window.from, window.to
            )));
        }
        Ok(window)
    }

    /// An offset of the end counts from an exact start, else from the job's creation.
    fn end_base(&self, created_at: Timestamp) -> Timestamp {
        match self.start {
            Some(Moment::At(start)) => start,
            Some(Moment::AfterCreationMs(_)) | None => created_at,
        }
    }

    /// Whether a line of this level with these words is wanted.
    pub(crate) fn wants(&self, level: Level, line: &str) -> bool {
        let level_is_wanted = self.levels.is_empty()
            || self.levels.iter().any(|one| one == "ALL" || one == level.as_str());
        level_is_wanted && self.text.as_ref().is_none_or(|text| line.contains(text))
    }
}

fn levels(value: &str) -> Result<Vec<String>, Failure> {
    let words = value.split('|').filter(|word| !word.is_empty());
    let known = |word: &str| match LEVELS.contains(&word) {
        true => Ok(word.to_owned()),
        false => Err(refused(&format!("Supported log level are {LEVELS:?}, not {word}"))),
    };
    words.map(known).collect()
}

fn moment(value: &str) -> Result<Moment, Failure> {
    let exact = dates::parse_minutes(value).or_else(|| dates::parse_log_date(value));
    exact.map_or_else(
        || offset_ms(value).map(Moment::AfterCreationMs),
        |moment| Ok(Moment::At(moment)),
    )
}

fn offset_ms(value: &str) -> Result<i64, Failure> {
    let wrong = || {
        refused(&format!(
            "Unsupported time : {value}; write 2h, 90m, yyyy-MM-ddTHH:mmZ or yyyy-MM-dd HH:mm:ss"
        ))
    };
    let (digits, unit_ms) = match value.strip_suffix('m') {
        Some(digits) => (digits, MINUTE_MS),
        None => (value.strip_suffix('h').unwrap_or(value), 60 * MINUTE_MS),
    };
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    Ok(i64::from(number) * unit_ms)
}

fn refused(why: &str) -> Failure {
    Failure::bad("E0302", format!("Invalid parameter [{why}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: Timestamp = Timestamp(1_782_907_200_000);
    const ENDED: Timestamp = Timestamp(1_782_907_200_000 + 5 * 60 * MINUTE_MS);

    /// Minutes from the creation to the window's ends.
    #[track_caller]
    fn check(filter: &str, from: i64, to: i64) {
        let window = LogFilter::parse(Some(filter))
            .and_then(|filter| filter.window(CREATED, ENDED))
            .expect(filter);
        let minutes = |moment: Timestamp| moment.since_ms(CREATED) / MINUTE_MS;
        assert_eq!((minutes(window.from), minutes(window.to)), (from, to), "{filter}");
    }

    #[test]
    fn windows_follow_oozie_s_rules() {
        check("", -2, 302);
        check("null", -2, 302);
        check("recent=1h", 238, 302);
        check("recent=30m", 268, 302);
        check("start=1;end=2h", 58, 122);
        check("start=2026-07-01T13:00Z;end=10m", 60, 72);
        check("start=2026-07-01 12:10:00,123;end=2026-07-01T12:20Z", 10, 20);
    }

    #[test]
    fn levels_and_texts_select() {
        let filter = LogFilter::parse(Some("loglevel=WARN|ERROR;text=disk;limit=3;debug"))
            .expect("a filter");
        assert_eq!((filter.limit, filter.debug), (Some(3), true));
        assert!(filter.wants(Level::Error, "the disk is full"));
        assert!(!filter.wants(Level::Info, "the disk is full"));
        assert!(!filter.wants(Level::Warn, "the network is slow"));
        assert!(LogFilter::default().wants(Level::Info, ""));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in ["size=3", "recent=2d", "recent=", "limit=x", "loglevel=warn", "start=-1h"] {
            assert_eq!(
                LogFilter::parse(Some(text)).map_err(|failure| failure.code),
                Err("E0302".to_owned()),
                "{text}"
            );
        }
        let inside_out = LogFilter::parse(Some("start=2026-07-02T12:00Z;end=2026-07-01T12:00Z"))
            .expect("a filter");
        assert_eq!(
            inside_out.window(CREATED, ENDED).map_err(|failure| failure.code),
            Err("E0302".to_owned())
        );
    }
}
