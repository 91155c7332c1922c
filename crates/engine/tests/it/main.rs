//! The engine from outside: stories told by name, and random jobs in random weather.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod placement;
mod properties;
mod stories;
mod world;
