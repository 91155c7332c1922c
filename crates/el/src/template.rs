//! A text with expressions in it.

use std::fmt;
use std::sync::Arc;

use crate::error::{EvalError, ParseError, ParseErrorKind};
use crate::evaluate::{Env, Limits, evaluate_parts};
use crate::expression::{Call, Expression, Node, Span};
use crate::parse::parse_expression;
use crate::value::Value;

/// Bytes of one template. Oozie evaluates an action's whole body as one text, and bounds a definition to 100 000 characters; the body has
/// defaults and global configuration merged into it, hence ten times as much.
pub const TEMPLATE_BYTES_MAX: usize = 1024 * 1024;

/// A parsed text: literal parts and expressions. `\${` in the text is a literal `${`.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(crate) enum Part {
    Literal(String),
    Expression(Expression),
}

/// A variable or function that a template uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Which of both.
    pub kind: ReferenceKind,
    /// The variable's name, or the function's behind its prefix.
    pub name: Arc<str>,
    /// The part of the text that names it.
    pub span: Span,
}

/// What a [`Reference`] points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `${name}`.
    Variable,
    /// `${prefix:name(...)}`.
    Function {
        /// The part before the colon.
        prefix: Option<Arc<str>>,
        /// One entry an argument: its text where it is a string literal, so that a validator can check the node names in `wf:actionData('node')`.
        arguments: Vec<Option<Arc<str>>>,
    },
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// The first mistake, with the bytes of the text that it is in.
    pub fn parse(text: &str) -> Result<Template, ParseError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(ParseError {
                kind: ParseErrorKind::TextTooLong(TEMPLATE_BYTES_MAX),
                span: Span::new(0, text.len()),
            });
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut position = 0;
        while let Some(found) = text[position..].find("${") {
            let dollar = position + found;
            if text[position..dollar].ends_with('\\') {
                literal.push_str(&text[position..dollar - 1]);
                literal.push_str("${");
                position = dollar + 2;
                continue;
            }
            literal.push_str(&text[position..dollar]);
            push_literal(&mut parts, &mut literal);
            let (expression, end) = parse_expression(text, dollar + 2)?;
            parts.push(Part::Expression(expression));
            position = end;
        }
        literal.push_str(&text[position..]);
        push_literal(&mut parts, &mut literal);
        Ok(Template { parts })
    }

    /// Computes the value. A template that is one expression and nothing else has that expression's type; all others are strings.
    ///
    /// Functions that don't exist and calls with a wrong number of arguments fail before anything is evaluated, even in branches that are not taken.
    /// `&&`, `||` and `?:` evaluate only the side that counts; where that depends on an open question, neither.
    ///
    /// # Errors
    /// [`EvalError::Pending`] with all questions that could be discovered, or the first failure, which wins over open questions.
    pub fn evaluate(&self, env: &dyn Env, limits: &Limits) -> Result<Value, EvalError> {
        evaluate_parts(&self.parts, env, limits)
    }

    /// Computes the value as a string; null is "".
    ///
    /// # Errors
    /// See [`Template::evaluate`].
    pub fn evaluate_to_string(&self, env: &dyn Env, limits: &Limits) -> Result<String, EvalError> {
        self.evaluate(env, limits).map(|value| value.to_text().as_ref().to_owned())
    }

    /// All variables and functions in the text, in its order, each as often as it stands there.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        for part in &self.parts {
            if let Part::Expression(expression) = part {
                expression.walk(&mut |inner| found.extend(reference(inner)));
            }
        }
        found
    }

    /// Whether there is no expression in the text.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal)));
    }
}

fn reference(expression: &Expression) -> Option<Reference> {
    match &expression.node {
        Node::Variable(name) => Some(Reference {
            kind: ReferenceKind::Variable,
            name: Arc::clone(name),
            span: expression.span,
        }),
        Node::Call(call) => Some(Reference {
            kind: function(call),
            name: Arc::clone(&call.name),
            span: call.name_span,
        }),
        Node::Literal(_)
        | Node::Path { .. }
        | Node::Unary { .. }
        | Node::Chain { .. }
        | Node::Choice { .. } => None,
    }
}

fn function(call: &Call) -> ReferenceKind {
    let literal = |argument: &Expression| match &argument.node {
        Node::Literal(Value::Str(text)) => Some(Arc::clone(text)),
        _ => None,
    };
    ReferenceKind::Function {
        prefix: call.prefix.clone(),
        arguments: call.arguments.iter().map(literal).collect(),
    }
}

impl fmt::Display for Template {
    /// Canonical text that parses back to the same template (unless it is nested almost as deep as is allowed: parentheses are added).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(&text.replace("${", "\\${")),
            Part::Expression(expression) => write!(f, "${{{expression}}}"),
        })
    }
}
