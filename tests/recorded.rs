//! Rules against recorded series, end to end: the documents' three conditions and six threshold and
//! Prometheus rules, held against a prepared journal by `backout rules test`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use backout::journal::Samples;
use backout::model::reading::{Finding, Phases, Reading, Reason, Why, WhyClass};
use chrono::{DateTime, Utc};

/// The three of 001, the two of 002, the three of 004 and the one of its rollout.
const RULES: [&str; 9] = [
    "critical_failure_rollback",
    "system_overload",
    "multiple_services",
    "api_error_rate",
    "response_time_p95",
    "HighErrorRate",
    "HighResponseTime",
    "ServiceDown",
    "canary_rollback_policy",
];

const CONFIGURATION: &str = r#"
environment: recorded
state_dir: state
health_checks:
  - {check_id: backend, check_type: http_response, endpoint_url: "http://127.0.0.1:9/"}
  - {check_id: frontend, check_type: http_response, endpoint_url: "http://127.0.0.1:9/"}
  - {check_id: system, check_type: system_resource, metadata: {resource: cpu}}
  - {check_id: clock, check_type: tcp, endpoint_url: "tcp://127.0.0.1:9", interval_seconds: 10}
prometheus: {endpoint_url: "http://127.0.0.1:9"}
rule_files: [alerts.yml, rollout.yaml]
monitoring_rules:
  - rule_id: critical_failure_rollback
    condition: "get_failure_count('backend', 5) >= 3"
    action: rollback
    priority: 1
    cooldown_minutes: 30
  - rule_id: system_overload
    condition: "get_latest_metric('system').value > 90"
    action: alert
    priority: 2
    cooldown_minutes: 15
  - rule_id: multiple_services
    condition: "len([s for s, m in metrics.items() if get_failure_count(s, 3) >= 2]) >= 2"
    action: preserve_logs
    priority: 2
    cooldown_minutes: 5
  - {name: api_error_rate, threshold: 0.05, window_minutes: 5, severity: high}
  - {name: response_time_p95, threshold: 2000, window_minutes: 10, severity: medium}
"#;

const ROLLOUT: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: canary}\n\
    spec:\n  strategy:\n    canary:\n      rollbackPolicy: {errorRateThreshold: 0.05, \
    failureThreshold: 3}\n";

/// What one check is seen as at a moment.
#[derive(Clone, Copy)]
enum Seen {
    Well,
    Ill,
    Unknown,
    /// Nobody looks any more.
    Nothing,
}

fn reading(check: &str, at: DateTime<Utc>, seen: Seen) -> Option<Reading> {
    let requests = matches!(check, "backend" | "frontend");
    let alert = check.starts_with(char::is_uppercase);
    let (value, failed, took) = match seen {
        Seen::Well => (if alert { 0.0 } else { 30.0 }, 0, 40),
        Seen::Ill => (if alert { 1.0 } else { 97.0 }, 4, 3000),
        Seen::Unknown => (0.0, 0, 40),
        Seen::Nothing => return None,
    };
    let finding = match seen {
        Seen::Unknown => Finding::Unknown { reason: Reason::NoData },
        // Whatever a check of numbers reads is judged by the rule, not by the check.
        Seen::Ill if requests => {
            Finding::Bad { why: Why { class: WhyClass::Status, text: "503".into() } }
        }
        Seen::Well | Seen::Ill | Seen::Nothing => Finding::Good,
    };
    let answered = if requests { 20 - failed } else { 0 };
    Some(Reading {
        check: check.into(),
        at,
        took: Duration::from_millis(took),
        phases: Phases::default(),
        finding,
        value: (!matches!(seen, Seen::Unknown)).then_some(value),
        unit: String::new(),
        note: "".into(),
        failed_of: if requests { (failed, 20) } else { (0, 0) },
        latencies: vec![Duration::from_millis(took); usize::try_from(answered).unwrap()],
        facts: Vec::new(),
    })
}

/// Half an hour: twenty minutes in which all is well, and ten as `later` says; a check that only
/// tells the time goes on.
fn recorded(later: impl Fn(&str) -> Seen) -> Vec<Reading> {
    let now = Utc::now();
    let mut all = Vec::new();
    for second in (0..1800_i64).step_by(10) {
        let at = now - chrono::Duration::seconds(1800 - second);
        all.extend(reading("clock", at, Seen::Well));
        if second % 30 != 0 {
            continue;
        }
        for check in
            ["backend", "frontend", "system", "HighErrorRate", "HighResponseTime", "ServiceDown"]
        {
            let seen = if second < 1200 { Seen::Well } else { later(check) };
            all.extend(reading(check, at, seen));
        }
    }
    all
}

/// What came of a rule: how often it would have acted, and its moments met, not met, unknown and
/// broken.
type Came = [u32; 5];

