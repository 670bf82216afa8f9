//! The break-glass sheet: the exact commands of a plan, for the hands of a person when this
//! program is gone.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::adapters::Error;
use crate::adapters::process::quoted;
use crate::model::ids::{Color, StepId};
use crate::model::plan::Plan;
use crate::text::SafeText;

use super::index::{sync_folder, write_whole};

/// What a person needs to know besides the plan.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The keeper and the engine that work on it, the keeper first; none when nothing runs yet.
    pub processes: Vec<u32>,
    /// Their host.
    pub host: SafeText,
    /// The state folder.
    pub state: PathBuf,
    /// What keeps two journals from working on one target.
    pub fence: Option<PathBuf>,
    /// Where users come in.
    pub public: Option<String>,
    /// The sides at their own addresses.
    pub sides: Vec<(Color, String)>,
    /// The commands that take the steps back, in the plan's order.
    pub undo: Vec<(StepId, Vec<SafeText>)>,
    /// What is held, by whom and why, and the commands that lift it.
    pub held: Vec<(SafeText, Vec<SafeText>)>,
}

/// Writes a sheet to `path`, on the disk when this returns.
pub fn break_glass(text: &str, path: &Path) -> Result<(), Error> {
    write_whole(path, |file| file.write_all(text.as_bytes()))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// The sheet of `plan`: nothing on it needs this program.
pub fn sheet(plan: &Plan, scene: &Scene) -> String {
    let core = &plan.core;
    let mut text = String::new();
    // Writing into a String cannot fail.
    writeln!(text, "BREAK GLASS: how to do this plan by hand, without backout").ok();
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
    first(&mut text, scene);
    writeln!(text, "\nTHE STEPS, in this order. Look after each whether it did what it says.").ok();
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
    last(&mut text, plan, scene);
    text
}

/// What comes before the first command.
fn first(text: &mut String, scene: &Scene) {
    writeln!(text, "\nFIRST: nobody else may work on it meanwhile.").ok();
    if scene.processes.is_empty() {
        writeln!(text, "   nothing worked on it when this was printed; what does now:").ok();
        let lock = quoted(&scene.state.join("engine.lock").display().to_string());
        writeln!(text, "   $ cat {lock}   # a pid; kill -TERM it and its parent").ok();
    } else {
        let pids: Vec<String> = scene.processes.iter().map(u32::to_string).collect();
        writeln!(
            text,
            "   on {}: backout works as pid {} (the keeper first)",
            scene.host,
            pids.join(" and ")
        )
        .ok();
        writeln!(
            text,
            "   $ kill -TERM {}   # ends both; a command that runs is left to its end",
            pids.join(" ")
        )
        .ok();
        writeln!(text, "   $ ps -o pid,args -p {}   # nothing of backout left?", pids.join(","))
            .ok();
    }
    if let Some(fence) = &scene.fence {
        let fence = quoted(&fence.display().to_string());
        writeln!(text, "   $ cat {fence}   # who holds the target; gone = free").ok();
        writeln!(text, "   $ rm -f {fence}   # only when that run is surely dead").ok();
    }
    writeln!(text, "\nWHERE IT STANDS").ok();
    for (color, url) in &scene.sides {
        writeln!(
            text,
            "   $ curl -sS --fail {}/status   # {color} at its own address",
            quoted(url)
        )
        .ok();
    }
    if let Some(url) = &scene.public {
        writeln!(text, "   $ curl -sS --fail {}/status   # as users see it", quoted(url)).ok();
    }
    let journal = quoted(&scene.state.join("journal.db").display().to_string());
    writeln!(
        text,
        "   $ sqlite3 -readonly {journal} 'SELECT seq, bytes FROM entries ORDER BY seq DESC LIMIT 20'"
    )
    .ok();
}

/// What comes after the last.
fn last(text: &mut String, plan: &Plan, scene: &Scene) {
    if !scene.undo.is_empty() {
        writeln!(text, "\nTO TAKE IT BACK, last first:").ok();
        for (step, by_hand) in scene.undo.iter().rev() {
            writeln!(text, "\n-  {step}").ok();
            commands(text, by_hand);
        }
    }
    if !scene.held.is_empty() {
        writeln!(text, "\nHELD, and not lifted by any step above:").ok();
        for (hold, by_hand) in &scene.held {
            writeln!(text, "\n-  {hold}").ok();
            commands(text, by_hand);
        }
    }
    if !plan.face.not_undone.is_empty() {
        writeln!(text, "\nNOT TAKEN BACK by anything:").ok();
        for line in &plan.face.not_undone {
            writeln!(text, "   {line}").ok();
        }
    }
    writeln!(text, "\nAFTERWARDS: write down who did what when; backout reads where things stand when it starts again.").ok();
}

fn commands(text: &mut String, by_hand: &[SafeText]) {
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
    use crate::model::plan::{
        Class, Hazard, Level, OnFailure, PlanCore, PlanFace, StepFace, StepSpec,
    };
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
            expected_status: std::collections::BTreeMap::new(),
            undo: None,
            beside_watch: false,
            asks: false,
            only_swap: false,
            only_beside: false,
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
        let scene = Scene {
            processes: vec![41, 42],
            host: "bastion".into(),
            state: "/srv/state".into(),
            fence: Some("/srv/fence.json".into()),
            public: Some("http://p".to_owned()),
            sides: vec![("blue".into(), "http://b".to_owned())],
            undo: vec![("switch-back".into(), vec!["curl -d '{}' http://c/switch".into()])],
            held: vec![("writers (dana)".into(), vec!["curl -d '{}' http://c/hold".into()])],
        };
        break_glass(&sheet(&plan(), &scene), &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in [
            "level 1 (quick switch)  environment demo  v2.5.0 -> v2.4.9",
            "1. switch traffic to blue  [10 s]",
            "   $ curl -d '{\"to\":\"blue\"}' http://c/switch",
            "2. gate  (after switch)  [10 s]",
            "   (nothing to type: look)",
            "-  switch-back\n   $ curl -d '{}' http://c/switch",
            "   $ kill -TERM 41 42 ",
            "   $ curl -sS --fail http://b/status   # blue at its own address",
            "   $ rm -f /srv/fence.json ",
            "HELD, and not lifted by any step above:\n\n-  writers (dana)\n   $ curl -d '{}' http://c/hold",
            "   requests that were cut",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        let commands = text.lines().filter_map(|line| line.strip_prefix("   $ "));
        for command in commands.map(|line| line.split(" # ").next().unwrap_or_default()) {
            assert!(!command.contains("backout"), "{command}");
        }
    }
}
