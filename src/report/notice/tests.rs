use super::*;
use crate::model::entry::Event;
use crate::model::notice::{Policy, Route, due};
use crate::model::sample::{Tape, at, level_one, run_id};

fn all() -> Policy {
    let route = Route {
        to: vec!["ops".to_owned()],
        severity: Severity::None,
        occasions: Vec::new(),
        environments: Vec::new(),
        go_on: false,
    };
    Policy { routes: vec![route], ..Policy::default() }
}

fn told(tape: &Tape, templates: &Templates) -> Vec<Words> {
    let all = due(&tape.situation, &all(), at(9));
    all.iter().map(|one| words(&tape.situation, one, templates, ("bastion", at(9)))).collect()
}

fn ended(tape: &mut Tape, outcome: Outcome) {
    tape.event(Event::RunEnded {
        run: run_id(),
        outcome,
        took: std::time::Duration::from_secs(9),
        why: "the gate failed".into(),
        history: String::new(),
    });
}

#[test]
fn the_lines_are_those_of_the_documents() {
    let mut tape = Tape::new();
    tape.started(level_one());
    ended(&mut tape, Outcome::Done);
    let lines: Vec<String> =
        told(&tape, &Templates::default()).into_iter().map(|words| words.headline).collect();
    assert_eq!(
        lines,
        [
            "🚨 INC-0142 NONE in demo: errors",
            "🚨 Emergency rollback started for demo",
            "🚨 Emergency rollback completed for demo",
        ]
    );
}

#[test]
fn the_other_levels_have_lines_of_their_own() {
    for (level, reason, line) in [
        (Level::Full, TriggerReason::ErrorRate, "🚨 Emergency database rollback completed"),
        (Level::Full, TriggerReason::DataCorruption, "🚨 Data integrity rollback completed"),
    ] {
        let mut plan = level_one();
        plan.core.level = level;
        let mut tape = Tape::new();
        tape.started(plan);
        let run = tape.situation.run.as_mut().unwrap();
        run.trigger.as_mut().unwrap().reason = reason;
        ended(&mut tape, Outcome::Done);
        assert_eq!(told(&tape, &Templates::default())[2].headline, line);
    }
}

#[test]
fn a_rollback_with_a_name_of_its_own_is_told_by_it() {
    let mut plan = level_one();
    plan.face.called = Some(Called {
        what: "Emergency rollback".into(),
        subject: "medical-kg-rev-gateway".into(),
        opening: Vec::new(),
    });
    let mut tape = Tape::new();
    tape.started(plan);
    ended(&mut tape, Outcome::Done);
    let line = &told(&tape, &Templates::default())[2].headline;
    assert_eq!(line, "🚨 Emergency rollback completed for medical-kg-rev-gateway");
}

#[test]
fn a_failure_says_why() {
    let mut tape = Tape::new();
    tape.started(level_one());
    ended(&mut tape, Outcome::Failed);
    let line = told(&tape, &Templates::default())[2].headline.clone();
    assert!(line.starts_with("🚨 Emergency rollback FAILED for demo: "), "{line}");
    assert!(line.ends_with(": the gate failed"), "{line}");
}

#[test]
fn a_template_that_cannot_be_filled_in_is_said_below_our_own_line() {
    let mut tape = Tape::new();
    tape.started(level_one());
    let occasions = BTreeMap::from([
        (Occasion::Incident, "{incident}: {deployment_id}".to_owned()),
        (Occasion::Start, "{from} goes back to {to} on {environment}".to_owned()),
    ]);
    let templates = Templates { occasions, ..Templates::default() };
    let words = told(&tape, &templates);
    assert!(words[0].headline.starts_with("🚨 INC-0142"), "{words:?}");
    let last = words[0].details.last().unwrap();
    assert!(last.contains("{deployment_id} is not known"), "{last}");
    assert_eq!(words[1].headline, "v2.5.0 goes back to v2.4.9 on demo");
}
