//! Computes the value of a template: known values go up, an unknown one (an open question) makes everything that needs it unknown.

use std::collections::BTreeSet;

use crate::error::{CallError, EvalError, Failure, Question};
use crate::expression::{Binary, Call, Expression, Node, Span, Unary};
use crate::operators::{OperatorError, apply, negate};
use crate::template::Part;
use crate::value::{Kind, NotConvertible, Value};

/// Steps of one evaluation. One step is one part of an expression; a call costs one more for every 64 bytes of its arguments and result.
/// A large action body takes thousands; a million takes well below a second.
pub const LIMIT_STEPS: u64 = 1_000_000;

/// Bytes of a result: four times the longest template, so that only runaway growth meets it.
pub const LIMIT_OUTPUT_BYTES: usize = 4 * crate::TEMPLATE_BYTES_MAX;

/// Open questions of one evaluation. Each one costs a look at a file system; a decision has a handful.
pub const LIMIT_QUESTIONS: usize = 1_000;

const BYTES_PER_STEP: usize = 64;

/// What expressions can see: the variables and the functions of one phase of one job.
///
/// [`crate::functions`] has the pure functions and constants that most environments share.
pub trait Env {
    /// The value of a variable; `None` when there is no such variable, which fails the evaluation.
    ///
    /// # Errors
    /// When there is one but its value can't be had.
    fn variable(&self, name: &str) -> Result<Option<Value>, CallError>;

    /// What a function takes; `None` when there is no such function, which fails the evaluation.
    fn signature(&self, prefix: Option<&str>, name: &str) -> Option<Signature>;

    /// Calls a function of which [`Env::signature`] knows. The arguments are as many as the signature says, and of its kinds.
    ///
    /// # Errors
    /// When there is no value, not yet, not this time, or never.
    fn call(&self, prefix: Option<&str>, name: &str, args: &[Value]) -> Result<Value, CallError>;
}

/// The parameters of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// One entry a parameter; arguments are converted to it before the call.
    pub parameters: &'static [Kind],
}

/// Bounds of one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// See [`LIMIT_STEPS`].
    pub steps_max: u64,
    /// See [`LIMIT_OUTPUT_BYTES`].
    pub output_bytes_max: usize,
    /// See [`LIMIT_QUESTIONS`].
    pub questions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            steps_max: LIMIT_STEPS,
            output_bytes_max: LIMIT_OUTPUT_BYTES,
            questions_max: LIMIT_QUESTIONS,
        }
    }
}

pub(crate) fn evaluate_parts(
    parts: &[Part],
    env: &dyn Env,
    limits: &Limits,
) -> Result<Value, EvalError> {
    check_calls(parts, env)?;
    let mut evaluation = Evaluation { env, limits, steps: 0, questions: BTreeSet::new() };
    let value = match parts {
        [Part::Expression(expression)] => evaluation.checked(expression)?,
        _ => evaluation.text(parts)?,
    };
    match value {
        Partial::Known(value) if evaluation.questions.is_empty() => Ok(value),
        Partial::Known(_) | Partial::Unknown => {
            Err(EvalError::Pending(evaluation.questions.into_iter().collect()))
        }
    }
}

/// Oozie binds functions when it parses: a wrong one fails the text even where it would not be called.
fn check_calls(parts: &[Part], env: &dyn Env) -> Result<(), EvalError> {
    let mut first = None;
    for part in parts {
        if let Part::Expression(expression) = part {
            expression.walk(&mut |inner| {
                if let (Node::Call(call), None) = (&inner.node, &first) {
                    first = check_call(call, env).err();
                }
            });
        }
    }
    first.map_or(Ok(()), Err)
}

fn check_call(call: &Call, env: &dyn Env) -> Result<Signature, EvalError> {
    let name = call.full_name();
    let Some(signature) = env.signature(call.prefix.as_deref(), &call.name) else {
        return Err(failed(Failure::UnknownFunction(name), call.name_span));
    };
    let (expected, actual) = (signature.parameters.len(), call.arguments.len());
    if expected == actual {
        Ok(signature)
    } else {
        Err(failed(Failure::ArgumentCount { name, expected, actual }, call.name_span))
    }
}

/// A value, or the knowledge that it waits for an answer.
enum Partial {
    Known(Value),
    Unknown,
}

struct Evaluation<'a> {
    env: &'a dyn Env,
    limits: &'a Limits,
    steps: u64,
    questions: BTreeSet<Question>,
}

type Evaluated = Result<Partial, EvalError>;

