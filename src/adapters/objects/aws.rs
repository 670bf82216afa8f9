//! A service with AWS's interface, and how calls to it go over our own connections. Signing and the
//! protocol of S3 are `object_store`'s.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use hyper::{Method, Response};
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService,
};

use crate::adapters::http::{Answer, Call, Line, Target, late};
use crate::adapters::secret::Secret;
use crate::adapters::tcp::Trace;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::text::{SafeText, fit};

/// Connections that are kept open.
const KEPT: usize = 64;
/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The same for one that moves much: a copy on the server's side, or a part of a large object.
const LONG: Duration = Duration::from_mins(5);
/// From this on a body is much, in bytes.
const MUCH: usize = 1024 * 1024;

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

impl AwsKeys {
    fn credential(&self) -> AwsCredential {
        AwsCredential {
            key_id: self.id.clone(),
            secret_key: self.secret.reveal().to_owned(),
            token: self.session.as_ref().map(|token| token.reveal().to_owned()),
        }
    }
}

/// A service. Cheap to clone: clones share its connections.
#[derive(Clone)]
pub struct Aws(Arc<Service>);

struct Service {
    target: Target,
    region: String,
    keys: Option<AwsKeys>,
    clock: Clock,
    idle: Mutex<Vec<Line>>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Aws").field(&self.0.target).finish()
    }
}

impl Aws {
    /// The service at `target`; nothing is asked yet. Without keys calls are not signed.
    pub fn new(target: Target, region: &str, keys: Option<AwsKeys>, clock: Clock) -> Self {
        let (region, idle) = (region.to_owned(), Mutex::default());
        Self(Arc::new(Service { target, region, keys, clock, idle }))
    }

    /// `host:port`.
    pub(super) fn host(&self) -> String {
        self.0.target.place()
    }

    /// `https://host:port`.
    pub(super) fn endpoint(&self) -> String {
        self.0.target.origin()
    }

    pub(super) fn region(&self) -> &str {
        &self.0.region
    }

    pub(super) fn keys(&self) -> Option<&AwsKeys> {
        self.0.keys.as_ref()
    }

    /// Sends XML to an API of `service`, signed, and gives its answer where that is good.
    pub(super) async fn order(
        &self,
        what: &str,
        (service, method, path): (&str, Method, &str),
        body: String,
    ) -> Result<Vec<u8>, Error> {
        let wrong =
            |e: &dyn std::fmt::Display| Error::new(Kind::Local, format!("could not {what}: {e}"));
        let mut request = HttpRequest::new(HttpRequestBody::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.endpoint()).parse().map_err(|e| wrong(&e))?;
        let xml = hyper::header::HeaderValue::from_static("application/xml");
        request.headers_mut().insert(CONTENT_TYPE, xml);
        if let Some(keys) = self.keys() {
            let credential = keys.credential();
            let signs = AwsAuthorizer::new(&credential, service, &self.0.region);
            signs.try_authorize(&mut request, None).map_err(|e| wrong(&e))?;
        }
        let answer = self.exchange(request).await.map_err(|error| {
            Error::new(error.kind, format!("could not {what}: {}", error.message))
        })?;
        match answer.status {
            200..=299 => Ok(answer.body),
            status => {
                let said = said(&String::from_utf8_lossy(&answer.body));
                let kind = if matches!(status, 401 | 403) { Kind::Denied } else { Kind::Rejected };
                let host = self.host();
                Err(Error::new(kind, format!("could not {what}: {host} answers {status} {said}")))
            }
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<Answer, Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|e| Error::new(Kind::Local, e.to_string()))?;
        let body = body.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let target = self.0.target.at(path);
        let much = head.headers.contains_key("x-amz-copy-source") || body.len() >= MUCH;
        let limit = if much { LONG } else { LIMIT };
        // Those are the connection's own to say.
        let ours = |name: &HeaderName| [HOST, CONTENT_LENGTH, USER_AGENT].contains(name);
        let mut headers = Vec::new();
        for (name, value) in head.headers.iter().filter(|(name, _)| !ours(name)) {
            let value = value.to_str().map_err(|e| Error::new(Kind::Local, e.to_string()))?;
            headers.push((name.clone(), Secret::new(value.to_owned())));
        }
        let call = Call { method: head.method, headers, body };
        let mut trace = Trace::default();
        let ended = self.0.clock.timeout(limit, self.0.over(&target, &call, &mut trace)).await;
        let answer = ended.unwrap_or_else(|_| Err(late(&target, &trace, limit)))?;
        if !answer.whole {
            let (place, most) = (target.place(), super::MOST);
            let message = format!("could not read from {place}: more than {most} bytes");
            return Err(Error::new(Kind::Rejected, message));
        }
        Ok(answer)
    }
}

impl Service {
    /// Over a kept connection where there is one; the other side may have closed that meanwhile,
    /// and then a new one is tried: every call of ours can be repeated.
    async fn over(&self, target: &Target, call: &Call, trace: &mut Trace) -> Result<Answer, Error> {
        if let Some(mut line) = self.kept() {
            match line.ask_for(target, call, super::MOST, trace).await {
                Err(error) if error.kind == Kind::Reset => {}
                ended => {
                    self.keep(line);
                    return ended;
                }
            }
        }
        let mut line = Line::open(target, trace).await?;
        let answer = line.ask_for(target, call, super::MOST, trace).await?;
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
}

#[async_trait]
impl HttpService for Aws {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.exchange(request).await.map_err(|error| {
            let kind = match error.kind {
                Kind::Refused => HttpErrorKind::Connect,
                Kind::Reset => HttpErrorKind::Interrupted,
                // Whoever waits has waited long enough.
                _ => HttpErrorKind::Unknown,
            };
            HttpError::new(kind, error)
        })?;
        let mut response = Response::new(Bytes::from(answer.body).into());
        *response.status_mut() = hyper::StatusCode::from_u16(answer.status)
            .map_err(|e| HttpError::new(HttpErrorKind::Decode, e))?;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl HttpConnector for Aws {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// What an error in XML says: `AccessDenied Access Denied`.
pub(super) fn said(text: &str) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Refusal {
        code: String,
        #[serde(default)]
        message: String,
    }
    let words = text
        .find("<Error>")
        .and_then(|at| quick_xml::de::from_str::<Refusal>(text.get(at..)?).ok())
        .map_or_else(|| text.to_owned(), |said| format!("{} {}", said.code, said.message));
    fit(SafeText::new(&words).as_str(), 160)
}
