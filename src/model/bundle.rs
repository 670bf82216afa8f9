//! What the journal knows of the bundles of an incident.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::Event;
use super::ids::{Digest, IncidentId, RunId, Time};
use super::incident::{Run, StepPhase};
use super::situation::Situation;

/// Bundles that are remembered.
const KEPT: usize = 16;
/// A run that ended longer ago was another engine's to keep.
const LATE: chrono::Duration = chrono::Duration::hours(1);

/// Why a bundle is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A person asked.
    Asked,
    /// Evidence was kept before the first step that destroys.
    Preserved,
    /// A run ended.
    Ended,
}

/// A bundle, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleCard {
    /// When it was done.
    #[serde(default)]
    pub at: Time,
    /// Why it was made.
    pub occasion: Occasion,
    /// The incident.
    pub incident: Option<IncidentId>,
    /// The run.
    pub run: Option<RunId>,
    /// The file.
    pub path: SafeText,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether something is missing in it.
    pub partial: bool,
    /// What is missing, or why there is no bundle.
    pub why: SafeText,
    /// How many secrets were taken out.
    pub redactions: u64,
    /// Whether there is one.
    pub made: bool,
}

impl BundleCard {
    /// What a person reads: `bundle incident-0007-….tar.zst, 1.2 MB`.
    pub fn words(&self) -> String {
        let name = self.path.as_str().rsplit('/').next().unwrap_or_default();
        if !self.made {
            return format!("no bundle: {}", self.why);
        }
        #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
        let size = self.bytes as f64 / 1e6;
        let partial = if self.partial { "; PARTIAL: " } else { "" };
        let why = if self.partial { self.why.as_str() } else { "" };
        let taken = self.redactions;
        format!("bundle {name}, {size:.1} MB, {taken} secrets taken out{partial}{why}")
    }
}

impl Situation {
    /// Folds in a bundle; every other event is left to its own part.
    pub(super) fn bundle_event(&mut self, event: &Event, at: Time) {
        if let Event::BundleMade { bundle } = event {
            let card = BundleCard { at, ..(**bundle).clone() };
            self.moment(at, &card.words());
            super::fold::bounded(&mut self.bundles, card, KEPT);
        }
    }
}

/// The bundle that is to be made by itself next: after evidence was kept, and when a run ended.
pub fn wanted(situation: &Situation, now: Time) -> Option<(Occasion, RunId)> {
    let run = situation.run.as_ref()?;
    let has = |occasion: Occasion| {
        situation
            .bundles
            .iter()
            .any(|card| card.occasion == occasion && card.run.as_ref() == Some(&run.id))
    };
    if let Some(ended) = &run.ended {
        let soon = now - ended.at < LATE;
        return (soon && !has(Occasion::Ended)).then(|| (Occasion::Ended, run.id.clone()));
    }
    (preserved(run) && !has(Occasion::Preserved)).then(|| (Occasion::Preserved, run.id.clone()))
}

/// Whether evidence of the run is kept.
fn preserved(run: &Run) -> bool {
    let step = run.plan.core.steps.iter().find(|step| step.action.get("preserve").is_some());
    let state = step.and_then(|step| run.step(&step.id));
    state.is_some_and(|state| state.phase == StepPhase::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Outcome, StepEnd};
    use crate::model::sample::{Tape, at, level_one, run_id};
    use std::time::Duration;

    fn card(occasion: Occasion) -> Event {
        Event::BundleMade {
            bundle: Box::new(BundleCard {
                at: at(1),
                occasion,
                incident: Some(1),
                run: Some(run_id()),
                path: "/srv/bundles/incident-0001.tar.zst".into(),
                sha256: Digest::default(),
                bytes: 1_234_567,
                partial: false,
                why: SafeText::default(),
                redactions: 2,
                made: true,
            }),
        }
    }

    #[test]
    fn evidence_and_the_end_of_a_run_want_a_bundle_once_each() {
        let mut tape = Tape::new();
        let plan = Box::new(level_one());
        let step = plan.core.steps.iter().find(|step| step.action.get("preserve").is_some());
        let step = step.unwrap().id.clone();
        let digest = plan.digest();
        tape.event(Event::PlanMade { plan, by: "alice".into(), preflight: Vec::new() });
        let (by, reason) = ("alice".into(), "errors".into());
        tape.event(Event::RunStarted {
            run: run_id(),
            plan: digest,
            by,
            reason,
            accept_loss: None,
        });
        let wants = |tape: &Tape| wanted(&tape.situation, tape.situation.at.unwrap());
        assert_eq!(wants(&tape), None);
        tape.event(Event::StepStarted {
            run: run_id(),
            step: step.clone(),
            attempt: 1,
            effect: "e".into(),
            boot: "b".into(),
        });
        assert_eq!(wants(&tape), None);
        tape.event(Event::StepEnded {
            run: run_id(),
            step,
            attempt: 1,
            end: StepEnd::Done,
            took: Duration::ZERO,
            note: SafeText::default(),
        });
        assert_eq!(wants(&tape), Some((Occasion::Preserved, run_id())));
        tape.event(card(Occasion::Preserved));
        assert_eq!(wants(&tape), None);
        let (outcome, took) = (Outcome::Done, Duration::ZERO);
        let (why, history) = ("good".into(), String::new());
        tape.event(Event::RunEnded { run: run_id(), outcome, took, why, history });
        assert_eq!(wants(&tape), Some((Occasion::Ended, run_id())));
        let later = tape.situation.at.unwrap() + chrono::Duration::hours(2);
        assert_eq!(wanted(&tape.situation, later), None);
        tape.event(card(Occasion::Ended));
        assert_eq!(wants(&tape), None);
        let last = tape.situation.timeline.last().unwrap();
        assert_eq!(last.text.as_str(), "bundle incident-0001.tar.zst, 1.2 MB, 2 secrets taken out");
    }
}
