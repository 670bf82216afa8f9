//! A plan is bound to its target (G19): whatever is another one between plan and step is refused
//! before anything changes.

use std::path::Path;
use std::time::Duration;

use backout::model::plan::Plan;
use rustix::process::Signal;

use super::super::support::Stack;
use super::{alone, left_behind, plan_for, signal, tell};

/// What is another one, and how it came to be.
type Swap = (&'static str, fn(&Stack, &mut Plan));

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn planned(plan: &Plan, name: &str) -> String {
    plan.core.identities.get(name).unwrap_or_else(|| panic!("{:?}", plan.core.identities)).clone()
}

/// Configurations that name another target, and targets that are others under the same name.
const SWAPS: [Swap; 12] = [
    ("traffic control", |stack, plan| {
        let now = planned(plan, "traffic control");
        edit(&stack.config(), &now, "http://127.0.0.1:9");
    }),
    ("traffic", |stack, plan| {
        let now = planned(plan, "traffic");
        edit(&stack.config(), &format!("public_url: \"{now}"), "public_url: \"http://127.0.0.1:9");
    }),
    ("address of blue", |stack, plan| {
        let now = planned(plan, "address of blue");
        edit(&stack.config(), &format!("blue: {{url: \"{now}"), "blue: {url: \"http://127.0.0.1:9");
    }),
    ("address of green", |stack, plan| {
        let now = planned(plan, "address of green");
        edit(
            &stack.config(),
            &format!("green: {{url: \"{now}"),
            "green: {url: \"http://127.0.0.1:9",
        );
    }),
    ("fence", |stack, _| edit(&stack.config(), "file: fence.json", "file: other.json")),
    ("fence", |stack, _| {
        // The same words, another folder behind them.
        let real = stack.dir().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, stack.dir().join("linked")).unwrap();
        edit(&stack.config(), "file: fence.json", "file: linked/fence.json");
    }),
    ("platform", |stack, _| {
        let copy = stack.dir().join("copy");
        std::fs::create_dir(&copy).unwrap();
        for color in ["blue", "green"] {
            std::fs::create_dir(copy.join(color)).unwrap();
            for file in ["release.json", "process.json"] {
                let from = stack.dir().join(color).join(file);
                std::fs::copy(from, copy.join(color).join(file)).ok();
            }
        }
        edit(&stack.config(), "local: {dir: .}", "local: {dir: copy}");
    }),
    ("platform", |stack, _| {
        let copy = tempfile::tempdir().unwrap().keep();
        std::fs::create_dir(copy.join("blue")).unwrap();
        let release = stack.dir().join("blue/release.json");
        std::fs::copy(release, copy.join("blue/release.json")).unwrap();
        std::os::unix::fs::symlink(&copy, stack.dir().join("elsewhere")).unwrap();
        edit(&stack.config(), "local: {dir: .}", "local: {dir: elsewhere}");
    }),
    // Somebody started the target anew: what was verified is not what would get the traffic.
    ("blue", |stack, _| {
        let pid = i32::try_from(stack.status()["blue"]["pid"].as_i64().unwrap_or(0)).unwrap();
        if pid > 0 {
            signal(pid, Signal::KILL);
        } else {
            edit(&stack.dir().join("blue/process.json"), "\"started\":", "\"started\":1");
        }
    }),
    // What a plan says of a target that this machine never had.
    ("platform", |_, plan| {
        plan.core.identities.insert("platform".into(), "local:/elsewhere@000000000000".into());
    }),
    ("blue", |_, plan| {
        plan.core.identities.insert("blue".into(), "1.1".into());
    }),
    ("traffic control", |_, plan| {
        plan.core.identities.insert("traffic control".into(), "http://10.0.0.1:9".into());
    }),
];

/// An approved run whose engine died before its first step; when the next one comes, the target is
/// another one.
fn refused((name, swap): &Swap) {
    let stack = Stack::up(Some("errors:0.3"));
    let mut plan = plan_for(&stack, &["rollback", "--quick"]);
    alone(&stack);
    let before = stack.ledger();
    swap(&stack, &mut plan);
    left_behind(&stack, plan, "before", Vec::new());
    stack.run(&["rollback", "--quick", "--reason", "again"]);
    let asked = || {
        let situation = stack.situation();
        situation.open_run().and_then(|run| Some(run.waiting.as_ref()?.why.to_string()))
    };
    stack.wait(&format!("{name}: it asks"), Duration::from_secs(40), || asked().is_some());
    let why = asked().unwrap();
    let situation = stack.situation();
    let run = situation.run.as_ref().unwrap();
    let switch = run.step(&"switch".into()).unwrap();
    let phases: Vec<_> = run.steps.iter().map(|step| (&step.id, &step.phase)).collect();
    assert!(
        !matches!(switch.phase, backout::model::incident::StepPhase::Done),
        "{name}: switched to another target: {phases:?}"
    );
    let now = stack.ledger();
    let changed: Vec<_> = now.iter().skip(before.len()).collect();
    let switched = changed.iter().any(|line| line.starts_with("switch"));
    assert!(!switched, "{name}: {changed:?}");
    let all: Vec<String> = phases.iter().map(|(id, phase)| format!("{id} {phase:?}")).collect();
    let named = all.iter().any(|phase| phase.contains("made for another target"));
    // A target that does not answer any more is refused by the look at it, before its identity.
    let looked = *name == "blue" && all.iter().any(|phase| phase.contains("verify Failed"));
    assert!(named || looked, "{name}: {why}: {all:?}");
}

#[test]
fn another_target_between_plan_and_step_is_refused_twelve_of_twelve() {
    let left = std::sync::Mutex::new(SWAPS.iter());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(swap) = next else { return };
                    refused(swap);
                }
            });
        }
    });
    tell("12 of 12 other targets refused");
}