impl Evaluation<'_> {
    fn text(&mut self, parts: &[Part]) -> Evaluated {
        let mut text = Some(String::new());
        for part in parts {
            match part {
                Part::Literal(literal) => append(&mut text, literal),
                Part::Expression(expression) => {
                    match self.checked(expression)? {
                        Partial::Known(value) => append(&mut text, &value.to_text()),
                        Partial::Unknown => text = None,
                    }
                    self.check_output(text.as_deref().unwrap_or_default().len(), expression.span)?;
                }
            }
        }
        Ok(text.map_or(Partial::Unknown, |text| Partial::Known(Value::from(text))))
    }

    /// The value of a whole `${...}`.
    fn checked(&mut self, expression: &Expression) -> Evaluated {
        let partial = self.evaluate(expression)?;
        if let Partial::Known(Value::Str(text)) = &partial {
            self.check_output(text.len(), expression.span)?;
        }
        Ok(partial)
    }

    fn evaluate(&mut self, expression: &Expression) -> Evaluated {
        self.spend(1, expression.span)?;
        match &expression.node {
            Node::Literal(value) => Ok(Partial::Known(value.clone())),
            Node::Variable(name) => self.variable(name, expression.span),
            Node::Call(call) => self.call(call, expression.span),
            Node::Path { base, keys } => self.path(base, keys),
            Node::Unary { operator, operand } => self.unary(*operator, operand, expression.span),
            Node::Chain { first, rest } => self.chain(first, rest),
            Node::Choice { condition, yes, no } => self.choice(condition, yes, no),
        }
    }

    fn variable(&mut self, name: &str, span: Span) -> Evaluated {
        let answer = self.env.variable(name).transpose();
        let answer =
            answer.ok_or_else(|| failed(Failure::UnknownVariable(name.to_owned()), span))?;
        self.answer(answer, span, || name.to_owned())
    }

    fn call(&mut self, call: &Call, span: Span) -> Evaluated {
        let signature = check_call(call, self.env)?;
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            if let Partial::Known(value) = self.evaluate(argument)? {
                arguments.push(value);
            }
        }
        if arguments.len() < call.arguments.len() {
            return Ok(Partial::Unknown);
        }
        for ((value, kind), written) in
            arguments.iter_mut().zip(signature.parameters).zip(&call.arguments)
        {
            *value = value.convert(*kind).map_err(|error| failed(error.into(), written.span))?;
            self.spend(weight(value), span)?;
        }
        let answer = self.env.call(call.prefix.as_deref(), &call.name, &arguments);
        self.answer(answer, span, || call.full_name())
    }

    /// Takes what the environment said.
    fn answer(
        &mut self,
        answer: Result<Value, CallError>,
        span: Span,
        name: impl Fn() -> String,
    ) -> Evaluated {
        match answer {
            Ok(value) => {
                self.spend(weight(&value), span)?;
                Ok(Partial::Known(value))
            }
            Err(CallError::Pending(question)) => self.ask(question, span),
            Err(CallError::Transient(message)) => {
                Err(failed(Failure::CallTransient { name: name(), message }, span))
            }
            Err(CallError::Failed(message)) => {
                Err(failed(Failure::CallFailed { name: name(), message }, span))
            }
        }
    }

    fn ask(&mut self, question: Question, span: Span) -> Evaluated {
        self.questions.insert(question);
        if self.questions.len() > self.limits.questions_max {
            return Err(failed(
                Failure::Limit { what: "questions", limit: self.limits.questions_max as u64 },
                span,
            ));
        }
        Ok(Partial::Unknown)
    }

    /// A property of null is null, and then the keys behind are not looked at.
    fn path(&mut self, base: &Expression, keys: &[Expression]) -> Evaluated {
        let mut current = self.evaluate(base)?;
        for key in keys {
            if matches!(current, Partial::Known(Value::Null)) {
                return Ok(current);
            }
            current = match (current, self.evaluate(key)?) {
                (Partial::Known(value), Partial::Known(property)) => Partial::Known(
                    lookup(&value, &property)
                        .map_err(|failure| failed(failure, base.span.to(key.span)))?,
                ),
                (Partial::Known(_) | Partial::Unknown, Partial::Known(_) | Partial::Unknown) => {
                    Partial::Unknown
                }
            };
        }
        Ok(current)
    }

    fn unary(&mut self, operator: Unary, operand: &Expression, span: Span) -> Evaluated {
        let Partial::Known(value) = self.evaluate(operand)? else { return Ok(Partial::Unknown) };
        let result = match operator {
            Unary::Minus => negate(&value).map_err(Failure::from),
            Unary::Not => value.to_bool().map(|truth| Value::Bool(!truth)).map_err(Failure::from),
            Unary::Empty => Ok(Value::Bool(value.is_empty())),
        };
        result.map(Partial::Known).map_err(|failure| failed(failure, span))
    }

    fn chain(&mut self, first: &Expression, rest: &[(Binary, Expression)]) -> Evaluated {
        let mut left = self.evaluate(first)?;
        let mut left_span = first.span;
        for (operator, right) in rest {
            let whole = first.span.to(right.span);
            left = match operator {
                Binary::Or => self.logical(left, left_span, true, right)?,
                Binary::And => self.logical(left, left_span, false, right)?,
                _ => self.operate(*operator, left, right, whole)?,
            };
            left_span = whole;
        }
        Ok(left)
    }

    /// Null is never below or above anything, which then is not even evaluated.
    fn operate(
        &mut self,
        operator: Binary,
        left: Partial,
        right: &Expression,
        whole: Span,
    ) -> Evaluated {
        let is_null = matches!(left, Partial::Known(Value::Null));
        if is_null && matches!(operator, Binary::Less | Binary::Greater) {
            return Ok(Partial::Known(Value::Bool(false)));
        }
        let right = self.evaluate(right)?;
        let (Partial::Known(left), Partial::Known(right)) = (left, right) else {
            return Ok(Partial::Unknown);
        };
        self.spend(weight(&left).max(weight(&right)), whole)?;
        apply(operator, &left, &right)
            .map(Partial::Known)
            .map_err(|error| failed(error.into(), whole))
    }

    /// `||` is decided by a left side that is true, `&&` by one that is false. An unknown left side leaves the right one unexplored.
    fn logical(
        &mut self,
        left: Partial,
        left_span: Span,
        decides: bool,
        right: &Expression,
    ) -> Evaluated {
        let Partial::Known(left) = left else { return Ok(Partial::Unknown) };
        if truth(&left, left_span)? == decides {
            return Ok(Partial::Known(Value::Bool(decides)));
        }
        let Partial::Known(value) = self.evaluate(right)? else { return Ok(Partial::Unknown) };
        Ok(Partial::Known(Value::Bool(truth(&value, right.span)?)))
    }

    fn choice(&mut self, condition: &Expression, yes: &Expression, no: &Expression) -> Evaluated {
        let Partial::Known(value) = self.evaluate(condition)? else { return Ok(Partial::Unknown) };
        self.evaluate(if truth(&value, condition.span)? { yes } else { no })
    }

    fn spend(&mut self, steps: u64, span: Span) -> Result<(), EvalError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps_max {
            return Err(failed(
                Failure::Limit { what: "steps", limit: self.limits.steps_max },
                span,
            ));
        }
        Ok(())
    }

    fn check_output(&self, bytes: usize, span: Span) -> Result<(), EvalError> {
        let limit = self.limits.output_bytes_max;
        if bytes > limit {
            Err(failed(Failure::Limit { what: "bytes of output", limit: limit as u64 }, span))
        } else {
            Ok(())
        }
    }
}

