use super::super::reading::WhyClass;
use super::super::sample::*;
use super::super::severity::Severity;
use super::super::tree::{Answer, TreeVerdict};
use super::*;

fn value(board: &Board, second: i64, name: &str) -> SignalValue {
    board.signals(second)[name].value.clone()
}

fn database() -> Role {
    Role { database: true, counts_requests: false, ..role("database") }
}

#[test]
fn upstream_fault_1_a_result_counts_for_its_own_service() {
    let mut board =
        Board::default().check("backend", role("backend")).check("frontend", role("frontend"));
    for second in 1..=3 {
        board.take(reading("backend", second, bad(WhyClass::Status, "500")));
        board.take(reading("frontend", second, good()));
    }
    assert_eq!(value(&board, 4, "outage"), SignalValue::Number(1.0));
    let evidence = &board.signals(4)["outage"].evidence;
    assert_eq!(evidence[0].as_str(), "backend note");
    assert_eq!(evidence[1].as_str(), "1 of 2 services down");
}

#[test]
fn upstream_fault_2_http_500_is_a_failure_and_a_value_of_0_is_not() {
    let mut board = Board::default().check("api", role("api"));
    for second in 1..=20 {
        let mut zero = reading("api", second, good());
        zero.value = Some(0.0);
        board.take(zero);
    }
    assert_eq!(value(&board, 21, "error_rate"), SignalValue::Number(0.0));
    let mut five_hundred = reading("api", 21, bad(WhyClass::Status, "500"));
    five_hundred.value = Some(500.0);
    board.take(five_hundred);
    assert_eq!(value(&board, 21, "error_rate"), SignalValue::Number(100.0 / 21.0));
}

#[test]
fn upstream_fault_4_what_could_not_be_looked_at_is_unknown_and_never_no() {
    let mut board = Board::default().check("api", role("api")).check("pg", database());
    for second in 1..=3 {
        board.take(reading("api", second, unknown(Reason::NoTool)));
        board.take(reading("pg", second, unknown(Reason::NoPermission)));
    }
    let signals = board.signals(4);
    for (name, signal) in &signals {
        assert!(matches!(signal.value, SignalValue::Unknown(_)), "{name} is {:?}", signal.value);
    }
    let assessment = board.assess(4);
    assert_eq!(assessment.verdict, TreeVerdict::Open);
    assert_eq!(assessment.severity, Severity::None);
    assert_eq!(assessment.could_be, Severity::Critical);
    assert!(assessment.path.iter().all(|step| step.answer == Answer::Unknown));
}

#[test]
fn upstream_fault_5_failures_in_a_row_are_respected() {
    let mut board = Board::default().check("api", role("api"));
    board.take(reading("api", 1, good()));
    for second in 2..=3 {
        board.take(reading("api", second, bad(WhyClass::Status, "500")));
    }
    assert_eq!(value(&board, 4, "failed_health_checks"), SignalValue::Flag(false));
    board.take(reading("api", 4, bad(WhyClass::Status, "500")));
    assert_eq!(value(&board, 5, "failed_health_checks"), SignalValue::Flag(true));
}

#[test]
fn upstream_fault_8_no_failing_target_suggests_no_level() {
    let mut board =
        Board::default().check("backend", role("backend")).check("frontend", role("frontend"));
    for second in 1..=30 {
        board.take(reading("backend", second, good()));
        board.take(reading("frontend", second, good()));
    }
    let assessment = board.assess(31);
    assert_eq!(assessment.suggests, None);
    assert_eq!(assessment.severity, Severity::None);
}

#[test]
fn a_check_that_never_ran_leaves_open_whether_all_is_down() {
    let mut board = Board::default().check("api", role("api")).check("web", role("web"));
    for second in 1..=3 {
        board.take(reading("api", second, bad(WhyClass::Refused, "refused")));
    }
    assert_eq!(value(&board, 4, "outage"), SignalValue::Unknown(Reason::NeverRan));
    board.take(reading("web", 4, good()));
    assert_eq!(value(&board, 5, "outage"), SignalValue::Number(1.0));
}

#[test]
fn a_check_without_a_past_is_unknown_and_one_that_is_not_configured_is_absent() {
    let mut board = Board::default().check("api", role("api"));
    board.tracks.clear();
    let signals = board.signals(1);
    assert_eq!(signals["failed_health_checks"].value, SignalValue::Unknown(Reason::NeverRan));
    assert!(!signals.contains_key("database_failure"));
    assert!(!signals.contains_key("corruption"));
}

