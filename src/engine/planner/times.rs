//! How long a step may be expected to take.

use std::time::Duration;

use serde_json::Value;

use crate::config::Config;
use crate::model::situation::PastRun;

/// How long a step of that kind took the last time.
pub(super) fn last_time(history: &[PastRun], action: &Value) -> Option<Duration> {
    let name = action.as_object()?.keys().next()?;
    history.iter().flat_map(|run| &run.steps).find(|(step, _)| step == name).map(|(_, took)| *took)
}

/// Steps whose length is a setting take about that long.
pub(super) fn expected(config: &Config, action: &Value) -> Option<Duration> {
    let times = &config.rollback;
    match action.as_object()?.keys().next()?.as_str() {
        "keep_warm" => Some(times.keep_failed_up),
        "gate" => Some(times.gate_every * times.gate_probes),
        "switch_traffic" | "drain" | "stop_workers" | "start_workers" => {
            Some(Duration::from_secs(1))
        }
        "verify_target" | "preserve" | "stop_workload" | "start_workload" => {
            Some(Duration::from_secs(2))
        }
        "safety_backup" => Some(Duration::from_secs(4)),
        "deploy_workload" | "wait_rollout" => Some(Duration::from_secs(8)),
        "rollout_undo" | "freeze_sync" => Some(Duration::from_secs(1)),
        _ => None,
    }
}
