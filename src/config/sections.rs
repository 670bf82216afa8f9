//! The sections of a file beside its checks.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::signal::Windows;

use super::node::Position;
use super::take::{Desk, Table};
use super::{HelpSettings, RollbackSettings};

const NONE: Duration = Duration::ZERO;
const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// `help_test: {paths: […], requests: 20}`.
pub(super) fn help_test(root: &mut Table<'_>) -> HelpSettings {
    let mut settings = HelpSettings { paths: vec!["/".to_owned()], requests: 20 };
    let Some(mut table) = root.table("help_test") else {
        return settings;
    };
    let mut paths = Vec::new();
    for item in table.list("paths") {
        match item.text() {
            Some(path) if path.starts_with('/') => paths.push(path),
            Some(path) => item.wrong_with(
                &format!("{path:?} does not begin with /"),
                "write only the path; the address is that of the color",
            ),
            None => {}
        }
    }
    if !paths.is_empty() {
        settings.paths = paths;
    }
    settings.requests = table.count("requests", 1, 200).unwrap_or(settings.requests);
    table.finish();
    settings
}

/// `fence: {file: …}` and `deploys: {file: …}`.
pub(super) fn file(root: &mut Table<'_>, key: &str) -> Option<PathBuf> {
    let mut table = root.table(key)?;
    let path = table.need("file").and_then(|item| item.path());
    table.finish();
    path
}

/// What holds where nothing is said: the documents' times and numbers.
fn documented() -> RollbackSettings {
    RollbackSettings {
        keep_failed_up: SECOND * 120,
        drain: SECOND * 30,
        gate_probes: 3,
        gate_every: SECOND * 10,
        gate_wait: SECOND * 30,
        watch_window: SECOND * 900,
        watch_every: SECOND * 10,
        stop_grace: SECOND * 30,
        health_wait: SECOND * 300,
        health_every: SECOND * 5,
        good_response: Duration::from_millis(500),
        max_workers: 4,
        parallel_operations: 1,
        connection_pool_size: 64,
        connection_timeout: SECOND * 10,
        two_person: Vec::new(),
        together: true,
    }
}

/// `rollback: {…}` and the `ROLLBACK_…` variables, which win.
pub(super) fn rollback(root: &mut Table<'_>) -> RollbackSettings {
    let mut settings = documented();
    // Document 002's own words; `rollback: {health_wait: …}` wins.
    if let Some(seconds) = root.count("health_check_timeout", 1, 86_400) {
        settings.health_wait = SECOND * seconds;
    }
    settings.together = root.truth("cross_repo_coordination").unwrap_or(settings.together);
    if let Some(mut table) = root.table("rollback") {
        let mut span = |stem: &str, low: Duration, field: &mut Duration| {
            *field = table.span(stem, low, DAY).unwrap_or(*field);
        };
        span("keep_failed_up", NONE, &mut settings.keep_failed_up);
        span("drain", NONE, &mut settings.drain);
        span("gate_every", TENTH, &mut settings.gate_every);
        span("gate_wait", SECOND, &mut settings.gate_wait);
        span("watch_window", NONE, &mut settings.watch_window);
        span("watch_every", TENTH, &mut settings.watch_every);
        span("stop_grace", NONE, &mut settings.stop_grace);
        span("health_wait", SECOND, &mut settings.health_wait);
        span("health_every", TENTH, &mut settings.health_every);
        span("good_response", Duration::from_millis(1), &mut settings.good_response);
        let probes = table.count("gate_probes", 1, 100);
        settings.gate_probes = probes.unwrap_or(settings.gate_probes);
        if let Some(workers) = table.count("max_workers", 1, 64) {
            settings.max_workers = workers as usize;
        }
        if let Some(count) = table.count("parallel_operations", 1, 64) {
            settings.parallel_operations = count as usize;
        }
        if let Some(count) = table.count("connection_pool_size", 1, 1000) {
            settings.connection_pool_size = count as usize;
        }
        let limit = table.span("connection_timeout", SECOND, DAY);
        settings.connection_timeout = limit.unwrap_or(settings.connection_timeout);
        let levels = table.list("two_person");
        let levels = levels.iter().filter_map(|level| level.count(1, 3));
        settings.two_person = levels.filter_map(|level| u8::try_from(level).ok()).collect();
        table.finish();
    }
    from_environment(root, &mut settings);
    settings
}

fn from_environment(root: &Table<'_>, settings: &mut RollbackSettings) {
    let desk = root.desk;
    let number = |name: &str, key: &str, high: usize, now: usize| {
        limit(desk, name, key, high).unwrap_or(now)
    };
    settings.max_workers =
        number("ROLLBACK_MAX_WORKERS", "rollback.max_workers", 64, settings.max_workers);
    settings.parallel_operations = number(
        "ROLLBACK_PARALLEL_OPERATIONS",
        "rollback.parallel_operations",
        64,
        settings.parallel_operations,
    );
    settings.connection_pool_size = number(
        "ROLLBACK_CONNECTION_POOL_SIZE",
        "rollback.connection_pool_size",
        1000,
        settings.connection_pool_size,
    );
    let seconds = limit(desk, "ROLLBACK_CONNECTION_TIMEOUT", "rollback.connection_timeout", 86_400);
    if let Some(seconds) = seconds {
        settings.connection_timeout = Duration::from_secs(seconds as u64);
    }
    if let Some(text) = root.desk.environment.level1_timeout() {
        match text.parse::<u32>().ok().filter(|seconds| (1..=86_400).contains(seconds)) {
            Some(seconds) => {
                settings.gate_wait = SECOND * seconds;
                root.desk.note(format!("rollback.gate_wait {seconds}s comes from LEVEL1_TIMEOUT"));
            }
            None => root.desk.problem(
                root.at,
                "rollback.gate_wait",
                &format!("LEVEL1_TIMEOUT is {text:?}, not a number of seconds"),
                Some("unset it or set it to a number".into()),
            ),
        }
    }
}

/// `ROLLBACK_BATCH_SIZE`: instances of a service at a time.
pub(super) fn batch_size(desk: &Desk<'_>) -> Option<usize> {
    limit(desk, "ROLLBACK_BATCH_SIZE", "services.*.batch_size", 1000)
}

/// A number of the environment, which wins over the file and is noted.
fn limit(desk: &Desk<'_>, name: &str, key: &str, high: usize) -> Option<usize> {
    let text = desk.environment.limit(name)?;
    let number = text.parse::<usize>().ok().filter(|n| (1..=high).contains(n));
    match number {
        Some(number) => desk.note(format!("{key} {number} comes from {name}")),
        None => desk.problem(
            Position::default(),
            key,
            &format!("{name} is {text:?}, not a number between 1 and {high}"),
            Some("unset it or set it to a number".into()),
        ),
    }
    number
}

/// `windows: {span: 30s, min_samples: 20, sustain: 10s}`.
pub(super) fn windows(root: &mut Table<'_>) -> Windows {
    let mut windows = Windows::default();
    let Some(mut table) = root.table("windows") else {
        return windows;
    };
    let hour = Duration::from_hours(1);
    windows.span = table.span("span", SECOND, hour).unwrap_or(windows.span);
    windows.sustain = table.span("sustain", SECOND, hour).unwrap_or(windows.sustain);
    let least = table.count("min_samples", 1, 100_000);
    windows.min_samples = least.unwrap_or(windows.min_samples);
    if windows.sustain > windows.span {
        let path = table.below("sustain");
        let message = "is longer than windows.span";
        table.desk.problem(table.at, &path, message, None);
    }
    table.finish();
    windows
}
