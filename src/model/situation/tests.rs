use std::time::Duration;

use proptest::prelude::*;

use super::super::criteria::{Criterion, Passed};
use super::super::entry::{Abort, Body, Command, Entry, Event, FORMAT, Outcome, Standing, StepEnd};
use super::super::leftover::About;
use super::super::loss::Choice;
use super::super::plan::{LevelStanding, PreflightAnswer};
use super::super::restore_point::PointHealth;
use super::super::rule::book::{Fired, RuleState};
use super::super::rule::{Action, Mode, Shown, Unknown};
use super::super::sample::*;
use super::super::severity::Severity;
use super::super::watch::Verdict;
use super::*;
use crate::model::incident::StepPhase;

fn author() -> Author {
    Author { login_uid: Some(1000), ssh: Some("192.0.2.7 50022".into()), ..alice() }
}

fn bob() -> Author {
    Author { uid: 1001, name: "bob".into(), ..Author::default() }
}

fn point() -> RestorePoint {
    RestorePoint {
        id: "20251202-143022".into(),
        taken_at: Some(at(0)),
        version: "v2.4.9".into(),
        color: Some("blue".into()),
        images: vec!["shop/api@sha256:12".into()],
        schema: Some(104),
        health: PointHealth::Stable { evidence: "answers 20/20 now".into() },
        manifest: Some(Digest::of(b"manifest")),
        refused: None,
        known: super::super::restore_point::Known::default(),
    }
}

fn preflight() -> Vec<Preflight> {
    vec![Preflight {
        name: "appropriate user".into(),
        answer: PreflightAnswer::Ok,
        text: "alice".into(),
    }]
}

fn assessment() -> Assessment {
    let signals = with(
        all_well(),
        vec![number("error_rate", 14.2), not_known("database_failure", Reason::NoPermission)],
    );
    super::super::tree::assess(
        &super::super::tree::built_in(),
        &signals,
        &BTreeMap::new(),
        None,
        at(3),
    )
}

/// One of every command. A new variant is missed by the compiler here, in `name_of`.
fn commands() -> Vec<Command> {
    let (run, step, reason) = (run_id(), "switch".into(), SafeText::from("why"));
    let about =
        |made: fn(super::super::ids::RunId, super::super::ids::StepId, SafeText) -> Command| {
            made(run.clone(), Clone::clone(&step), reason.clone())
        };
    vec![
        Command::Plan { level: Level::Switch, target: Some("live-blue".into()) },
        Command::Approve {
            plan: level_one().digest(),
            lead: 3,
            reason: reason.clone(),
            accept_loss: None,
        },
        Command::Answer { node: "4".into(), assessment: 7, answer: Answer::Unknown },
        about(|run, step, reason| Command::Retry { run, step, attempt: 1, reason }),
        about(|run, step, reason| Command::Skip { run, step, attempt: 1, reason }),
        about(|run, step, reason| Command::MarkDone { run, step, attempt: 1, reason }),
        Command::Resume { run: run.clone() },
        Command::Abort { verb: Abort::Now },
        Command::Pause,
        Command::Note { text: "note".into() },
        Command::TakeLead { reason },
        Command::Detach,
        Command::EndWatch { run: run.clone() },
        Command::Close,
        Command::Overrule { class: Some(Severity::High), assessment: 7, reason: "why".into() },
        Command::Hold { parts: HoldPart::ALL.to_vec(), reason: "why".into() },
        Command::Unhold { parts: vec![HoldPart::Page], reason: "why".into() },
        Command::Release { name: "green stopped".into(), reason: "why".into() },
        Command::HandOver { name: "lock".into(), to: "dana".into(), reason: "why".into() },
        Command::Deploy { report: super::super::deploys::DeployReport::default() },
        Command::Pin { point: "live-blue".into(), reason: "audit".into() },
        Command::Unpin { point: "live-blue".into() },
        Command::PlanUndo { run },
        Command::HandLead { uid: 1001, name: "bob".into(), note: "green hangs".into() },
        Command::Since { at: at(-840), reason: "users called".into() },
        Command::Mute { name: "api".into(), until: at(1800), reason: "deploy".into() },
        Command::Unmute { name: "api".into() },
        Command::Override {
            check: "api".into(),
            set: vec![("timeout".to_owned(), "30s".to_owned())],
            until: at(1800),
            reason: "slow disk".into(),
        },
        Command::Unset { check: "api".into() },
        Command::Choose {
            run: run_id(),
            step: "choose".into(),
            choice: Choice::Swap { minutes: 41 },
        },
        Command::Tick { item: 3, done: true, note: "told #ops".into() },
        Command::Export { write: true },
        Command::Acknowledge { thread: "INC-0142".into() },
        Command::Trigger { call: Box::new(super::super::notice::sample_call(true)) },
        Command::Lock { until: at(600), reason: "why".into(), force: false },
        Command::Unlock { emergency: true, reason: "why".into(), force: true },
        Command::EmergencyStop { hard: true, reason: "why".into() },
        Command::Veto { rule: "auto_rollback".into(), reason: "a fix is on its way".into() },
        Command::Freeze { until: Some(at(1800)), reason: "load test".into() },
        Command::Guide {
            guide: "outage".into(),
            step: 2,
            digest: Digest::of(b"outage"),
            deed: super::super::guide::Deed::Done { note: "told #ops".into() },
        },
        Command::Inform { note: "the product owner: 14 minutes".into() },
    ]
}

