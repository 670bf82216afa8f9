//! What events tell of: how a step stands and ended, how a run ended, what changed, what is left.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{Color, Time};
use super::leftover::About;

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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Time,
    /// The version it brought.
    pub version: SafeText,
    /// The colour it went to.
    pub color: Option<Color>,
    /// Who.
    pub by: SafeText,
    /// Where it is recorded: `ci#4711`.
    pub reference: SafeText,
    /// The schema it brought.
    pub schema: Option<i64>,
    /// How far it is; what was written before this was known is done.
    #[serde(default)]
    pub state: super::deploys::ChangeState,
    /// A version, or the configuration of one.
    #[serde(default)]
    pub kind: super::deploys::ChangeKind,
    /// When its end was reported.
    #[serde(default)]
    pub ended_at: Option<Time>,
    /// `name@sha256:…`, one per service.
    #[serde(default)]
    pub images: Vec<SafeText>,
    /// Digest of the configuration it brought.
    #[serde(default)]
    pub config: Option<SafeText>,
    /// What it is known from: a report, a file, or what a look found.
    #[serde(default)]
    pub evidence: SafeText,
}

/// Something temporary that must be released or handed over before the incident closes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leftover {
    /// Its name: `green stopped`.
    pub name: SafeText,
    /// Who owns it.
    pub owner: SafeText,
    /// The command that releases it.
    pub undo: SafeText,
    /// When it should be gone.
    pub due: Option<Time>,
    /// Since when; the fold fills it in.
    #[serde(default)]
    pub since: Option<Time>,
    /// What a look can tell about it; nothing where no look can.
    #[serde(default)]
    pub about: Option<About>,
    /// Who looks after it beyond the incident.
    #[serde(default)]
    pub handed_to: Option<SafeText>,
}
