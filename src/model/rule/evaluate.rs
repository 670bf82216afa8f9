//! Judges a condition against a snapshot. Bounded in steps, memory and depth; asks nobody; what is
//! not known stays not known (`unknown or True` is `True`, `unknown and True` is unknown).

use std::rc::Rc;
use std::sync::Arc;

use crate::model::ids::Time;
use crate::model::reading::Reason;
use crate::text::{SafeText, fit};

use super::problem::Mistake;
use super::snapshot::{Answer, Snapshot};
use super::syntax::{Clause, Comparison, Function, Kind, Node};
use super::value::{List, Truth, Unknown, Value};
use super::{Evaluation, Shown, Verdict};

/// Steps of one judgement; an element of a list costs two.
pub(super) const STEPS: usize = 20_000;
/// Lines of evidence.
const SHOWN: usize = 48;

pub(super) type Judged<'a> = Result<Value<'a>, Mistake>;

pub(super) struct Machine<'s, 'a> {
    pub(super) snapshot: &'s Snapshot<'a>,
    source: &'s str,
    names: Vec<(Arc<str>, Value<'a>)>,
    steps: usize,
    shown: Vec<Shown>,
    newest: Option<Time>,
    /// How many comprehensions are being gone through.
    inside: usize,
}

/// Judges `node`, which was read from `source`.
pub(super) fn evaluate(source: &str, node: &Node, snapshot: &Snapshot<'_>) -> Evaluation {
    let mut machine = Machine {
        snapshot,
        source,
        names: Vec::new(),
        steps: 0,
        shown: Vec::new(),
        newest: None,
        inside: 0,
    };
    let verdict = match machine.value(node) {
        Ok(value) => match value.truth(snapshot.names().len()) {
            Truth::Yes => Verdict::Met,
            Truth::No => Verdict::NotMet,
            Truth::Open(why) => Verdict::Unknown((*why).clone()),
        },
        Err(mistake) => {
            let [line, caret] = mistake.caret(source);
            let text = format!("{mistake} at {}: {line}", caret.chars().count());
            Verdict::Broken(SafeText::new(&fit(&text, 200)))
        }
    };
    Evaluation { verdict, evidence: machine.shown, newest: machine.newest, steps: machine.steps }
}

impl<'a> Machine<'_, 'a> {
    /// Takes so many steps, or stops.
    pub(super) fn charge(&mut self, steps: usize, at: &Node) -> Result<(), Mistake> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS {
            return Err(Mistake::at(at.from, format!("takes more than {STEPS} steps")));
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, answer: Answer<'a>, at: &Node) -> Judged<'a> {
        self.charge(answer.cost, at)?;
        self.newest = self.newest.max(answer.newest);
        Ok(answer.value)
    }

    pub(super) fn truth(&self, value: &Value<'_>) -> Truth {
        value.truth(self.snapshot.names().len())
    }

    pub(super) fn value(&mut self, node: &Node) -> Judged<'a> {
        self.charge(1, node)?;
        let value = self.judge(node)?;
        if self.tells(node) && self.shown.len() < SHOWN {
            let text = self.source.get(node.from..node.to).unwrap_or_default();
            let shown = Shown {
                text: SafeText::new(&fit(text, 100)),
                value: SafeText::new(&fit(&value.to_string(), 100)),
            };
            if !self.shown.contains(&shown) {
                self.shown.push(shown);
            }
        }
        Ok(value)
    }

    /// Whether the value of this part is evidence: what was asked, and what was made of it. Within
    /// a comprehension only what was asked.
    fn tells(&self, node: &Node) -> bool {
        match &node.kind {
            Kind::Call(function, _) => function.asks() || self.inside == 0,
            Kind::Attribute(..)
            | Kind::Compare(..)
            | Kind::And(_)
            | Kind::Or(_)
            | Kind::Not(_)
            | Kind::Count(..)
            | Kind::Index(..)
            | Kind::Method(..)
            | Kind::If(..)
            | Kind::Each(..) => self.inside == 0,
            Kind::None
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::Name(_)
            | Kind::Metrics
            | Kind::Type(_)
            | Kind::Minus(_)
            | Kind::Slice(..)
            | Kind::List(_)
            | Kind::Tuple(_) => false,
        }
    }

