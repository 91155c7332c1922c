//! What a worker starts, as a program of its own, for tests and for trying it by hand:
//! `howdah-action __supervise <attempt directory>` and `howdah-action __action <attempt directory>`.

use std::env;
use std::process::ExitCode;

const USAGE_EXIT_CODE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == supervisor::FIRST_ARGUMENT => supervisor::main(arguments),
        Some(first) if first == executor_worker::BUILTIN_ARGUMENT => {
            executor_worker::run_builtin(arguments)
        }
        _ => ExitCode::from(USAGE_EXIT_CODE),
    }
}
