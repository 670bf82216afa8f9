//! The engine is killed at every boundary of every step, and after every entry: the run ends the
//! same, and no effect happens twice by a ledger that the stack's own processes keep.

use std::time::Duration;

use super::support::Stack;

const STEPS: [&str; 7] = ["verify", "switch", "gate", "preserve", "drain", "keep_warm", "stop"];

/// One run with a fault in the engine, checked against an undisturbed run.
fn survives(fault: &str) {
    let stack = Stack::up(Some("errors:0.3"));
    let before = stack.database();
    let done = stack.run_with(fault, &["rollback", "--quick", "--reason", "test"]);
    assert_eq!(done.code, 0, "{fault}: {done:?}\n{}", stack.log());
    let status = stack.status();
    assert_eq!(status["active"], "blue", "{fault}");
    assert_eq!(status["green"]["state"], "down", "{fault}");
    assert_eq!(stack.database(), before, "{fault}");
    let ledger = stack.ledger();
    let count = |what: &str| ledger.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("switch green->blue"), 1, "{fault}: {ledger:?}");
    assert_eq!(count("stop green"), 1, "{fault}: {ledger:?}");
    // An engine that died between the end of the run and its line writes the line when it is back.
    let file = stack.state().join("rollback_history.log");
    let history = || std::fs::read_to_string(&file).unwrap_or_default();
    stack.wait("the history line", Duration::from_secs(10), || !history().is_empty());
    assert_eq!(history().lines().count(), 1, "{fault}: {}", history());
}

/// Several at a time: each stack is its own.
fn all(faults: Vec<String>) {
    let left = std::sync::Mutex::new(faults.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
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

#[test]
fn killed_at_every_boundary_of_every_step_the_run_ends_the_same() {
    let boundaries = ["B1", "B2", "B4", "B5", "B6", "B8", "B9"];
    let faults = STEPS
        .iter()
        .flat_map(|step| boundaries.iter().map(move |point| format!("die-at:{point}:{step}")));
    all(faults.collect());
}

#[test]
fn killed_after_every_entry_the_run_ends_the_same() {
    let entries = entries_of_a_run();
    assert!(entries > 20, "a run has {entries} entries");
    all((1..=entries).map(|seq| format!("die-after-seq:{seq}")).collect());
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

fn parent_of(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let rest = stat.rsplit_once(')').unwrap().1;
    rest.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
