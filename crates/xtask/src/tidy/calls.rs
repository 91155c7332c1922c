//! Calls that only some may make: the pure crates none that reach outside, the others only where it is their job.

use super::Offence;
use crate::workspace::Workspace;

const PURE: [&str; 4] = ["model", "el", "definition", "engine"];

/// Words that a pure crate has no use for.
const OUTSIDE: [(&str, &str); 11] = [
    ("tokio", "the engine never awaits"),
    ("std::fs", "files are read above and handed in as text"),
    ("std::net", "sockets are the adapters'"),
    ("std::process", "processes are the supervisor's"),
    ("std::thread", "threads are the services'"),
    ("std::env", "settings are handed in"),
    ("SystemTime", "`now` is an argument"),
    ("Instant", "`now` is an argument"),
    ("HashMap", "the order of hash tables differs from run to run; use BTreeMap"),
    ("HashSet", "the order of hash tables differs from run to run; use BTreeSet"),
    ("RandomState", "chance is an argument"),
];

/// Calls with few rightful callers: the words, the beginnings of their paths, and what everybody else does.
const CALLS: [(&str, &[&str], &str); 11] = [
    (
        "SystemTime::now",
        &[
            "crates/files-local/src/system.rs",
            "crates/executor-worker/src/builtin",
            "crates/cli/",
            "crates/testkit/",
            "crates/xtask/",
        ],
        "ask the port `clock`",
    ),
    ("Timestamp::now", &["crates/cli/"], "ask the port `clock`"),
    ("Zoned::now", &["crates/cli/"], "ask the port `clock`"),
    (
        "process::exit",
        &["crates/chassis/src/shutdown.rs"],
        "return an ExitCode, so that destructors run",
    ),
    (
        "process::abort",
        &["crates/ports/src/crash.rs", "crates/supervisor/src/crash.rs"],
        "only crash points of tests abort",
    ),
    (
        "env::var",
        &[
            "crates/chassis/src/config",
            "crates/executor-worker/src/config.rs",
            "crates/ports/src/crash.rs",
            "crates/supervisor/src/",
            "crates/cli/",
            "crates/testkit/",
            "crates/xtask/",
        ],
        "settings come through `chassis::config`, so that each has an origin",
    ),
    (
        "env::var_os",
        &[
            "crates/chassis/src/config",
            "crates/executor-worker/src/config.rs",
            "crates/cli/",
            "crates/testkit/",
            "crates/xtask/",
        ],
        "settings come through `chassis::config`, so that each has an origin",
    ),
    (
        "env::vars",
        &["crates/cli/src/terminal.rs"],
        "settings come through `chassis::config`, so that each has an origin",
    ),
    (
        "env::vars_os",
        &["crates/cli/src/terminal.rs", "crates/services/src/run.rs"],
        "settings come through `chassis::config`, so that each has an origin",
    ),
    (
        "pre_exec",
        &["crates/supervisor/"],
        "it makes the standard library fork, which takes long in a large process",
    ),
    ("unbounded_channel", &[], "every queue has a bound with a reason; use `channel(BOUND)`"),
];

/// The pure crates name nothing that reaches outside.
pub(super) fn purity(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    let pure = workspace.sources.iter().filter(|source| PURE.contains(&source.package.as_str()));
    for source in pure {
        for (words, why) in OUTSIDE {
            for line in source.shipped_lines(words) {
                offences.push(Offence::new(
                    format!("{}:{line}", source.path),
                    format!("`{words}` in a pure crate: {why}"),
                ));
            }
        }
    }
    offences
}

/// Calls are made by their rightful callers.
pub(super) fn owners(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    for source in &workspace.sources {
        for (words, callers, instead) in CALLS {
            let is_rightful = callers.iter().any(|caller| source.path.starts_with(caller));
            let lines = if is_rightful { Vec::new() } else { source.shipped_lines(words) };
            for line in lines {
                offences.push(Offence::new(
                    format!("{}:{line}", source.path),
                    format!("`{words}`: {instead}"),
                ));
            }
        }
    }
    offences
}
