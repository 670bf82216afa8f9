//! The break-glass sheet: the exact commands of a plan, for the hands of a person when this
//! program is gone.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::adapters::Error;
use crate::model::ids::StepId;
use crate::model::plan::{Plan, StepSpec};

use super::index::{sync_folder, write_whole};

/// Writes the sheet of `plan` to `path`, on the disk when this returns.
pub fn break_glass(plan: &Plan, path: &Path) -> Result<(), Error> {
    let text = sheet(plan);
    write_whole(path, |file| file.write_all(text.as_bytes()))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn sheet(plan: &Plan) -> String {
    let core = &plan.core;
    let mut text = String::new();
    // Writing into a String cannot fail.
    writeln!(text, "BREAK GLASS: how to do this plan by hand").ok();
    writeln!(
        text,
        "plan {}  level {} ({})  environment {}  {} -> {}",
        plan.digest().short(),
        core.level,
        core.level.words(),
        core.environment,
        core.from,
        core.to
    )
    .ok();
    writeln!(text, "made {}", plan.made_at.format("%Y-%m-%d %H:%M:%S UTC")).ok();
    writeln!(
        text,
        "\nBefore the first command: is backout still running? `backout ps`, `backout attach`.\nDo the steps in this order. Look after each whether it did what it says."
    )
    .ok();
    for (number, step) in core.steps.iter().enumerate() {
        let face = plan.face.steps.get(number);
        let title = face.map_or(step.id.as_str(), |face| face.title.as_str());
        write!(text, "\n{}. {title}", number + 1).ok();
        if !step.needs.is_empty() {
            let needs: Vec<&str> = step.needs.iter().map(StepId::as_str).collect();
            write!(text, "  (after {})", needs.join(", ")).ok();
        }
        writeln!(text, "  [{} s]", step.budget.as_secs()).ok();
        commands(&mut text, face.map_or(&[], |face| face.by_hand.as_slice()));
        if let Some(face) = face.filter(|face| !face.undo.is_empty() && face.undo.as_str() != "-") {
            writeln!(text, "   undo: {}", face.undo).ok();
        }
    }
    let without: Vec<&StepSpec> = core.undo.iter().collect();
    if !without.is_empty() {
        writeln!(text, "\nSteps that take this back, last first:").ok();
        for step in without.iter().rev() {
            writeln!(text, "   {}: {}", step.id, step.action).ok();
        }
    }
    if !plan.face.not_undone.is_empty() {
        writeln!(text, "\nNot taken back by anything:").ok();
        for line in &plan.face.not_undone {
            writeln!(text, "   {line}").ok();
        }
    }
    text
}

fn commands(text: &mut String, by_hand: &[crate::text::SafeText]) {
    if by_hand.is_empty() {
        writeln!(text, "   (nothing to type: look)").ok();
    }
    for command in by_hand {
        writeln!(text, "   $ {command}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Class, Hazard, Level, OnFailure, PlanCore, PlanFace, StepFace};
    use chrono::{TimeZone, Utc};
    use std::time::Duration;

    fn plan() -> Plan {
        let step = |id: &str, needs: &[&str]| StepSpec {
            id: id.into(),
            action: serde_json::json!({"switch_traffic": {"to": "blue"}}),
            needs: needs.iter().map(|need| (*need).into()).collect(),
            class: Class::Converge,
            hazard: Hazard::Reversible,
            budget: Duration::from_secs(10),
            on_failure: OnFailure::Wait,
            expect_down: Vec::new(),
            undo: None,
            beside_watch: false,
        };
        let face = |title: &str, by_hand: &[&str]| StepFace {
            title: title.into(),
            preview: "".into(),
            undo: "switch back".into(),
            estimate: Duration::from_secs(1),
            last: None,
            by_hand: by_hand.iter().map(|line| (*line).into()).collect(),
        };
        Plan {
            core: PlanCore {
                level: Level::Switch,
                environment: "demo".to_owned(),
                point: "20261122-010203".into(),
                manifest: None,
                identities: std::collections::BTreeMap::new(),
                config: crate::model::ids::Digest::default(),
                from: "v2.5.0".into(),
                to: "v2.4.9".into(),
                steps: vec![step("switch", &[]), step("gate", &["switch"])],
                undo: vec![step("switch-back", &[])],
                watch: Duration::from_secs(20),
            },
            face: PlanFace {
                steps: vec![
                    face(
                        "switch traffic to blue",
                        &["curl -d '{\"to\":\"blue\"}' http://c/switch"],
                    ),
                    face("gate", &[]),
                ],
                not_undone: vec!["requests that were cut".into()],
                ..PlanFace::default()
            },
            made_at: Utc.with_ymd_and_hms(2026, 11, 22, 1, 2, 3).unwrap(),
        }
    }

    #[test]
    fn the_sheet_holds_every_command_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("break-glass.txt");
        break_glass(&plan(), &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in [
            "level 1 (quick switch)  environment demo  v2.5.0 -> v2.4.9",
            "1. switch traffic to blue  [10 s]",
            "   $ curl -d '{\"to\":\"blue\"}' http://c/switch",
            "2. gate  (after switch)  [10 s]",
            "   (nothing to type: look)",
            "   switch-back: {\"switch_traffic\":{\"to\":\"blue\"}}",
            "   requests that were cut",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }
}
