//! What is true only now: kept in the samples, never in the journal, gone without loss.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::activity::DatabaseNow;
use super::compare::Comparison;
use super::hold::CanHold;
use super::ids::{CheckId, StepId, Time};
use super::plan::PlanFace;
use super::reading::{Looks, Reading};
use super::signal::Signal;
use super::slo::Standing;
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
    /// The checks whose readings are requests of users' kind: what curves are drawn from.
    #[serde(default)]
    pub counting: Vec<CheckId>,
    /// What can be held here; empty until it was looked at.
    #[serde(default)]
    pub can_hold: Vec<CanHold>,
    /// When the world around the checks was looked at last: deploys, points, levels.
    #[serde(default)]
    pub looked_at: Option<Time>,
    /// How far the states of checks are proven; proven ones are not in here.
    #[serde(default)]
    pub looks: BTreeMap<CheckId, Looks>,
    /// What a bundle would hold, where somebody asked.
    #[serde(default)]
    pub bundle: Option<Box<BundlePreview>>,
    /// What goes on in the database, where it is a server and somebody is attached.
    #[serde(default)]
    pub database: Option<Box<DatabaseNow>>,
    /// The checks before the last deploy, since it, and now; made anew every few seconds.
    #[serde(default)]
    pub comparison: Option<Box<Comparison>>,
    /// Where the objectives of checks stand.
    #[serde(default)]
    pub slos: Vec<Standing>,
}

/// What consoles on other hosts are shown of what is true only now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The engine's last word.
    pub live: Option<Live>,
    /// The last reading of each check.
    pub readings: Vec<Reading>,
}

/// What a bundle would hold if it were made now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BundlePreview {
    /// When it was counted.
    pub at: Time,
    /// Whether it is being counted or a bundle being made right now.
    pub busy: bool,
    /// Sources that would be in it.
    pub sources: u32,
    /// Sources that are not there or cannot be read, with why.
    pub missing: Vec<SafeText>,
    /// Bytes before compression.
    pub bytes: u64,
    /// Sources of which the middle would be left out.
    pub cut: u32,
    /// How much would be taken out, by rule.
    pub redactions: BTreeMap<String, u64>,
    /// Why there is none.
    pub error: Option<SafeText>,
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
