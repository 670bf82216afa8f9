//! Worlds around the stories, one for every state that is drawn.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backout::model::bearing::Dimension;
use backout::model::compare::{Compared, Comparison, Deploy, Drift};
use backout::model::entry::{Abort, Command, Event, Outcome};
use backout::model::figures::Figures;
use backout::model::ids::{CheckId, StepId};
use backout::model::live::{ClientCard, Live, LiveStep, LiveWatch};
use backout::model::plan::Level;
use backout::model::reading::{Finding, Phases, Reading, Reason, Status, Why, WhyClass};
use backout::model::signal::{Signal, SignalValue};
use backout::model::situation::Situation;

use super::plans::{planned, running};
use super::runs::{ended, validating, waiting_failed, waiting_unknown, watching};
use super::story::{Story, check, failing, quiet};
use super::{Sample, at};
use backout::model::verdict::Lines;
use backout::model::watch::Verdict;
use backout::text::SafeText;
use backout::tui::history::History;
use backout::tui::world::{Link, LinkState, LogPage, LogRow, World};

pub(super) fn lines(what: &str, next: &str) -> Lines {
    Lines { what: what.to_owned(), next: next.to_owned() }
}

pub(super) fn reading(name: &str, second: i64, note: &str) -> (CheckId, Reading) {
    let id = CheckId::from(name);
    let reading = Reading {
        check: id.clone(),
        at: at(second),
        took: Duration::from_millis(38),
        phases: Phases::default(),
        finding: Finding::Good,
        value: None,
        unit: String::new(),
        note: note.into(),
        failed_of: (0, 1),
        latencies: Vec::new(),
        facts: Vec::new(),
    };
    (id, reading)
}

/// A world around a situation: everything fresh at `second`.
pub(crate) fn world(story: &Story, second: i64) -> World {
    let situation = story.situation.clone();
    let readings = situation
        .checks
        .iter()
        .map(|(id, card)| reading(id.as_str(), second - 2, card.note.as_str()))
        .collect();
    let watch = situation.open_run().and_then(|run| run.watch.as_ref()).map(|watch| LiveWatch {
        counted: Duration::from_secs(20),
        window: watch.window,
        before: Some(14.2),
        now: Some(0.3),
        p95: Some(0.212),
        failing: Vec::new(),
        verdict: Verdict::Stable,
    });
    let steps = BTreeMap::from([(
        StepId::from("preserve"),
        LiveStep {
            text: "copying api.log".into(),
            part: Some((26, 41)),
            left: Some(Duration::from_secs(6)),
        },
    )]);
    let client =
        |name: &str, lead| ClientCard { name: name.into(), uid: 1000, lead, read_only: !lead };
    World {
        live: situation.engine.is_some().then(|| Live {
            at: at(second - 1),
            steps,
            watch,
            clients: vec![client("alice", true), client("bob", false)],
            signals: signals(&situation),
            counting: vec!["checkout".into()],
            slos: super::budgets::all(),
            comparison: situation.incident.is_some().then(|| Box::new(comparison(second))),
            ..Live::default()
        }),
        history: Arc::new(history(&situation, second)),
        readings,
        logs: logs(second),
        link: Link { state: LinkState::Live, uid: 1000, name: "alice".into(), ..Link::default() },
        situation,
        ..World::default()
    }
}

/// One check that is worse since the deploy, one as before, one that nobody looked at before.
fn comparison(second: i64) -> Comparison {
    let figures = |errors, p95| {
        let looks = Figures { looks: 20, requests: 500, errors, ..Figures::default() };
        Some(Figures { p95_answered: Some(p95), ..looks })
    };
    let row = |check: &str, before, during, now, change, says: &str| Compared {
        check: CheckId::from(check),
        dimension: Dimension::Api,
        before,
        during,
        now,
        began: None,
        change,
        says: says.into(),
    };
    let says = "p95 1.90 s, was 0.21 s, began 40 s after v2.5.0";
    let (was, bad) = (figures(1, 0.212), figures(71, 1.904));
    Comparison {
        at: at(second - 1),
        deploy: Some(Deploy {
            at: at(-10),
            version: "v2.5.0".into(),
            baseline_from: Some(at(-1_800)),
        }),
        until: None,
        rows: vec![
            row("checkout", was.clone(), bad.clone(), bad, Drift::Worse, says),
            row("web", was.clone(), was.clone(), was.clone(), Drift::Same, "as before"),
            row("disk", None, was.clone(), was, Drift::NotKnown, "nobody looked before"),
        ],
    }
}

