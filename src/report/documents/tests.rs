//! The documents key by key, and the same for people.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::documents::{self, Health};
use super::super::{brief, text, validate};
use crate::model::criteria::Criterion;
use crate::model::ids::{CheckId, Time};
use crate::model::incident::Run;
use crate::model::live::Live;
use crate::model::reading::Reading;
use crate::model::restore_point::RestorePoint;
use crate::model::situation::{OpenPlan, PastRun, Situation};

use super::super::history::{History, Line};
use crate::model::criteria::Passed;
use crate::model::entry::{Event, Outcome, StepEnd};
use crate::model::ids::PointId;
use crate::model::plan::{Level, LevelStanding, Preflight, PreflightAnswer};
use crate::model::reading::{Phases, Reason, Status, WhyClass};
use crate::model::restore_point::PointHealth;
use crate::model::sample::*;
use crate::model::tree::{assess as judge, built_in};
use crate::text::width;

fn value(document: &impl Serialize) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}

fn check(
    situation: &Situation,
    readings: &BTreeMap<CheckId, Reading>,
    deployment: &str,
    now: Time,
) -> Value {
    let services = BTreeMap::new();
    value(&documents::check(situation, readings, &services, None, (deployment, now)))
}

fn failed(error: &str, now: Time) -> Value {
    value(&documents::failed(error, now))
}

fn assess(
    situation: &Situation,
    live: Option<&Live>,
    readings: &BTreeMap<CheckId, Reading>,
    now: Time,
) -> Value {
    value(&documents::assess(situation, live, readings, now))
}

fn plan(open: &OpenPlan) -> Value {
    value(&documents::plan(open))
}

fn rollback(run: &Run) -> Value {
    value(&documents::rollback(run))
}

fn targets(points: &[RestorePoint]) -> Value {
    value(&documents::targets(points))
}

fn status(situation: &Situation, live: Option<&Live>, now: Time) -> Value {
    value(&documents::status(situation, live, &BTreeMap::new(), now))
}

fn deployment(
    situation: &Situation,
    live: Option<&Live>,
    deployment: &str,
    environment: Option<&str>,
) -> Value {
    value(&documents::deployment(situation, live, (deployment, environment), true))
}

fn history(past: &[PastRun]) -> Value {
    let history = History { lines: past.iter().map(Line::of_past).collect(), unread: Vec::new() };
    value(&documents::history(&history, past))
}

fn validated(lines: &[Criterion]) -> Value {
    value(&documents::validation(lines))
}

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.now = 40;
    tape.deploy(10);
    tape
}

fn check_is(tape: &mut Tape, id: &str, status: Status, critical: bool) {
    tape.event(Event::CheckChanged {
        check: id.into(),
        status,
        reason: (status == Status::Unknown).then_some(Reason::NoTool),
        note: "503".into(),
        since: at(24),
        critical,
    });
}

fn failing() -> Tape {
    let mut tape = tape();
    check_is(&mut tape, "api", Status::Fail, true);
    check_is(&mut tape, "disk", Status::Unknown, false);
    let signals =
        with(all_well(), vec![number("error_rate", 14.2), not_known("corruption", Reason::NoTool)]);
    let assessment = judge(&built_in(), &signals, &BTreeMap::new(), None, at(40));
    tape.event(Event::Assessed { assessment: Box::new(assessment) });
    tape.event(Event::HelpTested { test: help_test(14, 20, None) });
    tape.event(Event::LevelsJudged {
        cards: vec![card(Level::Switch, LevelStanding::Ready, "switch to blue")],
    });
    tape
}

fn ended(outcome: Outcome) -> Tape {
    let mut tape = failing();
    tape.started(level_one());
    for (step, end) in [("verify", StepEnd::Done), ("switch", StepEnd::Failed("refused".into()))] {
        tape.event(Event::StepStarted {
            run: run_id(),
            step: step.into(),
            attempt: 1,
            effect: String::new(),
            boot: "b1".into(),
        });
        tape.event(Event::StepEnded {
            run: run_id(),
            step: step.into(),
            attempt: 1,
            end,
            took: Duration::from_millis(1500),
            note: "seen".into(),
        });
    }
    tape.now = 52;
    let history = super::super::history::line(
        tape.situation.run.as_ref().unwrap(),
        outcome,
        Duration::from_secs(12),
        at(52),
    );
    tape.event(Event::RunEnded {
        run: run_id(),
        outcome,
        took: Duration::from_secs(12),
        why: "as said".into(),
        history,
    });
    tape
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]

