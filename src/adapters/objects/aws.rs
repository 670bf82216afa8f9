//! Calls to a service with AWS's interface: signed, over connections that are kept, and its answers
//! taken apart. The service may be anybody's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderName;

use crate::adapters::http::{Answer, Call, Line, Target, late};
use crate::adapters::secret::Secret;
use crate::adapters::tcp::Trace;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::ids::Digest;
use crate::text::{SafeText, fit};

use super::sign::{Signed, authorization, in_query};

/// Connections that are kept open.
const KEPT: usize = 64;

/// Who makes the calls.
#[derive(Clone, Debug, PartialEq)]
pub struct AwsKeys {
    /// The name of the key.
    pub id: String,
    /// The key.
    pub secret: Secret,
    /// What goes with a key that is lent for a while.
    pub session: Option<Secret>,
}

/// A service.
pub struct Aws {
    target: Target,
    region: String,
    service: &'static str,
    keys: Option<AwsKeys>,
    clock: Clock,
    idle: Mutex<Vec<Line>>,
}

/// What is asked of it.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    /// Encoded.
    pub(super) path: &'a str,
    /// Not encoded, in order of the names.
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Beside those of the signature; names in lower case.
    pub(super) headers: &'a [(&'a str, String)],
    pub(super) body: Bytes,
    pub(super) limit: Duration,
}

impl<'a> Asked<'a> {
    /// A call without query, headers and body.
    pub(super) fn plain(method: Method, path: &'a str, limit: Duration) -> Self {
        Self { method, path, query: &[], headers: &[], body: Bytes::new(), limit }
    }
}

impl Aws {
    /// The service at `target`; nothing is asked yet. Without keys calls are not signed.
    pub fn new(
        target: Target,
        (region, service): (&str, &'static str),
        keys: Option<AwsKeys>,
        clock: Clock,
    ) -> Self {
        let idle = Mutex::default();
        Self { target, region: region.to_owned(), service, keys, clock, idle }
    }

    /// `host:port`.
    pub(super) fn host(&self) -> String {
        self.target.place()
    }

    /// Asks, and gives the answer whatever it says, with at most `most` bytes of it.
    pub(super) async fn ask(&self, asked: &Asked<'_>, most: usize) -> Result<Answer, Error> {
        let query: Vec<String> = asked
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", in_query(name), in_query(value)))
            .collect();
        let query = query.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let target = self.target.at(&format!("{}{mark}{query}", asked.path));
        let call = Call {
            method: asked.method.clone(),
            headers: self.headers(asked, &query)?,
            body: asked.body.clone(),
        };
        let mut trace = Trace::default();
        let work = self.exchange(&target, &call, most, &mut trace);
        match self.clock.timeout(asked.limit, work).await {
            Ok(ended) => ended,
            Err(_) => Err(late(&target, &trace, asked.limit)),
        }
    }

    /// Over a kept connection where there is one; the other side may have closed that meanwhile,
    /// and then a new one is tried: every call of ours can be repeated.
    async fn exchange(
        &self,
        target: &Target,
        call: &Call,
        most: usize,
        trace: &mut Trace,
    ) -> Result<Answer, Error> {
        if let Some(mut line) = self.kept() {
            match line.ask_for(target, call, most, trace).await {
                Err(error) if error.kind == Kind::Reset => {}
                ended => {
                    self.keep(line);
                    return ended;
                }
            }
        }
        let mut line = Line::open(target, trace).await?;
        let answer = line.ask_for(target, call, most, trace).await?;
        self.keep(line);
        Ok(answer)
    }

    fn kept(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(Line::reusable)
    }

    fn keep(&self, line: Line) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if line.reusable() && idle.len() < KEPT {
            idle.push(line);
        }
    }

    fn headers(&self, asked: &Asked<'_>, query: &str) -> Result<Vec<(HeaderName, Secret)>, Error> {
        let mut headers: Vec<(String, String)> =
            asked.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if let Some(keys) = &self.keys {
            let now = self.clock.now();
            let body = Digest::of(&asked.body).0;
            headers.extend([
                ("host".to_owned(), self.target.authority().to_owned()),
                ("x-amz-content-sha256".to_owned(), body.clone()),
                ("x-amz-date".to_owned(), now.format("%Y%m%dT%H%M%SZ").to_string()),
            ]);
            if let Some(session) = &keys.session {
                headers.push(("x-amz-security-token".to_owned(), session.reveal().to_owned()));
            }
            headers.sort();
            let (method, path) = (asked.method.as_str(), asked.path);
            let signed = Signed { method, path, query, headers: &headers, body: &body };
            let who = (keys.id.as_str(), keys.secret.reveal());
            let value = authorization(who, (&self.region, self.service), now, &signed);
            headers.retain(|(name, _)| name != "host");
            headers.push(("authorization".to_owned(), value));
        }
        let named = headers.into_iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|e| Error::new(Kind::Local, format!("could not name a header: {e}")))?;
            Ok((name, Secret::new(value)))
        });
        named.collect()
    }

    /// Asks, and fails where the answer is no, saying what could not be done. One that was cut at
    /// `most` bytes is an error too.
    pub(super) async fn must(
        &self,
        what: &str,
        asked: &Asked<'_>,
        most: usize,
    ) -> Result<Vec<u8>, Error> {
        let answer = self.ask(asked, most).await.map_err(|error| {
            Error::new(error.kind, format!("could not {what}: {}", error.message))
        })?;
        // An error may come after the status has been sent (a long copy).
        let fine = (200..300).contains(&answer.status) && !holds_error(&answer.body);
        if fine && answer.whole {
            return Ok(answer.body);
        }
        let text = String::from_utf8_lossy(&answer.body);
        let code = inner(&text, "Code").unwrap_or_default();
        let kind = match answer.status {
            401 | 403 => Kind::Denied,
            // That there is no such bucket says nothing of the object.
            404 if code != "NoSuchBucket" => Kind::NotFound,
            _ => Kind::Rejected,
        };
        let message = inner(&text, "Message").unwrap_or_default();
        let said = fit(SafeText::new(&format!("{code} {message}")).as_str(), 160);
        let why = if fine && !answer.whole {
            format!("it answers more than {most} bytes")
        } else {
            format!("{} answers {} {said}", self.host(), answer.status)
        };
        Err(Error::new(kind, format!("could not {what}: {why}")))
    }
}

/// Whether an XML answer is an error, whatever its status says.
fn holds_error(body: &[u8]) -> bool {
    let head = String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned();
    (head.starts_with("<?xml") || head.starts_with("<Error>")) && head.contains("<Error>")
}

/// What stands between `<tag>` and `</tag>` the first time, with its entities replaced.
pub(super) fn inner(xml: &str, tag: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
    let (text, _) = rest.split_once(&format!("</{tag}>"))?;
    let plain = [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&apos;", "'"), ("&#34;", "\"")];
    let mut text = text.to_owned();
    for (entity, plain) in plain {
        text = text.replace(entity, plain);
    }
    Some(text.replace("&amp;", "&"))
}

/// The insides of each `<tag>…</tag>`.
pub(super) fn each<'a>(xml: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(open.as_str()).skip(1).filter_map(|part| Some(part.split_once(&close)?.0)).collect()
}
