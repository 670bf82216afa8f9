//! What the journal says about one environment, at one place in it. `fold` makes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::{Author, Change, Leftover};
use super::fold_judge::Judging;
use super::hold::{HoldCard, HoldPart};
use super::ids::{CheckId, CommandId, Digest, Epoch, IncidentId, JournalId, NodeId, Seq, Time};
use super::incident::{Ended, Incident, Run};
use super::overrule::Overrule;
use super::plan::{Level, LevelCard, Plan, Preflight};
use super::reading::{Reason, Status};
use super::restore_point::RestorePoint;
use super::tree::{Answer, Assessment, BREACH, HelpTest, Said};

/// Everything the journal says about one environment, at one place in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Situation {
    /// The last entry folded in.
    pub seq: Seq,
    /// Its time.
    pub at: Option<Time>,
    /// The current lease.
    pub epoch: Epoch,
    /// This journal.
    pub journal: JournalId,
    /// The engine that holds the lease, or held it last.
    pub engine: Option<EngineCard>,
    /// The states of the checks.
    pub checks: BTreeMap<CheckId, CheckCard>,
    /// What is thought of it.
    pub assessment: Option<Assessment>,
    /// What people answered.
    pub said: BTreeMap<NodeId, Said>,
    /// What a person says of the severity.
    #[serde(default)]
    pub overrule: Option<Overrule>,
    /// The last deploys, newest first, at most 8.
    pub changes: Vec<Change>,
    /// Whether a rollback would help.
    pub help: Option<HelpTest>,
    /// What can be gone back to, newest first.
    pub points: Vec<RestorePoint>,
    /// How the levels stand.
    pub levels: Vec<LevelCard>,
    /// The open incident.
    pub incident: Option<Incident>,
    /// The number of the last incident.
    pub last_incident: IncidentId,
    /// Who may start things.
    pub lead: Option<Lead>,
    /// The plan on the table.
    pub plan: Option<OpenPlan>,
    /// The first of two words for a level that takes two people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<super::approval::Approval>,
    /// Why the last plan was refused.
    pub refused: Option<RefusedPlan>,
    /// The last run; it stays to be read until the next incident opens.
    pub run: Option<Run>,
    /// The last runs' ends, newest first, at most 32.
    pub history: Vec<PastRun>,
    /// What is temporarily changed.
    pub leftovers: Vec<Leftover>,
    /// The timeline for people, newest last, at most 200 lines.
    pub timeline: Vec<Moment>,
    /// Commands already answered, newest last, at most 256.
    pub answered: Vec<CommandId>,
    /// What the engine wants people to know, newest last, at most 8.
    pub troubles: Vec<Moment>,
    /// Who asks the lead for the lead, newest last, at most 8.
    #[serde(default)]
    pub lead_asked: Vec<LeadAsk>,
    /// Occasions of which people were told already, newest last, at most 64.
    #[serde(default)]
    pub told: Vec<String>,
    /// What people are to be told, and who was.
    #[serde(default)]
    pub outbox: Box<super::notice::Outbox>,
    /// Who or what said that a rollback is wanted or something is wrong, newest last, at most 16.
    #[serde(default)]
    pub triggers: Vec<super::trigger_call::TriggerCard>,
    /// Whether a newer program has written here: this reader must not command.
    pub newer: bool,
    /// Whether the running severity clock has run out.
    pub deadline_passed: bool,
    /// What is held, or is being held or lifted.
    #[serde(default)]
    pub holds: BTreeMap<HoldPart, HoldCard>,
    /// What deploys left: recorded points, pins, and what lies on the colours.
    #[serde(default)]
    pub deploys: super::deploys::Deploys,
    /// What was kept of incidents, newest last, at most 16.
    #[serde(default)]
    pub bundles: Vec<super::bundle::BundleCard>,
    /// What the judgement rests on beside the readings.
    #[serde(default)]
    pub judging: Box<Judging>,
    /// What rules did, propose, and told.
    #[serde(default)]
    pub rules: Box<super::rule::book::RuleBook>,
    /// What people ticked off after the last rollback.
    #[serde(default)]
    pub ticks: Box<super::checklist::Ticks>,
    /// What became of the steps of guided procedures, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guides: Vec<super::guide::GuideMark>,
    /// What keeps everyone from starting.
    #[serde(default, skip_serializing_if = "no_locks")]
    pub locks: Box<super::lock::Locks>,
}

