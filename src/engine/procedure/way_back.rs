//! The way back of saved objects, and that the server has tried them before anything changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::adapters::Error;
use crate::config::Config;
use crate::model::ids::{StepId, Time};
use crate::model::plan::{Hazard, StepSpec};
use crate::steps::{ApplySet, SavedSet, StepKind};
use crate::text::SafeText;

use super::super::playbook::Filled;
use super::super::stack::Stack;

/// The folder of what was live when a plan was made, in the state folder.
const BEFORE: &str = "before";

/// Gives a step that brings saved objects back its own way back: what is live now, kept beside the
/// journal under its digest, and the names of what is not there. `stays` gets what that leaves out.
pub(super) async fn add(
    config: &Config,
    stack: &Stack,
    step: &mut Value,
    (stays, now): (&mut Vec<SafeText>, Time),
) -> Result<(), Error> {
    let Some(action) = step.get("do").filter(|action| action.get("apply_set").is_some()) else {
        return Ok(());
    };
    let StepKind::ApplySet(set) = StepKind::from_action(action)? else { return Ok(()) };
    if set.dry_run || step.get("undo").is_some() {
        return Ok(());
    }
    let cluster = super::cluster(stack)?;
    let folder = config.state_dir.join(BEFORE);
    let (before, made) = match SavedSet::before(cluster, &set.files, &folder).await {
        Ok(found) => found,
        // Who may only look cannot keep anything either, and does not start the run.
        Err(error) => {
            let why = SafeText::new(&error.message);
            stays.push(SafeText::new(&format!("the saved objects: no way back was kept ({why})")));
            return Ok(());
        }
    };
    if set.secrets {
        stays.push("secrets that it brings back: what they held before is not kept".into());
    }
    let removes_after = (!made.is_empty()).then_some(now);
    let back = ApplySet { files: vec![before], removes: made, removes_after, ..set };
    let back = ApplySet { secrets: false, ..back };
    let id = step.get("id").and_then(Value::as_str).unwrap_or("set").to_owned();
    let budget = step.get("budget").cloned().unwrap_or_default();
    let action = StepKind::ApplySet(back).to_action();
    if let Some(map) = step.as_object_mut() {
        map.insert(
            "undo".to_owned(),
            json!({"id": format!("{id}_back"), "do": action, "budget": budget}),
        );
    }
    Ok(())
}

/// Whether the server tries saved objects before the first step that changes anything (M-03, M-14):
/// half of a failover is worse than none.
pub(super) fn tried_first(filled: &Filled) -> Result<(), String> {
    let set = |spec: &StepSpec| match StepKind::from_action(&spec.action) {
        Ok(StepKind::ApplySet(set)) => Some(set),
        Ok(_) | Err(_) => None,
    };
    let steps: Vec<&StepSpec> = filled.steps.iter().map(|(spec, _)| spec).collect();
    for wanted in steps.iter().filter_map(|spec| set(spec)).filter(|set| !set.dry_run) {
        let trial = steps
            .iter()
            .find(|spec| set(spec).is_some_and(|set| set.dry_run && set.files == wanted.files));
        let late = steps.iter().find(|spec| {
            let waits = trial.is_some_and(|trial| needs(&steps, spec, &trial.id));
            spec.hazard != Hazard::Looks && !waits
        });
        if let Some(late) = late {
            let names: Vec<String> =
                wanted.files.iter().map(|one| one.file.display().to_string()).collect();
            return Err(format!(
                "step {} would change something before the server has tried {}; let it need a \
                 step {{apply_set: {{files: [the same], dry_run: true}}}}",
                late.id,
                names.join(", ")
            ));
        }
    }
    Ok(())
}

/// Whether a step begins only after the other has ended.
fn needs(steps: &[&StepSpec], spec: &StepSpec, other: &StepId) -> bool {
    let mut open: Vec<&StepId> = spec.needs.iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if id == other {
            return true;
        }
        if seen.insert(id) {
            let found = steps.iter().find(|one| &one.id == id);
            open.extend(found.into_iter().flat_map(|one| &one.needs));
        }
    }
    false
}
