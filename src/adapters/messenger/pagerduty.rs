//! `PagerDuty`, by its Events API v2: a thread is one alert there, told apart by `dedup_key`.

use async_trait::async_trait;
use hyper::Method;
use serde_json::{Value, json};

use super::{Letter, Messenger, Post, Stage, Undelivered, post, pretty};
use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::clock::Clock;
use crate::model::severity::Severity;
use crate::text::{SafeText, fit};

/// Where events go when the configuration says nothing else.
pub const ADDRESS: &str = "https://events.pagerduty.com/v2/enqueue";
/// The longest summary that is taken, in characters.
const SUMMARY: usize = 1024;

/// A service integration.
#[derive(Clone, Debug)]
pub struct PagerDuty {
    /// Where.
    pub target: Target,
    /// The integration's routing key.
    pub key: Secret,
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::None | Severity::Low => "info",
    }
}

fn body(letter: &Letter, key: &str) -> Value {
    let action = letter.stage.name();
    if letter.stage != Stage::Open {
        return json!({
            "routing_key": key, "event_action": action, "dedup_key": letter.thread,
        });
    }
    json!({
        "routing_key": key,
        "event_action": action,
        "dedup_key": letter.thread,
        "client": "backout",
        "payload": {
            "summary": fit(&letter.headline, SUMMARY),
            "source": letter.host,
            "severity": severity(letter.severity),
            "timestamp": letter.at,
            "component": letter.environment,
            "class": letter.event,
            "custom_details": { "id": letter.id, "details": letter.details, "facts": letter.facts },
        },
    })
}

#[async_trait]
impl Messenger for PagerDuty {
    async fn send(&self, letter: &Letter, clock: &Clock) -> Result<SafeText, Undelivered> {
        let body = body(letter, self.key.reveal());
        let (method, target, headers) = (Method::POST, &self.target, Vec::new());
        post("PagerDuty", Post { method, target, headers, body: &body }, clock).await?;
        Ok(SafeText::new(&format!("PagerDuty has {} {}", letter.stage.name(), letter.thread)))
    }

    fn rendered(&self, letter: &Letter) -> String {
        pretty(&body(letter, "***"))
    }

    fn shown(&self) -> String {
        format!("pagerduty {}", self.target.place())
    }
}
