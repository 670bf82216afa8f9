//! A service as what moves traffic: the colour is one label of its selector (M-08).
//!
//! The colour to go to must have ready pods before anything is touched (W-56). With overlap the
//! label is first taken out of the selector, so that both colours serve, and put in with its new
//! value only when the new pods are behind the service: no request meets a gap. A note at the
//! service, written with the same change, says what was going on if we end in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::adapters::{Error, Kind as No, Traffic, TrafficState, control, fault};
use crate::clock::Clock;
use crate::model::ids::Color;
use crate::text::SafeText;

use super::lines::Lines;
use super::workload::EFFECT;
use super::{Kind, Kube, Object, Patch, Write};

/// What is going on at a service while both colours serve.
const MOVING: &str = "backout.io/switch";
/// How often is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long both colours may take to serve; beyond that it goes on without.
const OVERLAP_LIMIT: Duration = Duration::from_secs(3);
/// How long the nodes get to follow the addresses of a service: the API does not say when they have.
const SETTLE: Duration = Duration::from_millis(700);
/// How long the addresses of a service may take to follow its selector.
const FOLLOW_LIMIT: Duration = Duration::from_secs(4);
/// How long the proof by requests may take, and how many in a row it wants.
const PROOF_LIMIT: Duration = Duration::from_secs(4);
const PROOF: u32 = 5;
/// How often a change is tried anew when somebody else changed the service meanwhile.
const TRIES: u32 = 5;

/// Which service moves traffic, and how.
#[derive(Clone, Debug)]
pub struct KubeTrafficSettings {
    /// Its name.
    pub service: String,
    /// The label whose value is the colour.
    pub key: String,
    /// The colours there are.
    pub colors: BTreeSet<Color>,
    /// Where users come in.
    pub public_url: String,
    /// Whether both colours serve for a moment.
    pub overlap: bool,
}

/// A service of the cluster as the mover of traffic.
#[derive(Debug)]
pub struct KubeTraffic {
    kube: Kube,
    settings: KubeTrafficSettings,
    clock: Clock,
    /// Connections of our own from before the last switch: what they meet is what those of users meet.
    lines: Mutex<Lines>,
}

/// The note at the service.
#[derive(Debug, Serialize, Deserialize)]
struct Moving {
    from: Color,
    to: Color,
    effect: String,
}

impl KubeTraffic {
    /// The service of `settings` where `kube` works.
    pub fn new(kube: Kube, settings: KubeTrafficSettings, clock: Clock) -> Self {
        Self { kube, settings, clock, lines: Mutex::new(Lines::default()) }
    }

    async fn service(&self) -> Result<Object, Error> {
        self.kube.must_get(Kind::Service, &self.settings.service).await
    }

    /// The colour that a service sends users to, and whether it is on its way from it.
    fn active(&self, service: &Object) -> Result<(Color, bool), Error> {
        let (name, key) = (&self.settings.service, &self.settings.key);
        let no = |why: String| Err(Error::new(No::Rejected, why));
        match service.texts("/spec/selector").get(key.as_str()) {
            Some(value) if self.settings.colors.contains(&Color::from(*value)) => {
                Ok((Color::from(*value), false))
            }
            // M-08's words.
            Some(value) => {
                let value = SafeText::new(value);
                let known: Vec<&str> = self.settings.colors.iter().map(Color::as_str).collect();
                no(format!(
                    "Unknown active version: {value} (service {name}, label {key}); known are {}",
                    known.join(", ")
                ))
            }
            None => match moving(service) {
                Some(moving) => Ok((moving.from, true)),
                None => no(format!(
                    "could not tell where service {name} sends users: its selector has no {key}"
                )),
            },
        }
    }

    /// The selector of the service without the colour, as a query; nothing where it has only that.
    fn rest(&self, service: &Object) -> String {
        let all = service.texts("/spec/selector");
        let rest = all.iter().filter(|(key, _)| **key != self.settings.key);
        rest.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    }

    /// The ready pods of a colour behind the service: their addresses.
    async fn ready(&self, service: &Object, color: &Color) -> Result<BTreeSet<String>, Error> {
        let one = format!("{}={color}", self.settings.key);
        let rest = self.rest(service);
        let query = if rest.is_empty() { one } else { format!("{rest},{one}") };
        let pods = self.kube.list(Kind::Pod, &query).await?;
        let ready = |pod: &&Object| {
            !pod.is_going() && pod.condition("Ready").is_some_and(|is| is.0 == "True")
        };
        Ok(pods.iter().filter(ready).map(|pod| pod.text("/status/podIP").to_owned()).collect())
    }

