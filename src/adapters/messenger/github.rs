//! GitHub: one issue an incident (S-60), opened once and kept up to date.
//!
//! An issue has no idempotency key of its own; a mark in its body is one. Before one is opened the
//! newest with our labels are looked through for it.

use async_trait::async_trait;
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Document, Letter, Messenger, Post, Undelivered, ask, post, pretty};
use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::text::SafeText;

/// Where its API is when the configuration says nothing else.
pub const ADDRESS: &str = "https://api.github.com";
/// The longest body that is taken, in bytes, with room for the mark.
const BODY: usize = 60_000;
/// Issues a page: more would not fit what is read of an answer.
const PAGE: usize = 3;
/// Pages that are looked through.
const PAGES: usize = 5;

/// A repository whose issues are written.
#[derive(Clone, Debug)]
pub struct GitHub {
    /// Its API.
    pub target: Target,
    /// `owner/name`.
    pub repository: String,
    /// A token that may write issues.
    pub token: Secret,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    #[serde(default)]
    body: Option<String>,
}

/// What tells our issue from others.
fn mark(letter: &Letter) -> String {
    format!("<!-- backout {} -->", letter.thread)
}

fn document(letter: &Letter) -> Document {
    letter.document.clone().unwrap_or_else(|| Document {
        title: letter.headline.clone(),
        labels: vec!["incident", "production", "rollback"],
        body: letter.plain(),
    })
}

fn body(letter: &Letter) -> Value {
    let document = document(letter);
    let mut text = document.body;
    if text.len() > BODY {
        let end = (0..=BODY).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("\n\n(cut here)\n");
    }
    text.extend(["\n", &mark(letter), "\n"]);
    json!({ "title": document.title, "labels": document.labels, "body": text })
}

impl GitHub {
    fn headers(&self) -> Vec<(HeaderName, Secret)> {
        vec![
            (AUTHORIZATION, Secret::new(format!("Bearer {}", self.token.reveal()))),
            (ACCEPT, Secret::new("application/vnd.github+json")),
            (HeaderName::from_static("x-github-api-version"), Secret::new("2022-11-28")),
        ]
    }

    /// The number of the issue with our mark.
    async fn find(&self, letter: &Letter, clock: &Clock) -> Result<Option<u64>, Undelivered> {
        let labels = document(letter).labels.join(",");
        let mark = mark(letter);
        for page in 1..=PAGES {
            let path = format!(
                "/repos/{}/issues?state=all&labels={labels}&per_page={PAGE}&page={page}",
                self.repository
            );
            let target = self.target.below(&path);
            let call = Call { headers: self.headers(), ..Call::get() };
            let answer = ask("GitHub", (&target, call), clock).await?;
            let issues: Vec<Issue> = serde_json::from_slice(&answer.body).map_err(|why| {
                let why = format!("could not read the issues of {}: {why}", self.repository);
                Undelivered::soon(Error::new(Kind::Rejected, why))
            })?;
            let ours =
                |issue: &&Issue| issue.body.as_ref().is_some_and(|body| body.contains(&mark));
            if let Some(issue) = issues.iter().find(ours) {
                return Ok(Some(issue.number));
            }
            if issues.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Messenger for GitHub {
    async fn send(&self, letter: &Letter, clock: &Clock) -> Result<SafeText, Undelivered> {
        let found = self.find(letter, clock).await?;
        let base = format!("/repos/{}/issues", self.repository);
        let (method, path) = match found {
            Some(number) => (Method::PATCH, format!("{base}/{number}")),
            None => (Method::POST, base),
        };
        let (target, headers, body) = (self.target.below(&path), self.headers(), body(letter));
        let sent = Post { method, target: &target, headers, body: &body };
        let answer = post("GitHub", sent, clock).await?;
        let number = serde_json::from_slice::<Issue>(&answer.body).map(|issue| issue.number);
        let number = number.ok().or(found).map_or_else(String::new, |number| format!(" #{number}"));
        Ok(SafeText::new(&format!("issue {}{number}", self.repository)))
    }

    fn rendered(&self, letter: &Letter) -> String {
        pretty(&body(letter))
    }

    fn shown(&self) -> String {
        format!("github {} at {}", self.repository, self.target.place())
    }
}
