//! Somebody or something says that a rollback is wanted, or that something is wrong (P-79, P-08,
//! M-22): on the command line, or at the endpoint of `triggers:`.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::Entry;
use super::ids::{CommandId, Time};
use super::severity::Severity;
use super::situation::Situation;
use super::trigger::TriggerReason;

/// Calls that are kept.
const KEPT: usize = 16;

/// Where a call comes from (P-79).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    /// A person.
    #[default]
    Manual,
    /// A rule or a monitoring system.
    Automatic,
    /// A deploy pipeline that failed.
    External,
    /// The deploy of another repository, such as the frontend's.
    CrossRepository,
}

impl TriggerKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Manual, Self::Automatic, Self::External, Self::CrossRepository];

    /// As it is written: `cross_repository`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
            Self::External => "external",
            Self::CrossRepository => "cross_repository",
        }
    }
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerCall {
    /// From where.
    pub kind: TriggerKind,
    /// What it is about: one alert of one name is one matter.
    pub name: SafeText,
    /// Why, as one of a closed list.
    pub reason: TriggerReason,
    /// How bad they say it is.
    pub severity: Severity,
    /// The deploy it is about: a job or a version.
    pub deployment: SafeText,
    /// One line for people.
    pub message: SafeText,
    /// Whether a rollback is wanted; else people are told, and that is all.
    pub rollback: bool,
    /// Whether they say that it is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// A call that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerCard {
    /// When.
    pub at: Time,
    /// Its id: a repeated one is the same call.
    pub id: CommandId,
    /// Who: a person, or `trigger NAME`.
    pub by: SafeText,
    /// What was said.
    pub call: TriggerCall,
}

impl TriggerCall {
    /// One line: `external api: deploy of v2.5.0 failed`.
    pub fn line(&self) -> String {
        let what = if self.over {
            "says that it is over"
        } else if self.rollback {
            "wants a rollback"
        } else {
            "says"
        };
        format!("{} {} {what}: {}", self.kind.name(), self.name, self.message)
    }
}

impl Situation {
    /// Folds in a call.
    pub(super) fn trigger_called(&mut self, id: &CommandId, call: &TriggerCall, entry: &Entry) {
        let by = entry.author.name.clone();
        self.moment(entry.at, &format!("{by}: {}", call.line()));
        let card = TriggerCard { at: entry.at, id: id.clone(), by, call: call.clone() };
        super::fold::bounded(&mut self.triggers, card, KEPT);
    }

    /// The last call for a rollback since the incident was opened, or within the five minutes
    /// before it.
    pub fn called_for(&self) -> Option<&TriggerCard> {
        let opened = self.incident.as_ref()?.opened_at - chrono::Duration::minutes(5);
        let calls = self.triggers.iter().rev();
        calls.filter(|card| card.at >= opened).find(|card| card.call.rollback && !card.call.over)
    }
}