fn check_has_the_keys_of_the_document() {
    let tape = failing();
    let readings =
        BTreeMap::from([("api".into(), reading("api", 38, bad(WhyClass::Status, "503")))]);
    let document = check(&tape.situation, &readings, "current", at(40));
    for key in [
        "timestamp",
        "deployment_id",
        "health_status",
        "services",
        "failed_checks",
        "warnings",
        "recent_rollbacks",
        "system_healthy",
    ] {
        assert!(document.get(key).is_some(), "{key}");
    }
    assert_eq!(document["health_status"], "critical");
    assert_eq!(document["system_healthy"], false);
    assert_eq!(document["services"], json!({"api": "critical", "disk": "warning"}));
    assert_eq!(document["failed_checks"], json!(["api"]));
    assert_eq!(document["warnings"], json!(["disk: unknown (tool missing)"]));
    assert_eq!(document["checks"][0]["age_seconds"], 2);
    let error = failed("no configuration", at(0));
    assert_eq!(keys(&error), ["error", "status", "timestamp"]);
    assert_eq!(error["status"], "error");
}

#[test]

fn checks_of_one_service_come_to_its_worst() {
    let mut tape = tape();
    check_is(&mut tape, "api", Status::Ok, true);
    check_is(&mut tape, "api_health", Status::Fail, true);
    let services =
        BTreeMap::from([("api".into(), "app".to_owned()), ("api_health".into(), "app".to_owned())]);
    let document =
        documents::check(&tape.situation, &BTreeMap::new(), &services, None, ("current", at(40)));
    assert_eq!(document.services, BTreeMap::from([("app".to_owned(), Health::Critical)]));
}

#[test]

fn the_four_exit_codes_and_unknown_is_never_healthy() {
    let table = [
        (vec![(Status::Ok, true)], Health::Healthy, 0),
        (vec![(Status::Ok, true), (Status::Warn, true)], Health::Warning, 1),
        (vec![(Status::Ok, true), (Status::Fail, false)], Health::Warning, 1),
        (vec![(Status::Fail, true), (Status::Unknown, true)], Health::Critical, 2),
        (vec![(Status::Ok, true), (Status::Unknown, true)], Health::Unknown, 3),
        (vec![], Health::Unknown, 3),
    ];
    for (checks, health, code) in table {
        let mut tape = tape();
        for (count, (status, critical)) in checks.iter().enumerate() {
            check_is(&mut tape, &format!("c{count}"), *status, *critical);
        }
        assert_eq!(Health::of(&tape.situation), health, "{checks:?}");
        assert_eq!(health.code(), code);
    }
}

#[test]

fn assess_says_severity_verdict_and_path() {
    let tape = failing();
    let document = assess(&tape.situation, None, &BTreeMap::new(), at(40));
    assert_eq!(document["severity"], "high");
    assert_eq!(document["could_be"], "critical");
    assert_eq!(document["verdict"], "roll_back");
    assert_eq!(document["suggests"], 1);
    assert_eq!(document["helps"], "yes");
    assert_eq!(document["path"][2]["answer"], "yes");
    assert_eq!(document["path"][2]["value"], 14.2);
    assert_eq!(document["path"][2]["evidence"], json!(["counted"]));
    assert_eq!(document["path"][4]["reason"], "no_tool");
    assert_eq!(document["levels"][0]["rto_seconds"], 300);
    let empty = Tape::new();
    assert_eq!(assess(&empty.situation, None, &BTreeMap::new(), at(0)), Value::Null);
    let text = text::assess(&tape.situation, None, &BTreeMap::new(), at(40));
    assert!(text.contains("Severity HIGH (could be CRITICAL). Tree: ROLL BACK NOW."), "{text}");
    assert!(text.contains("> 2 Errors > 10 %? YES  counted"), "{text}");
}

#[test]

