use super::super::entry::{Body, Entry, Event};
use super::super::restore_point::{Evidence, Known};
use super::super::sample::{Tape, at, change};
use super::*;

fn report(state: ChangeState, version: &str) -> DeployReport {
    DeployReport {
        state,
        version: version.into(),
        color: Some("green".into()),
        by: Some("ci".into()),
        reference: "ci#4712".into(),
        schema: Some(105),
        ..DeployReport::default()
    }
}

/// Tells a report as the engine does.
fn tell(tape: &mut Tape, report: &DeployReport, second: i64) -> bool {
    let who = SafeText::from("sam");
    let Some((change, point)) = reported(&tape.situation, report, &who, at(second)) else {
        return false;
    };
    tape.event(Event::ChangeSeen { change });
    if let Some(point) = point {
        tape.event(Event::PointRecorded { point: Box::new(point) });
    }
    true
}

fn seen(version: &str, files: &str, since: i64) -> SeenRelease {
    let digest = Some(Digest::of(files.as_bytes()));
    SeenRelease { version: version.into(), digest, since: at(since) }
}

fn look(tape: &Tape, release: SeenRelease, now: i64) -> Vec<Change> {
    noticed(&tape.situation, &[], &[("green".into(), release)].into(), at(now))
}

/// Green holds v2.5.0, and a look has seen it.
fn looked() -> Tape {
    let mut tape = Tape::new();
    let releases = [("green".into(), seen("v2.5.0", "a", 0))].into();
    tape.event(Event::ReleasesSeen { releases });
    tape
}

#[test]
fn a_deploy_runs_from_its_begin_to_its_end_and_is_one_change() {
    let mut tape = Tape::new();
    assert!(tell(&mut tape, &report(ChangeState::Running, "v2.5.1"), 10));
    let running = tape.situation.running_deploy().unwrap();
    assert_eq!((running.at, running.by.as_str()), (at(10), "ci"));
    // The end need not say again what the begin said.
    let done =
        DeployReport { state: ChangeState::Done, version: "v2.5.1".into(), ..Default::default() };
    assert!(tell(&mut tape, &done, 70));
    assert!(tape.situation.running_deploy().is_none());
    let [change] = tape.situation.changes.as_slice() else { panic!("not one change") };
    assert_eq!((change.at, change.ended_at), (at(10), Some(at(70))));
    assert_eq!((change.by.as_str(), change.reference.as_str()), ("ci", "ci#4712"));
    assert_eq!((change.schema, change.color.clone()), (Some(105), Some("green".into())));
    let [point] = tape.situation.deploys.records.as_slice() else { panic!("no point") };
    assert_eq!((point.version.as_str(), point.schema), ("v2.5.1", Some(105)));
    assert_eq!(point.known.evidence, Evidence::Recorded);
    assert_eq!(point.health, super::super::restore_point::PointHealth::NotProven);
}

#[test]
fn a_pipeline_that_asks_twice_tells_of_one_deploy() {
    let mut tape = Tape::new();
    for (state, second, new) in [
        (ChangeState::Running, 10, true),
        (ChangeState::Running, 11, false),
        (ChangeState::Done, 70, true),
        (ChangeState::Done, 71, false),
        // Deployed again: another deploy, although the job has the same name.
        (ChangeState::Running, 80, true),
        (ChangeState::Failed, 90, true),
    ] {
        assert_eq!(tell(&mut tape, &report(state, "v2.5.1"), second), new, "at {second}");
    }
    let states: Vec<_> = tape.situation.changes.iter().map(|change| change.state).collect();
    assert_eq!(states, [ChangeState::Failed, ChangeState::Done]);
    assert_eq!(tape.situation.deploys.records.len(), 1, "a failed deploy is nothing to go back to");
}

#[test]
fn the_file_and_the_report_of_one_deploy_are_one_change() {
    let mut tape = Tape::new();
    tell(&mut tape, &report(ChangeState::Running, "v2.5.1"), 10);
    tell(&mut tape, &report(ChangeState::Done, "v2.5.1"), 200);
    let of_file = Change { version: "v2.5.1".into(), reference: "ci#4712".into(), ..change(230) };
    assert!(!tape.situation.learns(&of_file));
    let another = Change { version: "v2.5.2".into(), ..of_file };
    assert!(tape.situation.learns(&another));
}

#[test]
fn a_full_list_does_not_learn_what_it_would_drop_again() {
    let mut tape = Tape::new();
    for second in 0..8 {
        let version = SafeText::new(&format!("v{second}"));
        tape.event(Event::ChangeSeen { change: Change { version, ..change(second * 3600) } });
    }
    let old = Change { version: "v-old".into(), ..change(-3600) };
    assert!(!tape.situation.learns(&old), "it would be written with every look");
    assert!(tape.situation.learns(&Change { version: "v-new".into(), ..change(9 * 3600) }));
}

