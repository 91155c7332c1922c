//! The program `howdah-monitor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    services::main::<services::Monitor>()
}
