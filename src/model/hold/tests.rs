use super::super::entry::{Command, Event, Leftover};
use super::super::leftover::{self, About};
use super::super::sample::*;
use super::*;

fn hold(tape: &mut Tape, parts: &[HoldPart]) {
    tape.command(Command::Hold {
        parts: parts.to_vec(),
        reason: "orders are charged twice".into(),
    });
}

fn unhold(tape: &mut Tape, part: HoldPart) {
    tape.command(Command::Unhold { parts: vec![part], reason: "v2.4.9 is good".into() });
}

fn started(part: HoldPart, held: bool, attempt: u32, workers: &[&str]) -> Event {
    let workers = workers.iter().map(|color| Color::from(*color)).collect();
    Event::HoldStarted(HoldStart { part, held, attempt, effect: "k".into(), workers })
}

fn ended(part: HoldPart, held: bool, end: StepEnd) -> Event {
    Event::HoldEnded { part, held, end, took: Duration::from_millis(40), note: "".into() }
}

fn chip_at(tape: &Tape, second: i64) -> Option<(String, Option<Duration>)> {
    chip(&tape.situation, at(second))
}

const W: HoldPart = HoldPart::Writers;

#[test]
fn a_hold_counts_from_its_proof_and_ends_with_the_proof_of_its_end() {
    let mut tape = Tape::new();
    hold(&mut tape, &[W]);
    assert_eq!(todo(&tape.situation, |_| false), [W]);
    assert_eq!(chip_at(&tape, 1), Some(("holding writes".into(), None)));
    tape.event(started(W, true, 1, &[]));
    assert_eq!(todo(&tape.situation, |_| false), [W], "cut off, it is looked at again");
    assert_eq!(todo(&tape.situation, |part| part == W), [], "this engine works on it");
    tape.now = 10;
    tape.event(ended(W, true, StepEnd::Done));
    assert_eq!(todo(&tape.situation, |_| false), []);
    assert_eq!(chip_at(&tape, 40), Some(("HELD writes".into(), Some(Duration::from_secs(30)))));
    let said = sentence(&tape.situation, W, at(40)).unwrap();
    assert_eq!(said, "writers held for 0:30, by alice: orders are charged twice");
    tape.now = 50;
    hold(&mut tape, &[W]);
    assert_eq!(todo(&tape.situation, |_| false), [W], "asked again, it is proved again");
    tape.event(ended(W, true, StepEnd::Done));
    assert_eq!(tape.situation.holds[&W].since, Some(at(10)), "and counts from the first");
    unhold(&mut tape, W);
    assert_eq!(chip_at(&tape, 60).unwrap().0, "HELD writes", "held until the proof");
    tape.event(ended(W, false, StepEnd::Done));
    assert!(tape.situation.holds.is_empty());
    assert_eq!(chip_at(&tape, 60), None);
}

#[test]
fn what_is_not_known_is_never_shown_as_free() {
    let mut tape = Tape::new();
    hold(&mut tape, &[W]);
    tape.event(ended(W, true, StepEnd::Unknown("the proxy does not answer".into())));
    assert_eq!(chip_at(&tape, 1).unwrap().0, "HELD? writes");
    assert_eq!(todo(&tape.situation, |_| false), [], "it is not done again by itself");
    tape.event(ended(W, true, StepEnd::Failed("it is as before".into())));
    assert_eq!(chip_at(&tape, 1), None, "proved not to be there");
    hold(&mut tape, &[W]);
    tape.event(ended(W, true, StepEnd::Done));
    unhold(&mut tape, W);
    tape.event(ended(W, false, StepEnd::Failed("refused".into())));
    assert_eq!(chip_at(&tape, 1).unwrap().0, "HELD writes", "a lift that failed left it held");
    let said = sentence(&tape.situation, W, at(1)).unwrap();
    assert_eq!(said, "writers: NOT LIFTED: refused");
}

#[test]
fn several_holds_share_one_chip_with_the_oldest_time() {
    let mut tape = Tape::new();
    hold(&mut tape, &[HoldPart::Page, W]);
    tape.event(ended(HoldPart::Page, true, StepEnd::Done));
    tape.now = 20;
    tape.event(ended(W, true, StepEnd::Done));
    let (said, since) = chip_at(&tape, 60).unwrap();
    assert_eq!((said.as_str(), since), ("HELD writes+page", Some(Duration::from_mins(1))));
}

#[test]
fn only_workers_that_the_hold_stopped_are_started_again_and_none_of_a_stopped_version() {
    let part = HoldPart::Consumers;
    let mut tape = Tape::new();
    hold(&mut tape, &[part]);
    tape.event(started(part, true, 1, &["blue", "green"]));
    // A second attempt finds one of them stopped already.
    tape.event(started(part, true, 2, &["green"]));
    tape.event(ended(part, true, StepEnd::Done));
    let names = |tape: &Tape| {
        let colors = workers_to_start(&tape.situation).into_iter();
        colors.map(|color| color.0).collect::<Vec<_>>()
    };
    assert_eq!(names(&tape), ["blue", "green"]);
    tape.event(Event::LeftoverNoted {
        leftover: Leftover {
            name: "green stopped, kept".into(),
            about: Some(About::Stopped("green".into())),
            ..Leftover::default()
        },
    });
    unhold(&mut tape, part);
    assert_eq!(names(&tape), ["blue"], "the failed version's workers stay stopped");
}

#[test]
fn a_leftover_is_open_until_it_is_handed_to_a_name_and_overdue_after_its_time() {
    let mut tape = Tape::new();
    tape.now = 5;
    for name in ["green stopped, kept", "workers of green stopped, kept"] {
        tape.event(Event::LeftoverNoted {
            leftover: Leftover { name: name.into(), due: Some(at(100)), ..Leftover::default() },
        });
    }
    let first = &tape.situation.leftovers[0];
    assert_eq!(first.since, Some(at(5)));
    assert!(!first.overdue(at(100)) && first.overdue(at(101)));
    assert_eq!(leftover::open(&tape.situation).count(), 2);
    let named = |tape: &Tape, name: &str| {
        leftover::named(&tape.situation, name).map(|found| found.name.to_string())
    };
    assert_eq!(named(&tape, "Green Stopped, kept").unwrap(), "green stopped, kept", "whole name");
    assert_eq!(named(&tape, "workers").unwrap(), "workers of green stopped, kept");
    assert!(named(&tape, "green").unwrap_err().starts_with("green could be "));
    assert!(named(&tape, "lock").unwrap_err().contains("there is green stopped, kept; workers"));
    tape.command(Command::HandOver {
        name: "green stopped, kept".into(),
        to: "dana".into(),
        reason: "she mends it".into(),
    });
    let open: Vec<&str> = leftover::open(&tape.situation).map(|left| left.name.as_str()).collect();
    assert_eq!(open, ["workers of green stopped, kept"]);
    assert!(!tape.situation.leftovers[0].overdue(at(200)), "it is dana's now");
}

#[test]
fn a_situation_from_before_holds_reads_as_one_without_any() {
    let mut value = serde_json::to_value(Tape::new().situation).unwrap();
    value.as_object_mut().unwrap().remove("holds");
    value["leftovers"] = serde_json::json!([{"name": "x", "owner": "y", "undo": "z", "due": null}]);
    let situation: Situation = serde_json::from_value(value).unwrap();
    assert!(situation.holds.is_empty());
    assert!(situation.leftovers[0].is_open());
}
