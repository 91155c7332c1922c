//! Tells cargo that a new migration is a change.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
