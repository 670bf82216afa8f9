use std::collections::BTreeMap;

use super::super::sample::*;
use super::super::signal::Signal;
use super::*;

type Signals = BTreeMap<String, Signal>;

fn judge(signals: &Signals, said: &BTreeMap<NodeId, Said>, second: i64) -> Assessment {
    assess(&built_in(), signals, said, None, at(second))
}

fn nobody() -> BTreeMap<NodeId, Said> {
    BTreeMap::new()
}

fn say(node: &str, answer: Answer, second: i64) -> BTreeMap<NodeId, Said> {
    let said = Said { answer, by: "alice".into(), uid: 1000, at: at(second) };
    BTreeMap::from([(node.into(), said)])
}

fn errors(percent: f64) -> Signals {
    with(all_well(), vec![number("error_rate", percent)])
}

fn on_path(assessment: &Assessment) -> Vec<&str> {
    let path = assessment.path.iter();
    path.filter(|step| step.on_path).map(|step| step.node.as_str()).collect()
}

#[test]
fn at_eleven_percent_it_stops_at_question_2_and_recommends_a_rollback() {
    let assessment = judge(&errors(11.0), &nobody(), 0);
    assert_eq!(on_path(&assessment), ["0", "1", "2"]);
    assert_eq!(assessment.decided_by().unwrap().node.as_str(), "2");
    assert_eq!(assessment.verdict, TreeVerdict::RollBack);
    assert_eq!(assessment.suggests, Some(Level::Switch));
}

#[test]
fn all_no_means_monitor() {
    let assessment = judge(&all_well(), &nobody(), 0);
    assert_eq!(assessment.verdict, TreeVerdict::Monitor);
    assert_eq!(assessment.suggests, None);
    assert_eq!(on_path(&assessment), ["0", "1", "2", "3", "4"]);
}

#[test]
fn the_four_edges_are_the_documents() {
    let verdict = |signal| {
        let signals = with(all_well(), vec![signal]);
        let assessment = judge(&signals, &nobody(), 0);
        (assessment.verdict, assessment.severity)
    };
    // The tree says more than 10 %, the table has HIGH from 10 % on: they stand side by side.
    assert_eq!(verdict(number("error_rate", 10.0)), (TreeVerdict::Monitor, Severity::High));
    assert_eq!(verdict(number("error_rate", 50.0)), (TreeVerdict::RollBack, Severity::High));
    assert_eq!(verdict(number("error_rate", 50.01)), (TreeVerdict::RollBack, Severity::Critical));
    assert_eq!(verdict(number("p95", 5.0)), (TreeVerdict::Monitor, Severity::Medium));
    assert_eq!(verdict(number("p95", 5.01)), (TreeVerdict::RollBack, Severity::High));
    assert_eq!(verdict(number("error_rate", 2.0)), (TreeVerdict::Monitor, Severity::Low));
}

#[test]
fn what_the_table_calls_high_is_not_left_without_a_level() {
    let assessment = judge(&errors(10.0), &nobody(), 0);
    assert_eq!(assessment.verdict, TreeVerdict::Monitor);
    assert_eq!(assessment.suggests, Some(Level::Switch));
}

#[test]
fn unknown_is_never_no() {
    for name in ["outage", "error_rate", "p95", "corruption"] {
        let signals = with(all_well(), vec![not_known(name, Reason::Stale)]);
        let assessment = judge(&signals, &nobody(), 0);
        assert_eq!(assessment.verdict, TreeVerdict::Open, "{name}");
        assert_eq!(assessment.suggests, None, "{name}: unknown triggers nothing");
        let mut none = all_well();
        none.remove(name);
        let assessment = judge(&none, &nobody(), 0);
        assert_eq!(assessment.verdict, TreeVerdict::Open, "{name} is missing");
        let signals = with(all_well(), vec![number(name, f64::NAN)]);
        let assessment = judge(&signals, &nobody(), 0);
        assert_eq!(assessment.verdict, TreeVerdict::Open, "{name} is no number");
    }
}

#[test]
fn an_open_question_does_not_hide_a_yes_further_on() {
    let signals = with(errors(30.0), vec![not_known("outage", Reason::Stale)]);
    let assessment = judge(&signals, &nobody(), 0);
    assert_eq!(assessment.verdict, TreeVerdict::RollBack);
    assert_eq!(assessment.path[1].answer, Answer::Unknown);
    assert!(assessment.path[1].asks);
}

#[test]
fn a_breach_means_isolate_and_never_a_level() {
    for rate in [0.0, 11.0, 80.0] {
        let signals = with(errors(rate), vec![flag("corruption", true)]);
        let assessment = judge(&signals, &say("0", Answer::Yes, 0), 1);
        assert_eq!(assessment.verdict, TreeVerdict::Isolate);
        assert_eq!(assessment.suggests, None);
        assert_eq!(assessment.severity, Severity::Critical);
        assert_eq!(on_path(&assessment), ["0"]);
    }
}

