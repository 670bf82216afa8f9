//! What a condition can ask of an objective: how fast its error budget burns, and what is left.

use std::time::Duration;

use crate::model::reading::Reason;
use crate::model::slo::{self, Objective, Tally};

use super::snapshot::{Answer, Snapshot};
use super::value::Value;

impl<'a> Snapshot<'a> {
    /// How many times faster than allowed the error budget of a check burns.
    pub(super) fn burn_rate(&self, name: &str, minutes: f64) -> Answer<'a> {
        let span = Duration::try_from_secs_f64(minutes.clamp(1.0, 100_000.0) * 60.0);
        let span = span.unwrap_or_default();
        self.kept(name, |objective, tally| slo::burn_rate(objective, tally, span, self.seen.now))
    }

    /// The part of a check's error budget that is left; below 0 it is overspent.
    pub(super) fn error_budget(&self, name: &str) -> Answer<'a> {
        self.kept(name, |objective, tally| slo::budget_left(objective, tally, self.seen.now))
    }

    /// A number on the objective of the first check of a name that has one.
    fn kept(&self, name: &str, number: impl Fn(&Objective, &Tally) -> Option<f64>) -> Answer<'a> {
        let mut found = self.checks(name).into_iter();
        let Some((id, (objective, tally))) =
            found.find_map(|id| Some((id, self.seen.slos.get(id)?)))
        else {
            return Answer::unknown(Reason::NoData, name);
        };
        if let Some(reason) = self.why(id) {
            return Answer::unknown(reason, id.as_str());
        }
        match number(objective, tally) {
            // Counting goes through some hundred buckets at most.
            Some(number) => {
                Answer { value: Value::float(number, name), newest: tally.until, cost: 32 }
            }
            None => Answer { cost: 32, ..Answer::unknown(Reason::TooFewSamples, id.as_str()) },
        }
    }
}