fn rollback_has_the_keys_that_were_promised() {
    let tape = ended(Outcome::Failed);
    let document = rollback(tape.situation.run.as_ref().unwrap());
    for key in
        ["outcome", "level", "from", "to", "duration_seconds", "steps", "criteria", "data_loss"]
    {
        assert!(document.get(key).is_some(), "{key}");
    }
    assert_eq!(document["outcome"], "failed");
    assert_eq!((&document["level"], &document["duration_seconds"]), (&json!(1), &json!(12.0)));
    assert_eq!(document["data_loss"], "none");
    assert_eq!(document["steps"][1]["state"], "failed");
    assert_eq!(document["steps"][1]["note"], "refused");
    assert_eq!(
        document["history"],
        "[2026-11-21 23:50:52] LEVEL=1 FROM=v2.5.0 TO=v2.4.9 DURATION=12 STATUS=failed REASON=\"errors\""
    );
    let text = text::ended(tape.situation.run.as_ref().unwrap());
    assert!(text.contains("failed   switch it  0:01  refused"), "{text}");
    assert!(text.contains("If that is not enough: backout rollback --level 2\n"), "{text}");
    assert!(text.ends_with("REASON=\"errors\"\n"), "{text}");
}

#[test]

fn outcomes_have_their_exit_codes() {
    let table = [
        (Outcome::Done, 0),
        (Outcome::Failed, 13),
        (Outcome::Aborted, 14),
        (Outcome::Undone, 14),
        (Outcome::Unknown, 15),
    ];
    for (outcome, code) in table {
        assert_eq!(documents::exit_of(outcome), code);
    }
}

#[test]
fn history_is_the_same_from_the_journal_and_from_the_file() {
    let tape = ended(Outcome::Done);
    let from_journal = history(&tape.situation.history);
    let file = tape.situation.history[0].ended.history.clone();
    let from_file = documents::history(&History::parse(&file), &tape.situation.history);
    assert_eq!(from_journal, serde_json::to_value(from_file).unwrap());
    assert_eq!(from_journal["rollbacks"][0]["run"], run_id().to_string());
    let unknown = serde_json::to_value(documents::history(&History::parse(&file), &[])).unwrap();
    assert_eq!(unknown["rollbacks"][0]["run"], Value::Null, "another machine's line");
    assert_eq!(from_journal["average_seconds"], 12.0);
    assert_eq!(from_journal["success_rate"], 100.0);
}

#[test]

fn a_deployments_status_has_exactly_the_documents_keys_and_types() {
    let theirs = json!({
        "integration_running": true,
        "deployment_id": "deploy-prod-20240115",
        "environment": "production",
        "health_status": "healthy",
        "active_rollbacks": 0,
        "total_rollbacks": 3,
        "auto_rollback_enabled": true,
        "last_report_time": "2024-01-15T14:30:22Z"
    });
    let ours = deployment(&failing().situation, None, "deploy-prod-20240115", Some("production"));
    assert_eq!(keys(&ours), keys(&theirs));
    for key in keys(&theirs) {
        assert_eq!(
            std::mem::discriminant(&ours[key]),
            std::mem::discriminant(&theirs[key]),
            "{key}"
        );
    }
    assert_eq!(ours["last_report_time"], "2026-11-21T23:50:40Z");
}

fn point(id: &str, health: PointHealth) -> RestorePoint {
    RestorePoint {
        id: PointId::from(id),
        taken_at: None,
        version: "v2.4.9".into(),
        color: None,
        images: Vec::new(),
        schema: Some(104),
        health,
        manifest: None,
        refused: None,
        known: crate::model::restore_point::Known::default(),
    }
}

fn stable() -> PointHealth {
    PointHealth::Stable { evidence: "answers 20/20 now".into() }
}

#[test]

fn targets_are_listed_as_in_the_document() {
    let points = [
        point("20251202-150045", PointHealth::CurrentFailed),
        point("20251202-143022", stable()),
        point("20251201-160034", PointHealth::NotProven),
        point("20251201-120015", PointHealth::NotProven),
    ];
    assert_eq!(
        text::targets(&points),
        "  1  20251202-150045  (current - failed)\n  \
         2  20251202-143022  (previous - stable) ← Target\n  \
         3  20251201-160034\n  \
         4  20251201-120015\n"
    );
    let document = targets(&points);
    assert_eq!(document[1]["target"], true);
    assert_eq!(document[1]["evidence"], "answers 20/20 now");
    assert_eq!(document[0]["health"], "current_failed");
}

