//! Small damages: what people and editors do to definitions.

use super::common::Random;
use super::tree::{Child, Element};

/// Names that occur somewhere in the schemas, right and wrong.
const NAMES: [&str; 24] = [
    "action",
    "arg",
    "argument",
    "capture-output",
    "case",
    "configuration",
    "default",
    "delete",
    "end",
    "error",
    "exec",
    "file",
    "fork",
    "info",
    "job-tracker",
    "job-xml",
    "kill",
    "name-node",
    "ok",
    "prepare",
    "property",
    "resource-manager",
    "start",
    "value",
];

/// Namespaces, right and wrong.
const URIS: [&str; 14] = [
    "",
    "uri:oozie:workflow:0.1",
    "uri:oozie:workflow:0.2",
    "uri:oozie:workflow:0.4",
    "uri:oozie:workflow:0.5",
    "uri:oozie:workflow:1.0",
    "uri:oozie:workflow:1.1",
    "uri:oozie:shell-action:0.1",
    "uri:oozie:shell-action:1.0",
    "uri:oozie:hive-action:0.2",
    "uri:oozie:spark-action:0.1",
    "uri:oozie:email-action:0.2",
    "uri:oozie:sla:0.2",
    "uri:custom:thing:0.1",
];

const TEXTS: [&str; 8] = ["", " ", "\n  ", "x", "${y}", "5", "a-b", "\u{a0}"];

/// One damage to one element of the tree.
pub(crate) fn mutate(root: &mut Element, random: &mut Random) {
    let number = random.below(root.count());
    let target = root.at(number);
    let children = target.children.len();
    match random.below(14) {
        0 if children > 0 => drop(target.children.remove(random.below(children))),
        1 if children > 0 => {
            let child = target.children[random.below(children)].clone();
            target.children.insert(random.below(children + 1), child);
        }
        2 if children > 1 => target.children.swap(random.below(children), random.below(children)),
        3 => target.name = random.pick(&NAMES).to_owned(),
        4 => move_namespace(target, random),
        5 => target
            .children
            .insert(random.below(children + 1), Child::Text(random.pick(&TEXTS).to_owned())),
        6 => {
            let inserted = Element::new(random.pick(&NAMES), &target.uri);
            target.children.insert(random.below(children + 1), Child::Element(inserted));
        }
        7 if !target.attributes.is_empty() => {
            drop(target.attributes.remove(random.below(target.attributes.len())))
        }
        8 if !target.attributes.is_empty() => {
            let index = random.below(target.attributes.len());
            target.attributes[index].0 =
                random.pick(&["to", "name", "start", "path", "cred", "nmae"]).to_owned();
        }
        9 if !target.attributes.is_empty() => {
            let index = random.below(target.attributes.len());
            target.attributes[index].1 =
                random.pick(&["", "a b", "9x", "-x", "ok_1", "${x}", "true", "3"]).to_owned();
        }
        10 => {
            let (name, value) = random.pick(&[
                ("cred", "c"),
                ("retry-max", "1"),
                ("xml:space", "preserve"),
                ("id", "i"),
            ]);
            target.attributes.push((name.to_owned(), value.to_owned()));
        }
        11 => target.children.clear(),
        12 => hoist(target, random),
        _ => version(root, random),
    }
    unique_attributes(root);
}

/// Gives an element and all below it another namespace.
fn move_namespace(element: &mut Element, random: &mut Random) {
    let (from, to) = (element.uri.clone(), random.pick(&URIS));
    rename_namespace(element, &from, to);
}

fn rename_namespace(element: &mut Element, from: &str, to: &str) {
    if element.uri == from {
        to.clone_into(&mut element.uri);
    }
    for child in &mut element.children {
        if let Child::Element(child) = child {
            rename_namespace(child, from, to);
        }
    }
}

/// Takes a grandchild out and puts it among the children.
fn hoist(element: &mut Element, random: &mut Random) {
    let inside = element.children.iter_mut().filter_map(|child| match child {
        Child::Element(child) if !child.children.is_empty() => Some(child),
        Child::Element(_) | Child::Text(_) => None,
    });
    let Some(inner) = inside.last() else { return };
    let taken = inner.children.remove(random.below(inner.children.len()));
    element.children.insert(random.below(element.children.len() + 1), taken);
}

/// Changes the version of the whole document.
fn version(root: &mut Element, random: &mut Random) {
    let from = root.uri.clone();
    let Some((stem, _)) = from.rsplit_once(':') else { return };
    let version = random.pick(&["0.1", "0.2", "0.2.5", "0.3", "0.4", "0.4.5", "0.5", "1.0", "0.6"]);
    rename_namespace(root, &from, &format!("{stem}:{version}"));
}

/// No element has an attribute twice: that would not be well-formed.
fn unique_attributes(element: &mut Element) {
    let mut seen = std::collections::BTreeSet::new();
    element.attributes.retain(|(name, _)| seen.insert(name.clone()));
    for child in &mut element.children {
        if let Child::Element(child) = child {
            unique_attributes(child);
        }
    }
}

/// One damage to the characters of a document.
pub(crate) fn scratch(text: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = random.below(letters.len());
    match random.below(3) {
        0 => drop(letters.remove(at)),
        1 => letters.insert(
            at,
            random.pick(&['<', '>', '&', '"', '\'', '/', '=', 'x', ' ', ']', '-', '\u{1}', ':']),
        ),
        _ => letters.swap(at, random.below(text.chars().count())),
    }
    letters.into_iter().collect()
}