fn name_of(command: &Command) -> usize {
    match command {
        Command::Plan { .. } => 0,
        Command::Approve { .. } => 1,
        Command::Answer { .. } => 2,
        Command::Retry { .. } => 3,
        Command::Skip { .. } => 4,
        Command::MarkDone { .. } => 5,
        Command::Resume { .. } => 6,
        Command::Abort { .. } => 7,
        Command::Pause => 8,
        Command::Note { .. } => 9,
        Command::TakeLead { .. } => 10,
        Command::Detach => 11,
        Command::EndWatch { .. } => 12,
        Command::Close => 13,
        Command::Overrule { .. } => 14,
        Command::Hold { .. } => 15,
        Command::Unhold { .. } => 16,
        Command::Release { .. } => 17,
        Command::HandOver { .. } => 18,
        Command::Deploy { .. } => 19,
        Command::Pin { .. } => 20,
        Command::Unpin { .. } => 21,
        Command::PlanUndo { .. } => 22,
        Command::HandLead { .. } => 23,
        Command::Since { .. } => 24,
        Command::Mute { .. } => 25,
        Command::Unmute { .. } => 26,
        Command::Override { .. } => 27,
        Command::Unset { .. } => 28,
        Command::Choose { .. } => 29,
        Command::Tick { .. } => 30,
        Command::Export { .. } => 31,
        Command::Acknowledge { .. } => 32,
        Command::Trigger { .. } => 33,
        Command::Lock { .. } => 34,
        Command::Unlock { .. } => 35,
        Command::EmergencyStop { .. } => 36,
        Command::Veto { .. } => 37,
        Command::Freeze { .. } => 38,
        Command::Guide { .. } => 39,
        Command::Inform { .. } => 40,
    }
}

fn card_of(check: &str, status: Status) -> Event {
    Event::CheckChanged {
        check: check.into(),
        status,
        reason: (status == Status::Unknown).then_some(Reason::NoTool),
        note: "503".into(),
        since: at(1),
        critical: true,
    }
}

