//! An incident and the run inside it, as the fold sees them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::criteria::Criterion;
use super::entry::{Abort, Outcome, Standing};
use super::ids::{Digest, Epoch, IncidentId, RunId, StepId, Time};
use super::plan::{Level, Plan};
use super::trigger::Trigger;
use super::watch::Verdict;

/// What is journaled from the first alarm to the closing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// When it was opened.
    pub opened_at: Time,
    /// When it really began, as a person corrected it.
    #[serde(default)]
    pub began: Option<Time>,
    /// Why.
    pub why: SafeText,
    /// How many runs it has seen.
    pub runs: u32,
    /// Who says that those whose data it is know what going back would lose (S-31), and what was
    /// told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub informed: Option<super::checklist::Tick>,
}

impl Incident {
    /// When it began: T+ and its duration count from here.
    pub fn began(&self) -> Time {
        self.began.unwrap_or(self.opened_at)
    }
}

/// One execution of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// What runs.
    pub plan: Plan,
    /// What was approved.
    pub digest: Digest,
    /// Who approved.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// When it was confirmed: the clock of the objective starts here.
    pub started_at: Time,
    /// Forward steps, then undo steps, in the plan's order.
    pub steps: Vec<StepState>,
    /// No further step starts until resumed.
    pub paused: bool,
    /// How it is being stopped.
    pub abort: Option<Abort>,
    /// What it waits for a person for.
    pub waiting: Option<Waiting>,
    /// The success criteria as measured.
    pub criteria: Vec<Criterion>,
    /// The watch window.
    pub watch: Option<Watch>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Minutes of data whose loss was accepted with the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_loss: Option<u64>,
    /// What a swap would lose, once the copy is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Box<super::loss::Loss>>,
    /// What was chosen for the copy, and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<(super::loss::Choice, SafeText)>,
    /// What set it off; nothing of it was kept by older programs.
    #[serde(default)]
    pub trigger: Option<Box<Trigger>>,
    /// The boot under which it was begun, or a person last said that it may go on.
    #[serde(default)]
    pub boot: SafeText,
}

/// Why a run waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The step it is about.
    pub step: Option<StepId>,
    /// Why, and what can be done.
    pub why: SafeText,
    /// The next level, when that is offered.
    pub offer: Option<Level>,
}

/// The monitored time after a rollback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// When it opened: the clock of the objective stopped here.
    pub opened_at: Time,
    /// How long it is; stale time extends it.
    pub window: Duration,
    /// Its verdict, when it has ended.
    pub verdict: Option<Verdict>,
    /// The numbers behind it.
    pub why: SafeText,
    /// A person has read a verdict that is not good and lets the run end with it.
    #[serde(default)]
    pub accepted: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Time,
    /// How.
    pub outcome: Outcome,
    /// From confirmation to traffic being good, or to the end when it never was.
    pub took: Duration,
    /// What to do next.
    pub why: SafeText,
    /// The line of S-74.
    pub history: String,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// Its name.
    pub id: StepId,
    /// Whether it takes another step back.
    pub undo: bool,
    /// Where it stands.
    pub phase: StepPhase,
    /// Counts from 1; 0 before the first.
    pub attempt: u32,
    /// When the last attempt began.
    pub started_at: Option<Time>,
    /// When its end was written: never before its effect was there.
    #[serde(default)]
    pub ended_at: Option<Time>,
    /// Under which lease it was begun or last looked at.
    pub epoch: Epoch,
    /// What the last look said, when the attempt was cut off.
    pub looked: Option<Standing>,
    /// When that look was.
    pub looked_at: Option<Time>,
    /// How long the last attempt took.
    pub took: Duration,
    /// What it left to know.
    pub note: SafeText,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPhase {
    /// Not begun.
    Waiting,
    /// Begun; its end is not recorded.
    Running,
    /// Proved.
    Done,
    /// It said no.
    Failed(SafeText),
    /// Left out.
    Skipped(SafeText),
    /// Nobody can vouch for it.
    Unknown(SafeText),
}

impl StepPhase {
    /// Whether what needs this step may begin.
    pub fn is_through(&self) -> bool {
        match self {
            Self::Done | Self::Skipped(_) => true,
            Self::Waiting | Self::Running | Self::Failed(_) | Self::Unknown(_) => false,
        }
    }
}

