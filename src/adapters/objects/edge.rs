//! Caches before a site: told that what they keep is old, and asked until they have said that all
//! of them know (W-32).

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapters::http::{Answer, Call, Target, once, once_for};
use crate::adapters::secret::Secret;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;

use super::aws::Aws;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(15);

/// A cache.
pub enum Edge {
    /// A distribution of `CloudFront`.
    CloudFront(CloudFront),
    /// Anything that takes a call.
    Purge(Box<Purge>),
}

/// A distribution of `CloudFront`.
pub struct CloudFront {
    /// Its API.
    pub aws: Aws,
    /// Its name.
    pub distribution: String,
}

/// A cache that is told by one call.
#[derive(Clone, Debug)]
pub struct Purge {
    /// It is sent a POST with `{"paths": [...]}`.
    pub url: Target,
    /// Where it says in its JSON that `status` is `completed`; without it the call's answer is
    /// the end of it.
    pub status_url: Option<Target>,
    /// Its bearer token.
    pub token: Option<Secret>,
    /// Time.
    pub clock: Clock,
}

impl Edge {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::CloudFront(one) => format!("CloudFront {}", one.distribution),
            Self::Purge(one) => one.url.place(),
        }
    }

    /// The command by which a person would do it.
    pub fn by_hand(&self, paths: &[String]) -> String {
        match self {
            Self::CloudFront(one) => format!(
                "aws cloudfront create-invalidation --distribution-id {} --paths '{}'",
                one.distribution,
                paths.join("' '")
            ),
            Self::Purge(one) => format!(
                "curl -sS --fail -X POST -H 'Content-Type: application/json' -d '{}' {}",
                json!({"paths": paths}),
                one.url.place()
            ),
        }
    }

    /// Says that these paths are old. The name under which it can be asked for. The same effect
    /// told twice is one invalidation where the cache tells them apart.
    pub async fn invalidate(&self, paths: &[String], effect: &str) -> Result<String, Error> {
        match self {
            Self::CloudFront(one) => one.invalidate(paths, effect).await,
            Self::Purge(one) => {
                let body = json!({"paths": paths, "reference": effect}).to_string();
                one.call(&one.url, Method::POST, body).await.map(|_| effect.to_owned())
            }
        }
    }

    /// Whether it has said that the invalidation of that name is everywhere.
    pub async fn completed(&self, name: &str) -> Result<bool, Error> {
        let status = match self {
            Self::CloudFront(one) => one.status(name).await?,
            Self::Purge(one) => {
                let Some(url) = &one.status_url else { return Ok(true) };
                let answer = one.call(url, Method::GET, String::new()).await?;
                let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                said.get("status").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
        };
        Ok(status.eq_ignore_ascii_case("completed"))
    }
}

impl CloudFront {
    fn path(&self) -> String {
        format!("/2020-05-31/distribution/{}/invalidation", self.distribution)
    }

    async fn invalidate(&self, paths: &[String], effect: &str) -> Result<String, Error> {
        let what = format!("invalidate {} at CloudFront {}", paths.join(" "), self.distribution);
        let batch = InvalidationBatch {
            xmlns: "http://cloudfront.amazonaws.com/doc/2020-05-31/",
            paths: Paths { quantity: paths.len(), items: Items { path: paths } },
            caller_reference: effect,
        };
        let body = quick_xml::se::to_string(&batch)
            .map_err(|e| Error::new(Kind::Local, format!("could not {what}: {e}")))?;
        Ok(self.order(&what, (Method::POST, &self.path()), body).await?.id)
    }

    async fn status(&self, name: &str) -> Result<String, Error> {
        let what = format!("ask for invalidation {name} at CloudFront {}", self.distribution);
        let path = format!("{}/{name}", self.path());
        Ok(self.order(&what, (Method::GET, &path), String::new()).await?.status)
    }

    async fn order(
        &self,
        what: &str,
        (method, path): (Method, &str),
        body: String,
    ) -> Result<Invalidation, Error> {
        let said = self.aws.order(what, ("cloudfront", method, path), body).await?;
        quick_xml::de::from_str(&String::from_utf8_lossy(&said)).map_err(|e| {
            let message = format!("could not {what}: its answer names no invalidation: {e}");
            Error::new(Kind::Reset, message)
        })
    }
}

/// What `CloudFront` is asked for.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InvalidationBatch<'a> {
    #[serde(rename = "@xmlns")]
    xmlns: &'a str,
    paths: Paths<'a>,
    caller_reference: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Paths<'a> {
    quantity: usize,
    items: Items<'a>,
}

