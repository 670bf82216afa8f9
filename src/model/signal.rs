//! Named facts over a window, computed from readings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{CheckId, Time};
use super::judged::is_excused;
use super::rates::{blind, error_rate, held, p95};
use super::reading::{Finding, Looks, Reading, Reason, Status, Track};

/// A named fact, or why it is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// `error_rate`, `p95`, `outage` …
    pub name: String,
    /// The value.
    pub value: SignalValue,
    /// What it rests on, one line each.
    pub evidence: Vec<SafeText>,
}

/// What a signal says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalValue {
    /// A number in the signal's unit.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Not known.
    Unknown(Reason),
}

impl SignalValue {
    /// The number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Flag(_) | Self::Unknown(_) => None,
        }
    }
}

/// What the signals need to know of a check's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of the configuration")]
pub struct Role {
    /// The service it looks at.
    pub service: String,
    /// Users feel it when it fails.
    pub critical: bool,
    /// Its readings are requests of users' kind: they count for error rate and latency.
    pub counts_requests: bool,
    /// It looks at a database.
    pub database: bool,
    /// It is the corruption marker.
    pub corruption: bool,
}

/// How far back the tree and the table look, and how much they need.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Windows {
    /// The window of error rate and latency.
    pub span: Duration,
    /// Requests below which a rate is not judged.
    pub min_samples: u32,
    /// How long a response time must stay over its threshold to count as sustained.
    pub sustain: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self { span: Duration::from_secs(30), min_samples: 20, sustain: Duration::from_secs(10) }
    }
}

/// The latest readings, per check, bounded in number.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    rings: BTreeMap<CheckId, VecDeque<Reading>>,
}

/// Readings kept per check: fifteen minutes at one per second.
const KEPT: usize = 900;

impl Recent {
    /// Adds a reading, dropping the oldest beyond the bound.
    pub fn push(&mut self, reading: Reading) {
        let ring = self.rings.entry(reading.check.clone()).or_default();
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(reading);
    }

    /// The readings of `check` that began at or after `from`, oldest first.
    pub fn since(&self, check: &CheckId, from: Time) -> impl Iterator<Item = &Reading> {
        self.rings.get(check).into_iter().flatten().filter(move |reading| reading.at >= from)
    }

    /// The readings of `check`, newest first.
    pub fn newest_first(&self, check: &CheckId) -> impl Iterator<Item = &Reading> {
        self.rings.get(check).into_iter().flat_map(|ring| ring.iter().rev())
    }

    /// Whether readings of `check` after `from` were dropped already: what is counted since then
    /// is the least there was.
    pub fn is_cut(&self, check: &CheckId, from: Time) -> bool {
        let ring = self.rings.get(check).filter(|ring| ring.len() >= KEPT);
        ring.and_then(VecDeque::front).is_some_and(|oldest| oldest.at > from)
    }
}

/// Failed and all requests, and latencies, of the checks that count requests since `from`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requests {
    /// Failed ones.
    pub failed: u32,
    /// All judged ones; unknown ones are not in here.
    pub all: u32,
    /// Latencies of the successful ones, sorted.
    pub latencies: Vec<Duration>,
}

impl Requests {
    /// Adds up the readings of the counting checks since `from`.
    pub fn since(recent: &Recent, roles: &BTreeMap<CheckId, Role>, from: Time) -> Self {
        Self::sum(recent, roles, from, |_| true)
    }

    /// The same, of the readings that began at or after `from` and before `to`.
    pub fn between(recent: &Recent, roles: &BTreeMap<CheckId, Role>, from: Time, to: Time) -> Self {
        Self::sum(recent, roles, from, |at| at < to)
    }

    fn sum(
        recent: &Recent,
        roles: &BTreeMap<CheckId, Role>,
        from: Time,
        within: impl Fn(Time) -> bool,
    ) -> Self {
        let mut sum = Self::default();
        for id in counting(roles) {
            for reading in recent.since(id, from).filter(|one| within(one.at)) {
                if matches!(reading.finding, Finding::Unknown { .. }) {
                    continue;
                }
                sum.failed = sum.failed.saturating_add(reading.failed_of.0);
                sum.all = sum.all.saturating_add(reading.failed_of.1);
                sum.latencies.extend(&reading.latencies);
            }
        }
        sum.latencies.sort_unstable();
        sum
    }