impl Run {
    /// Whether a person has left the live data where it is: nothing moves to the run's version.
    pub fn stays_beside(&self) -> bool {
        matches!(self.choice, Some((super::loss::Choice::Beside, _)))
    }

    /// A run that has just been approved.
    pub fn new(id: RunId, plan: Plan, by: SafeText, reason: SafeText, at: Time) -> Self {
        let state = |id: &StepId, undo| StepState {
            id: id.clone(),
            undo,
            phase: StepPhase::Waiting,
            attempt: 0,
            started_at: None,
            ended_at: None,
            epoch: 0,
            looked: None,
            looked_at: None,
            took: Duration::ZERO,
            note: SafeText::default(),
        };
        let forward = plan.core.steps.iter().map(|step| state(&step.id, false));
        let back = plan.core.undo.iter().map(|step| state(&step.id, true));
        let steps = forward.chain(back).collect();
        let digest = plan.digest();
        Self {
            id,
            plan,
            digest,
            by,
            reason,
            started_at: at,
            steps,
            paused: false,
            abort: None,
            waiting: None,
            criteria: Vec::new(),
            watch: None,
            ended: None,
            accept_loss: None,
            loss: None,
            choice: None,
            trigger: None,
            boot: SafeText::default(),
        }
    }

    /// The step that asks a person now, with nothing chosen yet.
    pub fn asks(&self) -> Option<&StepId> {
        let waiting = self.waiting.as_ref()?.step.as_ref()?;
        let asks = self.plan.step(waiting).is_some_and(|spec| spec.asks);
        (asks && self.choice.is_none()).then_some(waiting)
    }

    /// The state of a step.
    pub fn step(&self, id: &StepId) -> Option<&StepState> {
        self.steps.iter().find(|step| &step.id == id)
    }

    /// The state of a step, to change it.
    pub(super) fn step_mut(&mut self, id: &StepId) -> Option<&mut StepState> {
        self.steps.iter_mut().find(|step| &step.id == id)
    }

    /// A person has decided about this step: it is not waited for any more.
    pub(super) fn answered(&mut self, id: &StepId) {
        if self.waiting.as_ref().is_some_and(|waiting| waiting.step.as_ref() == Some(id)) {
            self.waiting = None;
        }
    }

    /// Going on with, or ending the window again after, a verdict that is not good lets the run
    /// end with it.
    pub(super) fn accept_verdict(&mut self) {
        let asked = self.waiting.as_ref().is_some_and(|waiting| waiting.step.is_none());
        let watch = self.watch.as_mut().filter(|watch| asked && watch.verdict.is_some());
        if let Some(watch) = watch {
            watch.accepted = true;
            self.waiting = None;
        }
    }

    /// The steps that are running by the journal.
    pub fn running(&self) -> impl Iterator<Item = &StepState> {
        self.steps.iter().filter(|step| step.phase == StepPhase::Running)
    }

    /// Where the run is, in the words of the header.
    pub fn state(&self) -> RunState {
        if let Some(ended) = &self.ended {
            return match ended.outcome {
                Outcome::Done => RunState::Stable,
                Outcome::Undone | Outcome::Aborted | Outcome::Failed | Outcome::Unknown => {
                    RunState::Closed
                }
            };
        }
        if self.waiting.is_some() && self.running().next().is_none() {
            RunState::WaitingForYou
        } else if self.abort.is_some() {
            RunState::Aborting
        } else if self.paused {
            RunState::Paused
        } else if self.watch.is_some() {
            RunState::Watching
        } else {
            RunState::Running
        }
    }
}

/// The states of a run that the header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Steps run.
    Running,
    /// No step starts until resumed.
    Paused,
    /// Being stopped.
    Aborting,
    /// Steps are through, the window is open.
    Watching,
    /// A person must decide.
    WaitingForYou,
    /// Ended well.
    Stable,
    /// Ended otherwise.
    Closed,
}

impl RunState {
    /// As the header shows it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Aborting => "ABORTING",
            Self::Watching => "WATCHING",
            Self::WaitingForYou => "WAITING FOR YOU",
            Self::Stable => "STABLE",
            Self::Closed => "CLOSED",
        }
    }
}
