//! The notation the schema tables are written in: what an element may hold, as a small algebra.
//!
//! ```text
//! all_of([text("exec"), text("argument").many(), element("capture-output", "flag").optional()])
//! ```
//! Types have names, because two of them contain each other; [`Namespace`] holds the types of one XML namespace and the
//! elements a document of it may begin with. Nothing is resolved here: [`super::automaton`] does that.

/// What stands between the tags of an element.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    /// One element of the namespace that the table is for.
    Element {
        /// Its local name.
        name: &'static str,
        /// The name of its type.
        of: &'static str,
    },
    /// One element of another namespace, which must be known.
    Foreign(Foreign),
    /// All parts, one after the other.
    AllOf(Vec<Model>),
    /// Exactly one of the parts.
    OneOf(Vec<Model>),
    /// The part or nothing.
    Optional(Box<Model>),
    /// The part, any number of times.
    Many(Box<Model>),
    /// The part at least once.
    Some(Box<Model>),
}

/// Which foreign namespaces an element may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Every one but the table's own; an element without a namespace is not foreign.
    AnyOther,
    /// These.
    Of(&'static [&'static str]),
}

impl Model {
    pub(crate) fn optional(self) -> Model {
        Model::Optional(Box::new(self))
    }

    pub(crate) fn many(self) -> Model {
        Model::Many(Box::new(self))
    }

    pub(crate) fn some(self) -> Model {
        Model::Some(Box::new(self))
    }

    /// This model when the condition holds, nothing at all otherwise: for parts that came with a later version.
    pub(crate) fn when(self, condition: bool) -> Model {
        if condition { self } else { nothing() }
    }

    /// Optional when the condition holds, required otherwise: for parts that a later version made optional.
    pub(crate) fn optional_when(self, condition: bool) -> Model {
        if condition { self.optional() } else { self }
    }
}

pub(crate) fn element(name: &'static str, of: &'static str) -> Model {
    Model::Element { name, of }
}

/// An element that holds any text.
pub(crate) fn text(name: &'static str) -> Model {
    element(name, "string")
}

pub(crate) fn all_of(parts: impl IntoIterator<Item = Model>) -> Model {
    Model::AllOf(parts.into_iter().collect())
}

pub(crate) fn one_of(parts: impl IntoIterator<Item = Model>) -> Model {
    Model::OneOf(parts.into_iter().collect())
}

pub(crate) fn foreign(namespaces: Foreign) -> Model {
    Model::Foreign(namespaces)
}

pub(crate) fn nothing() -> Model {
    Model::AllOf(Vec::new())
}

/// What a text or an attribute value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// Anything.
    Any,
    /// Letters, digits, `-` and `_`, not beginning with a digit or `-`.
    Identifier,
    /// As [`Text::Identifier`], not beginning with `_`.
    PlainIdentifier,
    /// `true`, `false`, `1` or `0`.
    Boolean,
    /// An integer from -32768 to 32767.
    Short,
    /// An integer from 0 to 4294967295.
    UnsignedInt,
}

/// What an element is.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) content: Content,
}

/// What is inside an element.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Nothing, not even white space.
    Nothing,
    /// Text and no elements.
    Text(Text),
    /// Elements, with white space between them.
    Elements(Model),
}

/// An attribute of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) text: Text,
    pub(crate) required: bool,
}

pub(crate) fn required(name: &'static str, text: Text) -> Attribute {
    Attribute { name, text, required: true }
}

pub(crate) fn optional(name: &'static str, text: Text) -> Attribute {
    Attribute { name, text, required: false }
}

/// A type that holds text and no attributes.
pub(crate) fn text_type(name: &'static str, text: Text) -> Type {
    Type { name, attributes: Vec::new(), content: Content::Text(text) }
}

/// A type that holds elements and no attributes.
pub(crate) fn elements(name: &'static str, model: Model) -> Type {
    Type { name, attributes: Vec::new(), content: Content::Elements(model) }
}

/// A type that holds nothing but attributes.
pub(crate) fn attributes(
    name: &'static str,
    attributes: impl IntoIterator<Item = Attribute>,
) -> Type {
    Type { name, attributes: attributes.into_iter().collect(), content: Content::Nothing }
}

impl Type {
    pub(crate) fn with(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Type {
        self.attributes.extend(attributes);
        self
    }
}

/// The table of one XML namespace.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub(crate) uri: &'static str,
    /// Elements that a document, or a foreign place in one, may hold: name and type.
    pub(crate) roots: Vec<(&'static str, &'static str)>,
    pub(crate) types: Vec<Type>,
}
