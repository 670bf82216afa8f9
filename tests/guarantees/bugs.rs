//! The suite can fail: with each of twelve bugs put in, the test that is named for it does.

use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use backout::bug::Bug;

use super::{alone_in_a_process, durability, tell};

/// The test that catches a bug.
fn caught_by(bug: Bug) -> &'static str {
    match bug {
        Bug::NoIntentSync => "guarantees::durability::each_entry_is_on_disk_before_the_next_one",
        Bug::OutcomeBeforeEffect => "crash::killed_before_the_order_the_switch_still_happens",
        Bug::NoEpochCheck => "guarantees::engines::who_was_replaced_never_writes_again",
        Bug::ProbeErrorIsDone => "guarantees::unknown::a_look_that_fails_proves_nothing",
        Bug::WallClockLease => "guarantees::engines::a_lease_does_not_age",
        Bug::DeathSignal => "shim::a_killed_engine_leaves_a_tool_that_the_next_one_adopts",
        Bug::OkIsVerified => "guarantees::unknown::an_answer_is_no_proof",
        Bug::ExitCodeIsVerified => "guarantees::unknown::an_exit_code_is_no_proof",
        Bug::NoFolderSync => "guarantees::durability::a_tool_begins_after_its_slot_is_on_disk",
        Bug::OpaqueAgain => "guarantees::unknown::what_nobody_can_look_at_is_not_begun_again",
        Bug::LogToTerminal => "guarantees::engines::nothing_of_ours_holds_the_callers_terminal",
        Bug::UnlockedResume => "guarantees::engines::of_twenty_engines_one_wins",
    }
}

/// How long a test with a bug in may take: one that hangs has caught nothing by name.
const LIMIT: Duration = Duration::from_mins(8);

/// Whether the named test fails with the bug in; where it does not, what it said.
fn catches(bug: Bug) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    // Into files: whoever a bug leaves behind must not be waited for.
    let file = std::fs::File::create(&out).unwrap();
    let mut child = alone_in_a_process(caught_by(bug))
        .env("BACKOUT_BUG", bug.name())
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let said = String::from_utf8_lossy(&std::fs::read(&out).unwrap()).into_owned();
    // A test that is not there passes, and one that was ended by a signal has said nothing.
    let failed = status.and_then(|status| status.code()) == Some(101);
    if failed && said.contains("0 passed; 1 failed") {
        Ok(())
    } else {
        Err(format!("{status:?} {said}"))
    }
}

#[test]
fn each_of_twelve_bugs_is_caught_by_the_test_that_is_named_for_it() {
    let left = Mutex::new(Bug::ALL.into_iter());
    let table = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(bug) = next else { return };
                    let traced = matches!(bug, Bug::NoIntentSync | Bug::NoFolderSync);
                    let found =
                        if traced && !durability::can_trace() { None } else { Some(catches(bug)) };
                    table.lock().unwrap().push((bug, found));
                }
            });
        }
    });
    let table = table.into_inner().unwrap();
    let mut missed = Vec::new();
    for (bug, found) in &table {
        let word = match found {
            Some(Ok(())) => "caught",
            Some(Err(said)) => {
                missed.push(format!("{}: {said}", bug.name()));
                "MISSED"
            }
            None => "SKIPPED (strace is missing or may not trace)",
        };
        tell(&format!("{:<22} {word:<8} {}", bug.name(), caught_by(*bug)));
    }
    assert_eq!(table.len(), 12);
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}