fn step_events() -> Vec<Event> {
    let (run, step, attempt) = (run_id(), || "switch".into(), 1);
    let ended = |end| Event::StepEnded {
        run: run.clone(),
        step: step(),
        attempt,
        end,
        took: Duration::from_millis(1234),
        note: "4 cut".into(),
    };
    let looked = |standing| Event::StepLooked { run: run.clone(), step: step(), attempt, standing };
    vec![
        Event::StepStarted {
            run: run.clone(),
            step: step(),
            attempt,
            effect: "142-k7qd-1/switch/1".into(),
            boot: "b1".into(),
        },
        Event::ApprovalAsked(super::super::approval::Asked {
            plan: level_one().digest(),
            who: author(),
            reason: "why".into(),
            accept_loss: Some(41),
        }),
        Event::LossMeasured { run: run.clone(), loss: Box::default() },
        Event::Chosen {
            run: run.clone(),
            step: "choose".into(),
            choice: Choice::Beside,
            by: "alice".into(),
        },
        looked(Standing::Done),
        looked(Standing::NotDone),
        looked(Standing::Partly("half".into())),
        looked(Standing::CannotTell("refused".into())),
        ended(StepEnd::Done),
        ended(StepEnd::Failed("no".into())),
        ended(StepEnd::Skipped("left".into())),
        ended(StepEnd::Unknown("who knows".into())),
    ]
}

/// What happens before a run.
fn first_events() -> Vec<Event> {
    vec![
        Event::EngineStarted {
            journal: "k7qd".into(),
            pid: 4711,
            host: "bastion".into(),
            boot: "b1".into(),
            version: "0.1.0".into(),
            environment: "demo".into(),
            production: true,
            config: Digest::of(b"c"),
        },
        Event::EngineStopped { why: "SIGTERM".into() },
        card_of("api", Status::Fail),
        card_of("pg", Status::Unknown),
        Event::Assessed { assessment: Box::new(assessment()) },
        Event::ChangeSeen { change: change(1) },
        Event::HelpTested { test: help_test(14, 20, Some("database")) },
        Event::PointsSeen { points: vec![point()] },
        Event::PointRecorded { point: Box::new(change(1).record()) },
        Event::ReleasesSeen {
            releases: [("blue".into(), super::super::deploys::SeenRelease::default())].into(),
        },
        Event::LevelsJudged { cards: vec![card(Level::Switch, LevelStanding::Ready, "switch")] },
        Event::IncidentOpened { incident: 142, why: "errors".into() },
        Event::LeadTaken { who: author(), term: 2 },
        Event::LeadAsked { who: bob(), reason: "alice is on a train".into() },
        Event::LeadLost,
        Event::HookRan { about: "lead_lost 2".into(), note: "page: exit 0".into() },
        Event::SeverityDeadline,
        Event::LockTaken {
            lock: Box::new(super::super::lock::Lock {
                kind: super::super::lock::LockKind::Emergency,
                owner: "alice".into(),
                uid: 1000,
                reason: "why".into(),
                since: at(1),
                until: None,
                run: Some(run_id()),
            }),
        },
        Event::LockReleased {
            kind: super::super::lock::LockKind::Emergency,
            by: "bob".into(),
            why: "over".into(),
        },
        Event::PlanRefused {
            level: Level::Full,
            why: "no restore point".into(),
            offer: Some(Level::Switch),
        },
        Event::PlanMade { plan: Box::new(level_one()), by: "alice".into(), preflight: preflight() },
        Event::PreflightChanged { plan: level_one().digest(), preflight: preflight() },
    ]
}

