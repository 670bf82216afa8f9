//! What a person may ask.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{Digest, NodeId, PointId, RunId, StepId};
use super::plan::Level;
use super::tree::Answer;

/// What a person asks. Each names the facts it rests on; Abort, Pause, Note and Detach rest on
/// none and are never stale.
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
    /// Leave; a run goes on.
    Detach,
    /// End the watch window now, with the verdict that stands.
    EndWatch {
        /// The run.
        run: RunId,
    },
    /// Close the incident.
    Close,
}

impl Command {
    /// Whether everyone attached may give it and it can never be stale (frozen as protocol 1).
    pub fn is_open(&self) -> bool {
        match self {
            Self::Abort { .. } | Self::Pause | Self::Note { .. } | Self::Detach => true,
            Self::Plan { .. }
            | Self::Approve { .. }
            | Self::Answer { .. }
            | Self::Retry { .. }
            | Self::Skip { .. }
            | Self::MarkDone { .. }
            | Self::Resume { .. }
            | Self::TakeLead { .. }
            | Self::EndWatch { .. }
            | Self::Close => false,
        }
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
