//! What the judgement rests on beside the checks: what a check stands beside, witnesses,
//! maintenance windows, and whether the looks are enough for the thresholds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{NaiveTime, Weekday};

use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::checks::http_response::{self, Statuses};
use crate::checks::threshold::Thresholds;
use crate::checks::{CheckKind, CheckSpec, place, tcp};
use crate::model::bearing::{Bearing, Dimension};
use crate::model::ids::CheckId;
use crate::model::signal::Windows;
use crate::model::slo::Objective;
use crate::model::times::Window;

use super::node::Position;
use super::objectives;
use super::problem::did_you_mean;
use super::spans::shown_span;
use super::take::{Desk, Item, Table};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// What the judgement rests on beside the checks.
#[derive(Clone, Debug, Default)]
pub struct Judging {
    /// What each check stands beside.
    pub bearings: BTreeMap<CheckId, Bearing>,
    /// Hosts that have nothing to do with the target.
    pub witnesses: Vec<Witness>,
    /// When checks count for nothing, week by week.
    pub maintenance: Vec<Window>,
    /// What checks have to keep.
    pub objectives: BTreeMap<CheckId, Objective>,
}

/// A host that has nothing to do with the target: silent together, they say it is our line.
#[derive(Clone, Debug)]
pub struct Witness {
    /// As written.
    pub name: String,
    /// How it is asked.
    pub kind: CheckKind,
}

/// The keys of one check, as far as they can be read without the others.
pub(super) struct Beside {
    depends_on: Vec<(String, String, Position)>,
    remote: Option<bool>,
    dimension: Option<Dimension>,
    unknown_after: Option<Duration>,
    pub(super) slo: Option<Objective>,
}

/// Takes `depends_on`, `remote`, `dimension`, `unknown_after` and `slo` of a check.
pub(super) fn beside(table: &mut Table<'_>) -> Beside {
    let parents = table.take("depends_on").and_then(|item| item.one_or_list()).unwrap_or_default();
    let depends_on = parents
        .iter()
        .filter_map(|item| Some((item.text()?, item.path.clone(), item.node.at)))
        .collect();
    let dimension = table.take("dimension").and_then(|item| {
        let text = item.text()?;
        let found = Dimension::named(&text);
        if found.is_none() {
            let names = Dimension::ALL.map(Dimension::words);
            let hint = match did_you_mean(&text, names) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("it is one of {}", names.join(", ")),
            };
            item.wrong_with(&format!("{text:?} is not a dimension"), hint);
        }
        found
    });
    Beside {
        depends_on,
        remote: table.truth("remote"),
        dimension,
        unknown_after: table.span("unknown_after", SECOND, DAY),
        slo: table.table("slo").and_then(objectives::objective),
    }
}

/// What every check stands beside. Parents have to be there, and nothing may depend on itself.
pub(super) fn bearings(
    desk: &Desk<'_>,
    checks: &[CheckSpec],
    beside: &[Beside],
) -> BTreeMap<CheckId, Bearing> {
    let mut bearings = BTreeMap::new();
    for (spec, beside) in checks.iter().zip(beside) {
        let mut depends_on = Vec::new();
        for (parent, path, at) in &beside.depends_on {
            if let Some(known) = checks.iter().find(|other| other.id.as_str() == parent) {
                if !known.live {
                    let message = format!("{parent} is not looked at on a schedule");
                    let hint = "leave it out, or add live to its role".to_owned();
                    desk.problem(*at, path, &message, Some(hint));
                }
                depends_on.push(known.id.clone());
            } else {
                let names = checks.iter().map(|other| other.id.as_str());
                let hint = match did_you_mean(parent, names) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "name another check of this file".to_owned(),
                };
                let message = format!("{parent:?} is not a check of this file");
                desk.problem(*at, path, &message, Some(hint));
            }
        }
        let host = place::host(&spec.kind);
        let host = match beside.remote {
            Some(false) => None,
            Some(true) => host.or_else(|| Some(spec.id.as_str().to_owned())),
            None => host,
        };
        let bearing = Bearing {
            dimension: beside.dimension.unwrap_or_else(|| dimension(spec)),
            depends_on,
            host,
            interval: spec.interval,
            unknown_after: beside.unknown_after.unwrap_or(spec.interval * 3),
        };
        bearings.insert(spec.id.clone(), bearing);
    }
    for (spec, beside) in checks.iter().zip(beside) {
        let Some((_, path, at)) = beside.depends_on.first() else { continue };
        if let Some(way) = cycle(&spec.id, &bearings) {
            let message = format!("depends on itself: {}", way.join(" -> "));
            desk.problem(*at, path, &message, Some("take one of them out".to_owned()));
        }
    }
    bearings
}

