//! What is wrong with a pod, by what its node reports of its containers.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::adapters::kube::Object;
use crate::model::ids::Time;

/// So long after its container was started anew a pod has not shown that it stays up.
const SETTLED: Duration = Duration::from_mins(1);
/// What a container waits for that does not come by waiting.
const STUCK: [&str; 8] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// What is wrong with a pod, the worse the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trouble {
    /// Whether it does not serve, and will not by waiting.
    pub(super) bad: bool,
    /// A few words: `CrashLoopBackOff, exit code 3, 4 restarts`.
    pub(super) note: String,
    /// The whole sentence.
    pub(super) text: String,
    /// The container that ended, whose last lines say why.
    pub(super) ended: Option<String>,
}

/// How often the containers of a pod were started anew.
pub(super) fn restarts(pod: &Object) -> i64 {
    statuses(pod).filter_map(|one| one.get("restartCount")?.as_i64()).sum()
}

fn statuses(pod: &Object) -> impl Iterator<Item = &Value> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    lists.into_iter().flat_map(|list| pod.items(list))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with a pod that had been started anew `before` times at the last look.
pub(super) fn trouble(pod: &Object, before: Option<i64>, now: Time) -> Option<Trouble> {
    if pod.is_going() || pod.text("/status/phase") == "Succeeded" {
        return None;
    }
    let rose = before.is_some_and(|before| restarts(pod) > before);
    let worst = statuses(pod).filter_map(|one| of_container(pod, one, rose, now)).max();
    worst.or_else(|| waiting(pod))
}

fn of_container(pod: &Object, one: &Value, rose: bool, now: Time) -> Option<Trouble> {
    let name = text(one, "/name");
    let restarts = one.get("restartCount").and_then(Value::as_i64).unwrap_or_default();
    let reason = text(one, "/state/waiting/reason");
    let last = one.pointer("/lastState/terminated").or_else(|| one.pointer("/state/terminated"));
    let code = last.and_then(|last| last.get("exitCode")?.as_i64());
    let up = text(one, "/state/running/startedAt");
    let up = chrono::DateTime::parse_from_rfc3339(up).ok();
    let up = up.and_then(|at| (now - at.to_utc()).to_std().ok());
    let unsettled = restarts > 0 && up.is_none_or(|up| up < SETTLED);
    let stuck = STUCK.contains(&reason);
    let ended = one.pointer("/state/terminated").is_some() && code != Some(0);
    if !(stuck || ended || unsettled || rose && restarts > 0) {
        return None;
    }
    let mut note = match (stuck, last.map(|last| text(last, "/reason"))) {
        (true, _) => reason.to_owned(),
        (false, Some("OOMKilled")) => "killed for lack of memory".to_owned(),
        (false, _) if ended => "ended".to_owned(),
        (false, _) => "ended by itself and was started anew".to_owned(),
    };
    if let Some(code) = code {
        note = format!("{note}, exit code {code}");
    }
    if restarts > 0 {
        note = format!("{note}, {restarts} restart{}", if restarts == 1 { "" } else { "s" });
    }
    let mut whole = format!("pod {} container {name}: {note}", pod.name());
    let message = text(one, "/state/waiting/message");
    if stuck && reason != "CrashLoopBackOff" && !message.is_empty() {
        whole = format!("{whole}: {message}");
    }
    let ended = code.is_some().then(|| name.to_owned());
    Some(Trouble { bad: true, note, text: whole, ended })
}

/// A pod that found no node, or is not ready for another reason.
fn waiting(pod: &Object) -> Option<Trouble> {
    let name = pod.name();
    if let Some(("False", reason, message)) = pod.condition("PodScheduled") {
        let note = format!("no node takes a pod ({reason})");
        let text = format!("pod {name} is taken by no node: {message}");
        return Some(Trouble { bad: true, note, text, ended: None });
    }
    let (status, reason, message) = pod.condition("Ready")?;
    if status == "True" {
        return None;
    }
    let text = format!("pod {name} is not ready: {reason} {message}");
    Some(Trouble { bad: false, note: "a pod is not ready".to_owned(), text, ended: None })
}

/// The config maps that a template uses.
pub(super) fn config_maps(found: &Object) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(found.at("/spec/template/spec"), &mut names);
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if matches!(key.as_str(), "configMap" | "configMapRef" | "configMapKeyRef") {
                    let name = inner.get("name").and_then(Value::as_str);
                    names.extend(name.map(str::to_owned));
                }
                collect(inner, names);
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| collect(inner, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
