//! The program `howdah`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
