//! Comparisons, with what is not known or known only between two bounds.

use std::rc::Rc;

use super::problem::Mistake;
use super::syntax::{Comparison, Node};
use super::value::{Truth, Value};

/// Compares two values; `in` is not one of these.
pub(super) fn compare(
    how: Comparison,
    left: &Value<'_>,
    right: &Value<'_>,
    at: &Node,
) -> Result<Truth, Mistake> {
    if how == Comparison::IsNot {
        return Ok(same(left, right).not());
    }
    if how == Comparison::Is {
        return Ok(same(left, right));
    }
    if let (Value::Unknown(why), _) | (_, Value::Unknown(why)) = (left, right) {
        return Ok(Truth::Open(Rc::clone(why)));
    }
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        return Ok(Truth::of(holds(how, left.cmp(right))));
    }
    let ordering = |left: f64, right: f64| left.partial_cmp(&right);
    if let (Some(low), Some(high)) = (bounds(left), bounds(right)) {
        // Every pair of the two ranges decides alike, or nothing is decided.
        let ends = [(low.0, high.1), (low.1, high.0)];
        let [first, second] = ends.map(|(left, right)| {
            ordering(left, right).is_some_and(|ordering| holds(how, ordering))
        });
        let why = left.open().or(right.open());
        return Ok(match (first == second, why) {
            (true, _) | (false, None) => Truth::of(first),
            (false, Some(why)) => Truth::Open(Rc::clone(why)),
        });
    }
    let (left, right) = (left.kind(), right.kind());
    Err(Mistake::at(at.from, format!("{left} and {right} have no order")))
}

fn holds(how: Comparison, ordering: std::cmp::Ordering) -> bool {
    match how {
        Comparison::Less => ordering.is_lt(),
        Comparison::AtMost => ordering.is_le(),
        Comparison::More => ordering.is_gt(),
        Comparison::AtLeast => ordering.is_ge(),
        Comparison::Is | Comparison::In => ordering.is_eq(),
        Comparison::IsNot | Comparison::NotIn => ordering.is_ne(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of readings, and bounds beyond them")]
fn bounds(value: &Value<'_>) -> Option<(f64, f64)> {
    if let Value::Between(low, high, _) = value {
        let high = if *high == i64::MAX { f64::INFINITY } else { *high as f64 };
        return Some((*low as f64, high));
    }
    value.number().map(|number| (number, number))
}

/// Whether two values are the same.
#[expect(clippy::float_cmp, reason = "as Python compares them")]
pub(super) fn same(left: &Value<'_>, right: &Value<'_>) -> Truth {
    match (left, right) {
        (Value::Unknown(why), _) | (_, Value::Unknown(why)) => Truth::Open(Rc::clone(why)),
        (Value::None, Value::None) | (Value::Metrics, Value::Metrics) => Truth::Yes,
        (Value::Text(left), Value::Text(right)) => Truth::of(left == right),
        (Value::Metric(left), Value::Metric(right)) => Truth::of(left == right),
        (Value::Series(left), Value::Series(right)) => Truth::of(left == right),
        (Value::Type(left), Value::Type(right)) => Truth::of(left == right),
        (left, right) => match (bounds(left), bounds(right)) {
            (Some(one), Some(other)) => match left.open().or(right.open()) {
                None => Truth::of(one.0 == other.0),
                Some(why) if one.1 >= other.0 && other.1 >= one.0 => Truth::Open(Rc::clone(why)),
                Some(_) => Truth::No,
            },
            (_, _) => Truth::No,
        },
    }
}
