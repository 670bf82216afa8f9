//! What a person may ask.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::guide::Deed;
use super::hold::HoldPart;
use super::ids::{CheckId, Digest, NodeId, PointId, RunId, StepId, Time};
use super::plan::Level;
use super::severity::Severity;
use super::tree::Answer;

/// What a person asks. Each names the facts it rests on; Abort, Pause, Hold, Unhold, Note and
/// Detach rest on none and are never stale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Make a plan.
    Plan {
        /// The level.
        level: Level,
        /// The restore point; without one, the last good.
        target: Option<PointId>,
    },
    /// Run the plan with this digest.
    Approve {
        /// What was read and approved.
        plan: Digest,
        /// The lead's term the approver believes to hold.
        lead: u64,
        /// Why, for the history line.
        reason: SafeText,
        /// Minutes of data whose loss is accepted beforehand; without it the run asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accept_loss: Option<u64>,
    },
    /// Say what becomes of a copy that is up beside the live data.
    Choose {
        /// The run.
        run: RunId,
        /// The step that asks.
        step: StepId,
        /// What.
        choice: super::loss::Choice,
    },
    /// Answer a node of the tree.
    Answer {
        /// The node.
        node: NodeId,
        /// The assessment that was on the screen.
        assessment: u64,
        /// Yes, no, or not known.
        answer: Answer,
    },
    /// Say how bad it is, whatever is measured; without a class, take that back.
    Overrule {
        /// The class.
        class: Option<Severity>,
        /// The assessment that was on the screen.
        assessment: u64,
        /// Why.
        reason: SafeText,
    },
    /// Try a step again.
    Retry {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// The attempt that was on the screen.
        attempt: u32,
        /// Why.
        reason: SafeText,
    },
    /// Leave a step out.
    Skip {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// The attempt that was on the screen.
        attempt: u32,
        /// Why.
        reason: SafeText,
    },
    /// The step was done by hand.
    MarkDone {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// The attempt that was on the screen.
        attempt: u32,
        /// Why.
        reason: SafeText,
    },
    /// Go on with a paused run.
    Resume {
        /// The run.
        run: RunId,
    },
    /// Stop a run, in one of three ways.
    Abort {
        /// How.
        verb: Abort,
    },
    /// Start no further step.
    Pause,
    /// Write a note into the timeline.
    Note {
        /// The note.
        text: SafeText,
    },
    /// Become the one who may start things.
    TakeLead {
        /// Why.
        reason: SafeText,
    },
    /// Give the lead to the one who asked for it.
    HandLead {
        /// Their uid, as attested.
        uid: u32,
        /// Their name, as it was on the screen.
        name: SafeText,
        /// What they should know.
        note: SafeText,
    },
    /// Leave; a run goes on.
    Detach,
    /// End the watch window now, with the verdict that stands.
    EndWatch {
        /// The run.
        run: RunId,
    },
    /// Close the incident.
    Close,
    /// Stop the bleeding: hold these parts until they are lifted.
    Hold {
        /// Which.
        parts: Vec<HoldPart>,
        /// Why.
        reason: SafeText,
    },
    /// Lift holds.
    Unhold {
        /// Which.
        parts: Vec<HoldPart>,
        /// Why.
        reason: SafeText,
    },
    /// Something left over is gone, or stays as it is; a person says so.
    Release {
        /// Its whole name.
        name: SafeText,
        /// Why.
        reason: SafeText,
    },
    /// Somebody else looks after something left over from now on.
    HandOver {
        /// Its whole name.
        name: SafeText,
        /// To whom.
        to: SafeText,
        /// Why.
        reason: SafeText,
    },
    /// Tell of a deploy that begins, is done, or failed.
    Deploy {
        /// What is told.
        report: super::deploys::DeployReport,
    },
    /// Never trim a restore point.
    Pin {
        /// Which.
        point: PointId,
        /// Why.
        reason: SafeText,
    },
    /// Let a pinned point be trimmed again.
    Unpin {
        /// Which.
        point: PointId,
    },
    /// Make a plan that takes a finished run back.
    PlanUndo {
        /// Which.
        run: RunId,
    },
    /// Say when the incident really began: T+ and its duration count from there.
    Since {
        /// When.
        at: Time,
        /// How that is known.
        reason: SafeText,
    },
    /// Leave a check, the checks of a service, or all of them out of the judgement for a while.
    Mute {
        /// A check, a service, or `all`.
        name: SafeText,
        /// When it ends by itself.
        until: Time,
        /// Why.
        reason: SafeText,
    },
    /// End a mute early.
    Unmute {
        /// As it was named.
        name: SafeText,
    },
    /// Change values of a check for a while (W-45).
    Override {
        /// The check.
        check: CheckId,
        /// Key and value, as a configuration writes them.
        set: Vec<(String, String)>,
        /// When it reverts by itself.
        until: Time,
        /// Why.
        reason: SafeText,
    },
    /// Keep what is known in one archive, or only count what would be taken out of it.
    Export {
        /// Whether it is written.
        write: bool,
    },
    /// Take back what was changed of a check.
    Unset {
        /// The check.
        check: CheckId,
    },
    /// Say that one looks after what was announced.
    Acknowledge {
        /// What: `INC-0142`; everything that is open when empty.
        thread: SafeText,
    },
    /// Say that a rollback is wanted, or that something is wrong.
    Trigger {
        /// What is said.
        call: Box<super::trigger_call::TriggerCall>,
    },
    /// Keep a rule from doing what it is about to do.
    Veto {
        /// The rule, as it was on the screen.
        rule: SafeText,
        /// Why.
        reason: SafeText,
    },
    /// Nothing starts by rules until then; without a time, that ends.
    Freeze {
        /// Until when.
        until: Option<Time>,
        /// Why.
        reason: SafeText,
    },
    /// An item of the checklist after a rollback is done, or is not done after all.
    Tick {
        /// Its number.
        item: u8,
        /// Whether it is done.
        done: bool,
        /// What was done or found.
        note: SafeText,
    },
    /// Those whose data it is know what going back would lose (S-31).
    Inform {
        /// Who, and what they were told.
        note: SafeText,
    },
    /// Do a step of a guided procedure, or say that it was done.
    Guide {
        /// The procedure.
        guide: SafeText,
        /// The step, from 1.
        step: u8,
        /// Of the procedure as it was on the screen.
        digest: Digest,
        /// What is done.
        deed: Deed,
    },
    /// Let nobody deploy or roll back for a while.
    Lock {
        /// When it ends by itself.
        until: Time,
        /// Why.
        reason: SafeText,
        /// Whether it is taken from somebody whose time is not over.
        force: bool,
    },
    /// Give a lock back.
    Unlock {
        /// Whether it is the emergency stop.
        emergency: bool,
        /// Why.
        reason: SafeText,
        /// Whether it may be somebody else's.
        force: bool,
    },
    /// Stop everything, and let nothing start until a person releases it.
    EmergencyStop {
        /// Whether what runs is killed at once; otherwise it is asked to end, and has its grace.
        hard: bool,
        /// Why.
        reason: SafeText,
    },
}

