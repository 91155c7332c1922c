//! Keys, and what stands under them.

use model::MemberId;
use ports::election::{Agreement, Entry, Standing};
use serde::de::DeserializeOwned;
use tracing::warn;

/// The keys of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

/// What a key is about.
enum Topic<'a> {
    Member(&'a str),
    Decided,
    Policy,
    Replica(&'a str),
}

impl Keys {
    pub(crate) fn new(namespace: &str) -> Keys {
        Keys { prefix: format!("/howdah/{namespace}/") }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn member(&self, id: &MemberId) -> String {
        format!("{}members/{id}", self.prefix)
    }

    pub(crate) fn decided(&self) -> String {
        format!("{}decided", self.prefix)
    }

    pub(crate) fn policy(&self) -> String {
        format!("{}policy", self.prefix)
    }

    pub(crate) fn replica(&self, name: &str) -> String {
        format!("{}replicas/{name}", self.prefix)
    }

    fn topic<'a>(&self, key: &'a [u8]) -> Option<Topic<'a>> {
        let key = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?;
        match key.split_once('/') {
            None if key == "decided" => Some(Topic::Decided),
            None if key == "policy" => Some(Topic::Policy),
            Some(("members", id)) => Some(Topic::Member(id)),
            Some(("replicas", name)) => Some(Topic::Replica(name)),
            None | Some(_) => None,
        }
    }

    /// A key was written.
    pub(crate) fn put(&self, agreement: &mut Agreement, key: &etcd_client::KeyValue) {
        let (created, modified) = (key.create_revision(), key.mod_revision());
        // What cannot be read replaces what could be: it is not there any more.
        self.delete(agreement, key.key());
        match self.topic(key.key()) {
            Some(Topic::Member(id)) => {
                if let Some(member) = read(key) {
                    let entry = Entry { member, created, modified };
                    agreement.members.insert(MemberId::new(id), entry);
                }
            }
            Some(Topic::Decided) => {
                agreement.decided = read(key).map(|decided| (decided, modified));
            }
            Some(Topic::Policy) => agreement.policy = read(key),
            Some(Topic::Replica(name)) => {
                if let Some(Standing { address, .. }) = read(key) {
                    agreement.replicas.insert(name.to_owned(), address);
                }
            }
            None => warn!(key = key.key_str().unwrap_or("?"), "unknown key in etcd, left alone"),
        }
        agreement.revision = agreement.revision.max(modified);
    }

    /// A key was deleted.
    pub(crate) fn delete(&self, agreement: &mut Agreement, key: &[u8]) {
        match self.topic(key) {
            Some(Topic::Member(id)) => drop(agreement.members.remove(id)),
            Some(Topic::Decided) => agreement.decided = None,
            Some(Topic::Policy) => agreement.policy = None,
            Some(Topic::Replica(name)) => drop(agreement.replicas.remove(name)),
            None => {}
        }
    }
}

fn read<T: DeserializeOwned>(key: &etcd_client::KeyValue) -> Option<T> {
    let value = serde_json::from_slice(key.value());
    value
        .inspect_err(|error| {
            let key = key.key_str().unwrap_or("?");
            warn!(key, %error, "value in etcd cannot be read; it counts as absent");
        })
        .ok()
}