#[test]
fn a_living_database_does_not_hide_that_the_service_is_down() {
    let mut board = Board::default().check("api", role("api")).check("pg", database());
    for second in 1..=3 {
        board.take(reading("api", second, bad(WhyClass::Refused, "refused")));
        board.take(reading("pg", second, good()));
    }
    assert_eq!(value(&board, 4, "outage"), SignalValue::Number(2.0));
    assert_eq!(board.assess(4).path[1].answer, Answer::Yes);
}

#[test]
fn a_database_that_is_not_critical_is_a_minor_failure() {
    let replica = Role { critical: false, ..database() };
    let mut board = Board::default().check("api", role("api")).check("replica", replica);
    for second in 1..=3 {
        board.take(reading("api", second, good()));
        board.take(reading("replica", second, bad(WhyClass::Refused, "no")));
    }
    assert!(!board.signals(4).contains_key("database_failure"));
    assert_eq!(value(&board, 4, "minor_failure"), SignalValue::Flag(true));
    assert_eq!(board.assess(4).severity, Severity::Medium);
}

#[test]
fn a_rate_of_too_few_requests_is_not_judged() {
    let mut board = Board::default().check("api", role("api"));
    for second in 1..=19 {
        board.take(reading("api", second, good()));
    }
    assert_eq!(value(&board, 20, "error_rate"), SignalValue::Unknown(Reason::TooFewSamples));
    board.take(reading("api", 20, good()));
    assert_eq!(value(&board, 21, "error_rate"), SignalValue::Number(0.0));
}

#[test]
fn readings_that_say_nothing_do_not_thin_the_rate() {
    let mut board = Board::default().check("api", role("api"));
    for second in 1..=10 {
        board.take(burst("api", second, (1, 4), 40));
        board.take(reading("api", second, unknown(Reason::WitnessDown)));
    }
    assert_eq!(value(&board, 11, "error_rate"), SignalValue::Number(25.0));
}

#[test]
fn seven_percent_of_errors_are_medium_and_not_slow() {
    let mut board = Board::default().check("api", role("api"));
    board.take(burst("api", 1, (7, 100), 40));
    let assessment = board.assess(2);
    assert_eq!(assessment.path[2].value, Some(7.0));
    assert_eq!(assessment.path[3].answer, Answer::No);
    assert_eq!(assessment.severity, Severity::Medium);
    assert_eq!(assessment.suggests, None, "S-07: never by itself");
}

#[test]
fn slowness_counts_only_when_it_lasts() {
    let mut board = Board::default().check("api", role("api"));
    for second in 1..=20 {
        board.take(burst("api", second, (0, 10), 100));
    }
    for second in 21..=24 {
        board.take(burst("api", second, (0, 10), 6000));
    }
    let p95 = |board: &Board, second| board.signals(second)["p95"].value.number().unwrap();
    assert!(p95(&board, 24) < 1.0, "it has only begun");
    for second in 25..=32 {
        board.take(burst("api", second, (0, 10), 6000));
    }
    assert!(p95(&board, 32) > 5.0, "it has lasted");
    for second in 33..=37 {
        board.take(burst("api", second, (0, 10), 100));
    }
    assert!(p95(&board, 37) < 1.0, "it is over");
}

#[test]
fn for_performance_checks_a_failed_request_takes_for_ever() {
    let board = {
        let mut board = Board::default().check("api", role("api"));
        board.take(burst("api", 1, (6, 100), 40));
        board
    };
    let requests = Requests::since(&board.recent, &board.roles, at(0));
    assert_eq!(requests.p95(), Some(f64::INFINITY));
    assert_eq!(requests.p95_answered(), Some(0.04));
    assert_eq!(Requests::default().p95(), None);
}

#[test]
fn every_signal_survives_json() {
    let mut board = Board::default().check("api", role("api"));
    for second in 1..=3 {
        board.take(burst("api", second, (20, 20), 40));
    }
    let signals = board.signals(4);
    let text = serde_json::to_string(&signals).unwrap();
    let back: BTreeMap<String, Signal> = serde_json::from_str(&text).unwrap();
    assert_eq!(back, signals);
}

#[test]
fn a_port_that_answers_does_not_hide_that_the_service_is_down() {
    let proxy = Role { counts_requests: false, ..role("proxy") };
    let mut board = Board::default().check("api", role("app")).check("proxy_port", proxy);
    for second in 1..=3 {
        board.take(reading("api", second, bad(WhyClass::Status, "502")));
        board.take(reading("proxy_port", second, good()));
    }
    assert_eq!(value(&board, 4, "outage"), SignalValue::Number(2.0));
}
