use std::collections::BTreeSet;
use std::time::Duration;

use super::super::entry::{Abort, Command, Event, Outcome, Standing, StepEnd};
use super::super::incident::StepPhase;
use super::super::next::{Next, next};
use super::super::plan::{Class, Hazard, Plan, StepSpec};
use super::super::sample::*;
use super::*;

fn of_level(level: Level) -> Plan {
    let mut plan = plan_of(
        vec![
            StepSpec { undo: Some("up".into()), ..step("down", &[]) },
            StepSpec { class: Class::Probed, ..step("restore", &["down"]) },
        ],
        vec![step("up", &[])],
    );
    plan.core.level = level;
    plan
}

/// A run of that level whose first step was cut off by a restart of the machine.
fn restarted(level: Level) -> Tape {
    let mut tape = Tape::new();
    tape.started(of_level(level));
    tape.event(Event::StepStarted {
        run: run_id(),
        step: "down".into(),
        attempt: 1,
        effect: "e".into(),
        boot: "b1".into(),
    });
    under_boot(&mut tape, "b2");
    tape
}

fn under_boot(tape: &mut Tape, boot: &str) {
    tape.epoch += 1;
    tape.event(Event::EngineStarted {
        journal: "k7qd".into(),
        pid: 4712,
        host: "bastion".into(),
        boot: boot.into(),
        version: "0.1.0".into(),
        environment: "demo".into(),
        production: false,
        config: super::super::ids::Digest::of(b"config"),
    });
}

fn todo(tape: &Tape) -> Vec<Next> {
    next(&tape.situation, &BTreeSet::new(), at(tape.now))
}

fn looked(tape: &mut Tape, standing: Standing) {
    tape.event(Event::StepLooked { run: run_id(), step: "down".into(), attempt: 1, standing });
}

fn ask(tape: &mut Tape) {
    for one in todo(tape) {
        if let Next::Wait(step, why) = one {
            tape.event(Event::NeedsPerson { run: run_id(), step, why, offer: None });
        }
    }
}

#[test]
fn after_a_restart_level_1_goes_on_by_itself() {
    let mut tape = restarted(Level::Switch);
    assert_eq!(todo(&tape), [Next::Look("down".into())]);
    looked(&mut tape, Standing::NotDone);
    assert_eq!(todo(&tape), [Next::Settle("down".into())]);
}

#[test]
fn after_a_restart_levels_2_and_3_look_and_wait_until_a_person_says_resume() {
    for level in [Level::Full, Level::PointInTime] {
        let mut tape = restarted(level);
        assert_eq!(todo(&tape), [Next::Look("down".into())], "looking is no going on");
        looked(&mut tape, Standing::NotDone);
        let asked = todo(&tape);
        assert!(
            matches!(&asked[..], [Next::Wait(None, why)] if why.as_str().contains("restarted")),
            "{asked:?}"
        );
        ask(&mut tape);
        assert_eq!(todo(&tape), [], "it is asked once");
        tape.event(Event::Resumed);
        assert_eq!(tape.situation.open_run().unwrap().waiting, None);
        assert_eq!(todo(&tape), [Next::Settle("down".into())]);
        // A restart of the engine alone asks nobody.
        under_boot(&mut tape, "b2");
        assert_eq!(todo(&tape), [Next::Look("down".into())]);
        looked(&mut tape, Standing::NotDone);
        assert_eq!(todo(&tape), [Next::Settle("down".into())]);
        // The next one of the machine does again.
        under_boot(&mut tape, "b3");
        looked(&mut tape, Standing::NotDone);
        assert!(matches!(&todo(&tape)[..], [Next::Wait(None, _)]));
    }
}

#[test]
fn what_a_look_proves_is_recorded_and_nothing_new_begins() {
    let mut tape = restarted(Level::Full);
    looked(&mut tape, Standing::Done);
    assert_eq!(todo(&tape), [Next::Settle("down".into())]);
    tape.event(Event::StepEnded {
        run: run_id(),
        step: "down".into(),
        attempt: 1,
        end: StepEnd::Done,
        took: Duration::ZERO,
        note: SafeText::default(),
    });
    ask(&mut tape);
    assert_eq!(todo(&tape), [], "restore waits");
    tape.event(Event::Resumed);
    assert_eq!(todo(&tape), [Next::Run("restore".into(), 1)]);
}

