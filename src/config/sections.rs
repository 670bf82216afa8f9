//! The sections of a file beside its checks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::ids::Color;
use crate::model::signal::Windows;

use super::check::{Item, Table};
use super::kinds::address;
use super::unused;
use super::{
    ColorAddress, Database, HelpSettings, LogSource, Platform, RollbackSettings, Traffic,
    did_you_mean,
};

const NONE: Duration = Duration::ZERO;
const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// `platform: {local: {dir: .}}`.
pub(super) fn platform(root: &mut Table<'_>) -> Platform {
    let Some((name, item)) = choice(root, "platform", &["local"], &unused::PLATFORMS) else {
        return Platform::None;
    };
    let Some(mut table) = item.table().filter(|_| name == "local") else {
        return Platform::None;
    };
    let dir = table.need("dir").and_then(|item| item.path());
    table.finish();
    dir.map_or(Platform::None, |dir| Platform::Local { dir })
}

/// `traffic: {proxy: {control_url: …, public_url: …}}`.
pub(super) fn traffic(root: &mut Table<'_>) -> Option<Traffic> {
    let (_, item) = choice(root, "traffic", &["proxy"], &unused::TRAFFIC)?;
    let mut table = item.table()?;
    let control_url = url(&mut table, "control_url");
    let public_url = url(&mut table, "public_url");
    table.finish();
    Some(Traffic::Proxy { control_url: control_url?, public_url: public_url? })
}

/// `colors: {blue: {url: …}, green: {url: …}}`.
pub(super) fn colors(root: &mut Table<'_>) -> BTreeMap<Color, ColorAddress> {
    let mut colors = BTreeMap::new();
    let Some(mut table) = root.table("colors") else {
        return colors;
    };
    let names: Vec<String> = table.keys().map(|key| key.name.clone()).collect();
    for name in names {
        let Some(item) = table.take(&name) else {
            continue;
        };
        let good = !name.is_empty()
            && name.len() <= 32
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !good {
            item.wrong_with(&format!("{name:?} is not a name"), "use letters, digits, _ and -");
            continue;
        }
        let Some(mut color) = item.table() else {
            continue;
        };
        let found = url(&mut color, "url");
        color.finish();
        colors.extend(found.map(|url| (Color(name), ColorAddress { url })));
    }
    colors
}

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

/// `database: {sqlite: {path: …, migrations: …}}`.
pub(super) fn database(root: &mut Table<'_>) -> Option<Database> {
    let (_, item) = choice(root, "database", &["sqlite"], &unused::DATABASES)?;
    let mut table = item.table()?;
    let path = table.need("path").and_then(|item| item.path());
    let migrations = table.path("migrations");
    table.finish();
    Some(Database::Sqlite { path: path?, migrations })
}

/// `log_sources: [{source: …, path: …}]`.
pub(super) fn log_sources(root: &mut Table<'_>) -> Vec<LogSource> {
    let mut sources: Vec<LogSource> = Vec::new();
    for item in root.list("log_sources") {
        let Some(mut table) = item.table() else {
            continue;
        };
        let name = table.need("source").and_then(|name| {
            let text = name.text()?;
            if text.len() > 64 || text.contains(|c: char| c == '/' || c.is_control()) {
                name.wrong(&format!("{text:?} is not a name"));
                return None;
            }
            if sources.iter().any(|known| known.source == text) {
                name.wrong_with(
                    &format!("{text:?} is the name of another source"),
                    "give each its own",
                );
                return None;
            }
            Some(text)
        });
        let path = table.need("path").and_then(|item| item.path());
        table.finish();
        sources.extend(name.zip(path).map(|(source, path)| LogSource { source, path }));
    }
    sources
}

/// `rollback: {…}` and `ROLLBACK_MAX_WORKERS`, which wins.
pub(super) fn rollback(root: &mut Table<'_>) -> RollbackSettings {
    let mut settings = RollbackSettings {
        keep_failed_up: SECOND * 120,
        drain: SECOND * 30,
        gate_probes: 3,
        gate_every: SECOND * 10,
        watch_window: SECOND * 900,
        watch_every: SECOND * 10,
        stop_grace: SECOND * 30,
        max_workers: 4,
    };
    if let Some(mut table) = root.table("rollback") {
        let mut span = |stem: &str, low: Duration, field: &mut Duration| {
            *field = table.span(stem, low, DAY).unwrap_or(*field);
        };
        span("keep_failed_up", NONE, &mut settings.keep_failed_up);
        span("drain", NONE, &mut settings.drain);
        span("gate_every", TENTH, &mut settings.gate_every);
        span("watch_window", NONE, &mut settings.watch_window);
        span("watch_every", TENTH, &mut settings.watch_every);
        span("stop_grace", NONE, &mut settings.stop_grace);
        let probes = table.count("gate_probes", 1, 100);
        settings.gate_probes = probes.unwrap_or(settings.gate_probes);
        if let Some(workers) = table.count("max_workers", 1, 64) {
            settings.max_workers = workers as usize;
        }
        table.finish();
    }
    if let Some(text) = root.desk.environment.max_workers() {
        match text.parse::<usize>().ok().filter(|n| (1..=64).contains(n)) {
            Some(workers) => {
                settings.max_workers = workers;
                root.desk.note(format!(
                    "rollback.max_workers {workers} comes from ROLLBACK_MAX_WORKERS"
                ));
            }
            None => root.desk.problem(
                root.at,
                "rollback.max_workers",
                &format!("ROLLBACK_MAX_WORKERS is {text:?}, not a number between 1 and 64"),
                Some("unset it or set it to a number".into()),
            ),
        }
    }
    settings
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

/// A section that holds one key which says what it is. One that comes later is noted.
fn choice<'a>(
    root: &mut Table<'a>,
    key: &str,
    known: &[&str],
    later: &[&str],
) -> Option<(String, Item<'a>)> {
    let item = root.take(key)?;
    let mut table = item.table()?;
    let names: Vec<String> = table.keys().map(|key| key.name.clone()).collect();
    let [name] = names.as_slice() else {
        item.wrong_with(
            &format!("holds {} keys, one is expected", names.len()),
            format!("it is one of {}", known.join(", ")),
        );
        return None;
    };
    if later.contains(&name.as_str()) {
        root.desk.note(format!("not used yet: {}", table.below(name)));
        return None;
    }
    if !known.contains(&name.as_str()) {
        let all = known.iter().chain(later).copied();
        let hint = match did_you_mean(name, all) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("it is one of {}", known.join(", ")),
        };
        let at = table.keys().next().map_or(table.at, |key| key.at);
        let message = "is not known here";
        root.desk.problem(at, &table.below(name), message, Some(hint));
        return None;
    }
    let inner = table.take(name)?;
    Some((name.clone(), inner))
}

fn url(table: &mut Table<'_>, key: &str) -> Option<String> {
    let item = table.need(key)?;
    let (url, _) = address(&item)?;
    Some(url.reveal().trim_end_matches('/').to_owned())
}
