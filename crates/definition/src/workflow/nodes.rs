//! From the elements of a definition that its schema accepts to the nodes of an application.

use std::collections::BTreeMap;
use std::ops::Range;

use model::app::{Case, Credential, Parameter};
use model::{ActionNode, Configuration, Node, NodeKind, NodeName, WorkflowApp};
use roxmltree::Node as Element;

use super::merge::{Scope, Surroundings};
use crate::codes;
use crate::configuration::{LocalName, inline_configuration};
use crate::findings::Findings;
use crate::nearest::nearest;
use crate::xml;

/// The kinds of actions that are known, by the name of their element (census §1.4); `noop` is ours.
pub const ACTION_KINDS: [&str; 16] = [
    "map-reduce",
    "pig",
    "hive",
    "hive2",
    "java",
    "shell",
    "ssh",
    "fs",
    "email",
    "distcp",
    "sqoop",
    "spark",
    "sub-workflow",
    "git",
    "noop",
    "switch",
];

/// `switch` is the kind of the actions that decisions become; nobody writes such an action.
const KINDS_TO_WRITE: usize = ACTION_KINDS.len() - 1;

/// An application before its graph was checked, with the places of its nodes and of their transitions.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) app: WorkflowApp,
    pub(super) spans: BTreeMap<NodeName, Range<usize>>,
    /// Where each node goes to, in document order, with the place of the name it was written with.
    pub(super) exits: BTreeMap<NodeName, Vec<Exit>>,
}

/// A transition as it was written.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) to: NodeName,
    /// The value of `to` or `start`.
    pub(super) span: Range<usize>,
}

/// Reads all nodes, merging defaults and global into actions.
pub(super) fn read(
    root: Element<'_, '_>,
    surroundings: &Surroundings<'_>,
    findings: &mut Findings<'_>,
) -> Draft {
    let version =
        root.tag_name().namespace().and_then(|uri| uri.strip_prefix("uri:oozie:workflow:"));
    let app = WorkflowApp {
        name: root.attribute("name").unwrap_or_default().to_owned(),
        schema: version.unwrap_or_default().to_owned(),
        parameters: Vec::new(),
        global: Configuration::new(),
        credentials: Vec::new(),
        nodes: BTreeMap::new(),
        order: Vec::new(),
        sla: None,
    };
    let draft = Draft { app, spans: BTreeMap::new(), exits: BTreeMap::new() };
    if !root.has_tag_name_local("workflow-app") {
        let message = format!("<{}> does not begin a workflow", root.tag_name().name());
        findings.error(
            "E0703",
            head(root),
            message,
            "a workflow definition begins with <workflow-app>",
        );
        return draft;
    }
    if draft.app.name.is_empty() {
        findings.error(
            codes::SCHEMA,
            head(root),
            "the application has an empty name".to_owned(),
            "give it one: name=\"...\"",
        );
    }
    let scope = surroundings.scope(child(root, "global"));
    let mut reader = Reader { draft, scope, findings };
    root.children().filter(Element::is_element).for_each(|element| reader.element(element));
    reader.draft.app.global = reader.scope.to_hand_on();
    reader.draft
}

struct Reader<'read, 'text> {
    draft: Draft,
    scope: Scope<'read>,
    findings: &'read mut Findings<'text>,
}

impl Reader<'_, '_> {
    fn element(&mut self, element: Element<'_, '_>) {
        match element.tag_name().name() {
            "parameters" => self.parameters(element),
            "credentials" => self.draft.app.credentials = credentials(element),
            "info" => self.draft.app.sla = Some(xml::copy_of(element)),
            "start" => {
                self.node(element, NodeName::start(), NodeKind::Start { to: name(element, "to") })
            }
            "end" => self.node(element, name(element, "name"), NodeKind::End),
            "kill" => self.node(
                element,
                name(element, "name"),
                NodeKind::Kill { message: message(element) },
            ),
            "fork" => self.node(element, name(element, "name"), fork(element)),
            "join" => self.node(
                element,
                name(element, "name"),
                NodeKind::Join { to: name(element, "to") },
            ),
            "decision" => self.node(element, name(element, "name"), decision(element)),
            "action" => self.action(element),
            // `global` was read before everything else; the schema lets nothing else through.
            _ => {}
        }
    }

    fn node(&mut self, element: Element<'_, '_>, name: NodeName, kind: NodeKind) {
        let (span, exits) = (head(element), exits(element));
        if let Some(exit) = exits.iter().find(|exit| exit.to == name) {
            let message = format!("node '{name}' goes to itself");
            self.findings.error(
                "E0706",
                exit.span.clone(),
                message,
                "name another node as its transition",
            );
        }
        if let Some(first) = self.draft.app.nodes.get(&name) {
            let message =
                format!("node name '{name}' is used twice, first in line {}", first.at.line);
            self.findings.error("E0705", span, message, "give one of the two nodes another name");
            return;
        }
        let at = self.findings.lines().location(span.start);
        self.draft.app.order.push(name.clone());
        self.draft.spans.insert(name.clone(), span);
        self.draft.exits.insert(name.clone(), exits);
        self.draft.app.nodes.insert(name.clone(), Node { name, at, kind });
    }

