//! `notifications:`: who is told what, by which way, and who is called when nobody answers
//! (P-20, S-77, P-71, P-72); `notification_channels:` is the documents' short form of it (002:116).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::messenger::Messenger;
use crate::model::notice::{Occasion, Policy, Route, Rung, Templates};
use crate::model::rule::Rule;
use crate::model::severity::Severity;
use crate::text::SafeText;

use super::did_you_mean;
use super::take::{Desk, Item, Table};

mod channels;
mod receivers;

/// Repeats and groups as Alertmanager has them by itself.
const REPEAT: Duration = Duration::from_hours(4);
const GROUP_WAIT: Duration = Duration::from_secs(30);
/// What a template may name.
pub const PLACES: [&str; 13] = [
    "environment",
    "incident",
    "run",
    "level",
    "from",
    "to",
    "service",
    "severity",
    "text",
    "host",
    "deployment_id",
    "reason",
    "rule_name",
];

/// Which document a receiver wants at the end of a rollback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wants {
    /// The line and the facts.
    #[default]
    Plain,
    /// The notification of colleagues (S-58).
    Internal,
    /// What customers are told (S-59), and nothing else.
    Customer,
    /// The incident report (S-60).
    Incident,
}

impl Wants {
    const ALL: [(&'static str, Self); 4] = [
        ("plain", Self::Plain),
        ("internal", Self::Internal),
        ("customer", Self::Customer),
        ("incident", Self::Incident),
    ];

    /// As a configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Internal => "internal",
            Self::Customer => "customer",
            Self::Incident => "incident",
        }
    }
}

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// The way.
    pub messenger: Arc<dyn Messenger>,
    /// The document.
    pub wants: Wants,
    /// The template of that document, where the configuration has one of its own.
    pub own: Option<String>,
    /// What it is told where no route says so.
    by_itself: (Severity, Vec<Occasion>),
}

/// Who is told what.
#[derive(Clone, Debug, Default)]
pub struct Notifications {
    /// By name.
    pub receivers: BTreeMap<String, Receiver>,
    /// Who is told what, and when again.
    pub policy: Policy,
    /// Lines that replace ours, with `{places}`.
    pub templates: Templates,
}

impl Notifications {
    /// The same, whose receivers get their document by a template of one's own.
    pub(super) fn with(mut self, templates: &BTreeMap<String, String>) -> Self {
        for receiver in self.receivers.values_mut() {
            receiver.own = templates.get(receiver.wants.name()).cloned();
        }
        self
    }
}

pub(super) fn notifications(
    desk: &Desk<'_>,
    root: &mut Table<'_>,
    rules: &[Rule],
) -> Notifications {
    let mut all = Notifications {
        policy: Policy { repeat: REPEAT, group_wait: GROUP_WAIT, ..Policy::default() },
        ..Notifications::default()
    };
    let mut routes = None;
    if let Some(mut table) = root.table("notifications") {
        all.receivers = receivers::receivers(&mut table);
        channels::channels(desk, root, &mut all.receivers);
        let day = Duration::from_hours(24 * 7);
        let repeat = table.span("repeat", Duration::from_mins(1), day);
        all.policy.repeat = repeat.unwrap_or(REPEAT);
        let wait = table.span("group_wait", Duration::ZERO, Duration::from_mins(10));
        all.policy.group_wait = wait.unwrap_or(GROUP_WAIT);
        routes = table.has("routes").then(|| self::routes(&mut table, &all.receivers));
        all.policy.ladder = ladder(&mut table, &all.receivers);
        all.templates.occasions = templates(&mut table);
        table.finish();
    } else {
        channels::channels(desk, root, &mut all.receivers);
    }
    documents(desk, root, rules, &mut all.templates);
    all.policy.routes = routes.unwrap_or_else(|| by_themselves(&all.receivers));
    all
}

/// Without routes everybody is told what is for such a receiver: mail only for what is critical
/// (001:351), a pager for what cannot wait, a tracker what came of it.
fn by_themselves(receivers: &BTreeMap<String, Receiver>) -> Vec<Route> {
    let route = |(name, receiver): (&String, &Receiver)| Route {
        to: vec![name.clone()],
        severity: receiver.by_itself.0,
        occasions: receiver.by_itself.1.clone(),
        environments: Vec::new(),
        go_on: true,
    };
    receivers.iter().map(route).collect()
}

fn routes(table: &mut Table<'_>, receivers: &BTreeMap<String, Receiver>) -> Vec<Route> {
    let mut routes = Vec::new();
    for item in table.list("routes") {
        let Some(mut one) = item.table() else { continue };
        let to = one.need("to").map(|item| names(&item, receivers)).unwrap_or_default();
        let severity = one.take("severity").and_then(|item| severity(&item));
        let events = one.take("events").and_then(|item| item.one_or_list()).unwrap_or_default();
        let occasions = events.iter().filter_map(occasion).collect();
        let here = one.take("environments").and_then(|item| item.one_or_list());
        let here = here.unwrap_or_default();
        routes.push(Route {
            to,
            severity: severity.unwrap_or(Severity::None),
            occasions,
            environments: here.iter().filter_map(Item::text).collect(),
            go_on: one.truth("continue").unwrap_or(false),
        });
        one.finish();
    }
    routes
}