#[test]
fn a_reported_breach_does_not_run_out() {
    let assessment = judge(&all_well(), &say("0", Answer::Yes, 0), 24 * 3600);
    assert_eq!(assessment.verdict, TreeVerdict::Isolate);
    let released = judge(&all_well(), &say("0", Answer::No, 0), 10);
    assert_eq!(released.verdict, TreeVerdict::Monitor);
}

#[test]
fn corruption_suggests_level_3() {
    let signals = with(errors(11.0), vec![flag("corruption", true)]);
    assert_eq!(judge(&signals, &nobody(), 0).suggests, Some(Level::PointInTime));
    let assessment = judge(&all_well(), &say("4", Answer::Yes, 0), 1);
    assert_eq!(assessment.suggests, Some(Level::PointInTime));
    assert_eq!(assessment.severity, Severity::Critical);
    assert_eq!(assessment.because[0].as_str(), "Corrupt data? YES (alice)");
}

#[test]
fn a_missing_marker_asks_a_person_to_confirm() {
    let step = &judge(&all_well(), &nobody(), 0).path[4];
    assert_eq!((step.answer, step.asks), (Answer::No, true));
    let confirmed = &judge(&all_well(), &say("4", Answer::No, 0), 1).path[4];
    assert_eq!((confirmed.answer, confirmed.asks), (Answer::No, false));
    let doubted = judge(&all_well(), &say("4", Answer::Unknown, 0), 1);
    assert_eq!(doubted.path[4].answer, Answer::Unknown);
    assert_eq!(doubted.verdict, TreeVerdict::Open);
}

#[test]
fn an_answer_overrides_for_ten_minutes_and_then_no_longer() {
    let said = say("2", Answer::No, 0);
    let at_ten = judge(&errors(13.0), &said, 600);
    assert_eq!(at_ten.path[2].answer, Answer::No);
    assert_eq!(at_ten.path[2].by.as_ref().unwrap().as_str(), "alice");
    assert_eq!(at_ten.verdict, TreeVerdict::Monitor);
    assert_eq!(at_ten.severity, Severity::High, "the table stands beside it");
    let later = judge(&errors(13.0), &said, 601);
    assert_eq!(later.path[2].answer, Answer::Yes);
    assert_eq!(later.path[2].by, None);
    assert_eq!(later.verdict, TreeVerdict::RollBack);
}

#[test]
fn an_answer_from_a_clock_that_was_ahead_runs_out_too() {
    let said = say("2", Answer::No, 3600);
    assert_eq!(judge(&errors(13.0), &said, 0).path[2].answer, Answer::Yes);
}

#[test]
fn a_conflict_between_person_and_signal_is_shown() {
    let assessment = judge(&errors(13.0), &say("2", Answer::No, 0), 1);
    assert_eq!(assessment.path[2].against, Some(Answer::Yes));
    assert_eq!(assessment.path[2].value, Some(13.0));
    let agreed = judge(&errors(13.0), &say("2", Answer::Yes, 0), 1);
    assert_eq!(agreed.path[2].against, None);
}

#[test]
fn not_known_from_a_person_hides_no_measured_yes() {
    let assessment = judge(&errors(13.0), &say("2", Answer::Unknown, 0), 1);
    assert_eq!(assessment.path[2].answer, Answer::Yes);
    let signals = with(all_well(), vec![not_known("error_rate", Reason::Stale)]);
    let open = judge(&signals, &say("2", Answer::Unknown, 0), 1);
    assert_eq!(open.verdict, TreeVerdict::Open);
    assert!(!open.path[2].asks, "it was asked and answered");
}

#[test]
fn a_persons_yes_counts_for_the_class_too() {
    let assessment = judge(&all_well(), &say("2", Answer::Yes, 0), 1);
    assert_eq!(assessment.severity, Severity::High);
    let down = judge(&all_well(), &say("1", Answer::Yes, 0), 1);
    assert_eq!(down.severity, Severity::Critical);
}

#[test]
fn each_of_the_five_stimuli_alone_is_critical() {
    let alone = [
        vec![number("outage", 2.0)],
        vec![flag("corruption", true)],
        vec![number("error_rate", 51.0)],
        vec![flag("database_failure", true)],
    ];
    for signals in alone {
        let name = signals[0].name.clone();
        let assessment = judge(&with(all_well(), signals), &nobody(), 0);
        assert_eq!(assessment.severity, Severity::Critical, "{name}");
        assert_eq!(assessment.deadline, Some(at(0)), "{name}: at once");
    }
    let breach = judge(&all_well(), &say("0", Answer::Yes, 0), 0);
    assert_eq!(breach.severity, Severity::Critical);
}

