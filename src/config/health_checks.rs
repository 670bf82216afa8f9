//! `health_checks`: from entries to checks.

use std::time::Duration;

use crate::checks::threshold::{Clear, Range};
use crate::checks::{CheckKind, CheckSpec};
use crate::model::reading::{FailWindow, Policy};
use crate::model::signal::{Role, Windows};

use super::container_kind::Defaults;
use super::judging::{self, Beside, Judging};
use super::kinds::{self, Unnamed};
use super::raw::{self, RawCheck};
use super::take::{Desk, Item, Table};
use super::{objectives, remote_kinds, unused};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// A check that is finished but for what depends on the others.
struct Built {
    spec: CheckSpec,
    counts_requests: Option<bool>,
    beside: Beside,
}

/// Reads the list. `every` is the interval of checks that name none, `defaults` is what else
/// they leave out.
pub(super) fn checks(
    desk: &Desk<'_>,
    items: Vec<Item<'_>>,
    every: Duration,
    defaults: &Defaults<'_>,
) -> (Vec<CheckSpec>, Judging) {
    let raw = raw::entries(items);
    let built: Vec<Built> = raw.iter().filter_map(|raw| one(desk, raw, every, defaults)).collect();
    let (specs, beside) = count_requests(built);
    note_timeouts(desk, &specs);
    let bearings = judging::bearings(desk, &specs, &beside);
    let objectives = objectives::objectives(&specs, &beside);
    (specs, Judging { bearings, objectives, ..Judging::default() })
}

fn one(desk: &Desk<'_>, raw: &RawCheck, every: Duration, defaults: &Defaults<'_>) -> Option<Built> {
    let item = raw.item(desk);
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
    let beside = judging::beside(&mut table);
    let phases = phases(&mut table);
    let enabled = table.truth("enabled").unwrap_or(true);
    let attempts = table.count("attempts", 1, 5).unwrap_or(1);
    let kind = kinds::kind(&mut table, defaults);
    let clear = clear(&mut table, kind.as_ref().ok().and_then(Option::as_ref));
    table.later(&unused::OF_A_CHECK);
    if !matches!(kind, Err(Unnamed)) {
        // Which keys an unknown kind has is not known.
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
            live: enabled && (phases.is_empty() || phases.iter().any(|phase| phase == "live")),
            phases: if enabled { phases } else { Vec::new() },
            enabled,
            attempts,
            clear,
            kind,
        },
        counts_requests,
        beside,
    })
}

fn policy(table: &mut Table<'_>, interval: Duration, timeout: Duration) -> Policy {
    let fail = either(table, "consecutive_failures_for_critical", "fail_after");
    let ok = either(table, "consecutive_successes_for_ok", "ok_after");
    let fail_window = table.table("fail_window").and_then(|mut window| {
        let failures = window.need("failures").and_then(|n| n.count(1, 64));
        let of = window.take("of").and_then(|n| n.count(1, 64));
        let minutes = window.take("minutes");
        let span = minutes.as_ref().and_then(|n| n.count(1, 1440));
        let (path, at) = (window.path.clone(), window.at);
        let (has_of, has_minutes) = (window.has("of"), window.has("minutes"));
        window.finish();
        if has_of == has_minutes {
            let message = if has_of { "says both of and minutes" } else { "of is missing" };
            let hint = "write {failures: 3, of: 5}, or {failures: 3, minutes: 5}".to_owned();
            table.desk.problem(at, &path, message, Some(hint));
            return None;
        }
        let failures = failures?;
        if let Some(minutes) = span {
            let span = Duration::from_mins(minutes.into());
            return Some(FailWindow::Within { failures, span });
        }
        let of = of?;
        if failures > of {
            let message = format!("{failures} failures of {of} can never be");
            table.desk.problem(at, &path, &message, None);
            return None;
        }
        Some(FailWindow::Of { failures, of })
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

/// `clear_below`, or `clear_above` where smaller is worse: the value that ends an alarm.
fn clear(table: &mut Table<'_>, kind: Option<&CheckKind>) -> Option<Clear> {
    let (below, above) = (table.take("clear_below"), table.take("clear_above"));
    let item = below.as_ref().or(above.as_ref())?;
    if let (Some(_), Some(second)) = (&below, &above) {
        second.wrong_with("ends the alarm a second time", "keep clear_below or clear_above");
        return None;
    }
    let value = match kind? {
        CheckKind::Prometheus(settings) => remote_kinds::measured(item, settings.unit),
        _ => item.number(),
    }?;
    let thresholds = kind?.thresholds();
    // The milder of the two: an alarm begins there.
    let begins = thresholds.and_then(|both| both.warning.or(both.critical));
    match (begins, above.is_some()) {
        (Some(Range::From(low)), false) if value <= low => Some(Clear::Below(value)),
        (Some(Range::UpTo(high)), true) if value >= high => Some(Clear::Above(value)),
        (Some(Range::From(low)), false) => {
            item.wrong(&format!("{value} lies above {low}, where the alarm begins"));
            None
        }
        (Some(Range::UpTo(high)), true) => {
            item.wrong(&format!("{value} lies below {high}, where the alarm begins"));
            None
        }
        (Some(Range::From(_)), true) => {
            item.wrong_with("smaller is not worse here", "write clear_below");
            None
        }
        (Some(Range::UpTo(_)), false) => {
            item.wrong_with("smaller is worse here", "write clear_above");
            None
        }
        (Some(Range::Outside(..) | Range::Inside(..)), _) => {
            item.wrong("goes with a threshold that is a number, not a range");
            None
        }
        (None, _) => {
            item.wrong("ends no alarm: this check has no threshold on its value");
            None
        }
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
fn count_requests(built: Vec<Built>) -> (Vec<CheckSpec>, Vec<Beside>) {
    let requests = |spec: &CheckSpec| match &spec.kind {
        CheckKind::HttpResponse(http) if spec.live => http.requests,
        _ => 0,
    };
    let bursts = built.iter().any(|check| requests(&check.spec) > 1);
    let least = if bursts { 2 } else { 1 };
    built
        .into_iter()
        .map(|check| {
            let default = requests(&check.spec) >= least;
            let mut spec = check.spec;
            spec.role.counts_requests = check.counts_requests.unwrap_or(default);
            (spec, check.beside)
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
        .map(|spec| {
            let requests = match &spec.kind {
                CheckKind::HttpResponse(http) => http.requests,
                _ => 1,
            };
            f64::from(requests) / spec.interval.as_secs_f64()
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
