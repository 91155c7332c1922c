//! Walks a document along the tables and reports every mistake: what was expected, what is there, what was probably
//! meant.
//!
//! After a mistake the walk goes on as if the nearest reading had been meant, so that one mistake gives one finding
//! where that is possible; it never turns a mistake into none.

use std::collections::BTreeSet;
use std::ops::Range;

use model::Diagnostic;
use roxmltree::{Attribute as Found, Node};

use super::automaton::{Automaton, Place, State};
use super::notation::{Foreign, Text};
use super::values::{describe, fits, is_space};
use super::{Compiled, CompiledContent, CompiledType, DefinitionKind, Set};
use crate::codes;
use crate::findings::Findings;
use crate::nearest::nearest;

/// The namespace of attributes such as `xsi:schemaLocation`, which every element may have.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// One walk over one document.
#[derive(Debug)]
pub(crate) struct Checker<'text> {
    set: &'static Set,
    found: Findings<'text>,
}

/// The children of one element, while they are walked over.
struct Walk<'walk> {
    parent: String,
    namespace: &'walk Compiled,
    automaton: &'walk Automaton,
    state: State,
    /// The name of the last child that had its place.
    last: Option<String>,
    /// Names already reported as standing too late.
    excused: BTreeSet<&'static str>,
}