fn append(text: &mut Option<String>, more: &str) {
    if let Some(text) = text {
        text.push_str(more);
    }
}

fn truth(value: &Value, span: Span) -> Result<bool, EvalError> {
    value.to_bool().map_err(|error| failed(error.into(), span))
}

/// The property null of anything is null. Only strings are keys of maps; anything else is not found.
fn lookup(value: &Value, property: &Value) -> Result<Value, Failure> {
    match (value, property) {
        (Value::Map(map), Value::Str(key)) => {
            Ok(map.get(key.as_ref()).cloned().unwrap_or_default())
        }
        (Value::Map(_) | Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_), _) => {
            Err(Failure::NoProperty {
                property: property.not("property").shown,
                of: value.type_name(),
            })
        }
    }
}

/// The steps that handling a value costs.
fn weight(value: &Value) -> u64 {
    let bytes = match value {
        Value::Str(text) => text.len(),
        Value::Map(map) => map.len() * BYTES_PER_STEP,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
    };
    (bytes / BYTES_PER_STEP) as u64
}

fn failed(failure: Failure, span: Span) -> EvalError {
    EvalError::Failed { failure, span }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::NotConvertible(error @ NotConvertible { .. }) => {
                Failure::NotConvertible(error)
            }
            OperatorError::DivisionByZero => Failure::DivisionByZero,
            OperatorError::NotComparable { left, right } => Failure::NotComparable { left, right },
        }
    }
}