#[test]
fn another_version_that_nobody_reported_is_noticed_once_and_dated_by_its_files() {
    let mut tape = looked();
    let new = seen("v2.5.1", "b", 50);
    let found = look(&tape, new.clone(), 60);
    let [change] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((change.state, change.kind), (ChangeState::Noticed, ChangeKind::Deploy));
    assert_eq!(change.at, at(50), "the look came later than the deploy");
    assert_eq!(change.evidence.as_str(), "green had v2.5.0 before, nobody reported it");
    tape.event(Event::ChangeSeen { change: change.clone() });
    tape.event(Event::ReleasesSeen { releases: [("green".into(), new.clone())].into() });
    assert!(look(&tape, new, 75).is_empty());
    // The report that comes late takes its place.
    assert!(tell(&mut tape, &report(ChangeState::Done, "v2.5.1"), 90));
    let [change] = tape.situation.changes.as_slice() else { panic!("two changes") };
    assert_eq!((change.state, change.at), (ChangeState::Done, at(50)));
}

#[test]
fn what_was_reported_or_begun_is_not_noticed_but_an_old_record_is_no_report() {
    let mut tape = looked();
    tell(&mut tape, &report(ChangeState::Running, "v2.5.1"), 40);
    assert!(look(&tape, seen("v2.5.1", "b", 50), 60).is_empty());
    let mut tape = looked();
    let old = Change { version: "v2.4.8".into(), ..change(-8 * 86400) };
    tape.event(Event::ChangeSeen { change: old });
    assert_eq!(look(&tape, seen("v2.4.8", "c", 50), 60).len(), 1);
}

#[test]
fn other_files_under_the_same_version_are_a_change_of_configuration() {
    let tape = looked();
    assert!(look(&tape, seen("v2.5.0", "a", 50), 60).is_empty(), "laid again, the same");
    let found = look(&tape, seen("v2.5.0", "b", 50), 60);
    assert_eq!(found[0].kind, ChangeKind::Configuration);
    assert!(found[0].line().contains("configuration of v2.5.0 noticed"), "{}", found[0].line());
}

#[test]
fn a_first_look_notices_nothing() {
    assert!(look(&Tape::new(), seen("v2.5.0", "a", 50), 60).is_empty());
}

#[test]
fn a_pinned_record_outlives_the_others() {
    let mut tape = Tape::new();
    let record = |second: i64| {
        let version = SafeText::new(&format!("v{second}"));
        Change { version, ended_at: Some(at(second)), ..change(second) }.record()
    };
    let first = record(0);
    tape.event(Event::PointRecorded { point: Box::new(first.clone()) });
    let pin = Pin { by: "sam".into(), at: at(0), reason: "audit".into() };
    tape.situation.take_pin(&first.id, Some(pin));
    for second in 1..=20 {
        tape.event(Event::PointRecorded { point: Box::new(record(second)) });
    }
    let records = &tape.situation.deploys.records;
    assert_eq!(records.len(), RECORDS + 1);
    assert_eq!(records.last().unwrap().id, first.id);
    tape.situation.take_pin(&first.id, None);
    tape.event(Event::PointRecorded { point: Box::new(record(21)) });
    assert!(!tape.situation.deploys.records.iter().any(|point| point.id == first.id));
}

/// Written by the version before deploys could be reported.
const OLD_CHANGE: &str = r#"{"seq":7,"v":1,"incident":null,"at":"2025-12-02T15:00:07Z","author":{"uid":0,"login_uid":null,"name":"engine","ssh":null,"engine":true},"epoch":1,"prev":"00","body":{"event":{"change_seen":{"change":{"at":"2025-12-02T15:00:00Z","version":"v2.5.0","color":"green","by":"dana","reference":"ci#4711","schema":105}}}}}"#;
const OLD_POINTS: &str = r#"{"seq":8,"v":1,"incident":null,"at":"2025-12-02T15:00:08Z","author":{"uid":0,"login_uid":null,"name":"engine","ssh":null,"engine":true},"epoch":1,"prev":"00","body":{"event":{"points_seen":{"points":[{"id":"live-blue","taken_at":null,"version":"v2.4.9","color":"blue","images":[],"schema":104,"health":{"is":"not_proven"},"manifest":null,"refused":null}]}}}}"#;

#[test]
fn an_older_journals_deploys_and_points_are_read_as_they_were_meant() {
    let mut situation = Situation::default();
    for text in [OLD_CHANGE, OLD_POINTS] {
        let entry: Entry = serde_json::from_str(text).unwrap();
        assert!(!matches!(entry.body, Body::Newer { .. }), "{text}");
        situation.apply(&entry);
    }
    let [change] = situation.changes.as_slice() else { panic!("no change") };
    assert_eq!((change.state, change.kind), (ChangeState::Done, ChangeKind::Deploy));
    assert_eq!(situation.points[0].known, Known::default());
    assert!(!situation.newer);
}

#[test]
fn an_older_situation_that_was_carried_is_read() {
    let mut old = serde_json::to_value(Tape::new().situation).unwrap();
    old.as_object_mut().unwrap().remove("deploys").unwrap();
    let read: Situation = serde_json::from_value(old).unwrap();
    assert_eq!(read.deploys, Deploys::default());
}
