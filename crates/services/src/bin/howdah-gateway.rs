//! The program `howdah-gateway`.

use std::process::ExitCode;

fn main() -> ExitCode {
    services::main::<services::Gateway>()
}
