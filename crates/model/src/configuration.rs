//! Hadoop-style configuration: property names and their texts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Properties by name, sorted by name: two equal configurations print the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Configuration(BTreeMap<String, String>);

impl Configuration {
    /// Without properties.
    pub fn new() -> Configuration {
        Configuration::default()
    }

    /// The value of a property as it stands, without any substitution.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a property is the word `true` (as Hadoop reads booleans: anything else is false).
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// Sets a property.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Takes a property out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Sets every property of `other`, which wins.
    pub fn overlay(&mut self, other: &Configuration) {
        self.0.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// Sets those properties of `defaults` that are not there yet: Oozie's `injectDefaults`.
    pub fn fill_from(&mut self, defaults: &Configuration) {
        for (name, value) in &defaults.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// All properties, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many properties there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Configuration {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Configuration {
        Configuration(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_fill_gaps_and_overlays_win() {
        let mut conf = Configuration::from_iter([("a", "1"), ("b", "2")]);
        conf.fill_from(&Configuration::from_iter([("b", "x"), ("c", "3")]));
        conf.overlay(&Configuration::from_iter([("a", "9")]));
        assert_eq!(conf, Configuration::from_iter([("a", "9"), ("b", "2"), ("c", "3")]));
    }
}