#[test]
fn an_unknown_database_says_what_it_could_be() {
    let signals = with(errors(14.0), vec![not_known("database_failure", Reason::NoPermission)]);
    let assessment = judge(&signals, &nobody(), 0);
    assert_eq!(assessment.severity, Severity::High);
    assert_eq!(assessment.could_be, Severity::Critical);
    let known = judge(&errors(14.0), &nobody(), 0);
    assert_eq!(known.could_be, Severity::High);
}

/// Feeds one class after another, as the engine does, keeping the assessment before.
struct Clocks(Option<Assessment>);

impl Clocks {
    fn at(&mut self, second: i64, rate: f64) -> (Severity, Option<Time>) {
        let next = assess(&built_in(), &errors(rate), &nobody(), self.0.as_ref(), at(second));
        // What the journal keeps is what a new engine goes on with (upstream fault 7: a clock or
        // cool-down that lives in memory is lost on restart).
        let kept = serde_json::to_string(&next).unwrap();
        let next: Assessment = serde_json::from_str(&kept).unwrap();
        let found = (next.severity, next.deadline);
        self.0 = Some(next);
        found
    }
}

#[test]
fn upstream_fault_7_a_clock_starts_when_its_class_is_reached_and_survives_a_restart() {
    let mut clocks = Clocks(None);
    assert_eq!(clocks.at(0, 0.0), (Severity::None, None));
    assert_eq!(clocks.at(10, 20.0), (Severity::High, Some(at(310))));
    assert_eq!(clocks.at(100, 30.0), (Severity::High, Some(at(310))));
    assert_eq!(clocks.at(400, 12.0), (Severity::High, Some(at(310))));
}

#[test]
fn a_worse_class_starts_its_clock_anew() {
    let mut clocks = Clocks(None);
    assert_eq!(clocks.at(0, 7.0), (Severity::Medium, Some(at(900))));
    assert_eq!(clocks.at(100, 20.0), (Severity::High, Some(at(400))));
    assert_eq!(clocks.at(110, 60.0), (Severity::Critical, Some(at(110))));
}

#[test]
fn a_better_class_keeps_the_clock_until_it_has_held() {
    let mut clocks = Clocks(None);
    assert_eq!(clocks.at(0, 20.0), (Severity::High, Some(at(300))));
    assert_eq!(clocks.at(100, 1.0), (Severity::Low, Some(at(300))));
    assert_eq!(clocks.at(129, 1.0), (Severity::Low, Some(at(300))));
    // Back before it held: the clock never stopped.
    assert_eq!(clocks.at(130, 20.0), (Severity::High, Some(at(300))));
    assert_eq!(clocks.at(140, 7.0), (Severity::Medium, Some(at(300))));
    assert_eq!(clocks.at(160, 7.0), (Severity::Medium, Some(at(300))));
    // Held for 30 s: now MEDIUM's own time counts, from when MEDIUM was reached.
    assert_eq!(clocks.at(170, 7.0), (Severity::Medium, Some(at(1040))));
    assert_eq!(clocks.at(180, 0.0), (Severity::None, Some(at(1040))));
    assert_eq!(clocks.at(210, 0.0), (Severity::None, None));
}

#[test]
fn moving_numbers_say_the_same_and_a_new_answer_does_not() {
    let one = judge(&errors(13.0), &nobody(), 0);
    let mut two = assess(&built_in(), &errors(14.0), &nobody(), Some(&one), at(5));
    assert!(one.says_the_same(&two));
    two.path[4].asks = false;
    assert!(!one.says_the_same(&two));
}

#[test]
fn a_tree_with_a_cycle_ends_open() {
    let looped = vec![Node::Ask {
        id: "1".into(),
        question: "Again?".into(),
        when: Condition::Up { signal: "corruption".into() },
        human: Human::Any,
        yes: "1".into(),
        no: "1".into(),
    }];
    let assessment = assess(&looped, &all_well(), &nobody(), None, at(0));
    assert_eq!(assessment.verdict, TreeVerdict::Open);
}

#[test]
fn the_help_test_says_only_what_it_saw() {
    assert_eq!(help_test(14, 20, None).says(), Helps::Yes);
    assert_eq!(help_test(20, 20, None).says(), Helps::NotProven);
    assert_eq!(help_test(0, 19, None).says(), Helps::NotProven);
    assert_eq!(help_test(0, 0, None).says(), Helps::No);
    assert_eq!(help_test(0, 20, Some("database")).says(), Helps::No);
    let mut slow = help_test(20, 20, None);
    slow.failing.p95 = Some(Duration::from_secs(6));
    assert_eq!(slow.says(), Helps::Yes, "all answer, but one in 6 s");
    let mut nothing = help_test(0, 20, None);
    nothing.target = None;
    assert_eq!(nothing.says(), Helps::NoTarget);
}
