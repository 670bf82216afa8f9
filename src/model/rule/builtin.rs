//! What Python gives, as far as a rule needs it: built-in functions.

use std::rc::Rc;
use std::sync::Arc;

use crate::text::{SafeText, fit};

use super::compare::compare;
use super::evaluate::{Judged, Machine};
use super::problem::Mistake;
use super::syntax::{Comparison, Function, Node, Operator, Type};
use super::value::{List, Truth, Value};

/// The largest `range`.
const RANGE: i64 = 1000;
/// What is read of a metric's metadata.
const METADATA: usize = 400;

impl<'a> Machine<'_, 'a> {
    pub(super) fn builtin(
        &mut self,
        function: Function,
        values: &[Value<'a>],
        node: &Node,
    ) -> Judged<'a> {
        let Some(first) = values.first() else { return Ok(Value::None) };
        match function {
            Function::Len => self.len(first, node),
            Function::Any | Function::All | Function::Sum | Function::Avg => {
                match self.elements(first, node)? {
                    Err(why) => Ok(Value::Unknown(why)),
                    Ok(list) if function == Function::Any => Ok(self.any(&list, false).value()),
                    Ok(list) if function == Function::All => {
                        Ok(self.any(&list, true).not().value())
                    }
                    Ok(list) if function == Function::Avg => avg(&list, node),
                    Ok(list) => sum(&list, node),
                }
            }
            Function::Max | Function::Min => self.extreme(function, values, node),
            Function::Abs => {
                if let Some(why) = first.open() {
                    return Ok(Value::Unknown(Rc::clone(why)));
                }
                let below = compare(Comparison::Less, first, &Value::Int(0), node)?;
                if matches!(below, Truth::Yes) {
                    return super::count::minus(first.clone(), node);
                }
                Ok(first.clone())
            }
            Function::Round => round(first, values.get(1), node),
            Function::ToInt | Function::ToFloat | Function::ToStr => to(function, first, node),
            Function::ToBool => Ok(self.truth(first).value()),
            Function::Range => self.range(values, node),
            Function::IsInstance => is_instance(first, values.get(1), node),
            Function::FailureCount
            | Function::LatestMetric
            | Function::ErrorRate
            | Function::P95
            | Function::Latency
            | Function::BurnRate
            | Function::ErrorBudget
            | Function::Status
            | Function::SeverityNow
            | Function::SinceDeploy
            | Function::Prometheus => Ok(Value::None),
        }
    }

    fn len(&mut self, value: &Value<'a>, node: &Node) -> Judged<'a> {
        let length = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        match value {
            Value::Text(text) => Ok(Value::Int(length(text.chars().count()))),
            Value::List(list) => {
                let sure = list.items.iter().filter(|(_, sure)| *sure).count();
                let (low, high) = (length(sure), length(list.items.len()));
                Ok(match &list.why {
                    Some(why) if low < high => Value::Between(low, high, Rc::clone(why)),
                    Some(_) | None => Value::Int(high),
                })
            }
            Value::Metrics => Ok(Value::Int(length(self.snapshot.names().len()))),
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Tuple(_)
            | Value::Series(_)
            | Value::Metric(_)
            | Value::Metadata(_)
            | Value::Type(_)
            | Value::Between(..)
            | Value::Unknown(_) => Ok(match self.elements(value, node)? {
                Ok(list) => Value::Int(length(list.items.len())),
                Err(why) => Value::Unknown(why),
            }),
        }
    }

    /// Whether an element counts as yes; `turned`, whether one counts as no.
    fn any(&self, list: &List<'a>, turned: bool) -> Truth {
        let mut open = None;
        for (value, sure) in &list.items {
            let truth = self.truth(value);
            match if turned { truth.not() } else { truth } {
                Truth::Yes if *sure => return Truth::Yes,
                Truth::Yes => open = open.or_else(|| list.why.clone()),
                Truth::No => {}
                Truth::Open(why) => open = open.or(Some(why)),
            }
        }
        open.map_or(Truth::No, Truth::Open)
    }

    fn extreme(&mut self, function: Function, values: &[Value<'a>], node: &Node) -> Judged<'a> {
        let list = match values {
            [only] => match self.elements(only, node)? {
                Ok(list) => list,
                Err(why) => return Ok(Value::Unknown(why)),
            },
            many => {
                let items = many.iter().map(|value| (value.clone(), true)).collect();
                Rc::new(List { items, why: None })
            }
        };
        if let Some(why) = unsure(&list) {
            return Ok(Value::Unknown(why));
        }
        let how = if function == Function::Max { Comparison::More } else { Comparison::Less };
        let mut best: Option<&Value<'a>> = None;
        for (value, _) in &list.items {
            let better = match best {
                None => Truth::Yes,
                Some(best) => compare(how, value, best, node)?,
            };
            if matches!(better, Truth::Yes) {
                best = Some(value);
            }
        }
        Ok(best.cloned().unwrap_or_else(|| Self::no_data("an empty list")))
    }

    fn range(&mut self, values: &[Value<'a>], node: &Node) -> Judged<'a> {
        if let Some(why) = values.iter().find_map(Value::open) {
            return Ok(Value::Unknown(Rc::clone(why)));
        }
        let numbers: Option<Vec<i64>> = values.iter().map(Value::int).collect();
        let (from, to) = match numbers.as_deref() {
            Some([to]) => (0, *to),
            Some([from, to]) => (*from, *to),
            Some(_) | None => return Err(Mistake::at(node.from, "range needs whole numbers")),
        };
        let count = to.saturating_sub(from).max(0);
        if count > RANGE {
            return Err(Mistake::at(node.from, format!("range holds more than {RANGE}")));
        }
        self.charge(usize::try_from(count * 2).unwrap_or_default(), node)?;
        Ok(Value::list((from..to).map(|number| (Value::Int(number), true)).collect(), None))
    }
}

/// Why an element, or whether it belongs to the list, is not known.
fn unsure(list: &List<'_>) -> Option<Rc<super::value::Unknown>> {
    unsure_length(list).or_else(|| list.items.iter().find_map(|(value, _)| value.open().cloned()))
}

pub(super) fn unsure_length(list: &List<'_>) -> Option<Rc<super::value::Unknown>> {
    list.why.clone().filter(|_| list.items.iter().any(|(_, sure)| !sure))
}

/// The sum; of whole numbers that are known between bounds, the bounds of the sum.
fn sum<'a>(list: &List<'a>, node: &Node) -> Judged<'a> {
    let why = unsure(list);
    let whole: Option<Vec<(i64, i64, bool)>> = list
        .items
        .iter()
        .map(|(value, sure)| value.between().map(|(low, high)| (low, high, *sure)))
        .collect();
    if let (Some(whole), Some(why)) = (&whole, &why) {
        let (mut low, mut high) = (0_i64, 0_i64);
        for (least, most, sure) in whole {
            low = low.saturating_add(if *sure { *least } else { (*least).min(0) });
            high = high.saturating_add(if *sure { *most } else { (*most).max(0) });
        }
        return Ok(Value::Between(low, high, Rc::clone(why)));
    }
    if let Some(why) = why {
        return Ok(Value::Unknown(why));
    }
    let mut total = Value::Int(0);
    for (value, _) in &list.items {
        total = super::count::count(Operator::Plus, &total, value, node)?;
    }
    Ok(total)
}

fn avg<'a>(list: &List<'a>, node: &Node) -> Judged<'a> {
    if let Some(why) = unsure(list) {
        return Ok(Value::Unknown(why));
    }
    let count = Value::Int(i64::try_from(list.items.len()).unwrap_or(i64::MAX));
    let total = sum(list, node)?;
    super::count::count(Operator::Over, &total, &count, node)
}

