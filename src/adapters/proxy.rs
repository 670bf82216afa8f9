//! A reverse proxy with a control port: `GET /state`, `POST /switch`, `POST /drain`, and where it
//! can hold, `POST /hold`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use crate::clock::Clock;
use crate::model::hold::HoldPart;
use crate::model::ids::Color;
use crate::text::SafeText;

use super::control::{self, Reply};
use super::{Error, Kind, Traffic, TrafficState, fault};

/// How long the control port may take to say where traffic goes.
const LOOK_LIMIT: Duration = Duration::from_secs(3);
/// How long it may take to switch.
const SWITCH_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to hold or lift.
const HOLD_LIMIT: Duration = Duration::from_secs(3);
/// How much longer than its deadline a drain may take to answer.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// A proxy, known by its control address.
#[derive(Clone, Debug)]
pub struct Proxy {
    control_url: String,
    clock: Clock,
}

#[derive(Deserialize)]
struct State {
    active: Color,
    #[serde(default)]
    colors: BTreeMap<Color, Upstream>,
    effect: Option<String>,
    holds: Option<BTreeSet<HoldPart>>,
}

#[derive(Deserialize)]
struct Upstream {
    #[serde(default)]
    in_flight: u32,
}

#[derive(Deserialize)]
struct Drained {
    left: u32,
    cut: u32,
}

impl Proxy {
    /// The proxy whose control port is at `control_url`, such as `http://127.0.0.1:9000`.
    pub fn new(control_url: &str, clock: Clock) -> Self {
        Self { control_url: control_url.trim_end_matches('/').to_owned(), clock }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.control_url)
    }
}

/// The answer as `T`, or what it said instead.
fn read<T: serde::de::DeserializeOwned>(what: &str, reply: &Reply) -> Result<T, Error> {
    if !reply.is_success() {
        let said = reply
            .json()
            .and_then(|body| Some(body.get("error")?.as_str()?.to_owned()))
            .unwrap_or_else(|| String::from_utf8_lossy(&reply.body).into_owned());
        let said = crate::text::fit(SafeText::new(said.trim()).as_str(), 200);
        return Err(Error::new(
            Kind::Rejected,
            format!("could not {what}: the proxy answered {}: {said}", reply.status),
        ));
    }
    serde_json::from_slice(&reply.body).map_err(|e| {
        Error::new(
            Kind::Reset,
            format!("could not {what}: the proxy's answer is not as agreed: {e}"),
        )
    })
}

#[async_trait]
impl Traffic for Proxy {
    async fn look(&self) -> Result<TrafficState, Error> {
        let reply = control::get(&self.at("/state"), LOOK_LIMIT, &self.clock).await?;
        let state: State = read("see where traffic goes", &reply)?;
        Ok(TrafficState {
            active: state.active,
            in_flight: state
                .colors
                .into_iter()
                .map(|(color, upstream)| (color, upstream.in_flight))
                .collect(),
            effect: state.effect,
            held: state.holds,
        })
    }

    async fn switch(&self, to: &Color, effect: &str) -> Result<(), Error> {
        let order = json!({"to": to, "effect": effect});
        let url = self.at("/switch");
        let reply = control::post(&url, &order, SWITCH_LIMIT, &self.clock).await?;
        fault::at_step("B5", effect);
        let _state: serde_json::Value = read(&format!("switch traffic to {to}"), &reply)?;
        Ok(())
    }

    async fn drain(&self, color: &Color, deadline: Duration) -> Result<u32, Error> {
        let milliseconds = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        let order = json!({"color": color, "deadline_ms": milliseconds});
        let limit = deadline + DRAIN_MARGIN;
        let reply = control::post(&self.at("/drain"), &order, limit, &self.clock).await?;
        let what = format!("drain {color}");
        let drained: Drained = read(&what, &reply)?;
        if drained.left > 0 {
            return Err(Error::new(
                Kind::Rejected,
                format!("could not {what}: {} still in flight after the cut", drained.left),
            ));
        }
        Ok(drained.cut)
    }

    fn by_hand(&self, to: &Color) -> String {
        let url = self.at("/switch");
        format!("curl -sS --fail -X POST -d '{{\"to\":\"{to}\"}}' {url}")
    }

