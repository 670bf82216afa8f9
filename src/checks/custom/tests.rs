use std::time::Instant;

use super::*;
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, fixture, probe};
use crate::model::reading::{Finding, Reading};

async fn run(command: &str, critical: Option<f64>, nagios: bool) -> Reading {
    let thresholds = Thresholds { warning: None, critical: critical.map(Range::From) };
    let settings = Settings { command: command.into(), thresholds, nagios };
    let spec = fixture::spec(CheckKind::Custom(settings), Duration::from_secs(5));
    probe(&spec, &fixture::cx()).await
}

fn class(reading: &Reading) -> Option<WhyClass> {
    match &reading.finding {
        Finding::Bad { why } | Finding::Warn { why } => Some(why.class),
        Finding::Good | Finding::Unknown { .. } => None,
    }
}

fn reason(reading: &Reading) -> Option<Reason> {
    match reading.finding {
        Finding::Unknown { reason } => Some(reason),
        Finding::Good | Finding::Warn { .. } | Finding::Bad { .. } => None,
    }
}

#[tokio::test]
async fn fault_6_a_pipe_in_a_command_works() {
    let reading = run("printf '1\\n2\\n6000\\n' | tail -n 1", Some(5000.0), false).await;
    assert_eq!((class(&reading), reading.value), (Some(WhyClass::Threshold), Some(6000.0)));
}

#[tokio::test]
async fn fault_2_a_healthy_reading_of_0_is_healthy() {
    let reading = run("echo 0", Some(5000.0), false).await;
    assert_eq!((reading.finding, reading.value), (Finding::Good, Some(0.0)));
    assert_eq!(run("echo no error here", None, false).await.finding, Finding::Good);
}

#[tokio::test]
async fn text_where_a_number_is_judged_and_a_no_are_failures() {
    assert_eq!(class(&run("echo hello", Some(1.0), false).await), Some(WhyClass::Content));
    assert_eq!(class(&run("true", Some(1.0), false).await), Some(WhyClass::Content));
    let reading = run("echo broken >&2; exit 1", None, false).await;
    assert_eq!((class(&reading), reading.note.as_str()), (Some(WhyClass::Rejected), "exit 1"));
    let reading = run("kill -9 $$", None, false).await;
    assert_eq!(reading.note.as_str(), "killed by a signal");
}

#[tokio::test]
async fn fault_4_a_check_that_cannot_run_is_unknown_and_says_why() {
    let reading = run("no-such-program-here", None, false).await;
    assert_eq!(reason(&reading), Some(Reason::NoTool));
    assert!(reading.note.as_str().contains("no-such-program-here"), "{}", reading.note);
    let reading = run("no-such-program-here | cat", Some(1.0), false).await;
    assert_eq!(reason(&reading), Some(Reason::NoTool));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("not-a-program");
    std::fs::write(&file, "").unwrap();
    let reading = run(&file.display().to_string(), None, false).await;
    assert_eq!(reason(&reading), Some(Reason::NoPermission));
    assert_eq!(reason(&run("echo nan", Some(1.0), false).await), Some(Reason::NoData));
    assert_eq!(reason(&run("echo 1e999", Some(1.0), false).await), Some(Reason::NoData));
}

#[tokio::test]
async fn the_codes_of_the_monitoring_plugins_mean_what_they_mean() {
    let plugin = |code: u8| async move {
        run(&format!("echo 'DISK - 12% free | /=88%;80;90'; exit {code}"), None, true).await
    };
    assert_eq!(plugin(0).await.finding, Finding::Good);
    assert_eq!(plugin(0).await.value, Some(88.0));
    assert!(matches!(plugin(1).await.finding, Finding::Warn { .. }));
    assert!(matches!(plugin(2).await.finding, Finding::Bad { .. }));
    assert_eq!(reason(&plugin(3).await), Some(Reason::NoData));
    assert_eq!(reason(&plugin(9).await), Some(Reason::BadConfig));
    assert_eq!(plugin(1).await.note.as_str(), "DISK - 12% free");
}

#[tokio::test]
async fn the_whole_process_group_ends_with_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("pid");
    let command = format!("sleep 60 & echo $! > {}; wait", mark.display());
    let settings = Settings { command, thresholds: Thresholds::default(), nagios: false };
    let spec = fixture::spec(CheckKind::Custom(settings), Duration::from_millis(700));
    let begun = Instant::now();
    let reading = probe(&spec, &fixture::cx()).await;
    assert_eq!(class(&reading), Some(WhyClass::TimedOut));
    assert!(begun.elapsed() < Duration::from_secs(3));
    let child: u32 = std::fs::read_to_string(&mark).unwrap().trim().parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while crate::adapters::process::Identity::of(child).is_some() {
        assert!(Instant::now() < deadline, "the child of the command lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn output_is_safe_and_bounded() {
    let reading = run("printf '\\033[2J\\a'; exit 2", None, false).await;
    assert!(
        matches!(&reading.finding, Finding::Bad { why } if why.text.as_str() == "exit 2: ␛[2J\\x07")
    );
    let reading = run("yes | head -c 5000000; exit 1", None, false).await;
    assert!(matches!(reading.finding, Finding::Bad { .. }));
}
