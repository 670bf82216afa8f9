//! What the API server and the way to it say, in our words.

use std::error::Error as _;
use std::time::Duration;

use serde::Deserialize;

use crate::adapters::{Error, Kind};
use crate::text::{SafeText, fit};

/// The most of the server's words in an error.
const WORDS: usize = 400;
/// What a person must know of a change that nobody answered.
const MAY_HAVE: &str = "it may have happened all the same: look before trying again";

/// The server's own account of a no.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    reason: String,
}

/// Whether the server's own account says that the object is there already.
pub(super) const EXISTS: &str = "AlreadyExists";

/// Nobody answered within `limit`.
pub(super) fn silent(what: &str, server: &str, limit: Duration, changes: bool) -> Error {
    let rest = if changes { format!("; {MAY_HAVE}") } else { String::new() };
    let seconds = limit.as_secs_f64();
    let message = format!("could not {what}: {server} gave no answer in {seconds:.1} s{rest}");
    Error::new(Kind::TimedOut, message)
}

/// The server said no, or could not say.
pub(super) fn refused(what: &str, status: u16, bytes: &[u8], changes: bool) -> Error {
    let said: Status = serde_json::from_slice(bytes).unwrap_or_default();
    let text = SafeText::new(said.message.trim());
    let text = if text.is_empty() { format!("HTTP {status}") } else { fit(text.as_str(), WORDS) };
    let error = |kind, why: String| Error::new(kind, format!("could not {what}: {why}"));
    match status {
        401 => error(
            Kind::Denied,
            "the cluster does not know us (401): the token in the kubeconfig is wrong or has \
             expired; renew it, the next try reads the file anew"
                .to_owned(),
        ),
        403 => error(Kind::Denied, format!("no right to: {text}")),
        404 => error(Kind::NotFound, text),
        409 if said.reason == EXISTS => error(Kind::Conflict, text),
        409 => error(Kind::Conflict, format!("it was changed meanwhile, nothing was done: {text}")),
        410 => error(Kind::Conflict, format!("what was read is too old by now: {text}")),
        // The server's own store did not answer it in time: what was asked may be on its way.
        500 | 502 | 503 | 504 if changes => {
            error(Kind::TimedOut, format!("{text} (HTTP {status}); {MAY_HAVE}"))
        }
        504 => error(Kind::TimedOut, text),
        _ => error(Kind::Rejected, text),
    }
}

/// The way to the server broke.
pub(super) fn broken(what: &str, server: &str, error: &kube::Error) -> Error {
    let mut next = error.source();
    let mut chain = Vec::new();
    let mut io = None;
    let mut tls = false;
    while let Some(one) = next {
        chain.push(one.to_string());
        if let Some(found) = one.downcast_ref::<std::io::Error>() {
            io = Some(found.kind());
            // The library hides its own error in an I/O error.
            tls = tls
                || found
                    .get_ref()
                    .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
        }
        tls = tls || one.is::<rustls::Error>();
        next = one.source();
    }
    // The last words are the cause; the ones before only say on whose behalf.
    let said = chain.last().cloned().unwrap_or_else(|| error.to_string());
    // Where the library's manual explains it is no word for who reads this at night.
    let said = said.split(": https://docs.rs/").next().unwrap_or_default();
    let said = fit(SafeText::new(said).as_str(), WORDS);
    let name = chain.iter().any(|words| words.contains("dns error"));
    let of = |kind, why: String| Error::new(kind, format!("could not {what}: {why}"));
    if name {
        return of(Kind::NotResolved, format!("the name in {server} did not resolve: {said}"));
    }
    if tls {
        return of(Kind::Tls, format!("{server} is not who the kubeconfig says: {said}"));
    }
    match io {
        Some(std::io::ErrorKind::ConnectionRefused) => {
            of(Kind::Refused, format!("no API server listens at {server}"))
        }
        Some(std::io::ErrorKind::TimedOut) => {
            of(Kind::TimedOut, format!("{server} took no connection in time; nothing was sent"))
        }
        _ => of(Kind::Reset, format!("the connection to {server} broke: {said}; {MAY_HAVE}")),
    }
}
