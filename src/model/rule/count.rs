//! Arithmetic: on numbers only, so that nothing grows.

use std::rc::Rc;

use super::problem::Mistake;
use super::syntax::{Node, Operator};
use super::value::Value;

/// The negative of a number.
pub(super) fn minus<'a>(value: Value<'a>, at: &Node) -> Result<Value<'a>, Mistake> {
    if let Value::Unknown(why) | Value::Between(_, _, why) = value {
        return Ok(Value::Unknown(why));
    }
    if let Value::Float(number) = value {
        return Ok(Value::Float(-number));
    }
    match value.int().map(i64::checked_neg) {
        Some(Some(number)) => Ok(Value::Int(number)),
        Some(None) => Err(Mistake::at(at.from, "the number is too large")),
        None => Err(Mistake::at(at.from, format!("{} has no negative", value.kind()))),
    }
}

/// One operation. Division by nothing gives nothing that is known.
pub(super) fn count<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    at: &Node,
) -> Result<Value<'a>, Mistake> {
    if let Some(why) = left.open().or(right.open()) {
        return Ok(Value::Unknown(Rc::clone(why)));
    }
    let (Some(one), Some(other)) = (left.number(), right.number()) else {
        let (left, right) = (left.kind(), right.kind());
        return Err(Mistake::at(at.from, format!("{left} and {right} cannot be counted together")));
    };
    let divides = matches!(operator, Operator::Over | Operator::Whole | Operator::Rest);
    if divides && other == 0.0 {
        return Ok(Value::unknown(crate::model::reading::Reason::NoData, "division by zero"));
    }
    if let (Some(one), Some(other)) = (left.int(), right.int())
        && operator != Operator::Over
    {
        let number = match operator {
            Operator::Plus => one.checked_add(other),
            Operator::Minus => one.checked_sub(other),
            Operator::Times => one.checked_mul(other),
            Operator::Whole | Operator::Over => floor(one, other).map(|(whole, _)| whole),
            Operator::Rest => floor(one, other).map(|(_, rest)| rest),
        };
        let large = || Mistake::at(at.from, "the number is too large");
        return number.map(Value::Int).ok_or_else(large);
    }
    let number = match operator {
        Operator::Plus => one + other,
        Operator::Minus => one - other,
        Operator::Times => one * other,
        Operator::Over => one / other,
        Operator::Whole => (one / other).floor(),
        // Python's sign rule: that of the divisor.
        Operator::Rest => one - other * (one / other).floor(),
    };
    Ok(Value::float(number, "a number without end"))
}

/// Python's whole division: rounded down, the rest with the sign of the divisor.
fn floor(one: i64, other: i64) -> Option<(i64, i64)> {
    let (whole, rest) = (one.checked_div(other)?, one.checked_rem(other)?);
    if rest != 0 && (rest < 0) != (other < 0) {
        return Some((whole - 1, rest + other));
    }
    Some((whole, rest))
}
