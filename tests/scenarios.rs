//! Readings in, assessment out: each file of `scenarios/` is one story.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use backout::model::ids::{CheckId, NodeId, Time};
use backout::model::plan::Level;
use backout::model::reading::{Finding, Phases, Policy, Reading, Reason, Track, Why, WhyClass};
use backout::model::severity::Severity;
use backout::model::signal::{Recent, Role, Windows, signals};
use backout::model::tree::{Answer, Assessment, Said, TreeVerdict, assess, built_in};
use chrono::TimeZone;
use serde::Deserialize;

/// One story: checks, what they read second by second, what people answered, what comes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it shows.
    about: String,
    checks: BTreeMap<String, Check>,
    #[serde(default)]
    readings: Vec<Readings>,
    #[serde(default)]
    said: BTreeMap<String, Word>,
    /// What is expected at which second; the assessment before is handed on.
    expect: BTreeMap<i64, Expect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of a check")]
struct Check {
    service: String,
    #[serde(default = "yes")]
    critical: bool,
    #[serde(default)]
    requests: bool,
    #[serde(default)]
    database: bool,
    #[serde(default)]
    corruption: bool,
}

fn yes() -> bool {
    true
}

/// The same reading of a check once a second.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Readings {
    check: String,
    from: i64,
    to: i64,
    #[serde(default)]
    bad: Option<WhyClass>,
    #[serde(default)]
    unknown: Option<Reason>,
    #[serde(default = "one_good")]
    failed_of: (u32, u32),
    #[serde(default = "quick")]
    ms: u64,
}

fn one_good() -> (u32, u32) {
    (0, 1)
}

fn quick() -> u64 {
    40
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    answer: Answer,
    at: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    severity: Severity,
    #[serde(default)]
    could_be: Option<Severity>,
    verdict: TreeVerdict,
    suggests: Option<u8>,
    /// The last node that the walk came to.
    stops_at: String,
    /// Second at which the time for a forward fix runs out.
    #[serde(default)]
    deadline: Option<i64>,
    /// Answers of nodes, where they matter.
    #[serde(default)]
    answers: BTreeMap<String, Answer>,
}

fn at(second: i64) -> Time {
    chrono::Utc.timestamp_opt(1_795_305_000 + second, 0).single().unwrap()
}

fn reading(readings: &Readings, second: i64) -> Reading {
    let (failed, all) = readings.failed_of;
    let finding = match (readings.unknown, readings.bad, failed) {
        (Some(reason), _, _) => Finding::Unknown { reason },
        (None, Some(class), _) => Finding::Bad { why: Why { class, text: "as told".into() } },
        (None, None, 0) => Finding::Good,
        (None, None, _) => {
            Finding::Bad { why: Why { class: WhyClass::Status, text: "503".into() } }
        }
    };
    let failed = if readings.bad.is_some() { all } else { failed };
    Reading {
        check: CheckId::from(readings.check.as_str()),
        at: at(second),
        took: Duration::from_millis(readings.ms),
        phases: Phases::default(),
        finding,
        value: None,
        unit: String::new(),
        note: "as told".into(),
        failed_of: (failed, all),
        latencies: vec![Duration::from_millis(readings.ms); (all - failed) as usize],
        facts: Vec::new(),
    }
}

/// Everything that was read up to and with `until`.
fn assessed(scenario: &Scenario, before: Option<&Assessment>, until: i64) -> Assessment {
    let policy = Policy {
        fail_after: 3,
        ok_after: 2,
        fail_window: None,
        stale_after: Duration::from_secs(30),
    };
    let role = |check: &Check| Role {
        service: check.service.clone(),
        critical: check.critical,
        counts_requests: check.requests,
        database: check.database,
        corruption: check.corruption,
    };
    let id = |name: &String| CheckId::from(name.as_str());
    let roles = scenario.checks.iter().map(|(name, check)| (id(name), role(check))).collect();
    let mut tracks: BTreeMap<CheckId, Track> =
        scenario.checks.keys().map(|name| (id(name), Track::new(at(0)))).collect();
    let mut recent = Recent::default();
    for second in 0..=until {
        let now = scenario.readings.iter().filter(|one| (one.from..=one.to).contains(&second));
        for one in now {
            let reading = reading(one, second);
            recent.push(reading.clone());
            tracks.get_mut(&reading.check).unwrap().take(reading, &policy);
        }
        for track in tracks.values_mut() {
            track.age(at(second), &policy);
        }
    }
    let said: BTreeMap<NodeId, Said> = scenario
        .said
        .iter()
        .filter(|(_, word)| word.at <= until)
        .map(|(node, word)| {
            let (answer, at) = (word.answer, at(word.at));
            (NodeId::from(node.as_str()), Said { answer, by: "alice".into(), uid: 1000, at })
        })
        .collect();
    let signals = signals(&tracks, &roles, &recent, Windows::default(), at(until));
    assess(&built_in(), &signals, &said, before, at(until))
}

fn compare(file: &str, second: i64, found: &Assessment, expect: &Expect) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut held = |what: &str, found: String, expected: String| {
        if found != expected {
            wrong.push(format!("{file} at {second} s: {what} is {found}, expected {expected}"));
        }
    };
    held("severity", format!("{:?}", found.severity), format!("{:?}", expect.severity));
    let could_be = expect.could_be.unwrap_or(expect.severity);
    held("could_be", format!("{:?}", found.could_be), format!("{could_be:?}"));
    held("verdict", format!("{:?}", found.verdict), format!("{:?}", expect.verdict));
    let suggests = found.suggests.map(Level::number);
    held("suggests", format!("{suggests:?}"), format!("{:?}", expect.suggests));
    let last = found.path.iter().rfind(|step| step.on_path).map(|step| step.node.to_string());
    held("stops_at", last.unwrap_or_default(), expect.stops_at.clone());
    if expect.deadline.is_some() {
        let deadline = found.deadline.map(|deadline| (deadline - at(0)).num_seconds());
        held("deadline", format!("{deadline:?}"), format!("{:?}", expect.deadline));
    }
    for (node, answer) in &expect.answers {
        let step = found.path.iter().find(|step| step.node.as_str() == node);
        let given = step.map(|step| step.answer);
        held(&format!("answer {node}"), format!("{given:?}"), format!("{:?}", Some(answer)));
    }
    wrong
}

#[test]
fn every_story_ends_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let (mut wrong, mut stories) = (Vec::new(), 0);
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario: Scenario = backout::yaml::one(&text)
            .unwrap_or_else(|error| panic!("{name} cannot be read: {error}"));
        assert!(!scenario.about.is_empty() && !scenario.expect.is_empty(), "{name} says nothing");
        let mut before: Option<Assessment> = None;
        for (second, expect) in &scenario.expect {
            let found = assessed(&scenario, before.as_ref(), *second);
            wrong.extend(compare(&name, *second, &found, expect));
            before = Some(found);
        }
        stories += 1;
    }
    assert!(stories >= 14, "only {stories} stories were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