/// What a check stands beside that nobody wrote down.
pub(super) fn alone(spec: &CheckSpec) -> Bearing {
    Bearing {
        dimension: dimension(spec),
        depends_on: Vec::new(),
        host: place::host(&spec.kind),
        interval: spec.interval,
        unknown_after: spec.interval * 3,
    }
}

/// The way from `id` back to itself, if there is one.
fn cycle(id: &CheckId, bearings: &BTreeMap<CheckId, Bearing>) -> Option<Vec<String>> {
    let mut open = vec![vec![id]];
    let mut seen = BTreeSet::new();
    while let Some(way) = open.pop() {
        let last = way.last()?;
        for parent in bearings.get(*last).map_or(&[][..], |bearing| &bearing.depends_on) {
            let mut longer = way.clone();
            longer.push(parent);
            if parent == id {
                return Some(longer.iter().map(ToString::to_string).collect());
            }
            if seen.insert(parent) {
                open.push(longer);
            }
        }
    }
    None
}

/// The group of a check by what it looks at (P-86).
fn dimension(spec: &CheckSpec) -> Dimension {
    const DATABASES: [&str; 5] =
        ["redis", "neo4j", "replication_lag", "migration", "database_connection"];
    const RESOURCES: [&str; 6] =
        ["system_resource", "disk", "process", "container", "systemd_unit", "file"];
    let kind = spec.kind.name();
    let named = |words: &[&str]| words.iter().any(|word| spec.id.as_str().contains(word));
    if spec.role.database || spec.role.corruption || DATABASES.contains(&kind) {
        Dimension::Database
    } else if RESOURCES.contains(&kind)
        || (kind == "custom" && named(&["disk", "memory", "cpu", "load", "swap", "inode"]))
    {
        Dimension::Resources
    } else {
        Dimension::Api
    }
}

/// `witness: [tcp 10.0.0.1:53, https://status.example]`.
pub(super) fn witnesses(root: &mut Table<'_>) -> Vec<Witness> {
    let Some(items) = root.take("witness").and_then(|item| item.one_or_list()) else {
        return Vec::new();
    };
    items.iter().filter_map(witness).collect()
}

fn witness(item: &Item<'_>) -> Option<Witness> {
    let name = item.text()?;
    let (word, rest) = match name.split_once(' ') {
        Some((word, rest)) => (word, rest.trim()),
        None if name.starts_with("http") => ("http", name.as_str()),
        None => ("tcp", name.as_str()),
    };
    let kind = match word {
        "tcp" => match tcp::Settings::parse(rest) {
            Ok(settings) => CheckKind::Tcp(settings),
            Err(why) => {
                item.wrong_with(&why, "write it as tcp 10.0.0.1:53");
                return None;
            }
        },
        "http" | "https" => {
            let target = match Target::parse(rest) {
                Ok(target) => target,
                Err(why) => {
                    item.wrong(&format!("{rest:?} {why}"));
                    return None;
                }
            };
            let url = Secret::plain(rest);
            CheckKind::HttpResponse(http_response::Settings {
                url,
                target,
                headers: Vec::new(),
                method: hyper::Method::GET,
                body: hyper::body::Bytes::new(),
                // Any answer at all came over our line.
                expected: Statuses(vec![(100, 599)]),
                thresholds: Thresholds::default(),
                expect: Vec::new(),
                requests: 1,
            })
        }
        other => {
            let message = format!("{other:?} is not a way to ask a witness");
            item.wrong_with(
                &message,
                "write it as tcp 10.0.0.1:53, or http https://status.example",
            );
            return None;
        }
    };
    Some(Witness { name, kind })
}

/// `maintenance: [{name: …, start: "03:00", duration: 2h, days: [sat], tz: "+01:00", reason: …}]`.
pub(super) fn maintenance(root: &mut Table<'_>, checks: &[CheckSpec]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for item in root.list("maintenance") {
        let Some(mut table) = item.table() else { continue };
        let window = window(&mut table, checks);
        table.finish();
        windows.extend(window);
    }
    windows
}

