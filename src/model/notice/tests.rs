use std::time::Duration;

use super::*;
use crate::model::entry::{Command, Event, Outcome};
use crate::model::sample::{Tape, at, level_one, run_id};
use crate::model::trigger::TriggerReason;
use crate::model::trigger_call::{TriggerCall, TriggerKind};

/// A call for a rollback, or an alert.
pub(crate) fn sample_call(rollback: bool) -> TriggerCall {
    TriggerCall {
        kind: TriggerKind::External,
        name: "disk".into(),
        reason: TriggerReason::PerformanceDegradation,
        severity: Severity::High,
        deployment: "ci#4711".into(),
        message: "the disk is slow".into(),
        rollback,
        over: false,
    }
}

fn route(to: &[&str], severity: Severity, occasions: &[Occasion]) -> Route {
    Route {
        to: to.iter().map(|name| (*name).to_owned()).collect(),
        severity,
        occasions: occasions.to_vec(),
        environments: Vec::new(),
        go_on: false,
    }
}

fn policy(routes: Vec<Route>) -> Policy {
    Policy {
        routes,
        repeat: Duration::from_hours(4),
        group_wait: Duration::from_secs(30),
        ladder: Vec::new(),
    }
}

fn all() -> Policy {
    policy(vec![route(&["ops"], Severity::None, &[])])
}

/// What is due now, as `receiver occasion`.
fn words(tape: &Tape, policy: &Policy, second: i64) -> Vec<String> {
    let found = due(&tape.situation, policy, at(second));
    let word = |one: &Due| {
        let what: Vec<&str> = one.notices.iter().map(|one| one.occasion.name()).collect();
        let what = if what.is_empty() { format!("{:?}", one.why) } else { what.join("+") };
        format!("{} {what}", one.receiver)
    };
    found.iter().map(word).collect()
}

/// Everything that is due now is told.
fn send(tape: &mut Tape, policy: &Policy, second: i64, sent: bool) {
    tape.now = second;
    for one in due(&tape.situation, policy, at(second)) {
        tape.event(Event::Notified(Notified {
            id: one.id,
            keys: one.notices.iter().map(|notice| notice.key.clone()).collect(),
            thread: one.thread,
            receiver: one.receiver,
            sent,
            note: "ok".into(),
        }));
    }
}

fn ended(outcome: Outcome) -> Event {
    Event::RunEnded {
        run: run_id(),
        outcome,
        took: Duration::from_secs(9),
        why: "good".into(),
        history: String::new(),
    }
}

fn closed() -> Event {
    Event::IncidentClosed { why: "closed by alice".into() }
}

#[test]
fn start_failure_and_end_of_a_run_are_told_once_each_with_names_of_their_own() {
    let mut tape = Tape::new();
    tape.started(level_one());
    assert_eq!(words(&tape, &all(), 1), ["ops incident", "ops start"]);
    let keys: BTreeSet<String> =
        tape.situation.outbox.notices.iter().map(|notice| notice.key.clone()).collect();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| key.starts_with("k7qd-")), "{keys:?}");
    send(&mut tape, &all(), 2, true);
    assert!(words(&tape, &all(), 3).is_empty());
    tape.event(ended(Outcome::Failed));
    assert_eq!(words(&tape, &all(), 4), ["ops failure"]);
    send(&mut tape, &all(), 5, true);
    tape.event(closed());
    assert_eq!(words(&tape, &all(), 6), ["ops resolved"]);
    send(&mut tape, &all(), 7, true);
    assert!(words(&tape, &all(), 8).is_empty());
}

#[test]
fn an_engine_that_was_killed_tells_what_it_had_not_and_nothing_twice() {
    let mut tape = Tape::new();
    tape.started(level_one());
    send(&mut tape, &all(), 1, true);
    tape.event(ended(Outcome::Done));
    let before = due(&tape.situation, &all(), at(2));
    // Another engine reads the same entries.
    let mut other = crate::model::situation::Situation::default();
    for entry in &tape.entries {
        other.apply(entry);
    }
    assert_eq!(due(&other, &all(), at(2)), before);
    assert_eq!(before.len(), 1);
}

