//! `health_checks`: from entries to checks.

use std::time::Duration;

use crate::checks::{CheckKind, CheckSpec};
use crate::model::reading::Policy;
use crate::model::signal::{Role, Windows};

use super::check::{Desk, Item, Table};
use super::kinds::{self, Unnamed};
use super::raw::{self, RawCheck};
use super::unused;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// A check that is finished but for what depends on the others.
struct Built {
    spec: CheckSpec,
    counts_requests: Option<bool>,
}

/// Reads the list. `every` is the interval of checks that name none.
pub(super) fn checks(desk: &Desk<'_>, items: Vec<Item<'_>>, every: Duration) -> Vec<CheckSpec> {
    let raw = raw::entries(items);
    let built: Vec<Built> = raw.iter().filter_map(|raw| one(desk, raw, every)).collect();
    let specs = count_requests(built);
    note_timeouts(desk, &specs);
    specs
}

fn one(desk: &Desk<'_>, raw: &RawCheck, every: Duration) -> Option<Built> {
    let item = Item { desk, path: raw.path.clone(), node: &raw.node };
    let mut table = item.table()?;
    table.take("check_id");
    let name = table.text("name").unwrap_or_else(|| raw.id.clone());
    let service = table.text("service").unwrap_or_else(|| raw.id.clone());
    let given = table.span("interval", MILLISECOND * 100, DAY);
    let interval = given.unwrap_or(every);
    let fast = table.span("fast_interval", MILLISECOND * 100, DAY);
    let timeout = table.span("timeout", MILLISECOND * 10, Duration::from_mins(10));
    let timeout = timeout.unwrap_or(SECOND * 10);
    let policy = policy(&mut table, interval, timeout);
    let critical = table.truth("critical").unwrap_or(true);
    let counts_requests = table.truth("counts_requests");
    let corruption = table.truth("corruption");
    let phases = phases(&mut table);
    let kind = kinds::kind(&mut table);
    table.later(&unused::OF_A_CHECK);
    if !matches!(kind, Err(Unnamed) | Ok(Some(CheckKind::Later { .. }))) {
        // Which keys an unknown kind has, or one that comes later, is not known.
        table.finish();
    }
    let kind = kind.ok()??;
    let marker = matches!(&kind, CheckKind::File(file) if !file.present
        && (raw.id.contains("corrupt") || file.path.to_string_lossy().contains("corrupt")));
    let role = Role {
        service,
        critical,
        counts_requests: false,
        database: matches!(kind, CheckKind::DatabaseConnection(_)),
        corruption: corruption.unwrap_or(marker),
    };
    Some(Built {
        spec: CheckSpec {
            id: raw.id.as_str().into(),
            name,
            interval,
            fast_interval: fast.unwrap_or_else(|| interval.min(SECOND * 5)),
            timeout,
            policy,
            role,
            live: phases.is_empty() || phases.iter().any(|phase| phase == "live"),
            phases,
            kind,
        },
        counts_requests,
    })
}

fn policy(table: &mut Table<'_>, interval: Duration, timeout: Duration) -> Policy {
    let fail = either(table, "consecutive_failures_for_critical", "fail_after");
    let ok = either(table, "consecutive_successes_for_ok", "ok_after");
    let fail_window = table.table("fail_window").and_then(|mut window| {
        let failures = window.need("failures").and_then(|n| n.count(1, 64));
        let of = window.take("of").and_then(|n| n.count(1, 64));
        window.later(&["minutes"]);
        let (path, at) = (window.path.clone(), window.at);
        window.finish();
        let (failures, of) = (failures?, of?);
        if failures > of {
            let message = format!("{failures} failures of {of} can never be");
            table.desk.problem(at, &path, &message, None);
            return None;
        }
        Some((failures, of))
    });
    // A check that looks each second is old long before half a minute has passed.
    let least = if interval < SECOND * 5 { SECOND * 10 } else { SECOND * 30 };
    let default = least.max(interval * 2 + timeout);
    Policy {
        fail_after: fail.unwrap_or(3),
        ok_after: ok.unwrap_or(2),
        fail_window,
        stale_after: table.span("stale_after", SECOND, DAY).unwrap_or(default),
    }
}

