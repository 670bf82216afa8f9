//! `validate --base-url`: document 004's endpoints below an address (M-19, M-20).

use std::time::Duration;

use super::notify::sinks::{Got, Http};
use super::support::{Said, said};

fn validate(base: &str, more: &[&str]) -> Said {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_backout"));
    let home = tempfile::tempdir().unwrap();
    let line = ["validate", "--environment", "staging", "--base-url", base];
    command.args(line).args(more).env_clear().env("HOME", home.path()).current_dir(home.path());
    said(command)
}

fn answers(status: impl Fn(&Got, usize) -> u16 + Send + Sync + 'static) -> Http {
    Http::with(move |got, before| (status(got, before), "{}".to_owned()))
}

#[test]
fn six_endpoints_answer_or_the_one_that_does_not_is_named() {
    let site = answers(|got, _| if got.path.starts_with("/api/v1/") { 401 } else { 200 });
    let good = validate(&site.url(""), &[]);
    assert_eq!(good.code, 0, "{good:?}");
    assert_eq!(
        good.out,
        "Health endpoint: ✅ /health 200\nReady endpoint: ✅ /ready 200\n\
         Database connectivity: ✅ /health/database 200\nAPI endpoint: ✅ /api/v1/documents 401\n\
         API endpoint: ✅ /api/v1/users 401\nAPI endpoint: ✅ /api/v1/health 401\n\n\
         Overall result: ✅ SUCCESS\n"
    );
    assert_eq!(site.got().len(), 6, "a request each");

    let site = answers(|got, _| if got.path == "/health/database" { 500 } else { 200 });
    let bad = validate(&site.url("/"), &[]);
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(
        bad.out.contains("Database connectivity: ❌ /health/database 500, expected 200\n"),
        "{bad:?}"
    );
    assert!(bad.out.ends_with("\nOverall result: ❌ FAILURE\n"), "{bad:?}");
}

#[test]
fn one_slow_answer_fails_on_the_maximum_only_and_a_refusal_is_an_error() {
    let site = answers(|got, before| {
        if got.path == "/health" && before == 4 {
            std::thread::sleep(Duration::from_millis(2500));
        }
        200
    });
    let slow = validate(&site.url(""), &["--performance", "--requests", "40"]);
    assert_eq!(slow.code, 1, "{slow:?}");
    let of = |path: &str| {
        let from = slow.out.split_once(&format!("Checking {path}...")).unwrap().1;
        from.split("Checking").next().unwrap().to_owned()
    };
    let health = of("/health");
    assert!(health.contains("❌ Status: failed") && health.contains("Max: 2.5"), "{health}");
    assert!(health.contains("(threshold: 2.0s)"), "{health}");
    let p95 = health.lines().find(|line| line.contains("P95")).unwrap();
    assert!(p95.contains("P95: 0.") && p95.ends_with("(threshold: 1.0s)"), "{p95}");
    assert!(of("/api/v1/users").contains("✅ Status: passed"), "{slow:?}");
    assert_eq!(site.got().len(), 120);

    let closed = validate("http://127.0.0.1:9", &["--performance"]);
    assert_eq!(closed.code, 1, "{closed:?}");
    assert!(closed.out.contains("Errors: 10 of 10 requests"), "{closed:?}");
    assert!(closed.out.contains("Max: failed"), "{closed:?}");
    let wrong = validate("ftp://host", &[]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
}
