//! The program `howdah-coordinator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    services::main::<services::Coordinator>()
}
