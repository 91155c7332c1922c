//! The replayed job against the stored rows, bit for bit: every field of every row in its stored form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::WorkflowJob;
use serde::Serialize;
use serde_json::Value;

use super::recorded::{Row, Stored};

/// Characters of a value that are shown: a line or two of a terminal.
const EXCERPT_CHARS_MAX: usize = 160;
/// Characters before the first difference that are shown with it.
const LEAD_CHARS: usize = 20;

/// A row that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RowDifference {
    /// `job`, `configuration` or `action <name>`.
    pub(super) row: String,
    #[serde(flatten)]
    pub(super) found: Found,
}

/// In which way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub(super) enum Found {
    /// The replay ends with a row that is not stored.
    OnlyReplayed,
    /// A row is stored that the replay does not end with.
    OnlyStored,
    /// It is there on both sides.
    Fields {
        /// Those that differ.
        fields: Vec<FieldDifference>,
    },
}

/// A field that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct FieldDifference {
    pub(super) field: String,
    /// Nothing when the row has no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replayed: Option<Value>,
    /// Nothing when the row has no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stored: Option<Value>,
}

/// The rows of a job, in the order in which they are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Job,
    Configuration,
    Action(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Job => f.write_str("job"),
            Name::Configuration => f.write_str("configuration"),
            Name::Action(name) => write!(f, "action {name}"),
        }
    }
}

/// Where the replayed job and the stored rows differ.
pub(super) fn differences(job: &WorkflowJob, stored: &Stored) -> Vec<RowDifference> {
    let replayed = rows_of_job(job);
    let stored = rows_of_stored(stored);
    let names: BTreeSet<&Name> = replayed.keys().chain(stored.keys()).collect();
    let difference = |name: &Name| {
        let found = found(replayed.get(name), stored.get(name))?;
        Some(RowDifference { row: name.to_string(), found })
    };
    names.into_iter().filter_map(difference).collect()
}

fn rows_of_job(job: &WorkflowJob) -> BTreeMap<Name, Row> {
    let own = [(Name::Job, row(&job.header)), (Name::Configuration, row(job.header.conf.as_ref()))];
    let actions =
        job.actions.iter().map(|(name, action)| (Name::Action(name.to_string()), row(action)));
    own.into_iter().chain(actions).collect()
}

fn rows_of_stored(stored: &Stored) -> BTreeMap<Name, Row> {
    let own = [(Name::Job, stored.header.clone()), (Name::Configuration, stored.conf.clone())];
    let name = |row: &Row| row.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let actions = stored.actions.iter().map(|row| (Name::Action(name(row)), row.clone()));
    own.into_iter().chain(actions).collect()
}

fn row(stored_form: &impl Serialize) -> Row {
    match serde_json::to_value(stored_form) {
        Ok(Value::Object(row)) => row,
        other => unreachable!("a row is an object with texts for names: {other:?}"),
    }
}

fn found(replayed: Option<&Row>, stored: Option<&Row>) -> Option<Found> {
    match (replayed, stored) {
        (Some(_), None) => Some(Found::OnlyReplayed),
        (None, Some(_)) => Some(Found::OnlyStored),
        (None, None) => None,
        (Some(replayed), Some(stored)) => {
            let fields = fields(replayed, stored);
            (!fields.is_empty()).then_some(Found::Fields { fields })
        }
    }
}

fn fields(replayed: &Row, stored: &Row) -> Vec<FieldDifference> {
    let names: BTreeSet<&String> = replayed.keys().chain(stored.keys()).collect();
    names
        .into_iter()
        .filter(|name| replayed.get(*name) != stored.get(*name))
        .map(|name| FieldDifference {
            field: name.clone(),
            replayed: replayed.get(name).cloned(),
            stored: stored.get(name).cloned(),
        })
        .collect()
}

/// Two values as JSON, each cut to what can be read, around the first character in which they differ.
pub(super) fn excerpts(replayed: Option<&Value>, stored: Option<&Value>) -> (String, String) {
    let text = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let (replayed, stored) = (text(replayed), text(stored));
    let same = replayed.chars().zip(stored.chars()).take_while(|(one, other)| one == other).count();
    let longest = replayed.chars().count().max(stored.chars().count());
    let from = if longest > EXCERPT_CHARS_MAX { same.saturating_sub(LEAD_CHARS) } else { 0 };
    (excerpt(&replayed, from), excerpt(&stored, from))
}

fn excerpt(text: &str, from: usize) -> String {
    let part: String = text.chars().skip(from).take(EXCERPT_CHARS_MAX).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if text.chars().count() > from + EXCERPT_CHARS_MAX { "…" } else { "" };
    format!("{before}{part}{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_values_are_cut_around_their_first_difference() {
        let long = |middle: &str| json!(format!("{}{middle}{}", "a".repeat(500), "b".repeat(500)));
        let (replayed, stored) = excerpts(Some(&long("X")), Some(&long("Y")));
        let shown = |middle: &str| format!("…{}{middle}{}…", "a".repeat(20), "b".repeat(139));
        assert_eq!((replayed, stored), (shown("X"), shown("Y")));
        let (replayed, stored) = excerpts(Some(&json!("short")), None);
        assert_eq!((replayed.as_str(), stored.as_str()), ("\"short\"", "nothing"));
    }
}
