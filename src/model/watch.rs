//! The watch window after a rollback, and the verdict on it (S-57).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::figures::Reached;
use super::ids::{CheckId, Time};
use super::reading::{Finding, Status, Track};
use super::signal::{Recent, Requests, Role};

/// The verdict on a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is good and stayed good for the whole window.
    Stable,
    /// It is worse than before.
    Worse,
    /// What failed before still fails: it is no better, or not better enough to be good.
    NoEffect,
    /// Too little was seen to say.
    CannotTell,
}

impl Verdict {
    /// As the screen shows it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Stable => "STABLE",
            Self::Worse => "WORSE",
            Self::NoEffect => "NO EFFECT",
            Self::CannotTell => "CANNOT TELL",
        }
    }
}

/// What is held against what: the numbers before the rollback and since the window opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How much of the window counted: time without fresh data does not.
    pub counted: Duration,
    /// Errors in percent before the rollback.
    pub before: Option<f64>,
    /// Errors in percent since the window opened.
    pub now: Option<f64>,
    /// 95th percentile of the answered requests in seconds since the window opened.
    pub p95: Option<f64>,
    /// Critical checks that fail now.
    pub failing: Vec<CheckId>,
    /// Critical checks that are not known now.
    pub unknown: Vec<CheckId>,
    /// What would be said if the window ended now.
    pub verdict: Verdict,
}

impl Progress {
    /// `errors 14.2 % before, 0.3 % since; p95 0.2 s; db fails`: all that the verdict rests on.
    pub fn words(&self) -> String {
        let rate =
            |rate: Option<f64>| rate.map_or_else(|| "?".to_owned(), |rate| format!("{rate:.1} %"));
        let mut words =
            vec![format!("errors {} before, {} since", rate(self.before), rate(self.now))];
        words.extend(self.p95.map(|p95| format!("p95 {}", Reached::Seconds(p95).words())));
        for (checks, is) in [(&self.failing, "fails"), (&self.unknown, "is unknown")] {
            let Some(first) = checks.first() else { continue };
            let others = checks.len() - 1;
            let others = if others > 0 { format!(" +{others}") } else { String::new() };
            words.push(format!("{first}{others} {is}"));
        }
        words.join("; ")
    }
}

/// A gap between two readings that is longer than this was blind time and counts nothing; half as
/// long again as the slowest documented rhythm (S-57: status every 10 s).
const GAP: Duration = Duration::from_secs(15);

/// Response times from here on are not good (the MEDIUM edge of S-07), in seconds.
const SLOW: f64 = 2.0;

/// Judges the window that opened at `opened` for a run that was approved at `approved`.
pub fn judge(
    tracks: &BTreeMap<CheckId, Track>,
    roles: &BTreeMap<CheckId, Role>,
    recent: &Recent,
    (approved, opened, now): (Time, Time, Time),
) -> Progress {
    let minute_before = approved - chrono::Duration::seconds(60);
    let before = Requests::between(recent, roles, minute_before, approved);
    let since = Requests::since(recent, roles, opened);
    let standing = |id: &CheckId| tracks.get(id).map_or(Status::Unknown, |track| track.status);
    let critical = |status: Status| {
        roles
            .iter()
            .filter(|(id, role)| role.critical && standing(id) == status)
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>()
    };
    let (failing, unknown) = (critical(Status::Fail), critical(Status::Unknown));
    let (rate, p95) = (since.error_rate(), since.p95_answered());
    let elapsed = (now - opened).to_std().unwrap_or_default();
    let good = failing.is_empty()
        && rate.is_some_and(|rate| rate < 1.0)
        && p95.is_none_or(|p95| p95 < SLOW);
    let verdict = match rate {
        None => Verdict::CannotTell,
        Some(_) if good && (!unknown.is_empty() || since.all < needed(elapsed)) => {
            Verdict::CannotTell
        }
        Some(_) if good => Verdict::Stable,
        Some(rate) if worse((before.error_rate(), rate), (before.p95_answered(), p95)) => {
            Verdict::Worse
        }
        // Whatever it was before: nobody rolls back from a good state, and this is not good.
        Some(_) => Verdict::NoEffect,
    };
    Progress {
        counted: fresh_time(recent, roles, opened),
        before: before.error_rate(),
        now: rate,
        p95,
        failing,
        unknown,
        verdict,
    }
}

/// Whether the window is over: it counted its whole length, or it was blind for so long that it
/// never will (three times its length and a minute), which the verdict then says.
pub fn is_over(counted: Duration, window: Duration, opened: Time, now: Time) -> bool {
    let elapsed = (now - opened).to_std().unwrap_or_default();
    counted >= window || elapsed >= window * 3 + Duration::from_mins(1)
}

/// Requests below which a good window is not believed: 10, in a short window one per 3 s.
fn needed(elapsed: Duration) -> u32 {
    u32::try_from(elapsed.as_secs() / 3).unwrap_or(u32::MAX).clamp(3, 10)
}

/// More than a percent more errors, or half as slow again and slow at all.
fn worse(
    (rate_before, rate): (Option<f64>, f64),
    (p95_before, p95): (Option<f64>, Option<f64>),
) -> bool {
    rate_before.is_some_and(|before| rate > before + 1.0)
        || matches!((p95_before, p95), (Some(before), Some(p95)) if p95 >= SLOW && p95 > before * 1.5)
}

/// Adds up the gaps between judged readings, leaving out those longer than [`GAP`]. Time after
/// the last reading does not count yet: a window ends on a reading, never on silence.
fn fresh_time(recent: &Recent, roles: &BTreeMap<CheckId, Role>, opened: Time) -> Duration {
    let mut moments: Vec<Time> = roles
        .iter()
        .filter(|(_, role)| role.counts_requests)
        .flat_map(|(id, _)| recent.since(id, opened))
        .filter(|reading| !matches!(reading.finding, Finding::Unknown { .. }))
        .map(|reading| reading.at)
        .collect();
    moments.sort_unstable();
    let mut last = opened;
    let mut counted = Duration::ZERO;
    for at in moments {
        let gap = (at - last).to_std().unwrap_or_default();
        if gap <= GAP {
            counted += gap;
        }
        last = at;
    }
    counted
}

#[cfg(test)]
mod tests;