    /// Whether only pods of the two colours would serve without the label.
    async fn only_colors(&self, service: &Object) -> Result<bool, Error> {
        let rest = self.rest(service);
        if rest.is_empty() {
            return Ok(false);
        }
        let pods = self.kube.list(Kind::Pod, &rest).await?;
        let known = |pod: &Object| {
            let labels = pod.labels();
            let color = labels.get(self.settings.key.as_str());
            color.is_some_and(|color| self.settings.colors.contains(&Color::from(*color)))
        };
        Ok(pods.iter().all(known))
    }

    /// The addresses that the service sends requests to.
    async fn addresses(&self) -> Result<BTreeSet<String>, Error> {
        let Some(all) = self.kube.get(Kind::Endpoints, &self.settings.service).await? else {
            return Ok(BTreeSet::new());
        };
        let subsets = all.items("/subsets").iter();
        let ready = subsets.filter_map(|one| one.get("addresses")?.as_array()).flatten();
        Ok(ready.filter_map(|one| Some(one.get("ip")?.as_str()?.to_owned())).collect())
    }

    /// Waits until the addresses of the service are as wanted; whether they became it.
    async fn follow(
        &self,
        limit: Duration,
        wanted: impl Fn(&BTreeSet<String>) -> bool + Send + Sync,
    ) -> Result<bool, Error> {
        let wait = async {
            while !wanted(&self.addresses().await?) {
                self.clock.sleep(LOOK_EVERY).await;
            }
            Ok::<(), Error>(())
        };
        match self.clock.timeout(limit, wait).await {
            Ok(done) => done.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Changes the service as `change` says for what it is now; nothing to change is fine.
    async fn bring(
        &self,
        change: impl Fn(&Object) -> Result<Option<Value>, Error> + Send + Sync,
    ) -> Result<(), Error> {
        let mut tried = 0;
        loop {
            let now = self.service().await?;
            let Some(fields) = change(&now)? else { return Ok(()) };
            let (patch, name) = (Patch::Merge(fields), &self.settings.service);
            tried += 1;
            match self.kube.patch(Kind::Service, name, &patch, Write::unchanged(&now)).await {
                Err(error) if error.kind == No::Conflict && tried < TRIES => {}
                done => return done.map(drop),
            }
        }
    }

    /// Lets both colours serve until the pods of `to` do.
    async fn overlap(
        &self,
        (from, to): (&Color, &Color),
        ready: &BTreeSet<String>,
        effect: &str,
    ) -> Result<(), Error> {
        let moving = Moving { from: from.clone(), to: to.clone(), effect: effect.to_owned() };
        let moving = serde_json::to_string(&moving).unwrap_or_default();
        self.bring(|now| {
            let (active, on_its_way) = self.active(now)?;
            if on_its_way {
                return Ok(None);
            }
            self.still(&active, (from, to))?;
            Ok((active != *to).then(|| {
                json!({
                    "metadata": {"annotations": {MOVING: moving}},
                    "spec": {"selector": {&self.settings.key: null}},
                })
            }))
        })
        .await?;
        fault::at_step("B5", effect);
        // Not all of them is no reason to stay in between: the last change brings the rest.
        self.follow(OVERLAP_LIMIT, |all| ready.is_subset(all)).await?;
        self.clock.sleep(SETTLE).await;
        Ok(())
    }

    fn still(&self, active: &Color, (from, to): (&Color, &Color)) -> Result<(), Error> {
        if active == from || active == to {
            return Ok(());
        }
        let name = &self.settings.service;
        let message = format!(
            "could not switch service {name} to {to}: somebody sent it to {active} meanwhile"
        );
        Err(Error::new(No::Conflict, message))
    }

    /// Fresh requests through the service reach `to`, so many in a row.
    async fn prove(&self, to: &Color) -> Result<(), Error> {
        let url = format!("{}/health", self.settings.public_url);
        let mut last = String::new();
        let asks = async {
            let mut good = 0;
            while good < PROOF {
                match control::get(&url, PROOF_LIMIT, &self.clock).await {
                    Ok(reply) => {
                        let who = reply.environment();
                        good = if who.as_deref() == Some(to.as_str()) { good + 1 } else { 0 };
                        if good == 0 {
                            let who = who.unwrap_or_else(|| format!("HTTP {}", reply.status));
                            last = format!("answered by {}", SafeText::new(&who));
                            self.clock.sleep(LOOK_EVERY).await;
                        }
                    }
                    Err(error) => {
                        good = 0;
                        last = error.message;
                        self.clock.sleep(LOOK_EVERY).await;
                    }
                }
            }
        };
        if self.clock.timeout(PROOF_LIMIT, asks).await.is_ok() {
            return Ok(());
        }
        let message = format!(
            "could not prove the switch to {to} by {PROOF} requests to {url} in a row: {last}"
        );
        Err(Error::new(No::TimedOut, message))
    }

    fn selector_patch(&self, to: &Color) -> Value {
        json!({"spec": {"selector": {&self.settings.key: to.as_str()}}})
    }
}

/// What was going on at a service.
fn moving(service: &Object) -> Option<Moving> {
    serde_json::from_str(service.annotation(MOVING)?).ok()
}

#[async_trait]
impl Traffic for KubeTraffic {
    async fn look(&self) -> Result<TrafficState, Error> {
        let service = self.service().await?;
        let (active, on_its_way) = self.active(&service)?;
        let effect = if on_its_way { None } else { service.annotation(EFFECT).map(str::to_owned) };
        // A cluster does not count what is in flight.
        Ok(TrafficState { active, in_flight: BTreeMap::new(), effect, held: None })
    }

    async fn switch(&self, to: &Color, effect: &str) -> Result<(), Error> {
        let service = self.service().await?;
        let (from, on_its_way) = self.active(&service)?;
        if from == *to && !on_its_way {
            return Ok(());
        }
        let ready = self.ready(&service, to).await?;
        if ready.is_empty() {
            let message = format!(
                "could not switch service {} to {to}: no pod of {to} behind it is ready; nothing \
                 was changed",
                self.settings.service
            );
            return Err(Error::new(No::Rejected, message));
        }
        *self.lines.lock().await = Lines::open(&self.settings.public_url, &self.clock).await;
        if self.settings.overlap && self.only_colors(&service).await? {
            self.overlap((&from, to), &ready, effect).await?;
        }
        self.bring(|now| {
            let (active, on_its_way) = self.active(now)?;
            self.still(&active, (&from, to))?;
            Ok((on_its_way || active != *to).then(|| {
                let notes = json!({MOVING: null, EFFECT: effect});
                let mut fields = self.selector_patch(to);
                if let Some(map) = fields.as_object_mut() {
                    map.insert("metadata".to_owned(), json!({"annotations": notes}));
                }
                fields
            }))
        })
        .await?;
        let new = self.ready(&service, to).await?;
        if !self.follow(FOLLOW_LIMIT, |all| !all.is_empty() && all.is_subset(&new)).await? {
            let name = &self.settings.service;
            let message = format!(
                "could not see service {name} follow its selector to {to} in {} s",
                FOLLOW_LIMIT.as_secs()
            );
            return Err(Error::new(No::TimedOut, message));
        }
        self.prove(to).await
    }

    /// Waits until no pod of `color` is behind the service, then until the deadline: a cluster
    /// does not say how many connections from before still go there.
    async fn drain(&self, color: &Color, deadline: Duration) -> Result<u32, Error> {
        let began = self.clock.ticks();
        let service = self.service().await?;
        let old = self.ready(&service, color).await?;
        if !self.follow(deadline, |all| all.is_disjoint(&old)).await? {
            let message = format!(
                "could not drain {color}: its pods are still behind service {} after {:.0} s",
                self.settings.service,
                deadline.as_secs_f64()
            );
            return Err(Error::new(No::TimedOut, message));
        }
        while self.clock.ticks().saturating_sub(began) < deadline {
            // Where our own from before have gone elsewhere, so have those of users.
            if self.lines.lock().await.all_left(color, &self.clock).await {
                break;
            }
            self.clock.sleep(LOOK_EVERY * 5).await;
        }
        Ok(0)
    }

    async fn residue(&self, color: &Color) -> Option<SafeText> {
        let found = self.lines.lock().await.meet(&self.clock).await;
        let text = if found.is_empty() {
            format!("not counted: connections from before may stay on {color} until it stops")
        } else {
            let stay = found.iter().filter(|who| who.as_deref() == Some(color.as_str())).count();
            let all = found.len();
            match stay {
                0 => format!("0 of {all} connections of ours from before are still on {color}"),
                _ => format!(
                    "{stay} of {all} connections of ours from before are still on {color}: those of \
                     users stay too, and are cut when it stops"
                ),
            }
        };
        Some(SafeText::new(&text))
    }

    async fn in_between(&self) -> Option<SafeText> {
        let moving = moving(&self.service().await.ok()?)?;
        let text = format!("{} and {} both serve until one is chosen", moving.from, moving.to);
        Some(SafeText::new(&text))
    }

    fn by_hand(&self, to: &Color) -> String {
        let (kubectl, name) = (self.kube.kubectl(), &self.settings.service);
        format!("{kubectl} patch service {name} -p '{}'", self.selector_patch(to))
    }

    fn can_hold(&self, _part: crate::model::hold::HoldPart) -> bool {
        false
    }
}
