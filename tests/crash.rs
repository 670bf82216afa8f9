//! The engine is killed at every boundary of every step, and after every entry: the run ends the
//! same, and no effect happens twice by a ledger that the stack's own processes keep.

use std::time::Duration;

use super::guarantees::campaign::{LEVELS, ending, stack_for};
use super::guarantees::{boundaries, long, plan_for, tell};
use super::support::Stack;

/// A fault that did not strike has shown nothing.
fn struck(stack: &Stack) -> bool {
    stack.state().join("fault-struck").exists()
}

/// How often the ledger tells of this.
fn count(stack: &Stack, what: &str) -> usize {
    stack.ledger().iter().filter(|line| line.starts_with(what)).count()
}

/// One run with a fault in the engine, checked against an undisturbed run.
fn survives(fault: &str) {
    let stack = Stack::up(Some("errors:0.3"));
    let done = stack.run_with(fault, &["rollback", "--quick", "--reason", "test"]);
    assert_eq!(done.code, 0, "{fault}: {done:?}\n{}", stack.log());
    // A run that needs fewer entries is not cut off by a later one.
    let after = fault.strip_prefix("die-after-seq:").map(|seq| seq.parse::<u64>().unwrap());
    // Nor is the journal's last word the end of it: the engine still says that it stops.
    let written = stack.situation().seq;
    if after.is_none_or(|seq| seq <= written) {
        assert!(struck(&stack), "{fault} did not strike; the journal has {written} entries");
    }
    let status = stack.status();
    assert_eq!(status["active"], "blue", "{fault}");
    assert_eq!(status["green"]["state"], "down", "{fault}");
    stack.assert_data_kept();
    for (what, times) in [
        ("switch green->blue ", 1),
        ("stop green ", 1),
        ("stop green-worker ", 1),
        ("start green-worker ", 1),
        ("stop blue-worker ", 0),
    ] {
        assert_eq!(count(&stack, what), times, "{fault}: {what}: {:?}", stack.ledger());
    }
    // An engine that died between the end of the run and its line writes the line when it is back.
    let file = stack.state().join("rollback_history.log");
    let history = || std::fs::read_to_string(&file).unwrap_or_default();
    stack.wait("the history line", Duration::from_secs(10), || !history().is_empty());
    assert_eq!(history().lines().count(), 1, "{fault}: {}", history());
}

/// Several at a time: each stack is its own.
fn all(faults: Vec<String>) {
    all_of(faults, survives);
}

fn all_of(faults: Vec<String>, survives: impl Fn(&str) + Sync) {
    let left = std::sync::Mutex::new(faults.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(fault) = next else { return };
                    survives(&fault);
                }
            });
        }
    });
}

/// Levels, their steps and the boundaries come from the plans that this version makes.
#[test]
fn killed_at_every_boundary_of_every_step_the_run_ends_the_same() {
    let plans = LEVELS.map(|(level, _, arguments)| plan_for(&stack_for(level), arguments));
    let tables = boundaries(&plans);
    let tried: usize = tables.iter().map(Vec::len).sum();
    for (faults, (level, _, arguments)) in tables.into_iter().zip(LEVELS) {
        if level == 1 {
            all(faults);
            continue;
        }
        let stack = stack_for(level);
        let done = stack.run(arguments);
        assert_eq!(done.code, 0, "level {level}: {done:?}\n{}", stack.log());
        let undisturbed = ending(&stack);
        drop(stack);
        all_of(faults, |fault| {
            let stack = stack_for(level);
            let done = stack.run_with(fault, arguments);
            assert_eq!(done.code, 0, "{fault}: {done:?}\n{}", stack.log());
            assert!(struck(&stack), "{fault} did not strike");
            assert_eq!(ending(&stack), undisturbed, "{fault}");
        });
    }
    tell(&format!("{tried} boundaries: 0 lost, 0 doubled"));
}

#[test]
fn killed_before_the_order_the_switch_still_happens() {
    survives("die-at:B4:switch");
}

#[test]
fn killed_after_every_entry_the_run_ends_the_same() {
    let entries = entries_of_a_run();
    assert!(entries > 20, "a run has {entries} entries");
    let every = if long() { 1 } else { 9 };
    all((1..=entries).step_by(every).map(|seq| format!("die-after-seq:{seq}")).collect());
}

