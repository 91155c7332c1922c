//! The tests of the expression language, in one binary: a recorded table, facts by subject, properties over arbitrary texts, and real applications.

mod corpus;
mod functions;
mod language;
mod limits;
mod properties;
mod questions;
mod variables;
mod world;
