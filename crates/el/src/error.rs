//! What can go wrong in a text and in its evaluation, and what that means for a job.
//!
//! # Two classes
//!
//! Oozie tells two kinds of failure apart when an action starts: its own `ELEvaluationException` makes the error `EL_EVAL_ERROR`, TRANSIENT (retried, then the
//! job is suspended), and every other exception makes it `EL_ERROR` (the job fails). Only a *function* can raise the first: the class stands for "could not
//! find out just now". An unknown variable is the second, as are all conversions: Oozie raises the language's own `ELException` for them, and its
//! documentation shows an unresolvable variable as FAILED with `EL_ERROR`. Hence [`CallError::Transient`] is the only source of [`ErrorClass::Transient`].

use thiserror::Error;

use crate::expression::Span;
use crate::value::NotConvertible;

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct ParseError {
    /// What is wrong.
    #[source]
    pub kind: ParseErrorKind,
    /// Where, in bytes of the text.
    pub span: Span,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseErrorKind {
    /// A `${` without its `}`.
    #[error("the expression is not closed")]
    Unclosed,
    /// A quote without its partner.
    #[error("the string is not closed")]
    UnclosedString,
    /// `${}`.
    #[error("the expression is empty")]
    Empty,
    /// A backslash in a string before something else than a backslash or a quote.
    #[error("unknown escape [\\{0}] in a string")]
    UnknownEscape(char),
    /// A character that the language does not use.
    #[error("unexpected character [{0}]")]
    UnexpectedCharacter(char),
    /// A word or symbol in the wrong place.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What could stand here.
        expected: &'static str,
        /// What stands here, quoted, or "the end of the expression".
        found: String,
    },
    /// A whole number outside of 64 bits.
    #[error("the number [{0}] is out of range")]
    NumberOutOfRange(String),
    /// See [`crate::TEMPLATE_BYTES_MAX`].
    #[error("the text has more than {0} bytes")]
    TextTooLong(usize),
    /// See [`crate::EXPRESSION_BYTES_MAX`].
    #[error("the expression has more than {0} bytes")]
    ExpressionTooLong(usize),
    /// See [`crate::EXPRESSION_DEPTH_MAX`].
    #[error("the expression is nested more than {0} deep")]
    TooDeep(usize),
}

impl ParseError {
    /// What the writer of the text can do.
    pub fn help(&self) -> &'static str {
        match &self.kind {
            ParseErrorKind::Unclosed => "add the closing `}`, or write `\\${` for a literal `${`",
            ParseErrorKind::UnclosedString => {
                "add the closing quote; a quote inside of a string is written `\\'` or `\\\"`"
            }
            ParseErrorKind::Empty => {
                "write an expression between the braces, or `\\${` for a literal `${`"
            }
            ParseErrorKind::UnknownEscape(_) => {
                "only `\\\\`, `\\'` and `\\\"` are escapes; double the backslash, as in '\\\\d+'"
            }
            ParseErrorKind::UnexpectedCharacter('&') => {
                "write `and`, `lt`, `gt`, `le`, `ge` instead of symbols that need XML escapes"
            }
            ParseErrorKind::UnexpectedCharacter('=') => "write `==` or `eq` to compare",
            ParseErrorKind::UnexpectedCharacter('|') => "write `||` or `or`",
            ParseErrorKind::UnexpectedCharacter('{') => {
                "expressions don't nest; leave out the inner `${` and `}`"
            }
            ParseErrorKind::UnexpectedCharacter(_) | ParseErrorKind::Unexpected { .. } => {
                "a name with other characters than letters, digits and `_` is reached through a function, as in wf:conf('a.b') or wf:actionData('node')['key']"
            }
            ParseErrorKind::NumberOutOfRange(_) => {
                "whole numbers go up to 9223372036854775807; write a float, as in 1e19"
            }
            ParseErrorKind::TextTooLong(_) | ParseErrorKind::ExpressionTooLong(_) => {
                "split it into several parts"
            }
            ParseErrorKind::TooDeep(_) => {
                "compute parts of it in job properties, or in several decisions"
            }
        }
    }

    /// Oozie's class of this error: the job fails.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Permanent
    }
}

/// A question about the outside world that a function can't answer by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The full name of the function, as in `fs:exists`.
    pub function: String,
    /// Its arguments, as strings.
    pub args: Vec<String>,
}

/// Why an [`crate::Env`] has no value for a variable or a call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// The answer must be found outside first.
    #[error("[{}] has no answer yet", .0.function)]
    Pending(Question),
    /// It could not be found out this time; a later try may succeed.
    #[error("{0}")]
    Transient(String),
    /// It will never be found out.
    #[error("{0}")]
    Failed(String),
}

/// What a failed evaluation means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorClass {
    /// `EL_EVAL_ERROR`: TRANSIENT, the action's start is retried, then the job is suspended.
    Transient,
    /// `EL_ERROR`: the job fails.
    Permanent,
}

