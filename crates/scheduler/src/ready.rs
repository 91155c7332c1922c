//! Attempts on offer, by pool: late binding picks the best when a worker claims (architecture §4).
//!
//! Order within a pool: higher priority first, then the order in which they were offered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use engine::AttemptRef;
use model::{JobId, NodeName};

/// An attempt on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The job.
    pub(crate) job: JobId,
    /// The action.
    pub(crate) action: NodeName,
    /// The attempt.
    pub(crate) of: AttemptRef,
}

/// Place in the queue of a pool: priority, descending, then arrival.
type Place = (std::cmp::Reverse<i32>, u64);

/// Everything on offer.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pools: BTreeMap<Arc<str>, BTreeMap<Place, Offer>>,
    places: HashMap<JobId, BTreeMap<NodeName, (Arc<str>, Place)>>,
    arrivals: u64,
}

impl Ready {
    /// Puts an attempt on offer, in the place of an earlier attempt of the same action; repeating it changes nothing.
    pub(crate) fn offer(&mut self, offer: Offer, pool: &Arc<str>, priority: i32) {
        let known = self.places.get(&offer.job).and_then(|actions| actions.get(&offer.action));
        if let Some((at_pool, place)) = known {
            let same = self.pools.get(at_pool).and_then(|queue| queue.get(place)) == Some(&offer);
            if same && at_pool == pool && place.0.0 == priority {
                return;
            }
            self.withdraw(&offer.job, &offer.action);
        }
        self.arrivals += 1;
        let place = (std::cmp::Reverse(priority), self.arrivals);
        let actions = self.places.entry(offer.job.clone()).or_default();
        actions.insert(offer.action.clone(), (Arc::clone(pool), place));
        self.pools.entry(Arc::clone(pool)).or_default().insert(place, offer);
    }

    /// Takes an action off offer.
    pub(crate) fn withdraw(&mut self, job: &JobId, action: &NodeName) {
        let Some(actions) = self.places.get_mut(job) else { return };
        let place = actions.remove(action);
        if actions.is_empty() {
            self.places.remove(job);
        }
        self.leave(place);
    }

    /// Takes every action of a job off offer.
    pub(crate) fn withdraw_job(&mut self, job: &JobId) {
        for place in self.places.remove(job).unwrap_or_default().into_values() {
            self.leave(Some(place));
        }
    }

    fn leave(&mut self, place: Option<(Arc<str>, Place)>) {
        let Some((pool, place)) = place else { return };
        if let Some(queue) = self.pools.get_mut(&pool) {
            queue.remove(&place);
            if queue.is_empty() {
                self.pools.remove(&pool);
            }
        }
    }

    /// The best offer of a pool, taken off.
    pub(crate) fn take(&mut self, pool: &str) -> Option<Offer> {
        let offer = self.pools.get(pool)?.values().next()?.clone();
        self.withdraw(&offer.job, &offer.action);
        Some(offer)
    }

    /// How many attempts each pool has on offer.
    pub(crate) fn counts(&self) -> Vec<(Arc<str>, u64)> {
        self.pools.iter().map(|(pool, queue)| (Arc::clone(pool), queue.len() as u64)).collect()
    }

    /// Whether a pool has anything on offer.
    pub(crate) fn has(&self, pool: &str) -> bool {
        self.pools.contains_key(pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Attempt, Run};

    fn offer(ready: &mut Ready, name: &str, priority: i32) {
        let of = AttemptRef { run: Run(0), attempt: Attempt(1) };
        let job: JobId = "0000001-261122144400000-howdah-W".parse().expect("an id");
        ready.offer(Offer { job, action: NodeName::new(name), of }, &"p".into(), priority);
    }

    fn drain(ready: &mut Ready) -> Vec<String> {
        std::iter::from_fn(|| ready.take("p")).map(|offer| offer.action.to_string()).collect()
    }

    #[test]
    fn priority_comes_before_arrival() {
        let mut ready = Ready::default();
        for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)] {
            offer(&mut ready, name, priority);
        }
        assert_eq!(drain(&mut ready), ["b", "d", "a", "c"]);
    }

    #[test]
    fn a_repeated_offer_keeps_its_place_and_a_changed_priority_moves_it() {
        let mut ready = Ready::default();
        for (name, priority) in [("a", 0), ("b", 0), ("a", 0), ("b", 1)] {
            offer(&mut ready, name, priority);
        }
        assert_eq!(ready.counts(), [("p".into(), 2)]);
        assert_eq!(drain(&mut ready), ["b", "a"]);
        assert!(!ready.has("p"));
    }
}