impl<'text> Checker<'text> {
    pub(crate) fn new(text: &'text str, set: &'static Set) -> Checker<'text> {
        Checker { set, found: Findings::about(text) }
    }

    /// All findings about the document with this first element.
    pub(crate) fn check(mut self, root: Node<'_, '_>) -> Vec<Diagnostic> {
        let tag = root.tag_name();
        match self.set.root(tag.namespace().unwrap_or(""), tag.name()) {
            Some((namespace, of)) => self.element(root, namespace, of),
            None => self.unknown_element(root),
        }
        self.found.into_sorted()
    }

    fn report(&mut self, span: Range<usize>, message: String, help: &str) {
        self.found.error(codes::SCHEMA, span, message, help);
    }

    fn element(
        &mut self,
        node: Node<'_, '_>,
        namespace: &'static Compiled,
        of: &'static CompiledType,
    ) {
        self.attributes(node, of);
        match &of.content {
            CompiledContent::Nothing => self.nothing(node),
            CompiledContent::Text(text) => self.text(node, *text),
            CompiledContent::Elements(automaton) => self.children(node, namespace, automaton),
        }
    }

    fn nothing(&mut self, node: Node<'_, '_>) {
        if let Some(child) = node.children().find(|child| child.is_element() || child.is_text()) {
            let what =
                if child.is_element() { shown(child) } else { "text or white space".to_owned() };
            let message = format!("{} must be empty, but it holds {what}", shown(node));
            self.report(
                child.range(),
                message,
                &format!("write <{0} .../> with nothing inside", node.tag_name().name()),
            );
        }
    }

    fn text(&mut self, node: Node<'_, '_>, kind: Text) {
        let mut elements = node.children().filter(Node::is_element).peekable();
        if elements.peek().is_none() {
            let text: String = node
                .children()
                .filter_map(|child| child.text().filter(|_| child.is_text()))
                .collect();
            if !fits(kind, &text) {
                let message =
                    format!("{} is {text:?}, but it must be {}", shown(node), describe(kind));
                self.report(start_tag(node), message, "");
            }
        }
        for child in elements {
            let message =
                format!("{} holds text only, but {} is inside it", shown(node), shown(child));
            self.report(
                start_tag(child),
                message,
                "an end tag is probably missing, or stands at the wrong place",
            );
        }
    }

    fn attributes(&mut self, node: Node<'_, '_>, of: &CompiledType) {
        for attribute in node.attributes() {
            match (
                attribute.namespace(),
                of.attributes.iter().find(|known| known.name == attribute.name()),
            ) {
                (Some(INSTANCE), _) => self.instance_attribute(node, &attribute),
                (None, Some(known)) if fits(known.text, attribute.value()) => {}
                (None, Some(known)) => self.bad_value(node, &attribute, known.text),
                _ => self.unknown_attribute(node, &attribute, of),
            }
        }
        for known in
            of.attributes.iter().filter(|known| known.required && !node.has_attribute(known.name))
        {
            let message = format!("{} has no attribute '{}'", shown(node), known.name);
            self.report(start_tag(node), message, &format!("add {}=\"...\"", known.name));
        }
    }

    /// Attributes for schema processors: hints where a schema is are fine. None of the elements may be nil, and none
    /// has another type than its own.
    fn instance_attribute(&mut self, node: Node<'_, '_>, attribute: &Found<'_, '_>) {
        if !matches!(attribute.name(), "schemaLocation" | "noNamespaceSchemaLocation") {
            let message =
                format!("{} can't have the attribute 'xsi:{}'", shown(node), attribute.name());
            self.report(attribute.range(), message, "remove it");
        }
    }

    fn bad_value(&mut self, node: Node<'_, '_>, attribute: &Found<'_, '_>, kind: Text) {
        let (name, value) = (attribute.name(), attribute.value());
        let message = format!(
            "attribute '{name}' of {} is {value:?}, but it must be {}",
            shown(node),
            describe(kind)
        );
        let help = if value.contains("${") {
            "expressions are not evaluated in this attribute"
        } else {
            ""
        };
        self.report(attribute.range(), message, help);
    }

    fn unknown_attribute(
        &mut self,
        node: Node<'_, '_>,
        attribute: &Found<'_, '_>,
        of: &CompiledType,
    ) {
        let known = || of.attributes.iter().map(|known| known.name);
        let help = match nearest(attribute.name(), known()) {
            Some(name) if name == attribute.name() => {
                "remove the prefix of the attribute".to_owned()
            }
            Some(name) => format!("did you mean '{name}'?"),
            None if of.attributes.is_empty() => {
                "remove it: this element has no attributes".to_owned()
            }
            None => {
                format!("its attributes are {}", listed(known().map(|name| format!("'{name}'"))))
            }
        };
        let message = format!(
            "{} has no attribute '{}' in this schema version",
            shown(node),
            attribute.name()
        );
        self.report(attribute.range(), message, &help);
    }

    fn children(
        &mut self,
        node: Node<'_, '_>,
        namespace: &'static Compiled,
        automaton: &'static Automaton,
    ) {
        let stray = node
            .children()
            .find(|child| child.is_text() && !child.text().unwrap_or("").chars().all(is_space));
        if let Some(stray) = stray {
            let message = format!("text is not allowed directly inside {}", shown(node));
            self.report(stray.range(), message, "put it into an element, or into a comment");
        }
        let (state, parent) = (State::START, shown(node));
        let mut walk =
            Walk { parent, namespace, automaton, state, last: None, excused: BTreeSet::new() };
        for child in node.children().filter(Node::is_element) {
            self.child(&mut walk, child);
        }
        let missing: Vec<String> = (walk.automaton.missing(walk.state).into_iter())
            .filter(|place| !matches!(place, Place::Element { name, .. } if walk.excused.contains(name)))
            .map(|place| shown_place(&place))
            .collect();
        if !automaton.accepts(walk.state) && (!missing.is_empty() || self.found.is_empty()) {
            self.report(
                start_tag(node),
                format!("{} lacks {}", walk.parent, listed(missing)),
                &walk.expected(),
            );
        }
    }

    fn child(&mut self, walk: &mut Walk<'_>, child: Node<'_, '_>) {
        if self.found.is_full() {
            return;
        }
        let name = child.tag_name().name();
        let own = child.tag_name().namespace() == Some(walk.namespace.uri);
        let matches = |place: Place| takes(place, child, walk.namespace.uri);
        if let Some(next) = walk.automaton.step(walk.state, matches) {
            walk.state = next;
        } else if let Some((next, skipped)) = walk.automaton.leap(walk.state, matches) {
            self.too_early(walk, child, &skipped);
            walk.state = next;
        } else if own && walk.knows(name) {
            self.too_late(walk, child);
            return self.descend(walk, child);
        } else {
            return self.misplaced(walk, child);
        }
        walk.last = Some(shown(child));
        self.descend(walk, child);
    }

    /// Goes into a child whose place or name says what it is.
    fn descend(&mut self, walk: &Walk<'_>, child: Node<'_, '_>) {
        let tag = child.tag_name();
        let uri = tag.namespace().unwrap_or("");
        if uri != walk.namespace.uri {
            return match self.set.root(uri, tag.name()) {
                Some((namespace, of)) => self.element(child, namespace, of),
                None => self.unknown_element(child),
            };
        }
        let Some(namespace) = self.set.by_uri.get(uri) else { return };
        if let Some(of) = walk.type_of(tag.name()) {
            self.element(child, namespace, namespace.type_of(of));
        }
    }

    fn too_early(&mut self, walk: &mut Walk<'_>, child: Node<'_, '_>, skipped: &[Place]) {
        let later =
            |name: &str| child.next_siblings().skip(1).any(|other| other.tag_name().name() == name);
        let late = skipped.iter().filter_map(|place| match place {
            Place::Element { name, .. } if later(name) => Some(*name),
            Place::Element { .. } | Place::Foreign(_) => None,
        });
        walk.excused.extend(late);
        let before = listed(skipped.iter().map(shown_place));
        let message = format!("in {}, {before} must come before {}", walk.parent, shown(child));
        self.report(start_tag(child), message, &walk.expected());
    }

    fn too_late(&mut self, walk: &mut Walk<'_>, child: Node<'_, '_>) {
        let name = child.tag_name().name();
        if walk.excused.remove(name) {
            return;
        }
        let twice = child.prev_siblings().skip(1).any(|other| other.tag_name().name() == name);
        let message = match &walk.last {
            Some(last) if last == &shown(child) && twice => {
                format!("{} holds a second {last}", walk.parent)
            }
            Some(last) => format!("in {}, {} can't come after {last}", walk.parent, shown(child)),
            None => format!("{} can't be in {}", shown(child), walk.parent),
        };
        self.report(start_tag(child), message, &walk.expected());
    }

    /// An element that the model does not know at all.
    fn misplaced(&mut self, walk: &mut Walk<'_>, child: Node<'_, '_>) {
        let tag = child.tag_name();
        let message = format!("{} is not known in {}", shown(child), walk.parent);
        if walk.knows(tag.name()) {
            let help = format!("it must be of the namespace {}; check xmlns", walk.namespace.uri);
            let message = format!("{message} as an element of {}", shown_uri(tag.namespace()));
            self.report(start_tag(child), message, &help);
            walk.assume(tag.name());
            return;
        }
        let meant = nearest(tag.name(), walk.names());
        let extensions: Vec<&str> =
            self.set.versions_of(tag.name()).filter(|uri| *uri != walk.namespace.uri).collect();
        let elsewhere: Vec<&str> =
            self.set.siblings_that_know(walk.namespace.uri, tag.name()).collect();
        let help = match (walk.has_foreign_place(), meant) {
            (true, _) if !extensions.is_empty() => format!(
                "it needs a namespace of its own: add xmlns=\"{}\"",
                extensions[extensions.len() - 1]
            ),
            (_, Some(name)) => format!("did you mean <{name}>?"),
            _ if !elsewhere.is_empty() => format!("it is known in {}", listed(elsewhere)),
            _ => walk.expected(),
        };
        self.report(start_tag(child), message, &help);
        match meant {
            _ if walk.has_foreign_place() && !extensions.is_empty() => walk.assume_foreign(),
            Some(name) => walk.assume(name),
            None => {}
        }
    }

    /// An element at the beginning, or in a foreign place, that no schema of the set knows.
    fn unknown_element(&mut self, node: Node<'_, '_>) {
        let tag = node.tag_name();
        let versions: Vec<&str> = self.set.versions_of(tag.name()).collect();
        let message = match tag.namespace() {
            Some(uri) => format!("{} of the namespace {uri} is not known", shown(node)),
            None => format!("{} has no namespace", shown(node)),
        };
        let help = match tag.namespace().and_then(|uri| nearest(uri, versions.iter().copied())) {
            Some(uri) if versions.len() == 1 => format!("the namespace is {uri}"),
            Some(_) => format!("its versions are {}", listed(versions)),
            None if versions.is_empty() => self.set.help_for(tag.name()),
            None => format!("add xmlns=\"...\" with one of {}", listed(versions)),
        };
        self.report(start_tag(node), message, &help);
    }
}

