//! What set a rollback off (P-08): kept with its run, since what was thought then is not what is
//! thought when it has ended.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::plan::Plan;
use super::situation::Situation;
use super::tree::Answer;

/// Why a rollback was started, as one of a closed list: the question of the tree that was answered
/// with yes when it was confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TriggerReason {
    /// Node 1: services answer nothing.
    ServiceDown,
    /// Node 2: too many errors.
    ErrorRate,
    /// Node 3: too slow.
    PerformanceDegradation,
    /// Node 4: data is corrupt.
    DataCorruption,
    /// None of them: a person wanted it.
    #[default]
    Manual,
}

/// What set a rollback off, and what it was about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Why, as one of a closed list.
    pub reason: TriggerReason,
    /// The deploy that was taken back: its job where that is on record, else its version.
    pub deployment: SafeText,
    /// The version of that deploy.
    pub version: SafeText,
    /// The services that users feel: a level moves all of them.
    pub services: BTreeSet<String>,
}

impl Trigger {
    /// Of a run of `plan` that is confirmed now.
    pub fn of(situation: &Situation, plan: &Plan) -> Self {
        let from = &plan.core.from;
        let deploy = situation.changes.iter().find(|change| &change.version == from);
        let job = deploy.map(|change| &change.reference).filter(|job| !job.is_empty());
        let declared = &situation.judging.declared;
        let critical = situation.checks.iter().filter(|(_, card)| card.critical);
        Self {
            reason: reason(situation)
                .or_else(|| situation.called_for().map(|card| card.call.reason))
                .unwrap_or_default(),
            deployment: job.unwrap_or(from).clone(),
            version: from.clone(),
            services: critical
                .map(|(id, _)| declared.get(id).map_or(&id.0, |known| &known.service).clone())
                .collect(),
        }
    }

    /// Whether this was about that deploy: named by its job or by its version.
    pub fn is_about(&self, deployment: &str) -> bool {
        self.deployment.as_str() == deployment || self.version.as_str() == deployment
    }
}

/// The first question on the tree's path that was answered with yes.
fn reason(situation: &Situation) -> Option<TriggerReason> {
    let path = situation.assessment.as_ref().map(|known| known.path.as_slice());
    let mut yes = path.unwrap_or_default().iter().filter(|node| node.answer == Answer::Yes);
    yes.find_map(|node| match node.node.as_str() {
        "1" => Some(TriggerReason::ServiceDown),
        "2" => Some(TriggerReason::ErrorRate),
        "3" => Some(TriggerReason::PerformanceDegradation),
        "4" => Some(TriggerReason::DataCorruption),
        _ => None,
    })
}
