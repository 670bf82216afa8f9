use std::path::Path;
use std::sync::atomic::Ordering;

use super::*;
use crate::checks::file;
use crate::checks::fixture::{self, Server, answer};
use crate::checks::threshold::{Clear, Range, Thresholds};

fn http(url: &str) -> CheckKind {
    CheckKind::HttpResponse(fixture::http(url))
}

#[tokio::test]
async fn a_bad_answer_is_asked_again_and_each_attempt_is_kept() {
    let server = Server::answers(|n| answer(if n < 2 { 503 } else { 200 }, "")).await;
    let spec = fixture::spec(http(&server.url("/")), Duration::from_secs(5));
    let reading = probe(&CheckSpec { attempts: 3, ..spec.clone() }, &fixture::cx()).await;
    assert_eq!((reading.finding, reading.note.as_str()), (Finding::Good, "200"));
    let facts: Vec<&str> = reading.facts.iter().map(SafeText::as_str).collect();
    assert_eq!(facts.len(), 2, "{facts:?}");
    assert!(facts[0].starts_with("attempt 1 of 3: 503 ("), "{facts:?}");
    assert_eq!((reading.failed_of, reading.latencies.len()), ((0, 1), 1));

    let server = Server::answers(|_| answer(503, "")).await;
    let spec = fixture::spec(http(&server.url("/")), Duration::from_secs(5));
    let reading = probe(&CheckSpec { attempts: 3, ..spec.clone() }, &fixture::cx()).await;
    assert!(matches!(reading.finding, Finding::Bad { .. }));
    assert_eq!((server.connections.load(Ordering::Relaxed), reading.facts.len()), (3, 2));
    let once = probe(&spec, &fixture::cx()).await;
    assert!(once.facts.is_empty());
}

#[tokio::test]
async fn the_timeout_is_that_of_all_attempts_together() {
    let server = Server::says("").await;
    let limit = Duration::from_millis(300);
    let spec = CheckSpec { attempts: 5, ..fixture::spec(http(&server.url("/")), limit) };
    let begun = Instant::now();
    let reading = probe(&spec, &fixture::cx()).await;
    assert!(matches!(&reading.finding, Finding::Bad { why } if why.class == WhyClass::TimedOut));
    assert!(begun.elapsed() < limit * 2 && reading.facts.is_empty());
}

/// Sizes of a file, one look each, and how bad they read.
async fn sizes(path: &Path, warning: Option<f64>, clear: Option<Clear>, all: &[usize]) -> String {
    let critical = Some(Range::From(95.0));
    let kind = CheckKind::File(file::Settings {
        path: path.to_owned(),
        present: true,
        limits: file::Limits {
            thresholds: Thresholds { warning: warning.map(Range::From), critical },
            ..file::Limits::default()
        },
    });
    let spec = CheckSpec { clear, ..fixture::spec(kind, Duration::from_secs(5)) };
    let (cx, mut memory) = (fixture::cx(), Memory::default());
    let mut found = String::new();
    for bytes in all {
        std::fs::write(path, vec![0; *bytes]).unwrap();
        found.push(match look(&spec, &cx, &mut memory).await.finding {
            Finding::Good => '.',
            Finding::Warn { .. } => 'w',
            Finding::Bad { .. } => 'B',
            Finding::Unknown { .. } => '?',
        });
    }
    found
}

#[tokio::test]
async fn an_alarm_ends_below_clear_below_and_not_a_hair_under_the_threshold() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("size");
    let below = Some(Clear::Below(75.0));
    let all = [70, 81, 79, 75, 74, 79, 96, 94, 76, 74];
    assert_eq!(sizes(&path, Some(80.0), None, &all).await, ".w....Bw..");
    assert_eq!(sizes(&path, Some(80.0), below, &all).await, ".www..Bww.");
    // Without a warning there is nothing milder to fall to.
    assert_eq!(sizes(&path, None, below, &all).await, "......BBB.");
}