fn rehearsed(dir: &Path, readings: &[Reading]) -> BTreeMap<String, Came> {
    std::fs::write(dir.join("backout.yaml"), CONFIGURATION).unwrap();
    std::fs::write(dir.join("rollout.yaml"), ROLLOUT).unwrap();
    let alerts = include_str!("configs/valid/m004-prometheus-rollback-alerts.yaml");
    std::fs::write(dir.join("alerts.yml"), alerts).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut samples = Samples::open(&dir.join("state")).await.unwrap();
        samples.write(readings, None).await.unwrap();
        samples.close().await.unwrap();
    });
    let said = run(dir, &["rules", "test", "--since", "24h"]);
    assert_eq!(said.0, 0, "{said:?}");
    let numbers = |line: &str| -> Option<(String, Came)> {
        let (rule, rest) = line.split_once(": would have acted ")?;
        let mut found =
            rest.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<u32>().ok());
        Some((rule.to_owned(), std::array::from_fn(|_| found.next().unwrap())))
    };
    said.1.lines().filter_map(numbers).collect()
}

fn run(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let said = Command::new(env!("CARGO_BIN_EXE_backout"))
        .args(arguments)
        .env_clear()
        .env("HOME", dir)
        .env("XDG_RUNTIME_DIR", dir)
        .env("BACKOUT_CONFIG", dir.join("backout.yaml"))
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (said.status.code().unwrap_or(-1), text(&said.stdout), text(&said.stderr))
}

#[test]
fn every_rule_of_the_documents_acts_on_what_is_true_and_on_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str, later: &dyn Fn(&str) -> Seen| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        let came = rehearsed(&dir, &recorded(later));
        let known: Vec<&str> = came.keys().map(String::as_str).collect();
        assert!(RULES.iter().all(|rule| known.contains(rule)) && known.len() == 9, "{known:?}");
        came
    };
    for (rule, [acted, met, not_met, _, broken]) in of("true", &|_| Seen::Ill) {
        assert!(acted >= 1 && met > 0 && not_met > 0 && broken == 0, "{rule} acted {acted} times");
    }
    for (rule, [acted, met, not_met, unknown, broken]) in of("false", &|_| Seen::Well) {
        assert_eq!((acted, met, broken), (0, 0, 0), "{rule}");
        assert!(not_met > unknown, "{rule}: {not_met} not met, {unknown} unknown");
    }
    for (rule, [acted, met, _, unknown, broken]) in of("stale", &|_| Seen::Nothing) {
        assert_eq!((acted, met, broken), (0, 0, 0), "{rule}");
        // Of ten minutes, those after the last reading grew old.
        assert!(unknown > 40, "{rule}: {unknown} unknown");
    }
    let one = |check: &str| if check == "frontend" { Seen::Well } else { Seen::Unknown };
    for (rule, [acted, met, _, unknown, broken]) in of("unknown", &one) {
        assert_eq!((acted, met, broken), (0, 0, 0), "{rule}");
        assert!(unknown > 40, "{rule}: {unknown} unknown");
    }
}

#[test]
fn hostile_conditions_are_refused_or_broken_and_never_take_long() {
    let dir = tempfile::tempdir().unwrap();
    let test = |condition: &str| {
        let text = format!(
            "environment: hostile\nstate_dir: state\nhealth_checks:\n  - {{check_id: api, check_type: \
             tcp, endpoint_url: \"tcp://127.0.0.1:9\"}}\nmonitoring_rules:\n  - rule_id: hostile\n    \
             action: rollback\n    condition: >-\n      {condition}\n"
        );
        std::fs::write(dir.path().join("backout.yaml"), text).unwrap();
        let readings: Vec<Reading> = (0..20)
            .filter_map(|n| reading("api", Utc::now() - chrono::Duration::seconds(n), Seen::Well))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut samples = Samples::open(&dir.path().join("state")).await.unwrap();
            samples.write(&readings, None).await.unwrap();
            samples.close().await.unwrap();
        });
        let began = Instant::now();
        let said = run(dir.path(), &["rules", "test"]);
        // Twenty judgements and a start of the program, on a machine that does much else.
        assert!(began.elapsed() < Duration::from_mins(1), "{condition}: {:?}", began.elapsed());
        said
    };
    let each = "for a in range(1000) for b in range(1000) for c in range(1000)";
    let said = test(&format!("sum([a * b * c {each}]) > 0"));
    assert!(said.0 == 78 || said.1.contains("broken"), "{said:?}");
    let said = test(&format!("len('x' * 1000000000) > {}", "9".repeat(400)));
    assert!(said.0 == 78 || said.1.contains("met 0, "), "{said:?}");
    let said = test(&format!("{}1{} > 0", "(".repeat(5000), ")".repeat(5000)));
    assert_eq!(said.0, 78, "{said:?}");
    let said = test("__import__('os').system('true') == 0");
    assert!(said.0 == 78 && said.2.contains('^'), "{said:?}");
}