impl Walk<'_> {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.automaton.places().filter_map(|place| match place {
            Place::Element { name, .. } => Some(name),
            Place::Foreign(_) => None,
        })
    }

    fn knows(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    fn type_of(&self, name: &str) -> Option<&'static str> {
        self.automaton.places().find_map(|place| match place {
            Place::Element { name: known, of } if known == name => Some(of),
            Place::Element { .. } | Place::Foreign(_) => None,
        })
    }

    /// Goes on as if an element of this name had been there.
    fn assume(&mut self, name: &str) {
        self.step_over(
            |place| matches!(place, Place::Element { name: known, .. } if known == name),
        );
    }

    /// Goes on as if an element of a foreign namespace had been there.
    fn assume_foreign(&mut self) {
        self.step_over(|place| matches!(place, Place::Foreign(_)));
    }

    fn step_over(&mut self, matches: impl Fn(Place) -> bool) {
        if let Some(next) = self.automaton.step(self.state, matches) {
            self.state = next;
        }
    }

    /// Whether an element of any other namespace may come next.
    fn has_foreign_place(&self) -> bool {
        self.automaton.expected(self.state).any(|place| place == Place::Foreign(Foreign::AnyOther))
    }

    fn expected(&self) -> String {
        let next: Vec<String> =
            self.automaton.expected(self.state).map(|place| shown_place(&place)).collect();
        let after =
            self.last.as_ref().map_or_else(|| "first".to_owned(), |last| format!("after {last}"));
        if next.is_empty() {
            format!("nothing may come {after}")
        } else {
            format!("{after} may come {}", listed(next))
        }
    }
}

