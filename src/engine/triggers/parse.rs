//! What the bodies of other systems say: Alertmanager (webhook version 4), GitHub deployment
//! status, GitLab deployment, and a form of our own. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::model::severity::Severity;
use crate::model::trigger::TriggerReason;
use crate::model::trigger_call::{TriggerCall, TriggerKind};
use crate::text::{SafeText, fit};

/// Calls in one body; more are not read.
const MOST: usize = 64;
/// The longest name and the longest message that are kept, in columns.
const NAME: usize = 80;
const MESSAGE: usize = 240;

/// A call and its id.
pub type Found = (String, TriggerCall);

/// Where a body comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Prometheus's Alertmanager.
    Alertmanager,
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
    /// Anybody else.
    Json,
}

impl Source {
    /// By the path of a request.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/alertmanager" => Some(Self::Alertmanager),
            "/github" => Some(Self::GitHub),
            "/gitlab" => Some(Self::GitLab),
            "/trigger" => Some(Self::Json),
            _ => None,
        }
    }

    /// What its calls are written under: `trigger NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Json => "http",
        }
    }
}

/// What is around a body.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Our environment, and whether it is production: deploys of others are not ours.
    pub environment: (&'a str, bool),
    /// The id that the header of the request gives it.
    pub id: Option<&'a str>,
    /// What kind of event the header says it is.
    pub event: Option<&'a str>,
}

/// The calls in a body; none where it is about something else.
pub fn parse(source: Source, body: &[u8], around: Around<'_>) -> Result<Vec<Found>, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|why| format!("the body is no JSON: {why}"))?;
    match source {
        Source::Alertmanager => alertmanager(&value),
        Source::GitHub => Ok(github(&value, around)),
        Source::GitLab => Ok(gitlab(&value, around)),
        Source::Json => own(&value, around).map(|found| vec![found]),
    }
}

