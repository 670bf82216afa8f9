//! `push`: what another program said last of itself, a nightly job or a pipeline. It says it with
//! `backout check post` or with a POST to `/checks/ID`; both leave one small file, which a look
//! reads. One that falls silent has failed: that is what such a check is for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::adapters::replace::replace;
use crate::adapters::{Error, Kind};
use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Finding, Reason, Status, WhyClass};
use crate::model::verdict::clock;

use super::seen::{Seen, bad, warn};
use super::threshold::Thresholds;
use super::{CheckKind, CheckSpec, ProbeCx};

/// The most that is kept of what was said, in bytes.
const MOST: u64 = 16 * 1024;

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The folder with what each said last.
    pub dir: PathBuf,
    /// How long it may be silent.
    pub max_age: Duration,
    /// Thresholds on the value that it says.
    pub thresholds: Thresholds,
}

/// What is said, as it is posted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// How it is.
    pub status: Status,
    /// A number, for the thresholds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// A few words for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    at: Time,
    said: Said,
}

/// Those of this kind that are asked, by name.
pub fn of(checks: &[CheckSpec]) -> Vec<(CheckId, Settings)> {
    let pushed = checks.iter().filter(|spec| spec.enabled).filter_map(|spec| match &spec.kind {
        CheckKind::Push(settings) => Some((spec.id.clone(), settings.clone())),
        _ => None,
    });
    pushed.collect()
}

/// Where it is kept: what a check is called is a name for a file too.
fn file(dir: &Path, check: &CheckId) -> PathBuf {
    dir.join(format!("{check}.json"))
}

impl Settings {
    /// Keeps what `check` says of itself at `now`, in place of what it said before.
    pub async fn keep(&self, check: &CheckId, said: Said, now: Time) -> Result<(), Error> {
        let kept = serde_json::to_vec(&Kept { at: now, said })
            .map_err(|e| Error::new(Kind::Local, format!("could not write {check}: {e}")))?;
        if kept.len() as u64 > MOST {
            let message = format!("could not keep what {check} says: more than {MOST} bytes");
            return Err(Error::new(Kind::Rejected, message));
        }
        let (dir, file) = (self.dir.clone(), file(&self.dir, check));
        let written = move || {
            std::fs::create_dir_all(&dir).map_err(|e| Error::io("make", dir.display(), &e))?;
            replace(&file, &kept)
        };
        let ended = tokio::task::spawn_blocking(written).await;
        ended.map_err(|e| Error::new(Kind::Local, format!("could not keep it: {e}")))?
    }

    /// Looks once.
    pub async fn probe(&self, check: &CheckId, cx: &ProbeCx) -> Seen {
        let path = file(&self.dir, check);
        let bytes = match tokio::fs::read(&path).await {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Seen::unknown(Reason::NoData, "nothing was said yet");
            }
            Err(e) => {
                let text = format!("could not read {}: {e}", path.display());
                return Seen::unknown(Reason::NoPermission, &text);
            }
        };
        let Ok(Kept { at, said }) = serde_json::from_slice(&bytes) else {
            let text = format!("{} holds nothing that was posted", path.display());
            return Seen::unknown(Reason::NoData, &text);
        };
        let age = (cx.clock.now() - at).to_std().unwrap_or_default();
        let seen = if age > self.max_age {
            let (age, limit) = (clock(age), clock(self.max_age));
            let text = format!("silent for {age}, at most {limit}; it said: {}", words(&said));
            Seen::bad(WhyClass::TimedOut, "silent", &text)
        } else {
            self.judge(&said)
        };
        let seen = seen.with_fact(&format!("said {} at {}", words(&said), at.format("%F %T UTC")));
        match said.value {
            Some(value) => seen.with_value(value, ""),
            None => seen,
        }
    }

    fn judge(&self, said: &Said) -> Seen {
        let words = words(said);
        match (said.status, said.value) {
            (Status::Unknown, _) => Seen::unknown(Reason::NoData, &words),
            (Status::Fail, _) => Seen::new(bad(WhyClass::Content, &words), &words),
            (Status::Warn | Status::Ok, Some(value)) if !value.is_finite() => {
                Seen::unknown(Reason::NoData, "it said no finite number")
            }
            (Status::Warn | Status::Ok, value) => {
                let judged = value.filter(|_| self.thresholds.any());
                let judged = judged.map_or(Finding::Good, |n| self.thresholds.judge(n, ""));
                match (judged, said.status) {
                    (Finding::Good, Status::Warn) => {
                        Seen::new(warn(WhyClass::Content, &words), &words)
                    }
                    (judged, _) => Seen::new(judged, &words),
                }
            }
        }
    }
}

fn words(said: &Said) -> String {
    let status = said.status.words();
    if said.note.is_empty() { status.to_owned() } else { format!("{status}: {}", said.note) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::threshold::Range;
    use crate::checks::{fixture, probe};
    use crate::clock::Clock;
    use crate::model::reading::Reading;

    fn said(status: Status, value: Option<f64>) -> Said {
        Said { status, value, note: "412 rows".to_owned() }
    }

    async fn see(settings: &Settings, clock: Clock) -> Reading {
        let kind = CheckKind::Push(settings.clone());
        let spec = fixture::spec(kind, Duration::from_secs(2));
        probe(&spec, &ProbeCx { clock, ..fixture::cx() }).await
    }

    #[tokio::test]
    async fn what_was_said_last_counts_until_it_falls_silent() {
        let dir = tempfile::tempdir().unwrap();
        let critical = Some(Range::From(500.0));
        let settings = Settings {
            dir: dir.path().join("posted"),
            max_age: Duration::from_hours(25),
            thresholds: Thresholds { warning: None, critical },
        };
        let clock = Clock::manual(fixture::cx().clock.now());
        let check = fixture::spec(CheckKind::Push(settings.clone()), Duration::from_secs(2)).id;
        let unknown = Finding::Unknown { reason: Reason::NoData };
        assert_eq!(see(&settings, clock.clone()).await.finding, unknown, "nothing yet");
        let say = async |what: Said| {
            settings.keep(&check, what, clock.now()).await.unwrap();
            see(&settings, clock.clone()).await
        };
        let good = say(said(Status::Ok, Some(412.0))).await;
        assert_eq!((good.finding, good.note.as_str()), (Finding::Good, "ok: 412 rows"));
        assert_eq!(good.value, Some(412.0));
        assert!(matches!(say(said(Status::Warn, None)).await.finding, Finding::Warn { .. }));
        assert!(matches!(say(said(Status::Fail, None)).await.finding, Finding::Bad { .. }));
        assert_eq!(say(said(Status::Unknown, None)).await.finding, unknown);
        let much = say(said(Status::Ok, Some(500.0))).await;
        assert!(matches!(&much.finding, Finding::Bad { why } if why.class == WhyClass::Threshold));

        say(said(Status::Ok, None)).await;
        let later = Clock::manual(clock.now() + chrono::Duration::hours(26));
        let silent = see(&settings, later).await;
        let Finding::Bad { why } = &silent.finding else { panic!("{silent:?}") };
        assert_eq!(why.class, WhyClass::TimedOut);
        assert!(why.text.as_str().contains("it said: ok: 412 rows"), "{why:?}");
        std::fs::write(file(&settings.dir, &check), "rubbish").unwrap();
        assert_eq!(see(&settings, clock.clone()).await.finding, unknown);
    }
}