/// A release that is started again, with a fault in the engine: each effect once.
fn redeploy_survives(fault: &str) {
    let stack = Stack::up(Some("errors:0.3"));
    let arguments = ["rollback", "--target", "v2.4.8", "--auto-confirm", "--reason", "test"];
    let done = stack.run_with(fault, &arguments);
    assert_eq!(done.code, 0, "{fault}: {done:?}\n{}", stack.log());
    assert!(struck(&stack), "{fault} did not strike");
    let status = stack.status();
    assert_eq!((&status["active"], &status["green"]["state"]), (&"blue".into(), &"down".into()));
    assert_eq!(status["blue"]["version"], "v2.4.8", "{fault}");
    // Blue was started once with the stack, and once with the release.
    for (what, times) in [
        ("stop blue ", 1),
        ("start blue ", 2),
        ("switch green->blue ", 1),
        ("stop green ", 1),
        ("stop green-worker ", 1),
        ("stop blue-worker ", 0),
    ] {
        assert_eq!(count(&stack, what), times, "{fault}: {what}: {:?}", stack.ledger());
    }
}

#[test]
fn killed_at_every_boundary_of_a_redeploy_the_release_is_started_once() {
    let stack = Stack::up(Some("errors:0.3"));
    let plan = plan_for(&stack, &["rollback", "--target", "v2.4.8"]);
    drop(stack);
    let mut faults = boundaries(&[plan]).concat();
    if !long() {
        // The rest is the same as in a switch.
        faults = ["B1:save", "B6:save", "B4:deploy", "B5:deploy", "B8:deploy"]
            .map(|at| format!("die-at:{at}"))
            .to_vec();
    }
    assert!(faults.len() > 1, "{faults:?}");
    all_of(faults, redeploy_survives);
}

/// A run that is taken back, with a fault in the engine that takes it back: each effect once.
fn undo_survives(fault: &str) {
    let stack = Stack::up(None);
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_eq!(done.code, 0, "{fault}: {done:?}\n{}", stack.log());
    // The engine that follows is another one: the fault is in that one.
    stack.wait("the engine ends", Duration::from_secs(30), || {
        stack.run(&["status", "--json"]).json()["engine_running"] == false
    });
    let undone =
        stack.run_with(fault, &["rollback", "--undo", "last", "--auto-confirm", "--reason", "x"]);
    assert_eq!(undone.code, 0, "{fault}: {undone:?}\n{}", stack.log());
    assert!(struck(&stack), "{fault} did not strike");
    let status = stack.status();
    assert_eq!((&status["active"], &status["green"]["state"]), (&"green".into(), &"up".into()));
    for (what, times) in [
        ("start green ", 2),
        ("start green-worker ", 2),
        ("switch blue->green ", 2),
        ("stop blue ", 0),
    ] {
        assert_eq!(count(&stack, what), times, "{fault}: {what}: {:?}", stack.ledger());
    }
}

#[test]
fn killed_while_a_run_is_taken_back_it_is_taken_back_once() {
    let stack = Stack::up(None);
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_eq!(done.code, 0, "{done:?}");
    let mut faults = boundaries(&[plan_for(&stack, &["rollback", "--undo", "last"])]).concat();
    drop(stack);
    if !long() {
        faults.retain(|fault| fault.contains(":back_stop"));
        faults.extend(["B4", "B6", "B9"].map(|point| format!("die-at:{point}:back_stop")));
        faults.sort();
        faults.dedup();
    }
    assert!(faults.len() > 1, "{faults:?}");
    all_of(faults, undo_survives);
}

/// How many entries an undisturbed run writes.
fn entries_of_a_run() -> u64 {
    let stack = Stack::up(Some("errors:0.3"));
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut reader = backout::journal::Reader::open(&stack.state()).await.unwrap();
        reader.verify().await.unwrap()
    })
}

#[test]
fn keeper_and_engine_killed_the_next_client_starts_a_pair() {
    let stack = Stack::up(Some("errors:0.3"));
    let detached = stack.run(&["rollback", "--quick", "--reason", "test", "--detach"]);
    assert_eq!(detached.code, 0, "{detached:?}");
    let engines = || stack.run(&["ps", "--json"]).json().as_array().unwrap().clone();
    let engine = engines().first().cloned().expect("no engine runs");
    let pid = i32::try_from(engine["pid"].as_i64().unwrap()).unwrap();
    let keeper = parent_of(pid);
    for pid in [keeper, pid] {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    stack.wait("the engine is gone", Duration::from_secs(5), || engines().is_empty());
    // Any client that may command starts a pair, which goes on with the run.
    let refused = stack.run(&["rollback", "--quick", "--reason", "again"]);
    assert_ne!(refused.code, 0, "a second run began beside the first: {refused:?}");
    stack.wait("the run ends", Duration::from_secs(40), || {
        stack.run(&["history"]).out.contains("STATUS=success")
    });
    assert_eq!(stack.status()["active"], "blue");
}

pub(crate) fn parent_of(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let rest = stat.rsplit_once(')').unwrap().1;
    rest.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