#[derive(Serialize)]
struct Items<'a> {
    #[serde(rename = "Path")]
    path: &'a [String],
}

/// What it says of it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invalidation {
    id: String,
    status: String,
}

impl Purge {
    async fn call(&self, url: &Target, method: Method, body: String) -> Result<Answer, Error> {
        order(url, method, (body, self.token.as_ref()), &self.clock).await
    }
}

/// Sends JSON with a bearer token, and fails where the answer is no.
pub(super) async fn order(
    url: &Target,
    method: Method,
    (body, token): (String, Option<&Secret>),
    clock: &Clock,
) -> Result<Answer, Error> {
    let mut headers: Vec<(HeaderName, Secret)> =
        vec![(CONTENT_TYPE, Secret::plain("application/json"))];
    let bearer = token.map(|token| Secret::new(format!("Bearer {}", token.reveal())));
    headers.extend(bearer.map(|bearer| (AUTHORIZATION, bearer)));
    let call = Call { method: method.clone(), headers, body: Bytes::from(body) };
    let answer = once(url, &call, LIMIT, clock).await.0?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let (place, status) = (url.place(), answer.status);
    let kind = if matches!(status, 401 | 403) { Kind::Denied } else { Kind::Rejected };
    Err(Error::new(kind, format!("could not {method} at {place}: it answers {status}")))
}

/// The service that releases a version on phones.
#[derive(Clone, Debug)]
pub struct Mobile {
    /// It is sent a POST with `{"platform": …, "version": …}`.
    pub url: Target,
    /// Its bearer token.
    pub token: Option<Secret>,
}

impl Mobile {
    /// Asks it to give a platform this version back. Whether users have it is the store's matter.
    pub async fn release(&self, platform: &str, version: &str, clock: &Clock) -> Result<(), Error> {
        let body = json!({"platform": platform, "version": version}).to_string();
        order(&self.url, Method::POST, (body, self.token.as_ref()), clock).await.map(drop)
    }

    /// The command by which a person would do it.
    pub fn by_hand(&self, platform: &str, version: &str) -> String {
        let body = json!({"platform": platform, "version": version});
        format!(
            "curl -sS --fail -X POST -H \"Authorization: Bearer $ADMIN_TOKEN\" -d '{body}' {}",
            self.url.place()
        )
    }
}

fn target(url: &str) -> Result<Target, Error> {
    Target::parse(url).map_err(|why| Error::new(Kind::Local, format!("could not ask: it {why}")))
}

/// That the registry of versions knows the one at `url`; a version it does not know is
/// [`Kind::NotFound`].
pub async fn registered(url: &str, clock: &Clock) -> Result<(), Error> {
    let target = target(url)?;
    let answer = once(&target, &Call::get(), LIMIT, clock).await.0?;
    let place = target.place();
    let (kind, why) = match answer.status {
        200..=299 => return Ok(()),
        404 | 410 => (Kind::NotFound, "the registry of versions does not know it".to_owned()),
        status => (Kind::Rejected, format!("the registry at {place} answers {status}")),
    };
    Err(Error::new(kind, format!("could not take this version: {why}")))
}

/// What the service says of clients of a version: `compatible` in its JSON.
pub async fn compatible(url: &str, clock: &Clock) -> Result<bool, Error> {
    let target = target(url)?;
    let answer = order(&target, Method::GET, (String::new(), None), clock).await?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    said.get("compatible").and_then(Value::as_bool).ok_or_else(|| {
        let message = format!("could not read {}: it has no \"compatible\"", target.place());
        Error::new(Kind::Rejected, message)
    })
}

/// The version that the manifest at `url` names, as users get it; none where `version` is not
/// asked for and any good answer will do.
pub async fn served(url: &str, clock: &Clock) -> Result<Option<String>, Error> {
    let target = target(url)?;
    let call = Call {
        headers: vec![(hyper::header::CACHE_CONTROL, Secret::plain("no-cache"))],
        ..Call::get()
    };
    // The manifest of a site of ten thousand objects is one of some megabytes.
    let answer = once_for(&target, &call, super::MOST, LIMIT, clock).await.0?;
    if !(200..300).contains(&answer.status) {
        let message = format!("could not see {url} well: it answers {}", answer.status);
        return Err(Error::new(Kind::Rejected, message));
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(said.get("version").and_then(Value::as_str).map(str::to_owned))
}