#[test]
fn a_run_that_waited_for_a_person_before_the_restart_says_so_first_and_asks_again_then() {
    let mut tape = Tape::new();
    tape.started(of_level(Level::Full));
    let (run, attempt) = (run_id(), 1);
    let step: super::super::ids::StepId = "down".into();
    let effect = "e".to_owned();
    tape.event(Event::StepStarted {
        run: run.clone(),
        step: step.clone(),
        attempt,
        effect,
        boot: "b1".into(),
    });
    let (end, took) = (StepEnd::Failed("no".into()), Duration::ZERO);
    tape.event(Event::StepEnded { run, step, attempt, end, took, note: SafeText::default() });
    ask(&mut tape);
    under_boot(&mut tape, "b2");
    assert!(matches!(&todo(&tape)[..], [Next::Wait(None, _)]));
    ask(&mut tape);
    tape.event(Event::Resumed);
    assert!(matches!(&todo(&tape)[..], [Next::Wait(Some(step), _)] if step.as_str() == "down"));
}

#[test]
fn stopping_is_a_word_under_the_new_boot_and_taking_back_waits_for_one() {
    // Said after the restart: it is done.
    let mut tape = restarted(Level::Full);
    looked(&mut tape, Standing::Done);
    tape.event(Event::StepEnded {
        run: run_id(),
        step: "down".into(),
        attempt: 1,
        end: StepEnd::Done,
        took: Duration::ZERO,
        note: SafeText::default(),
    });
    tape.command(Command::Abort { verb: Abort::Undo });
    assert_eq!(todo(&tape), [Next::Run("up".into(), 1)]);
    // Said before another restart: what it would begin waits.
    under_boot(&mut tape, "b3");
    assert!(matches!(&todo(&tape)[..], [Next::Wait(None, _)]));
    // Stopping begins nothing: it needs nobody.
    let mut tape = restarted(Level::Full);
    tape.command(Command::Abort { verb: Abort::Stop });
    under_boot(&mut tape, "b3");
    looked(&mut tape, Standing::NotDone);
    assert_eq!(todo(&tape), [Next::Finish(Outcome::Aborted)]);
}

#[test]
fn a_stopped_run_looks_at_all_it_may_have_changed_before_it_ends() {
    let mut plan = of_level(Level::Switch);
    plan.core.steps.push(StepSpec { hazard: Hazard::Looks, ..step("gate", &[]) });
    let mut tape = Tape::new();
    tape.started(plan);
    for id in ["down", "gate"] {
        let (run, step, attempt): (_, super::super::ids::StepId, _) = (run_id(), id.into(), 1);
        let effect = id.to_owned();
        let boot = "b1".into();
        tape.event(Event::StepStarted {
            run: run.clone(),
            step: step.clone(),
            attempt,
            effect,
            boot,
        });
        let (end, took) = (StepEnd::Done, Duration::ZERO);
        tape.event(Event::StepEnded { run, step, attempt, end, took, note: SafeText::default() });
    }
    tape.command(Command::Abort { verb: Abort::Stop });
    assert_eq!(
        todo(&tape),
        [Next::Look("down".into())],
        "a look changes nothing, restore never began"
    );
    looked(&mut tape, Standing::NotDone);
    assert_eq!(todo(&tape), [Next::Finish(Outcome::Aborted)]);
    let run = tape.situation.open_run().unwrap();
    assert_eq!(run.step(&"down".into()).unwrap().phase, StepPhase::Done, "what it was, it was");
    let measured: Vec<_> = run.measured().map(|(step, now)| (step.id.as_str(), now)).collect();
    assert_eq!(measured, [("down", &Standing::NotDone)]);
    assert!(
        super::super::next::outcome_of(run).1.as_str().ends_with("looked at since: 1 not there")
    );
}
