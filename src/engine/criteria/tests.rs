//! The six criteria of level 1, each measured, and which of them a slow or a late run misses.

use super::*;
use crate::checks::CheckKind;
use crate::model::entry::{Event, StepEnd};
use crate::model::reading::Policy;
use crate::model::sample::{Board, Tape, at, burst, level_one, role, run_id};

/// A level 1 whose steps are through after 12 s, seen 60 times since, each time after `ms`.
fn measured(ms: u64, now: i64) -> Vec<Criterion> {
    let mut tape = Tape::new();
    tape.started(level_one());
    tape.now = 10;
    for step in ["verify", "switch", "gate", "preserve", "drain"] {
        tape.event(Event::StepStarted {
            run: run_id(),
            step: step.into(),
            attempt: 1,
            effect: String::new(),
            boot: "b1".into(),
        });
        tape.event(Event::StepEnded {
            run: run_id(),
            step: step.into(),
            attempt: 1,
            end: StepEnd::Done,
            took: Duration::from_secs(2),
            note: "seen".into(),
        });
    }
    let mut board = Board::default().check("api", role("api"));
    for second in 12..15 {
        board.take(burst("api", second, (0, 20), ms));
    }
    let Board { tracks, roles, recent } = &board;
    let good_response = Duration::from_millis(500);
    let measured =
        Measured { tracks, roles, recent, good_response, patience: PATIENCE.0, now: at(now) };
    of(tape.situation.run.as_ref().unwrap(), &measured)
}

fn missed(all: &[Criterion]) -> Vec<&str> {
    let missed = all.iter().filter(|one| one.answer != Passed::Yes);
    missed.map(|one| one.name.as_str()).collect()
}

#[test]
fn six_are_measured_and_a_slow_or_a_late_run_misses_exactly_one() {
    let well = measured(40, 20);
    assert_eq!((well.len(), missed(&well)), (6, Vec::new()), "{well:?}");
    assert!(well.iter().all(|one| !one.measured.is_empty()), "{well:?}");
    let slow = measured(600, 20);
    assert_eq!(missed(&slow), ["response time < 500 ms"], "{slow:?}");
    let late = measured(40, 301);
    assert_eq!(missed(&late), ["total < 5 min"], "{late:?}");
}

/// A look that hangs at the version that was left is waited for; two minutes at most.
#[test]
fn what_was_left_is_not_held_against_the_version_that_serves_now() {
    let spec = |timeout: u64, interval: u64, live: bool| CheckSpec {
        id: "api".into(),
        name: "api".into(),
        interval: Duration::from_secs(interval),
        fast_interval: Duration::from_secs(5),
        timeout: Duration::from_secs(timeout),
        policy: Policy {
            fail_after: 3,
            ok_after: 2,
            fail_window: None,
            stale_after: Duration::from_secs(90),
        },
        role: role("api"),
        live,
        phases: Vec::new(),
        enabled: true,
        attempts: 1,
        clear: None,
        kind: CheckKind::Unaddressed { kind: "http_response" },
    };
    let seconds = |all: &[CheckSpec]| patience(all).as_secs();
    assert_eq!(seconds(&[]), 20);
    assert_eq!(seconds(&[spec(2, 1, true)]), 20);
    assert_eq!(seconds(&[spec(2, 1, true), spec(20, 1, true)]), 26);
    assert_eq!(seconds(&[spec(10, 60, true)]), 32, "in an incident the fast rhythm counts");
    assert_eq!(seconds(&[spec(600, 60, true)]), 120);
    assert_eq!(seconds(&[spec(600, 60, false)]), 20, "nobody looks there");
}

#[test]
fn each_level_has_the_documents_objective() {
    let seconds = |level: Level| level.rto().as_secs();
    let all = [Level::Switch, Level::Full, Level::PointInTime].map(seconds);
    assert_eq!(all, [300, 900, 1_800]);
}
