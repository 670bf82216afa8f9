//! Three ways to stop a run, at each boundary of each step (G16): it ends in a state that has a
//! name, and what is left is measured.

use std::process::Stdio;
use std::time::Duration;

use backout::model::entry::{Outcome, Standing};
use rustix::process::Signal;

use super::super::support::Stack;
use super::{boundaries, engine_of, long, plan_for, signal, tell};

/// The engine sleeps at the boundary, a person stops the run, the engine wakes.
fn stopped_at(boundary: &str, verb: &str) {
    let stack = Stack::up(Some("errors:0.3"));
    let fault = boundary.replace("die-at", "sleep-at");
    let started = stack.run_with(&fault, &["rollback", "--quick", "--reason", "test", "--detach"]);
    assert_eq!(started.code, 0, "{boundary}: {started:?}\n{}", stack.log());
    let pid = engine_of(&stack);
    stack.wait(&format!("the engine sleeps at {boundary}"), Duration::from_secs(30), || {
        stack.state().join("fault-struck").exists() && sleeps(pid)
    });
    let before = connections(&stack);
    let mut abort = stack.command(&["run", "abort", verb, "--reason", "test"]);
    let abort = abort.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    stack.wait("the person is at the engine's socket", Duration::from_secs(30), || {
        connections(&stack) > before
    });
    signal(pid, Signal::CONT);
    let said = abort.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let situation = stack.situation();
    let run = situation.run.as_ref().unwrap();
    let what = format!("{boundary} {verb}: {text}\n{:?}\n{}", run.ended, stack.log());
    let outcome = run.ended.as_ref().map(|ended| ended.outcome);
    let expected = if verb == "UNDO" { Outcome::Undone } else { Outcome::Aborted };
    assert_eq!(outcome, Some(expected), "{what}");
    // What is shown is what the stack itself says.
    let status = stack.status();
    let active = if status["active"] == "blue" { Standing::Done } else { Standing::NotDone };
    if let Some((_, seen)) = run.measured().find(|(step, _)| step.id.as_str() == "switch") {
        assert_eq!(*seen, active, "{what}");
        assert!(
            text.contains(&format!("Now: switch traffic to blue: {}", active.words())),
            "{what}"
        );
    }
    if verb == "UNDO" {
        assert_eq!(status["active"], "green", "{what}");
    }
    // Old data and the way back are still there, whichever it was.
    stack.assert_data_kept();
    let serving = status["active"].as_str().unwrap().to_owned();
    assert_eq!(status[&serving]["state"], "up", "{what}");
    // Taken back twice is taken back once.
    let again = stack.run(&["run", "abort", verb, "--reason", "again"]);
    assert!(again.err.contains("no run is open"), "{again:?}");
    assert_eq!(stack.status()["active"], status["active"]);
}

/// How many ends of the engine's socket the system knows.
fn connections(stack: &Stack) -> usize {
    let folder = stack.runtime().to_str().unwrap();
    let known = std::fs::read_to_string("/proc/net/unix").unwrap();
    known.lines().filter(|line| line.contains(folder)).count()
}

fn sleeps(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

#[test]
fn stopped_at_any_boundary_the_run_ends_in_a_named_state_that_was_measured() {
    let stack = Stack::up(Some("errors:0.3"));
    let plan = plan_for(&stack, &["rollback", "--quick"]);
    drop(stack);
    let all = boundaries(&[plan]).concat();
    let verbs = ["STOP", "NOW", "UNDO"];
    let chosen: Vec<(String, &str)> = if long() {
        all.iter().flat_map(|at| verbs.map(|verb| (at.clone(), verb))).collect()
    } else {
        // Each verb around the switch: before its order, and when it is proved.
        let around = ["die-at:B4:switch", "die-at:B7:switch"];
        around.iter().flat_map(|at| verbs.map(|verb| ((*at).to_owned(), verb))).collect()
    };
    let count = chosen.len();
    let left = std::sync::Mutex::new(chosen.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some((at, verb)) = next else { return };
                    stopped_at(&at, verb);
                }
            });
        }
    });
    tell(&format!("{count} stops, each in a named state that was measured"));
}