fn text(value: &Value, path: &str) -> String {
    match value.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn name(text: &str) -> SafeText {
    SafeText::new(&fit(text, NAME))
}

fn message(text: &str) -> SafeText {
    SafeText::new(&fit(&text.replace(['\r', '\n'], " "), MESSAGE))
}

/// What others call a class.
fn severity(word: &str) -> Option<Severity> {
    match word.to_ascii_lowercase().as_str() {
        "critical" | "page" | "emergency" => Some(Severity::Critical),
        "high" | "error" | "major" => Some(Severity::High),
        "medium" | "warning" | "minor" => Some(Severity::Medium),
        "low" | "info" | "none" => Some(Severity::Low),
        _ => None,
    }
}

/// Why, as one of our list, by the words of an alert's name.
fn reason(name: &str) -> TriggerReason {
    let name = name.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if says(&["corrupt", "integrity"]) {
        TriggerReason::DataCorruption
    } else if says(&["error"]) {
        TriggerReason::ErrorRate
    } else if says(&["response", "latency", "slow", "performance"]) {
        TriggerReason::PerformanceDegradation
    } else if says(&["down", "unavailable", "outage", "fail"]) {
        TriggerReason::ServiceDown
    } else {
        TriggerReason::Manual
    }
}

/// Each alert is a call; `rollback_trigger: "true"` asks for a rollback, everything else is told
/// (M-22).
fn alertmanager(value: &Value) -> Result<Vec<Found>, String> {
    let Some(alerts) = value.get("alerts").and_then(Value::as_array) else {
        return Err("the body has no alerts: it is not of Alertmanager's webhook".into());
    };
    if alerts.len() > MOST {
        return Err(format!("the body has {} alerts, {MOST} are the most", alerts.len()));
    }
    let one = |alert: &Value| {
        let said = |path: &str| text(alert, path);
        let alertname = said("/labels/alertname");
        let status = said("/status");
        let about = [said("/annotations/summary"), said("/annotations/description")];
        let about: Vec<String> = about.into_iter().filter(|text| !text.is_empty()).collect();
        let id = format!("{} {} {status}", said("/fingerprint"), said("/startsAt"));
        // The same alert of another instance is another matter.
        let labels = [said("/labels/service"), said("/labels/job"), said("/labels/instance")];
        let of = labels.into_iter().find(|label| !label.is_empty());
        let named = of.map_or(alertname.clone(), |of| format!("{alertname} {of}"));
        let message_of = if about.is_empty() { alertname.clone() } else { about.join(": ") };
        let call = TriggerCall {
            kind: TriggerKind::Automatic,
            name: name(&named),
            reason: reason(&alertname),
            severity: severity(&said("/labels/severity")).unwrap_or(Severity::Medium),
            deployment: name(&said("/labels/deployment")),
            message: message(&message_of),
            rollback: said("/labels/rollback_trigger") == "true",
            over: status == "resolved",
        };
        (id, call)
    };
    Ok(alerts.iter().map(one).collect())
}

/// Whether a deploy of theirs was to us.
fn is_ours(theirs: &str, (ours, production): (&str, bool)) -> bool {
    theirs == ours || (production && theirs.eq_ignore_ascii_case("production"))
}

/// A deploy that failed; one that went well, or to elsewhere, is none of our business.
fn github(value: &Value, around: Around<'_>) -> Vec<Found> {
    let said = |path: &str| text(value, path);
    let state = said("/deployment_status/state");
    let about = around.event.is_none_or(|event| event == "deployment_status");
    let environment = [said("/deployment_status/environment"), said("/deployment/environment")];
    let environment = environment.into_iter().find(|one| !one.is_empty()).unwrap_or_default();
    if !about
        || !matches!(state.as_str(), "failure" | "error")
        || !is_ours(&environment, around.environment)
    {
        return Vec::new();
    }
    let repository = said("/repository/full_name");
    let version = [said("/deployment/ref"), said("/deployment/sha")];
    let version = version.into_iter().find(|one| !one.is_empty()).unwrap_or_default();
    let about = said("/deployment_status/description");
    let id = format!("github {} {state}", said("/deployment_status/id"));
    vec![(id, deploy_failed(&repository, &version, &about, TriggerReason::ServiceDown))]
}

fn gitlab(value: &Value, around: Around<'_>) -> Vec<Found> {
    let said = |path: &str| text(value, path);
    let status = said("/status");
    let ours = is_ours(&said("/environment"), around.environment);
    if said("/object_kind") != "deployment" || status != "failed" || !ours {
        return Vec::new();
    }
    let version = [said("/ref"), said("/short_sha")];
    let version = version.into_iter().find(|one| !one.is_empty()).unwrap_or_default();
    let id = format!("gitlab {} {status}", said("/deployment_id"));
    let (project, about) = (said("/project/path_with_namespace"), said("/commit_title"));
    vec![(id, deploy_failed(&project, &version, &about, TriggerReason::ServiceDown))]
}

fn deploy_failed(
    repository: &str,
    version: &str,
    about: &str,
    reason: TriggerReason,
) -> TriggerCall {
    let about = if about.is_empty() { String::new() } else { format!(": {about}") };
    TriggerCall {
        kind: TriggerKind::External,
        name: name(repository),
        reason,
        severity: Severity::High,
        deployment: name(version),
        message: message(&format!("the deploy of {repository} {version} failed{about}")),
        rollback: true,
        over: false,
    }
}

/// Our own form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    kind: Option<TriggerKind>,
    name: String,
    #[serde(default)]
    reason: TriggerReason,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    deployment_id: String,
    message: String,
    #[serde(default = "yes")]
    rollback: bool,
    #[serde(default)]
    over: bool,
}

fn yes() -> bool {
    true
}

