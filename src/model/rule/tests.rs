use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::ids::CheckId;
use super::super::reading::{Policy, Reading, Reason, WhyClass};
use super::super::sample::*;
use super::super::slo::Tallies;
use super::*;

mod following;

const FAILURES: &str = "get_failure_count('backend', 5) >= 3";
const RESOURCE: &str = "get_latest_metric('system').value > 90";
const MANY: &str = "len([s for s, m in metrics.items() if get_failure_count(s, 3) >= 2]) >= 2";

/// A board and what belongs to a snapshot of it.
struct Scene {
    board: Board,
    kinds: BTreeMap<CheckId, String>,
    left_out: BTreeSet<CheckId>,
    slos: Tallies,
}

impl Scene {
    fn new(services: &[&str]) -> Self {
        let mut board = Board::default();
        let mut kinds = BTreeMap::new();
        for service in services {
            board = board.check(service, role(service));
            kinds.insert(CheckId::from(*service), "http_response".to_owned());
        }
        Self { board, kinds, left_out: BTreeSet::new(), slos: Tallies::new() }
    }

    /// One reading a minute, the last right now; `b` bad, `g` good, `?` unknown.
    fn fed(mut self, check: &str, readings: &str) -> Self {
        let count = i64::try_from(readings.len()).unwrap();
        for (place, c) in (0..).zip(readings.chars()) {
            let second = (place + 1 - count) * 60;
            let finding = match c {
                'b' => bad(WhyClass::Status, "503"),
                'g' => good(),
                _ => unknown(Reason::NoData),
            };
            self.board.take(reading(check, second, finding));
        }
        self
    }

    fn valued(mut self, check: &str, value: f64) -> Self {
        let reading =
            Reading { value: Some(value), unit: "percent".into(), ..reading(check, 0, good()) };
        self.board.take(reading);
        self
    }

    fn judge_at(&mut self, condition: &str, second: i64) -> Evaluation {
        for track in self.board.tracks.values_mut() {
            track.age(at(second), &policy_of_minutes());
        }
        self.judge_at_as_is(condition, second)
    }

    /// With the checks as they were aged.
    fn judge_at_as_is(&self, condition: &str, second: i64) -> Evaluation {
        let seen = Seen {
            roles: &self.board.roles,
            kinds: &self.kinds,
            tracks: &self.board.tracks,
            recent: &self.board.recent,
            slos: &self.slos,
            left_out: &self.left_out,
            floor: None,
            min_samples: 3,
            deployed: Some(at(-600)),
            severity: None,
            now: at(second),
        };
        Condition::parse(condition).unwrap().evaluate(&Snapshot::new(seen))
    }

    fn judge(&mut self, condition: &str) -> Verdict {
        self.judge_at(condition, 0).verdict
    }
}

fn policy_of_minutes() -> Policy {
    Policy { stale_after: Duration::from_secs(130), ..policy() }
}

fn met(verdict: &Verdict) -> Option<bool> {
    match verdict {
        Verdict::Met => Some(true),
        Verdict::NotMet => Some(false),
        Verdict::Unknown(_) => None,
        Verdict::Broken(why) => panic!("broken: {why}"),
    }
}

#[test]
fn the_three_conditions_of_the_documents_are_true_false_stale_and_unknown() {
    let mut scene = Scene::new(&["backend"]).fed("backend", "ggbbb");
    assert_eq!(met(&scene.judge(FAILURES)), Some(true));
    let mut scene = Scene::new(&["backend"]).fed("backend", "bbbggggbb");
    assert_eq!(met(&scene.judge(FAILURES)), Some(false), "older ones are out of the window");
    let mut scene = Scene::new(&["backend"]).fed("backend", "bbbbb");
    let Verdict::Unknown(why) = scene.judge_at(FAILURES, 200).verdict else { panic!() };
    assert_eq!((why.reason, why.about.as_str()), (Reason::Stale, "backend"));
    let mut scene = Scene::new(&["backend"]).fed("backend", "gb?bg");
    assert_eq!(met(&scene.judge(FAILURES)), None, "2 bad and 1 that nobody saw");
    let mut scene = Scene::new(&["backend"]).fed("backend", "g?g");
    assert_eq!(met(&scene.judge(FAILURES)), Some(false), "1 unseen cannot make 3");

    for (value, expected) in [(95.0, true), (90.0, false)] {
        let mut scene = Scene::new(&["system"]).valued("system", value);
        assert_eq!(met(&scene.judge(RESOURCE)), Some(expected));
        assert_eq!(met(&scene.judge_at(RESOURCE, 200).verdict), None);
    }
    let mut scene = Scene::new(&["system"]).fed("system", "?");
    assert_eq!(met(&scene.judge(RESOURCE)), None);
    assert_eq!(met(&Scene::new(&["system"]).judge(RESOURCE)), None, "never looked");
    assert_eq!(met(&Scene::new(&["backend"]).judge(RESOURCE)), None, "no such service");

    let three = || Scene::new(&["api", "web", "db"]);
    let mut scene = three().fed("api", "bb").fed("web", "bb").fed("db", "g");
    assert_eq!(met(&scene.judge(MANY)), Some(true));
    let mut scene = three().fed("api", "bb").fed("web", "gb").fed("db", "gg");
    assert_eq!(met(&scene.judge(MANY)), Some(false));
    let mut scene = three().fed("api", "bb").fed("web", "bb").fed("db", "b?");
    assert_eq!(met(&scene.judge(MANY)), Some(true), "2 are known, the third decides nothing");
    let mut scene = three().fed("api", "bb").fed("web", "g").fed("db", "b?");
    assert_eq!(met(&scene.judge(MANY)), None, "1 or 2");
    assert_eq!(met(&scene.judge_at(MANY, 200).verdict), None, "all stale");
}

