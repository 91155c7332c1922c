//! Makes Rust of `proto/`, with a compiler that is itself Rust: no `protoc` needs to be installed.

use std::error::Error;

const ROOT: &str = "../../proto";
const FILES: [&str; 3] =
    ["howdah/v1/work.proto", "howdah/v1/scheduler.proto", "howdah/v1/membership.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let files = protox::compile(FILES, [ROOT])?;
    tonic_prost_build::configure().btree_map(".").compile_fds(files)?;
    Ok(())
}
