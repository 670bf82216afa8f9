//! What is inside of a value: membership, members, elements, methods.

use std::rc::Rc;
use std::sync::Arc;

use crate::model::reading::Finding;

use super::builtin::unsure_length;
use super::compare::same;
use super::evaluate::{Judged, Machine};
use super::problem::Mistake;
use super::snapshot::value_of;
use super::syntax::{Attribute, Method, Node};
use super::value::{Truth, Value};

impl<'a> Machine<'_, 'a> {
    pub(super) fn contains(
        &mut self,
        all: &Value<'a>,
        one: &Value<'a>,
        node: &Node,
    ) -> Result<Truth, Mistake> {
        match (all, one) {
            (Value::Unknown(why), _) | (_, Value::Unknown(why)) => Ok(Truth::Open(Rc::clone(why))),
            (Value::Text(all), Value::Text(one)) => {
                self.charge(1 + all.len() / 16, node)?;
                Ok(Truth::of(all.contains(&**one)))
            }
            (Value::Metrics, Value::Text(name)) => {
                Ok(Truth::of(self.snapshot.names().contains(&&**name)))
            }
            (all, one) => {
                let list = match self.elements(all, node)? {
                    Ok(list) => list,
                    Err(why) => return Ok(Truth::Open(why)),
                };
                self.charge(list.items.len(), node)?;
                let mut open = None;
                for (value, sure) in &list.items {
                    match same(value, one) {
                        Truth::Yes if *sure => return Ok(Truth::Yes),
                        Truth::Yes => open = open.or_else(|| list.why.clone()),
                        Truth::No => {}
                        Truth::Open(why) => open = open.or(Some(why)),
                    }
                }
                Ok(open.map_or(Truth::No, Truth::Open))
            }
        }
    }

    pub(super) fn attribute(
        &mut self,
        value: &Value<'a>,
        attribute: Attribute,
        node: &Node,
    ) -> Judged<'a> {
        if let Value::Unknown(why) = value {
            return Ok(Value::Unknown(Rc::clone(why)));
        }
        let Value::Metric(reading) = value else {
            let message = format!("{} has no {}", value.kind(), attribute.word());
            return Err(Mistake::at(node.from, message));
        };
        let reading = *reading;
        Ok(match attribute {
            Attribute::Value => value_of(reading),
            Attribute::Status => Value::Text(
                match &reading.finding {
                    Finding::Good => "ok",
                    Finding::Warn { .. } => "warn",
                    Finding::Bad { .. } => "fail",
                    Finding::Unknown { reason } => {
                        return Ok(Value::unknown(*reason, reading.check.as_str()));
                    }
                }
                .into(),
            ),
            Attribute::AgeSeconds => {
                let age = (self.snapshot.seen.now - reading.at).to_std().unwrap_or_default();
                Value::Float(age.as_secs_f64())
            }
            Attribute::Metadata => Value::Metadata(reading),
            Attribute::Name => Value::Text(reading.check.as_str().into()),
            Attribute::Unit => Value::Text(reading.unit.as_str().into()),
            Attribute::MetricType => Value::Text(self.snapshot.kind_of(reading).into()),
            #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
            Attribute::Timestamp => Value::Float(reading.at.timestamp() as f64),
        })
    }

    pub(super) fn index(
        &mut self,
        value: &Value<'a>,
        index: &Value<'a>,
        node: &Node,
    ) -> Judged<'a> {
        if let (Value::Metrics, Value::Text(name)) = (value, index) {
            return Ok(self.place(name).map_or_else(|| Self::no_data(name), Value::Series));
        }
        let list = match self.elements(value, node)? {
            Ok(list) => list,
            Err(why) => return Ok(Value::Unknown(why)),
        };
        if let Some(why) = index.open().cloned().or_else(|| unsure_length(&list)) {
            return Ok(Value::Unknown(why));
        }
        let Some(at) = index.int() else {
            let message = format!("an index is a whole number, not {}", index.kind());
            return Err(Mistake::at(node.from, message));
        };
        let item = list.items.get(from_end(at, list.items.len()));
        let item = item.filter(|_| at >= 0 || at.unsigned_abs() <= list.items.len() as u64);
        Ok(item.map_or_else(|| Self::no_data("no such element"), |(item, _)| item.clone()))
    }

    pub(super) fn slice(
        &mut self,
        value: &Value<'a>,
        (from, to): (Option<Value<'a>>, Option<Value<'a>>),
        node: &Node,
    ) -> Judged<'a> {
        let list = match self.elements(value, node)? {
            Ok(list) => list,
            Err(why) => return Ok(Value::Unknown(why)),
        };
        let open = [&from, &to].into_iter().flatten().find_map(|bound| bound.open().cloned());
        if let Some(why) = open.or_else(|| unsure_length(&list)) {
            return Ok(Value::Unknown(why));
        }
        let length = list.items.len();
        let bound = |bound: &Option<Value<'a>>, none: usize| match bound {
            None | Some(Value::None) => Ok(none),
            Some(bound) => {
                bound.int().map(|at| from_end(at, length).min(length)).ok_or_else(|| {
                    let message = format!("an index is a whole number, not {}", bound.kind());
                    Mistake::at(node.from, message)
                })
            }
        };
        let (from, to) = (bound(&from, 0)?, bound(&to, length)?);
        let items: Vec<_> = list.items.get(from..to.max(from)).unwrap_or_default().to_vec();
        self.charge(items.len() * 2, node)?;
        Ok(Value::list(items, None))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.snapshot.names().iter().position(|known| *known == name)
    }

    pub(super) fn method(&mut self, on: &Node, method: Method, arguments: &[Node]) -> Judged<'a> {
        let value = self.value(on)?;
        let values = self.values(arguments)?;
        let open = value.open().or_else(|| values.iter().find_map(Value::open));
        if let Some(why) = open {
            return Ok(Value::Unknown(Rc::clone(why)));
        }
        match (&value, method) {
            (Value::Metrics, Method::Keys) => self.pairs(on, |name, _| name),
            (Value::Metrics, Method::Values) => self.pairs(on, |_, series| series),
            (Value::Metrics, Method::Items) => {
                self.pairs(on, |name, series| Value::Tuple([name, series].into()))
            }
            (Value::Metrics, Method::Get) => match values.first() {
                Some(Value::Text(name)) => {
                    let other = values.get(1).cloned().unwrap_or(Value::None);
                    Ok(self.place(name).map_or(other, Value::Series))
                }
                _ => Err(Mistake::at(on.from, "get needs the name of a service")),
            },
            (Value::Metadata(_), Method::Get) => {
                let message = "metadata is text here";
                let hint = "write 'word' in str(x.metadata)";
                Err(Mistake::at(on.from, message).hint(hint))
            }
            (Value::Text(text), _) => self.of_text(text, method, &values, on),
            (other, _) => {
                let message = format!("{} has no {}()", other.kind(), method.word());
                Err(Mistake::at(on.from, message))
            }
        }
    }

    fn pairs(&mut self, at: &Node, made: impl Fn(Value<'a>, Value<'a>) -> Value<'a>) -> Judged<'a> {
        let names = self.snapshot.names();
        self.charge(names.len() * 2, at)?;
        let pairs = names.iter().enumerate();
        let items = pairs
            .map(|(place, name)| (made(Value::Text((*name).into()), Value::Series(place)), true))
            .collect();
        Ok(Value::list(items, None))
    }

    fn of_text(
        &mut self,
        text: &Arc<str>,
        method: Method,
        values: &[Value<'a>],
        at: &Node,
    ) -> Judged<'a> {
        self.charge(1 + text.len() / 8, at)?;
        let argument = match values.first() {
            Some(Value::Text(argument)) => Some(argument),
            Some(_) | None => None,
        };
        match (method, argument) {
            (Method::Lower, _) => Ok(Value::Text(text.to_lowercase().into())),
            (Method::Upper, _) => Ok(Value::Text(text.to_uppercase().into())),
            (Method::Strip, _) => Ok(Value::Text(text.trim().into())),
            (Method::StartsWith, Some(begin)) => Ok(Value::Bool(text.starts_with(&**begin))),
            (Method::EndsWith, Some(end)) => Ok(Value::Bool(text.ends_with(&**end))),
            (_, _) => {
                Err(Mistake::at(at.from, format!("text has no {}() like that", method.word())))
            }
        }
    }
}

/// Where `at` is in a list of that length; negative ones count from its end.
fn from_end(at: i64, length: usize) -> usize {
    let back = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
    if at < 0 { length.saturating_sub(back) } else { back }
}
