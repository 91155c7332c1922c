//! A server that several tests share, and the job of somebody else that none of them may disturb.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use testkit::server::{Answer, Server, configuration};

/// The other job may take so many times its usual time, and [`SLACK`] more: other tests use the same two cores.
const SLOWER_MAX: u32 = 3;
const SLACK: Duration = Duration::from_secs(2);
/// Actions of the other job: enough to be in flight while a case is tried.
const CHAIN_LEN: usize = 6;
/// More than a debug build needs for anything but keeping what hostile input says.
pub(crate) const RESIDENT_BYTES_MAX: u64 = 250 << 20;

/// Headers of a posted document.
pub(crate) const XML: &[(&str, &str)] = &[("content-type", "application/xml;charset=UTF-8")];

/// A server with a place for applications.
pub(crate) struct Bench {
    pub(crate) server: Server,
    dir: TempDir,
    apps: AtomicU32,
    neighbour: PathBuf,
    usual: Duration,
}

/// The server of all tests that do not restart theirs. It ends with the last of them.
pub(crate) fn shared() -> Arc<Bench> {
    static SHARED: Mutex<Weak<Bench>> = Mutex::new(Weak::new());
    let mut slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    slot.upgrade().unwrap_or_else(|| {
        let bench = Arc::new(Bench::start(&[
            ("HOWDAH_WORKER__KILL_GRACE", "500ms"),
            ("HOWDAH_JOBS__RETRY_INTERVAL", "1s"),
        ]));
        *slot = Arc::downgrade(&bench);
        bench
    })
}

impl Bench {
    /// A server of its own, with these variables in its environment.
    pub(crate) fn start(env: &[(&str, &str)]) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start_with(&dir.path().join("data"), &[], env).unwrap();
        Bench::of(server, dir)
    }

    /// Around a server that runs already.
    pub(crate) fn of(server: Server, dir: TempDir) -> Bench {
        let neighbour = dir.path().join("neighbour");
        write_app(&neighbour, chain().as_bytes());
        let mut bench =
            Bench { server, dir, apps: AtomicU32::new(0), neighbour, usual: Duration::ZERO };
        bench.usual = bench.run_neighbour(|| {});
        bench
    }

    /// Kills the server; what it left stays.
    pub(crate) fn stop(self) -> TempDir {
        let Bench { mut server, dir, .. } = self;
        server.kill();
        dir
    }

    /// A directory for one test alone.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new application directory with this definition.
    pub(crate) fn app(&self, definition: impl AsRef<[u8]>) -> String {
        let number = self.apps.fetch_add(1, Ordering::Relaxed);
        let app = self.path(&format!("app-{number}"));
        write_app(&app, definition.as_ref());
        app.to_str().unwrap().to_owned()
    }

    /// Does something hostile while the job of somebody else is in flight; that one ends well and in its usual time.
    pub(crate) fn beside<T>(&self, hostile: impl FnOnce(&Bench) -> T) -> T {
        let (begun, begins) = sync_channel(1);
        thread::scope(|scope| {
            let other = scope.spawn(move || self.run_neighbour(|| begun.send(()).unwrap()));
            begins.recv().unwrap();
            let outcome = hostile(self);
            let took = other.join().unwrap();
            self.check_took(took);
            outcome
        })
    }

    /// When it took long, it is asked how long it takes undisturbed now: other tests may have the processors.
    fn check_took(&self, took: Duration) {
        let is_usual = |usual: Duration| took <= usual * SLOWER_MAX + SLACK;
        if !is_usual(self.usual) {
            let now = self.run_neighbour(|| {});
            let usual = self.usual;
            assert!(
                is_usual(now),
                "the other job took {took:?}, undisturbed {usual:?}, now {now:?}"
            );
        }
    }

    fn run_neighbour(&self, begun: impl FnOnce()) -> Duration {
        let start = Instant::now();
        let path = self.neighbour.to_str().unwrap();
        let job = self
            .server
            .submit(&[("user.name", "neighbour"), ("oozie.wf.application.path", path)])
            .unwrap();
        begun();
        let ended = self.server.ended(&job).unwrap();
        assert_eq!(ended["status"], "SUCCEEDED", "the other job: {ended}");
        start.elapsed()
    }

    /// Posts a configuration as it stands.
    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.server.send("POST", "/oozie/v2/jobs?action=start", XML, Some(body.as_ref())).unwrap()
    }

    /// Posts a submit of an application.
    pub(crate) fn submit(&self, app: &str, more: &[(&str, &str)]) -> Answer {
        let mut properties = vec![("user.name", "tester"), ("oozie.wf.application.path", app)];
        properties.extend(more);
        self.post(configuration(&properties))
    }

    /// Submits an application that is accepted.
    pub(crate) fn begin(&self, app: &str, more: &[(&str, &str)]) -> String {
        let answer = self.submit(app, more);
        assert_eq!(answer.status, 201, "{answer:?}");
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        told["id"].as_str().unwrap().to_owned()
    }

    /// Memory that the server holds now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

/// An answer that refuses: its status, its code, and every one of these words in its message.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str, words: &[&str]) {
    assert_eq!((answer.status, answer.code.as_str()), (status, code), "{answer:?}");
    for word in words {
        assert!(answer.message.contains(word), "no `{word}` in: {}", answer.message);
    }
}

/// An action that failed: its code, and every one of these words in its message.
#[track_caller]
pub(crate) fn failed(job: &Value, action: &str, code: &str, words: &[&str]) {
    let action = self::action(job, action);
    let message = action["errorMessage"].as_str().unwrap_or_default();
    assert_eq!(action["errorCode"], code, "{job}");
    for word in words {
        assert!(message.contains(word), "no `{word}` in: {message}");
    }
}

/// One action of a job.
#[track_caller]
pub(crate) fn action<'a>(job: &'a Value, name: &str) -> &'a Value {
    let found = job["actions"].as_array().unwrap().iter().find(|action| action["name"] == name);
    found.unwrap_or_else(|| panic!("no action {name} in {job}"))
}

/// An application directory.
pub(crate) fn write_app(app: &Path, definition: &[u8]) {
    fs::create_dir_all(app).unwrap();
    fs::write(app.join("workflow.xml"), definition).unwrap();
}

/// A definition with these nodes between its start and its end.
pub(crate) fn workflow(nodes: &str) -> String {
    format!(
        r#"<workflow-app xmlns="uri:oozie:workflow:0.5" name="hostile"><start to="a"/>{nodes}<kill name="fail"><message>failed</message></kill><end name="end"/></workflow-app>"#
    )
}

/// A shell action that runs a command line; `more` stands behind its arguments.
pub(crate) fn shell(name: &str, to: &str, line: &str, more: &str) -> String {
    let line = line.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        r#"<action name="{name}"><shell xmlns="uri:oozie:shell-action:0.3"><job-tracker>local</job-tracker><name-node>file:///</name-node><exec>sh</exec><argument>-c</argument><argument>{line}</argument>{more}</shell><ok to="{to}"/><error to="fail"/></action>"#
    )
}

/// What the other job does.
pub(crate) fn chain() -> String {
    let mut nodes = String::new();
    for at in 0..CHAIN_LEN {
        let name = if at == 0 { "a".to_owned() } else { format!("a{at}") };
        let to = if at + 1 == CHAIN_LEN { "end".to_owned() } else { format!("a{}", at + 1) };
        write!(nodes, "{}", shell(&name, &to, "true", "")).unwrap();
    }
    workflow(&nodes)
}