#[test]

fn a_refused_or_unproven_point_is_no_target_by_itself() {
    let mut refused = point("b", stable());
    refused.refused = Some("checksum".into());
    let points = [
        point("a", PointHealth::NotProven),
        refused,
        point("c", stable()),
        point("d", stable()),
        point("e", PointHealth::Failed),
    ];
    assert_eq!(documents::default_target(&points).unwrap().id.as_str(), "c");
    assert_eq!(
        text::targets(&points),
        "  1  a\n  2  b  (refused: checksum)\n  3  c  (previous - stable) ← Target\n  \
         4  d  (stable)\n  5  e  (failed)\n"
    );
    assert_eq!(documents::default_target(&points[..2]), None);
    assert_eq!(text::targets(&[]), "no restore points\n");
}

fn open_plan(answer: PreflightAnswer) -> OpenPlan {
    let mut plan = level_one();
    plan.face.steps[1].undo = "switch back to green".into();
    plan.face.steps[1].preview = "active green -> blue".into();
    plan.face.estimate = Duration::from_secs(310);
    plan.face.not_undone = vec!["in-flight requests are drained 5 s".into()];
    OpenPlan {
        digest: plan.digest(),
        plan,
        by: "alice".into(),
        preflight: vec![Preflight {
            name: "appropriate user".into(),
            answer,
            text: "alice".into(),
        }],
    }
}

#[test]

fn a_plan_shows_undo_both_sums_over_and_the_commands() {
    let open = open_plan(PreflightAnswer::Ok);
    let with = text::plan(&open, true);
    let without = text::plan(&open, false);
    assert!(with.contains("  * 2 switch it    switch back to green    0:03    0:10\n"), "{with}");
    assert!(with.contains("       active green -> blue\n       $ do switch\n"), "{with}");
    assert!(!without.contains("$ do switch"), "{without}");
    assert!(
        without.contains(
            "Until traffic is good: about 5:10 (OVER by 0:10), by budgets 0:40, objective 5:00\n"
        ),
        "{without}"
    );
    assert!(without.contains("Not undone: in-flight requests are drained 5 s\n"), "{without}");
    assert!(without.ends_with("+ ok    appropriate user: alice\n"), "{without}");
    let document = plan(&open);
    assert_eq!((&document["over"], &document["ready"]), (&json!(true), &json!(true)));
    assert_eq!(document["steps"][1]["undo"], "switch back to green");
    assert_eq!(document["steps"][1]["by_hand"], json!(["do switch"]));
    assert_eq!(document["budget_seconds"], 40.0);
    for answer in [PreflightAnswer::Block, PreflightAnswer::Unknown] {
        assert_eq!(plan(&open_plan(answer))["ready"], false);
    }
}

fn live(signals: Vec<crate::model::signal::Signal>) -> Live {
    Live { at: at(40), signals: with(all_well(), signals), ..Live::default() }
}

fn looked() -> (Tape, BTreeMap<CheckId, Reading>) {
    let mut tape = tape();
    let mut readings = BTreeMap::new();
    for id in ["api", "disk"] {
        check_is(&mut tape, id, Status::Ok, true);
        let mut one = reading(id, 38, good());
        if id == "api" {
            one.phases = Phases { first_byte: Some(Duration::from_millis(3)), ..one.phases };
        }
        readings.insert(id.into(), one);
    }
    (tape, readings)
}

#[test]

fn validate_prints_the_ten_in_their_order() {
    let (tape, readings) = looked();
    let lines = validate::quick(&tape.situation, Some(&live(Vec::new())), &readings);
    assert_eq!(
        text::validate(&lines),
        "✓ Container status: counted\n\
         ✓ Container health: no check fails\n\
         ✓ HTTP API: api: note\n\
         - Telemetry server: left out: no check is configured for it\n\
         ✓ Database connection: no check fails\n\
         ✓ Data integrity: no check fails\n\
         ✓ Network connectivity: 2 of 2 answered\n\
         ✓ Resource usage: disk: note\n\
         - Log errors: left out: no check is configured for it\n\
         ✓ Performance metrics: errors 0.0 %, p95 40 ms\n\
         Overall: passed, 8 of 10 looked at\n"
    );
    let document = validated(&lines);
    assert_eq!(document["passed"], true);
    assert_eq!(document["left_out"], json!(["Telemetry server", "Log errors"]));
}

