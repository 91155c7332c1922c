//! The program `howdah-worker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    services::main::<services::Worker>()
}
