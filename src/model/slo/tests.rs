use super::*;
use crate::model::reading::{Phases, Reason, Why, WhyClass};
use chrono::{TimeZone as _, Utc};

fn at(seconds: i64) -> Time {
    Utc.timestamp_opt(1_763_769_600 + seconds, 0).unwrap()
}

fn objective() -> Objective {
    Objective { percent: 99.0, window: DAY * 30, min_volume: 10 }
}

fn reading(seconds: i64, finding: Finding, failed_of: (u32, u32)) -> Reading {
    Reading {
        check: "api".into(),
        at: at(seconds),
        took: Duration::from_millis(5),
        phases: Phases::default(),
        finding,
        value: None,
        unit: String::new(),
        note: "".into(),
        failed_of,
        latencies: Vec::new(),
        facts: Vec::new(),
    }
}

fn bad() -> Finding {
    Finding::Bad { why: Why { class: WhyClass::Status, text: "503".into() } }
}

/// One look every 30 s from `from` to `to`; every `nth` of them fails.
fn looked(tally: &mut Tally, (from, to): (i64, i64), nth: i64) {
    for at in (from..to).step_by(30) {
        let failed = nth > 0 && (at / 30) % nth == 0;
        let finding = if failed { bad() } else { Finding::Good };
        tally.take(&reading(at, finding, (u32::from(failed), 1)), &objective());
    }
}

const DAY_OF: i64 = 86_400;

#[test]
fn the_budget_is_what_may_still_fail_and_can_be_overspent() {
    let mut tally = Tally::default();
    looked(&mut tally, (0, 10 * DAY_OF), 200);
    let stands = standing(&"api".into(), &objective(), &tally, at(10 * DAY_OF));
    // Half a percent fails of the one percent that may.
    assert!((stands.left.unwrap() - 0.5).abs() < 0.01, "{stands:?}");
    assert_eq!(stands.covered, DAY * 10);
    assert_eq!(stands.alarm(), None);
    assert!(stands.burns.iter().all(|burn| burn.burns == Burns::No), "{stands:?}");
    looked(&mut tally, (10 * DAY_OF, 12 * DAY_OF), 10);
    let left = budget_left(&objective(), &tally, at(12 * DAY_OF)).unwrap();
    assert!(left < -0.9, "{left}");
}

#[test]
fn each_pair_burns_when_both_of_its_windows_do() {
    let names = |tally: &Tally, now: i64| -> Vec<Burns> {
        let stands = standing(&"api".into(), &objective(), tally, at(now));
        stands.burns.iter().map(|burn| burn.burns).collect()
    };
    let mut tally = Tally::default();
    looked(&mut tally, (0, 4 * DAY_OF), 0);
    assert_eq!(names(&tally, 4 * DAY_OF), [Burns::No; 4]);
    // One of four fails: 25 times as fast as allowed. The first hour pages, the days take longer.
    let mut now = 4 * DAY_OF;
    looked(&mut tally, (now, now + 3600), 4);
    now += 3600;
    let after_an_hour = names(&tally, now);
    assert_eq!((after_an_hour[0], after_an_hour[2]), (Burns::Yes, Burns::No));
    looked(&mut tally, (now, now + 5 * 3600), 4);
    now += 5 * 3600;
    assert_eq!(names(&tally, now), [Burns::Yes; 4]);
    let alarm = standing(&"api".into(), &objective(), &tally, at(now)).alarm();
    assert_eq!(alarm, Some(Alarm::Page));
    // Forty quiet minutes end what pages; the tickets stay.
    looked(&mut tally, (now, now + 2400), 0);
    now += 2400;
    assert_eq!(names(&tally, now), [Burns::No, Burns::No, Burns::Yes, Burns::Yes]);
    let alarm = standing(&"api".into(), &objective(), &tally, at(now)).alarm();
    assert_eq!(alarm, Some(Alarm::Ticket));
}

#[test]
fn what_was_not_seen_is_neither_good_nor_an_alarm() {
    let mut tally = Tally::default();
    for second in 0..200 {
        let unknown = Finding::Unknown { reason: Reason::NoData };
        tally.take(&reading(second, unknown, (0, 0)), &objective());
    }
    assert_eq!(tally, Tally::default());
    for second in 0..9 {
        tally.take(&reading(second, bad(), (0, 0)), &objective());
    }
    let stands = standing(&"api".into(), &objective(), &tally, at(9));
    assert_eq!((stands.left, stands.alarm()), (None, None));
    assert!(stands.burns.iter().all(|burn| burn.burns == Burns::Unknown), "{stands:?}");
    tally.take(&reading(9, bad(), (0, 0)), &objective());
    // Ten of ten: a hundred times what is allowed.
    let stands = standing(&"api".into(), &objective(), &tally, at(9));
    assert_eq!(stands.alarm(), Some(Alarm::Page));
    assert!((stands.left.unwrap() + 99.0).abs() < 0.01, "{stands:?}");
}

#[test]
fn bursts_count_each_request_and_old_counts_are_forgotten() {
    let mut tally = Tally::default();
    tally.take(&reading(0, bad(), (7, 20)), &objective());
    tally.take(&reading(30, Finding::Good, (0, 20)), &objective());
    assert_eq!(tally.counted(HOUR, at(60)), Count { failed: 7, all: 40 });
    assert_eq!(tally.counted(HOUR, at(3700)), Count::default());
    assert_eq!(tally.counted(DAY, at(3700)), Count { failed: 7, all: 40 });
    looked(&mut tally, (31 * DAY_OF, 62 * DAY_OF), 0);
    assert!(tally.minutes.len() <= 361 && tally.hours.len() <= 721, "bounded");
    let json = serde_json::to_string(&tally).unwrap();
    assert_eq!(serde_json::from_str::<Tally>(&json).unwrap(), tally);
}
