//! What a message says: the headline as the documents write it (M-16 to M-18), what a person wants
//! to know beside it, and the same for programs. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::entry::Outcome;
use crate::model::ids::{Time, incident_name};
use crate::model::notice::{Due, Notice, Occasion, Templates, Thread, Why};
use crate::model::plan::{Called, Level};
use crate::model::severity::Severity;
use crate::model::situation::Situation;
use crate::model::trigger::{Trigger, TriggerReason};

mod sample;

pub use sample::sample;

/// The words of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// One line.
    pub headline: String,
    /// A line a fact.
    pub details: Vec<String>,
    /// The same for programs.
    pub facts: Value,
}

/// What is known of a run, whether it is the last one or not.
struct Ran {
    id: String,
    level: Level,
    from: String,
    to: String,
    by: String,
    reason: String,
    why: Option<(Outcome, String)>,
    trigger: Option<Trigger>,
    data: String,
    undoes: bool,
    called: Option<Called>,
}

/// The words of a message that is due. `templates` replace our headlines; one that cannot be
/// filled in is said below ours.
pub fn words(
    situation: &Situation,
    due: &Due,
    templates: &Templates,
    (host, now): (&str, Time),
) -> Words {
    let thread = situation.outbox.threads.get(&due.thread);
    let Some(notice) = due.notices.first() else {
        return again(situation, due, thread, now);
    };
    let run = ran(situation, notice);
    let values = values(situation, notice, run.as_ref(), host);
    let mut details = details(situation, notice, run.as_ref());
    let mut said = if due.notices.len() > 1 {
        several(&due.notices, &mut details)
    } else {
        headline(situation, notice, run.as_ref())
    };
    if let Some(template) = templates.of(notice) {
        match filled(template, &values) {
            Ok(text) => said = text,
            Err(place) => details.push(format!(
                "(the template of {} could not be filled in: {{{place}}} is not known)",
                notice.occasion.name()
            )),
        }
    }
    let facts = json!({
        "journal": situation.journal,
        "incident": (notice.incident > 0).then(|| incident_name(notice.incident)),
        "run": run.as_ref().map(|run| json!({
            "id": run.id, "level": run.level.number(), "from": run.from, "to": run.to,
            "by": run.by, "reason": run.reason,
            "outcome": run.why.as_ref().map(|(outcome, _)| outcome.words()),
        })),
        "notices": due.notices.iter().map(|one| json!({
            "id": one.key, "event": one.occasion.name(), "thread": one.thread, "at": one.at,
            "severity": one.severity, "text": one.text,
        })).collect::<Vec<_>>(),
    });
    Words { headline: said, details, facts }
}

/// A repeat, or a rung of the ladder.
fn again(situation: &Situation, due: &Due, thread: Option<&Thread>, now: Time) -> Words {
    let open = thread.map_or_else(String::new, |thread| {
        let minutes = (now - thread.begun).num_minutes();
        format!(", open for {minutes} min and nobody looks after it: {}", thread.text)
    });
    let severity = thread.map_or(Severity::None, |thread| thread.severity);
    let what = match due.why {
        Why::New => String::new(),
        Why::Repeat(_) => "🚨 Still open: ".to_owned(),
        Why::Rung(rung) => format!("🚨 Escalation, level {rung}: "),
    };
    let because = crate::model::notice::escalated(situation, now);
    let mut details = vec![place(situation), format!("severity: {}", severity.label())];
    if !because.is_empty() {
        details.push(format!("to be escalated for: {}", because.join(", ")));
    }
    details.push(format!("to look after it: backout ack {}", quoted(&due.thread)));
    Words {
        headline: format!("{what}{}{open}", due.thread),
        details,
        facts: json!({ "journal": situation.journal, "thread": due.thread, "severity": severity }),
    }
}

fn quoted(thread: &str) -> String {
    if thread.contains(' ') { format!("'{thread}'") } else { thread.to_owned() }
}