/// The engine that holds the lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineCard {
    /// Process id.
    pub pid: u32,
    /// Host.
    pub host: SafeText,
    /// Boot id.
    pub boot: SafeText,
    /// Its program's version.
    pub version: String,
    /// The environment's name.
    pub environment: SafeText,
    /// Whether it is production.
    pub production: bool,
    /// Digest of its configuration.
    pub config: Digest,
    /// Since when.
    pub since: Time,
    /// Whether it ended on purpose.
    pub stopped: bool,
}

/// A check as the journal knows it: its state, not its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckCard {
    /// The state.
    pub status: Status,
    /// Why it is unknown.
    pub reason: Option<Reason>,
    /// Since when.
    pub since: Time,
    /// What was seen.
    pub note: SafeText,
    /// Users feel it.
    pub critical: bool,
}

impl CheckCard {
    /// Whether the check is switched off (`enabled: false`): neither good nor unknown, left out.
    pub fn off(&self) -> bool {
        self.status == Status::Unknown && self.reason == Some(Reason::Skipped) && !self.critical
    }
}

/// The one client that may start things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Who.
    pub who: Author,
    /// Counts up with each change.
    pub term: u64,
    /// When its socket closed, if it has.
    pub lost_at: Option<Time>,
}

/// Someone asks the lead for the lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadAsk {
    /// When.
    pub at: Time,
    /// Who.
    pub who: Author,
    /// Why.
    pub reason: SafeText,
}

/// The plan on the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenPlan {
    /// It.
    pub plan: Plan,
    /// What an approval names.
    pub digest: Digest,
    /// Who asked for it.
    pub by: SafeText,
    /// What was looked at beforehand.
    pub preflight: Vec<Preflight>,
}

/// Why a plan could not be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedPlan {
    /// When.
    pub at: Time,
    /// The level that was asked.
    pub level: Level,
    /// Why.
    pub why: SafeText,
    /// What is offered instead.
    pub offer: Option<Level>,
}

/// A run that is over, for the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRun {
    /// The run.
    pub run: super::ids::RunId,
    /// Its incident.
    pub incident: IncidentId,
    /// Its level.
    pub level: Level,
    /// The versions.
    pub from: SafeText,
    /// Where it went.
    pub to: SafeText,
    /// Who approved it.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// How it ended.
    pub ended: Ended,
    /// When the incident began, as far as a person knows.
    #[serde(default)]
    pub began: Option<Time>,
    /// How long each step took, for the next estimate: action name and time.
    pub steps: Vec<(String, std::time::Duration)>,
    /// What would take it back; only the last run keeps it.
    #[serde(default)]
    pub back: Option<Box<super::way_back::WayBack>>,
    /// What set it off; nothing of it was kept by older programs.
    #[serde(default)]
    pub trigger: Option<Box<super::trigger::Trigger>>,
    /// Whether the copy was left beside the live data: then nothing moved to `to`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
}

/// What begins the reason of a run that was a drill.
pub const DRILL: &str = "drill: ";

impl Situation {
    /// The last drill of a level that is on record.
    pub fn last_drill(&self, level: Level) -> Option<&PastRun> {
        let drill = |past: &&PastRun| past.reason.as_str().starts_with(DRILL);
        self.history.iter().filter(drill).find(|past| past.level == level)
    }
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// What.
    pub text: SafeText,
}

impl Situation {
    /// The environment's name, when an engine has said it.
    pub fn environment(&self) -> &str {
        self.engine.as_ref().map_or("", |engine| engine.environment.as_str())
    }

    /// Whether the environment is production; until an engine has said, it is.
    pub fn production(&self) -> bool {
        self.engine.as_ref().is_none_or(|engine| engine.production)
    }

    /// The run that is not over yet.
    pub fn open_run(&self) -> Option<&Run> {
        self.run.as_ref().filter(|run| run.ended.is_none())
    }

    /// Who reported a breach that nobody has released yet: nothing may start, and only another
    /// uid may answer no (S-53).
    pub fn breach(&self) -> Option<&Said> {
        self.said.get(&NodeId::from(BREACH)).filter(|said| said.answer == Answer::Yes)
    }
}

#[expect(clippy::borrowed_box, reason = "it is what serde gives")]
fn no_locks(locks: &Box<super::lock::Locks>) -> bool {
    locks.is_empty()
}

#[cfg(test)]
mod tests;