fn round<'a>(value: &Value<'a>, digits: Option<&Value<'a>>, node: &Node) -> Judged<'a> {
    if let Some(why) = value.open() {
        return Ok(Value::Unknown(Rc::clone(why)));
    }
    let Some(number) = value.number() else {
        return Err(Mistake::at(node.from, format!("{} cannot be rounded", value.kind())));
    };
    let digits = digits.and_then(Value::int).unwrap_or_default().clamp(-12, 12);
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or_default());
    Ok(Value::float((number * scale).round() / scale, "a number without end"))
}

fn to<'a>(function: Function, value: &Value<'a>, node: &Node) -> Judged<'a> {
    if let Some(why) = value.open() {
        return Ok(Value::Unknown(Rc::clone(why)));
    }
    if function == Function::ToStr {
        let text: Arc<str> = if let Value::Text(text) = value {
            Arc::clone(text)
        } else if let Value::Metadata(reading) = value {
            let facts: Vec<&str> = reading.facts.iter().map(SafeText::as_str).collect();
            fit(&format!("{} {}", reading.note, facts.join("; ")), METADATA).into()
        } else if matches!(value, Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_)) {
            value.to_string().into()
        } else {
            return Err(Mistake::at(node.from, format!("{} is no text", value.kind())));
        };
        return Ok(Value::Text(text));
    }
    let number = if let Value::Text(text) = value
        && text.len() <= 40
    {
        text.trim().parse::<f64>().ok()
    } else {
        value.number()
    };
    let Some(number) = number.filter(|number| number.is_finite()) else {
        return Err(Mistake::at(node.from, format!("{} is no number", value.kind())));
    };
    if function == Function::ToFloat {
        return Ok(Value::Float(number));
    }
    if number.abs() >= 9e15 {
        return Err(Mistake::at(node.from, "the number is too large"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded right above")]
    Ok(Value::Int(number.trunc() as i64))
}

fn is_instance<'a>(value: &Value<'a>, types: Option<&Value<'a>>, node: &Node) -> Judged<'a> {
    if let Value::Unknown(why) = value {
        return Ok(Value::Unknown(Rc::clone(why)));
    }
    let is = |one: &Value<'a>| match (one, value) {
        (Value::Type(Type::Int), Value::Int(_) | Value::Bool(_) | Value::Between(..))
        | (Value::Type(Type::Float), Value::Float(_))
        | (Value::Type(Type::Str), Value::Text(_))
        | (Value::Type(Type::Bool), Value::Bool(_)) => Some(true),
        (Value::Type(_), _) => Some(false),
        (_, _) => None,
    };
    let answers: Option<Vec<bool>> = match types {
        Some(Value::Tuple(types)) => types.iter().map(is).collect(),
        Some(one) => is(one).map(|answer| vec![answer]),
        None => None,
    };
    match answers {
        Some(answers) => Ok(Value::Bool(answers.into_iter().any(|answer| answer))),
        None => Err(Mistake::at(node.from, "isinstance needs types: int, float, str, bool")),
    }
}