    /// Failed requests in percent; nothing when there were none.
    pub fn error_rate(&self) -> Option<f64> {
        (self.all > 0).then(|| f64::from(self.failed) * 100.0 / f64::from(self.all))
    }

    /// The 95th percentile in seconds by nearest rank, a failed request counting as endless: for
    /// performance checks after a rollback (M-20, W-59).
    pub fn p95(&self) -> Option<f64> {
        let at = rank_95(self.all as usize)?;
        Some(self.latencies.get(at).map_or(f64::INFINITY, Duration::as_secs_f64))
    }

    /// The 95th percentile in seconds of the answered requests alone: for table and tree, where
    /// failed ones already count as errors (7 % of errors are MEDIUM, not slow; S-07).
    pub fn p95_answered(&self) -> Option<f64> {
        let at = rank_95(self.latencies.len())?;
        self.latencies.get(at).map(Duration::as_secs_f64)
    }
}

/// Where the 95th percentile of so many stands, by nearest rank.
fn rank_95(all: usize) -> Option<usize> {
    (all * 95).div_ceil(100).checked_sub(1)
}

/// The checks whose readings are requests of users' kind.
pub(super) fn counting(roles: &BTreeMap<CheckId, Role>) -> impl Iterator<Item = &CheckId> {
    roles.iter().filter(|(_, role)| role.counts_requests).map(|(id, _)| id)
}

/// Everything the table and the tree look at, at one moment. What no check is configured for is
/// not in it; what is configured and could not be looked at is there as unknown.
pub fn signals(
    tracks: &BTreeMap<CheckId, Track>,
    roles: &BTreeMap<CheckId, Role>,
    recent: &Recent,
    windows: Windows,
    now: Time,
) -> BTreeMap<String, Signal> {
    let span = chrono::Duration::from_std(windows.span).unwrap_or_default();
    let counted = counted(tracks, roles);
    let requests = Requests::since(recent, &counted, now - span);
    let blind = blind(tracks, roles);
    let unproven = unproven(tracks, &counted);
    let list = [
        outage(tracks, roles),
        blind.map(|reason| error_rate(&requests, windows, reason)).map(|mut signal| {
            mark(&mut signal, unproven);
            signal
        }),
        blind.map(|reason| {
            let held = held(recent, &counted, windows, now);
            p95(&requests, held, windows, reason)
        }),
        flag("database_failure", tracks, roles, |role| role.database && role.critical),
        flag("corruption", tracks, roles, |role| role.corruption),
        flag("failed_health_checks", tracks, roles, |role| {
            role.critical && !role.database && !role.corruption
        }),
        flag("minor_failure", tracks, roles, |role| !role.critical && !role.corruption),
    ];
    list.into_iter().flatten().map(|signal| (signal.name.clone(), signal)).collect()
}

/// The roles, without requests of checks that a failing parent or our own line excuses: errors
/// that are not theirs are not counted (S-04).
fn counted<'a>(
    tracks: &BTreeMap<CheckId, Track>,
    roles: &'a BTreeMap<CheckId, Role>,
) -> Cow<'a, BTreeMap<CheckId, Role>> {
    let excused = |id: &CheckId| tracks.get(id).is_some_and(is_excused);
    if !counting(roles).any(excused) {
        return Cow::Borrowed(roles);
    }
    let mut roles = roles.clone();
    for (id, role) in &mut roles {
        role.counts_requests &= !excused(id);
    }
    Cow::Owned(roles)
}

/// How few looks the errors rest on, as long as no check that counts them is proven to fail.
fn unproven(tracks: &BTreeMap<CheckId, Track>, roles: &BTreeMap<CheckId, Role>) -> Option<Looks> {
    let all: Vec<&Track> = counting(roles).filter_map(|id| tracks.get(id)).collect();
    if all.iter().any(|track| track.own() == Status::Fail) {
        return None;
    }
    all.iter().filter(|track| track.bad > 0).filter_map(|track| track.looks).max_by_key(|l| l.seen)
}

/// Writes behind the evidence how few looks it rests on.
fn mark(signal: &mut Signal, looks: Option<Looks>) {
    if let (Some(looks), Some(first)) = (looks, signal.evidence.first_mut()) {
        *first = SafeText::new(&format!("{first} ({})", looks.words()));
    }
}

