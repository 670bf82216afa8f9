//! What was acknowledged is on the disk (G4), also when the disk is full (G5); without a journal
//! nothing happens (G10). The kernel's word for it: the system calls of a process of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use backout::adapters::process::Program;
use backout::adapters::shim::{Shim, ToolCommand};
use backout::journal::{Error, Writer};

use super::super::support::Stack;
use super::super::tools::{required, tool};
use super::{long, note, program_of_tests, runtime, tell};

/// Whether strace is there and may trace; says so when not.
pub(crate) fn can_trace() -> bool {
    if tool("strace", "strace").is_none() {
        return false;
    }
    let traced = Command::new("strace").args(["-o", "/dev/null", "/bin/true"]).output();
    let can = traced.is_ok_and(|done| done.status.success());
    if !can {
        assert!(!required("strace"), "strace is required, and may not trace");
        tell("SKIPPED: strace may not trace");
    }
    can
}

/// The system calls that `test` of this program makes in `dir`, in their order.
fn calls_of(test: &str, dir: &Path, which: &str) -> Vec<String> {
    let trace = dir.join("trace");
    let done = Command::new("strace")
        .args(["-f", "-y", "-s", "256", "-e", &format!("trace={which}"), "-o"])
        .arg(&trace)
        .arg(program_of_tests())
        .args(["--exact", "--ignored", "--nocapture", test])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    // A call that another thread came between is told in two lines; its end counts.
    let text = std::fs::read_to_string(trace).unwrap();
    text.lines().filter(|line| !line.contains("<unfinished")).map(str::to_owned).collect()
}

/// How many entries the process below writes.
const ENTRIES: usize = 20;

#[test]
#[ignore = "the process that the test below traces"]
fn child_writes() {
    runtime().block_on(async {
        let mut writer = Writer::open(Path::new("state")).await.unwrap();
        for number in 0..ENTRIES {
            writer.append(vec![note("x")]).await.unwrap();
            std::fs::write(format!("acknowledged-{number}"), "").unwrap();
        }
    });
}

/// Between an entry and what is done on its word, its log is synced: 20 of 20.
#[test]
fn each_entry_is_on_disk_before_the_next_one() {
    if !can_trace() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "guarantees::durability::child_writes";
    let calls = calls_of(test, dir.path(), "fsync,fdatasync,openat");
    let cheap = calls.iter().filter(|call| {
        call.contains("fdatasync") && call.contains("journal.db-wal") && call.contains("= 0")
    });
    assert!(cheap.count() >= ENTRIES, "the log is synced with its times: see .cargo/config.toml");
    let (mut synced, mut proved) = (false, 0);
    for call in &calls {
        if call.contains("sync") && call.contains("= 0") {
            synced = true;
        }
        if call.contains("acknowledged-") {
            assert!(synced, "acknowledged before it was on disk: {call}");
            synced = false;
            proved += 1;
        }
    }
    assert_eq!(proved, ENTRIES);
}

#[test]
#[ignore = "the process that the test below traces"]
fn child_starts_a_tool() {
    let command = ToolCommand {
        argv: vec!["/bin/true".to_owned()],
        cwd: std::env::current_dir().unwrap(),
        env: BTreeMap::new(),
        budget: Duration::from_secs(20),
        grace: Duration::from_secs(1),
    };
    let program = Program::at(env!("CARGO_BIN_EXE_backout"));
    runtime().block_on(async {
        let shim = Shim::at(std::env::current_dir().unwrap().join("slot.1"));
        shim.start(&program, &command).unwrap();
        shim.adopt(&backout::clock::Clock::real(), || ()).await.unwrap();
    });
}

/// A name that is not on disk is gone after a power loss, and the tool would be started twice.
#[test]
fn a_tool_begins_after_its_slot_is_on_disk() {
    if !can_trace() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "guarantees::durability::child_starts_a_tool";
    let calls = calls_of(test, dir.path(), "fsync,rename,execve,renameat,renameat2");
    let at = |wanted: &dyn Fn(&str) -> bool| calls.iter().position(|call| wanted(call));
    let named = at(&|call| call.contains("rename") && call.contains("started.json"));
    let named = named.unwrap_or_else(|| panic!("no started.json: {calls:#?}"));
    let began = at(&|call| call.contains("execve(\"/bin/true\"")).expect("the tool never began");
    let folder = |call: &String| call.contains("fsync(") && call.contains("/slot.1>");
    assert!(named < began, "{calls:#?}");
    assert!(calls[named..began].iter().any(folder), "its folder was not synced: {calls:#?}");
}

/// G5 in a whole run: the insert that finds the disk full is made again with the ballast's space.
#[test]
fn a_disk_that_is_full_at_any_write_of_a_run_changes_nothing_of_its_end() {
    let writes: Vec<u64> = if long() { (1..=40).collect() } else { vec![6, 14, 23] };
    std::thread::scope(|scope| {
        for part in writes.chunks(writes.len().div_ceil(3)) {
            scope.spawn(move || {
                for at in part {
                    let stack = Stack::up(Some("errors:0.3"));
                    let fault = format!("enospc:{at}");
                    let done = stack.run_with(&fault, &["rollback", "--quick", "--reason", "test"]);
                    assert_eq!(done.code, 0, "{fault}: {done:?}\n{}", stack.log());
                    let points = stack.dir().join("backups");
                    assert!(points.read_dir().unwrap().count() > 0, "{fault}: points are kept");
                    super::entries(&stack);
                }
            });
        }
    });
}

/// G10: where no journal can be kept, nothing is begun.
#[test]
fn without_a_journal_no_engine_starts_and_nothing_is_changed() {
    let stack = Stack::up(Some("errors:0.3"));
    let before = stack.ledger();
    std::fs::remove_dir_all(stack.state()).ok();
    std::fs::write(stack.state(), "a file where the folder should be").unwrap();
    let said = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("state"), "{said:?}");
    assert_eq!(stack.ledger(), before);
    std::fs::remove_file(stack.state()).unwrap();
    // A journal that is damaged is none.
    std::fs::create_dir(stack.state()).unwrap();
    std::fs::write(stack.state().join("journal.db"), vec![b'x'; 8192]).unwrap();
    let opened = runtime().block_on(Writer::open(&stack.state()));
    assert!(matches!(opened, Err(Error::Damaged { .. } | Error::Unfit { .. })), "{opened:?}");
    let said = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert_eq!(stack.ledger(), before);
}