#[test]
fn whoever_heard_of_it_hears_of_its_end_and_nobody_else_does() {
    let mut tape = Tape::new();
    tape.event(Event::IncidentOpened { incident: 142, why: "errors".into() });
    let one = policy(vec![route(&["ops"], Severity::None, &[Occasion::Incident])]);
    send(&mut tape, &one, 1, true);
    tape.event(closed());
    // The routes are others by then.
    let other = policy(vec![route(&["mail"], Severity::None, &[])]);
    assert_eq!(words(&tape, &other, 2), ["mail incident", "ops resolved"]);
    let text = &tape.situation.outbox.notices[1].text;
    assert_eq!(text.as_str(), "closed by alice");
}

#[test]
fn an_incident_that_another_one_took_the_place_of_is_resolved_too() {
    let mut tape = Tape::new();
    tape.event(Event::IncidentOpened { incident: 142, why: "errors".into() });
    send(&mut tape, &all(), 1, true);
    tape.event(Event::IncidentOpened { incident: 143, why: "errors again".into() });
    assert_eq!(words(&tape, &all(), 2), ["ops resolved", "ops incident"]);
}

#[test]
fn a_wait_is_told_and_resolved_when_it_is_answered() {
    let mut tape = Tape::new();
    tape.started(level_one());
    send(&mut tape, &all(), 1, true);
    let (run, step) = (run_id(), Some("gate".into()));
    tape.event(Event::NeedsPerson { run, step, why: "gate failed".into(), offer: None });
    assert_eq!(words(&tape, &all(), 2), ["ops waiting"]);
    send(&mut tape, &all(), 3, true);
    let (run, step) = (run_id(), "gate".into());
    tape.command(Command::Skip { run, step, attempt: 0, reason: "fine".into() });
    assert_eq!(words(&tape, &all(), 4), ["ops resolved"]);
}

#[test]
fn the_first_route_that_fits_counts_and_the_class_chooses() {
    let page = Route { go_on: true, ..route(&["pager"], Severity::Critical, &[]) };
    let routes = policy(vec![page, route(&["slack"], Severity::None, &[])]);
    let here = ("demo", false);
    let to = |class| routed(&routes, (Occasion::Incident, class), here).len();
    assert_eq!((to(Severity::High), to(Severity::Critical)), (1, 2));
    let there = Route { environments: vec!["production".into()], ..routes.routes[1].clone() };
    assert!(!there.takes(Occasion::End, Severity::High, here));
    assert!(there.takes(Occasion::End, Severity::High, ("shop", true)));
}

#[test]
fn alerts_wait_for_each_other_and_one_that_is_over_by_then_is_no_news() {
    let mut tape = Tape::new();
    tape.command(Command::Trigger { call: Box::new(sample_call(false)) });
    let other = TriggerCall { name: "cpu".into(), ..sample_call(false) };
    tape.command(Command::Trigger { call: Box::new(other.clone()) });
    // The same again is nothing new.
    tape.command(Command::Trigger { call: Box::new(other) });
    assert!(words(&tape, &all(), 29).is_empty());
    assert!(is_waiting(&tape.situation, &all(), at(29)));
    assert_eq!(words(&tape, &all(), 30), ["ops alert+alert"]);
    let over = TriggerCall { over: true, ..sample_call(false) };
    tape.command(Command::Trigger { call: Box::new(over.clone()) });
    assert_eq!(words(&tape, &all(), 30), ["ops alert"]);
    send(&mut tape, &all(), 31, true);
    tape.command(Command::Trigger { call: Box::new(TriggerCall { name: "cpu".into(), ..over }) });
    assert_eq!(words(&tape, &all(), 61), ["ops resolved"]);
}

#[test]
fn what_nobody_looks_after_is_told_again_and_climbs_the_ladder_until_somebody_does() {
    let mut tape = Tape::new();
    let rung = |minutes: u64, to: &str| Rung {
        after: Duration::from_mins(minutes),
        to: vec![to.to_owned()],
        who: to.into(),
        when: "nobody answers".into(),
    };
    let ladder = vec![rung(0, "first"), rung(15, "second"), rung(30, "third")];
    let policy = Policy { ladder, ..all() };
    tape.command(Command::Trigger { call: Box::new(sample_call(false)) });
    send(&mut tape, &policy, 30, true);
    assert_eq!(words(&tape, &policy, 31), Vec::<String>::new());
    assert_eq!(words(&tape, &policy, 15 * 60), ["second Rung(2)"]);
    send(&mut tape, &policy, 15 * 60, true);
    assert_eq!(words(&tape, &policy, 15 * 60 + 1), Vec::<String>::new());
    let hours = 4 * 3600 + 60;
    let again = words(&tape, &policy, hours);
    assert_eq!(again, ["first Repeat(1)", "ops Repeat(1)", "second Repeat(1)", "third Rung(3)"]);
    tape.now = hours;
    tape.command(Command::Acknowledge { thread: "".into() });
    let told = words(&tape, &policy, hours + 30);
    assert_eq!(told, ["first acknowledged", "ops acknowledged", "second acknowledged"]);
    assert!(tape.situation.outbox.unacknowledged().is_empty());
}

