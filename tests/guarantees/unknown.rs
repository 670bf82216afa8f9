//! Unknown is shown as unknown and never taken as good (G15).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use backout::adapters::fake::Fake;
use backout::adapters::process::Program;
use backout::clock::Clock;
use backout::engine::executor::{Came, Job, begin, look};
use backout::model::entry::{Event, Standing, StepEnd};
use backout::model::incident::StepPhase;
use backout::model::plan::{Class, Hazard, OnFailure, Plan, StepSpec};
use backout::steps::LookCx;
use serde_json::json;

use super::super::support::Stack;
use super::{alone, begun, left_behind, plan_for, runtime};

/// A step that runs `argv`, with a look or without one.
pub(crate) fn tool(argv: &[&str], probe: Option<&[&str]>, dir: &Path) -> StepSpec {
    let mut settings = json!({"argv": argv, "cwd": dir, "hazard": "reversible"});
    if let Some(probe) = probe {
        settings["probe_argv"] = json!(probe);
    }
    StepSpec {
        id: "tell".into(),
        action: json!({ "command": settings }),
        needs: Vec::new(),
        class: if probe.is_some() { Class::Probed } else { Class::Opaque },
        hazard: Hazard::Reversible,
        budget: Duration::from_secs(20),
        on_failure: OnFailure::Wait,
        expect_down: Vec::new(),
        expected_status: BTreeMap::new(),
        undo: None,
        beside_watch: false,
        asks: false,
        only_swap: false,
        only_beside: false,
    }
}

fn cx(dir: &Path) -> LookCx {
    let fake = Fake::new(dir.join("fake-ledger"), Clock::real());
    LookCx {
        workload: fake.clone(),
        traffic: fake,
        clock: Clock::real(),
        effect: "142-k7qd-1.tell.1".to_owned(),
        slot: dir.join("tell.1"),
        addresses: BTreeMap::new(),
        public_url: String::new(),
        program: Program::at(env!("CARGO_BIN_EXE_backout")),
        logs: Vec::new(),
        evidence: dir.join("evidence"),
        evidence_remote: None,
        database: None,
        cache: None,
        points: None,
        saved: backout::evidence::Saved::default(),
        redactor: std::sync::Arc::default(),
        cluster: None,
        front: None,
        vault: None,
        since: None,
    }
}

async fn carried_out(spec: StepSpec, dir: &Path) -> StepEnd {
    let (to, mut came) = tokio::sync::mpsc::channel(4);
    let run = "142-k7qd-1".into();
    let _live = begin(Job { spec, attempt: 1, run, look: cx(dir), fence: None, bound: None }, to);
    match came.recv().await.unwrap() {
        Came::Ended { end, .. } => end,
        Came::Looked { .. } => panic!("nobody asked for a look"),
    }
}

async fn looked(spec: StepSpec, dir: &Path) -> Standing {
    let (to, mut came) = tokio::sync::mpsc::channel(4);
    look(spec, 1, cx(dir), to);
    match came.recv().await.unwrap() {
        Came::Looked { standing, .. } => standing,
        Came::Ended { .. } => panic!("a look ends nothing"),
    }
}

/// The effect may be there or not: the look itself did not work.
#[test]
fn a_look_that_fails_proves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        for probe in [
            &["/bin/sh", "-c", "exit 2"][..],
            &["/nowhere/probe"],
            &["/bin/sh", "-c", "kill -9 $$"],
        ] {
            let spec = tool(&["/bin/true"], Some(probe), dir.path());
            let standing = looked(spec.clone(), dir.path()).await;
            assert!(matches!(standing, Standing::CannotTell(_)), "{probe:?}: {standing:?}");
            let folder = tempfile::tempdir().unwrap();
            let end = carried_out(StepSpec { action: spec.action, ..spec }, folder.path()).await;
            assert!(matches!(end, StepEnd::Unknown(_)), "{probe:?}: {end:?}");
        }
    });
}

/// What was ordered said "done"; its effect is not there.
#[test]
fn an_answer_is_no_proof() {
    let dir = tempfile::tempdir().unwrap();
    let spec = tool(&["/bin/true"], Some(&["/bin/false"]), dir.path());
    let end = runtime().block_on(carried_out(spec, dir.path()));
    assert!(
        matches!(&end, StepEnd::Failed(why) if why.as_str().contains("its effect is not there")),
        "{end:?}"
    );
}

