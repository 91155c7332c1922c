//! Measures what a supervisor adds to a program: time from the plan to the result, and memory while it waits.
//! `cargo build --bins && cargo run --example overhead`, best with `--release`.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use supervisor::{Binary, Plan, Running, State, inspect, request_stop, start};

const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let exe = env::current_exe()?.with_file_name("../howdah-supervise");
    let root = tempfile::tempdir()?;
    let mut bare = Vec::new();
    let mut supervised = Vec::new();
    for round in 0..ROUNDS {
        bare.push(timed(|| Ok(Command::new("/bin/true").status()?))?);
        let dir = root.path().join(round.to_string());
        supervised.push(timed(|| Ok(begin(&exe, &dir, "/bin/true", &[])?.wait()?))?);
    }
    let mut out = io::stdout();
    writeln!(out, "spawn and wait          {}", summary(bare))?;
    writeln!(out, "plan to result, synced  {}", summary(supervised))?;
    writeln!(out, "{}", memory(&exe, &root.path().join("waiting"))?)?;
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}

fn summary(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("p50 {:?}  p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100])
}

fn begin(exe: &Path, dir: &Path, program: &str, args: &[&str]) -> Result<Running, Box<dyn Error>> {
    fs::create_dir(dir)?;
    plan(dir, program, args).write(dir)?;
    Ok(start(&Binary::open(exe)?, dir)?)
}

fn plan(dir: &Path, program: &str, args: &[&str]) -> Plan {
    let log = |name: &str| -> PathBuf { dir.join(name) };
    Plan {
        token: "overhead".to_owned(),
        program: program.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: BTreeMap::new(),
        working_dir: dir.to_owned(),
        stdout_log: log("stdout"),
        stderr_log: log("stderr"),
        log_bytes_max: 1 << 20,
        capture_output_bytes_max: None,
        capture_files: Vec::new(),
        timeout_ms: None,
        kill_grace_ms: 0,
        run_as: None,
        umask: None,
        lease_ms: None,
    }
}

/// Of a supervisor whose program sleeps.
fn memory(exe: &Path, dir: &Path) -> Result<String, Box<dyn Error>> {
    let mut running = begin(exe, dir, "/bin/sleep", &["1000"])?;
    let claim = loop {
        if let State::Running(claim) = inspect(dir)? {
            break claim;
        }
    };
    let path = format!("/proc/{}/smaps_rollup", claim.pid);
    while !fs::read_to_string(format!("/proc/{0}/task/{0}/children", claim.pid))?.contains(' ') {}
    let rollup = fs::read_to_string(path)?;
    request_stop(dir, Some(&claim))?;
    running.wait()?;
    let wanted =
        |line: &&str| ["Rss:", "Pss:", "Private_Dirty:"].iter().any(|name| line.starts_with(name));
    Ok(rollup.lines().filter(wanted).collect::<Vec<_>>().join("\n"))
}
