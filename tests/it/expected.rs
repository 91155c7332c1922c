//! What a run of an application must come to: an entry of `examples/expected.json` or of `oozie-apps/apps.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use definition::read_properties;
use model::Configuration;
use serde::Deserialize;
use serde_json::Value;
use testkit::server::Server;

/// Statuses by the name of the action; `*` stands for all rows that are not named.
type Statuses = BTreeMap<String, String>;

/// One run of one application. The READMEs beside the two tables say what each key means.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) app: String,
    #[serde(alias = "expected_status")]
    pub(crate) status: String,
    #[serde(alias = "expected_action_statuses")]
    pub(crate) actions: Statuses,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) needs: Vec<String>,
    pub(crate) build: Option<String>,
    pub(crate) continues: bool,
    pub(crate) corpus_path: String,
    pub(crate) added: Vec<Added>,
    pub(crate) captured: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) retries: BTreeMap<String, u64>,
    pub(crate) error_codes: BTreeMap<String, String>,
    pub(crate) children: BTreeMap<String, Child>,
    pub(crate) kill_message: Option<String>,
    pub(crate) kill_message_starts: Option<String>,
    pub(crate) files: Vec<PathBuf>,
}

/// A file or folder that an application needs beside its definition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Added {
    pub(crate) from: String,
    pub(crate) to: PathBuf,
}

/// What the child of a `sub-workflow` action must come to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Child {
    status: String,
    actions: Statuses,
}

impl Entry {
    /// Submits the application with its `job.properties`, the entry's properties over them and `more` over both, waits for
    /// its end, and answers what differs from the entry. `files` of the entry are below `root`.
    pub(crate) fn run(
        &self,
        server: &Server,
        job_properties: &Path,
        more: &[(&str, &str)],
        root: &Path,
    ) -> Vec<String> {
        let text = std::fs::read_to_string(job_properties).unwrap();
        let mut conf = read_properties(&text).unwrap();
        conf.overlay(
            &self
                .properties
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect::<Configuration>(),
        );
        conf.overlay(&more.iter().copied().collect::<Configuration>());
        let ended =
            server.submit(&conf.iter().collect::<Vec<_>>()).and_then(|job| server.ended(&job));
        let differences = match ended {
            Ok(job) => self.differences(server, &job, root),
            Err(error) => vec![format!("{error:#}")],
        };
        differences
            .into_iter()
            .map(|difference| format!("{} {:?}: {difference}", self.app, self.properties))
            .collect()
    }

    fn differences(&self, server: &Server, job: &Value, root: &Path) -> Vec<String> {
        let mut all = Differences::default();
        all.job(job, &self.status, &self.actions);
        for (action, child) in &self.children {
            match server.job(&shown(&row(job, action)["externalId"])) {
                Ok(found) => all.job(&found, &child.status, &child.actions),
                Err(error) => all.0.push(format!("the child of {action}: {error:#}")),
            }
        }
        self.details(job, root, &mut all);
        all.0
    }

    fn details(&self, job: &Value, root: &Path, all: &mut Differences) {
        for (action, values) in &self.captured {
            let found = captured(&row(job, action)["data"]);
            for (name, value) in values {
                all.compare(
                    &format!("{name} captured by {action}"),
                    found.get(name).unwrap_or("nothing"),
                    value,
                );
            }
        }
        for (action, count) in &self.retries {
            all.compare(
                &format!("user retries of {action}"),
                &shown(&row(job, action)["userRetryCount"]),
                &count.to_string(),
            );
        }
        for (action, code) in &self.error_codes {
            all.compare(
                &format!("error code of {action}"),
                &shown(&row(job, action)["errorCode"]),
                code,
            );
        }
        self.kill_messages(job, all);
        let missing = self.files.iter().filter(|file| !root.join(file).exists());
        all.0.extend(missing.map(|file| format!("there is no {}", file.display())));
    }

    fn kill_messages(&self, job: &Value, all: &mut Differences) {
        let said = rows(job)
            .find(|row| row["type"] == ":KILL:")
            .map_or_else(String::new, |row| shown(&row["errorMessage"]));
        if let Some(message) = &self.kill_message {
            all.compare("kill message", &said, message);
        }
        if let Some(start) = &self.kill_message_starts {
            all.compare(
                "start of the kill message",
                said.get(..start.len()).unwrap_or(&said),
                start,
            );
        }
    }
}