/// A key of the documents or our shorter name for it.
fn either(table: &mut Table<'_>, long: &str, short: &str) -> Option<u32> {
    let first = table.count(long, 1, 64);
    let Some(second) = table.take(short) else {
        return first;
    };
    if table.has(long) {
        second.wrong_with(&format!("says again what {long} says"), "keep one of them");
        return None;
    }
    second.count(1, 64)
}

/// The phases of `role:` (health.md §4).
const PHASES: [&str; 7] = [
    "live",
    "preflight",
    "gate",
    "wait_for_health",
    "watch",
    "validate_quick",
    "validate_thorough",
];

fn phases(table: &mut Table<'_>) -> Vec<String> {
    let Some(items) = table.take("role").and_then(|item| item.one_or_list()) else {
        return Vec::new();
    };
    let mut phases = Vec::new();
    for item in items {
        let Some(phase) = item.text() else { continue };
        if PHASES.contains(&phase.as_str()) {
            phases.push(phase);
        } else {
            let hint = match super::did_you_mean(&phase, PHASES) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("it is one of {}", PHASES.join(", ")),
            };
            item.wrong_with(&format!("{phase:?} is not a role"), hint);
        }
    }
    phases
}

/// Which checks stand for requests of users: those that say so; else those that send bursts; else,
/// in a file without bursts, every live HTTP check. A lone look at `/health` beside a burst would
/// only thin out the error rate.
fn count_requests(built: Vec<Built>) -> Vec<CheckSpec> {
    let requests = |spec: &CheckSpec| match &spec.kind {
        CheckKind::HttpResponse(http) if spec.live => http.requests,
        CheckKind::HttpResponse(_)
        | CheckKind::Tcp(_)
        | CheckKind::File(_)
        | CheckKind::Custom(_)
        | CheckKind::DatabaseConnection(_)
        | CheckKind::Later { .. } => 0,
    };
    let bursts = built.iter().any(|check| requests(&check.spec) > 1);
    let least = if bursts { 2 } else { 1 };
    built
        .into_iter()
        .map(|check| {
            let default = requests(&check.spec) >= least;
            let mut spec = check.spec;
            spec.role.counts_requests = check.counts_requests.unwrap_or(default);
            spec
        })
        .collect()
}

fn note_timeouts(desk: &Desk<'_>, specs: &[CheckSpec]) {
    let slow: Vec<&str> = specs
        .iter()
        .filter(|spec| spec.timeout >= spec.interval)
        .map(|spec| spec.id.as_str())
        .collect();
    if !slow.is_empty() {
        desk.note(format!(
            "the timeout is not below the interval, so a hanging target delays the next look: {}",
            slow.join(", ")
        ));
    }
}

/// Says when the configured looks are too few for the thresholds of the error rate.
pub(super) fn note_resolution(desk: &Desk<'_>, specs: &[CheckSpec], windows: &Windows) {
    let per_second: f64 = specs
        .iter()
        .filter(|spec| spec.role.counts_requests && spec.live)
        .map(|spec| match &spec.kind {
            CheckKind::HttpResponse(http) => f64::from(http.requests) / spec.interval.as_secs_f64(),
            CheckKind::Tcp(_)
            | CheckKind::File(_)
            | CheckKind::Custom(_)
            | CheckKind::DatabaseConnection(_)
            | CheckKind::Later { .. } => 1.0 / spec.interval.as_secs_f64(),
        })
        .sum();
    if per_second <= 0.0 {
        return;
    }
    let requests = (per_second * windows.span.as_secs_f64()).floor();
    if requests < f64::from(windows.min_samples) {
        desk.note(format!(
            "the error rate cannot be judged: its window of {} holds {requests} requests, {} are \
             needed; raise samples_per_run or windows.span_seconds",
            super::spans::shown_span(windows.span),
            windows.min_samples
        ));
    }
}