    async fn hold(&self, part: HoldPart, held: bool, effect: &str) -> Result<(), Error> {
        let order = json!({"part": part, "held": held, "effect": effect});
        let url = self.at("/hold");
        let reply = control::post(&url, &order, HOLD_LIMIT, &self.clock).await?;
        fault::at_step("B5", effect);
        let verb = if held { "hold" } else { "lift" };
        let _state: serde_json::Value = read(&format!("{verb} the {}", part.words()), &reply)?;
        Ok(())
    }

    fn hold_by_hand(&self, part: HoldPart, held: bool) -> String {
        let url = self.at("/hold");
        format!(
            "curl -sS --fail -X POST -d '{{\"part\":\"{}\",\"held\":{held}}}' {url}",
            part.name()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::fake::Fake;

    async fn proxy() -> (std::sync::Arc<Fake>, Proxy, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let fake = Fake::new(dir.path().join("ledger.log"), Clock::real());
        let serving = fake.serve().await.unwrap();
        let proxy = Proxy::new(&serving.control_url, Clock::real());
        (fake, proxy, dir)
    }

    #[tokio::test]
    async fn it_says_where_traffic_goes_and_how_much_is_in_flight() {
        let (fake, proxy, _dir) = proxy().await;
        fake.set_in_flight("green", 4);
        let state = proxy.look().await.unwrap();
        assert_eq!(state.active, "green".into());
        assert_eq!(state.in_flight.get(&"green".into()), Some(&4));
        assert_eq!(state.effect, None);
    }

    #[tokio::test]
    async fn a_repeated_switch_has_one_effect() {
        let (fake, proxy, _dir) = proxy().await;
        for _ in 0..3 {
            proxy.switch(&"blue".into(), "run-1.switch.1").await.unwrap();
        }
        let state = proxy.look().await.unwrap();
        assert_eq!(state.active, "blue".into());
        assert_eq!(state.effect.as_deref(), Some("run-1.switch.1"));
        assert_eq!(fake.ledger().lines().unwrap(), ["switch green->blue run-1.switch.1"]);
    }

    #[tokio::test]
    async fn an_unknown_colour_is_refused_in_the_proxys_words() {
        let (_fake, proxy, _dir) = proxy().await;
        let error = proxy.switch(&"red".into(), "k").await.unwrap_err();
        assert_eq!(error.kind, Kind::Rejected);
        assert!(error.message.contains("answered 400"), "{error}");
    }

    #[tokio::test]
    async fn a_drain_says_how_many_it_cut() {
        let (fake, proxy, _dir) = proxy().await;
        fake.set_in_flight("green", 3);
        proxy.switch(&"blue".into(), "k").await.unwrap();
        let cut = proxy.drain(&"green".into(), Duration::from_millis(50)).await.unwrap();
        assert_eq!(cut, 3);
        assert_eq!(proxy.look().await.unwrap().in_flight[&"green".into()], 0);
    }

    #[tokio::test]
    async fn a_hold_is_seen_by_the_next_look_and_a_proxy_without_the_switch_says_nothing() {
        let (fake, proxy, _dir) = proxy().await;
        assert_eq!(proxy.look().await.unwrap().held, Some(BTreeSet::new()));
        for _ in 0..2 {
            proxy.hold(HoldPart::Writers, true, "7-k7qd-hold.hold_writers.1").await.unwrap();
        }
        let held = proxy.look().await.unwrap().held;
        assert_eq!(held, Some(BTreeSet::from([HoldPart::Writers])));
        proxy.hold(HoldPart::Writers, false, "9").await.unwrap();
        assert_eq!(proxy.look().await.unwrap().held, Some(BTreeSet::new()));
        assert_eq!(
            fake.ledger().lines().unwrap(),
            ["hold writers 7-k7qd-hold.hold_writers.1", "unhold writers 9"]
        );
        let state: State = serde_json::from_str(r#"{"active":"blue","held":false}"#).unwrap();
        assert_eq!(state.holds, None, "it is not known to hold anything");
        assert_eq!(
            Proxy::new("http://127.0.0.1:9", Clock::real()).hold_by_hand(HoldPart::Page, true),
            r#"curl -sS --fail -X POST -d '{"part":"page","held":true}' http://127.0.0.1:9/hold"#
        );
    }

    #[test]
    fn the_command_by_hand_can_be_pasted() {
        let proxy = Proxy::new("http://127.0.0.1:9/", Clock::real());
        assert_eq!(
            proxy.by_hand(&"blue".into()),
            r#"curl -sS --fail -X POST -d '{"to":"blue"}' http://127.0.0.1:9/switch"#
        );
    }
}