fn own(value: &Value, around: Around<'_>) -> Result<Found, String> {
    let own: Own =
        Own::deserialize(value).map_err(|why| format!("the body is not a call: {why}"))?;
    let Some(id) = own.id.as_deref().or(around.id).filter(|id| !id.is_empty()) else {
        return Err("the call has no id: a repeated one could not be told".into());
    };
    let severity = match own.severity.as_deref() {
        Some(word) => severity(word)
            .ok_or_else(|| format!("{word:?} is no severity: low, medium, high or critical"))?,
        None => Severity::High,
    };
    let call = TriggerCall {
        kind: own.kind.unwrap_or(TriggerKind::External),
        name: name(&own.name),
        reason: own.reason,
        severity,
        deployment: name(&own.deployment_id),
        message: message(&own.message),
        rollback: own.rollback,
        over: own.over,
    };
    Ok((fit(id, NAME), call))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AROUND: Around<'_> = Around { environment: ("shop/eu1", true), id: None, event: None };

    fn found(source: Source, body: &str) -> Vec<Found> {
        parse(source, body.as_bytes(), AROUND).unwrap()
    }

    #[test]
    fn only_an_alert_with_the_label_asks_for_a_rollback() {
        let body = r#"{"version":"4","status":"firing","alerts":[
            {"status":"firing","labels":{"alertname":"HighErrorRate","severity":"critical",
              "rollback_trigger":"true"},"annotations":{"summary":"High error rate detected",
              "description":"Error rate is 0.2"},"startsAt":"2026-11-22T00:00:00Z",
              "fingerprint":"abc"},
            {"status":"resolved","labels":{"alertname":"DiskFull","severity":"warning",
              "instance":"db1"},"annotations":{},"startsAt":"2026-11-22T00:00:00Z",
              "fingerprint":"def"}]}"#;
        let found = found(Source::Alertmanager, body);
        let (id, first) = &found[0];
        assert_eq!(id, "abc 2026-11-22T00:00:00Z firing");
        assert!(first.rollback && !first.over);
        assert_eq!(first.reason, TriggerReason::ErrorRate);
        assert_eq!(first.message.as_str(), "High error rate detected: Error rate is 0.2");
        let second = &found[1].1;
        assert!(!second.rollback && second.over);
        assert_eq!((second.name.as_str(), second.severity), ("DiskFull db1", Severity::Medium));
    }

    #[test]
    fn a_deploy_that_failed_here_is_a_call_and_no_other_is() {
        let body = |state: &str, environment: &str| {
            format!(
                r#"{{"deployment_status":{{"id":7,"state":"{state}","environment":"{environment}"}},
                "deployment":{{"ref":"v2.5.0"}},"repository":{{"full_name":"shop/api"}}}}"#
            )
        };
        let calls = found(Source::GitHub, &body("failure", "production"));
        assert_eq!(calls[0].0, "github 7 failure");
        assert_eq!(calls[0].1.message.as_str(), "the deploy of shop/api v2.5.0 failed");
        for (state, environment) in [("success", "production"), ("failure", "staging")] {
            assert!(found(Source::GitHub, &body(state, environment)).is_empty());
        }
        let lab = r#"{"object_kind":"deployment","status":"failed","deployment_id":15,
            "environment":"shop/eu1","ref":"v2.5.0","project":{"path_with_namespace":"shop/web"}}"#;
        assert_eq!(found(Source::GitLab, lab)[0].0, "gitlab 15 failed");
    }

    #[test]
    fn our_own_form_needs_an_id_and_knows_its_keys() {
        let refused = |body: &str| parse(Source::Json, body.as_bytes(), AROUND).unwrap_err();
        assert!(refused(r#"{"name":"api","message":"x"}"#).contains("no id"));
        assert!(refused(r#"{"id":"1","name":"api","mesage":"x"}"#).contains("mesage"));
        assert!(refused(r#"{"id":"1","name":"a","message":"x","severity":"bad"}"#).contains("bad"));
        assert!(refused("[").contains("no JSON"));
        let body = r#"{"id":"1","kind":"cross_repository","name":"frontend","message":"blank",
            "reason":"PERFORMANCE_DEGRADATION","deployment_id":"web-12"}"#;
        let call = &found(Source::Json, body)[0].1;
        assert_eq!(call.kind, TriggerKind::CrossRepository);
        assert_eq!(call.reason, TriggerReason::PerformanceDegradation);
        assert!(call.rollback);
    }
}
