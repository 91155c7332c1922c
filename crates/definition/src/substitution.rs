//! `${name}` inside property values, resolved among the properties themselves before any expression is evaluated; and
//! the names that no property may have.

use model::{Configuration, Diagnostic};

use crate::codes;
use crate::source::finding;

/// How often one value may have a variable replaced: Hadoop's and Oozie's limit. It also ends circles.
pub const MAX_SUBSTITUTIONS: usize = 20;

/// Names of constants in expressions; a property of this name would hide one (gotcha 10).
const CONSTANTS: [&str; 14] = [
    "DAYS",
    "HOURS",
    "MINUTES",
    "KB",
    "MB",
    "GB",
    "TB",
    "PB",
    "RECORDS",
    "MAP_IN",
    "MAP_OUT",
    "REDUCE_IN",
    "REDUCE_OUT",
    "GROUPS",
];

/// Properties that say who a job belongs to; defaults and inline configurations must not.
const IDENTITIES: [&str; 2] = ["user.name", "mapreduce.job.user.name"];

/// The configuration with `${name}` replaced by the property of this name, as Hadoop does it: from left to right, also
/// in what was put in, until a name is met that is no property. That one stays, and so does everything after it:
/// expressions are evaluated much later.
///
/// # Errors
/// `HW0006` for a value that does not come to an end within [`MAX_SUBSTITUTIONS`]; Oozie answers with an exception.
pub fn substituted(configuration: &Configuration) -> Result<Configuration, Diagnostic> {
    let resolve = |(name, value)| Ok((name, resolved(configuration, name, value)?));
    configuration.iter().map(resolve).collect()
}

/// The configuration with white space at both ends of every value removed, as Oozie does with what is submitted.
pub fn trimmed(configuration: &Configuration) -> Configuration {
    configuration.iter().map(|(name, value)| (name, value.trim())).collect()
}

fn resolved(configuration: &Configuration, name: &str, value: &str) -> Result<String, Diagnostic> {
    let mut text = value.to_owned();
    for _ in 0..MAX_SUBSTITUTIONS {
        let Some((start, end)) = first_variable(&text) else { return Ok(text) };
        let Some(put_in) = configuration.get(&text[start + 2..end - 1]) else { return Ok(text) };
        text.replace_range(start..end, put_in);
    }
    let message = format!(
        "the value of property '{name}' has {MAX_SUBSTITUTIONS} or more variables in it: {value}"
    );
    let help = "look for properties whose values name each other in a circle";
    Err(finding(codes::SUBSTITUTION, 0..0, message, help))
}

/// The first `${name}` of a text; a name has no blank, `$` or `}` in it.
fn first_variable(text: &str) -> Option<(usize, usize)> {
    text.match_indices("${").find_map(|(start, _)| {
        let inside = &text[start + 2..];
        let length = inside
            .find(['}', '$', ' '])
            .filter(|end| *end > 0 && inside[*end..].starts_with('}'))?;
        Some((start, start + 2 + length + 1))
    })
}

/// The properties of a job's configuration that have forbidden names: one `E0808` each.
pub fn forbidden_in_job(configuration: &Configuration) -> Vec<Diagnostic> {
    present(configuration, CONSTANTS, "it is a constant of expressions")
}

/// The properties of `config-default.xml`, or of another file of defaults, that have forbidden names: one `E0808` each.
///
/// Oozie's own list of codes has `E0804` for this; its code answers with `E0808`, which existing clients know.
pub fn forbidden_in_defaults(configuration: &Configuration) -> Vec<Diagnostic> {
    let identities = present(
        configuration,
        IDENTITIES,
        "only the submitter's own request says who a job belongs to",
    );
    forbidden_in_job(configuration).into_iter().chain(identities).collect()
}

/// The properties of the inline configuration of a `sub-workflow` that have forbidden names: one `E0808` each.
pub fn forbidden_in_child(configuration: &Configuration) -> Vec<Diagnostic> {
    present(configuration, IDENTITIES, "a child belongs to the owner of its parent")
}

fn present<'a>(
    configuration: &Configuration,
    names: impl IntoIterator<Item = &'a str>,
    why: &str,
) -> Vec<Diagnostic> {
    let found = names.into_iter().filter(|name| configuration.get(name).is_some());
    let complain = |name| {
        finding(
            "E0808",
            0..0,
            format!("property '{name}' is not allowed: {why}"),
            "give it another name, or remove it",
        )
    };
    found.map(complain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(pairs: &[(&str, &str)]) -> Configuration {
        pairs.iter().copied().collect()
    }

    #[track_caller]
    fn check(value: &str, expected: &str) {
        let all = conf(&[("a", "1"), ("b", "${a}2"), ("in.ner", "a"), ("x", value)]);
        assert_eq!(substituted(&all).expect("comes to an end").get("x"), Some(expected), "{value}");
    }

    #[test]
    fn variables_are_replaced_from_the_left_until_one_is_unknown() {
        check("${a}/${b}", "1/12");
        check("${${in.ner}}", "1");
        check("${no}/${a}", "${no}/${a}");
        check("${a}/${no}/${a}", "1/${no}/${a}");
        check("${wf:conf('a')}", "${wf:conf('a')}");
        check("${ a }${a}", "${ a }1");
        check("${}${a", "${}${a");
        check("$${a}", "$1");
    }

    #[test]
    fn circles_end_with_an_explanation() {
        let refusal = substituted(&conf(&[("a", "${b}"), ("b", "${a}")])).expect_err("a circle");
        assert_eq!(refusal.code, "HW0006");
        let many = "${a}".repeat(MAX_SUBSTITUTIONS);
        assert!(
            substituted(&conf(&[("a", "1"), ("x", &many)])).is_err(),
            "Oozie counts every replacement"
        );
        assert!(substituted(&conf(&[("a", "1"), ("x", &many[4..])])).is_ok());
    }

    #[test]
    fn forbidden_names_are_found_where_they_are_forbidden() {
        let all = conf(&[("KB", "1"), ("user.name", "joe"), ("kb", "2")]);
        let codes =
            |found: Vec<Diagnostic>| found.iter().map(|one| one.code.clone()).collect::<Vec<_>>();
        assert_eq!(codes(forbidden_in_job(&all)), ["E0808"]);
        assert_eq!(codes(forbidden_in_defaults(&all)), ["E0808", "E0808"]);
        assert_eq!(codes(forbidden_in_child(&all)), ["E0808"]);
    }
}
