//! A server as a child process: it ends with the test, also when the test is killed.
//!
//! **Invariant.** A shell stands between, whose standard input is a pipe from the test process. When the pipe ends, for
//! whatever reason, it kills the server; when the shell itself is killed, the kernel kills the server
//! (`setpriv --pdeathsig`).

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// The shell only has to start and to write a line.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at that line.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Starts the server, tells its pid, and ends it when the pipe does.
const JANITOR: &str = r#"
trap "" INT TERM HUP
dir=$1; shift
"$@" </dev/null >>"$dir/log" 2>&1 &
server=$!
echo "$server" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
read -r word
kill -KILL "$server" 2>/dev/null
wait "$server"
"#;

/// A running server; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    janitor: Child,
    pid: Pid,
}

impl Process {
    /// Starts `program`; what it says goes to `dir/log`.
    pub(crate) fn start(dir: &Path, program: &Path, arguments: &[&str]) -> anyhow::Result<Process> {
        let pid_file = dir.join("pid");
        let _none_yet = fs::remove_file(&pid_file);
        let mut janitor = Command::new("sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(dir)
            .args(["setpriv", "--pdeathsig=KILL", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            // It says "Killed" of every server; what servers say goes to the log.
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start sh")?;
        let pid = read_pid(&pid_file, &mut janitor)?;
        Ok(Process { janitor, pid })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill_process(self.pid, signal).context("cannot signal the server")
    }

    /// Whether it is gone, or a zombie of the shell.
    pub(crate) fn has_ended(&self) -> bool {
        let pid = self.pid.as_raw_nonzero();
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // `pid (name) state …`, and the name may hold anything.
        let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        matches!(state, None | Some('Z' | 'X'))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        let _status = self.janitor.wait();
    }
}

fn read_pid(file: &Path, janitor: &mut Child) -> anyhow::Result<Pid> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) {
            return Ok(pid);
        }
        ensure!(janitor.try_wait()?.is_none(), "the shell that starts the server has ended");
        ensure!(Instant::now() < deadline, "the shell that starts the server says no pid");
        std::thread::sleep(POLL_INTERVAL);
    }
}