/// What the engine measures of requests.
fn signals(situation: &Situation) -> BTreeMap<String, Signal> {
    let failing = situation.checks.values().any(|card| card.status == Status::Fail);
    let (rate, p95) = if failing { (14.2, 1.904) } else { (0.3, 0.212) };
    let number = |name: &str, value| Signal {
        name: name.to_owned(),
        value: SignalValue::Number(value),
        evidence: Vec::new(),
    };
    [number("error_rate", rate), number("p95", p95)]
        .into_iter()
        .map(|signal| (signal.name.clone(), signal))
        .collect()
}

/// Twenty minutes of readings: quiet, then failing since the deploy for as long as the checks say
/// so, with a minute in which nobody looked.
fn history(situation: &Situation, second: i64) -> History {
    let mut history = History::default();
    for (id, card) in &situation.checks {
        for moment in (second - 1_200..second).step_by(5) {
            if (-420..-360).contains(&moment) {
                continue;
            }
            let bad = moment >= -20 && card.status == Status::Fail;
            let slow = u64::try_from(moment.rem_euclid(40)).unwrap() * 3;
            let millis = if moment >= -20 && second < 120 { 1_700 } else { 180 } + slow;
            let (_, reading) = reading(id.as_str(), moment, "");
            let why = Why { class: WhyClass::Status, text: "503".into() };
            let finding = match card.status {
                Status::Fail if bad => Finding::Bad { why },
                Status::Unknown => Finding::Unknown { reason: Reason::NoPermission },
                Status::Ok | Status::Warn | Status::Fail => Finding::Good,
            };
            let failed =
                if moment >= -20 && second < 120 { 3 } else { u32::from(moment % 60 == 0) };
            let latencies = vec![Duration::from_millis(millis); 3];
            let reading = Reading { finding, failed_of: (failed, 20), latencies, ..reading };
            history.take(&reading, id.as_str() == "checkout");
        }
    }
    history
}

pub(super) fn logs(second: i64) -> LogPage {
    let line = |back: i64, source: &str, severity, text: &str, folded| LogRow {
        at: at(second - back),
        source: source.into(),
        severity,
        text: text.into(),
        folded,
        ..LogRow::default()
    };
    LogPage {
        lines: vec![
            line(6, "proxy", 'I', "GET /api/v1/users 200 in 38 ms", 1),
            line(5, "green", 'W', "slow query 812 ms: select * from documents", 1),
            line(4, "green", 'E', "request 8f2c failed status=503 after 1204ms", 41),
            line(3, "green", 'E', "upstream connect refused db:5432 attempt=3", 1),
            line(2, "blue", 'I', "GET /health 200", 3),
            line(1, "proxy", 'D', "pool: 12 idle", 1),
        ],
        sources: 3,
        per_second: 1_212.0,
        hidden: 0,
        dropped: 0,
        shown_per_second: 38.0,
        one_of: 32,
        ..LogPage::default()
    }
}

/// Every state that the console has to draw; folded once for all tests.
fn folded() -> &'static [Sample] {
    static FOLDED: OnceLock<Vec<Sample>> = OnceLock::new();
    FOLDED.get_or_init(|| {
        let mut list = usual();
        list.extend(unusual());
        list
    })
}

/// Every state that the console has to draw.
pub(crate) fn all() -> Vec<Sample> {
    folded().to_vec()
}

fn sample(name: &'static str, story: &Story, second: i64, lines: Lines) -> Sample {
    Sample { name, world: world(story, second), lines, now: at(second) }
}

fn fails() -> Lines {
    lines(
        "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana). v2.4.9 answers 20/20.",
        "Level 1 is ready: about 1:10, no data change. Press L.",
    )
}

/// The flow, and where it waits.
fn usual() -> Vec<Sample> {
    let fails = fails();
    let runs = lines("Level 1 runs since 0:21: traffic is on blue.", "Nothing to do. Stop it: x.");
    let asks = lines(
        "Step 2 is UNKNOWN: the proxy does not answer. The outage goes on.",
        "Look again: g. It is done: d. Try again: t. Stop: x.",
    );
    vec![
        Sample {
            name: "empty",
            world: World::default(),
            lines: lines("Nothing is known yet: no engine answers.", "Wait, or leave: q."),
            now: at(0),
        },
        sample("detect", &quiet(), 10, lines("All 9 checks are ok.", "Nothing to do.")),
        sample("assess", &failing(), 50, fails.clone()),
        sample(
            "plan",
            &planned(false),
            66,
            lines(
                "The plan is ready: 1:40 of 5:00, no data change.",
                "Read it, then press R and type ROLLBACK.",
            ),
        ),
        sample(
            "plan-blocked",
            &planned(true),
            66,
            lines(
                "The plan cannot start: the fence is held by m3xa.",
                "Wait for it, or ask bastion-2.",
            ),
        ),
        sample("run", &running(), 110, runs.clone()),
        sample("run-slow", &running(), 260, runs),
        sample("waiting-unknown", &waiting_unknown(), 104, asks.clone()),
        sample("waiting-failed", &waiting_failed(), 95, asks),
        sample(
            "validate",
            &validating(),
            121,
            lines("Traffic is good on v2.4.9.", "The criteria are measured."),
        ),
        sample(
            "watch",
            &watching(),
            142,
            lines("v2.4.9 is good for 0:20 of 15:00.", "Nothing to do. End it early: v."),
        ),
        sample(
            "report",
            &ended(Outcome::Done),
            1_040,
            lines("v2.4.9 is STABLE; 0:42 from ROLLBACK to good.", "Close the incident: C."),
        ),
        sample(
            "report-failed",
            &ended(Outcome::Failed),
            1_040,
            lines("Level 1 had NO EFFECT.", "Level 2: L."),
        ),
    ]
}

