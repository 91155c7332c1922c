//! What texts and attribute values must look like: the few simple types that Oozie's schemas use.

use super::notation::Text;

/// Whether a value is as its type says.
pub(crate) fn fits(kind: Text, value: &str) -> bool {
    match kind {
        Text::Any => true,
        Text::Identifier => {
            is_identifier(value, |first| first.is_ascii_alphabetic() || first == '_')
        }
        Text::PlainIdentifier => is_identifier(value, |first| first.is_ascii_alphabetic()),
        Text::Boolean => matches!(trimmed(value), "true" | "false" | "1" | "0"),
        Text::Short => integer(value).is_some_and(|number| i16::try_from(number).is_ok()),
        Text::UnsignedInt => integer(value).is_some_and(|number| u32::try_from(number).is_ok()),
    }
}

/// What a value should be, for people.
pub(crate) fn describe(kind: Text) -> &'static str {
    match kind {
        Text::Any => "any text",
        Text::Identifier => "a name: letters, digits, '-' and '_', beginning with a letter or '_'",
        Text::PlainIdentifier => "a name: letters, digits, '-' and '_', beginning with a letter",
        Text::Boolean => "'true' or 'false'",
        Text::Short => "an integer from -32768 to 32767",
        Text::UnsignedInt => "an integer from 0 to 4294967295",
    }
}

/// The schemas' pattern allows 39 repetitions of a part that itself repeats: the length is not bounded (gotcha 2).
fn is_identifier(value: &str, first: impl Fn(char) -> bool) -> bool {
    value.starts_with(first)
        && value.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

/// A decimal number: an optional sign, at least one digit. Larger than any of our types is as good as none.
fn integer(value: &str) -> Option<i64> {
    let value = trimmed(value);
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let significant = digits.trim_start_matches('0');
    let magnitude: i64 = match significant.len() {
        _ if !all_digits => return None,
        0 => 0,
        1..=18 => significant.parse().ok()?,
        _ => return None,
    };
    Some(if value.starts_with('-') { -magnitude } else { magnitude })
}

/// Without XML's white space at both ends.
fn trimmed(value: &str) -> &str {
    value.trim_matches(is_space)
}

/// Whether a character is XML's white space.
pub(crate) fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Text, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|value| assert!(fits(kind, value), "{kind:?} must take {value:?}"));
        bad.iter().for_each(|value| assert!(!fits(kind, value), "{kind:?} must refuse {value:?}"));
    }

    #[test]
    fn values_are_taken_as_xml_schema_defines_them() {
        check(
            Text::Identifier,
            &["a", "_", "a-b_9", &"x".repeat(200)],
            &["", "9a", "-a", "a.b", "a b", " a", "ä"],
        );
        check(Text::PlainIdentifier, &["a", "a_"], &["_a"]);
        check(Text::Boolean, &["true", " false\n", "1", "0"], &["TRUE", "yes", ""]);
        check(
            Text::Short,
            &["3", "+3", "-32768", "32767", " 007 "],
            &["32768", "-32769", "", "+", "1.0", "--1"],
        );
        check(
            Text::UnsignedInt,
            &["0", "-0", "4294967295", "0000000000000000000000001"],
            &["-1", "4294967296"],
        );
        check(Text::UnsignedInt, &["+1"], &["99999999999999999999", "${x}", "1 2"]);
    }
}
