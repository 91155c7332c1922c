//! Dates in UTC from a count of milliseconds, without a clock and without time zones.

use std::fmt;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar. Years that start in March have their leap day at the end.
const DAYS_BEFORE_1970: i64 = 719_468;
const DAYS_IN_400_YEARS: i64 = 146_097;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// From the first day of 1970 on, a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// The time in Oozie's form, `yyyy-MM-dd'T'HH:mm'Z'`, in its default processing time zone.
pub fn timestamp(now_ms: i64) -> String {
    Civil::at(now_ms).to_string()
}

/// The time as Java's `Date.toString` has it: `Thu Jan 01 00:00:00 UTC 1970`.
pub(crate) fn java_date(now_ms: i64) -> String {
    let civil = Civil::at(now_ms);
    let second = now_ms.rem_euclid(MINUTE_MS) / 1000;
    let month = MONTHS[civil.month as usize - 1];
    let weekday = WEEKDAYS[civil.days.rem_euclid(7) as usize];
    let Civil { day, hour, minute, year, .. } = civil;
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
}

struct Civil {
    days: i64,
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
}

impl Civil {
    fn at(now_ms: i64) -> Civil {
        let minutes = now_ms.div_euclid(MINUTE_MS);
        let days = minutes.div_euclid(DAY_MINUTES);
        let minute_of_day = minutes.rem_euclid(DAY_MINUTES);
        let (year, month, day) = date(days);
        Civil { days, year, month, day, hour: minute_of_day / 60, minute: minute_of_day % 60 }
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, .. } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}Z")
    }
}

/// Year, month and day of a day counted from 1970. A month of a year from March on has 153 days in five months, over and over.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + DAYS_BEFORE_1970;
    let cycle = shifted.div_euclid(DAYS_IN_400_YEARS);
    let day_of_cycle = shifted.rem_euclid(DAYS_IN_400_YEARS);
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    (year, month, day)
}