fn several(notices: &[Notice], details: &mut Vec<String>) -> String {
    let lines = notices.iter().map(|one| {
        let name = one.thread.trim_start_matches("alert ");
        if one.occasion == Occasion::Resolved {
            format!("over: {name}: {}", one.text)
        } else {
            format!("{} {name}: {}", one.severity.label(), one.text)
        }
    });
    details.splice(0..0, lines.collect::<Vec<_>>());
    let over = notices.iter().filter(|one| one.occasion == Occasion::Resolved).count();
    let open = notices.len() - over;
    match (open, over) {
        (0, over) => format!("✅ {over} alerts are over"),
        (open, 0) => format!("⚠️ {open} alerts"),
        (open, over) => format!("⚠️ {open} alerts, {over} over"),
    }
}

/// The line of the documents for what happened.
fn headline(situation: &Situation, notice: &Notice, run: Option<&Ran>) -> String {
    let environment = situation.environment();
    let incident = incident_name(notice.incident);
    let text = notice.text.as_str();
    let class = notice.severity.label();
    match (notice.occasion, run) {
        (Occasion::Incident, _) => format!("🚨 {incident} {class} in {environment}: {text}"),
        (Occasion::Worse, _) if notice.incident == 0 => {
            format!("🚨 {class} {}: {text}", notice.thread.trim_start_matches("alert "))
        }
        (Occasion::Worse, _) => format!("🚨 {incident} in {environment} is {text}"),
        (Occasion::Start, Some(run)) => rollback(situation, run, "started"),
        (Occasion::End, Some(run)) => rollback(situation, run, "completed"),
        (Occasion::Failure, Some(run)) => {
            let line = rollback(situation, run, "FAILED");
            let why = run.why.as_ref().map(|(outcome, why)| format!("{}: {why}", outcome.words()));
            format!("{line}: {}", why.unwrap_or_else(|| text.to_owned()))
        }
        (Occasion::Start | Occasion::End | Occasion::Failure, None) => format!("🚨 {text}"),
        (Occasion::Waiting, _) => format!("🚨 {environment}: {text}"),
        (Occasion::Alert, _) => {
            format!("⚠️ {class} {}: {text}", notice.thread.trim_start_matches("alert "))
        }
        (Occasion::Acknowledged, _) => format!("{}: {text}", notice.thread),
        (Occasion::Resolved, _) => {
            format!("✅ Resolved: {}: {text}", notice.thread.trim_start_matches("alert "))
        }
    }
}

/// `🚨 Emergency rollback completed for NAME`, and the other two (M-16 to M-18).
fn rollback(situation: &Situation, run: &Ran, verb: &str) -> String {
    if run.undoes {
        return format!("🚨 Taking the rollback back {verb} for {}", name(situation, run));
    }
    if let Some(Called { what, subject, .. }) = &run.called {
        let about = if subject.is_empty() { String::new() } else { format!(" for {subject}") };
        return format!("🚨 {what} {verb}{about}");
    }
    let corrupt =
        run.trigger.as_ref().is_some_and(|one| one.reason == TriggerReason::DataCorruption);
    match run.level {
        Level::Switch => format!("🚨 Emergency rollback {verb} for {}", name(situation, run)),
        Level::Full | Level::PointInTime if corrupt => format!("🚨 Data integrity rollback {verb}"),
        Level::Full | Level::PointInTime => format!("🚨 Emergency database rollback {verb}"),
    }
}

/// The service that users feel, where it is one; else the environment.
fn name(situation: &Situation, run: &Ran) -> String {
    let services = run.trigger.as_ref().map(|trigger| &trigger.services);
    let services: Vec<&str> = services.into_iter().flatten().map(String::as_str).collect();
    match services.as_slice() {
        [one] => (*one).to_owned(),
        _ => situation.environment().to_owned(),
    }
}

fn place(situation: &Situation) -> String {
    let kind = if situation.production() { "production" } else { "not production" };
    format!("environment: {} ({kind})", situation.environment())
}

