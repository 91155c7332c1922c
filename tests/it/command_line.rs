//! A script that calls `oozie` works with `howdah`: same options, same output, same exit codes.

use std::process::{Command, Stdio};

use testkit::server::binary;

/// What a command said and ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the real binary with these words and environment variables.
pub(crate) fn howdah(words: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(binary());
    let output = command.args(words).envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}
