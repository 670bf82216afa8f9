//! A switch of colours that must be one, and takes itself back (P-12).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::config::Config;
use crate::model::plan::{OnFailure, Plan, StepFace};
use crate::model::strategy::Strategy;
use crate::steps::{RollInstances, StepKind};
use crate::text::SafeText;

use super::super::planner::NoPlan;
use super::super::playbook;
use super::{MARGIN, of_kind};

/// A switch that takes itself back where users do not reach a version that is well in time (P-12).
pub(super) fn blue_green(config: &Config, mut plan: Plan) -> Result<Plan, NoPlan> {
    of_kind(&plan, "switch_traffic", "no second version is there to switch to")?;
    let chosen = config.services.values().find(|one| one.strategy == Strategy::BlueGreen);
    let seconds = chosen.map_or(300, |one| one.options.validation.as_secs());
    let every = config.rollback.gate_every;
    for spec in &mut plan.core.steps {
        if let Some(gate) = spec.action.get_mut("gate") {
            gate["within_seconds"] = json!(seconds);
            spec.budget = Duration::from_secs(seconds) + every * config.rollback.gate_probes;
            spec.on_failure = OnFailure::TakeBack;
        }
    }
    if let Some(url) = chosen.and_then(|one| one.options.health_check_url.clone()) {
        looked_at(&mut plan, &url, seconds, every);
    }
    if chosen.is_some_and(|one| !one.options.preserve_failed) {
        let kept = "the failed version is stopped and kept all the same: nothing is removed";
        plan.face.not_undone.push(kept.into());
    }
    Ok(plan)
}

/// One more look, between the gate and what ends the failed version.
fn looked_at(plan: &mut Plan, url: &str, seconds: u64, every: Duration) {
    let Some(at) = plan.core.steps.iter().position(|spec| spec.action.get("gate").is_some()) else {
        return;
    };
    let Some(gate) = plan.core.steps.get(at).map(|spec| spec.id.clone()) else { return };
    let action = StepKind::RollInstances(RollInstances {
        service: "users".to_owned(),
        to: String::new(),
        batch: (1, 1),
        instances: BTreeMap::from([(url.to_owned(), Some(url.to_owned()))]),
        command: None,
        every_seconds: every.as_secs_f64(),
        within_seconds: seconds,
        pause_seconds: 0,
    });
    let budget = Duration::from_secs(seconds) + MARGIN;
    let made = playbook::step("validate_url", action.to_action(), Some(&gate), budget);
    let Ok((mut spec, title)) = made else { return };
    spec.on_failure = OnFailure::TakeBack;
    for later in &mut plan.core.steps {
        if later.needs.contains(&gate) {
            later.needs.push(spec.id.clone());
        }
    }
    let by_hand = vec![SafeText::new(&format!("curl -sS --fail {url}"))];
    plan.core.steps.insert(at + 1, spec);
    let face = StepFace {
        title,
        preview: SafeText::new(&format!("at most {seconds} s, then traffic goes back")),
        undo: "-".into(),
        estimate: Duration::from_secs(1),
        last: None,
        by_hand,
    };
    if at < plan.face.steps.len() {
        plan.face.steps.insert(at + 1, face);
    }
}