#[test]

fn validate_fails_for_each_failure_and_for_what_is_not_known() {
    let (tape, readings) = looked();
    let breaks = [
        (number("outage", 2.0), "✗ Container status"),
        (flag("failed_health_checks", true), "✗ Container health"),
        (flag("database_failure", true), "✗ Database connection"),
        (flag("corruption", true), "✗ Data integrity"),
        (not_known("database_failure", Reason::NoTool), "? Database connection"),
        (number("p95", 0.6), "✗ Performance metrics"),
        (number("error_rate", 1.0), "✗ Performance metrics"),
    ];
    for (signal, words) in breaks {
        let lines = validate::quick(&tape.situation, Some(&live(vec![signal])), &readings);
        assert!(!validate::all_good(&lines), "{words}");
        let text = text::validate(&lines);
        assert!(text.contains(words), "{words} in {text}");
        assert!(text.contains("Overall: NOT passed"), "{text}");
    }
    assert!(!validate::all_good(&validate::quick(&tape.situation, None, &readings)));
    let nothing = validate::quick(&Tape::new().situation, None, &BTreeMap::new());
    assert!(!validate::all_good(&nothing));
    let mut refused = readings;
    refused.insert("api".into(), reading("api", 39, bad(WhyClass::Refused, "refused")));
    let lines = validate::quick(&tape.situation, Some(&live(Vec::new())), &refused);
    assert!(text::validate(&lines).contains("✗ Network connectivity: api: refused"));
}

#[test]

fn endpoints_print_the_lines_of_the_document() {
    let line = |name: &str, answer| Criterion { name: name.into(), measured: "200".into(), answer };
    assert_eq!(
        crate::report::endpoints::answers(&[
            line("Health endpoint", Passed::Yes),
            line("API endpoint", Passed::Yes)
        ]),
        "Health endpoint: ✅ 200\nAPI endpoint: ✅ 200\n\nOverall result: ✅ SUCCESS\n"
    );
    assert_eq!(
        crate::report::endpoints::answers(&[line("Health endpoint", Passed::Unknown)]),
        "Health endpoint: ❌ 200\n\nOverall result: ❌ FAILURE\n"
    );
}

#[test]

fn the_check_table_is_worst_first_and_says_what_to_do() {
    let tape = failing();
    let readings =
        BTreeMap::from([("api".into(), reading("api", 38, bad(WhyClass::Status, "503")))]);
    assert_eq!(
        text::checks(&tape.situation, &readings, None, at(40)),
        "x FAIL api      40 ms   2 s ago  note\n\
         ? UNKN disk                      tool missing; to do: install the program that the check runs\n\
         Overall: critical\n"
    );
}

#[test]

fn a_brief_has_twelve_short_lines_at_every_stage() {
    for tape in [Tape::new(), failing(), ended(Outcome::Unknown)] {
        let lines = brief::brief(&tape.situation, None, &BTreeMap::new(), at(60));
        for line in &lines {
            assert!(width(line) <= 78 && !line.is_empty(), "{line}");
        }
    }
    let tape = ended(Outcome::Failed);
    let lines = brief::brief(&tape.situation, None, &BTreeMap::new(), at(60));
    assert_eq!(lines[0], "demo  INC-0142 since 0:20");
    assert_eq!(lines[5], "Last deploy v2.5.0 0:50 ago by dana (ci#4711).");
    assert_eq!(lines[7], "Steps: 1 of 7 through; switch FAILED: refused.");
    assert_eq!(lines[8], "Nobody leads; who is attached is not known.");
    assert_eq!(lines[9], "No question was answered by a person.");
    assert_eq!(lines[10], "Nothing is left over.");
    assert_eq!(lines[11], "23:50:52Z run 142-k7qd-1 failed");
    let status = text::status(&tape.situation, None, at(60));
    assert_eq!(status.lines().count(), 12);
}

