//! `monitoring_rules`, in both forms of the documents, and the switches that belong to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::checks::CheckSpec;
use crate::model::ids::CheckId;
use crate::model::plan::Level;
use crate::model::rule::{Action, Condition, Confirm, Mistake, Mode, Rule};
use crate::model::severity::Severity;
use crate::model::slo::Objective;

use super::problem::did_you_mean;
use super::take::{Desk, Item, Table};

const SECOND: Duration = Duration::from_secs(1);
const MONTH: Duration = Duration::from_hours(24 * 31);
/// More rules than anybody reads.
const RULES: usize = 200;

/// The rules, and how far they may go.
#[derive(Clone, Debug)]
pub struct Rules {
    /// In the order of the file, those of Prometheus first.
    pub list: Vec<Rule>,
    /// `rollback_enabled`: without it a rollback only alerts (P-16).
    pub rollback_enabled: bool,
    /// `auto_rollback_enabled`: without it a rollback is only proposed (P-82).
    pub automatic: bool,
    /// `max_rollback_attempts` (P-82).
    pub max_attempts: u32,
    /// `log_preservation_enabled`: before a rollback, the logs.
    pub preserve_logs: bool,
}

/// Reads the rules. `imported` are those of Prometheus files; an entry with only the name of one
/// and values changes it.
pub(super) fn rules(root: &mut Table<'_>, imported: Vec<Rule>) -> Rules {
    let mut list = imported;
    for key in ["monitoring_rules", "rules"] {
        for item in root.list(key) {
            let Some(mut table) = item.table() else { continue };
            if let Some(rule) = rule(&mut table, &mut list) {
                list.push(rule);
            }
            table.finish();
        }
    }
    if list.len() > RULES {
        let message = format!("{} rules, at most {RULES} are read", list.len());
        root.desk.problem(root.at, "monitoring_rules", &message, None);
    }
    Rules {
        list,
        rollback_enabled: root.truth("rollback_enabled").unwrap_or(true),
        automatic: root.truth("auto_rollback_enabled").unwrap_or(true),
        max_attempts: root.count("max_rollback_attempts", 1, 100).unwrap_or(3),
        preserve_logs: root.truth("log_preservation_enabled").unwrap_or(true),
    }
}

/// A rule that has only its name and what it watches for.
pub(super) fn plain(id: &str, condition: Condition, action: Action) -> Rule {
    // One odd reading must not roll anything back.
    let (times, of) = if action == Action::Rollback { (2, 3) } else { (1, 1) };
    Rule {
        id: id.to_owned(),
        name: id.to_owned(),
        condition,
        unless: None,
        action,
        mode: Mode::Propose,
        level: Level::Switch,
        priority: 2,
        cooldown: SECOND * 900,
        lasting: Duration::ZERO,
        confirm: Confirm { times, of },
        veto: SECOND * 60,
        only_within: None,
        severity: None,
        wait_for_clock: true,
        text: None,
        query: None,
    }
}

