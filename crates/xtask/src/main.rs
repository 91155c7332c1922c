//! The project's chores: everything of the Makefile that has an `if` in it. `cargo run -p xtask -- help` lists them.

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use xtask::workspace::Workspace;
use xtask::{demo, deny, errors, example_jar, setup, tidy};

const HELP: &str = "\
usage: cargo run -p xtask -- COMMAND

  tidy           check what no compiler checks: layers, owners of crates, error pages, texts
  errors         list every error code with where it is used and whether it has a page
  errors-index   write docs/errors/README.md from the pages
  deny           check licences, sources and advisories of dependencies
  setup          install what the build and the tests need (Debian, as root)
  setup-build    install what the build alone needs
  example-jar    compile the java example where there is a JDK
  demo HOWDAH    run the ETL example on a server of its own, with this binary
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done when standard error is gone.
            let _gone = writeln!(io::stderr(), "xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let out = &mut io::stdout();
    match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => Ok(out.write_all(HELP.as_bytes())?),
        ["tidy"] => tidy::run(&Workspace::load()?, out),
        ["errors"] => errors::list(&Workspace::load()?, out),
        ["errors-index"] => errors::write_index(&Workspace::load()?),
        ["deny"] => deny::run(&Workspace::load()?, out),
        ["setup"] => setup::run(out),
        ["setup-build"] => setup::run_for_build(out),
        ["example-jar"] => example_jar::run(&Workspace::root(), out),
        ["demo", howdah] => demo::run(&Workspace::root(), howdah.as_ref(), out),
        other => anyhow::bail!(
            "there is no command `{}`; see `cargo run -p xtask -- help`",
            other.join(" ")
        ),
    }
}
