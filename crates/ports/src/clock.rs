//! Time and chance, handed in so that tests and simulations own them.

use model::{Nonce, Timestamp};

/// The wall clock.
pub trait Clock: Send + Sync {
    /// The present moment. It may step back; users of it keep `max(now, last stored)`.
    fn now(&self) -> Timestamp;
}

/// Numbers that nobody can foresee and that do not repeat.
pub trait Entropy: Send + Sync {
    /// A fresh nonce.
    fn nonce(&self) -> Nonce;
}
