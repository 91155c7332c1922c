//! One attempt in a temporary directory, and patience for facts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use supervisor::{
    AttemptResult, Binary, Claim, Plan, Running, State, SupervisorExit, inspect, kill_remains,
    start,
};
use tempfile::TempDir;

/// The binary that supervises.
pub(crate) const EXE: &str = env!("CARGO_BIN_EXE_howdah-supervise");

/// Far longer than anything takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A grace that no test sits out: programs that answer to SIGTERM do so at once.
pub(crate) const LONG_GRACE_MS: u64 = 600_000;

pub(crate) struct Attempt {
    pub(crate) root: TempDir,
    /// The attempt directory, with a plan.
    pub(crate) dir: PathBuf,
    pub(crate) token: String,
}

impl Attempt {
    /// An attempt that runs a shell script in the directory `work`.
    pub(crate) fn of(script: &str) -> Self {
        Self::with(script, |_| {})
    }

    pub(crate) fn with(script: &str, change: impl FnOnce(&mut Plan)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("attempt");
        let work = root.path().join("work");
        [&dir, &work].into_iter().for_each(|path| fs::create_dir(path).unwrap());
        let token = root.path().file_name().unwrap().to_str().unwrap().to_owned();
        let mut plan = Plan {
            token: token.clone(),
            program: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: BTreeMap::new(),
            working_dir: work,
            stdout_log: root.path().join("stdout"),
            stderr_log: root.path().join("stderr"),
            log_bytes_max: 1 << 20,
            capture_output_bytes_max: None,
            capture_files: Vec::new(),
            timeout_ms: None,
            kill_grace_ms: LONG_GRACE_MS,
            run_as: None,
            umask: None,
            lease_ms: None,
        };
        change(&mut plan);
        plan.write(&dir).unwrap();
        Self { root, dir, token }
    }

    pub(crate) fn start(&self) -> Running {
        start(&Binary::open(Path::new(EXE)).unwrap(), &self.dir).unwrap()
    }

    /// Runs the attempt to its end.
    pub(crate) fn run(&self) -> AttemptResult {
        assert_eq!(exit_of(self.start()), SupervisorExit::Finished);
        self.result()
    }

    pub(crate) fn result(&self) -> AttemptResult {
        match inspect(&self.dir).unwrap() {
            State::Finished(result) => *result,
            other => panic!("expected a result: {other:?}"),
        }
    }

    /// Waits until a supervisor has claimed the attempt.
    pub(crate) fn claim(&self) -> Claim {
        wait_for("a running supervisor", || match inspect(&self.dir).unwrap() {
            State::Running(claim) => Some(claim),
            State::NotStarted => None,
            other => panic!("expected a running supervisor: {other:?}"),
        })
    }

    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// Waits until the program has made a file, and reads it.
    pub(crate) fn wait_for_file(&self, name: &str) -> String {
        let path = self.work(name);
        wait_for(name, || fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')))
    }

    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.root.path().join(name)).unwrap()
    }

    /// Nothing that the program started is alive.
    pub(crate) fn assert_no_remains(&self) {
        assert_eq!(kill_remains(&self.token).unwrap(), 0, "processes outlived their attempt");
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // A failing test leaves nothing behind; a passing one has nothing.
        let _ = kill_remains(&self.token);
    }
}

/// Waits for the supervisor's end.
pub(crate) fn exit_of(mut running: Running) -> SupervisorExit {
    wait_for("the end of the supervisor", || running.reap().unwrap())
}

/// Polls for a fact, with a deadline.
pub(crate) fn wait_for<T>(fact: &str, mut look: impl FnMut() -> Option<T>) -> T {
    const INTERVAL: Duration = Duration::from_millis(2);
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {fact}");
        thread::sleep(INTERVAL);
    }
}

/// Whether there is a process with this pid that is not a zombie.
pub(crate) fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    status.contains("State:") && !status.contains("State:\tZ")
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
