//! Which algorithm is in force for which class of requests; changed at run time.

use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::algorithm::Algorithm;

/// Requests that are spread by an algorithm; all others go to the owner of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteClass {
    /// Submits for which the client gave no `Idempotency-Key`, and dry runs.
    Submit,
    /// Reads.
    Read,
}

/// The algorithms in force in one gateway.
#[derive(Debug)]
pub struct Algorithms {
    submit: AtomicU8,
    read: AtomicU8,
}

impl Algorithms {
    /// One for each class.
    pub fn new(submit: Algorithm, read: Algorithm) -> Algorithms {
        Algorithms { submit: AtomicU8::new(index(submit)), read: AtomicU8::new(index(read)) }
    }

    /// The one in force.
    pub fn get(&self, class: RouteClass) -> Algorithm {
        Algorithm::ALL[usize::from(self.cell(class).load(Ordering::Relaxed))]
    }

    /// From now on this one.
    pub fn set(&self, class: RouteClass, algorithm: Algorithm) {
        self.cell(class).store(index(algorithm), Ordering::Relaxed);
    }

    fn cell(&self, class: RouteClass) -> &AtomicU8 {
        match class {
            RouteClass::Submit => &self.submit,
            RouteClass::Read => &self.read,
        }
    }
}

fn index(algorithm: Algorithm) -> u8 {
    let index =
        Algorithm::ALL.iter().position(|one| *one == algorithm).expect("ALL holds every one");
    u8::try_from(index).expect("there are four")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_own() {
        let algorithms = Algorithms::new(Algorithm::Hash, Algorithm::RoundRobin);
        for algorithm in Algorithm::ALL {
            algorithms.set(RouteClass::Read, algorithm);
            assert_eq!(algorithms.get(RouteClass::Read), algorithm);
            assert_eq!(algorithms.get(RouteClass::Submit), Algorithm::Hash);
        }
    }
}
