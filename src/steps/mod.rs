//! One file per step kind. The only code that changes the world.

use async_trait::async_trait;

use crate::adapters::{Error, Kind};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

mod apply_set;
mod check_data;
mod choose;
mod command;
mod copy_backup;
mod cx;
mod data;
mod deploy_workload;
mod drain;
mod freeze_sync;
mod gate;
mod guard_rollout;
mod hold;
mod http_call;
mod in_cluster;
mod invalidate_edge;
mod keep_warm;
mod measure_loss;
mod migrate;
mod migrate_tool;
mod migrate_trouble;
mod place;
mod preserve;
mod proof;
mod publish_version;
mod release_mobile;
mod remove_copy;
mod restart;
mod restore_cache;
mod restore_config;
mod restore_database;
mod restore_files;
mod rights;
pub mod roll_instances;
mod rollout_undo;
mod run_job;
pub mod safety_backup;
mod saved_set;
mod scale;
mod seen;
mod set_canary;
mod set_config;
mod start_workers;
mod start_workload;
mod stop_workers;
mod stop_workload;
mod swap_cache;
mod swap_database;
mod swap_files;
mod switch_traffic;
mod unhealthy;
mod unhold;
mod verify_canary;
mod verify_point;
mod verify_served;
mod verify_target;
mod verify_version;
mod wait_healthy;
mod wait_rollout;

pub use crate::adapters::fault;
pub use apply_set::ApplySet;
pub use check_data::CheckData;
pub use choose::Choose;
pub use command::Command;
pub use copy_backup::CopyBackup;
pub use cx::{LookCx, Progress, StepCx, Told};
pub use data::{data_places, hash};
pub use deploy_workload::DeployWorkload;
pub use drain::Drain;
pub use freeze_sync::FreezeSync;
pub use gate::Gate;
pub use guard_rollout::GuardRollout;
pub use hold::Hold;
pub use http_call::{HttpCall, HttpProbe};
pub use invalidate_edge::InvalidateEdge;
pub use keep_warm::KeepWarm;
pub use measure_loss::MeasureLoss;
pub use migrate::Migrate;
pub use migrate_tool::MigrateTool;
pub use place::beside;
pub use preserve::Preserve;
pub use publish_version::PublishVersion;
pub use release_mobile::ReleaseMobile;
pub use remove_copy::RemoveCopy;
pub use restart::Restart;
pub use restore_cache::RestoreCache;
pub use restore_config::RestoreConfig;
pub use restore_database::RestoreDatabase;
pub use restore_files::RestoreFiles;
pub use rights::rights;
pub use roll_instances::RollInstances;
pub use rollout_undo::RolloutUndo;
pub use run_job::RunJob;
pub use safety_backup::SafetyBackup;
pub use saved_set::{Made, SavedSet};
pub use scale::Scale;
pub use set_canary::SetCanary;
pub use set_config::SetConfig;
pub use start_workers::StartWorkers;
pub use start_workload::StartWorkload;
pub use stop_workers::StopWorkers;
pub use stop_workload::StopWorkload;
pub use swap_cache::SwapCache;
pub use swap_database::SwapDatabase;
pub use swap_files::SwapFiles;
pub use switch_traffic::SwitchTraffic;
pub use unhold::Unhold;
pub use verify_canary::VerifyCanary;
pub use verify_point::VerifyPoint;
pub use verify_served::VerifyServed;
pub use verify_target::VerifyTarget;
pub use verify_version::VerifyVersion;
pub use wait_healthy::WaitHealthy;
pub use wait_rollout::WaitRollout;

use cx::{cancelled, ended_now, front};

