//! Arithmetic, comparison and equality on values: pure functions without positions.

use std::cmp::Ordering;
use std::sync::Arc;

use thiserror::Error;

use crate::expression::Binary;
use crate::number::compare_doubles;
use crate::value::{NotConvertible, Value};

/// Why an operator has no result for its operands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum OperatorError {
    #[error(transparent)]
    NotConvertible(#[from] NotConvertible),
    #[error("the remainder of a division by zero is undefined")]
    DivisionByZero,
    #[error("cannot compare {left} with {right}")]
    NotComparable { left: &'static str, right: &'static str },
}

type Result<T> = std::result::Result<T, OperatorError>;

/// Applies an operator to two known values. `&&` and `||` are the evaluator's, for they may skip their right side; here they just combine.
pub(crate) fn apply(operator: Binary, left: &Value, right: &Value) -> Result<Value> {
    match operator {
        Binary::Or => Ok(Value::Bool(left.to_bool()? || right.to_bool()?)),
        Binary::And => Ok(Value::Bool(left.to_bool()? && right.to_bool()?)),
        Binary::Equal => Ok(Value::Bool(equal(left, right)?)),
        Binary::NotEqual => Ok(Value::Bool(!equal(left, right)?)),
        Binary::Less => ordered(left, right, Ordering::is_lt),
        Binary::Greater => ordered(left, right, Ordering::is_gt),
        Binary::LessOrEqual => ordered(left, right, Ordering::is_le),
        Binary::GreaterOrEqual => ordered(left, right, Ordering::is_ge),
        Binary::Add => arithmetic(left, right, i64::wrapping_add, |a, b| a + b),
        Binary::Subtract => arithmetic(left, right, i64::wrapping_sub, |a, b| a - b),
        Binary::Multiply => arithmetic(left, right, i64::wrapping_mul, |a, b| a * b),
        Binary::Divide => divide(left, right),
        Binary::Modulo => modulo(left, right),
    }
}

/// `-value`: a string with a point or an exponent is a float, everything else a whole number. Unlike in sums, "" is no number here.
pub(crate) fn negate(value: &Value) -> Result<Value> {
    match value {
        Value::Float(number) => Ok(Value::Float(-number)),
        Value::Str(text) if text.is_empty() => Err(value.not("integer").into()),
        Value::Str(_) if is_float(value) => Ok(Value::Float(-value.to_double()?)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Str(_) | Value::Map(_) => {
            Ok(Value::Int(value.to_long()?.wrapping_neg()))
        }
    }
}

fn arithmetic(
    left: &Value,
    right: &Value,
    whole: fn(i64, i64) -> i64,
    float: fn(f64, f64) -> f64,
) -> Result<Value> {
    if is_float(left) || is_float(right) {
        Ok(Value::Float(float(left.to_double()?, right.to_double()?)))
    } else {
        Ok(Value::Int(whole(left.to_long()?, right.to_long()?)))
    }
}

/// Division is always of floats; only null by null is the whole number 0.
fn divide(left: &Value, right: &Value) -> Result<Value> {
    match (left, right) {
        (Value::Null, Value::Null) => Ok(Value::Int(0)),
        _ => Ok(Value::Float(left.to_double()? / right.to_double()?)),
    }
}

fn modulo(left: &Value, right: &Value) -> Result<Value> {
    if matches!((left, right), (Value::Null, Value::Null)) {
        return Ok(Value::Int(0));
    }
    if is_float(left) || is_float(right) {
        return Ok(Value::Float(left.to_double()? % right.to_double()?));
    }
    match (left.to_long()?, right.to_long()?) {
        (_, 0) => Err(OperatorError::DivisionByZero),
        (dividend, divisor) => Ok(Value::Int(dividend.wrapping_rem(divisor))),
    }
}

/// Arithmetic is done in floats when one side is a float, or a string with a point or an exponent.
fn is_float(value: &Value) -> bool {
    match value {
        Value::Float(_) => true,
        Value::Str(text) => text.contains(['.', 'e', 'E']),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Map(_) => false,
    }
}

/// Equality: null equals only null; otherwise the first type of float, integer, boolean, string found on either side decides, and the other is converted.
fn equal(left: &Value, right: &Value) -> Result<bool> {
    use Value::{Bool, Float, Int, Map, Null, Str};
    match (left, right) {
        (Null, Null) => Ok(true),
        (Null, _) | (_, Null) => Ok(false),
        (Float(_), _) | (_, Float(_)) => {
            Ok(compare_doubles(left.to_double()?, right.to_double()?).is_eq())
        }
        (Int(_), _) | (_, Int(_)) => Ok(left.to_long()? == right.to_long()?),
        (Bool(_), _) | (_, Bool(_)) => Ok(left.to_bool()? == right.to_bool()?),
        (Str(_), _) | (_, Str(_)) => Ok(left.to_text() == right.to_text()),
        (Map(left), Map(right)) => Ok(Arc::ptr_eq(left, right) || left == right),
    }
}

/// Order: a null on either side is neither below nor above, and only null is `<=` and `>=` null.
fn ordered(left: &Value, right: &Value, holds: fn(Ordering) -> bool) -> Result<Value> {
    let answer = match (left, right) {
        (Value::Null, Value::Null) => holds(Ordering::Equal),
        (Value::Null, _) | (_, Value::Null) => false,
        _ => holds(compare(left, right)?),
    };
    Ok(Value::Bool(answer))
}

/// Values that are equal are so in order too: `false < 'x'` compares booleans (not below), `true < 'x'` compares strings (below).
fn compare(left: &Value, right: &Value) -> Result<Ordering> {
    use Value::{Bool, Float, Int, Map, Null, Str};
    match (left, right) {
        _ if equal(left, right)? => Ok(Ordering::Equal),
        (Float(_), _) | (_, Float(_)) => Ok(compare_doubles(left.to_double()?, right.to_double()?)),
        (Int(_), _) | (_, Int(_)) => Ok(left.to_long()?.cmp(&right.to_long()?)),
        (Str(_), _) | (_, Str(_)) => Ok(compare_texts(&left.to_text(), &right.to_text())),
        (Bool(_), _) => Ok(left.to_bool()?.cmp(&right.to_bool()?)),
        (Null | Map(_), _) => {
            Err(OperatorError::NotComparable { left: left.type_name(), right: right.type_name() })
        }
    }
}

/// Java compares strings by UTF-16 units, which differs from code points above U+FFFF.
fn compare_texts(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}
