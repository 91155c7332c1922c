//! Bells and news over a real NATS.

mod harness;
mod news;
mod outages;
mod refusals;
mod rings;
