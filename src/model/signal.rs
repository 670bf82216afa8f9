//! Named facts over a window, computed from readings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{CheckId, Time};
use super::joined::joined;
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

    /// The readings of `check` that began at or after `from`, oldest first. Of one check they come
    /// in their order, so that only these are looked at, and not a quarter of an hour of them.
    pub fn since(&self, check: &CheckId, from: Time) -> impl Iterator<Item = &Reading> {
        self.rings.get(check).into_iter().flat_map(move |ring| newest(ring, from))
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

fn newest(ring: &VecDeque<Reading>, from: Time) -> impl Iterator<Item = &Reading> {
    let older = ring.iter().rposition(|reading| reading.at < from);
    ring.range(older.map_or(0, |at| at + 1)..)
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
        Self::between(recent, roles, from, Time::MAX_UTC)
    }

    /// The same, of the readings that began at or after `from` and before `to`.
    pub fn between(recent: &Recent, roles: &BTreeMap<CheckId, Role>, from: Time, to: Time) -> Self {
        let counting = joined(roles, &recent.rings).filter(|(_, role, _)| role.counts_requests);
        let mut sum = Self::default();
        for reading in counting.filter_map(|(.., ring)| ring).flat_map(|ring| newest(ring, from)) {
            if reading.at < to && !matches!(reading.finding, Finding::Unknown { .. }) {
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

/// The checks of which more than `percent` of their own requests since `from` failed, of at least
/// `least`.
pub(super) fn failing<'a>(
    recent: &'a Recent,
    roles: &'a BTreeMap<CheckId, Role>,
    from: Time,
    (percent, least): (f64, u32),
) -> BTreeSet<&'a CheckId> {
    let counting = joined(roles, &recent.rings).filter(|(_, role, _)| role.counts_requests);
    let fails = |ring: &VecDeque<Reading>| {
        let judged = newest(ring, from)
            .filter(|reading| !matches!(reading.finding, Finding::Unknown { .. }))
            .map(|reading| reading.failed_of);
        let (failed, all) = judged.fold((0_u32, 0_u32), |(failed, all), one| {
            (failed.saturating_add(one.0), all.saturating_add(one.1))
        });
        all >= least.max(1) && f64::from(failed) * 100.0 / f64::from(all) > percent
    };
    counting.filter(|(.., ring)| ring.is_some_and(fails)).map(|(id, ..)| id).collect()
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
    let mut found = joined(roles, tracks).filter(|(_, role, _)| role.counts_requests);
    if !found.any(|(.., track)| track.is_some_and(is_excused)) {
        return Cow::Borrowed(roles);
    }
    let mut roles = roles.clone();
    for (_, role, track) in joined(roles.iter_mut(), tracks) {
        role.counts_requests &= !track.is_some_and(is_excused);
    }
    Cow::Owned(roles)
}

/// How few looks the errors rest on, as long as no check that counts them is proven to fail.
fn unproven(tracks: &BTreeMap<CheckId, Track>, roles: &BTreeMap<CheckId, Role>) -> Option<Looks> {
    let counting = joined(roles, tracks).filter(|(_, role, _)| role.counts_requests);
    let all: Vec<&Track> = counting.filter_map(|(.., track)| track).collect();
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
    let all = joined(roles, tracks).filter(|(_, role, _)| felt(role) && serves(role));
    for (id, role, track) in all {
        let (alive, unknown) = services.entry(&role.service).or_default();
        let Some(track) = track else {
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
    for (id, _, track) in joined(roles, tracks).filter(|(_, role, _)| chosen(role)) {
        any = true;
        let Some(track) = track else {
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
