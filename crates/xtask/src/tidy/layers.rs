//! Who may import whom: one table, and the sentence for every edge that breaks it.
//!
//! ```text
//!  faces     cli · services · gateway
//!  services  scheduler · coordinator · executor-worker · monitor
//!  chassis   chassis
//!  adapters  store-sql · files-local · supervisor · graph · rpc · election-etcd · bus-nats
//!  ports     ports
//!  ───────── nothing below this line knows a clock, a file, a socket or chance ─────────
//!  pure      model ← el ← definition ← engine
//!  tests     testkit · e2e · xtask (imported by tests alone)
//! ```

use super::Offence;
use crate::workspace::Workspace;

/// The layers, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Decides; its number is its place in the chain, where each may use those before it.
    Pure(u8),
    Ports,
    /// One foreign system each.
    Adapter,
    Chassis,
    Service,
    Face,
    /// For tests and chores.
    Tool,
}

const LAYERS: [(&str, Layer); 23] = [
    ("model", Layer::Pure(0)),
    ("el", Layer::Pure(1)),
    ("definition", Layer::Pure(2)),
    ("engine", Layer::Pure(3)),
    ("ports", Layer::Ports),
    ("store-sql", Layer::Adapter),
    ("files-local", Layer::Adapter),
    ("supervisor", Layer::Adapter),
    ("graph", Layer::Adapter),
    ("rpc", Layer::Adapter),
    ("election-etcd", Layer::Adapter),
    ("bus-nats", Layer::Adapter),
    ("chassis", Layer::Chassis),
    ("scheduler", Layer::Service),
    ("coordinator", Layer::Service),
    ("executor-worker", Layer::Service),
    ("monitor", Layer::Service),
    ("gateway", Layer::Face),
    ("cli", Layer::Face),
    ("services", Layer::Face),
    ("testkit", Layer::Tool),
    ("e2e", Layer::Tool),
    ("xtask", Layer::Tool),
];

/// Edges that the layers would allow and that are wrong all the same.
const FORBIDDEN: [(&str, &[&str], &str); 1] = [(
    "gateway",
    &["scheduler", "executor-worker", "monitor", "store-sql", "files-local", "supervisor"],
    "the gateway is stateless and speaks to schedulers and stores through `ports`, so that it can run on another machine",
)];

/// Edges that the layers would forbid and that are right all the same.
const COMPOSERS: [(&str, &str); 2] = [
    // `howdah standalone` puts all services and the gateway into one process.
    ("cli", "gateway"),
    // The programs of a cluster, each put together from its service and the adapters.
    ("services", "gateway"),
];

/// Compares every edge between our packages with the table.
pub(super) fn layers_hold(workspace: &Workspace) -> Vec<Offence> {
    let mut offences = Vec::new();
    for package in &workspace.packages {
        let ours = package.dependencies.iter().filter(|one| workspace.package(&one.name).is_some());
        for dependency in ours {
            if let Some(why) = refusal(&package.name, &dependency.name, dependency.is_dev) {
                offences
                    .push(Offence::new(format!("{} -> {}", package.name, dependency.name), why));
            }
        }
    }
    offences
}

/// Why one package may not import another; nothing when it may.
fn refusal(from: &str, to: &str, is_dev: bool) -> Option<String> {
    let (Some(above), Some(below)) = (layer(from), layer(to)) else {
        let unknown = if layer(from).is_none() { from } else { to };
        return Some(format!(
            "`{unknown}` has no layer; give it one in crates/xtask/src/tidy/layers.rs"
        ));
    };
    if let Some((_, _, why)) =
        FORBIDDEN.iter().find(|(face, others, _)| *face == from && others.contains(&to))
    {
        return Some((*why).to_owned());
    }
    if COMPOSERS.contains(&(from, to)) {
        return None;
    }
    match (above, below) {
        (Layer::Tool, _) => None,
        (_, Layer::Tool) if is_dev && to == "testkit" => None,
        (_, Layer::Tool) => Some("test tools are dev-dependencies, and only `testkit` is one of others".to_owned()),
        _ if above > below => None,
        (Layer::Pure(_), Layer::Pure(_)) => Some("the pure crates form one chain: model, el, definition, engine; each may use those before it".to_owned()),
        (Layer::Adapter, Layer::Adapter) => Some("adapters don't know each other: each serves ports, and each can be replaced alone".to_owned()),
        (Layer::Service, Layer::Service) => Some("services speak through `ports`, so that they can run in processes of their own".to_owned()),
        (Layer::Pure(_), _) => Some("pure crates decide without a clock, a file, a socket or chance; hand them what they need to know".to_owned()),
        _ => Some("a crate may import layers below its own only; move the shared part down".to_owned()),
    }
}

fn layer(name: &str) -> Option<Layer> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_judged() {
        let check = |from, to, is_dev, is_allowed| {
            assert_eq!(refusal(from, to, is_dev).is_none(), is_allowed, "{from} -> {to}");
        };
        check("engine", "definition", false, true);
        check("definition", "engine", false, false);
        check("engine", "ports", false, false);
        check("ports", "engine", false, true);
        check("store-sql", "files-local", false, false);
        check("store-sql", "testkit", true, true);
        check("store-sql", "testkit", false, false);
        check("executor-worker", "supervisor", false, true);
        check("executor-worker", "scheduler", true, false);
        check("gateway", "store-sql", false, false);
        check("gateway", "ports", false, true);
        check("cli", "gateway", false, true);
        check("cli", "scheduler", false, true);
        check("gateway", "cli", false, false);
        check("chassis", "monitor", false, false);
        check("cli", "xtask", true, false);
        check("newcomer", "model", false, false);
    }
}