    fn judge(&mut self, node: &Node) -> Judged<'a> {
        match &node.kind {
            Kind::None => Ok(Value::None),
            Kind::Bool(is) => Ok(Value::Bool(*is)),
            Kind::Int(number) => Ok(Value::Int(*number)),
            Kind::Float(number) => Ok(Value::Float(*number)),
            Kind::Text(text) => Ok(Value::Text(Arc::clone(text))),
            Kind::Metrics => Ok(Value::Metrics),
            Kind::Type(one) => Ok(Value::Type(*one)),
            Kind::Name(name) => {
                let known = self.names.iter().rev().find(|(known, _)| known == name);
                let value = known.map(|(_, value)| value.clone());
                value.ok_or_else(|| Mistake::at(node.from, format!("there is no name {name}")))
            }
            Kind::Not(inside) => {
                let value = self.value(inside)?;
                Ok(self.truth(&value).not().value())
            }
            Kind::Minus(inside) => {
                let value = self.value(inside)?;
                super::count::minus(value, node)
            }
            Kind::And(all) => self.chain(all, false),
            Kind::Or(all) => self.chain(all, true),
            Kind::Compare(first, rest) => self.compare(first, rest),
            Kind::Count(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                super::count::count(*operator, &left, &right, node)
            }
            Kind::Call(function, arguments) => self.call(*function, arguments, node),
            Kind::Method(on, method, arguments) => self.method(on, *method, arguments),
            Kind::Attribute(on, attribute) => {
                let value = self.value(on)?;
                self.attribute(&value, *attribute, node)
            }
            Kind::Index(on, index) => {
                let (value, index) = (self.value(on)?, self.value(index)?);
                self.index(&value, &index, node)
            }
            Kind::Slice(on, from, to) => {
                let value = self.value(on)?;
                let from = from.as_ref().map(|from| self.value(from)).transpose()?;
                let to = to.as_ref().map(|to| self.value(to)).transpose()?;
                self.slice(&value, (from, to), node)
            }
            Kind::List(all) => {
                let values = self.values(all)?;
                Ok(Value::list(values.into_iter().map(|value| (value, true)).collect(), None))
            }
            Kind::Tuple(all) => Ok(Value::Tuple(self.values(all)?.into())),
            Kind::Each(element, clauses) => {
                self.inside += 1;
                let before = self.names.len();
                let mut list = List::default();
                let each = self.each(element, clauses, None, &mut list);
                self.names.truncate(before);
                self.inside -= 1;
                each.map(|whole| match whole {
                    None => Value::List(Rc::new(list)),
                    Some(why) => Value::Unknown(why),
                })
            }
            Kind::If(condition, yes, no) => self.choose(condition, yes, no),
        }
    }

    pub(super) fn values(&mut self, all: &[Node]) -> Result<Vec<Value<'a>>, Mistake> {
        let mut values = Vec::with_capacity(all.len());
        for one in all {
            self.charge(1, one)?;
            values.push(self.value(one)?);
        }
        Ok(values)
    }

    /// `and`, or with `stops` `or`: the first value that decides, in Python's way; one that is not
    /// known decides nothing, but a later one still may.
    fn chain(&mut self, all: &[Node], stops: bool) -> Judged<'a> {
        let mut open: Option<Rc<Unknown>> = None;
        let mut last = Value::Bool(!stops);
        for one in all {
            let value = self.value(one)?;
            match (self.truth(&value), stops) {
                (Truth::Yes, true) | (Truth::No, false) => return Ok(value),
                (Truth::Open(why), _) => open = open.or(Some(why)),
                (Truth::Yes, false) | (Truth::No, true) => {}
            }
            last = value;
        }
        Ok(open.map_or(last, Value::Unknown))
    }

    fn choose(&mut self, condition: &Node, yes: &Node, no: &Node) -> Judged<'a> {
        let condition = self.value(condition)?;
        match self.truth(&condition) {
            Truth::Yes => self.value(yes),
            Truth::No => self.value(no),
            Truth::Open(why) => Ok(Value::Unknown(why)),
        }
    }

    fn compare(&mut self, first: &Node, rest: &[(Comparison, Node)]) -> Judged<'a> {
        let mut left = self.value(first)?;
        let mut open = None;
        for (how, node) in rest {
            let right = self.value(node)?;
            let truth = match how {
                Comparison::In => self.contains(&right, &left, node)?,
                Comparison::NotIn => self.contains(&right, &left, node)?.not(),
                Comparison::Is
                | Comparison::IsNot
                | Comparison::Less
                | Comparison::AtMost
                | Comparison::More
                | Comparison::AtLeast => super::compare::compare(*how, &left, &right, node)?,
            };
            match truth {
                Truth::No => return Ok(Value::Bool(false)),
                Truth::Open(why) => open = open.or(Some(why)),
                Truth::Yes => {}
            }
            left = right;
        }
        Ok(open.map_or(Value::Bool(true), Value::Unknown))
    }

    /// Goes through the elements of the clauses; returns why when even what is gone through is not
    /// known. `doubt` is why an element of the clauses outside may not belong to it.
    fn each(
        &mut self,
        element: &Node,
        clauses: &[Clause],
        doubt: Option<&Rc<Unknown>>,
        list: &mut List<'a>,
    ) -> Result<Option<Rc<Unknown>>, Mistake> {
        let Some((clause, deeper)) = clauses.split_first() else {
            let value = self.value(element)?;
            self.charge(2, element)?;
            list.items.push((value, doubt.is_none()));
            list.why = list.why.take().or_else(|| doubt.cloned());
            return Ok(None);
        };
        let over = self.value(&clause.over)?;
        let over = match self.elements(&over, &clause.over)? {
            Ok(over) => over,
            Err(why) => return Ok(Some(why)),
        };
        let before = self.names.len();
        for (value, sure) in &over.items {
            self.charge(1, &clause.over)?;
            self.names.truncate(before);
            self.name(clause, value)?;
            let mut doubt = doubt.cloned();
            if !sure {
                doubt = doubt.or_else(|| over.why.clone());
            }
            let mut belongs = true;
            for condition in &clause.conditions {
                let value = self.value(condition)?;
                match self.truth(&value) {
                    Truth::Yes => {}
                    Truth::No => {
                        belongs = false;
                        break;
                    }
                    Truth::Open(why) => doubt = doubt.or(Some(why)),
                }
            }
            if belongs && let Some(why) = self.each(element, deeper, doubt.as_ref(), list)? {
                return Ok(Some(why));
            }
        }
        self.names.truncate(before);
        Ok(None)
    }

    fn name(&mut self, clause: &Clause, value: &Value<'a>) -> Result<(), Mistake> {
        let at = &clause.over;
        if let [only] = clause.names.as_slice() {
            self.names.push((Arc::clone(only), value.clone()));
            return Ok(());
        }
        let wrong = || {
            let count = clause.names.len();
            Mistake::at(at.from, format!("an element of it is not a tuple of {count}"))
        };
        let Value::Tuple(parts) = value else { return Err(wrong()) };
        if parts.len() != clause.names.len() {
            return Err(wrong());
        }
        let named = clause.names.iter().cloned().zip(parts.iter().cloned());
        self.names.extend(named);
        Ok(())
    }

    /// The elements of a value, or why they are not known.
    pub(super) fn elements(
        &mut self,
        value: &Value<'a>,
        at: &Node,
    ) -> Result<Result<Rc<List<'a>>, Rc<Unknown>>, Mistake> {
        let made = |items: Vec<Value<'a>>| {
            let items = items.into_iter().map(|item| (item, true)).collect();
            Ok(Ok(Rc::new(List { items, why: None })))
        };
        match value {
            Value::List(list) => Ok(Ok(Rc::clone(list))),
            Value::Tuple(items) => {
                self.charge(items.len() * 2, at)?;
                made(items.to_vec())
            }
            Value::Metrics => {
                self.charge(self.snapshot.names().len() * 2, at)?;
                made(self.snapshot.names().iter().map(|name| Value::Text((*name).into())).collect())
            }
            Value::Series(place) => {
                let all = self.snapshot.series(*place);
                self.charge(all.len() * 2, at)?;
                self.newest = self.newest.max(all.last().map(|reading| reading.at));
                made(all.into_iter().map(Value::Metric).collect())
            }
            Value::Unknown(why) => Ok(Err(Rc::clone(why))),
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Metric(_)
            | Value::Metadata(_)
            | Value::Type(_)
            | Value::Between(..) => {
                Err(Mistake::at(at.from, format!("{} has no elements", value.kind())))
            }
        }
    }

    fn call(&mut self, function: Function, arguments: &[Node], node: &Node) -> Judged<'a> {
        let values = self.values(arguments)?;
        if function.asks() {
            return self.ask(function, &values, node);
        }
        self.builtin(function, &values, node)
    }

    pub(super) fn no_data(about: &str) -> Value<'a> {
        Value::unknown(Reason::NoData, about)
    }
}
