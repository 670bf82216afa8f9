//! What happened, as the journal tells it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::criteria::Criterion;
use super::entry::Author;
use super::ids::{CheckId, Digest, IncidentId, JournalId, RunId, StepId, Time};
use super::plan::{Level, LevelCard, Plan, Preflight};
use super::reading::{Reason, Status};
use super::restore_point::RestorePoint;
use super::situation::Situation;
use super::tree::{Assessment, HelpTest};
use super::watch::Verdict;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An engine took the lease.
    EngineStarted {
        /// This journal.
        journal: JournalId,
        /// The engine's process id.
        pid: u32,
        /// Its host.
        host: SafeText,
        /// The boot it runs under: another one voids every pid.
        boot: SafeText,
        /// Its version.
        version: String,
        /// The environment's name.
        environment: SafeText,
        /// Whether it is production.
        production: bool,
        /// Digest of the configuration it runs on.
        config: Digest,
    },
    /// The engine ended on purpose.
    EngineStopped {
        /// Why.
        why: SafeText,
    },
    /// The whole situation, so that a reader need not go further back.
    Carried {
        /// The fold so far.
        situation: Box<Situation>,
    },
    /// A check's state changed.
    CheckChanged {
        /// The check.
        check: CheckId,
        /// To this.
        status: Status,
        /// Why it is unknown, when it is.
        reason: Option<Reason>,
        /// What was seen.
        note: SafeText,
        /// When the first reading of this state was taken.
        since: Time,
        /// Users feel it.
        critical: bool,
    },
    /// The assessment changed in what it says, not in its numbers.
    Assessed {
        /// The assessment.
        assessment: Box<Assessment>,
    },
    /// What changed lately: deploys and configuration.
    ChangeSeen {
        /// The change.
        change: Change,
    },
    /// Whether a rollback would help.
    HelpTested {
        /// The result.
        test: HelpTest,
    },
    /// What can be gone back to.
    PointsSeen {
        /// Newest first.
        points: Vec<RestorePoint>,
    },
    /// How the levels stand.
    LevelsJudged {
        /// Levels 1, 2, 3.
        cards: Vec<LevelCard>,
    },
    /// An incident began.
    IncidentOpened {
        /// Its number.
        incident: IncidentId,
        /// Why.
        why: SafeText,
    },
    /// An incident ended.
    IncidentClosed {
        /// Why.
        why: SafeText,
    },
    /// The one who may start things changed.
    LeadTaken {
        /// Who.
        who: Author,
        /// Counts up with each change.
        term: u64,
    },
    /// The lead's socket closed.
    LeadLost,
    /// A severity clock ran out.
    SeverityDeadline,
    /// A plan was made.
    PlanMade {
        /// The plan.
        plan: Box<Plan>,
        /// Who asked.
        by: SafeText,
        /// The preflight lines.
        preflight: Vec<Preflight>,
    },
    /// A plan could not be made.
    PlanRefused {
        /// The level that was asked.
        level: Level,
        /// Why, and what to do next.
        why: SafeText,
        /// The level that is offered instead.
        offer: Option<Level>,
    },
    /// A preflight answer changed while the plan was open.
    PreflightChanged {
        /// The plan.
        plan: Digest,
        /// All lines.
        preflight: Vec<Preflight>,
    },
    /// A run began.
    RunStarted {
        /// Its name.
        run: RunId,
        /// The approved plan.
        plan: Digest,
        /// Who approved.
        by: SafeText,
        /// Why.
        reason: SafeText,
    },
    /// Written before the effect.
    StepStarted {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// Counts from 1.
        attempt: u32,
        /// What the target is told, so that it can tell repeats.
        effect: String,
        /// The boot under which it began.
        boot: SafeText,
    },
    /// A cut-off step was looked at.
    StepLooked {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// What its effect looks like.
        standing: Standing,
    },
    /// Written after the proof.
    StepEnded {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// How.
        end: StepEnd,
        /// How long it took.
        took: Duration,
        /// What it left to know: connections cut, files kept.
        note: SafeText,
    },
    /// The run will start no further step until resumed.
    Paused,
    /// It goes on.
    Resumed,
    /// The success criteria, as measured (S-14).
    CriteriaMeasured {
        /// The run.
        run: RunId,
        /// All of them.
        criteria: Vec<Criterion>,
    },
    /// The watch window opened.
    WatchOpened {
        /// The run.
        run: RunId,
        /// How long it is.
        window: Duration,
    },
    /// The watch window ended.
    WatchEnded {
        /// The run.
        run: RunId,
        /// The verdict on the rollback.
        verdict: Verdict,
        /// The numbers behind it.
        why: SafeText,
        /// How long the window counted.
        counted: Duration,
    },
    /// The run ended.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// From confirmation to here or to traffic being good, whichever was first.
        took: Duration,
        /// What to do next.
        why: SafeText,
        /// The line of S-74.
        history: String,
    },
    /// The run waits for a person.
    NeedsPerson {
        /// The run.
        run: RunId,
        /// The step it is about.
        step: Option<StepId>,
        /// Why, and what can be done.
        why: SafeText,
        /// The next level, when that is what is offered.
        offer: Option<Level>,
    },
    /// Something temporary was left.
    LeftoverNoted {
        /// It.
        leftover: Leftover,
    },
    /// It was released.
    LeftoverReleased {
        /// Its name.
        name: SafeText,
        /// By whom.
        by: SafeText,
    },
    /// A note.
    Noted {
        /// Whose.
        by: SafeText,
        /// The text.
        text: SafeText,
    },
    /// The engine met something it wants people to know.
    Trouble {
        /// What, and what to do next.
        text: SafeText,
    },
}

/// What a step's effect looks like now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is there.
    Done,
    /// It is not.
    NotDone,
    /// Some of it is.
    Partly(SafeText),
    /// It cannot be told.
    CannotTell(SafeText),
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// Proved.
    Done,
    /// It said no, and its effect is not there.
    Failed(SafeText),
    /// Left out, by whom and why.
    Skipped(SafeText),
    /// Nobody can vouch for it.
    Unknown(SafeText),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps proved, and the verdict is not against it.
    Done,
    /// A step failed, or a criterion did.
    Failed,
    /// Stopped by a person.
    Aborted,
    /// Stopped by a person, and what was done was taken back.
    Undone,
    /// Nobody can vouch for it.
    Unknown,
}

impl Outcome {
    /// `done`, `failed`, `aborted`, `undone`, `unknown`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Undone => "undone",
            Self::Unknown => "unknown",
        }
    }
}

/// A deploy or a change of configuration: the first suspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Time,
    /// The version it brought.
    pub version: SafeText,
    /// The colour it went to.
    pub color: Option<super::ids::Color>,
    /// Who.
    pub by: SafeText,
    /// Where it is recorded: `ci#4711`.
    pub reference: SafeText,
    /// The schema it brought.
    pub schema: Option<i64>,
}

/// Something temporary that must be released or handed over before the incident closes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leftover {
    /// Its name: `green stopped`.
    pub name: SafeText,
    /// Who owns it.
    pub owner: SafeText,
    /// The command that releases it.
    pub undo: SafeText,
    /// When it should be gone.
    pub due: Option<Time>,
}
