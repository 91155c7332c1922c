//! Between what is on the wire and what the ports speak of, both ways.
//!
//! **Invariants**
//! * What comes from the wire is believed only after it was looked at: a field that cannot be gives [`Malformed`], never a
//!   panic and never a value that the types above do not have.
//! * What goes out comes back equal.

pub(crate) mod api;
pub(crate) mod cluster;
pub(crate) mod reads;
pub(crate) mod work;

use model::{Configuration, JobId, Shard};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire;

/// A message that says what cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field `{field}` of a message cannot be read: {why}")]
pub struct Malformed {
    field: &'static str,
    why: String,
}

impl Malformed {
    pub(crate) fn new(field: &'static str, why: impl ToString) -> Malformed {
        Malformed { field, why: why.to_string() }
    }
}

/// A field that must be there.
pub(crate) fn needed<T>(field: &'static str, value: Option<T>) -> Result<T, Malformed> {
    value.ok_or_else(|| Malformed::new(field, "it is not there"))
}

pub(crate) fn job_id(text: &str) -> Result<JobId, Malformed> {
    text.parse().map_err(|error| Malformed::new("job", error))
}

fn shard(number: u32) -> Result<Shard, Malformed> {
    u16::try_from(number).map(Shard).map_err(|error| Malformed::new("shard", error))
}

fn properties(conf: &Configuration) -> Vec<wire::Property> {
    let property =
        |(name, value): (&str, &str)| wire::Property { name: name.into(), value: value.into() };
    conf.iter().map(property).collect()
}

fn configuration(properties: Vec<wire::Property>) -> Configuration {
    properties.into_iter().map(|property| (property.name, property.value)).collect()
}

/// The stored form of a value.
///
/// Our types have no map with keys that JSON cannot have, and no number that it cannot have; should one come in some day,
/// the other side says that it cannot read the empty text.
pub(crate) fn document<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads the stored form of a value.
pub(crate) fn value<T: DeserializeOwned>(json: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(json).map_err(|error| Malformed::new("json", error))
}

#[cfg(test)]
mod tests;
