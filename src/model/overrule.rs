//! A person's word on how bad it is, beside what is measured. Measuring goes on and is shown; a
//! word that made less of it ends by itself when what is measured gets worse.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::assess::{ends, run_clock, suggests};
use super::ids::Time;
use super::severity::Severity;
use super::tree::Assessment;

/// The class that a person named, until the incident is closed or they take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrule {
    /// The class they named.
    pub class: Severity,
    /// What was measured when they did.
    pub measured: Severity,
    /// Who.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// When.
    pub at: Time,
}

impl Overrule {
    /// The class that counts: a worse measurement than the one they knew is not talked away.
    pub fn class(&self, measured: Severity) -> Severity {
        if measured > self.measured { measured.max(self.class) } else { self.class }
    }
}

impl Assessment {
    /// The same assessment with the class that a person named, its clock and its suggestion. The
    /// tree's verdict stays as it is. `before` keeps the clock running.
    #[must_use]
    pub fn overruled(mut self, word: &Overrule, before: Option<&Self>, now: Time) -> Self {
        let measured = self.severity;
        let class = word.class(measured);
        if class == measured {
            return self;
        }
        let (since, clock) = run_clock(before, class, now);
        self.severity = class;
        self.could_be = self.could_be.max(class);
        self.since = since;
        self.deadline = clock.as_ref().and_then(ends);
        self.clock = clock;
        self.suggests = suggests(self.verdict, &self.path, class);
        let (class, measured) = (class.label(), measured.label());
        let text = format!("{class} says {}: {} (measured {measured})", word.by, word.reason);
        self.because.insert(0, SafeText::new(&text));
        self
    }
}

impl Assessment {
    /// The same assessment with at least the class of a rule that is met (P-27), and its clock.
    #[must_use]
    pub fn raised(
        mut self,
        (rule, class): (&str, Severity),
        before: Option<&Self>,
        now: Time,
    ) -> Self {
        if class <= self.severity {
            return self;
        }
        let (since, clock) = run_clock(before, class, now);
        self.severity = class;
        self.could_be = self.could_be.max(class);
        self.since = since;
        self.deadline = clock.as_ref().and_then(ends);
        self.clock = clock;
        self.suggests = suggests(self.verdict, &self.path, class);
        let text = format!("{} by rule {rule}", class.label());
        self.because.insert(0, SafeText::new(&text));
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::sample::at;
    use crate::model::tree::{assess, built_in};

    fn word(class: Severity, measured: Severity) -> Overrule {
        let (by, reason) = ("alice".into(), "half the shops cannot pay".into());
        Overrule { class, measured, by, reason, at: at(0) }
    }

    fn quiet() -> Assessment {
        assess(&built_in(), &BTreeMap::new(), &BTreeMap::new(), None, at(0))
    }

    #[test]
    fn a_person_may_call_it_worse_and_the_clock_of_that_class_runs() {
        let measured = quiet();
        assert_eq!(measured.severity, Severity::None);
        let word = word(Severity::High, Severity::None);
        let first = measured.clone().overruled(&word, None, at(0));
        assert_eq!(first.severity, Severity::High);
        assert_eq!(first.deadline, Some(at(300)));
        let later = measured.overruled(&word, Some(&first), at(60));
        assert_eq!(later.deadline, Some(at(300)), "the clock goes on");
        assert!(later.because.first().unwrap().as_str().contains("measured NONE"));
    }

    #[test]
    fn a_rule_that_is_met_raises_the_class_and_never_lowers_it() {
        let raised = quiet().raised(("api_error_rate", Severity::High), None, at(0));
        assert_eq!((raised.severity, raised.deadline), (Severity::High, Some(at(300))));
        assert_eq!(raised.because.first().unwrap().as_str(), "HIGH by rule api_error_rate");
        let same = raised.clone().raised(("p95", Severity::Medium), Some(&raised), at(9));
        assert_eq!((same.severity, same.deadline), (Severity::High, Some(at(300))));
    }

    #[test]
    fn a_word_that_made_less_of_it_ends_when_it_gets_worse() {
        let word = word(Severity::Low, Severity::Medium);
        assert_eq!(word.class(Severity::Medium), Severity::Low);
        assert_eq!(word.class(Severity::Low), Severity::Low);
        assert_eq!(word.class(Severity::High), Severity::High);
        assert_eq!(word.class(Severity::Critical), Severity::Critical);
    }

    #[test]
    fn a_word_that_made_more_of_it_holds_when_it_gets_better() {
        let word = word(Severity::High, Severity::Medium);
        assert_eq!(word.class(Severity::None), Severity::High);
        assert_eq!(word.class(Severity::Critical), Severity::Critical);
    }
}
