//! Whether a service can do its work: one latch per dependency, ready when every latch is set.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The latches of one process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    latches: Arc<Mutex<BTreeMap<String, LatchState>>>,
}

/// What a dependency is waiting for; `None` when it is there.
type LatchState = Option<String>;

/// One dependency's latch. Clones are the same latch.
#[derive(Clone, Debug)]
pub struct Latch {
    name: String,
    all: Readiness,
}

impl Readiness {
    /// Without latches: ready.
    pub fn new() -> Readiness {
        Readiness::default()
    }

    /// Adds a dependency that is not there yet.
    pub fn latch(&self, name: &str) -> Latch {
        let latch = Latch { name: name.to_owned(), all: self.clone() };
        latch.clear("starting");
        latch
    }

    /// Whether every dependency is there.
    pub fn is_ready(&self) -> bool {
        self.states().values().all(Option::is_none)
    }

    /// Each dependency with what it waits for, by name.
    pub fn states(&self) -> BTreeMap<String, Option<String>> {
        // A panic elsewhere while the lock was held left whole entries: a map insert is all that happens under it.
        self.latches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, name: &str, state: LatchState) {
        self.latches.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), state);
    }
}

impl Latch {
    /// The dependency is there.
    pub fn set(&self) {
        self.all.put(&self.name, None);
    }

    /// The dependency is not there, and this is what is waited for.
    pub fn clear(&self, why: &str) {
        self.all.put(&self.name, Some(why.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_when_every_latch_is_set() {
        let ready = Readiness::new();
        let (store, listener) = (ready.latch("store"), ready.latch("listener"));
        store.set();
        assert!(!ready.is_ready());
        listener.set();
        assert!(ready.is_ready());
        store.clear("the database does not answer");
        assert_eq!(ready.states()["store"].as_deref(), Some("the database does not answer"));
        assert!(!ready.is_ready());
    }
}