/// A tool ended with 0 long ago; what counts is what a look sees now.
#[test]
fn an_exit_code_is_no_proof() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    let made = made.to_str().unwrap();
    let spec = tool(&["/usr/bin/touch", made], Some(&["/usr/bin/test", "-e", made]), dir.path());
    runtime().block_on(async {
        assert_eq!(carried_out(spec.clone(), dir.path()).await, StepEnd::Done);
        assert_eq!(looked(spec.clone(), dir.path()).await, Standing::Done);
        std::fs::remove_file(made).unwrap();
        assert_eq!(looked(spec, dir.path()).await, Standing::NotDone);
    });
}

/// The plan of level 1 with nothing but this step in it.
pub(crate) fn plan_of_one(stack: &Stack, spec: StepSpec) -> Plan {
    let mut plan = plan_for(stack, &["rollback", "--quick"]);
    plan.core.steps = vec![spec];
    plan.core.undo = Vec::new();
    plan.face.steps.truncate(1);
    plan
}

/// A hook may have run or not: it is never run again by itself, and a person's word goes on.
#[test]
fn what_nobody_can_look_at_is_not_begun_again() {
    let stack = Stack::up(None);
    let told = stack.dir().join("told");
    let script = format!("echo told >> {}", told.display());
    let spec = tool(&["/bin/sh", "-c", &script], None, stack.dir());
    let plan = plan_of_one(&stack, spec);
    alone(&stack);
    let run = super::RunId(format!(
        "{}-{}-1",
        stack.situation().last_incident + 1,
        stack.situation().journal
    ));
    left_behind(&stack, plan, "before", vec![begun(&run, "tell", 1)]);
    // Any client that may command starts the engine.
    let refused = stack.run(&["rollback", "--quick", "--reason", "again"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let asked = || stack.situation().open_run().is_some_and(|run| run.waiting.is_some());
    stack.wait("the run asks", Duration::from_secs(20), || asked() || told.exists());
    assert!(!told.exists(), "it was begun again: {:?}", std::fs::read_to_string(&told));
    let situation = stack.situation();
    let state = situation.open_run().unwrap().step(&"tell".into()).unwrap().clone();
    assert!(matches!(state.phase, StepPhase::Unknown(_)), "{state:?}");
    let shown = stack.run(&["run"]);
    assert!(
        shown.out.contains("UNKNOWN") && shown.out.contains("run retry|skip|done"),
        "{shown:?}"
    );
    // Without a reason no word is taken; with one it stands in the journal.
    let refused = stack.run(&["run", "done", "--reason", " "]);
    assert_eq!(refused.code, 64, "{refused:?}");
    let refused = stack.run(&["run", "done", "--step", "nothing", "--reason", "x"]);
    assert!(refused.err.contains("name one of tell"), "{refused:?}");
    let said = stack.run(&["run", "done", "--reason", "seen in the channel"]);
    assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
    let situation = stack.situation();
    let state = situation.run.as_ref().unwrap().step(&"tell".into()).unwrap();
    assert_eq!(state.phase, StepPhase::Done);
    assert!(state.note.as_str().contains("seen in the channel"), "{state:?}");
    assert!(!told.exists());
    let ends = super::entries(&stack);
    let repeated = ends.iter().filter(|entry| {
        matches!(&entry.body, backout::model::entry::Body::Event(event)
            if matches!(event.as_ref(), Event::StepStarted { attempt: 2.., .. }))
    });
    assert_eq!(repeated.count(), 0);
}

/// A person may also have it tried again: then, and only then, it is.
#[test]
fn a_person_has_it_tried_again_or_left_out() {
    for (verb, lines) in [("retry", 1), ("skip", 0)] {
        let stack = Stack::up(None);
        let told = stack.dir().join("told");
        let script = format!("echo told >> {}", told.display());
        let spec = tool(&["/bin/sh", "-c", &script], None, stack.dir());
        let plan = plan_of_one(&stack, spec);
        alone(&stack);
        let situation = stack.situation();
        let run = super::RunId(format!("{}-{}-1", situation.last_incident + 1, situation.journal));
        left_behind(&stack, plan, "before", vec![begun(&run, "tell", 1)]);
        stack.run(&["rollback", "--quick", "--reason", "again"]);
        let asked = || stack.situation().open_run().is_some_and(|run| run.waiting.is_some());
        stack.wait("the run asks", Duration::from_secs(20), asked);
        let said = stack.run(&["run", verb, "--step", "tell", "--reason", "nobody was told"]);
        assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
        let through = || {
            let situation = stack.situation();
            let run = situation.run.as_ref().unwrap();
            run.step(&"tell".into()).unwrap().phase.is_through()
        };
        stack.wait("the step is through", Duration::from_secs(20), through);
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        assert_eq!(text.lines().count(), lines, "{verb}");
    }
}
