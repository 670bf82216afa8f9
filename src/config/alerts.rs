//! Rules that others wrote: alerts of Prometheus (M-22), and files of Argo's rollouts.

use std::time::Duration;

use crate::adapters::prometheus::Server;
use crate::adapters::secret::Secret;
use crate::checks::prometheus::{Empty, Reduce, Settings, Unit};
use crate::checks::threshold::Thresholds;
use crate::checks::{CheckKind, CheckSpec};
use crate::model::reading::Policy;
use crate::model::rule::{Action, Condition, Confirm, Rule};
use crate::model::severity::Severity;
use crate::model::signal::Role;

use super::kinds::{address, headers};
use super::remote_kinds::trusted;
use super::rules::plain;
use super::take::{Desk, Item, Table};
use super::{file, node, rollout_file};

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: u64 = 1024 * 1024;

/// What was imported: rules, and the queries that they ask.
#[derive(Default)]
pub(super) struct Imported {
    pub(super) rules: Vec<Rule>,
    pub(super) checks: Vec<CheckSpec>,
}

/// `groups` of this file and `rule_files`, asked of `prometheus: {endpoint_url: …}`.
pub(super) fn imported(root: &mut Table<'_>, every: Duration) -> Imported {
    let server = server(root);
    let mut all = Imported::default();
    groups(root, server.as_ref(), every, &mut all);
    for item in root.take("rule_files").and_then(|item| item.one_or_list()).unwrap_or_default() {
        from_file(&item, server.as_ref(), every, &mut all);
    }
    if server.is_none() && !all.checks.is_empty() {
        let message = "alerts of Prometheus stay unknown: prometheus.endpoint_url is missing";
        root.desk.note(message.to_owned());
    }
    all
}

fn server(root: &mut Table<'_>) -> Option<Server> {
    let mut table = root.table("prometheus")?;
    let found = table.need("endpoint_url").and_then(|item| address(&item));
    let found = found.map(|found| trusted(&mut table, found));
    let headers = headers(&mut table);
    table.finish();
    let (url, target) = found?;
    Some(Server { url, target, headers })
}

/// Reads one file of rules, `FILE` or `{file: FILE, probes_url: URL}`; its mistakes are told with its
/// own name and places.
fn from_file(item: &Item<'_>, server: Option<&Server>, every: Duration, all: &mut Imported) {
    let mut base = None;
    let path = if item.is_map() {
        let Some(mut table) = item.table() else { return };
        let file = table.need("file").and_then(|item| item.path());
        base = table.take("probes_url").and_then(|item| address(&item)).map(|(url, _)| url);
        table.finish();
        file
    } else {
        item.path()
    };
    let Some(path) = path else { return };
    let contents = match file::read(&path, LIMIT) {
        Ok(contents) => contents,
        Err(problem) => {
            item.wrong(&format!("{}: {}", path.display(), problem.message));
            return;
        }
    };
    let Ok(text) = std::str::from_utf8(&contents.bytes) else {
        item.wrong(&format!("{}: is not text", path.display()));
        return;
    };
    let mut problems = Vec::new();
    let parsed = node::parse(&path, text, &mut problems);
    let desk = Desk::new(&path, item.desk.environment, problems);
    if let Some(root) = &parsed
        && let Some(mut table) = Item::whole(&desk, root).table()
    {
        if table.has("apiVersion") && table.has("spec") {
            rollout_file::rollout(&mut table, base.as_ref(), all);
        } else {
            groups(&mut table, server, every, all);
            table.finish();
        }
    }
    item.desk.problems.borrow_mut().extend(desk.problems.take());
    for note in desk.notes.take() {
        item.desk.note(note);
    }
}

/// `groups: [{name, interval, rules: [{alert, expr, for, labels, annotations}]}]`.
fn groups(root: &mut Table<'_>, server: Option<&Server>, every: Duration, all: &mut Imported) {
    for item in root.list("groups") {
        let Some(mut group) = item.table() else { continue };
        group.text("name");
        let interval = group.take("interval").and_then(|item| span(&item)).unwrap_or(every);
        for item in group.list("rules") {
            let Some(mut table) = item.table() else { continue };
            if table.has("record") {
                item.desk.note(format!("{} records a series: Prometheus does that", item.path));
                continue;
            }
            alert(&mut table, server, interval, all);
            table.finish();
        }
        group.later(&["limit", "labels", "query_offset", "partial_response_strategy"]);
        group.finish();
    }
}

