use chrono::TimeZone;

use super::super::reading::{Phases, Why, WhyClass};
use super::*;
use crate::text::SafeText;

fn at(second: i64) -> Time {
    chrono::Utc.timestamp_opt(1_764_000_000 + second, 0).unwrap()
}

fn reading(second: i64, finding: Finding) -> Reading {
    Reading {
        check: "api".into(),
        at: at(second),
        took: Duration::from_millis(3),
        phases: Phases::default(),
        finding,
        value: None,
        unit: String::new(),
        note: SafeText::default(),
        failed_of: (0, 1),
        latencies: Vec::new(),
        facts: Vec::new(),
    }
}

fn bad() -> Finding {
    Finding::Bad { why: Why { class: WhyClass::Status, text: "503".into() } }
}

fn policy() -> Policy {
    Policy { fail_after: 3, ok_after: 2, fail_window: None, stale_after: Duration::from_secs(30) }
}

#[test]
fn a_single_miss_is_only_a_warning() {
    let mut track = Track::new(at(0));
    track.take(reading(1, Finding::Good), &policy());
    track.take(reading(2, bad()), &policy());
    assert_eq!(track.status, Status::Warn);
    track.take(reading(3, bad()), &policy());
    track.take(reading(4, bad()), &policy());
    assert_eq!(track.status, Status::Fail);
}

#[test]
fn recovery_needs_more_than_one_good_reading() {
    let mut track = Track::new(at(0));
    for second in 1..=3 {
        track.take(reading(second, bad()), &policy());
    }
    track.take(reading(4, Finding::Good), &policy());
    assert_eq!(track.status, Status::Fail);
    track.take(reading(5, Finding::Good), &policy());
    assert_eq!(track.status, Status::Ok);
}

#[test]
fn an_unknown_reading_is_never_good_and_never_a_failure() {
    let mut track = Track::new(at(0));
    track.take(reading(1, Finding::Good), &policy());
    track.take(reading(2, Finding::Unknown { reason: Reason::NoTool }), &policy());
    assert_eq!((track.status, track.reason), (Status::Unknown, Some(Reason::NoTool)));
    assert_eq!((track.bad, track.good), (0, 1));
}

#[test]
fn silence_of_our_own_turns_a_good_check_stale() {
    let mut track = Track::new(at(0));
    track.take(reading(1, Finding::Good), &policy());
    assert!(!track.age(at(31), &policy()));
    assert!(track.age(at(32), &policy()));
    assert_eq!((track.status, track.reason), (Status::Unknown, Some(Reason::Stale)));
}

#[test]
fn three_of_five_fail_without_being_in_a_row() {
    let policy = Policy { fail_window: Some(FailWindow::Of { failures: 3, of: 5 }), ..policy() };
    let mut track = Track::new(at(0));
    for (second, finding) in (0..).zip([bad(), Finding::Good, bad(), Finding::Good, bad()]) {
        track.take(reading(second, finding), &policy);
    }
    assert_eq!(track.status, Status::Fail);
}

#[test]
fn three_within_five_minutes_fail_without_being_in_a_row() {
    let window = FailWindow::Within { failures: 3, span: Duration::from_mins(5) };
    let policy = Policy { fail_window: Some(window), ..policy() };
    let mut track = Track::new(at(0));
    for (second, finding) in
        [(0, bad()), (100, Finding::Good), (200, bad()), (250, Finding::Good), (290, bad())]
    {
        track.take(reading(second, finding), &policy);
    }
    assert_eq!(track.status, Status::Fail);
    let mut slow = Track::new(at(0));
    for (second, finding) in [(0, bad()), (200, Finding::Good), (290, bad()), (301, bad())] {
        slow.take(reading(second, finding), &policy);
    }
    assert_eq!(slow.status, Status::Warn, "the first one is older than the window");
}

#[test]
fn a_state_says_how_many_looks_it_rests_on_until_it_is_proven() {
    let mut track = Track::new(at(0));
    let mut looks = |second, finding| {
        track.take(reading(second, finding), &policy());
        track.looks.map(Looks::words)
    };
    assert_eq!(looks(1, bad()).as_deref(), Some("1 of 3 looks"));
    assert_eq!(looks(2, bad()).as_deref(), Some("2 of 3 looks"));
    assert_eq!(looks(3, bad()), None);
    assert_eq!(looks(4, Finding::Good).as_deref(), Some("1 of 2 looks"));
    assert_eq!(looks(5, Finding::Good), None);
    let mut cold = Track::new(at(0));
    cold.take(reading(1, Finding::Good), &policy());
    assert_eq!((cold.status, cold.looks), (Status::Ok, Some(Looks { seen: 1, needed: 2 })));
}

#[test]
fn what_is_laid_over_hides_nothing_of_its_own_readings() {
    let mut track = Track::new(at(0));
    for second in 1..=3 {
        track.take(reading(second, bad()), &policy());
    }
    assert!(track.lay(Some((Status::Unknown, Some(Reason::ParentFailing))), at(4)));
    assert_eq!((track.status, track.own()), (Status::Unknown, Status::Fail));
    track.take(reading(5, Finding::Good), &policy());
    track.take(reading(6, Finding::Good), &policy());
    assert_eq!((track.status, track.own()), (Status::Unknown, Status::Ok));
    assert!(track.lay(None, at(7)));
    assert_eq!((track.status, track.since), (Status::Ok, at(7)));
}

#[test]
fn a_check_that_changes_all_the_time_flaps_and_one_that_failed_once_does_not() {
    let mut track = Track::new(at(0));
    for second in 0..20 {
        let finding = if second == 7 { bad() } else { Finding::Good };
        track.take(reading(second, finding), &policy());
    }
    assert!(!track.flapping);
    for second in 20..30 {
        let finding = if second % 2 == 0 { bad() } else { Finding::Good };
        track.take(reading(second, finding), &policy());
    }
    assert!(track.flapping, "{:?}", track.recent);
    for second in 30..50 {
        track.take(reading(second, Finding::Good), &policy());
    }
    assert!(!track.flapping);
}