/// `complete` 2, `partial` 1, none 0: how many of the services that users feel answer nothing
/// good. A database is not one of them: users feel it through the services.
fn outage(tracks: &BTreeMap<CheckId, Track>, roles: &BTreeMap<CheckId, Role>) -> Option<Signal> {
    let felt = |role: &Role| role.critical && !role.corruption && !role.database;
    // Where requests are counted, a port that merely answers is no service to users.
    let counted: BTreeSet<&str> = roles
        .values()
        .filter(|role| felt(role) && role.counts_requests)
        .map(|role| role.service.as_str())
        .collect();
    let serves = |role: &Role| counted.is_empty() || counted.contains(role.service.as_str());
    let mut services: BTreeMap<&str, (bool, Option<Reason>)> = BTreeMap::new();
    let mut evidence = Vec::new();
    for (id, role) in roles.iter().filter(|(_, role)| felt(role) && serves(role)) {
        let (alive, unknown) = services.entry(&role.service).or_default();
        let Some(track) = tracks.get(id) else {
            *unknown = Some(Reason::NeverRan);
            continue;
        };
        match track.status {
            Status::Ok | Status::Warn => *alive = true,
            // It fails by the errors of its window, and still serves some.
            Status::Fail if track.own() != Status::Fail => *alive = true,
            Status::Fail => evidence.push(line(id, track)),
            // It fails by its own readings too: whose fault it is changes nothing for users.
            Status::Unknown
                if track.reason == Some(Reason::ParentFailing) && track.own() == Status::Fail =>
            {
                evidence.push(SafeText::new(&format!("{} (a parent fails)", line(id, track))));
            }
            Status::Unknown => *unknown = track.reason.or(Some(Reason::NeverRan)),
        }
        if track.bad > 0 && track.status == Status::Warn && track.looks.is_some() {
            evidence.push(line(id, track));
        }
    }
    if services.is_empty() {
        return None;
    }
    let down = services.values().filter(|(alive, unknown)| !alive && unknown.is_none()).count();
    let any_alive = services.values().any(|(alive, _)| *alive);
    let open = services.values().find_map(|(_, unknown)| *unknown);
    // One that answers proves that not all are down; without one, an unknown one leaves it open.
    let value = match open {
        Some(reason) if !any_alive => SignalValue::Unknown(reason),
        Some(_) | None if down == services.len() => SignalValue::Number(2.0),
        Some(_) | None if down > 0 => SignalValue::Number(1.0),
        Some(_) | None => SignalValue::Number(0.0),
    };
    evidence.push(SafeText::new(&format!("{down} of {} services down", services.len())));
    Some(Signal { name: "outage".into(), value, evidence })
}

/// Yes when a check of the chosen role failed for good; no only when all were looked at and none
/// did; nothing when no check has that role.
fn flag(
    name: &str,
    tracks: &BTreeMap<CheckId, Track>,
    roles: &BTreeMap<CheckId, Role>,
    chosen: impl Fn(&Role) -> bool,
) -> Option<Signal> {
    let mut evidence = Vec::new();
    let (mut any, mut failed, mut unknown) = (false, false, None);
    for (id, _) in roles.iter().filter(|(_, role)| chosen(role)) {
        any = true;
        let Some(track) = tracks.get(id) else {
            unknown = Some(Reason::NeverRan);
            continue;
        };
        match track.status {
            Status::Fail => {
                failed = true;
                evidence.push(line(id, track));
            }
            Status::Warn if track.bad > 0 && track.looks.is_some() => {
                evidence.push(line(id, track));
            }
            Status::Ok | Status::Warn => {}
            Status::Unknown => unknown = track.reason.or(Some(Reason::NeverRan)),
        }
    }
    let value = match (failed, unknown) {
        (true, _) => SignalValue::Flag(true),
        (false, Some(reason)) => SignalValue::Unknown(reason),
        (false, None) => SignalValue::Flag(false),
    };
    any.then(|| Signal { name: name.into(), value, evidence })
}

fn line(id: &CheckId, track: &Track) -> SafeText {
    let note = track.last.as_ref().map(|reading| reading.note.as_str()).unwrap_or_default();
    let looks = track.looks.map_or_else(String::new, |looks| format!(" ({})", looks.words()));
    SafeText::new(&format!("{id} {note}{looks}"))
}

#[cfg(test)]
mod tests;