fn window(table: &mut Table<'_>, checks: &[CheckSpec]) -> Option<Window> {
    let name = table.need("name").and_then(|item| item.text());
    let reason = table.text("reason").unwrap_or_else(|| "maintenance".to_owned());
    let start = table.need("start").and_then(|item| {
        let text = item.text()?;
        let start = NaiveTime::parse_from_str(&text, "%H:%M").ok();
        if start.is_none() {
            item.wrong_with(&format!("{text:?} is not a time of day"), "write it as \"03:00\"");
        }
        start
    });
    let path = table.path.clone();
    let duration = table.span("duration", SECOND * 60, DAY * 7);
    if duration.is_none()
        && !["duration", "duration_minutes", "duration_seconds"].iter().any(|key| table.has(key))
    {
        table.desk.problem(table.at, &path, "duration is missing", None);
    }
    let ahead = table.take("tz").map_or(Some(0), |item| offset(&item));
    let mut days = Vec::new();
    for item in table.take("days").and_then(|item| item.one_or_list()).unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        match text.parse::<Weekday>() {
            Ok(day) => days.push(day),
            Err(_) => {
                item.wrong_with(
                    &format!("{text:?} is not a day"),
                    "write mon, tue, wed, thu, fri, sat, sun",
                );
            }
        }
    }
    let mut services = Vec::new();
    for item in table.take("services").and_then(|item| item.one_or_list()).unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        if !checks.iter().any(|spec| spec.role.service == text) {
            let names = checks.iter().map(|spec| spec.role.service.as_str());
            let hint = match did_you_mean(&text, names) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "name the service of a check".to_owned(),
            };
            item.wrong_with(&format!("no check has the service {text:?}"), hint);
        }
        services.push(text);
    }
    Some(Window {
        name: name?,
        services,
        reason,
        days,
        start: start?,
        duration: duration?,
        ahead: ahead?,
    })
}

/// `utc` or a fixed offset. Named zones change their offset twice a year, and their rules are not
/// built in: an hour too early or too late is worse than a refusal.
fn offset(item: &Item<'_>) -> Option<i32> {
    let text = item.text()?;
    if text.eq_ignore_ascii_case("utc") || text == "Z" {
        return Some(0);
    }
    let known = text.parse::<chrono::FixedOffset>().ok();
    if known.is_none() {
        item.wrong_with(
            &format!("{text:?} is not a fixed offset"),
            "write utc, or an offset such as \"+01:00\"; named zones are not known",
        );
    }
    known.map(|offset| offset.local_minus_utc())
}

/// Says where the configured looks are too few for what they have to show.
pub(super) fn note_looks(desk: &Desk<'_>, checks: &[CheckSpec], windows: &Windows) {
    let live = || checks.iter().filter(|spec| spec.live);
    let requests = |spec: &CheckSpec| {
        if let CheckKind::HttpResponse(http) = &spec.kind { f64::from(http.requests) } else { 1.0 }
    };
    let span = windows.span.as_secs_f64();
    let counting = || live().filter(|spec| spec.role.counts_requests);
    let all: f64 =
        counting().map(|spec| requests(spec) * span / spec.interval.as_secs_f64()).sum::<f64>();
    let all = all.floor();
    if counting().next().is_some() && all >= f64::from(windows.min_samples) && all <= 20.0 {
        desk.note(format!(
            "{all} samples cannot resolve 5 %: windows.span of {} holds {all} requests, and one of \
             them failing is {:.0} %; raise samples_per_run or windows.span_seconds",
            shown_span(windows.span),
            100.0 / all.max(1.0)
        ));
    }
    for spec in live() {
        let id = &spec.id;
        if spec.policy.stale_after < spec.interval + spec.timeout {
            desk.note(format!(
                "{id} turns stale between two looks: stale_after {} is below interval {} and \
                 timeout {} together",
                shown_span(spec.policy.stale_after),
                shown_span(spec.interval),
                shown_span(spec.timeout)
            ));
        }
        if spec.role.counts_requests && spec.interval > windows.span {
            desk.note(format!(
                "{id} leaves windows empty: interval {} is longer than windows.span {}",
                shown_span(spec.interval),
                shown_span(windows.span)
            ));
        }
        let proof = spec.fast_interval * spec.policy.fail_after.saturating_sub(1);
        if spec.role.critical && proof > Duration::from_mins(5) {
            desk.note(format!(
                "{id} needs {} to be sure that it fails: the time for a forward fix of a HIGH \
                 incident is 5m",
                shown_span(proof)
            ));
        }
    }
}