/// What the judgement rests on beside the readings.
fn judge_events() -> Vec<Event> {
    use super::super::bearing::Dimension;
    use super::super::fold_judge::Declared;
    use super::super::mute::{Mute, Override};
    let declared = Declared { service: "app".into(), dimension: Dimension::Api };
    let checks = BTreeMap::from([("api".into(), declared.clone()), ("pg".into(), declared)]);
    let mut recent = super::super::signal::Recent::default();
    for second in -5..1 {
        recent.push(burst("api", second, (1, 10), 40));
    }
    let baseline =
        super::super::compare::baseline(&change(1), ["api".into()].into_iter(), &recent).unwrap();
    vec![
        Event::ChecksDeclared { checks, first: true, last: true },
        Event::Muted {
            mute: Mute {
                name: "api".into(),
                checks: vec!["api".into()],
                all: false,
                by: "alice".into(),
                reason: "deploy".into(),
                since: at(1),
                until: at(1800),
            },
        },
        Event::MuteEnded { name: "api".into() },
        Event::Overridden {
            change: Override {
                check: "api".into(),
                set: vec![("timeout".to_owned(), "30s".to_owned())],
                by: "alice".into(),
                reason: "slow disk".into(),
                until: at(1800),
            },
        },
        Event::OverrideEnded { check: "api".into() },
        Event::LineDoubted {
            doubt: Some(super::super::line::LineDoubt {
                since: at(1),
                why: "no witness answers".into(),
                proven: true,
            }),
        },
        Event::FlappingChanged { check: "api".into(), flapping: true },
        Event::BundleMade {
            bundle: Box::new(super::super::bundle::BundleCard {
                at: at(1),
                occasion: super::super::bundle::Occasion::Ended,
                incident: Some(1),
                run: Some(run_id()),
                path: "/srv/incident-0001.tar.zst".into(),
                sha256: Digest::of(b"bundle"),
                bytes: 4096,
                partial: true,
                why: "logs/green.log: error: gone".into(),
                redactions: 3,
                made: true,
            }),
        },
        Event::BaselineTaken { baseline: Box::new(baseline) },
        Event::Notified(super::super::notice::Notified {
            id: "k7qd-12".into(),
            keys: vec!["k7qd-12".into()],
            thread: "INC-0142".into(),
            receiver: "ops".into(),
            sent: false,
            note: "could not reach it".into(),
        }),
    ]
}

/// One of every event, in an order that makes a run.
#[expect(clippy::too_many_lines, reason = "one of every event")]
fn events() -> Vec<Event> {
    let run = run_id();
    let mut events = first_events();
    events.extend(judge_events());
    events.push(Event::RunStarted {
        run: run.clone(),
        plan: level_one().digest(),
        by: "alice".into(),
        reason: "errors".into(),
        accept_loss: None,
    });
    events.extend(step_events());
    events.extend([
        Event::Paused,
        Event::Resumed,
        Event::RulesDeclared { rules: Vec::new(), first: true },
        Event::RuleChanged {
            rule: "auto_rollback".into(),
            state: RuleState::Unknown(Unknown { reason: Reason::Stale, about: "api".into() }),
            evidence: vec![Shown { text: "p95('*', 10)".into(), value: "unknown".into() }],
        },
        Event::RuleHeld { rule: "auto_rollback".into(), why: Some("a run is open".into()) },
        Event::RuleFired(Box::new(Fired {
            rule: "auto_rollback".into(),
            action: Action::Rollback,
            mode: Mode::Enforce,
            level: Level::Switch,
            starts_at: Some(at(60)),
            severity: Some(Severity::High),
            text: "backend fails".into(),
            less: None,
            evidence: Vec::new(),
        })),
        Event::ProposalWithdrawn { rule: "auto_rollback".into(), why: "frozen".into() },
        Event::FreezeEnded,
        Event::ConfigurationRead { config: Digest::of(b"new"), note: "read again".into() },
        Event::CriteriaMeasured {
            run: run.clone(),
            criteria: vec![Criterion {
                name: "switch < 10 s".into(),
                measured: "0.4 s".into(),
                answer: Passed::Unknown,
            }],
        },
        Event::WatchOpened { run: run.clone(), window: Duration::from_mins(15) },
        Event::WatchEnded {
            run: run.clone(),
            verdict: Verdict::NoEffect,
            why: "14 % before, 14 % now".into(),
            counted: Duration::from_mins(15),
        },
        Event::NeedsPerson {
            run: run.clone(),
            step: Some("gate".into()),
            why: "it failed".into(),
            offer: Some(Level::Full),
        },
        Event::RunEnded {
            run,
            outcome: Outcome::Unknown,
            took: Duration::from_secs(12),
            why: "see above".into(),
            history: "[2025-12-02 15:30:45] LEVEL=1".into(),
        },
        Event::LeftoverNoted {
            leftover: Leftover {
                name: "green stopped".into(),
                owner: "alice".into(),
                undo: "demo start green".into(),
                due: Some(at(3600)),
                about: Some(About::Stopped("green".into())),
                ..Leftover::default()
            },
        },
        Event::LeftoverReleased { name: "green stopped".into(), by: "bob".into() },
        Event::HoldStarted(super::super::hold::HoldStart {
            part: HoldPart::Consumers,
            held: true,
            attempt: 1,
            effect: "7-k7qd-hold.hold_consumers.1".into(),
            workers: vec!["green".into()],
        }),
        Event::HoldEnded {
            part: HoldPart::Consumers,
            held: true,
            end: StepEnd::Done,
            took: Duration::from_millis(200),
            note: "".into(),
        },
        Event::Noted { by: "bob".into(), text: "hello".into() },
        Event::Trouble { text: "disk nearly full".into() },
        Event::IncidentClosed { why: "stable".into() },
    ]);
    let carried = events
        .iter()
        .fold(Tape::new(), |mut tape, event| {
            tape.event(event.clone());
            tape
        })
        .situation;
    events.push(Event::Carried { situation: Box::new(carried) });
    events
}