/// Refusals, stops, lost lines, other people.
fn unusual() -> Vec<Sample> {
    let fails = fails();
    let mut list = Vec::new();
    let mut refused = failing();
    refused.event(
        58,
        Event::PlanRefused {
            level: Level::Switch,
            why: "blue stopped answering at its own address; start it or choose level 2".into(),
            offer: Some(Level::Full),
        },
    );
    list.push(sample("refused", &refused, 60, fails.clone()));
    let mut paused = running();
    paused.command(100, Command::Pause).event(100, Event::Paused);
    list.push(sample(
        "paused",
        &paused,
        110,
        lines("The run is paused; the outage goes on.", "Go on: p."),
    ));
    let mut aborting = running();
    aborting.command(100, Command::Abort { verb: Abort::Undo });
    list.push(sample("aborting", &aborting, 110, lines("The run is being taken back.", "Wait.")));
    let mut troubled = failing();
    for text in ["the log of green cannot be tailed: no such file", "disk is 91 % full"] {
        troubled.event(40, Event::Trouble { text: text.into() });
    }
    list.push(sample("troubles", &troubled, 50, fails.clone()));
    list.push(linked("orphaned", LinkState::Orphaned { since: at(110), command: None }, 122));
    list.push(linked("line-lost", LinkState::Lost { since: at(110) }, 122));
    list.push(linked(
        "journal-lost",
        LinkState::JournalLost { since: at(110), why: "disk I/O error".to_owned() },
        122,
    ));
    let mut observer = sample("observer", &planned(false), 66, fails.clone());
    observer.world.link.name = "bob".into();
    observer.world.link.uid = 1001;
    observer.world.link.observer = Some("attached to look only".to_owned());
    list.push(observer);
    let mut second = sample("second-person", &planned(false), 66, fails);
    second.world.link.name = "bob".into();
    second.world.link.uid = 1001;
    list.push(second);
    list.push(hostile());
    list.extend(super::holds::all());
    list.extend(super::gates::all());
    list.extend(super::rules::all());
    list
}

pub(super) fn linked(name: &'static str, state: LinkState, second: i64) -> Sample {
    let mut world = world(&running(), 110);
    world.link.state = state;
    Sample {
        name,
        world,
        lines: lines("Level 1 runs; the engine does not answer.", "Wait: it is started again."),
        now: at(second),
    }
}

/// What an attacker, or a broken program, writes into a log or an answer.
pub(crate) const HOSTILE: [&str; 8] = [
    "\x1b[2J\x1b[H\x1b[31mPWNED",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\u{9b}31m C1",
    "\u{202e}reversed\u{2066}",
    "\x1bP+q544e\x1b\\",
    "bell\x07 back\x08space \x7f",
    "\x1b[?1049l\x1bc",
];

pub(super) fn hostile() -> Sample {
    let mut story = quiet();
    for (number, text) in HOSTILE.iter().enumerate() {
        let name = format!("evil-{number}");
        story.event(14, check(14, &name, Status::Fail, text, None));
        story.event(20, Event::Trouble { text: (*text).into() });
    }
    let mut world = world(&story, 30);
    world.logs.lines = HOSTILE
        .iter()
        .map(|text| LogRow {
            at: at(29),
            source: SafeText::new(text),
            severity: 'E',
            text: SafeText::new(text),
            folded: 1,
            ..LogRow::default()
        })
        .collect();
    Sample {
        name: "hostile",
        world,
        lines: lines("A log tries to own the terminal.", "Nothing to do."),
        now: at(30),
    }
}

/// The state of that name.
pub(crate) fn named(name: &str) -> Sample {
    folded().iter().find(|sample| sample.name == name).unwrap().clone()
}
