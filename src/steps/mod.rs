//! One file per step kind. The only code that changes the world.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::adapters::process::Program;
use crate::adapters::{Error, Fence, Kind, Traffic, Workload};
use crate::clock::Clock;
use crate::model::entry::Standing;
use crate::model::ids::{Color, RunId, StepId};
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

mod command;
mod drain;
mod gate;
mod keep_warm;
mod preserve;
mod proof;
mod seen;
mod start_workload;
mod stop_workload;
mod switch_traffic;
mod verify_target;

pub use crate::adapters::fault;
pub use command::Command;
pub use drain::Drain;
pub use gate::Gate;
pub use keep_warm::KeepWarm;
pub use preserve::Preserve;
pub use start_workload::StartWorkload;
pub use stop_workload::StopWorkload;
pub use switch_traffic::SwitchTraffic;
pub use verify_target::VerifyTarget;

/// Every kind of step with its settings, as a plan writes it: `{"switch_traffic": {"to": "blue"}}`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// See [`VerifyTarget`].
    VerifyTarget(VerifyTarget),
    /// See [`SwitchTraffic`].
    SwitchTraffic(SwitchTraffic),
    /// See [`Gate`].
    Gate(Gate),
    /// See [`Preserve`].
    Preserve(Preserve),
    /// See [`Drain`].
    Drain(Drain),
    /// See [`KeepWarm`].
    KeepWarm(KeepWarm),
    /// See [`StopWorkload`].
    StopWorkload(StopWorkload),
    /// See [`StartWorkload`].
    StartWorkload(StartWorkload),
    /// See [`Command`].
    Command(Command),
}

impl StepKind {
    /// Reads the action of a plan's step.
    pub fn from_action(action: &serde_json::Value) -> Result<Self, Error> {
        serde::Deserialize::deserialize(action).map_err(|e| {
            let message = format!("could not read step {action}: {e}");
            Error::new(Kind::Rejected, message)
        })
    }

    /// The action as a plan holds it.
    pub fn to_action(&self) -> serde_json::Value {
        // Settings are plain maps, lists, text and numbers, which always become JSON.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What runs.
    pub fn as_step(&self) -> &dyn Step {
        match self {
            Self::VerifyTarget(step) => step,
            Self::SwitchTraffic(step) => step,
            Self::Gate(step) => step,
            Self::Preserve(step) => step,
            Self::Drain(step) => step,
            Self::KeepWarm(step) => step,
            Self::StopWorkload(step) => step,
            Self::StartWorkload(step) => step,
            Self::Command(step) => step,
        }
    }
}

/// One kind of step, with its settings.
#[async_trait]
pub trait Step: Send + Sync {
    /// What people call it: `switch traffic to blue`.
    fn title(&self) -> SafeText;
    /// What is promised when it is cut off.
    fn class(&self) -> Class;
    /// What it can do to data.
    fn hazard(&self) -> Hazard;
    /// The exact commands that would do it by hand; none where there is only something to see.
    fn by_hand(&self, _cx: &LookCx) -> Vec<SafeText> {
        Vec::new()
    }
    /// Reads live facts, changes nothing: `active green -> blue, in flight 4`.
    async fn preview(&self, cx: &LookCx) -> SafeText;
    /// What its effect looks like now; changes nothing. Of a command that still runs under its
    /// shim it waits for the end, so the caller gives it the step's budget and not a short limit.
    async fn standing(&self, cx: &LookCx) -> Standing;
    /// Does it. Returns what is worth knowing afterwards: connections cut, files kept.
    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error>;
}

/// What a look may use.
#[derive(Clone)]
pub struct LookCx {
    /// The platform's processes.
    pub workload: Arc<dyn Workload>,
    /// What moves traffic.
    pub traffic: Arc<dyn Traffic>,
    /// Time.
    pub clock: Clock,
    /// The step's own effect key, when it has been begun.
    pub effect: String,
    /// The step's own folder: `runs/<run>/<step>.<attempt>`.
    pub slot: PathBuf,
    /// Own addresses of the colours, and the public one under no colour.
    pub addresses: std::collections::BTreeMap<Color, String>,
    /// Where users come in.
    pub public_url: String,
    /// The running program, which is its own shim.
    pub program: Program,
    /// Log files to keep, by source.
    pub logs: Vec<(String, PathBuf)>,
    /// Where this run's evidence goes.
    pub evidence: PathBuf,
    /// When the step that this one waits on ended, for steps that keep a time.
    pub since: Option<crate::model::ids::Time>,
}

/// What a running step may use.
#[derive(Clone)]
pub struct StepCx {
    /// All that a look may use.
    pub look: LookCx,
    /// Which run.
    pub run: RunId,
    /// Which step.
    pub step: StepId,
    /// Says how far it is.
    pub progress: Progress,
    /// Turns true when the person asked for "now": end, then be looked at.
    pub cancel: watch::Receiver<bool>,
    /// Keeps other journals away.
    pub fence: Option<Arc<dyn Fence>>,
}

/// Says how far a step is; the last word wins.
#[derive(Clone)]
pub struct Progress(pub watch::Sender<Told>);

/// How far a step is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// What it is doing.
    pub text: SafeText,
    /// Done of all, in whatever it counts.
    pub part: Option<(u64, u64)>,
    /// Time left, where it can be said.
    pub left: Option<Duration>,
}

impl StepCx {
    /// Says what the step is doing now.
    pub fn tell(&self, text: &str, part: Option<(u64, u64)>) {
        self.progress.0.send_replace(Told { text: SafeText::new(text), part, left: None });
    }

    /// Waits `span`, or less when the person asked for "now": then it is an error.
    pub async fn wait(&self, span: Duration) -> Result<(), Error> {
        let mut cancel = self.cancel.clone();
        tokio::select! {
            () = self.look.clock.sleep(span) => Ok(()),
            () = cancelled(&mut cancel) => Err(ended_now()),
        }
    }
}

fn ended_now() -> Error {
    Error::new(Kind::Rejected, "ended now on request")
}

/// Resolves when "now" was asked for; never when nobody can ask any more.
async fn cancelled(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|now| *now).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
