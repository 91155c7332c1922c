//! The supervisor as a program of its own, for tests and for trying it by hand:
//! `howdah-supervise __supervise <attempt directory>`.

use std::env;
use std::process::ExitCode;

const USAGE_EXIT_CODE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == supervisor::FIRST_ARGUMENT => supervisor::main(arguments),
        _ => ExitCode::from(USAGE_EXIT_CODE),
    }
}
