//! Any HTTP endpoint: the message as JSON, with its name as `Idempotency-Key`.

use async_trait::async_trait;
use hyper::Method;
use hyper::header::HeaderName;
use serde_json::json;

use super::{Letter, Messenger, Post, Undelivered, post, pretty};
use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::clock::Clock;
use crate::text::SafeText;

/// The header with a message's name: the same each time it is tried.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// An endpoint; its address may hold a secret.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where.
    pub target: Target,
    /// Headers that it wants.
    pub headers: Vec<(HeaderName, Secret)>,
}

fn body(letter: &Letter) -> serde_json::Value {
    json!({
        "id": letter.id,
        "thread": letter.thread,
        "event": letter.event,
        "action": letter.stage.name(),
        "severity": letter.severity,
        "environment": letter.environment,
        "host": letter.host,
        "at": letter.at,
        "headline": letter.headline,
        "details": letter.details,
        "document": letter.document.as_ref().map(|one| json!({
            "title": one.title, "labels": one.labels, "body": one.body,
        })),
        "facts": letter.facts,
    })
}

#[async_trait]
impl Messenger for Webhook {
    async fn send(&self, letter: &Letter, clock: &Clock) -> Result<SafeText, Undelivered> {
        let body = body(letter);
        let mut headers = self.headers.clone();
        headers.push((KEY, Secret::new(letter.id.clone())));
        let (method, target) = (Method::POST, &self.target);
        let answer =
            post("the webhook", Post { method, target, headers, body: &body }, clock).await?;
        Ok(SafeText::new(&format!("{} {}", self.target.place(), answer.status)))
    }

    fn rendered(&self, letter: &Letter) -> String {
        pretty(&body(letter))
    }

    fn shown(&self) -> String {
        format!("webhook {}", self.target.place())
    }
}
