//! What the proxy holds: the maintenance page, and all but reading.

use std::collections::BTreeSet;

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde::Deserialize;

use crate::model::hold::HoldPart;

use super::disk::write_json;
use super::http::{Answer, answer, json, refusal};
use super::proxy::Proxy;
use super::proxy_control::{path, state};

/// When clients should ask again, in seconds.
const AGAIN: u32 = 30;

const PAGE: &str = "<!doctype html>\n<title>Maintenance</title>\n<h1>We will be back soon</h1>\n\
    <p>Nothing is lost. Please try again in a few minutes.</p>\n";

/// `POST /hold`.
#[derive(Debug, Deserialize)]
pub struct HoldOrder {
    part: HoldPart,
    held: bool,
    effect: Option<String>,
}

/// What a client gets instead of an answer, while something is held that concerns it.
pub fn instead(held: &BTreeSet<HoldPart>, method: &Method) -> Option<Answer> {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let mut refused = if held.contains(&HoldPart::Page) {
        answer(StatusCode::SERVICE_UNAVAILABLE, "text/html; charset=utf-8", PAGE)
    } else if held.contains(&HoldPart::Writers) && !reads {
        let why = "nothing is written at the moment, reading goes on: try again later";
        refusal(StatusCode::SERVICE_UNAVAILABLE, why)
    } else {
        return None;
    };
    refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from(AGAIN));
    Some(refused)
}

/// Holds or lifts. What is so already changes nothing and leaves no line.
pub fn hold(proxy: &Proxy, order: &HoldOrder) -> Answer {
    if order.part == HoldPart::Consumers {
        let why = "could not hold consumers: no request of theirs passes here";
        return refusal(StatusCode::BAD_REQUEST, why);
    }
    {
        let mut kept = proxy.kept();
        let before = kept.clone();
        let changed =
            if order.held { kept.holds.insert(order.part) } else { kept.holds.remove(&order.part) };
        if changed {
            if let Err(e) = write_json(&path(&proxy.layout), &*kept) {
                *kept = before;
                return refusal(StatusCode::INTERNAL_SERVER_ERROR, &e.message);
            }
            let key = order.effect.as_deref().unwrap_or("-");
            let what = format!("{} {}", if order.held { "hold" } else { "unhold" }, order.part);
            proxy.layout.ledger(proxy.clock.now(), &what, key).ok();
            proxy.note(&format!("INFO {what} effect={key}"));
        }
    }
    json(StatusCode::OK, &state(proxy))
}
