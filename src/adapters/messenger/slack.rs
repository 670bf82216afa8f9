//! Slack, by an incoming webhook (001:350, 004:589).

use async_trait::async_trait;
use hyper::Method;
use serde_json::json;

use super::{Letter, Messenger, Post, Stage, Undelivered, post, pretty};
use crate::adapters::http::Target;
use crate::clock::Clock;
use crate::model::severity::Severity;
use crate::text::SafeText;

/// An incoming webhook; its address is a secret.
#[derive(Clone, Debug)]
pub struct Slack {
    /// Where.
    pub target: Target,
}

/// Text that means nothing to Slack but itself: no mention, no link.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn color(letter: &Letter) -> &'static str {
    match (letter.stage, letter.severity) {
        (Stage::Resolved, _) => "good",
        (Stage::Open | Stage::Acknowledged, Severity::High | Severity::Critical) => "danger",
        (Stage::Open | Stage::Acknowledged, Severity::None | Severity::Low | Severity::Medium) => {
            "warning"
        }
    }
}

/// The line of the documents is the text; what else is known hangs below it.
fn body(letter: &Letter) -> serde_json::Value {
    let details = match &letter.document {
        Some(document) => document.body.clone(),
        None => letter.details.join("\n"),
    };
    let headline = escaped(&letter.headline);
    if details.is_empty() {
        return json!({ "text": headline });
    }
    json!({
        "text": headline,
        "attachments": [{
            "color": color(letter), "text": escaped(&details), "fallback": headline,
        }],
    })
}

#[async_trait]
impl Messenger for Slack {
    async fn send(&self, letter: &Letter, clock: &Clock) -> Result<SafeText, Undelivered> {
        let body = body(letter);
        let (method, target, headers) = (Method::POST, &self.target, Vec::new());
        post("Slack", Post { method, target, headers, body: &body }, clock).await?;
        Ok("Slack has it".into())
    }

    fn rendered(&self, letter: &Letter) -> String {
        pretty(&body(letter))
    }

    fn shown(&self) -> String {
        format!("slack {}", self.target.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_mentions_nobody() {
        assert_eq!(escaped("<!channel> a & b"), "&lt;!channel&gt; a &amp; b");
    }
}