fn alert(table: &mut Table<'_>, server: Option<&Server>, every: Duration, all: &mut Imported) {
    let name = table.need("alert").and_then(|item| item.text());
    let expr = table.need("expr").and_then(|item| item.raw());
    let lasting = table.take("for").and_then(|item| span(&item)).unwrap_or_default();
    let mut severity = None;
    let mut triggers = false;
    if let Some(mut labels) = table.table("labels") {
        severity = labels.text("severity");
        triggers = labels.text("rollback_trigger").is_some_and(|text| text == "true");
    }
    let mut text = None;
    if let Some(mut notes) = table.table("annotations") {
        // What is in them is Prometheus' own language of templates: taken as it stands.
        let summary = notes.take("summary").and_then(|item| item.raw());
        let description = notes.take("description").and_then(|item| item.raw());
        text = match (summary, description) {
            (Some(summary), Some(description)) => Some(format!("{summary}: {description}")),
            (one, other) => one.or(other),
        };
    }
    table.later(&["keep_firing_for"]);
    let (Some(name), Some(expr)) = (name, expr) else { return };
    let id: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if all.rules.iter().any(|rule| rule.id == id) {
        let message = format!("{id:?} is the name of another alert already");
        table.desk.problem(table.at, &table.path, &message, None);
        return;
    }
    let Ok(condition) = Condition::parse(&format!("prometheus('{id}') > 0")) else { return };
    let action = if triggers { Action::Rollback } else { Action::Alert };
    let severity = match severity.as_deref() {
        Some("critical" | "page" | "emergency") => Some(Severity::Critical),
        Some("high" | "error") => Some(Severity::High),
        Some("warning" | "medium" | "warn") => Some(Severity::Medium),
        Some("info" | "low" | "none") => Some(Severity::Low),
        Some(_) | None => None,
    };
    all.checks.push(query(&id, &name, &expr, server, every));
    let confirm = if lasting.is_zero() && triggers { (2, 3) } else { (1, 1) };
    all.rules.push(Rule {
        name,
        priority: if triggers { 1 } else { 2 },
        lasting,
        confirm: Confirm { times: confirm.0, of: confirm.1 },
        severity,
        text,
        query: Some(id.as_str().into()),
        ..plain(&id, condition, action)
    });
}

/// The check that asks an alert's expression: its value is how many series it gives.
fn query(id: &str, name: &str, expr: &str, server: Option<&Server>, every: Duration) -> CheckSpec {
    let kind = match server {
        Some(server) => CheckKind::Prometheus(Settings {
            server: server.clone(),
            query: Secret::plain(expr),
            unit: Unit::Count,
            reduce: Some(Reduce::Count),
            empty: Empty::Zero,
            max_age: None,
            min_volume: None,
            thresholds: Thresholds::default(),
        }),
        None => CheckKind::Unaddressed { kind: "prometheus" },
    };
    let timeout = SECOND * 5;
    CheckSpec {
        id: id.into(),
        name: name.to_owned(),
        interval: every.max(SECOND),
        fast_interval: every.clamp(SECOND, SECOND * 5),
        timeout,
        policy: Policy {
            fail_after: 3,
            ok_after: 2,
            fail_window: None,
            stale_after: (SECOND * 30).max(every * 2 + timeout),
        },
        role: Role {
            service: id.to_owned(),
            critical: false,
            counts_requests: false,
            database: false,
            corruption: false,
        },
        live: server.is_some(),
        phases: Vec::new(),
        enabled: true,
        attempts: 1,
        clear: None,
        kind,
    }
}

/// A span as Prometheus writes it: `2m`, `1h30m`.
fn span(item: &Item<'_>) -> Option<Duration> {
    let text = item.text()?;
    let mut rest = text.as_str();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let millis = match unit {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            "d" => Some(86_400_000),
            "w" => Some(604_800_000),
            _ => None,
        };
        let number = number.parse::<u64>().ok().filter(|number| *number < 1_000_000);
        let (Some(number), Some(millis)) = (number, millis) else {
            item.wrong_with(&format!("{text:?} is not a span of time"), "write it as 2m or 1h30m");
            return None;
        };
        total += Duration::from_millis(number * millis);
        rest = behind;
    }
    Some(total)
}
