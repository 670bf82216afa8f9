//! `file`: a file that has to be there, or must not be; its age and size.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::ids::Time;
use crate::model::reading::{Reason, WhyClass};

use super::seen::Seen;
use super::{ProbeCx, threshold::Thresholds};

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The file, absolute.
    pub path: PathBuf,
    /// Whether it has to be there; the corruption marker must not.
    pub present: bool,
    /// Its age and size.
    pub limits: Limits,
}

/// What the age and the size of what is there may be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The oldest that it may be.
    pub max_age: Option<Duration>,
    /// The least bytes that it may have.
    pub min_bytes: Option<u64>,
    /// The most bytes that it may have.
    pub max_bytes: Option<u64>,
    /// Thresholds on its size in bytes.
    pub thresholds: Thresholds,
}

impl Settings {
    /// Looks once.
    pub async fn probe(&self, cx: &ProbeCx) -> Seen {
        let name = self.path.display();
        let found = match tokio::fs::metadata(&self.path).await {
            Ok(found) => Some((found.len(), found.modified().ok().map(Time::from))),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
            Err(e) => {
                let text = format!("could not look at {name}: {e}");
                return Seen::unknown(Reason::NoPermission, &text);
            }
        };
        let name = name.to_string();
        self.limits.judge(&name, found, self.present, cx.clock.now())
    }
}

impl Limits {
    /// Judges the bytes of what is called `name` and when it was last changed, where that is known;
    /// it is there if there are such, and `present` says whether it has to be.
    pub fn judge(
        &self,
        name: &str,
        found: Option<(u64, Option<Time>)>,
        present: bool,
        now: Time,
    ) -> Seen {
        let (bytes, changed) = match found {
            None if present => {
                return Seen::bad(WhyClass::Content, "absent", &format!("{name} is not there"));
            }
            None => return Seen::good("absent"),
            Some(_) if !present => {
                let text = format!("{name} is there, expected absent");
                return Seen::bad(WhyClass::Content, "is there", &text);
            }
            Some(found) => found,
        };
        let too = |note: &str, text: String| Seen::bad(WhyClass::Threshold, note, &text);
        let seen = 'seen: {
            if let (Some(limit), Some(changed)) = (self.max_age, changed) {
                let age = (now - changed).to_std().unwrap_or_default();
                if age > limit {
                    let (age, limit) = (age.as_secs(), limit.as_secs());
                    break 'seen too("too old", format!("{age} s old, at most {limit} s"));
                }
            }
            if let Some(least) = self.min_bytes.filter(|least| bytes < *least) {
                break 'seen too("too small", format!("{bytes} bytes, at least {least}"));
            }
            if let Some(most) = self.max_bytes.filter(|most| bytes > *most) {
                break 'seen too("too large", format!("{bytes} bytes, at most {most}"));
            }
            #[expect(clippy::cast_precision_loss, reason = "a size for a threshold")]
            let finding = self.thresholds.judge(bytes as f64, "bytes");
            Seen::new(finding, "there")
        };
        #[expect(clippy::cast_precision_loss, reason = "a size for people")]
        seen.with_value(bytes as f64, "bytes")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::checks::threshold::Range;
    use crate::checks::{CheckKind, fixture, probe};
    use crate::clock::Clock;
    use crate::model::reading::Finding;

    fn settings(path: &Path) -> Settings {
        Settings { path: path.to_owned(), present: true, limits: Limits::default() }
    }

    async fn note(settings: Settings, cx: &ProbeCx) -> (bool, String) {
        let spec = fixture::spec(CheckKind::File(settings), Duration::from_secs(2));
        let reading = probe(&spec, cx).await;
        (reading.finding == Finding::Good, reading.note.to_string())
    }

    #[tokio::test]
    async fn a_marker_that_must_not_be_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("corruption_detected");
        let absent = Settings { present: false, ..settings(&path) };
        let cx = fixture::cx();
        assert_eq!(note(absent.clone(), &cx).await, (true, "absent".into()));
        assert_eq!(note(settings(&path), &cx).await, (false, "absent".into()));
        std::fs::write(&path, "x").unwrap();
        assert_eq!(note(absent, &cx).await, (false, "is there".into()));
        assert_eq!(note(settings(&path), &cx).await, (true, "there".into()));
    }

    #[tokio::test]
    async fn age_and_size_have_limits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dump.gz");
        std::fs::write(&path, [0; 100]).unwrap();
        let cx = fixture::cx();
        let limited = |limits: Limits| Settings { limits, ..settings(&path) };
        let small = limited(Limits { min_bytes: Some(101), ..Limits::default() });
        assert_eq!(note(small, &cx).await, (false, "too small".into()));
        let large = limited(Limits { max_bytes: Some(99), ..Limits::default() });
        assert_eq!(note(large, &cx).await, (false, "too large".into()));
        let critical = Some(Range::From(100.0));
        let thresholds = Thresholds { warning: None, critical };
        assert!(!note(limited(Limits { thresholds, ..Limits::default() }), &cx).await.0);
        let hour = Some(Duration::from_hours(1));
        let aged = limited(Limits { max_age: hour, ..Limits::default() });
        assert_eq!(note(aged.clone(), &cx).await, (true, "there".into()));
        let later = Clock::manual(cx.clock.now() + chrono::Duration::hours(2));
        let cx = ProbeCx { clock: later, ..cx };
        assert_eq!(note(aged, &cx).await, (false, "too old".into()));
    }
}