impl ErrorClass {
    /// The code that Oozie gives the action.
    pub const fn code(self) -> &'static str {
        match self {
            ErrorClass::Transient => "EL_EVAL_ERROR",
            ErrorClass::Permanent => "EL_ERROR",
        }
    }
}

/// Why an evaluation gave no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvalError {
    /// Nothing is wrong so far, but these questions must be answered first; sorted, each one once, never empty.
    #[error("{} questions about the outside world are open", .0.len())]
    Pending(Vec<Question>),
    /// It failed.
    #[error("{failure}")]
    Failed {
        /// What is wrong.
        #[source]
        failure: Failure,
        /// The part of the text that is to blame.
        span: Span,
    },
}

impl EvalError {
    /// The class of a failure; none while questions are open.
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            EvalError::Pending(_) => None,
            EvalError::Failed { failure, .. } => Some(failure.class()),
        }
    }
}

/// What is wrong in an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The environment has no such variable: an error, never an empty string. Permanent (`ELException` of Oozie's resolver).
    #[error("variable [{0}] cannot be resolved")]
    UnknownVariable(String),
    /// The environment has no such function. Found before anything is evaluated, even in a branch not taken. Permanent (parse error in Oozie).
    #[error("function [{0}] does not exist here")]
    UnknownFunction(String),
    /// A call with too few or too many arguments. Found before anything is evaluated. Permanent (parse error in Oozie).
    #[error("function [{name}] takes {expected} arguments, not {actual}")]
    ArgumentCount {
        /// The full name of the function.
        name: String,
        /// How many it takes.
        expected: usize,
        /// How many it was given.
        actual: usize,
    },
    /// An operand or argument of the wrong type. Permanent (`ELException`, `NumberFormatException`).
    #[error(transparent)]
    NotConvertible(#[from] NotConvertible),
    /// `%` of whole numbers by zero. Permanent (`ArithmeticException`). Division is of floats and gives infinity.
    #[error("the remainder of a division by zero is undefined")]
    DivisionByZero,
    /// Maps have no order. Permanent (`ELException`).
    #[error("cannot compare {left} with {right}")]
    NotComparable {
        /// The type on the left.
        left: &'static str,
        /// The type on the right.
        right: &'static str,
    },
    /// `.name` or `[name]` of something that is neither map nor null. Permanent (`PropertyNotFoundException`).
    #[error("a {of} has no property [{property}]")]
    NoProperty {
        /// The property.
        property: String,
        /// The type that was asked for it.
        of: &'static str,
    },
    /// A function (or a variable's source) failed for this time. Transient (Oozie's `ELEvaluationException`).
    #[error("[{name}] could not be evaluated this time: {message}")]
    CallTransient {
        /// The function's full name, or the variable's.
        name: String,
        /// Why, in the environment's words.
        message: String,
    },
    /// A function (or a variable's source) failed. Permanent (any other exception).
    #[error("[{name}] failed: {message}")]
    CallFailed {
        /// The function's full name, or the variable's.
        name: String,
        /// Why, in the environment's words.
        message: String,
    },
    /// One of [`crate::Limits`]. Permanent; Oozie has no such bound.
    #[error("the evaluation exceeds the limit of {limit} {what}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
}

impl Failure {
    /// What it means for the job; see the module's documentation and each variant for why.
    pub fn class(&self) -> ErrorClass {
        match self {
            Failure::CallTransient { .. } => ErrorClass::Transient,
            Failure::UnknownVariable(_)
            | Failure::UnknownFunction(_)
            | Failure::ArgumentCount { .. }
            | Failure::NotConvertible(_)
            | Failure::DivisionByZero
            | Failure::NotComparable { .. }
            | Failure::NoProperty { .. }
            | Failure::CallFailed { .. }
            | Failure::Limit { .. } => ErrorClass::Permanent,
        }
    }

    /// What the writer of the text, or the submitter of the job, can do.
    pub fn help(&self) -> &'static str {
        match self {
            Failure::UnknownVariable(_) => {
                "set it as a job property, or give it a default in <parameters>; a property with dots is read by wf:conf('a.b')"
            }
            Failure::UnknownFunction(_) => {
                "check the spelling; functions differ between workflows and the parts of a coordinator"
            }
            Failure::ArgumentCount { .. } => "check the call against the function's documentation",
            Failure::NotConvertible(_) => {
                "only numbers, and strings that hold one, can be computed with; join strings with concat(a, b)"
            }
            Failure::DivisionByZero => "check the divisor first, as in ${n == 0 ? 0 : m % n}",
            Failure::NotComparable { .. } => "compare the entries of a map, not the map",
            Failure::NoProperty { .. } => {
                "only maps have properties, as in wf:actionData('node')['key']; a job property with dots is read by wf:conf('a.b')"
            }
            Failure::CallTransient { .. } => {
                "nothing, if it passes; else check that the system it asks is reachable"
            }
            Failure::CallFailed { .. } => "check the call's arguments",
            Failure::Limit { .. } => "make the text or the values in it smaller",
        }
    }
}
