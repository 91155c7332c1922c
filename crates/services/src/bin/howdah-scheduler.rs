//! The program `howdah-scheduler`.

use std::process::ExitCode;

fn main() -> ExitCode {
    services::main::<services::Scheduler>()
}