#[test]
fn the_conditions_of_the_upstream_project_run_as_written() {
    let conditions = [
        "get_failure_count('backend', 5) >= 3 or get_failure_count('frontend', 5) >= 3",
        "get_latest_metric('system', 'system_resource') and get_latest_metric('system', 'system_resource').value > 90",
        "len([s for s, m in metrics.items() if m and any(isinstance(metric.value, (int, float)) and metric.value == 0 for metric in m[-3:])]) >= 2",
        "get_failure_count('database', 3) >= 2",
        "get_latest_metric('backend') and 'error' in str(get_latest_metric('backend').metadata).lower()",
        "all([get_latest_metric('system') and get_latest_metric('system').value > 95 for _ in range(1)])",
    ];
    let services = ["backend", "frontend", "database", "system"];
    let scene = || {
        let mut scene = Scene::new(&services);
        scene.kinds.insert("system".into(), "system_resource".to_owned());
        scene
    };
    let mut well = scene().fed("backend", "gggg").fed("frontend", "gggg").fed("database", "ggg");
    well = well.valued("system", 20.0);
    let mut ill = scene().fed("backend", "bbbb").fed("frontend", "bbbb").fed("database", "bbb");
    ill = ill.valued("system", 99.0);
    let mut dark = scene();
    for (at, condition) in conditions.iter().enumerate() {
        assert_eq!(met(&well.judge(condition)), Some(false), "{condition}");
        // The note of the reading holds no "error".
        assert_eq!(met(&ill.judge(condition)), Some(at != 4), "{condition}");
        // Without a reading there is no service in `metrics`: nothing to count, for ever.
        assert_eq!(met(&dark.judge(condition)), (at == 2).then_some(false), "{condition}");
    }
}

#[test]
fn what_is_not_known_stays_not_known_and_decides_nothing() {
    let mut scene = Scene::new(&["api", "web"]).fed("api", "b").fed("web", "?");
    let unknown = "get_latest_metric('web').value > 1";
    for (condition, expected) in [
        (format!("{unknown} or True"), Some(true)),
        (format!("{unknown} and False"), Some(false)),
        (format!("{unknown} and True"), None),
        (format!("not ({unknown})"), None),
        (format!("1 if {unknown} else 1"), None),
        (format!("[x for x in range(3) if {unknown}]"), None),
        (format!("len([x for x in range(3) if {unknown}]) <= 3"), Some(true)),
        (format!("sum(1 for x in range(3) if {unknown}) > 3"), Some(false)),
        ("get_failure_count('web') == 2".to_owned(), None),
        ("get_failure_count('nobody') == 0".to_owned(), None),
        ("status('web') == 'fail'".to_owned(), None),
        ("status('nobody') != 'ok'".to_owned(), None),
        ("prometheus('nothing') == 0".to_owned(), None),
        ("severity() == 'critical'".to_owned(), None),
        ("error_rate('web', 5) > 0.05".to_owned(), None),
        ("max([]) > 1".to_owned(), None),
        ("1 / 0 > 1".to_owned(), None),
        ("minutes_since_deploy() == 10".to_owned(), Some(true)),
        ("status('api') in ('warn', 'fail')".to_owned(), Some(true)),
        ("-7 // 2 == -4 and -7 % 3 == 2 and 7 % -3 == -2".to_owned(), Some(true)),
        ("0.05 < 0.06 <= 0.06 and 'a' not in 'xyz'".to_owned(), Some(true)),
        (
            "round(0.126, 2) == 0.13 and [1, 2, 3][-1] == 3 and (1, 2)[5:] == ()".to_owned(),
            Some(false),
        ),
    ] {
        assert_eq!(met(&scene.judge(&condition)), expected, "{condition}");
    }
    scene.left_out.insert("api".into());
    assert_eq!(met(&scene.judge("get_failure_count('api') >= 1")), None, "muted");
}

