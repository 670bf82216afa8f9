//! The settings of checks that look at this machine.

use std::path::PathBuf;
use std::time::Duration;

use crate::checks::log_pattern::Missing;
use crate::checks::process::{Measure, Which};
use crate::checks::system_resource::Resource;
use crate::checks::threshold::{Range, Thresholds};
use crate::checks::{log_pattern, process, system_resource, systemd_unit};

use super::did_you_mean;
use super::kinds::thresholds;
use super::take::{Item, Table};

/// Bytes that a compiled pattern may take.
const PATTERN: usize = 1024 * 1024;
/// The documents' thresholds, in per cent (P-16).
const DOCUMENTS: (f64, f64) = (80.0, 95.0);

/// `system_resource_thresholds`: thresholds of resources whose checks name none.
#[derive(Debug, Default)]
pub(super) struct ResourceDefaults(Vec<(&'static str, Thresholds)>);

/// The resources in per cent, as written.
const IN_PERCENT: [&str; 6] = ["cpu", "memory", "swap", "disk", "inodes", "fd"];

/// Reads `system_resource_thresholds: {cpu_warning: 80, cpu_critical: 95, …}`.
pub(super) fn resource_defaults(root: &mut Table<'_>) -> ResourceDefaults {
    let mut defaults = ResourceDefaults::default();
    let Some(mut table) = root.table("system_resource_thresholds") else {
        return defaults;
    };
    for name in IN_PERCENT {
        let mut range = |ending: &str| {
            let number = table.take(&format!("{name}_{ending}"))?.number()?;
            Some(Range::From(number))
        };
        let thresholds = Thresholds { warning: range("warning"), critical: range("critical") };
        defaults.0.push((name, thresholds));
    }
    table.finish();
    defaults
}

impl ResourceDefaults {
    fn of(&self, name: &str) -> Thresholds {
        let given = self.0.iter().find(|(known, _)| *known == name).map(|(_, given)| *given);
        given.filter(Thresholds::any).unwrap_or(Thresholds {
            warning: Some(Range::From(DOCUMENTS.0)),
            critical: Some(Range::From(DOCUMENTS.1)),
        })
    }
}

/// `resource: cpu`, or the documents' `metadata: {resource: cpu}`.
pub(super) fn system_resource(
    table: &mut Table<'_>,
    defaults: &ResourceDefaults,
) -> Option<system_resource::Settings> {
    let mut metadata = table.table("metadata");
    let mut take = |table: &mut Table<'_>, key: &str| {
        let inner = metadata.as_mut().and_then(|metadata| metadata.text(key));
        table.text(key).or(inner)
    };
    let (mut name, mut path) = (take(table, "resource"), take(table, "path"));
    if table.kind_is("disk") {
        name = name.or(Some("disk".to_owned()));
    }
    let per_core = table.truth("per_core").unwrap_or(false);
    let thresholds = thresholds(table);
    let at = table.desk.resolve(&path.take().unwrap_or_else(|| "/".to_owned()));
    let Some(name) = name else {
        table.desk.problem(
            table.at,
            &table.path,
            "resource is missing",
            Some(format!("it is one of {}, load", IN_PERCENT.join(", "))),
        );
        return None;
    };
    let resource = match name.as_str() {
        "cpu" => Resource::Cpu,
        "memory" => Resource::Memory,
        "swap" => Resource::Swap,
        "disk" => Resource::Disk(at),
        "inodes" => Resource::Inodes(at),
        "load" => Resource::Load { per_core },
        "fd" => Resource::FileDescriptors,
        other => {
            let known = IN_PERCENT.into_iter().chain(["load"]);
            let hint = match did_you_mean(other, known.clone()) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("it is one of {}", known.collect::<Vec<_>>().join(", ")),
            };
            let message = format!("resource {other:?} is not known");
            table.desk.problem(table.at, &table.path, &message, Some(hint));
            return None;
        }
    };
    let thresholds = match &resource {
        _ if thresholds.any() => thresholds,
        Resource::Load { .. } => {
            let hint = "write threshold_warning or threshold_critical; per_core: true divides \
                        the load by the processors";
            no_threshold(table, hint);
            return None;
        }
        Resource::Cpu
        | Resource::Memory
        | Resource::Swap
        | Resource::Disk(_)
        | Resource::Inodes(_)
        | Resource::FileDescriptors => defaults.of(&name),
    };
    Some(system_resource::Settings { resource, thresholds })
}

