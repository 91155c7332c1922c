//! Foreign crates: each has owners, the pure crates have next to none, and none is listed without being used.

use super::Offence;
use crate::workspace::{Package, Workspace};

/// Crates that are language more than library.
const EVERYWHERE: [&str; 3] = ["serde", "serde_json", "thiserror"];
/// Crates that every layer above the pure ones may use.
const ABOVE_PURE: [&str; 7] =
    ["async-trait", "bytes", "futures", "tokio", "tokio-stream", "tokio-util", "tracing"];
/// Crates for tests.
const FOR_TESTS: [&str; 4] = ["anyhow", "expect-test", "proptest", "tempfile"];
const PURE: [&str; 4] = ["model", "el", "definition", "engine"];

/// Crates that one concern needs: who may name them, and why nobody else.
const OWNED: [(&[&str], &[&str], &str); 18] = [
    (&["sqlx"], &["store-sql"], "SQL stays behind the port `store`"),
    (&["async-nats"], &["bus-nats"], "NATS stays behind the port `bell`"),
    (&["etcd-client"], &["election-etcd"], "etcd stays behind the port `election`"),
    (
        &["tonic", "tonic-health", "tonic-prost", "tonic-prost-build", "prost", "protox"],
        &["rpc"],
        "only `rpc` knows the wire",
    ),
    (
        &["axum"],
        &["gateway", "chassis", "cli"],
        "HTTP servers are the gateway's and the chassis'; the cli binds the socket of standalone",
    ),
    (
        &["hyper", "hyper-util"],
        &["chassis", "rpc"],
        "connections are counted and timed in one place, and told apart in another",
    ),
    (&["tower", "tower-http", "utoipa"], &["gateway"], "only the gateway has an API over HTTP"),
    (
        &["clap", "clap_complete", "miette", "owo-colors"],
        &["cli"],
        "only the command line talks to people at a terminal",
    ),
    (
        &["ureq"],
        &["scheduler", "cli", "testkit"],
        "HTTP clients: notifications, the command line, tests",
    ),
    (&["lettre"], &["executor-worker"], "only e-mail actions send mail"),
    (&["flate2", "tar", "zip"], &["executor-worker"], "only the worker unpacks archives"),
    (&["resvg", "epaint_default_fonts"], &["graph"], "only pictures need fonts and pixels"),
    (
        &["roxmltree"],
        &["definition", "el"],
        "XML is read where it becomes a definition, or a value of an expression",
    ),
    (&["jiff"], &["model", "gateway", "cli"], "everybody else speaks in `model::Timestamp`"),
    (&["fancy-regex"], &["el"], "patterns of Java are the expression language's"),
    (
        &["prometheus-client"],
        &[
            "chassis",
            "scheduler",
            "executor-worker",
            "monitor",
            "gateway",
            "cli",
            "services",
            "bus-nats",
        ],
        "metrics are the services', and of the adapter that counts what nobody else sees",
    ),
    (
        &["rustix", "signal-hook"],
        &["supervisor", "files-local", "store-sql", "executor-worker", "chassis", "cli", "testkit"],
        "the kernel is asked by adapters and by what starts processes",
    ),
    (
        &["toml", "tracing-subscriber", "sha2", "tempfile", "anyhow"],
        &["chassis", "scheduler", "cli", "testkit", "xtask", "e2e"],
        "configuration, digests and temporary folders have their places",
    ),
];

/// What the pure crates may use beside [`EVERYWHERE`].
const PURE_MAY_USE: [(&str, &[&str]); 4] = [
    ("model", &["jiff"]),
    ("el", &["fancy-regex", "roxmltree"]),
    ("definition", &["roxmltree"]),
    ("engine", &[]),
];

/// Named by code that is generated when the package is built.
const USED_BY_GENERATED: [(&str, &str); 1] = [("rpc", "tonic-prost")];

/// Every foreign crate is named by its owners alone.
pub(super) fn owners(workspace: &Workspace) -> Vec<Offence> {
    let judged = |package: &Package| {
        let refused = foreign(workspace, package).filter_map(|name| not_owner(&package.name, name));
        refused.collect::<Vec<_>>()
    };
    workspace.packages.iter().flat_map(judged).collect()
}

/// The pure crates use what is pure.
pub(super) fn pure_crates(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (crate_name, allowed) in PURE_MAY_USE {
        let Some(package) = workspace.package(crate_name) else { continue };
        for name in foreign(workspace, package) {
            if !EVERYWHERE.contains(&name) && !allowed.contains(&name) {
                let why =
                    "a pure crate depends on almost nothing, so that its tests answer in seconds";
                offences.push(Offence::new(format!("{crate_name} -> {name}"), why));
            }
        }
    }
    offences
}

/// Every listed dependency is named somewhere in the package.
pub(super) fn used(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    for package in &workspace.packages {
        for dependency in &package.dependencies {
            if !is_used(workspace, package, &dependency.name, dependency.is_dev) {
                let place = format!("{}/Cargo.toml", package.folder);
                let section = if dependency.is_dev { "dev-dependencies" } else { "dependencies" };
                let words =
                    format!("`{}` of [{section}] is not used; remove the line", dependency.name);
                offences.push(Offence::new(place, words));
            }
        }
    }
    offences
}

fn foreign<'a>(workspace: &'a Workspace, package: &'a Package) -> impl Iterator<Item = &'a str> {
    let shipped = package.dependencies.iter().filter(|dependency| !dependency.is_dev);
    shipped
        .map(|dependency| dependency.name.as_str())
        .filter(|name| workspace.package(name).is_none())
}

fn not_owner(package: &str, name: &str) -> Option<Offence> {
    let is_test_tool = package == "testkit" || package == "e2e" || package == "xtask";
    let is_common = EVERYWHERE.contains(&name)
        || (ABOVE_PURE.contains(&name) && !PURE.contains(&package))
        || (FOR_TESTS.contains(&name) && is_test_tool);
    let place = format!("{package} -> {name}");
    match OWNED.iter().find(|(crates, _, _)| crates.contains(&name)) {
        _ if is_common => None,
        Some((_, owners, _)) if owners.contains(&package) => None,
        Some((_, owners, why)) => {
            Some(Offence::new(place, format!("{why}; its owners are {}", owners.join(", "))))
        }
        None => Some(Offence::new(
            place,
            "nobody owns this crate yet; write its owner and the reason into crates/xtask/src/tidy/dependencies.rs",
        )),
    }
}

fn is_used(workspace: &Workspace, package: &Package, name: &str, is_dev: bool) -> bool {
    if USED_BY_GENERATED.contains(&(package.name.as_str(), name)) {
        return true;
    }
    let identifier = name.replace('-', "_");
    let own = workspace.sources.iter().filter(|source| source.package == package.name);
    own.filter(|source| is_dev || !source.is_test())
        .any(|source| !source.rust.places(&identifier).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_judged() {
        let check = |package, name, is_allowed| {
            assert_eq!(not_owner(package, name).is_none(), is_allowed, "{package} -> {name}")
        };
        check("store-sql", "sqlx", true);
        check("gateway", "sqlx", false);
        check("engine", "serde", true);
        check("engine", "tokio", false);
        check("scheduler", "tokio", true);
        check("testkit", "anyhow", true);
        check("gateway", "anyhow", false);
        check("gateway", "never-heard-of", false);
    }
}