#[test]
fn what_is_old_is_not_begun_and_what_was_given_up_is_not_tried_again() {
    let mut tape = Tape::new();
    tape.event(Event::IncidentOpened { incident: 142, why: "errors".into() });
    assert!(words(&tape, &all(), 3600).is_empty());
    // That nobody was told in time is not passed over in silence.
    assert!(expired(&tape.situation, &all(), at(3599)).is_empty());
    assert_eq!(expired(&tape.situation, &all(), at(3600)).len(), 1);
    send(&mut tape, &all(), 5, false);
    assert!(words(&tape, &all(), 6).is_empty());
    assert_eq!(tape.situation.outbox.given_up.len(), 1);
    // Who never heard of it hears nothing of its end.
    tape.event(closed());
    assert!(words(&tape, &all(), 7).is_empty());
}

#[test]
fn the_outbox_stays_small_however_much_is_told() {
    let mut tape = Tape::new();
    for count in 0..500 {
        tape.now = count;
        let call = TriggerCall { name: format!("a{count}").into(), ..sample_call(false) };
        tape.command(Command::Trigger { call: Box::new(call) });
    }
    let outbox = &tape.situation.outbox;
    assert!(outbox.notices.len() <= NOTICES && outbox.threads.len() <= THREADS);
}

#[test]
fn a_rule_that_has_to_act_again_is_told_louder_each_time_and_its_end_to_whoever_heard() {
    use crate::model::rule::book::{Fired, RuleState};
    use crate::model::rule::{Action, Mode};
    let fired = |action, mode, severity| {
        Event::RuleFired(Box::new(Fired {
            rule: "cpu".into(),
            action,
            mode,
            level: crate::model::plan::Level::Switch,
            starts_at: None,
            severity,
            text: "CPU: 97".into(),
            less: None,
            evidence: Vec::new(),
        }))
    };
    let state = |state| Event::RuleChanged { rule: "cpu".into(), state, evidence: Vec::new() };
    // P-20: warnings to Slack, mail only for what is critical.
    let policy = policy(vec![
        Route { go_on: true, ..route(&["slack"], Severity::None, &[]) },
        route(&["mail"], Severity::Critical, &[]),
    ]);
    let heard = |tape: &Tape, at: i64| {
        let mut all = words(tape, &policy, at);
        all.sort();
        all
    };
    let mut tape = Tape::new();
    tape.event(state(RuleState::Met));
    tape.event(fired(Action::Alert, Mode::DryRun, None));
    tape.event(fired(Action::PreserveLogs, Mode::Enforce, None));
    assert!(words(&tape, &policy, 60).is_empty(), "a rehearsal is no news");
    let mut tape = Tape::new();
    tape.event(state(RuleState::Met));
    for (at, heard) in [(100, "slack alert"), (200, "slack worse")] {
        tape.now = at;
        tape.event(fired(Action::Alert, Mode::Enforce, None));
        assert_eq!(words(&tape, &policy, at + 60), [heard]);
        send(&mut tape, &policy, at + 60, true);
    }
    tape.event(fired(Action::Alert, Mode::Enforce, None));
    assert_eq!(heard(&tape, 330), ["mail worse", "slack worse"]);
    send(&mut tape, &policy, 330, true);
    tape.event(state(RuleState::Quiet));
    assert_eq!(heard(&tape, 400), ["mail resolved", "slack resolved"]);
    // One that says by itself how bad it is begins there.
    send(&mut tape, &policy, 400, true);
    tape.event(state(RuleState::Met));
    tape.event(fired(Action::Rollback, Mode::Propose, Some(Severity::Critical)));
    assert_eq!(heard(&tape, 500), ["mail alert", "slack alert"]);
}