/// One entry; nothing when it only changed a rule that is there already.
fn rule(table: &mut Table<'_>, list: &mut [Rule]) -> Option<Rule> {
    let short = table.has("threshold") || table.has("window_minutes");
    let name = table.text("name");
    let id = match table.take("rule_id") {
        Some(item) => named(&item),
        None if short || name.is_some() => name.clone(),
        None => {
            let hint = "give the rule a name of its own".to_owned();
            table.desk.problem(table.at, &table.path, "rule_id is missing", Some(hint));
            None
        }
    };
    let action = table.take("action");
    let words = Action::ALL.map(|action| (action.name(), action));
    let action = action.and_then(|item| item.one_of("an action", &words));
    let given =
        if short { threshold(table, name.as_deref()) } else { condition(table, "condition") };
    let known = id.as_ref().and_then(|id| list.iter_mut().find(|rule| &rule.id == id));
    if let Some(known) = known {
        if short || table.has("condition") {
            let message = format!("{:?} is the name of another rule already", known.id);
            table.desk.problem(table.at, &table.path, &message, None);
        }
        if let Some(action) = action {
            known.action = action;
        }
        values(table, known);
        return None;
    }
    if !short && !table.has("condition") {
        let hint = "write a condition, or name, threshold and window_minutes".to_owned();
        table.desk.problem(table.at, &table.path, "condition is missing", Some(hint));
    }
    if table.truth("enabled") == Some(false) {
        let mut unused = plain("off", Condition::parse("False").ok()?, Action::Alert);
        values(table, &mut unused);
        table.desk.note(format!("{} is switched off (enabled: false)", table.path));
        return None;
    }
    let nothing = Condition::parse("False").ok()?;
    // A rule that cannot be read is read on, so that every mistake is told.
    let broken = given.is_none() || id.is_none();
    let action = action.unwrap_or(Action::Alert);
    let mut rule = plain(&id.unwrap_or_default(), given.unwrap_or(nothing), action);
    rule.name = name.unwrap_or_else(|| rule.id.clone());
    values(table, &mut rule);
    (!broken).then_some(rule)
}

/// A rule's name is told in plans and journals.
fn named(item: &Item<'_>) -> Option<String> {
    let id = item.text()?;
    let good = id.len() <= 128
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !good {
        item.wrong_with(
            &format!("{id:?} is not a name"),
            "use letters, digits, _ . and -, beginning with a letter or digit",
        );
        return None;
    }
    Some(id)
}

/// What may be said of a rule besides its condition.
fn values(table: &mut Table<'_>, rule: &mut Rule) {
    let modes = Mode::ALL.map(|mode| (mode.name(), mode));
    if let Some(mode) = table.take("mode").and_then(|item| item.one_of("a mode", &modes)) {
        rule.mode = mode;
    }
    if let Some(level) = table.count("level", 1, 3) {
        let level = u8::try_from(level).ok().and_then(Level::from_number);
        rule.level = level.unwrap_or(rule.level);
    }
    if rule.level != Level::Switch && rule.mode == Mode::Enforce {
        let message = "enforce is for level 1: levels 2 and 3 are started by people";
        let hint = Some("write mode: propose".to_owned());
        table.desk.problem(table.at, &table.path, message, hint);
    }
    rule.priority = table.count("priority", 1, 100).unwrap_or(rule.priority);
    rule.cooldown = table.span("cooldown", SECOND, MONTH).unwrap_or(rule.cooldown);
    let lasting = table.span("for", Duration::ZERO, MONTH);
    rule.lasting = lasting.unwrap_or(rule.lasting);
    if lasting.is_some_and(|span| span > Duration::ZERO) {
        rule.confirm = Confirm { times: 1, of: 1 };
    }
    rule.veto = table.span("veto", Duration::ZERO, SECOND * 3600).unwrap_or(rule.veto);
    rule.only_within = table.span("only_within", SECOND, MONTH).or(rule.only_within);
    let severities = [
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];
    let severity = table.take("severity");
    let severity = severity.and_then(|item| item.one_of("a severity", &severities));
    rule.severity = severity.or(rule.severity);
    rule.wait_for_clock = table.truth("wait_for_clock").unwrap_or(rule.wait_for_clock);
    rule.text = table.text("text").or(rule.text.take());
    if table.has("unless") {
        rule.unless = condition(table, "unless");
    }
    if let Some(confirm) = confirm(table) {
        rule.confirm = confirm;
    }
    table.take("enabled");
    table.later(&["metadata", "description", "tags"]);
}

/// `confirm: {times: 2, of: 3}`.
fn confirm(table: &mut Table<'_>) -> Option<Confirm> {
    let mut confirm = table.table("confirm")?;
    let times = confirm.need("times").and_then(|item| item.count(1, 64));
    let of = confirm.need("of").and_then(|item| item.count(1, 64));
    let (path, at) = (confirm.path.clone(), confirm.at);
    confirm.finish();
    let (times, of) = (times?, of?);
    if times > of || times * 2 <= of {
        let message = format!("{times} of {of} is no majority that can be met");
        let hint = "write more than half, such as {times: 2, of: 3}".to_owned();
        table.desk.problem(at, &path, &message, Some(hint));
        return None;
    }
    Some(Confirm { times, of })
}

