//! `check`: health, its exit codes, and the keys of P-45.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::figures::{Figures, Reached};
use crate::model::ids::{CheckId, Time};
use crate::model::live::Live;
use crate::model::mute::{Mute, Override};
use crate::model::reading::{Reading, Reason, Status};
use crate::model::severity::Severity;
use crate::model::situation::Situation;
use crate::text::SafeText;

/// How healthy it is; its number is the exit code of `check` and `status` (P-45).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Everything was looked at and is well.
    Healthy = 0,
    /// Something is not well that users hardly feel.
    Warning = 1,
    /// Something that users feel fails.
    Critical = 2,
    /// What users feel could not be looked at.
    Unknown = 3,
}

impl Health {
    /// The exit code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The health that the checks of a situation come to. Unknown is never healthy.
    pub fn of(situation: &Situation) -> Self {
        let mut health = Self::Healthy;
        let mut counted = 0;
        for (_, card) in situation.counted() {
            health = health.worse(Self::of_check(card.status, card.critical));
            counted += 1;
        }
        // With everything muted nothing is judged, and that is not healthy.
        if counted == 0 {
            return Self::Unknown;
        }
        // The checks and the assessment never say different things: what the table calls HIGH is
        // critical although every single check may only warn.
        health.worse(match situation.assessment.as_ref().map(|one| one.severity) {
            Some(Severity::High | Severity::Critical) => Self::Critical,
            Some(Severity::Low | Severity::Medium) => Self::Warning,
            Some(Severity::None) | None => Self::Healthy,
        })
    }

    fn of_check(status: Status, critical: bool) -> Self {
        match (status, critical) {
            (Status::Ok, _) => Self::Healthy,
            (Status::Fail, true) => Self::Critical,
            (Status::Unknown, true) => Self::Unknown,
            (Status::Warn, _) | (Status::Fail | Status::Unknown, false) => Self::Warning,
        }
    }