impl Command {
    /// Whether everyone attached may give it and it can never be stale (frozen as protocol 1).
    pub fn is_open(&self) -> bool {
        match self {
            Self::Abort { .. }
            | Self::Pause
            | Self::Note { .. }
            | Self::Detach
            | Self::Hold { .. }
            | Self::Unhold { .. }
            | Self::EmergencyStop { .. }
            | Self::Veto { .. } => true,
            Self::Plan { .. }
            | Self::Approve { .. }
            | Self::Choose { .. }
            | Self::Answer { .. }
            | Self::Overrule { .. }
            | Self::Retry { .. }
            | Self::Skip { .. }
            | Self::MarkDone { .. }
            | Self::Resume { .. }
            | Self::TakeLead { .. }
            | Self::HandLead { .. }
            | Self::EndWatch { .. }
            | Self::Close
            | Self::Deploy { .. }
            | Self::Pin { .. }
            | Self::Unpin { .. }
            | Self::PlanUndo { .. }
            | Self::Release { .. }
            | Self::HandOver { .. }
            | Self::Since { .. }
            | Self::Mute { .. }
            | Self::Unmute { .. }
            | Self::Override { .. }
            | Self::Tick { .. }
            | Self::Inform { .. }
            | Self::Guide { .. }
            | Self::Acknowledge { .. }
            | Self::Trigger { .. }
            | Self::Freeze { .. }
            | Self::Export { .. }
            | Self::Lock { .. }
            | Self::Unlock { .. }
            | Self::Unset { .. } => false,
        }
    }

    /// Whether it changes only what is judged or noted, not what runs: no lead is needed, none is
    /// taken.
    pub fn only_judges(&self) -> bool {
        matches!(
            self,
            Self::Since { .. }
                | Self::Mute { .. }
                | Self::Unmute { .. }
                | Self::Override { .. }
                | Self::Unset { .. }
                | Self::Tick { .. }
                | Self::Inform { .. }
                | Self::Guide { deed: Deed::Look | Deed::Done { .. }, .. }
                | Self::Acknowledge { .. }
                | Self::Trigger { .. }
                | Self::Freeze { .. }
                | Self::Export { .. }
                | Self::Lock { .. }
                | Self::Unlock { .. }
        )
    }
}

/// The three ways to stop a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abort {
    /// Stop after the running step.
    Stop,
    /// End the running step now, look where it stands, stop.
    Now,
    /// Stop, then take back what was done.
    Undo,
}

impl Abort {
    /// What a person reads: `stop after the running step`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Stop => "stop after the running step",
            Self::Now => "end the running step now",
            Self::Undo => "stop and take back what was done",
        }
    }
}