    /// A parameter may be declared from schema 0.4 on. Oozie reads the version as a number: 0.4.5 is none, its
    /// parameters are not looked at (gotcha 12).
    fn parameters(&mut self, element: Element<'_, '_>) {
        if !matches!(self.draft.app.schema.as_str(), "0.4" | "0.5" | "1.0") {
            return;
        }
        for property in element.children().filter(Element::is_element) {
            let name = child(property, "name").map(xml::trimmed_text_of).unwrap_or_default();
            if name.is_empty() {
                let message = "a parameter has an empty name".to_owned();
                self.findings.error(
                    "E0739",
                    head(property),
                    message,
                    "write the parameter's name into <name>",
                );
            }
            let at = self.findings.lines().location(property.range().start);
            let default = child(property, "value").map(xml::trimmed_text_of);
            self.draft.app.parameters.push(Parameter { name, default, at });
        }
    }

    fn action(&mut self, element: Element<'_, '_>) {
        let mut parts = element.children().filter(Element::is_element);
        let Some(body) = parts.next() else { return };
        let kind = body.tag_name().name();
        let node = name(element, "name");
        if !ACTION_KINDS[..KINDS_TO_WRITE].contains(&kind) {
            let message = format!("action '{node}' is of the unknown kind <{kind}>");
            let meant = nearest(kind, ACTION_KINDS).map(|known| format!("did you mean <{known}>?"));
            let help = meant.unwrap_or_else(|| {
                format!("known are {}", ACTION_KINDS[..KINDS_TO_WRITE].join(", "))
            });
            self.findings.error("E0723", head(body), message, &help);
        }
        let attribute = |name: &str| {
            element.attribute(name).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let action = ActionNode {
            kind: kind.to_owned(),
            body: self.scope.merged_body(body, &node, self.findings).into(),
            ok: child(element, "ok").map_or_else(NodeName::start, |ok| name(ok, "to")),
            error: child(element, "error").map_or_else(NodeName::start, |error| name(error, "to")),
            cred: attribute("cred"),
            retry_max: attribute("retry-max"),
            retry_interval: attribute("retry-interval"),
            retry_policy: attribute("retry-policy"),
            sla: parts.find(|part| part.has_tag_name_local("info")).map(xml::copy_of),
        };
        self.node(element, node, NodeKind::Action(action));
    }
}

fn fork(element: Element<'_, '_>) -> NodeKind {
    let paths = element.children().filter(Element::is_element).map(|path| name(path, "start"));
    NodeKind::Fork { paths: paths.collect() }
}

/// The transitions of a node's element.
fn exits(element: Element<'_, '_>) -> Vec<Exit> {
    let (parts, attribute) = match element.tag_name().name() {
        "start" | "join" => (vec![element], "to"),
        "fork" => (element.children().filter(Element::is_element).collect(), "start"),
        "decision" => (choices(element).collect(), "to"),
        "action" => {
            (["ok", "error"].iter().filter_map(|name| child(element, name)).collect(), "to")
        }
        _ => (Vec::new(), ""),
    };
    let exit = |part: Element<'_, '_>| {
        let written = part.attribute_node(attribute)?;
        Some(Exit { to: NodeName::new(written.value()), span: written.range_value() })
    };
    parts.into_iter().filter_map(exit).collect()
}

/// The cases and the default of a decision.
fn choices<'a, 'input>(decision: Element<'a, 'input>) -> impl Iterator<Item = Element<'a, 'input>> {
    let switches = decision.children().filter(Element::is_element);
    switches.flat_map(|switch| switch.children()).filter(Element::is_element)
}

fn decision(element: Element<'_, '_>) -> NodeKind {
    let mut cases = Vec::new();
    let mut default = NodeName::start();
    for choice in choices(element) {
        let to = name(choice, "to");
        match choice.tag_name().name() {
            "default" => default = to,
            _ => cases.push(Case { predicate: xml::trimmed_text_of(choice), to }),
        }
    }
    NodeKind::Decision { cases, default }
}

fn message(element: Element<'_, '_>) -> String {
    child(element, "message").map(xml::text_of).unwrap_or_default()
}

fn credentials(element: Element<'_, '_>) -> Vec<Credential> {
    let text =
        |one: Element<'_, '_>, name: &str| one.attribute(name).unwrap_or_default().to_owned();
    let read = |one: Element<'_, '_>| Credential {
        name: text(one, "name"),
        kind: text(one, "type"),
        properties: inline_configuration(one),
    };
    element.children().filter(Element::is_element).map(read).collect()
}

/// A node name that the schema requires to be there.
fn name(element: Element<'_, '_>, attribute: &str) -> NodeName {
    NodeName::new(element.attribute(attribute).unwrap_or_default())
}

/// The first child of this name.
pub(super) fn child<'a, 'input>(
    element: Element<'a, 'input>,
    name: &str,
) -> Option<Element<'a, 'input>> {
    element.children().find(|child| child.has_tag_name_local(name))
}

/// The start tag of an element.
fn head(element: Element<'_, '_>) -> Range<usize> {
    let range = element.range();
    range.start
        ..element.first_child().map_or(range.end, |child| child.range().start.max(range.start))
}
