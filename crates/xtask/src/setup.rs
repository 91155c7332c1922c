//! What the tests need beside Rust, installed where it is missing: Debian packages, as root.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// A program that tests start.
struct Need {
    program: &'static str,
    package: &'static str,
    what_for: &'static str,
    /// Without it some tests say that they skipped.
    is_optional: bool,
}

const NEEDS: [Need; 5] = [
    Need {
        program: "initdb",
        package: "postgresql",
        what_for: "the store on a real PostgreSQL",
        is_optional: false,
    },
    Need { program: "ssh", package: "openssh-client", what_for: "ssh actions", is_optional: false },
    Need {
        program: "sshd",
        package: "openssh-server",
        what_for: "ssh actions",
        is_optional: false,
    },
    Need {
        program: "setpriv",
        package: "util-linux",
        what_for: "servers that refuse to run as root",
        is_optional: false,
    },
    Need {
        program: "javac",
        package: "default-jdk-headless",
        what_for: "java actions",
        is_optional: true,
    },
];

/// Installs what is missing.
///
/// # Errors
/// When something that is needed is missing and cannot be installed.
pub fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !is_there(need.program)).collect();
    let (optional, needed): (Vec<&Need>, Vec<&Need>) =
        missing.into_iter().partition(|need| need.is_optional);
    if !needed.is_empty() {
        install(&needed, out)?;
    }
    if let Some(absent) = optional.first()
        && let Err(error) = install(&optional, out)
    {
        writeln!(
            out,
            "setup: GOING ON WITHOUT {}: tests of {} will skip ({error:#})",
            absent.package, absent.what_for
        )?;
    }
    writeln!(
        out,
        "setup: {} programs are there",
        NEEDS.iter().filter(|need| is_there(need.program)).count()
    )?;
    Ok(())
}

fn install(needs: &[&Need], out: &mut dyn Write) -> anyhow::Result<()> {
    let packages: Vec<&str> = needs.iter().map(|need| need.package).collect();
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    ensure!(
        is_root() && is_there("apt-get"),
        "missing {}; install them as root: {by_hand}",
        packages.join(", ")
    );
    writeln!(out, "setup: installing {}", packages.join(", "))?;
    apt_get(&["update", "-q"])?;
    apt_get(&[&["install", "-y", "-q", "--no-install-recommends"], packages.as_slice()].concat())
}

fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    let status = command.status().context("cannot start apt-get")?;
    ensure!(status.success(), "apt-get {}: {status}", arguments.join(" "));
    Ok(())
}

/// In PATH, where Debian puts servers, or where it puts PostgreSQL.
fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    let versions = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.iter().any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
