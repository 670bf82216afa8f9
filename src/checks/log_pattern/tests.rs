use std::io::Write;
use std::path::Path;

use super::*;
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, CheckSpec, fixture, look};
use crate::clock::Clock;
use crate::model::reading::Reading;

/// A log, its check with thresholds 2 and 4 in a minute, and a clock that is moved by hand.
struct Desk {
    dir: tempfile::TempDir,
    spec: CheckSpec,
    cx: ProbeCx,
    memory: Memory,
}

impl Desk {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl Fn(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (warning, critical) = (Some(Range::From(2.0)), Some(Range::From(4.0)));
        let mut settings = Settings {
            path: dir.path().join("app.log"),
            pattern: Regex::new("ERROR").unwrap(),
            ignore: None,
            window: Duration::from_mins(1),
            missing: Missing::Unknown,
            thresholds: Thresholds { warning, critical },
        };
        change(&mut settings);
        let spec = fixture::spec(CheckKind::LogPattern(settings), Duration::from_secs(5));
        let cx = ProbeCx { clock: Clock::manual(Clock::real().now()), ..fixture::cx() };
        Self { dir, spec, cx, memory: Memory::default() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("app.log")
    }

    fn write(&self, text: &str) {
        append(&self.path(), text);
    }

    async fn look(&mut self) -> Reading {
        look(&self.spec, &self.cx, &mut self.memory).await
    }

    async fn count(&mut self) -> Option<f64> {
        self.look().await.value
    }

    fn pass(&self, seconds: u64) {
        self.cx.clock.advance(Duration::from_secs(seconds));
    }
}

fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn unknown(reading: &Reading) -> Option<Reason> {
    match reading.finding {
        Finding::Unknown { reason } => Some(reason),
        Finding::Good | Finding::Warn { .. } | Finding::Bad { .. } => None,
    }
}

#[tokio::test]
async fn lines_count_while_they_are_in_the_window() {
    let mut desk = Desk::new();
    desk.write("all is well\n");
    assert_eq!(desk.look().await.finding, Finding::Good);
    desk.write("ERROR one\nfine\nERROR two\n");
    let reading = desk.look().await;
    assert!(matches!(&reading.finding, Finding::Warn { .. }), "{reading:?}");
    assert_eq!(reading.note.as_str(), "2 lines in 60 s");
    desk.pass(30);
    desk.write("ERROR three\nERROR four\n");
    assert!(matches!(desk.look().await.finding, Finding::Bad { .. }));
    desk.pass(31);
    assert_eq!(desk.count().await, Some(2.0));
    desk.pass(31);
    let quiet = desk.look().await;
    assert_eq!((quiet.finding, quiet.value), (Finding::Good, Some(0.0)));
}

#[tokio::test]
async fn a_line_counts_once_it_has_an_end_and_only_once() {
    let mut desk = Desk::new();
    desk.write("");
    desk.look().await;
    desk.write("ERR");
    assert_eq!(desk.count().await, Some(0.0));
    desk.write("OR half\n");
    assert_eq!(desk.count().await, Some(1.0));
    assert_eq!(desk.count().await, Some(1.0));
}

#[tokio::test]
async fn rotation_loses_no_line() {
    let mut desk = Desk::new();
    desk.write("begin\n");
    desk.look().await;
    desk.write("ERROR before the rename\n");
    let old = desk.dir.path().join("app.log.1");
    std::fs::rename(desk.path(), &old).unwrap();
    append(&old, "ERROR after the rename\n");
    desk.write("ERROR in the new file\n");
    assert_eq!(desk.count().await, Some(3.0));
    std::fs::write(desk.path(), "").unwrap();
    assert_eq!(desk.count().await, Some(3.0));
    desk.write("ERROR\n");
    assert_eq!(desk.count().await, Some(4.0));
}

#[tokio::test]
async fn old_lines_are_placed_by_their_times_or_not_claimed() {
    let mut desk = Desk::new();
    let at = |seconds: i64| (desk.cx.clock.now() - chrono::Duration::seconds(seconds)).to_rfc3339();
    let (old, new) = (at(3600), at(10));
    desk.write(&format!("{old} ERROR a\n{old} ERROR b\nERROR its second line\n{new} ERROR c\n"));
    assert_eq!(desk.count().await, Some(1.0));

    let mut desk = Desk::new();
    desk.write("ERROR\nERROR\nERROR\n");
    let first = desk.look().await;
    assert_eq!((unknown(&first), first.value), (Some(Reason::TooFewSamples), Some(0.0)));
    desk.pass(61);
    assert_eq!(desk.look().await.finding, Finding::Good);

    let mut desk = Desk::new();
    desk.write("ERROR\n");
    // One old line at most is below both thresholds, whenever it was.
    assert_eq!(desk.look().await.finding, Finding::Good);
}

#[tokio::test]
async fn a_log_that_has_been_quiet_for_the_window_is_good_at_once() {
    let mut desk = Desk::new();
    desk.write("ERROR\nERROR\nERROR\nERROR\n");
    desk.pass(120);
    assert_eq!(desk.look().await.finding, Finding::Good);
}

#[tokio::test]
async fn a_heartbeat_that_stops_is_told() {
    let mut desk = Desk::with(|settings| {
        settings.thresholds = Thresholds { warning: None, critical: Some(Range::UpTo(0.0)) };
        settings.pattern = Regex::new("beat").unwrap();
    });
    desk.write("beat\n");
    assert_eq!(unknown(&desk.look().await), Some(Reason::TooFewSamples));
    desk.write("beat\n");
    assert_eq!(desk.look().await.finding, Finding::Good);
    desk.pass(61);
    assert!(matches!(desk.look().await.finding, Finding::Bad { .. }));
}

#[tokio::test]
async fn a_missing_file_means_what_the_file_says_it_means() {
    for (missing, expected) in
        [(Missing::Unknown, "unknown"), (Missing::Fail, "bad"), (Missing::Good, "good")]
    {
        let mut desk = Desk::with(|settings| settings.missing = missing);
        let found = match desk.look().await.finding {
            Finding::Unknown { reason: Reason::NoData } => "unknown",
            Finding::Bad { .. } => "bad",
            Finding::Good => "good",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }
    let mut desk = Desk::new();
    std::fs::create_dir(desk.path()).unwrap();
    assert_eq!(unknown(&desk.look().await), Some(Reason::BadConfig));
}

#[tokio::test]
async fn reading_is_bounded_and_what_was_passed_over_is_not_called_good() {
    let mut desk = Desk::new();
    desk.write("begin\n");
    desk.look().await;
    let bytes = usize::try_from(LOOK).unwrap() + 1000;
    desk.write(&"x".repeat(bytes));
    desk.write("\nERROR\n");
    let reading = desk.look().await;
    assert_eq!((unknown(&reading), reading.value), (Some(Reason::TooFewSamples), Some(1.0)));
    let memory = desk.memory.log.as_ref().unwrap();
    assert!(memory.partial.len() <= LINE);
}

#[tokio::test]
async fn what_is_ignored_does_not_count() {
    let mut desk = Desk::with(|settings| settings.ignore = Some(Regex::new("probe").unwrap()));
    desk.write("begin\n");
    desk.look().await;
    desk.write("ERROR probe\nERROR user\n");
    assert_eq!(desk.count().await, Some(1.0));
}