/// In words, what is not as it should be.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, what: &str, found: &str, wanted: &str) {
        if found != wanted {
            self.0.push(format!("{what}: wanted `{wanted}`, found `{found}`"));
        }
    }

    fn job(&mut self, job: &Value, status: &str, actions: &Statuses) {
        self.compare("status", &shown(&job["status"]), status);
        for row in rows(job) {
            let (name, found) = (shown(&row["name"]), shown(&row["status"]));
            let why = match row["errorCode"].as_str() {
                Some(code) => format!(" ({code}: {})", shown(&row["errorMessage"])),
                None => String::new(),
            };
            match actions.get(&name).or_else(|| actions.get("*")) {
                Some(wanted) => self.compare(&format!("action {name}{why}"), &found, wanted),
                None => self.0.push(format!("action {name}: wanted no row, found `{found}`{why}")),
            }
        }
        let missing = actions.keys().filter(|name| *name != "*" && row(job, name).is_null());
        self.0.extend(missing.map(|name| format!("action {name}: wanted a row, found none")));
    }
}

fn rows(job: &Value) -> impl Iterator<Item = &Value> {
    job["actions"].as_array().into_iter().flatten()
}

fn row<'a>(job: &'a Value, name: &str) -> &'a Value {
    rows(job).find(|row| row["name"] == name).unwrap_or(&Value::Null)
}

/// A JSON value without the quotes of texts.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn captured(data: &Value) -> Configuration {
    read_properties(data.as_str().unwrap_or_default()).unwrap()
}

/// The entries that this machine can run; the others are told on standard error.
pub(crate) fn runnable(entries: Vec<Entry>) -> Vec<Entry> {
    let can = |need: &str| match need {
        "jdk" => on_path("javac"),
        "sshd" => on_path("ssh") && on_path("sshd"),
        other => panic!("nobody knows how to provide `{other}`"),
    };
    let is_runnable = |entry: &Entry| match entry.needs.iter().find(|need| !can(need)) {
        Some(need) => {
            eprintln!("skipped: {} needs {need}, which is not installed", entry.app);
            false
        }
        None => true,
    };
    entries.into_iter().filter(is_runnable).collect()
}

/// Whether there is such a program; those for servers are not always in PATH.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|dir| dir.join(program).is_file())
}

/// Does something with every item, a few at a time, and answers all that was found.
pub(crate) fn each<T: Send>(items: Vec<T>, work: impl Fn(T) -> Vec<String> + Sync) -> Vec<String> {
    const AT_ONCE: usize = 4;
    let left = Mutex::new(items.into_iter());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(item) = next(&left) {
                    let more = work(item);
                    found.lock().unwrap().extend(more);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn next<T>(left: &Mutex<std::vec::IntoIter<T>>) -> Option<T> {
    left.lock().unwrap().next()
}

/// Copies a file or a folder with all that is in it; what an earlier run left behind (`output/`, `lib/`) is not taken.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "output" && name != "lib" {
            copy(&from.join(&name), &to.join(&name));
        }
    }
}

#[test]
fn what_differs_is_told() {
    let entry = r#"{"app": "a", "status": "SUCCEEDED", "actions": {"x": "OK", "gone": "OK"}, "captured": {"x": {"k": "1"}},
        "retries": {"x": 2}, "error_codes": {"x": "FS001"}, "kill_message_starts": "no", "files": ["not-there"]}"#;
    let job = r#"{"status": "KILLED", "actions": [{"name": "x", "status": "ERROR", "errorCode": "1", "errorMessage": "bad", "data": "k=2",
        "userRetryCount": 0}, {"name": "k", "status": "OK", "type": ":KILL:", "errorMessage": "yes"}]}"#;
    let (entry, job): (Entry, Value) =
        (serde_json::from_str(entry).unwrap(), serde_json::from_str(job).unwrap());
    let mut all = Differences::default();
    all.job(&job, &entry.status, &entry.actions);
    entry.details(&job, Path::new("/"), &mut all);
    let told = "status: wanted `SUCCEEDED`, found `KILLED`
action x (1: bad): wanted `OK`, found `ERROR`
action k: wanted no row, found `OK`
action gone: wanted a row, found none
k captured by x: wanted `1`, found `2`
user retries of x: wanted `2`, found `0`
error code of x: wanted `FS001`, found `1`
start of the kill message: wanted `no`, found `ye`
there is no not-there";
    assert_eq!(all.0.join("\n"), told);
}