#[test]
fn rates_and_latencies_need_enough_samples_and_all_checks() {
    let mut scene = Scene::new(&["api"]);
    for second in 0..5 {
        scene.board.take(burst("api", second - 5, (1, 10), 40 + 1000 * u64::from(second == 4)));
    }
    assert_eq!(met(&scene.judge("error_rate('*', 5) > 0.05")), Some(true));
    assert_eq!(met(&scene.judge("error_rate('*', 5) > 0.1")), Some(false));
    assert_eq!(met(&scene.judge("p95('*', 10) * 1000 > 1000")), Some(true));
    assert_eq!(met(&scene.judge("latency('api', 0.5, 10) < 0.05")), Some(true));
    let mut few = Scene::new(&["api"]).fed("api", "b");
    let Verdict::Unknown(why) = few.judge("error_rate() > 0") else { panic!() };
    assert_eq!(why.reason, Reason::TooFewSamples);
}

#[test]
fn every_part_is_shown_with_its_value() {
    let mut scene = Scene::new(&["backend"]).fed("backend", "gbbb");
    let judged = scene.judge_at(&format!("{FAILURES} and status('backend') == 'fail'"), 0);
    let lines: Vec<String> = judged.evidence.iter().map(Shown::words).collect();
    assert_eq!(
        lines,
        [
            "get_failure_count('backend', 5) = 3",
            "get_failure_count('backend', 5) >= 3 = True",
            "status('backend') = 'fail'",
            "status('backend') == 'fail' = True",
            "get_failure_count('backend', 5) >= 3 and status('backend') == 'fail' = True",
        ]
    );
    assert_eq!(judged.newest, Some(at(0)));
}

#[test]
fn a_mistake_has_a_caret_and_a_guess() {
    for (condition, message, column, hint) in [
        (
            "get_failure_cuont('a') > 1",
            "there is no function get_failure_cuont",
            0,
            "did you mean get_failure_count?",
        ),
        ("__import__('os')", "__import__ begins with _: such names are not let in", 0, ""),
        ("open('/etc/passwd')", "there is no function open", 0, ""),
        ("(lambda: 1)", "\"lambda\" cannot stand here", 1, ""),
        (
            "get_latest_metric('x').valu > 1",
            "there is no value of a metric valu",
            23,
            "did you mean value?",
        ),
        ("get_failure_count() > 1", "get_failure_count takes 1 to 2 arguments, not 0", 0, ""),
        ("metrcs.items()", "there is no name metrcs", 0, "did you mean metrics?"),
        ("1 = 2", "one = compares nothing", 2, "write =="),
        ("1 >", "the condition ends too early", 3, ""),
        ("(1", ") is missing: the condition ends too early", 2, ""),
        ("'a", "this quote is never closed", 0, ""),
        ("1 ** 2", "* cannot stand here", 3, ""),
        ("{'a': 1}", "sets and dicts are not known here", 0, ""),
        ("f'x'", "the text \"x\" cannot stand here", 1, ""),
        ("x.lower(", "the condition ends too early", 8, ""),
    ] {
        let mistake = Condition::parse(condition).unwrap_err();
        assert_eq!((mistake.message.as_str(), mistake.at), (message, column), "{condition}");
        assert_eq!(mistake.hint.as_deref().unwrap_or_default(), hint, "{condition}");
        let [line, caret] = mistake.caret(condition);
        assert_eq!(line, condition);
        assert_eq!(caret, format!("{}^", " ".repeat(column)));
    }
}