fn no_threshold(table: &Table<'_>, hint: &str) {
    let message = "has no threshold, so it would never be anything but good";
    table.desk.problem(table.at, &table.path, message, Some(hint.to_owned()));
}

/// `process_name`, `pid_file` or `pattern`, and how many of them.
pub(super) fn process(table: &mut Table<'_>) -> Option<process::Settings> {
    let name = table.text("process_name").map(Which::Name);
    let file = table.path("pid_file").map(Which::PidFile);
    let pattern = table.take("pattern").and_then(|item| {
        let text = item.raw()?;
        match regex::RegexBuilder::new(&text).size_limit(PATTERN).build() {
            Ok(pattern) => Some(Which::Command(pattern)),
            Err(e) => {
                item.wrong(&format!("is not a pattern: {}", last_line(&e.to_string())));
                None
            }
        }
    });
    let keys = ["process_name", "pid_file", "pattern"];
    let given = keys.iter().filter(|key| table.has(key)).count();
    let (least, most) =
        (table.count("min_count", 0, 100_000), table.count("max_count", 0, 100_000));
    let measure = table.take("value").and_then(|item| {
        item.one_of("a value", &[("count", Measure::Count), ("memory", Measure::Memory)])
    });
    let thresholds = thresholds(table);
    if given != 1 {
        let message = format!("names {given} of {}, one is needed", keys.join(", "));
        table.desk.problem(table.at, &table.path, &message, None);
        return None;
    }
    let least = least.unwrap_or(1);
    if most.is_some_and(|most| most < least) {
        let message = format!("min_count {least} is more than max_count");
        table.desk.problem(table.at, &table.path, &message, None);
    }
    Some(process::Settings {
        which: name.or(file).or(pattern)?,
        least,
        most,
        measure: measure.unwrap_or(Measure::Count),
        thresholds,
    })
}

/// `unit: nginx`, and the states that are good.
pub(super) fn systemd_unit(table: &mut Table<'_>) -> Option<systemd_unit::Settings> {
    let unit = table.need("unit").and_then(|item| {
        let unit = item.text()?;
        let good = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if unit.starts_with('-') || !unit.chars().all(good) {
            item.wrong(&format!("{unit:?} is not the name of a unit"));
            return None;
        }
        Some(if unit.contains('.') { unit } else { format!("{unit}.service") })
    });
    let mut expect = Vec::new();
    for item in table.take("expect").and_then(|item| item.one_or_list()).unwrap_or_default() {
        let states = systemd_unit::STATES.map(|state| (state, state));
        expect.extend(item.one_of("a state of a unit", &states).map(str::to_owned));
    }
    if expect.is_empty() {
        expect.push("active".to_owned());
    }
    let thresholds = thresholds(table);
    Some(systemd_unit::Settings { unit: unit?, expect, thresholds })
}

/// `path`, `pattern`, `window`, and from how many lines on it counts.
pub(super) fn log_pattern(table: &mut Table<'_>) -> Option<log_pattern::Settings> {
    let path: Option<PathBuf> = table.need("path").and_then(|item| item.path());
    let pattern = table.need("pattern").and_then(|item| byte_pattern(&item));
    let ignore = table.take("ignore");
    let ignore = ignore.map(|item| byte_pattern(&item));
    let window = table.span("window", Duration::from_secs(1), Duration::from_hours(24));
    let missing = table.take("missing").and_then(|item| {
        let words = [("unknown", Missing::Unknown), ("fail", Missing::Fail), ("ok", Missing::Good)];
        item.one_of("a meaning of a missing file", &words)
    });
    let given = table.has("threshold_warning") || table.has("threshold_critical");
    let thresholds = thresholds(table);
    if !given {
        no_threshold(table, "write threshold_warning or threshold_critical: lines in the window");
        return None;
    }
    Some(log_pattern::Settings {
        path: path?,
        pattern: pattern?,
        ignore: match ignore {
            Some(ignore) => Some(ignore?),
            None => None,
        },
        window: window.unwrap_or(Duration::from_mins(5)),
        missing: missing.unwrap_or(Missing::Unknown),
        thresholds,
    })
}

fn byte_pattern(item: &Item<'_>) -> Option<regex::bytes::Regex> {
    let text = item.raw()?;
    match regex::bytes::RegexBuilder::new(&text).size_limit(PATTERN).build() {
        Ok(pattern) => Some(pattern),
        Err(e) => {
            item.wrong(&format!("is not a pattern: {}", last_line(&e.to_string())));
            None
        }
    }
}

/// What a pattern's error comes to: the lines before it draw the place.
fn last_line(text: &str) -> String {
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}
