//! Real supervisors that run real programs, each in a temporary directory of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod binary;
mod claims;
#[cfg(debug_assertions)]
mod crashes;
mod disk;
mod ends;
mod fixture;
mod output;
mod surroundings;
mod trees;
