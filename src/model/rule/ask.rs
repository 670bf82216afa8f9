//! What a condition asks of what was seen: failures, metrics, rates, severity.

use std::rc::Rc;
use std::sync::Arc;

use super::evaluate::{Judged, Machine};
use super::problem::Mistake;
use super::syntax::{Function, Node};
use super::value::Value;

impl<'a> Machine<'_, 'a> {
    /// Asks the snapshot.
    pub(super) fn ask(
        &mut self,
        function: Function,
        values: &[Value<'a>],
        node: &Node,
    ) -> Judged<'a> {
        if let Some(why) = values.iter().find_map(Value::open) {
            return Ok(Value::Unknown(Rc::clone(why)));
        }
        let word = function.word();
        let text = |at: usize| match values.get(at) {
            Some(Value::Text(text)) => Ok(Arc::clone(text)),
            Some(other) => {
                let kind = other.kind();
                Err(Mistake::at(node.from, format!("{word} needs a name, not {kind}")))
            }
            None => Ok("*".into()),
        };
        let number = |at: usize| match values.get(at).map(|value| (value, value.number())) {
            Some((_, Some(number))) => Ok(number),
            Some((other, None)) => {
                let kind = other.kind();
                Err(Mistake::at(node.from, format!("{word} needs a number, not {kind}")))
            }
            None => Ok(5.0),
        };
        let answer = match function {
            Function::FailureCount => self.snapshot.failures(&text(0)?, number(1)?),
            Function::LatestMetric => {
                let kind = values.get(1).filter(|kind| !matches!(kind, Value::None));
                let kind = kind.map(|_| text(1)).transpose()?;
                self.snapshot.latest(&text(0)?, kind.as_deref())
            }
            Function::ErrorRate => self.snapshot.error_rate(&text(0)?, number(1)?),
            Function::P95 => self.snapshot.latency(&text(0)?, 0.95, number(1)?),
            Function::Latency => self.snapshot.latency(&text(0)?, number(1)?, number(2)?),
            Function::BurnRate => self.snapshot.burn_rate(&text(0)?, number(1)?),
            Function::ErrorBudget => self.snapshot.error_budget(&text(0)?),
            Function::Status => self.snapshot.status(&text(0)?),
            Function::Prometheus => self.snapshot.query(&text(0)?),
            Function::SinceDeploy => self.snapshot.since_deploy(),
            Function::SeverityNow => self.snapshot.severity(),
            Function::Len
            | Function::Any
            | Function::All
            | Function::Sum
            | Function::Max
            | Function::Min
            | Function::Avg
            | Function::Abs
            | Function::Round
            | Function::ToInt
            | Function::ToFloat
            | Function::ToStr
            | Function::ToBool
            | Function::Range
            | Function::IsInstance => return self.builtin(function, values, node),
        };
        self.answer(answer, node)
    }
}