fn variant(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap();
    let map = value.as_object().and_then(|map| map.keys().next().cloned());
    map.unwrap_or_else(|| value.to_string())
}

fn entry(body: Body) -> Entry {
    Entry {
        seq: 9,
        v: FORMAT,
        incident: Some(142),
        at: at(9),
        author: author(),
        epoch: 3,
        prev: Digest::of(b"before"),
        body,
    }
}

fn there_and_back(entry: &Entry) -> Entry {
    let text = serde_json::to_string(entry).unwrap();
    let back: Entry = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text, "byte for byte");
    back
}

#[test]
fn every_command_survives_the_journal() {
    let commands = commands();
    let mut kinds: Vec<usize> = commands.iter().map(name_of).collect();
    kinds.dedup();
    assert_eq!(kinds, (0..41).collect::<Vec<_>>(), "one of every kind");
    for command in commands {
        let entry = entry(Body::Command("c-1".into(), command));
        assert_eq!(there_and_back(&entry), entry);
    }
}

#[test]
fn every_event_survives_the_journal() {
    let mut kinds = std::collections::BTreeSet::new();
    for event in events() {
        kinds.insert(variant(&event));
        let entry = entry(Body::Event(Box::new(event)));
        assert_eq!(there_and_back(&entry), entry);
    }
    assert_eq!(kinds.len(), 60, "one of every kind: {kinds:?}");
}

#[test]
fn what_a_newer_program_wrote_is_kept_and_makes_this_one_a_reader() {
    let raws = [
        r#"{"event":{"moon_phase":{"is":"full","n":[1,2.5,null]}}}"#,
        r#"{"event":"sunrise"}"#,
        r#"{"command":{"hold":{"what":"writers"}},"id":"c-9","more":true}"#,
        r#"{"something":"else"}"#,
        r#"["not","even","an","object"]"#,
        // Known by name, but it says something that this program cannot read.
        r#"{"event":{"lead_taken":{"term":-4}}}"#,
    ];
    for raw in raws {
        let body: Body = serde_json::from_str(raw).unwrap();
        assert!(matches!(body, Body::Newer { .. }), "{raw}");
        let value: serde_json::Value = serde_json::from_str(raw).unwrap();
        assert_eq!(serde_json::to_value(&body).unwrap(), value);
        let mut situation = Situation::default();
        situation.apply(&entry(body));
        assert!(situation.newer, "{raw}");
        assert_eq!(situation.seq, 9);
    }
    let body: Body = serde_json::from_str(raws[0]).unwrap();
    assert!(matches!(&body, Body::Newer { kind, .. } if kind == "moon_phase"));
}

#[test]
fn a_newer_format_makes_a_reader_even_when_its_words_are_known() {
    let mut newer = entry(Body::Event(Box::new(Event::LeadLost)));
    newer.v = FORMAT + 1;
    let mut situation = Situation::default();
    situation.apply(&newer);
    assert!(situation.newer);
}

