//! The jar of `examples/java`: compiled where there is a JDK, skipped with a word where there is none.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Compiles it.
///
/// # Errors
/// When the compiler refuses it.
pub fn run(root: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = root.join("examples/java");
    if Command::new("javac").arg("-version").output().is_err() {
        writeln!(
            out,
            "example-jar: SKIPPED, there is no JDK (Debian: apt-get install default-jdk-headless)"
        )?;
        return Ok(());
    }
    let status = Command::new("sh")
        .arg("build.sh")
        .current_dir(&folder)
        .status()
        .context("cannot start sh")?;
    ensure!(status.success(), "{}: {status}", folder.join("build.sh").display());
    writeln!(out, "example-jar: {}", folder.join("lib/words.jar").display())?;
    Ok(())
}
