//! Which documents are accepted: exactly those that Oozie 5.2.1's schemas accept (census §1.1), from tables of our own.
//!
//! Three sets of namespaces exist, one per kind of document, as Oozie's schema service loads them: an element of a
//! foreign namespace inside an action must be known to the set, or the document is refused.
//!
//! **Invariants**
//! * A document is accepted exactly if no finding of severity error is made; recovery after a mistake only serves to
//!   find the next one.
//! * The referee is `tests/oracle.rs`: Java's own validator over the original schema files.

mod actions;
mod automaton;
mod check;
mod common;
mod notation;
mod schedule;
mod values;
mod workflow;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use model::Diagnostic;
use roxmltree::Document;

use crate::codes;
use crate::source::{self, Limits};

use automaton::Automaton;
use notation::{Attribute, Content, Namespace, Text};

pub(crate) use values::is_space;

/// What a document defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DefinitionKind {
    /// `workflow-app`.
    Workflow,
    /// `coordinator-app`.
    Coordinator,
    /// `bundle-app`.
    Bundle,
}

impl DefinitionKind {
    const ALL: [DefinitionKind; 3] =
        [DefinitionKind::Workflow, DefinitionKind::Coordinator, DefinitionKind::Bundle];

    /// The element that a document of this kind begins with.
    pub fn root(self) -> &'static str {
        match self {
            DefinitionKind::Workflow => "workflow-app",
            DefinitionKind::Coordinator => "coordinator-app",
            DefinitionKind::Bundle => "bundle-app",
        }
    }
}

/// Checks a document against the schemas of one kind. No findings: Oozie's schemas accept it.
///
/// What does not get as far as the schema is found too: length (`E0736`), document type declarations (`HW0003`),
/// depth (`HW0004`), text that is not well-formed (`E0701`, as in Oozie).
pub fn check_schema(text: &str, kind: DefinitionKind, limits: Limits) -> Vec<Diagnostic> {
    match source::parse(text, limits, codes::SCHEMA) {
        Ok(document) => check_document(&document, kind),
        Err(refusal) => vec![refusal],
    }
}

/// Checks a document of any kind, as Oozie's `validate` does: the schemas of the kind that knows its first element.
///
/// # Errors
/// Everything that is wrong with it.
pub fn validate_definition(text: &str, limits: Limits) -> Result<DefinitionKind, Vec<Diagnostic>> {
    let document = source::parse(text, limits, codes::SCHEMA).map_err(|refusal| vec![refusal])?;
    let kind = kind_of(&document);
    let found = check_document(&document, kind);
    if found.is_empty() { Ok(kind) } else { Err(found) }
}

/// The kind whose schemas know the first element, else the one whose name it has.
fn kind_of(document: &Document<'_>) -> DefinitionKind {
    let tag = document.root_element().tag_name();
    let knows = |kind: &DefinitionKind| {
        set(*kind).root(tag.namespace().unwrap_or(""), tag.name()).is_some()
    };
    let named = |kind: &DefinitionKind| kind.root() == tag.name();
    let all = DefinitionKind::ALL;
    all.into_iter()
        .find(knows)
        .or_else(|| all.into_iter().find(named))
        .unwrap_or(DefinitionKind::Workflow)
}

/// Checks a parsed document.
pub(crate) fn check_document(document: &Document<'_>, kind: DefinitionKind) -> Vec<Diagnostic> {
    check::Checker::new(document.input_text(), set(kind)).check(document.root_element())
}

/// Every namespace of every set, for the tests of the tables.
#[cfg(test)]
fn tables() -> Vec<Namespace> {
    DefinitionKind::ALL.into_iter().flat_map(namespaces).collect()
}

fn namespaces(kind: DefinitionKind) -> Vec<Namespace> {
    match kind {
        DefinitionKind::Workflow => {
            [workflow::namespaces(), actions::namespaces(), schedule::agreements()].concat()
        }
        DefinitionKind::Coordinator => [schedule::coordinators(), schedule::agreements()].concat(),
        DefinitionKind::Bundle => schedule::bundles(),
    }
}

/// The compiled tables: made once, the same in every process.
fn set(kind: DefinitionKind) -> &'static Set {
    static SETS: LazyLock<[Set; 3]> =
        LazyLock::new(|| DefinitionKind::ALL.map(|kind| Set::of(namespaces(kind))));
    &SETS[kind as usize]
}

/// The namespaces of one kind of document.
#[derive(Debug)]
struct Set {
    by_uri: BTreeMap<&'static str, Compiled>,
}

/// The types of one namespace, ready to be matched.
#[derive(Debug)]
struct Compiled {
    uri: &'static str,
    roots: BTreeMap<&'static str, &'static str>,
    types: BTreeMap<&'static str, CompiledType>,
}

#[derive(Debug)]
struct CompiledType {
    attributes: Vec<Attribute>,
    content: CompiledContent,
}

#[derive(Debug)]
enum CompiledContent {
    Nothing,
    Text(Text),
    Elements(Automaton),
}

impl Set {
    fn of(namespaces: Vec<Namespace>) -> Set {
        Set {
            by_uri: namespaces
                .into_iter()
                .map(|namespace| (namespace.uri, Compiled::of(namespace)))
                .collect(),
        }
    }

    /// The namespace and type of an element that may begin a document or stand in a foreign place.
    fn root(&self, uri: &str, name: &str) -> Option<(&Compiled, &CompiledType)> {
        let namespace = self.by_uri.get(uri)?;
        let of = namespace.roots.get(name)?;
        Some((namespace, namespace.type_of(of)))
    }
}

impl Compiled {
    fn of(namespace: Namespace) -> Compiled {
        let compile = |content| match content {
            Content::Nothing => CompiledContent::Nothing,
            Content::Text(text) => CompiledContent::Text(text),
            Content::Elements(model) => CompiledContent::Elements(Automaton::of(&model)),
        };
        let types = namespace.types.into_iter().map(|one| {
            (one.name, CompiledType { attributes: one.attributes, content: compile(one.content) })
        });
        Compiled {
            uri: namespace.uri,
            roots: namespace.roots.into_iter().collect(),
            types: types.collect(),
        }
    }

    fn type_of(&self, name: &str) -> &CompiledType {
        self.types.get(name).expect("the tables define every type they name: tested in `automaton`")
    }
}