#[test]
fn an_entry_that_is_in_is_not_folded_twice() {
    let mut tape = Tape::new();
    tape.event(Event::Noted { by: "bob".into(), text: "once".into() });
    let (before, last) = (tape.situation.clone(), tape.entries[1].clone());
    tape.situation.apply(&last);
    assert_eq!(tape.situation, before);
}

#[test]
fn a_breach_is_released_by_another_person_only_and_says_who_reported_it() {
    let answer = |answer| Command::Answer { node: "0".into(), assessment: 1, answer };
    let mut tape = Tape::new();
    assert_eq!(tape.situation.breach(), None);
    tape.command(answer(Answer::Yes));
    let said = tape.situation.breach().unwrap();
    assert_eq!((said.uid, said.by.as_str()), (1000, "alice"));
    tape.command(answer(Answer::No));
    assert!(tape.situation.breach().is_some(), "who reported it cannot release it");
    tape.command_of(bob(), answer(Answer::No));
    assert_eq!(tape.situation.breach(), None);
}

#[test]
fn a_deploy_seen_twice_is_one_change_and_stands_where_it_happened() {
    let mut tape = Tape::new();
    tape.now = 100;
    tape.event(card_of("api", Status::Fail));
    tape.deploy(60).deploy(60);
    assert_eq!(tape.situation.changes.len(), 1);
    let lines: Vec<&str> = tape.situation.timeline.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(lines, ["deploy v2.5.0 by dana (ci#4711)", "api FAIL 503"]);
}

#[test]
fn a_new_clock_has_not_run_out() {
    let mut tape = Tape::new();
    let medium = Assessment { deadline: Some(at(900)), ..assessment() };
    tape.event(Event::Assessed { assessment: Box::new(medium.clone()) });
    tape.event(Event::SeverityDeadline);
    assert!(tape.situation.deadline_passed);
    tape.event(Event::Assessed { assessment: Box::new(medium.clone()) });
    assert!(tape.situation.deadline_passed, "the same clock");
    let high = Assessment { deadline: Some(at(1200)), ..medium };
    tape.event(Event::Assessed { assessment: Box::new(high) });
    assert!(!tape.situation.deadline_passed);
}

#[test]
fn a_new_incident_begins_without_the_findings_of_the_last() {
    let mut tape = Tape::new();
    for event in events().into_iter().filter(|event| !matches!(event, Event::Carried { .. })) {
        tape.event(event);
    }
    tape.event(Event::IncidentOpened { incident: 143, why: "again".into() });
    let situation = &tape.situation;
    assert_eq!(situation.help, None);
    assert_eq!((&situation.run, &situation.plan, &situation.refused), (&None, &None, &None));
    assert_eq!(situation.history.len(), 1);
    assert!(situation.said.is_empty());
}

#[test]
fn a_run_of_another_plan_than_the_open_one_leaves_that_one_open() {
    let mut tape = Tape::new();
    tape.planned(level_one());
    tape.event(Event::RunStarted {
        run: run_id(),
        plan: Digest::of(b"another"),
        by: "alice".into(),
        reason: "errors".into(),
        accept_loss: None,
    });
    assert_eq!(tape.situation.run, None);
    assert!(tape.situation.plan.is_some());
}

#[test]
fn nothing_runs_on_after_the_end_of_a_run() {
    let table = [
        (None, "cut off, and nobody looked"),
        (Some(Standing::NotDone), "cut off before its effect, and the run was stopped"),
        (Some(Standing::Partly("3 of 4".into())), "cut off half-way: 3 of 4"),
    ];
    for (standing, words) in table {
        let mut tape = Tape::new();
        tape.started(level_one());
        tape.event(step_events()[0].clone());
        if let Some(standing) = standing {
            tape.event(Event::StepLooked {
                run: run_id(),
                step: "switch".into(),
                attempt: 1,
                standing,
            });
        }
        tape.event(Event::RunEnded {
            run: run_id(),
            outcome: Outcome::Aborted,
            took: Duration::ZERO,
            why: "stopped".into(),
            history: String::new(),
        });
        let run = tape.situation.run.as_ref().unwrap();
        let text = match &run.step(&"switch".into()).unwrap().phase {
            StepPhase::Skipped(why) | StepPhase::Unknown(why) => why.as_str().to_owned(),
            other @ (StepPhase::Waiting
            | StepPhase::Running
            | StepPhase::Done
            | StepPhase::Failed(_)) => panic!("{other:?}"),
        };
        assert_eq!(text, words);
    }
}

