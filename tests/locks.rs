//! The deployment lock and the emergency stop, headless, on the embedded stack: pipelines see who
//! keeps them out, a rollback takes the lock and gives it back, and after an emergency stop nothing
//! starts until a person releases it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use backout::model::entry::{Body, Command, Event};
use backout::model::incident::StepPhase;
use backout::model::lock::LockKind;

use super::support::{Said, Stack, promised};

fn file(stack: &Stack) -> PathBuf {
    stack.dir().join("deployment-emergency-stop")
}

fn check(stack: &Stack) -> Said {
    stack.run(&["lock", "check"])
}

fn entries(stack: &Stack) -> Vec<Body> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut reader = backout::journal::Reader::open(&stack.state()).await.unwrap();
        let entries = reader.after(0, 10_000).await.unwrap();
        entries.into_iter().map(|entry| entry.body).collect()
    })
}

#[test]
fn a_lock_keeps_others_out_by_name_reason_and_end_and_not_its_owner() {
    let stack = Stack::up(Some("errors:0.3"));
    assert_eq!(check(&stack).code, 0, "without a journal nothing was ever locked");
    let taken = stack.run(&["lock", "acquire", "--for", "20m", "--reason", "schema by hand"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    assert!(file(&stack).exists());
    let held = check(&stack);
    assert_eq!(held.code, 12, "{held:?}");
    assert!(
        held.out.starts_with("deployments are locked by tester: schema by hand, until "),
        "{held:?}"
    );
    let left = stack.run(&["leftovers"]);
    assert!(left.out.contains("deployment lock  (tester)"), "{left:?}");
    // Another person, by name.
    let other = |arguments: &[&str]| {
        let mut command = stack.command(arguments);
        command.env("USER", "zoe");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    };
    let refused = other(&["rollback", "--quick", "--auto-confirm", "--reason", "test"]);
    assert_eq!(refused.0, 12, "{refused:?}");
    assert!(refused.1.contains("locked by tester: schema by hand, until "), "{refused:?}");
    assert_eq!(other(&["lock", "acquire", "--reason", "mine"]).0, 12);
    assert_eq!(other(&["lock", "release", "--reason", "mine"]).0, 12);
    let forced = other(&["lock", "release", "--force", "--reason", "tester has left"]);
    assert_eq!(forced.0, 0, "{forced:?}");
    assert_eq!((check(&stack).code, file(&stack).exists()), (0, false));
    let over = stack.run(&["lock", "acquire", "--for", "1s", "--reason", "a moment"]);
    assert!(over.code == 0 || over.code == 15, "{over:?}");
    stack.wait("its time is over", Duration::from_secs(20), || check(&stack).code == 0);
    let said = check(&stack);
    assert!(said.out.contains("EXPIRED") && said.out.contains("anybody may take it"), "{said:?}");
    assert_eq!(other(&["lock", "acquire", "--reason", "mine now"]).0, 0);
}

#[test]
fn a_rollback_takes_the_lock_and_gives_it_back_and_a_touched_file_is_a_lock_too() {
    let stack = Stack::up(Some("errors:0.3"));
    std::fs::write(file(&stack), "").unwrap();
    let held = check(&stack);
    assert_eq!(held.code, 12, "{held:?}");
    assert!(held.out.contains("by somebody"), "{held:?}");
    let refused = stack.run(&["rollback", "--quick", "--auto-confirm", "--reason", "test"]);
    assert_eq!(refused.code, 12, "{refused:?}");
    assert!(refused.err.contains("rm "), "{refused:?}");
    assert!(file(&stack).exists(), "somebody's file stays");
    std::fs::remove_file(file(&stack)).unwrap();
    // Its owner is not in their own way.
    let own = stack.run(&["lock", "acquire", "--reason", "I roll back myself"]);
    assert_eq!(own.code, 0, "{own:?}");
    let mut run =
        stack.start(&["rollback", "--quick", "--auto-confirm", "--reason", "errors of v2.5.0"]);
    stack.wait("the run takes the lock", Duration::from_mins(1), || {
        std::fs::read_to_string(file(&stack)).is_ok_and(|note| note.contains("rollback 1-"))
    });
    let held = check(&stack);
    assert_eq!(held.code, 12, "{held:?}");
    assert!(held.out.contains("locked by tester: rollback 1-"), "{held:?}");
    assert_eq!(stack.run(&["lock", "acquire", "--reason", "mine"]).code, 12);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(check(&stack).code, 12, "the run's lock is gone, the person's is not");
    let released = stack.run(&["lock", "release", "--reason", "done"]);
    assert_eq!(released.code, 0, "{released:?}");
    assert_eq!((check(&stack).code, file(&stack).exists()), (0, false));
    let story: Vec<&'static str> = entries(&stack)
        .iter()
        .filter_map(|body| match body {
            Body::Event(event) => match event.as_ref() {
                Event::RunStarted { .. } => Some("run"),
                Event::LockTaken { lock } if lock.kind == LockKind::Run => Some("lock"),
                Event::StepStarted { .. } => Some("step"),
                Event::RunEnded { .. } => Some("end"),
                Event::LockReleased { kind: LockKind::Run, .. } => Some("release"),
                _ => None,
            },
            Body::Command(..) | Body::Newer { .. } => None,
        })
        .collect();
    assert_eq!(story[..3], ["run", "lock", "step"]);
    assert_eq!(story[story.len() - 2..], ["end", "release"]);
}

#[test]
fn an_emergency_stop_ends_the_run_within_its_grace_and_nothing_starts_until_it_is_released() {
    let stack = Stack::up(Some("errors:0.3"));
    // A step that takes long: the gate between the switch and the end.
    stack.set("gate_every_seconds", "20");
    let mut run = stack.start(&["rollback", "--quick", "--auto-confirm", "--reason", "test"]);
    stack.wait("the run runs", Duration::from_mins(1), || {
        file(&stack).exists()
            && stack.situation().open_run().is_some_and(|run| run.running().count() > 0)
    });
    let began = Instant::now();
    let stopped = stack.run(&["stop", "--emergency", "--reason", "it makes it worse"]);
    assert_eq!(stopped.code, 0, "{stopped:?}\n{}", stack.log());
    assert!(began.elapsed() < promised(Duration::from_secs(30)), "{stopped:?}");
    assert!(stopped.out.contains("emergency stop by tester: it makes it worse"), "{stopped:?}");
    run.wait().unwrap();
    let known = stack.situation();
    let ended = known.run.as_ref().unwrap();
    assert!(ended.ended.is_some());
    assert!(ended.steps.iter().all(|step| step.phase != StepPhase::Running), "{:?}", ended.steps);
    assert!(file(&stack).exists(), "pipelines see it");
    assert_eq!(check(&stack).code, 12);
    for _ in 0..2 {
        let refused = stack.run(&["rollback", "--quick", "--auto-confirm", "--reason", "again"]);
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(refused.err.contains("emergency stop by tester"), "{refused:?}");
    }
    let runs = |stack: &Stack| {
        let starts = |body: &&Body| matches!(body, Body::Event(event) if matches!(**event, Event::RunStarted { .. }));
        entries(stack).iter().filter(starts).count()
    };
    assert_eq!(runs(&stack), 1);
    let again = stack.run(&["stop", "--emergency", "--now", "--reason", "to be sure"]);
    assert_eq!(again.code, 0, "{again:?}");
    let presses: Vec<bool> = entries(&stack)
        .iter()
        .filter_map(|body| match body {
            Body::Command(_, Command::EmergencyStop { hard, .. }) => Some(*hard),
            _ => None,
        })
        .collect();
    assert_eq!(presses.last(), Some(&true), "{presses:?}");
    assert!(!presses[0], "asked first");
    let released = stack.run(&["lock", "release", "--emergency", "--reason", "looked at"]);
    assert_eq!(released.code, 0, "{released:?}");
    assert_eq!((check(&stack).code, file(&stack).exists()), (0, false));
    stack.set("gate_every_seconds", "0.2");
}
