//! What is true only now: kept in the samples, never in the journal, gone without loss.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{CheckId, StepId, Time};
use super::plan::PlanFace;
use super::signal::Signal;
use super::watch::Verdict;

/// The engine's last word on everything that moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// When it was written: the engine's heartbeat.
    pub at: Time,
    /// The signals with their numbers.
    pub signals: BTreeMap<String, Signal>,
    /// How far the running steps are.
    pub steps: BTreeMap<StepId, LiveStep>,
    /// The watch window's numbers.
    pub watch: Option<LiveWatch>,
    /// Who is attached.
    pub clients: Vec<ClientCard>,
    /// The open plan's face, looked at anew.
    pub face: Option<PlanFace>,
    /// Log lines lost before disk, per source; anything above nothing stays a warning.
    pub dropped: BTreeMap<String, u64>,
}

/// How far a running step is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveStep {
    /// What it is doing.
    pub text: SafeText,
    /// Done of all, in whatever it counts.
    pub part: Option<(u64, u64)>,
    /// Time left, where it can be said.
    pub left: Option<Duration>,
}

/// The watch window's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveWatch {
    /// How much of the window counted.
    pub counted: Duration,
    /// Its length.
    pub window: Duration,
    /// Errors in percent before the rollback.
    pub before: Option<f64>,
    /// Errors in percent since it opened.
    pub now: Option<f64>,
    /// 95th percentile in seconds since it opened.
    pub p95: Option<f64>,
    /// Critical checks that fail.
    pub failing: Vec<CheckId>,
    /// What would be said if it ended now.
    pub verdict: Verdict,
}

/// Someone attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCard {
    /// Claimed name.
    pub name: SafeText,
    /// Attested uid.
    pub uid: u32,
    /// Whether it may start things.
    pub lead: bool,
    /// Whether it only looks.
    pub read_only: bool,
}
