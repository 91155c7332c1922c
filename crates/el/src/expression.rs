//! The tree of one expression. Operators of one level stand in a flat chain, evaluated left to right, so that long chains cost no depth.

use std::fmt;
use std::sync::Arc;

use crate::value::Value;

/// A range of bytes in the text given to [`crate::Template::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// From the start of this span to the end of the other.
    pub const fn to(self, other: Span) -> Self {
        Span { start: self.start, end: other.end }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Literal(Value),
    Variable(Arc<str>),
    Call(Box<Call>),
    /// `base.key` and `base[key]`, repeated. A key after a dot is a text literal.
    Path {
        base: Box<Expression>,
        keys: Vec<Expression>,
    },
    Unary {
        operator: Unary,
        operand: Box<Expression>,
    },
    /// `first op a op b ...`, all operators of one level.
    Chain {
        first: Box<Expression>,
        rest: Vec<(Binary, Expression)>,
    },
    Choice {
        condition: Box<Expression>,
        yes: Box<Expression>,
        no: Box<Expression>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) prefix: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) name_span: Span,
    pub(crate) arguments: Vec<Expression>,
}

impl Call {
    /// `prefix:name`, or `name` alone.
    pub(crate) fn full_name(&self) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}:{}", self.name),
            None => self.name.as_ref().to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Minus,
    Not,
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Binary {
    /// How tightly the operator binds, from 0 (`||`) up.
    pub(crate) const fn level(self) -> u8 {
        match self {
            Binary::Or => 0,
            Binary::And => 1,
            Binary::Equal | Binary::NotEqual => 2,
            Binary::Less | Binary::Greater | Binary::LessOrEqual | Binary::GreaterOrEqual => 3,
            Binary::Add | Binary::Subtract => 4,
            Binary::Multiply | Binary::Divide | Binary::Modulo => 5,
        }
    }

    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Binary::Or => "||",
            Binary::And => "&&",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::Greater => ">",
            Binary::LessOrEqual => "<=",
            Binary::GreaterOrEqual => ">=",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Modulo => "%",
        }
    }
}

impl Expression {
    /// Calls `visit` for this expression and for all below it, in the order of the text.
    pub(crate) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression)) {
        visit(self);
        match &self.node {
            Node::Literal(_) | Node::Variable(_) => {}
            Node::Call(call) => call.arguments.iter().for_each(|argument| argument.walk(visit)),
            Node::Path { base, keys } => {
                base.walk(visit);
                keys.iter().for_each(|key| key.walk(visit));
            }
            Node::Unary { operand, .. } => operand.walk(visit),
            Node::Chain { first, rest } => {
                first.walk(visit);
                rest.iter().for_each(|(_, operand)| operand.walk(visit));
            }
            Node::Choice { condition, yes, no } => {
                [condition, yes, no].into_iter().for_each(|part| part.walk(visit));
            }
        }
    }
}

impl fmt::Display for Expression {
    /// Canonical text: symbols rather than words, parentheses around every compound part. It parses back to the same
    /// tree, as long as the added parentheses keep within the bound on depth.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Literal(value) => write_literal(f, value),
            Node::Variable(name) => f.write_str(name),
            Node::Call(call) => write_call(f, call),
            Node::Path { base, keys } => {
                write!(f, "{base}")?;
                keys.iter().try_for_each(|key| write!(f, "[{key}]"))
            }
            Node::Unary { operator: Unary::Minus, operand } => write!(f, "(- {operand})"),
            Node::Unary { operator: Unary::Not, operand } => write!(f, "(! {operand})"),
            Node::Unary { operator: Unary::Empty, operand } => write!(f, "(empty {operand})"),
            Node::Chain { first, rest } => {
                write!(f, "({first}")?;
                rest.iter().try_for_each(|(operator, operand)| {
                    write!(f, " {} {operand}", operator.symbol())
                })?;
                f.write_str(")")
            }
            // Without its own parentheses, the variable in `(c ? s : f())` would read as the prefix of a function `s:f`.
            Node::Choice { condition, yes, no } if matches!(yes.node, Node::Variable(_)) => {
                write!(f, "({condition} ? ({yes}) : {no})")
            }
            Node::Choice { condition, yes, no } => write!(f, "({condition} ? {yes} : {no})"),
        }
    }
}

fn write_call(f: &mut fmt::Formatter<'_>, call: &Call) -> fmt::Result {
    write!(f, "{}(", call.full_name())?;
    for (index, argument) in call.arguments.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{argument}")?;
    }
    f.write_str(")")
}

fn write_literal(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Null => f.write_str("null"),
        Value::Str(text) => write!(f, "'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        // A literal that overflows is the only infinite one.
        Value::Float(number) if number.is_infinite() => f.write_str("1e999"),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Map(_) => write!(f, "{value}"),
    }
}
