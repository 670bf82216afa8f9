//! What carries a message to people or to another system: one trait, one file per kind (P-20).
//! Nothing here tries again; it says whether and when trying again makes sense.

use std::time::Duration;

use async_trait::async_trait;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use hyper::{Method, StatusCode};

use crate::clock::Clock;
use crate::model::ids::Time;
use crate::model::severity::Severity;
use crate::text::{SafeText, fit};

use super::http::{self, Answer, Call, Target};
use super::secret::Secret;
use super::{Error, Kind};

pub mod command;
pub mod email;
pub mod github;
pub mod pagerduty;
pub mod slack;
pub mod webhook;

/// How long one request may take.
pub const LIMIT: Duration = Duration::from_secs(5);
/// The longest that a receiver may make us wait before we try again.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Where a message stands in its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Something begins, or goes on.
    Open,
    /// A person looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl Stage {
    /// `trigger`, `acknowledge`, `resolve`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "trigger",
            Self::Acknowledged => "acknowledge",
            Self::Resolved => "resolve",
        }
    }
}

/// A message, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Its name, the same each time it is tried.
    pub id: String,
    /// The name of its thread in all journals: `k7qd/INC-0142`.
    pub thread: String,
    /// Where it stands in it.
    pub stage: Stage,
    /// `start`, `failure`, … as a configuration calls it.
    pub event: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// When it happened.
    pub at: Time,
    /// The environment.
    pub environment: String,
    /// The host that tells.
    pub host: String,
    /// One line, as the documents write it.
    pub headline: String,
    /// What a person wants to know beside it, a line a fact.
    pub details: Vec<String>,
    /// The document of this message, where the receiver wants one.
    pub document: Option<Document>,
    /// The same for programs.
    pub facts: serde_json::Value,
}

/// A document about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its title or subject.
    pub title: String,
    /// Labels for a tracker.
    pub labels: Vec<&'static str>,
    /// The text.
    pub body: String,
}

impl Letter {
    /// The line and the facts.
    pub fn plain(&self) -> String {
        let mut text = self.headline.clone();
        for line in &self.details {
            text.push('\n');
            text.push_str(line);
        }
        text
    }
}

/// Why a message did not arrive, and whether to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// What was tried and what came of it.
    pub error: Error,
    /// Whether it may be tried again.
    pub again: Again,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// No: the answer will be the same.
    Never,
    /// Yes, when we like.
    Soon,
    /// Yes, after this time, as the receiver asked.
    After(Duration),
}

impl Undelivered {
    /// It will be the same the next time.
    pub fn never(error: Error) -> Self {
        Self { error, again: Again::Never }
    }

    /// It may go well the next time.
    pub fn soon(error: Error) -> Self {
        Self { error, again: Again::Soon }
    }
}

/// Carries messages.
#[async_trait]
pub trait Messenger: std::fmt::Debug + Send + Sync {
    /// Sends one; what the receiver said.
    ///
    /// Fails with [`Undelivered`]; after a time-out the message may have arrived.
    async fn send(&self, letter: &Letter, clock: &Clock) -> Result<SafeText, Undelivered>;

    /// What would be sent, for people, without any secret.
    fn rendered(&self, letter: &Letter) -> String;

    /// Its kind and where it goes, without any secret.
    fn shown(&self) -> String;
}

/// A JSON request that changes something.
pub(super) struct Post<'a> {
    pub(super) method: Method,
    pub(super) target: &'a Target,
    pub(super) headers: Vec<(HeaderName, Secret)>,
    pub(super) body: &'a serde_json::Value,
}

/// Sends JSON, and takes every answer but 2xx for a no.
pub(super) async fn post(what: &str, post: Post<'_>, clock: &Clock) -> Result<Answer, Undelivered> {
    let mut headers = post.headers;
    headers.push((CONTENT_TYPE, Secret::new("application/json")));
    let body = Bytes::from(post.body.to_string());
    ask(what, (post.target, Call { method: post.method, headers, body }), clock).await
}

/// One request; every answer but 2xx is a no, with a word on whether to try again.
pub(super) async fn ask(
    what: &str,
    (target, call): (&Target, Call),
    clock: &Clock,
) -> Result<Answer, Undelivered> {
    let (answered, _) = http::once(target, &call, LIMIT, clock).await;
    let answer = answered.map_err(|error| match error.kind {
        Kind::Local | Kind::Denied | Kind::NotFound | Kind::Rejected | Kind::NoSpace => {
            Undelivered::never(error)
        }
        Kind::Refused
        | Kind::Reset
        | Kind::TimedOut
        | Kind::NotResolved
        | Kind::Tls
        | Kind::Held
        | Kind::Conflict => Undelivered::soon(error),
    })?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let said = SafeText::from_bytes(answer.body.get(..200).unwrap_or(&answer.body));
    let reason = StatusCode::from_u16(answer.status).ok().and_then(|code| code.canonical_reason());
    let why = format!(
        "could not tell {what}: {} {}: {}",
        answer.status,
        reason.unwrap_or_default(),
        fit(said.as_str(), 120)
    );
    let error = Error::new(Kind::Rejected, why.trim_end_matches([':', ' ']));
    Err(Undelivered { error, again: again(&answer) })
}

/// What a status says of trying again; `Retry-After` in seconds is obeyed (RFC 9110 10.2.3).
fn again(answer: &Answer) -> Again {
    let wait = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = wait.and_then(|text| text.trim().parse::<u64>().ok()).map(Duration::from_secs);
    match (answer.status, wait) {
        (408 | 425 | 429 | 500..=599, Some(wait)) => Again::After(wait.min(LONGEST_WAIT)),
        (408 | 425 | 429 | 500..=599, None) => Again::Soon,
        _ => Again::Never,
    }
}

/// JSON for people.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, wait: Option<&str>) -> Answer {
        let mut headers = hyper::HeaderMap::new();
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, wait.parse().unwrap());
        }
        Answer { status, headers, body: Vec::new(), whole: true, certificate_until: None }
    }

    #[test]
    fn a_receiver_says_when_to_come_back_and_a_no_stays_a_no() {
        let after = |seconds| Again::After(Duration::from_secs(seconds));
        assert_eq!(again(&answer(429, Some("7"))), after(7));
        assert_eq!(again(&answer(503, Some("86400"))), after(600));
        assert_eq!(again(&answer(503, Some("soon"))), Again::Soon);
        assert_eq!(again(&answer(502, None)), Again::Soon);
        assert_eq!(again(&answer(404, None)), Again::Never);
        assert_eq!(again(&answer(302, Some("7"))), Again::Never);
    }
}
