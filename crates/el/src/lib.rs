//! The expression language of workflow, coordinator and bundle definitions: JSP 2.0 EL as Oozie uses it.
//!
//! A definition is literal text mixed with `${...}`. [`Template::parse`] reads such a text once; [`Template::evaluate`] computes its value against an [`Env`],
//! which knows the variables and the functions of the phase at hand. Everything here is pure and total: no clock, no input or output, no panics on any text,
//! and a bound on the size and depth of expressions, on the steps of one evaluation and on the size of its result.
//!
//! ```text
//! text ── token ──► parse ──► Template (parts: literal | expression) ── evaluate(env, limits) ──► Value
//!                                                                              │
//!                                   questions about the outside world ◄────────┘  EvalError::Pending
//! ```
//!
//! A function whose answer lies outside (`fs:exists`, `hcat:exists`, `hadoop:conf`) returns [`CallError::Pending`]; the evaluation goes on with an unknown
//! in its place and hands back all the [`Question`]s it met. The caller finds the answers, puts them into its `Env` and evaluates again.
//!
//! # Which dialect
//!
//! The values, conversions and errors are those of Oozie 5.2, whose evaluator is Apache's EL in the JSP 2.0 interface. Known departures, all of them towards
//! the language that Oozie's documentation promises:
//!
//! * `#{` is plain text (JSP 2.0). Oozie 5.2 evaluates it as a deferred expression, and refuses texts that have both forms; earlier releases did neither.
//! * What EL 3.0 added (`+=`, `;`, `=`, lists, sets, maps, lambdas, method calls) is a parse error.
//! * A whole number outside of 64 bits is a parse error instead of an evaluation error.
//! * A property of the literal `null` is null, as it is of every other null value.
//! * Strings that look like numbers are read in decimal ASCII only (no hexadecimal floats, no digits of other scripts).
//! * Floats print with the fewest digits that read back the same, as Java does from 19 on; before, it sometimes printed one more.
//! * Maps print and encode in the order of their keys, where Java has the order of a hash table.

mod error;
mod evaluate;
mod expression;
pub mod functions;
mod number;
mod operators;
mod parse;
mod template;
mod token;
mod value;
mod variable;

pub use error::{CallError, ErrorClass, EvalError, Failure, ParseError, ParseErrorKind, Question};
pub use evaluate::{Env, LIMIT_OUTPUT_BYTES, LIMIT_QUESTIONS, LIMIT_STEPS, Limits, Signature};
pub use expression::Span;
pub use parse::EXPRESSION_DEPTH_MAX;
pub use template::{Reference, ReferenceKind, TEMPLATE_BYTES_MAX, Template};
pub use token::EXPRESSION_BYTES_MAX;
pub use value::{Kind, NotConvertible, Value};
pub use variable::{escape_variable_value, escape_xml, is_variable_name};
