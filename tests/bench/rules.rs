//! Conditions of rules that mean harm: how long the slowest takes to be read and judged, and how
//! much memory all of them cost at their worst.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use backout::model::ids::CheckId;
use backout::model::reading::{Finding, Phases, Reading};
use backout::model::rule::{Condition, Seen, Snapshot};
use backout::model::signal::{Recent, Role};
use backout::model::slo::Tallies;

const ROUNDS: usize = 300_000;

/// What random conditions are made of: as in the tests of the rules.
const WORDS: &str = include_str!("../../src/model/rule/tests/words.txt");

/// What somebody would write who wants it to hang, to fill the memory or to overflow the stack.
fn hostile() -> Vec<String> {
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}1{} > 0", open.repeat(depth), close.repeat(depth))
    };
    let mut all = vec![
        "9223372036854775807 * 9223372036854775807 > 1".to_owned(),
        "1e308 * 1e308 * 1e308 > 1".to_owned(),
        "'a' * 1000000000 == ''".to_owned(),
        "len(range(1000000000)) > 1".to_owned(),
        "sum(range(9223372036854775807)) > 1".to_owned(),
        "9 ** 9 ** 9 > 1".to_owned(),
        format!("'{}' == ''", "a".repeat(1_000_000)),
        vec!["1 > 0"; 100_000].join(" and "),
        vec!["1"; 100_000].join(" + ") + " > 0",
        "[[[s for s in metrics] for s in metrics] for s in metrics] == 0".to_owned(),
        format!("{} metrics {}", "[x for x in ".repeat(200), "]".repeat(200)),
        format!("{}1 > 0", "not ".repeat(100_000)),
        format!("{}1 > 0", "-".repeat(100_000)),
    ];
    for depth in [10, 100, 1_000, 100_000] {
        all.push(nested("(", ")", depth));
        all.push(nested("[", "]", depth));
        all.push(nested("len([", "])", depth));
    }
    all
}

fn readings(check: &str, now: chrono::DateTime<chrono::Utc>) -> impl Iterator<Item = Reading> {
    (0..100_i64).map(move |number| Reading {
        check: check.into(),
        at: now - chrono::Duration::seconds(6 * (99 - number)),
        took: Duration::from_millis(40),
        phases: Phases::default(),
        finding: Finding::Good,
        value: Some(1.0),
        unit: "ms".into(),
        note: "ok".into(),
        failed_of: (0, 1),
        latencies: vec![Duration::from_millis(40)],
        facts: Vec::new(),
    })
}

/// A line of this process's status, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().split(' ').next().unwrap().parse().unwrap()
}

/// A condition of random words, whose brackets are closed.
fn at_random(words: &[&str], next: &mut impl FnMut(usize) -> usize) -> String {
    let text: Vec<&str> = (0..=next(14)).map(|_| words[next(words.len())]).collect();
    let mut text = text.join(" ");
    let open = text.matches('(').count().saturating_sub(text.matches(')').count());
    text.push_str(&")".repeat(open));
    text
}

/// How much more memory it takes at its worst, in KiB.
fn memory_of(work: impl FnOnce()) -> u64 {
    // What was ever the most so far is forgotten: the most of what follows counts.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    work();
    status("VmHWM").saturating_sub(before)
}

pub(crate) fn run() {
    println!(
        "\n== rules: {ROUNDS} strings of random words, and {} that mean harm",
        hostile().len()
    );
    let (now, services) = (chrono::Utc::now(), ["api", "web"]);
    // Where a check stands is not known; its readings are.
    let (mut roles, mut kinds, tracks) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut recent = Recent::default();
    for service in services {
        let id = CheckId::from(service);
        let role = Role {
            service: service.to_owned(),
            critical: true,
            counts_requests: true,
            database: false,
            corruption: false,
        };
        roles.insert(id.clone(), role);
        kinds.insert(id, "http_response".to_owned());
        for reading in readings(service, now) {
            recent.push(reading);
        }
    }
    let (slos, left_out) = (Tallies::new(), BTreeSet::new());
    let snapshot = Snapshot::new(Seen {
        roles: &roles,
        kinds: &kinds,
        tracks: &tracks,
        recent: &recent,
        slos: &slos,
        left_out: &left_out,
        floor: None,
        min_samples: 3,
        deployed: None,
        severity: None,
        now,
    });
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let words: Vec<&str> = WORDS.lines().collect();
    let harm = hostile();
    let longest = harm.iter().map(String::len).max().unwrap();
    let mut random = || at_random(&words, &mut next);
    // The list of the times and the code itself are there before anything counts.
    for _ in 0..ROUNDS / 10 {
        if let Ok(condition) = Condition::parse(&random()) {
            std::hint::black_box(condition.evaluate(&snapshot));
        }
    }
    let (mut times, mut read) = (vec![Duration::MAX; ROUNDS + 100], 0);
    times.clear();
    let (mut most, mut slowest) = (Duration::ZERO, String::new());
    let mut judge = |text: &str| {
        let began = Instant::now();
        if let Ok(condition) = Condition::parse(text) {
            std::hint::black_box(condition.evaluate(&snapshot));
            read += 1;
        }
        let took = began.elapsed();
        if took > most {
            (most, slowest) = (took, text.chars().take(60).collect());
        }
        times.push(took);
    };
    let mut grown = (0, "");
    for text in &harm {
        grown = grown.max((memory_of(|| judge(text)), text));
    }
    let (grown, by) = (grown.0, grown.1.chars().take(24).collect::<String>());
    let random_grown = memory_of(|| (0..ROUNDS).for_each(|_| judge(&random())));
    super::line("read and judged", &mut times);
    println!("{:<44} {:.1?}: {slowest}", "the slowest (goal 10 ms)", most);
    println!(
        "{:<44} {grown} KiB beside up to {longest} bytes of text ({by}); all random ones {random_grown} KiB",
        "memory of one at most (goal 1 MiB)"
    );
    println!("{:<44} {read}", "could be read");
}