fn details(situation: &Situation, notice: &Notice, run: Option<&Ran>) -> Vec<String> {
    let mut lines = vec![place(situation), format!("severity: {}", notice.severity.label())];
    if notice.incident > 0 {
        lines.push(format!("incident: {}", incident_name(notice.incident)));
    }
    let about_run = match notice.occasion {
        Occasion::Start | Occasion::Failure | Occasion::End | Occasion::Waiting => true,
        Occasion::Incident
        | Occasion::Worse
        | Occasion::Alert
        | Occasion::Acknowledged
        | Occasion::Resolved => false,
    };
    if let Some(run) = run.filter(|_| about_run) {
        lines.push(format!("run: {} level {} {} -> {}", run.id, run.level, run.from, run.to));
        lines.push(format!("by: {}", run.by));
        lines.push(format!("reason: {}", run.reason));
        if !run.data.is_empty() {
            lines.push(format!("data: {}", run.data));
        }
        if let Some((outcome, why)) = &run.why {
            lines.push(format!("outcome: {}: {why}", outcome.words()));
        }
    }
    if notice.occasion.begins() {
        lines.push(format!("to look after it: backout ack {}", quoted(&notice.thread)));
    }
    lines
}

fn ran(situation: &Situation, notice: &Notice) -> Option<Ran> {
    let id = notice.run.as_ref()?;
    if let Some(run) = situation.run.as_ref().filter(|run| &run.id == id) {
        return Some(Ran {
            id: run.id.to_string(),
            level: run.plan.core.level,
            from: run.plan.core.from.to_string(),
            to: run.plan.core.to.to_string(),
            by: run.by.to_string(),
            reason: run.reason.to_string(),
            // What came of it is not part of how it began.
            why: run
                .ended
                .as_ref()
                .filter(|_| notice.occasion != Occasion::Start)
                .map(|ended| (ended.outcome, ended.why.to_string())),
            trigger: run.trigger.as_deref().cloned(),
            data: run.plan.face.data.to_string(),
            undoes: run.plan.undoes().is_some(),
            called: run.plan.face.called.clone(),
        });
    }
    let past = situation.history.iter().find(|past| &past.run == id)?;
    Some(Ran {
        id: past.run.to_string(),
        level: past.level,
        from: past.from.to_string(),
        to: past.to.to_string(),
        by: past.by.to_string(),
        reason: past.reason.to_string(),
        why: Some((past.ended.outcome, past.ended.why.to_string()))
            .filter(|_| notice.occasion != Occasion::Start),
        trigger: past.trigger.as_deref().cloned(),
        data: String::new(),
        undoes: false,
        called: None,
    })
}

/// What a template may name, where it is known.
fn values(
    situation: &Situation,
    notice: &Notice,
    run: Option<&Ran>,
    host: &str,
) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::from([
        ("environment", situation.environment().to_owned()),
        ("severity", notice.severity.label().to_owned()),
        ("text", notice.text.to_string()),
        ("host", host.to_owned()),
        ("rule_name", rule_name(situation, notice)),
    ]);
    // Until a run says what it is about, it is about what was deployed last.
    if let Some(change) = situation.changes.first() {
        let named = [&change.reference, &change.version].into_iter().find(|one| !one.is_empty());
        values.extend(named.map(|named| ("deployment_id", named.to_string())));
    }
    if notice.incident > 0 {
        values.insert("incident", incident_name(notice.incident));
    }
    if let Some(run) = run {
        values.insert("run", run.id.clone());
        values.insert("level", run.level.to_string());
        values.insert("from", run.from.clone());
        values.insert("to", run.to.clone());
        values.insert("reason", run.reason.clone());
        values.insert("service", name(situation, run));
        if let Some(trigger) = &run.trigger {
            values.insert("deployment_id", trigger.deployment.to_string());
        }
    }
    values
}

/// What people call the rule whose alert it is.
fn rule_name(situation: &Situation, notice: &Notice) -> String {
    let about = notice.about();
    let face = situation.rules.rules.iter().find(|face| face.id == about);
    face.map_or_else(|| about.to_owned(), |face| face.name.to_string())
}

/// The template with its `{places}` filled in, or the first that is not known.
pub fn filled(template: &str, values: &BTreeMap<&'static str, String>) -> Result<String, String> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else { break };
        let value = values.get(place).filter(|value| !value.is_empty());
        text.push_str(before);
        text.push_str(value.ok_or_else(|| place.to_owned())?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests;
