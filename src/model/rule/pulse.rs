//! How a rule's state follows its judgements: only those on newer readings count, and so many of
//! the last ones must agree.

use std::collections::VecDeque;

use crate::model::ids::Time;

use super::book::RuleState;
use super::{Evaluation, Rule, Verdict};

/// The last judgements of a rule. Kept in memory only: after a restart it takes as many fresh ones
/// again, because nobody looked in between.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    last: VecDeque<bool>,
    counted: Option<Time>,
    since: Option<Time>,
    /// What enough fresh judgements say; nothing while they are too few.
    said: Option<bool>,
    holds: bool,
}

impl Pulse {
    /// Takes a judgement; gives the state that the rule is in then, when that can be said.
    pub fn take(&mut self, rule: &Rule, judged: &Evaluation, now: Time) -> Option<RuleState> {
        let met = match &judged.verdict {
            Verdict::Unknown(why) => {
                *self = Self { counted: self.counted, ..Self::default() };
                return Some(RuleState::Unknown(why.clone()));
            }
            Verdict::Broken(why) => {
                *self = Self { counted: self.counted, ..Self::default() };
                return Some(RuleState::Broken(why.clone()));
            }
            Verdict::Met => true,
            Verdict::NotMet => false,
        };
        if judged.newest.is_some() && judged.newest > self.counted {
            self.counted = judged.newest;
            self.last.push_back(met);
            let of = usize::try_from(rule.confirm.of).unwrap_or(1).max(1);
            while self.last.len() > of {
                self.last.pop_front();
            }
            self.settle(rule, now);
        }
        if self.last.is_empty() {
            // Nothing that was looked at since the start speaks for it.
            return (!met).then_some(RuleState::Quiet);
        }
        // After a restart too few speak either way at first: what the journal says stands.
        let Some(since) = self.since.filter(|_| self.said == Some(true)) else {
            self.holds = false;
            return self.said.map(|_| RuleState::Quiet);
        };
        let lasted = (now - since).to_std().unwrap_or_default() >= rule.lasting;
        self.holds = lasted;
        Some(if lasted { RuleState::Met } else { RuleState::Pending })
    }

    fn settle(&mut self, rule: &Rule, now: Time) {
        let times = usize::try_from(rule.confirm.times).unwrap_or(1).max(1);
        let met = self.last.iter().filter(|met| **met).count();
        if met >= times && self.last.back() == Some(&true) {
            self.since.get_or_insert(now);
            self.said = Some(true);
        } else if self.last.len() - met >= times {
            // As many speak against it as had to speak for it.
            self.since = None;
            self.said = Some(false);
        }
    }

    /// Whether enough fresh judgements say that it is met, for long enough.
    pub fn holds(&self) -> bool {
        self.holds && self.since.is_some()
    }

    /// The same, but nothing while it cannot be told.
    pub fn told(&self) -> Option<bool> {
        self.said.map(|_| self.holds())
    }
}
