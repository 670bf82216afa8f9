use super::super::reading::{Reason, WhyClass};
use super::super::sample::*;
use super::*;

const ONE: (u32, u32) = (0, 1);

fn board() -> Board {
    Board::default().check("api", role("api"))
}

fn judged(board: &Board, now: i64) -> Progress {
    judge(&board.tracks, &board.roles, &board.recent, (at(60), at(70), at(now)))
}

fn before(board: &mut Board, failed: u32, ms: u64) {
    for second in 0..60 {
        board.take(burst("api", second, (failed, 10), ms));
    }
}

fn after(board: &mut Board, failed: u32, ms: u64, until: i64) {
    for second in 70..=until {
        board.take(burst("api", second, (failed, 10), ms));
    }
}

#[test]
fn good_after_bad_is_stable() {
    let mut board = board();
    before(&mut board, 3, 40);
    after(&mut board, 0, 40, 100);
    let progress = judged(&board, 100);
    assert_eq!(progress.verdict, Verdict::Stable);
    assert_eq!((progress.before, progress.now), (Some(30.0), Some(0.0)));
    assert_eq!(progress.counted, Duration::from_secs(30));
}

#[test]
fn as_bad_as_before_has_no_effect_and_more_errors_are_worse() {
    let mut same = board();
    before(&mut same, 3, 40);
    after(&mut same, 3, 40, 100);
    assert_eq!(judged(&same, 100).verdict, Verdict::NoEffect);
    let mut more = board();
    before(&mut more, 3, 40);
    after(&mut more, 5, 40, 100);
    assert_eq!(judged(&more, 100).verdict, Verdict::Worse);
}

#[test]
fn a_version_that_is_as_slow_as_the_one_before_is_not_stable() {
    let mut slow = board();
    before(&mut slow, 0, 6000);
    after(&mut slow, 0, 6000, 100);
    assert_eq!(judged(&slow, 100).verdict, Verdict::NoEffect);
    // It says what it rests on: the errors alone would not tell.
    assert_eq!(judged(&slow, 100).words(), "errors 0.0 % before, 0.0 % since; p95 6.00 s");
    let mut slower = board();
    before(&mut slower, 0, 2500);
    after(&mut slower, 0, 6000, 100);
    assert_eq!(judged(&slower, 100).verdict, Verdict::Worse);
}

#[test]
fn without_requests_or_with_too_few_it_cannot_tell() {
    let mut none = board();
    before(&mut none, 3, 40);
    assert_eq!(judged(&none, 100).verdict, Verdict::CannotTell);
    let mut few = board();
    before(&mut few, 3, 40);
    few.take(burst("api", 71, ONE, 40));
    few.take(burst("api", 72, ONE, 40));
    few.take(burst("api", 73, ONE, 40));
    assert_eq!(judged(&few, 100).verdict, Verdict::CannotTell);
}

#[test]
fn an_unknown_critical_check_keeps_it_from_being_stable() {
    let pg = Role { database: true, counts_requests: false, ..role("database") };
    let mut board = board().check("pg", pg);
    before(&mut board, 3, 40);
    after(&mut board, 0, 40, 100);
    assert_eq!(judged(&board, 100).verdict, Verdict::CannotTell);
    board.take(reading("pg", 99, good()));
    assert_eq!(judged(&board, 100).verdict, Verdict::Stable);
    board.tracks.remove(&CheckId::from("pg"));
    assert_eq!(judged(&board, 100).verdict, Verdict::CannotTell, "no track");
}

#[test]
fn a_failing_critical_check_is_never_stable() {
    let mut board = board().check("web", role("web"));
    before(&mut board, 3, 40);
    after(&mut board, 0, 40, 400);
    for second in 400..=402 {
        board.take(reading("web", second, bad(WhyClass::Refused, "refused")));
    }
    let progress = judged(&board, 402);
    assert_eq!(progress.failing, vec![CheckId::from("web")]);
    assert_eq!(progress.verdict, Verdict::NoEffect);
}

#[test]
fn looks_every_ten_seconds_fill_a_window() {
    let mut board = board();
    for second in (70..=970).step_by(10) {
        board.take(burst("api", second, ONE, 40));
    }
    assert_eq!(judged(&board, 970).counted, Duration::from_mins(15));
}

#[test]
fn blind_time_extends_the_window() {
    let mut board = board();
    after(&mut board, 0, 40, 80);
    for second in 81..=140 {
        board.take(reading("api", second, unknown(Reason::WitnessDown)));
    }
    assert_eq!(judged(&board, 140).counted, Duration::from_secs(10));
    for second in 141..=150 {
        board.take(burst("api", second, ONE, 40));
    }
    assert_eq!(judged(&board, 150).counted, Duration::from_secs(19));
}

#[test]
fn silence_does_not_end_a_window_but_three_times_its_length_does() {
    let window = Duration::from_secs(30);
    assert!(!is_over(Duration::from_secs(29), window, at(0), at(100)));
    assert!(is_over(window, window, at(0), at(30)));
    assert!(is_over(Duration::ZERO, window, at(0), at(150)));
}