#[test]
fn a_brief_names_holds_mutes_and_a_persons_class_as_themselves() {
    use crate::model::hold::{HoldCard, HoldPart};
    use crate::model::mute::Mute;
    use crate::model::overrule::Overrule;
    let mut situation = failing().situation;
    let card = HoldCard {
        held: true,
        by: "alice".into(),
        reason: "data grows wrong".into(),
        asked: 1,
        attempt: 1,
        ended: Some(crate::model::entry::StepEnd::Done),
        since: Some(at(20)),
        changed_at: at(20),
        workers: Vec::new(),
    };
    situation.holds.insert(HoldPart::Writers, card);
    situation.judging.mutes.push(Mute {
        name: "disk".into(),
        checks: vec!["disk".into()],
        all: false,
        by: "bob".into(),
        reason: "is moved".into(),
        since: at(0),
        until: at(600),
    });
    let class = situation.assessment.as_ref().unwrap().severity;
    situation.overrule = Some(Overrule {
        class,
        measured: class,
        by: "carol".into(),
        reason: "shops stand".into(),
        at: at(10),
    });
    let lines = brief::brief(&situation, None, &BTreeMap::new(), at(60));
    assert!(lines[3].contains("(carol: shops stand)"), "{}", lines[3]);
    assert_eq!(lines[7], "Hold: writers held for 0:40, by alice: data grows wrong.");
    assert!(lines[9].starts_with("Muted: disk until") && lines[9].contains("bob: is moved"));
    assert_eq!(lines[10], "Nothing else is left over.");
}

#[test]

fn status_says_where_things_stand() {
    let tape = ended(Outcome::Failed);
    let document = status(&tape.situation, Some(&live(Vec::new())), at(60));
    assert_eq!(document["environment"], "demo");
    assert_eq!(document["incident"], "INC-0142");
    assert_eq!(document["run_state"], "CLOSED");
    assert_eq!(document["heard_seconds"], 20);
    assert_eq!(document["severity"], "high");
}

#[test]
fn what_is_muted_counts_for_nothing_and_is_named() {
    use crate::model::mute::Mute;
    let mut tape = tape();
    check_is(&mut tape, "api", Status::Fail, true);
    check_is(&mut tape, "web", Status::Ok, true);
    assert_eq!(Health::of(&tape.situation), Health::Critical);
    let mute = |name: &str, all| Mute {
        name: name.into(),
        checks: vec![name.into()],
        all,
        by: "alice".into(),
        reason: "deploy".into(),
        since: at(0),
        until: at(1800),
    };
    tape.event(Event::Muted { mute: mute("api", false) });
    assert_eq!(Health::of(&tape.situation), Health::Healthy);
    let document = check(&tape.situation, &BTreeMap::new(), "current", at(40));
    assert_eq!(document["failed_checks"], json!([]));
    assert_eq!(document["muted"], json!(["api until 00:20Z (alice: deploy)"]));
    let table = text::checks(&tape.situation, &BTreeMap::new(), None, at(40));
    assert!(table.contains("Muted: api until 00:20Z (alice: deploy)"), "{table}");
    assert!(table.ends_with("Overall: healthy (1 muted)\n"), "{table}");
    tape.event(Event::Muted { mute: mute("all", true) });
    assert_eq!(Health::of(&tape.situation), Health::Unknown, "nothing is judged any more");
}

#[test]
fn the_checks_and_the_assessment_never_say_different_things() {
    let mut tape = tape();
    check_is(&mut tape, "api", Status::Warn, true);
    assert_eq!(Health::of(&tape.situation), Health::Warning);
    let signals = with(all_well(), vec![number("error_rate", 30.0)]);
    let assessment = judge(&built_in(), &signals, &BTreeMap::new(), None, at(30));
    tape.event(Event::Assessed { assessment: Box::new(assessment) });
    assert_eq!(Health::of(&tape.situation), Health::Critical);
}

#[test]
fn a_burst_tells_its_errors_apart_from_its_times() {
    let mut tape = tape();
    check_is(&mut tape, "api", Status::Ok, true);
    let readings = BTreeMap::from([("api".into(), burst("api", 38, (1, 20), 40))]);
    let document = check(&tape.situation, &readings, "current", at(40));
    let requests = &document["checks"][0]["requests"];
    assert_eq!(requests["errors"], 1);
    assert_eq!(requests["sent"], 20);
    assert_eq!(requests["p95_ms"], 40.0);
    assert_eq!(requests["max_ms"], Value::Null, "a failed request is longer than any limit");
}
