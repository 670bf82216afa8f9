//! What the journal says about one environment, at one place in it. `fold` makes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::{Author, Change, Leftover};
use super::ids::{CheckId, CommandId, Digest, Epoch, IncidentId, JournalId, NodeId, Seq, Time};
use super::incident::{Ended, Incident, Run};
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
    /// Whether a newer program has written here: this reader must not command.
    pub newer: bool,
    /// Whether the running severity clock has run out.
    pub deadline_passed: bool,
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
    /// How long each step took, for the next estimate: action name and time.
    pub steps: Vec<(String, std::time::Duration)>,
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

#[cfg(test)]
mod tests;