#[test]
fn hostile_conditions_end_within_their_steps() {
    let nested = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    for refused in [
        nested(17),
        "1+".repeat(300) + "1",
        "not ".repeat(3000) + "True",
        "-".repeat(3000) + "1",
        "x".repeat(5000),
        format!("metrics{}", "['a']".repeat(300)),
        "[x for x in range(9) for y in range(9) for z in range(9)]".to_owned(),
    ] {
        assert!(Condition::parse(&refused).is_err(), "{}", fit_of(&refused));
    }
    let mut scene = Scene::new(&["api"]).fed("api", "bbb");
    for broken in [
        "len('x' * 1000000000) > 5",
        "9223372036854775807 * 9223372036854775807 > 1",
        "9223372036854775807 + 1 > 1",
        "sum([x * y for x in range(1000) for y in range(1000)]) > 5",
        "len([[y for y in range(1000)] for x in range(1000)]) > 5",
        "len(range(100000)) > 5",
        "[1] + [2]",
        "'a' + 'b'",
        "metrics > 5",
        "len(5)",
        "str([1])",
        "1 < 'a'",
    ] {
        let judged = scene.judge_at(broken, 0);
        assert!(matches!(judged.verdict, Verdict::Broken(_)), "{broken}: {:?}", judged.verdict);
        assert!(judged.steps <= evaluate::STEPS + 2100, "{broken}: {}", judged.steps);
    }
    // A number without end is none.
    assert_eq!(met(&scene.judge("1e308 * 10 > 5")), None);
    assert_eq!(met(&scene.judge(&format!("{} == 1", nested(15)))), Some(true));
}

fn fit_of(text: &str) -> String {
    crate::text::fit(text, 60)
}

/// What random conditions are made of; the benchmark has the same.
const WORDS: &str = include_str!("tests/words.txt");

#[test]
fn an_objective_answers_with_its_burn_rate_and_is_unknown_without_one() {
    use super::super::slo::{Objective, Tally};
    let mut scene = Scene::new(&["backend", "web"]).fed("backend", "gbgbgbgbgb").fed("web", "g");
    let window = std::time::Duration::from_hours(24);
    let objective = Objective { percent: 99.0, window, min_volume: 10 };
    let mut tally = Tally::default();
    for reading in scene.board.recent.since(&"backend".into(), at(-10_000)) {
        tally.take(reading, &objective);
    }
    scene.slos.insert("backend".into(), (objective, tally));
    assert_eq!(met(&scene.judge("burn_rate('backend', 60) > 49")), Some(true));
    assert_eq!(met(&scene.judge("error_budget('backend') < -40")), Some(true));
    // Five looks are too few for a window that wants ten, and web has to keep nothing.
    assert_eq!(met(&scene.judge("burn_rate('backend', 5) > 14.4")), None);
    assert_eq!(met(&scene.judge("burn_rate('web', 60) > 1")), None);
    let names = Condition::parse("burn_rate('web', 60) > 1").unwrap().names();
    assert!(names[0].objective && !names[0].query);
}

/// Random words, most of them nonsense; each is judged when it can be read.
fn torture(rounds: u32, seed: u64) -> u32 {
    let mut scene = Scene::new(&["api", "web"]).fed("api", "bgb?").fed("web", "?b");
    let mut state = seed;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let words: Vec<&str> = WORDS.lines().collect();
    let mut read = 0;
    for _ in 0..rounds {
        let count = 1 + next(14);
        let text: Vec<&str> = (0..count).map(|_| words[next(words.len())]).collect();
        let mut text = text.join(" ");
        // Brackets that are left open are closed, or nearly nothing could be read.
        let open = text.matches('(').count().saturating_sub(text.matches(')').count());
        text.push_str(&")".repeat(open));
        if Condition::parse(&text).is_ok() {
            read += 1;
            let judged = scene.judge_at(&text, 0);
            assert!(judged.steps <= evaluate::STEPS + 2100, "{text}");
            assert!(judged.evidence.len() <= 48, "{text}");
        }
    }
    read
}

#[test]
fn random_words_never_panic() {
    assert!(torture(10_000, 7) > 100);
}

/// By hand: `cargo test --lib -- --ignored random_words`, some 20 s.
#[test]
#[ignore = "300 000 strings take a while"]
fn three_hundred_thousand_strings_of_random_words_never_panic() {
    let read = torture(300_000, 1);
    assert!(read > 3000, "{read}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _read_or_refused = Condition::parse(&text).map_err(|mistake| mistake.caret(&text));
    }

    #[test]
    fn nan_and_endless_values_are_never_met(value in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]) {
        let mut scene = Scene::new(&["system"]).valued("system", value);
        prop_assert_eq!(met(&scene.judge(RESOURCE)), None);
        prop_assert_eq!(met(&scene.judge("get_latest_metric('system').value < 90")), None);
    }
}