    fn worse(self, other: Self) -> Self {
        let rank = |health: Self| match health {
            Self::Healthy => 0,
            Self::Warning => 1,
            Self::Unknown => 2,
            Self::Critical => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// `check --json`: the keys of P-45, and each check beside them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Now, RFC 3339.
    pub timestamp: Time,
    /// As asked, `current` by default.
    pub deployment_id: String,
    /// `healthy`, `warning`, `critical` or `unknown`.
    pub health_status: Health,
    /// The worst of each service's checks.
    pub services: BTreeMap<String, Health>,
    /// The worst of each of the four groups (P-86).
    pub dimensions: BTreeMap<&'static str, Health>,
    /// What counts for nothing now, with its author, reason and end.
    pub muted: Vec<String>,
    /// Values that are changed for a while, with author, reason and end (W-45).
    pub changed: Vec<String>,
    /// Why our own line is in doubt.
    pub is_it_us: Option<SafeText>,
    /// Names of checks that fail.
    pub failed_checks: Vec<CheckId>,
    /// Names of checks that warn or are unknown, with why.
    pub warnings: Vec<String>,
    /// Runs in the last 24 hours.
    pub recent_rollbacks: usize,
    /// Whether `health_status` is `healthy`.
    pub system_healthy: bool,
    /// Every check.
    pub checks: Vec<CheckLine>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckLine {
    /// Its name.
    pub check: CheckId,
    /// `ok`, `warn`, `fail` or `unknown`.
    pub status: Status,
    /// Why it is unknown, from the closed list.
    pub reason: Option<Reason>,
    /// What was seen.
    pub note: SafeText,
    /// Since when it is so.
    pub since: Time,
    /// Seconds since the last look.
    pub age_seconds: Option<i64>,
    /// How long the last look took.
    pub took_ms: Option<u64>,
    /// The number that thresholds judge.
    pub value: Option<f64>,
    /// What it counts: `%`, `ms` …
    pub unit: String,
    /// What the look rests on: the query as it was sent, earlier attempts.
    pub facts: Vec<SafeText>,
    /// Switched off (`enabled: false`).
    pub off: bool,
    /// Users feel it.
    pub critical: bool,
    /// Its group (P-86).
    pub dimension: &'static str,
    /// `1 of 3 looks`, while the state is not proven.
    pub looks: Option<String>,
    /// Who left it out of the judgement, why, and until when.
    pub muted: Option<String>,
    /// Whether it changes too often to be followed.
    pub flapping: bool,
    /// The requests of the last look, errors apart; a time that was not reached is null (M-20).
    pub requests: Option<Requests>,
}

/// The requests of one look.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Requests {
    /// Sent.
    pub sent: u32,
    /// Failed.
    pub errors: u32,
    /// Average.
    pub avg_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// The slowest.
    pub max_ms: Option<f64>,
}

fn requests(reading: &Reading) -> Option<Requests> {
    let figures = Figures::of(std::iter::once(reading)).filter(|figures| figures.requests > 1)?;
    let ms = |time: Option<Reached>| match time {
        Some(Reached::Seconds(seconds)) => Some((seconds * 100_000.0).round() / 100.0),
        Some(Reached::Never) | None => None,
    };
    Some(Requests {
        sent: figures.requests,
        errors: figures.errors,
        avg_ms: ms(figures.avg),
        p95_ms: ms(figures.p95),
        max_ms: ms(figures.max),
    })
}

/// The document of `check`. `services` names the service of each check.
pub fn check(
    situation: &Situation,
    readings: &BTreeMap<CheckId, Reading>,
    services: &BTreeMap<CheckId, String>,
    live: Option<&Live>,
    (deployment, now): (&str, Time),
) -> Check {
    let health = Health::of(situation);
    let mut by_service: BTreeMap<String, Health> = BTreeMap::new();
    let mut dimensions: BTreeMap<&'static str, Health> = BTreeMap::new();
    for (id, card) in situation.counted() {
        let group = dimensions.entry(dimension(situation, id)).or_insert(Health::Healthy);
        *group = group.worse(Health::of_check(card.status, card.critical));
        let service = services.get(id).map_or(id.as_str(), String::as_str);
        let entry = by_service.entry(service.to_owned());
        let worst = entry.or_insert(Health::Healthy);
        *worst = worst.worse(Health::of_check(card.status, card.critical));
    }
    let checks = lines(situation, readings, live, now);
    let judging = &situation.judging;
    Check {
        dimensions,
        muted: judging.mutes.iter().map(Mute::words).collect(),
        changed: judging.overrides.iter().map(Override::words).collect(),
        is_it_us: judging.line.as_ref().map(|doubt| doubt.why.clone()),
        timestamp: now,
        deployment_id: deployment.to_owned(),
        health_status: health,
        services: by_service,
        failed_checks: checks
            .iter()
            .filter(|line| line.status == Status::Fail && line.muted.is_none())
            .map(|line| line.check.clone())
            .collect(),
        warnings: checks.iter().filter_map(warning).collect(),
        recent_rollbacks: recent(situation, now),
        system_healthy: health == Health::Healthy,
        checks,
    }
}

fn dimension(situation: &Situation, id: &CheckId) -> &'static str {
    let declared = situation.judging.declared.get(id);
    declared.map(|declared| declared.dimension).unwrap_or_default().words()
}

fn warning(line: &CheckLine) -> Option<String> {
    if line.off {
        return None;
    }
    if let Some(muted) = &line.muted {
        let bad = line.status != Status::Ok;
        return bad.then(|| format!("{}: {}, muted: {muted}", line.check, line.status.words()));
    }
    match line.status {
        Status::Ok | Status::Fail => None,
        Status::Warn => Some(format!("{}: {}", line.check, line.note)),
        Status::Unknown => {
            let why = line.reason.map_or("not known", Reason::words);
            Some(format!("{}: unknown ({why})", line.check))
        }
    }
}

fn recent(situation: &Situation, now: Time) -> usize {
    let day = chrono::Duration::hours(24);
    let runs = situation.history.iter();
    runs.filter(|past| now - past.ended.at <= day).count()
}

/// Every check, worst first.
pub fn lines(
    situation: &Situation,
    readings: &BTreeMap<CheckId, Reading>,
    live: Option<&Live>,
    now: Time,
) -> Vec<CheckLine> {
    let mut lines: Vec<CheckLine> = situation
        .checks
        .iter()
        .map(|(id, card)| {
            // What was read before it was switched off says nothing any more.
            let reading = readings.get(id).filter(|_| !card.off());
            CheckLine {
                check: id.clone(),
                status: card.status,
                reason: card.reason,
                note: reading.map_or_else(|| card.note.clone(), |last| last.note.clone()),
                since: card.since,
                age_seconds: reading.map(|last| (now - last.at).num_seconds().max(0)),
                took_ms: reading.and_then(|last| u64::try_from(last.took.as_millis()).ok()),
                value: reading.and_then(|last| last.value),
                unit: reading.map_or_else(String::new, |last| last.unit.clone()),
                facts: reading.map_or_else(Vec::new, |last| last.facts.clone()),
                off: card.off(),
                critical: card.critical,
                dimension: dimension(situation, id),
                looks: live.and_then(|live| live.looks.get(id)).map(|looks| looks.words()),
                muted: situation.muted(id).map(Mute::words),
                flapping: situation.judging.flapping.contains(id),
                requests: reading.and_then(requests),
            }
        })
        .collect();
    lines.sort_by_key(|line| match line.status {
        _ if line.off || line.muted.is_some() => (4, false),
        Status::Fail => (0, !line.critical),
        Status::Unknown => (1, !line.critical),
        Status::Warn => (2, !line.critical),
        Status::Ok => (3, false),
    });
    lines
}

/// The error form of P-45, exit code 3.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failed {
    /// Now.
    pub timestamp: Time,
    /// What went wrong.
    pub error: String,
    /// Always `error`.
    pub status: &'static str,
}

/// The document of a command that could not do its work.
pub fn failed(error: &str, now: Time) -> Failed {
    Failed { timestamp: now, error: error.to_owned(), status: "error" }
}