impl Set {
    /// The namespaces that have a first element of this name.
    fn versions_of(&self, name: &str) -> impl Iterator<Item = &'static str> {
        self.by_uri
            .values()
            .filter(move |namespace| namespace.roots.contains_key(name))
            .map(|namespace| namespace.uri)
    }

    /// Other versions of a namespace in which some element may hold one of this name.
    fn siblings_that_know<'a>(
        &'a self,
        uri: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let stem = |uri: &str| uri.rsplit_once(':').map(|(stem, _)| stem.to_owned());
        let knows = move |of: &CompiledType| match &of.content {
            CompiledContent::Elements(automaton) => automaton
                .places()
                .any(|place| matches!(place, Place::Element { name: known, .. } if known == name)),
            CompiledContent::Nothing | CompiledContent::Text(_) => false,
        };
        let others = self
            .by_uri
            .values()
            .filter(move |other| other.uri != uri && stem(other.uri) == stem(uri));
        others.filter(move |other| other.types.values().any(knows)).map(|other| other.uri)
    }

    fn help_for(&self, name: &str) -> String {
        let roots: BTreeSet<&str> =
            self.by_uri.values().flat_map(|namespace| namespace.roots.keys().copied()).collect();
        if let Some(meant) = nearest(name, roots) {
            return format!("did you mean <{meant}>?");
        }
        let begins = DefinitionKind::ALL.map(|kind| format!("<{}>", kind.root()));
        format!(
            "a definition begins with {}; an action is of a kind that Oozie 5.2.1 ships",
            listed(begins)
        )
    }
}

/// Whether an element may stand at a place.
fn takes(place: Place, node: Node<'_, '_>, own: &str) -> bool {
    let uri = node.tag_name().namespace();
    match place {
        Place::Element { name, .. } => uri == Some(own) && node.tag_name().name() == name,
        Place::Foreign(Foreign::AnyOther) => uri.is_some_and(|uri| uri != own),
        Place::Foreign(Foreign::Of(uris)) => uri.is_some_and(|uri| uris.contains(&uri)),
    }
}

/// The start tag of an element: up to its first child, or all of it.
fn start_tag(node: Node<'_, '_>) -> Range<usize> {
    let range = node.range();
    range.start..node.first_child().map_or(range.end, |child| child.range().start.max(range.start))
}

/// An element for people; with its name where it has one.
fn shown(node: Node<'_, '_>) -> String {
    match node.attribute("name") {
        Some(name) => format!("<{} name={name:?}>", node.tag_name().name()),
        None => format!("<{}>", node.tag_name().name()),
    }
}

fn shown_place(place: &Place) -> String {
    match place {
        Place::Element { name, .. } => format!("<{name}>"),
        Place::Foreign(Foreign::AnyOther) => "an extension action".to_owned(),
        Place::Foreign(Foreign::Of(_)) => "<sla:info>".to_owned(),
    }
}

fn shown_uri(uri: Option<&str>) -> String {
    uri.map_or_else(|| "no namespace".to_owned(), |uri| format!("the namespace {uri}"))
}

/// `a`, `a or b`, `a, b or c`.
fn listed(items: impl IntoIterator<Item = impl Into<String>>) -> String {
    let mut items: Vec<String> = items.into_iter().map(Into::into).collect();
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} or {last}", items.join(", ")),
    }
}