fn condition(table: &mut Table<'_>, key: &str) -> Option<Condition> {
    let item = table.take(key)?;
    let source = item.raw()?;
    match Condition::parse(source.trim()) {
        Ok(condition) => Some(condition),
        Err(mistake) => {
            wrong(&item, source.trim(), &mistake);
            None
        }
    }
}

/// Tells a mistake with the condition and a caret under the place.
pub(super) fn wrong(item: &Item<'_>, source: &str, mistake: &Mistake) {
    let [line, caret] = mistake.caret(source);
    let message = format!("{mistake}\n{line}\n{caret}");
    match &mistake.hint {
        Some(hint) => item.wrong_with(&message, hint.clone()),
        None => item.wrong(&message),
    }
}

/// The form of 002: a metric by name, its threshold and its window.
fn threshold(table: &mut Table<'_>, name: Option<&str>) -> Option<Condition> {
    const METRICS: [(&str, &str); 5] = [
        ("api_error_rate", "error_rate('*', "),
        ("error_rate", "error_rate('*', "),
        ("response_time_p50", "latency('*', 0.5, "),
        ("response_time_p95", "p95('*', "),
        ("response_time_p99", "latency('*', 0.99, "),
    ];
    let threshold = table.need("threshold").and_then(|item| item.number());
    let window = table.need("window_minutes").and_then(|item| item.count(1, 1440));
    let item = table.take("metric").or_else(|| table.take("name"));
    let metric = item.as_ref().and_then(Item::text).or_else(|| name.map(str::to_owned));
    let (threshold, window, metric) = (threshold?, window?, metric?);
    let found = METRICS.into_iter().find(|(known, _)| *known == metric);
    let Some((metric, call)) = found else {
        let names = METRICS.map(|(name, _)| name);
        let hint = match did_you_mean(&metric, names) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("it is one of {}; or write a condition", names.join(", ")),
        };
        let message = format!("{metric:?} is not a metric with a threshold");
        match &item {
            Some(item) => item.wrong_with(&message, hint),
            None => table.desk.problem(table.at, &table.path, &message, Some(hint)),
        }
        return None;
    };
    // 002 gives times in milliseconds.
    let unit = if metric.starts_with("response_time") { " * 1000" } else { "" };
    Condition::parse(&format!("{call}{window}){unit} > {threshold}")).ok()
}

/// Says which rules name what nobody looks at: they stay unknown.
pub(super) fn note_names(
    desk: &Desk<'_>,
    rules: &Rules,
    checks: &[CheckSpec],
    objectives: &BTreeMap<CheckId, Objective>,
) {
    let ids: BTreeSet<&str> = checks.iter().map(|spec| spec.id.as_str()).collect();
    let services = checks.iter().map(|spec| spec.role.service.as_str());
    let names: BTreeSet<&str> = services.chain(ids.iter().copied()).collect();
    let queries = || checks.iter().filter(|spec| spec.kind.name() == "prometheus");
    for rule in &rules.list {
        let conditions = std::iter::once(&rule.condition).chain(&rule.unless);
        for named in conditions.flat_map(Condition::names) {
            let name = named.name.as_str();
            if named.objective && !objectives.contains_key(&CheckId::from(name)) {
                let id = &rule.id;
                desk.note(format!("rule {id} stays unknown: the check {name:?} has no slo"));
                continue;
            }
            let known = if named.query {
                queries().any(|spec| spec.id.as_str() == name)
            } else {
                name == "*" || names.contains(name)
            };
            if known {
                continue;
            }
            let what = if named.query { "prometheus check" } else { "check or service" };
            let meant = did_you_mean(name, names.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            let id = &rule.id;
            desk.note(format!("rule {id} stays unknown: there is no {what} {name:?}{meant}"));
        }
    }
}