#[test]
fn lists_are_bounded() {
    let mut tape = Tape::new();
    for count in 0..300 {
        tape.now = count;
        tape.deploy(i64::from(i32::MAX) + count * 86_400);
        tape.command(Command::Detach);
        tape.event(Event::Trouble { text: format!("trouble {count}").into() });
    }
    let situation = &tape.situation;
    assert_eq!(situation.changes.len(), 8);
    assert_eq!(situation.troubles.len(), 8);
    assert_eq!(situation.answered.len(), 256);
    assert_eq!(situation.timeline.len(), 200);
    assert_eq!(situation.troubles[7].text.as_str(), "trouble 299");
}

fn any_body() -> impl Strategy<Value = (bool, usize, u8)> {
    (any::<bool>(), any::<usize>(), any::<u8>())
}

proptest! {
    #[test]
    fn what_is_carried_equals_the_fold(
        picks in proptest::collection::vec(any_body(), 1..60),
        cut in any::<usize>(),
        epochs in 1..4u64,
    ) {
        let (commands, events) = (commands(), events());
        let events: Vec<Event> = events
            .into_iter()
            .filter(|event| !matches!(event, Event::Carried { .. }))
            .collect();
        let mut tape = Tape::new();
        let cut = cut % picks.len();
        for (count, (command, pick, time)) in picks.iter().enumerate() {
            tape.now += i64::from(*time) - 20;
            tape.epoch = 1 + count as u64 * epochs / 60;
            if count == cut {
                let situation = Box::new(tape.situation.clone());
                tape.event(Event::Carried { situation });
            }
            if *command {
                tape.command(commands[pick % commands.len()].clone());
            } else {
                // Mostly in the order that makes a run, so that runs go far.
                let at = if time % 3 == 0 { *pick } else { count };
                tape.event(events[at % events.len()].clone());
            }
        }
        // A reader that starts at the carried one and reads JSON sees the same as one that has
        // folded everything.
        let mut late = Situation::default();
        let from = tape.entries.iter().position(|entry| {
            matches!(&entry.body, Body::Event(event) if matches!(**event, Event::Carried { .. }))
        });
        for entry in &tape.entries[from.unwrap()..] {
            late.apply(&there_and_back(entry));
        }
        prop_assert_eq!(&late, &tape.situation);
    }
}

#[test]
fn a_word_on_the_severity_stands_until_it_is_taken_back_or_the_incident_is_closed() {
    let said = |class| {
        let reason = "shops cannot pay".into();
        Body::Command("c-9".into(), Command::Overrule { class, assessment: 1, reason })
    };
    let mut situation = Situation::default();
    for (seq, body) in
        [said(Some(Severity::High)), said(Some(Severity::Low))].into_iter().enumerate()
    {
        situation.apply(&Entry { seq: seq as u64 + 1, ..entry(body) });
    }
    let word = situation.overrule.clone().unwrap();
    assert_eq!((word.class, word.measured), (Severity::Low, Severity::None));
    let mut taken_back = situation.clone();
    taken_back.apply(&Entry { seq: 3, ..entry(said(None)) });
    assert_eq!(taken_back.overrule, None);
    let closed = Event::IncidentClosed { why: "calm".into() };
    situation.apply(&Entry { seq: 3, ..entry(Body::Event(Box::new(closed))) });
    assert_eq!(situation.overrule, None);
}
