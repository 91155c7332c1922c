//! Documents as trees that can be cut and written again.

use std::fmt::Write;

use roxmltree::{Document, Node};

/// An element, written with the default namespace changed wherever its own differs from its parent's.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    /// Its local name.
    pub(crate) name: String,
    /// Its namespace; empty for none.
    pub(crate) uri: String,
    /// Its attributes, without namespaces.
    pub(crate) attributes: Vec<(String, String)>,
    /// What is inside.
    pub(crate) children: Vec<Child>,
}

/// What is inside an element.
#[derive(Clone, Debug)]
pub(crate) enum Child {
    /// An element.
    Element(Element),
    /// Text.
    Text(String),
}

impl Element {
    /// Without attributes and children.
    pub(crate) fn new(name: &str, uri: &str) -> Element {
        Element {
            name: name.to_owned(),
            uri: uri.to_owned(),
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    /// With an attribute.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Element {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With another child.
    pub(crate) fn holding(mut self, child: Element) -> Element {
        self.children.push(Child::Element(child));
        self
    }

    /// With a text.
    pub(crate) fn saying(mut self, text: &str) -> Element {
        self.children.push(Child::Text(text.to_owned()));
        self
    }

    /// The tree of a document; nothing when it is not well-formed.
    pub(crate) fn parse(text: &str) -> Option<Element> {
        Document::parse(text).ok().map(|document| Element::of(document.root_element()))
    }

    fn of(node: Node<'_, '_>) -> Element {
        let child = |child: Node<'_, '_>| match (child.is_element(), child.text()) {
            (true, _) => Some(Child::Element(Element::of(child))),
            (false, Some(text)) if child.is_text() => Some(Child::Text(text.to_owned())),
            _ => None,
        };
        let plain = node.attributes().filter(|attribute| attribute.namespace().is_none());
        Element {
            name: node.tag_name().name().to_owned(),
            uri: node.tag_name().namespace().unwrap_or("").to_owned(),
            attributes: plain.map(|one| (one.name().to_owned(), one.value().to_owned())).collect(),
            children: node.children().filter_map(child).collect(),
        }
    }

    /// How many elements there are, this one included.
    pub(crate) fn count(&self) -> usize {
        1 + self.elements().map(Element::count).sum::<usize>()
    }

    /// The child elements.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    /// The element with this number, counted in document order from 0.
    pub(crate) fn at(&mut self, mut number: usize) -> &mut Element {
        if number == 0 {
            return self;
        }
        number -= 1;
        for child in &mut self.children {
            let Child::Element(element) = child else { continue };
            let count = element.count();
            if number < count {
                return element.at(number);
            }
            number -= count;
        }
        unreachable!("the number is below the count")
    }

    /// The document as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, "");
        text
    }

    fn write(&self, text: &mut String, around: &str) {
        let _ = write!(text, "<{}", self.name);
        if self.uri != around {
            let _ = write!(text, " xmlns=\"{}\"", escaped(&self.uri));
        }
        for (name, value) in &self.attributes {
            let _ = write!(text, " {name}=\"{}\"", escaped(value));
        }
        if self.children.is_empty() {
            text.push_str("/>");
            return;
        }
        text.push('>');
        for child in &self.children {
            match child {
                Child::Element(element) => element.write(text, &self.uri),
                Child::Text(inside) => text.push_str(&escaped(inside)),
            }
        }
        let _ = write!(text, "</{}>", self.name);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