fn ladder(table: &mut Table<'_>, receivers: &BTreeMap<String, Receiver>) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = Vec::new();
    for item in table.list("escalation") {
        let Some(mut one) = item.table() else { continue };
        let day = Duration::from_hours(24);
        let after = one.span("after", Duration::ZERO, day).unwrap_or_default();
        if rungs.last().is_some_and(|before| before.after > after) {
            item.wrong_with("comes before the rung above it", "order the rungs by their time");
        }
        let to = one.take("to").map(|item| names(&item, receivers)).unwrap_or_default();
        let text = |value: Option<String>| SafeText::new(&value.unwrap_or_default());
        let (who, when) = (text(one.text("who")), text(one.text("when")));
        if to.is_empty() && who.is_empty() {
            item.wrong_with("calls nobody", "add to: with receivers, or who: with a name");
        }
        one.finish();
        rungs.push(Rung { after, to, who, when });
    }
    rungs
}

fn templates(table: &mut Table<'_>) -> BTreeMap<Occasion, String> {
    let mut templates = BTreeMap::new();
    let Some(mut table) = table.table("templates") else { return templates };
    for one in Occasion::ALL {
        let Some(item) = table.take(one.name()) else { continue };
        let Some(text) = item.raw() else { continue };
        known_places(&item, &text);
        templates.insert(one, text);
    }
    table.finish();
    templates
}

/// Every `{place}` has to be one that can be filled in.
fn known_places(item: &Item<'_>, text: &str) {
    for place in places(text).into_iter().filter(|place| !PLACES.contains(place)) {
        let hint = match did_you_mean(place, PLACES) {
            Some(meant) => format!("did you mean {{{meant}}}?"),
            None => format!("known are {}", PLACES.join(", ")),
        };
        item.wrong_with(&format!("{{{place}}} is nothing that is known"), hint);
    }
}

/// `notification_templates: {rollback_triggered: {title: …, message: …}}`, as the documents write
/// them: by occasion in their words or ours, or by the rule whose alert it is. Ours under
/// `notifications: {templates: …}` win.
fn documents(desk: &Desk<'_>, root: &mut Table<'_>, rules: &[Rule], templates: &mut Templates) {
    let Some(mut table) = root.table("notification_templates") else { return };
    let keys = table.names();
    for name in keys {
        let Some(item) = table.take(&name) else { continue };
        let Some(text) = of_documents(&item) else { continue };
        known_places(&item, &text);
        let occasion = match name.as_str() {
            "rollback_triggered" => Some(Occasion::Start),
            "rollback_completed" => Some(Occasion::End),
            "rollback_failed" => Some(Occasion::Failure),
            "health_alert" => Some(Occasion::Alert),
            own => Occasion::ALL.into_iter().find(|one| one.name() == own),
        };
        if let Some(occasion) = occasion {
            templates.occasions.entry(occasion).or_insert(text);
        } else {
            if !rules.iter().any(|rule| rule.id == name) {
                desk.note(format!("not used: {} is no event and no rule", item.path));
            }
            templates.rules.insert(name, text);
        }
    }
    table.finish();
}

/// One line of it: the title, and the message behind it.
fn of_documents(item: &Item<'_>) -> Option<String> {
    if item.is_map() {
        let mut table = item.table()?;
        let title = table.take("title").and_then(|item| item.raw());
        let message = table.take("message").and_then(|item| item.raw());
        table.finish();
        return match (title, message) {
            (Some(title), Some(message)) => Some(format!("{title}: {message}")),
            (one, other) => one.or(other),
        };
    }
    item.raw()
}

/// The names in braces of a template.
pub fn places(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        found.push(name);
        rest = after;
    }
    found
}

/// Names of receivers.
fn names(item: &Item<'_>, receivers: &BTreeMap<String, Receiver>) -> Vec<String> {
    let mut names = Vec::new();
    for item in item.one_or_list().unwrap_or_default() {
        let Some(name) = item.text() else { continue };
        if receivers.contains_key(&name) {
            names.push(name);
            continue;
        }
        let hint = match did_you_mean(&name, receivers.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean {meant}?"),
            None if receivers.is_empty() => "add it below receivers:".to_owned(),
            None => {
                let known: Vec<&str> = receivers.keys().map(String::as_str).collect();
                format!("known are {}", known.join(", "))
            }
        };
        item.wrong_with(&format!("{name:?} is no receiver"), hint);
    }
    names
}

/// Our classes; the documents' `warning` is the first that a clock runs for.
fn severity(item: &Item<'_>) -> Option<Severity> {
    let words = [
        ("none", Severity::None),
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("warning", Severity::Medium),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];
    item.one_of("a severity", &words)
}

fn occasion(item: &Item<'_>) -> Option<Occasion> {
    item.one_of("an event", &Occasion::ALL.map(|one| (one.name(), one)))
}
