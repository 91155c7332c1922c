//! What `build.rs` makes of `proto/`. Nothing of it leaves this crate.
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    reason = "generated"
)]

include!(concat!(env!("OUT_DIR"), "/howdah.v1.rs"));