/// Every kind of step with its settings, as a plan writes it: `{"switch_traffic": {"to": "blue"}}`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// See [`VerifyPoint`].
    VerifyPoint(VerifyPoint),
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
    /// See [`Hold`].
    Hold(Hold),
    /// See [`Unhold`].
    Unhold(Unhold),
    /// See [`StopWorkers`].
    StopWorkers(StopWorkers),
    /// See [`StartWorkers`].
    StartWorkers(StartWorkers),
    /// See [`DeployWorkload`].
    DeployWorkload(DeployWorkload),
    /// See [`CheckData`].
    CheckData(CheckData),
    /// See [`Choose`].
    Choose(Choose),
    /// See [`MeasureLoss`].
    MeasureLoss(MeasureLoss),
    /// See [`Migrate`].
    Migrate(Migrate),
    /// See [`MigrateTool`].
    MigrateTool(MigrateTool),
    /// See [`RemoveCopy`].
    RemoveCopy(RemoveCopy),
    /// See [`RestoreCache`].
    RestoreCache(RestoreCache),
    /// See [`RestoreConfig`].
    RestoreConfig(RestoreConfig),
    /// See [`RestoreDatabase`].
    RestoreDatabase(RestoreDatabase),
    /// See [`RestoreFiles`].
    RestoreFiles(RestoreFiles),
    /// See [`SwapCache`].
    SwapCache(SwapCache),
    /// See [`SwapDatabase`].
    SwapDatabase(SwapDatabase),
    /// See [`SwapFiles`].
    SwapFiles(SwapFiles),
    /// See [`WaitHealthy`].
    WaitHealthy(WaitHealthy),
    /// See [`FreezeSync`].
    FreezeSync(FreezeSync),
    /// See [`GuardRollout`].
    GuardRollout(GuardRollout),
    /// See [`HttpCall`].
    HttpCall(HttpCall),
    /// See [`Restart`].
    Restart(Restart),
    /// See [`RollInstances`].
    RollInstances(RollInstances),
    /// See [`RolloutUndo`].
    RolloutUndo(RolloutUndo),
    /// See [`Scale`].
    Scale(Scale),
    /// See [`SetCanary`].
    SetCanary(SetCanary),
    /// See [`SetConfig`].
    SetConfig(SetConfig),
    /// See [`VerifyCanary`].
    VerifyCanary(VerifyCanary),
    /// See [`WaitRollout`].
    WaitRollout(WaitRollout),
    /// See [`ApplySet`].
    ApplySet(ApplySet),
    /// See [`RunJob`].
    RunJob(RunJob),
    /// See [`SafetyBackup`].
    SafetyBackup(SafetyBackup),
    /// See [`CopyBackup`].
    CopyBackup(CopyBackup),
    /// See [`VerifyVersion`].
    VerifyVersion(VerifyVersion),
    /// See [`PublishVersion`].
    PublishVersion(PublishVersion),
    /// See [`InvalidateEdge`].
    InvalidateEdge(InvalidateEdge),
    /// See [`VerifyServed`].
    VerifyServed(VerifyServed),
    /// See [`ReleaseMobile`].
    ReleaseMobile(ReleaseMobile),
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
            Self::VerifyPoint(step) => step,
            Self::VerifyTarget(step) => step,
            Self::SwitchTraffic(step) => step,
            Self::Gate(step) => step,
            Self::Preserve(step) => step,
            Self::Drain(step) => step,
            Self::KeepWarm(step) => step,
            Self::StopWorkload(step) => step,
            Self::StartWorkload(step) => step,
            Self::Command(step) => step,
            Self::Hold(step) => step,
            Self::Unhold(step) => step,
            Self::StopWorkers(step) => step,
            Self::StartWorkers(step) => step,
            Self::DeployWorkload(step) => step,
            Self::CheckData(step) => step,
            Self::Choose(step) => step,
            Self::MeasureLoss(step) => step,
            Self::Migrate(step) => step,
            Self::MigrateTool(step) => step,
            Self::RemoveCopy(step) => step,
            Self::RestoreCache(step) => step,
            Self::RestoreConfig(step) => step,
            Self::RestoreDatabase(step) => step,
            Self::RestoreFiles(step) => step,
            Self::SwapCache(step) => step,
            Self::SwapDatabase(step) => step,
            Self::SwapFiles(step) => step,
            Self::WaitHealthy(step) => step,
            Self::FreezeSync(step) => step,
            Self::GuardRollout(step) => step,
            Self::HttpCall(step) => step,
            Self::Restart(step) => step,
            Self::RollInstances(step) => step,
            Self::RolloutUndo(step) => step,
            Self::Scale(step) => step,
            Self::SetCanary(step) => step,
            Self::SetConfig(step) => step,
            Self::VerifyCanary(step) => step,
            Self::WaitRollout(step) => step,
            Self::ApplySet(step) => step,
            Self::RunJob(step) => step,
            Self::SafetyBackup(step) => step,
            Self::CopyBackup(step) => step,
            Self::VerifyVersion(step) => step,
            Self::PublishVersion(step) => step,
            Self::InvalidateEdge(step) => step,
            Self::VerifyServed(step) => step,
            Self::ReleaseMobile(step) => step,
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
    /// Whether it is a person's choice: it is never run, and ends when the choice is known.
    fn asks(&self) -> bool {
        false
    }
    /// The exact commands that would do it by hand; none where there is only something to see.
    fn by_hand(&self, _cx: &LookCx) -> Vec<SafeText> {
        Vec::new()
    }
    /// Reads live facts, changes nothing: `active green -> blue, in flight 4`.
    async fn preview(&self, cx: &LookCx) -> SafeText;
    /// What its effect looks like now; changes nothing. Of a command that still runs under its
    /// shim it waits for the end, so the caller gives it the step's budget and not a short limit.
    async fn standing(&self, cx: &LookCx) -> Standing;
    /// Ends at once what others still do for this attempt, by what is on record of it (W-24, W-25);
    /// its own processes are ended before. Returns what that was.
    async fn kill(&self, cx: &LookCx) -> Result<Vec<SafeText>, Error> {
        match &cx.database {
            Some(database) => database.end_sessions().await,
            None => Ok(Vec::new()),
        }
    }
    /// Does it. Returns what is worth knowing afterwards: connections cut, files kept.
    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error>;
}

#[cfg(test)]
mod tests;
