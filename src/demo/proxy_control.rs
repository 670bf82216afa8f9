//! The proxy's control port: its state, the switch, draining, and what it holds.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::hold::HoldPart;

use super::disk::{read_json, stamp, write_json};
use super::http::{Answer, gather, json, refusal};
use super::layout::{Color, Layout};
use super::proxy::Proxy;
use super::proxy_hold::{HoldOrder, hold};

/// How many effect keys are remembered.
const KEYS: usize = 1000;
/// The largest order that is read, in bytes.
const ORDER_LIMIT: usize = 64 * 1024;
/// The longest draining that can be asked for.
const DRAIN_LIMIT: Duration = Duration::from_mins(10);
/// How long cut requests get to disappear.
const CUT_LIMIT: Duration = Duration::from_millis(500);

/// `D/proxy/state.json`: what the proxy knows again after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where requests go.
    pub active: Color,
    /// When it was switched last, RFC 3339.
    pub switched_at: String,
    /// The effect key of the last switch.
    pub effect: Option<String>,
    /// The effect keys that were carried out, oldest first.
    pub keys: VecDeque<String>,
    /// What is held: the page, the writers.
    #[serde(default)]
    pub holds: BTreeSet<HoldPart>,
}

impl Kept {
    /// What was kept, or blue.
    pub fn load(layout: &Layout, now: DateTime<Utc>) -> Self {
        read_json(&path(layout)).unwrap_or_else(|_| Self {
            active: Color::Blue,
            switched_at: stamp(now),
            effect: None,
            keys: VecDeque::new(),
            holds: BTreeSet::new(),
        })
    }
}

pub(super) fn path(layout: &Layout) -> std::path::PathBuf {
    layout.at("proxy/state.json")
}

#[derive(Debug, Deserialize)]
struct SwitchOrder {
    to: Color,
    effect: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DrainOrder {
    color: Color,
    deadline_ms: u64,
}

const USE: &str = "use GET /state, POST /switch, POST /drain, POST /hold";

/// Answers one request at the control port.
pub async fn answer(proxy: Arc<Proxy>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET, "/state") => json(StatusCode::OK, &state(&proxy)),
        (&Method::POST, "/switch") => match order::<SwitchOrder>(request).await {
            Ok(order) => switch(&proxy, &order),
            Err(refused) => refused,
        },
        (&Method::POST, "/drain") => match order::<DrainOrder>(request).await {
            Ok(order) => drain(&proxy, &order).await,
            Err(refused) => refused,
        },
        (&Method::POST, "/hold") => match order::<HoldOrder>(request).await {
            Ok(order) => hold(&proxy, &order),
            Err(refused) => refused,
        },
        (_, "/state" | "/switch" | "/drain" | "/hold") => {
            refusal(StatusCode::METHOD_NOT_ALLOWED, USE)
        }
        _ => refusal(StatusCode::NOT_FOUND, USE),
    }
}

async fn order<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Answer> {
    let bad =
        |why: String| refusal(StatusCode::BAD_REQUEST, &format!("could not read the order: {why}"));
    let text = gather(request.into_body(), ORDER_LIMIT).await.map_err(bad)?;
    serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))
}

pub(super) fn state(proxy: &Proxy) -> Value {
    let color = |color: Color| {
        let upstream = proxy.upstream(color);
        json!({
            "address": upstream.pool.address().to_string(),
            "in_flight": *upstream.in_flight.borrow(),
        })
    };
    let kept = proxy.kept();
    json!({
        "active": kept.active,
        "holds": kept.holds,
        "requests": proxy.requests.load(Ordering::Relaxed),
        "failed": proxy.failed.load(Ordering::Relaxed),
        "colors": {"blue": color(Color::Blue), "green": color(Color::Green)},
        "switched_at": kept.switched_at,
        "effect": kept.effect,
    })
}

/// Sends new requests to another colour from now on. What was ordered before under the same key,
/// or is so already, changes nothing and leaves no line.
fn switch(proxy: &Proxy, order: &SwitchOrder) -> Answer {
    let repeated = {
        let mut kept = proxy.kept();
        let before = kept.clone();
        let known = order.effect.as_ref().is_some_and(|key| kept.keys.contains(key));
        let same = known || kept.active == order.to;
        if let Some(key) = order.effect.clone().filter(|_| !known) {
            if kept.keys.len() >= KEYS {
                kept.keys.pop_front();
            }
            kept.keys.push_back(key);
        }
        if !same {
            kept.active = order.to;
            kept.switched_at = stamp(proxy.clock.now());
            kept.effect.clone_from(&order.effect);
        }
        if let Err(e) = write_json(&path(&proxy.layout), &*kept) {
            *kept = before;
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, &e.message);
        }
        if !same {
            let key = order.effect.as_deref().unwrap_or("-");
            let what = format!("switch {}->{}", before.active, order.to);
            proxy.layout.ledger(proxy.clock.now(), &what, key).ok();
            proxy.note(&format!("INFO {what} effect={key}"));
        }
        same
    };
    let mut shown = state(proxy);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("repeated".to_owned(), Value::Bool(repeated));
    }
    json(StatusCode::OK, &shown)
}

/// Closes what is idle towards a colour, waits for what is in flight, and cuts it at the deadline.
async fn drain(proxy: &Proxy, order: &DrainOrder) -> Answer {
    let color = order.color;
    if proxy.kept().active == color {
        let why =
            format!("could not drain {color}: it is active, switch to the other colour first");
        return refusal(StatusCode::CONFLICT, &why);
    }
    let upstream = proxy.upstream(color);
    upstream.pool.close_idle();
    let mut in_flight = upstream.in_flight.subscribe();
    let limit = Duration::from_millis(order.deadline_ms).min(DRAIN_LIMIT);
    let empty = in_flight.wait_for(|count| *count == 0);
    let in_time = proxy.clock.timeout(limit, empty).await.is_ok();
    let mut cut = 0;
    if !in_time {
        cut = *upstream.in_flight.borrow();
        upstream.cut.send_modify(|generation| *generation += 1);
        let empty = in_flight.wait_for(|count| *count == 0);
        proxy.clock.timeout(CUT_LIMIT, empty).await.ok();
    }
    let left = *upstream.in_flight.borrow();
    proxy.note(&format!("INFO drained {color}, cut {cut}, left {left}"));
    json(StatusCode::OK, &json!({"left": left, "cut": cut}))
}
