//! Numbers in Java's notation: what its `Long` and `Double` read from a string and write into one.

use std::cmp::Ordering;
use std::fmt;

/// Below this a float is written with an exponent.
const PLAIN_FROM: f64 = 1e-3;
/// From here on a float is written with an exponent.
const PLAIN_BELOW: f64 = 1e7;

/// Reads an optional sign and decimal digits within 64 bits, nothing else, no blanks.
pub(crate) fn java_long(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Reads a decimal float: blanks around it, a sign, an exponent and one of the suffixes `fFdD` are allowed, and so are `NaN` and `Infinity`.
pub(crate) fn java_double(text: &str) -> Option<f64> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if matches!(unsigned, "NaN" | "Infinity") {
        return trimmed.parse().ok();
    }
    let number = trimmed.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(trimmed);
    let is_decimal = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if is_decimal { number.parse().ok() } else { None }
}

/// Writes a float as Java's `Double.toString` does (the shortest digits that read back the same).
pub(crate) fn write_java_double(f: &mut fmt::Formatter<'_>, number: f64) -> fmt::Result {
    let size = number.abs();
    if number.is_nan() {
        f.write_str("NaN")
    } else if number.is_infinite() {
        f.write_str(if number > 0.0 { "Infinity" } else { "-Infinity" })
    } else if size == 0.0 || (PLAIN_FROM..PLAIN_BELOW).contains(&size) {
        write!(f, "{number:?}")
    } else {
        write_scientific(f, number)
    }
}

fn write_scientific(f: &mut fmt::Formatter<'_>, number: f64) -> fmt::Result {
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').expect("the exponent form has an e");
    let point = if digits.contains('.') { "" } else { ".0" };
    write!(f, "{digits}{point}E{exponent}")
}

/// Java's order of doubles: -0.0 comes before 0.0, NaN equals itself and is above everything.
pub(crate) fn compare_doubles(left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (false, false) => left.total_cmp(&right),
        (left_is_nan, right_is_nan) => left_is_nan.cmp(&right_is_nan),
    }
}
