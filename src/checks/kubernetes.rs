//! `kubernetes`: whether a deployment or stateful set has the pods it should, and a service somebody
//! behind it, as the cluster's API server says.
//!
//! Each look asks the server for the one object; its pods, which may be hundreds, are followed from
//! the second look on and listed wherever the two do not agree. A server that does not answer is
//! unknown, and what was last seen is said with its age.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::kube::{
    Kind, Known, Kube, KubeSettings, LogAsk, Object, REPLICAS, Watched, version_of,
};
use crate::adapters::{Error, Kind as No};
use crate::model::ids::Time;
use crate::model::reading::{Finding, Reason, WhyClass};
use crate::text::{SafeText, fit};

use super::seen::{Seen, warn};
use super::threshold::Thresholds;
use super::{Memory, ProbeCx};

mod pod;

use pod::Trouble;

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The cluster and the namespace.
    pub cluster: KubeSettings,
    /// What is looked at.
    pub which: Which,
    /// Thresholds on the number of pods that are available, of addresses behind a service.
    pub thresholds: Thresholds,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// A deployment.
    Deployment(String),
    /// A stateful set.
    StatefulSet(String),
    /// The addresses behind a service (M-26).
    Endpoints(String),
}

/// What earlier looks left: the client, so that a look needs no new connection, the pods as they
/// change, how often the containers of each had been started anew, and what was seen last.
#[derive(Debug, Default)]
pub struct Past {
    kube: Option<Kube>,
    restarts: BTreeMap<String, i64>,
    /// The pods by their selector; none before the second look, which may never come.
    pods: Option<(String, Option<Watched>)>,
    last: Option<(Duration, SafeText)>,
}

/// The pods whose trouble is told.
const TOLD: usize = 5;
/// The last lines of a container that ended.
const LINES: u32 = 5;

impl Settings {
    /// What it looks at.
    pub fn target(&self) -> String {
        let namespace = &self.cluster.namespace;
        match &self.which {
            Which::Deployment(name) => format!("deployment {namespace}/{name}"),
            Which::StatefulSet(name) => format!("stateful set {namespace}/{name}"),
            Which::Endpoints(name) => format!("endpoints {namespace}/{name}"),
        }
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, cx: &ProbeCx, memory: &mut Memory) -> Seen {
        let past = &mut memory.kubernetes;
        let looked = cx.clock.timeout(limit, self.look(cx, past)).await;
        let now = cx.clock.ticks();
        let error = match looked {
            Ok(Ok(seen)) => {
                past.last = Some((now, seen.note.clone()));
                return seen;
            }
            Ok(Err(error)) => error,
            Err(_) => Error::timed_out(format!("ask the cluster for {}", self.target()), limit),
        };
        away(&error, past.last.as_ref().map(|(at, note)| (now.saturating_sub(*at), note)))
    }

    async fn look(&self, cx: &ProbeCx, past: &mut Past) -> Result<Seen, Error> {
        let make = || Kube::new(self.cluster.clone(), cx.clock.clone());
        let kube = past.kube.get_or_insert_with(make).clone();
        let (kind, name) = match &self.which {
            Which::Deployment(name) => (Kind::Deployment, name),
            Which::StatefulSet(name) => (Kind::StatefulSet, name),
            Which::Endpoints(name) => return self.endpoints(&kube, name).await,
        };
        let Some(found) = kube.get(kind, name).await? else {
            let text = format!("there is no {}", self.target());
            return Ok(Seen::bad(WhyClass::Rejected, &format!("no such {}", kind.word()), &text));
        };
        let pods = past.pods(&kube, &found).await?;
        let now = cx.clock.now();
        let mut troubles: Vec<(Trouble, &Object)> = pods
            .iter()
            .filter_map(|pod| {
                let before = past.restarts.get(pod.uid()).copied();
                pod::trouble(pod, before, now).map(|trouble| (trouble, &**pod))
            })
            .collect();
        troubles.sort_by(|(a, _), (b, _)| b.cmp(a));
        let mut seen = self.judged(&found, &troubles);
        seen = seen.with_fact(&format!(
            "{} runs {}, {} pods",
            self.target(),
            version_of(&found, "/spec/template"),
            pods.len()
        ));
        for (trouble, pod) in troubles.iter().take(TOLD) {
            seen = seen.with_fact(&trouble.text);
            if let Some(container) = &trouble.ended {
                for line in last_lines(&kube, pod, container).await {
                    seen = seen.with_fact(&format!("  {line}"));
                }
            }
        }
        if !troubles.is_empty() {
            for fact in changed_since(&kube, &found, &pods).await {
                seen = seen.with_fact(&fact);
            }
        }
        past.restarts = pods.iter().map(|pod| (pod.uid().to_owned(), pod::restarts(pod))).collect();
        Ok(seen)
    }

    fn judged(&self, found: &Object, troubles: &[(Trouble, &Object)]) -> Seen {
        let wanted = found.number("/spec/replicas").unwrap_or(1);
        // Of a stateful set old clusters tell only the ready ones.
        let counted = match self.which {
            Which::StatefulSet(_) => "/status/readyReplicas",
            Which::Deployment(_) | Which::Endpoints(_) => "/status/availableReplicas",
        };
        let available = found.number(counted).unwrap_or(0);
        let version = version_of(found, "/spec/template");
        let mut note = format!("{available} of {wanted} available, {version}");
        if let Some((trouble, _)) = troubles.first() {
            note = format!("{note}; {}", trouble.note);
        }
        let note = fit(&note, 200);
        let looping = troubles.first().filter(|(trouble, _)| trouble.bad);
        let observed = found.number("/status/observedGeneration").unwrap_or_default();
        let overdue = found
            .condition("Progressing")
            .is_some_and(|(_, reason, _)| reason == "ProgressDeadlineExceeded");
        let bad = |why: &str| Seen::bad(WhyClass::Rejected, &note, why);
        let seen = if wanted == 0 {
            match found.annotation(REPLICAS) {
                Some(had) => Seen::good(&format!("stopped, its {had} replicas are on record")),
                None => bad(&format!("{} is scaled to 0", self.target())),
            }
        } else if let Some((trouble, _)) = looping {
            bad(&trouble.text)
        } else if available <= 0 {
            bad(&format!("{} has none of {wanted} pods available", self.target()))
        } else if overdue {
            bad(&format!("the rollout of {} does not get on within its deadline", self.target()))
        } else if observed < found.generation() {
            Seen::new(warn(WhyClass::Rejected, "its last change is not taken up yet"), &note)
        } else if available < wanted {
            let why = format!("{} has {available} of {wanted} pods available", self.target());
            Seen::new(warn(WhyClass::Rejected, &why), &note)
        } else {
            Seen::good(&note)
        };
        self.measured(seen, available, "pods")
    }

    async fn endpoints(&self, kube: &Kube, name: &str) -> Result<Seen, Error> {
        let Some(found) = kube.get(Kind::Endpoints, name).await? else {
            let text = format!("there is no service {}", self.target());
            return Ok(Seen::bad(WhyClass::Rejected, "no such service", &text));
        };
        let count = |list: &str| -> usize {
            let subsets = found.items("/subsets").iter();
            subsets.filter_map(|one| Some(one.get(list)?.as_array()?.len())).sum()
        };
        let (ready, waiting) = (count("addresses"), count("notReadyAddresses"));
        let note = format!("{ready} addresses, {waiting} not ready");
        let seen = if ready == 0 {
            let why = format!("nobody is behind service {name}: every request to it fails");
            Seen::bad(WhyClass::Rejected, &note, &why)
        } else {
            Seen::good(&note)
        };
        Ok(self.measured(seen, i64::try_from(ready).unwrap_or(i64::MAX), "addresses"))
    }

    fn measured(&self, seen: Seen, count: i64, unit: &'static str) -> Seen {
        #[expect(clippy::cast_precision_loss, reason = "a count for a threshold")]
        let value = count as f64;
        let seen = seen.with_value(value, unit);
        if self.thresholds.any() && matches!(seen.finding, Finding::Good) {
            let finding = self.thresholds.judge(value, unit);
            return Seen { finding, ..seen };
        }
        seen
    }
}

impl Past {
    /// The pods of an object: as they are followed, or listed where that is not what it counts.
    async fn pods(&mut self, kube: &Kube, found: &Object) -> Result<Vec<Arc<Object>>, Error> {
        let Some(selector) = found.selector("/spec/selector") else { return Ok(Vec::new()) };
        match &mut self.pods {
            Some((followed, Some(watched))) if *followed == selector => {
                let known = watched.now().ok().flatten().filter(Known::is_fresh);
                if let Some(known) = known.filter(|known| agrees(found, &known.objects)) {
                    return Ok(known.objects);
                }
            }
            Some((followed, watched @ None)) if *followed == selector => {
                *watched = Some(Watched::start(kube.clone(), Kind::Pod, &selector));
            }
            Some(_) | None => self.pods = Some((selector.clone(), None)),
        }
        let listed = kube.list(Kind::Pod, &selector).await?;
        Ok(listed.into_iter().map(Arc::new).collect())
    }
}

/// Whether there are as many pods as their object counts.
fn agrees(found: &Object, pods: &[Arc<Object>]) -> bool {
    let counts = |pod: &&Arc<Object>| {
        !pod.is_going() && !matches!(pod.text("/status/phase"), "Succeeded" | "Failed")
    };
    let there = pods.iter().filter(counts).count();
    found.number("/status/replicas").unwrap_or_default() == i64::try_from(there).unwrap_or(-1)
}

/// That the cluster cannot be asked says nothing about what runs in it: what was last seen is told
/// with its age, and is not what is so now.
fn away(error: &Error, last: Option<(Duration, &SafeText)>) -> Seen {
    let reason = match error.kind {
        No::Denied => Reason::NoPermission,
        No::TimedOut | No::Refused | No::Reset | No::NotResolved | No::Tls => Reason::NoData,
        No::NotFound | No::Held | No::Conflict | No::Rejected | No::NoSpace | No::Local => {
            Reason::NoTool
        }
    };
    let Some((age, note)) = last else { return Seen::unknown(reason, &error.message) };
    let note = format!("{} s ago: {note}; {}", age.as_secs(), error.message);
    Seen::unknown(reason, &note)
}

/// What a container wrote before it was last started anew.
async fn last_lines(kube: &Kube, pod: &Object, container: &str) -> Vec<String> {
    let ask = LogAsk {
        container: Some(container),
        previous: true,
        tail: Some(LINES),
        ..LogAsk::default()
    };
    let text = kube.logs(pod.name(), ask).await.unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| fit(SafeText::from_bytes(line).as_str(), 200)).collect()
}

/// Configuration that was changed after the last good pod started: undoing a rollout does not
/// move it.
async fn changed_since(kube: &Kube, found: &Object, pods: &[Arc<Object>]) -> Vec<String> {
    let good = pods.iter().filter(|pod| pod.condition("Ready").is_some_and(|is| is.0 == "True"));
    let Some(since) = good.filter_map(|pod| pod.time("/status/startTime")).max() else {
        return Vec::new();
    };
    let mut facts = Vec::new();
    for name in pod::config_maps(found) {
        let Ok(Some(map)) = kube.get(Kind::ConfigMap, &name).await else { continue };
        if let Some(at) = changed_at(&map).filter(|at| *at > since) {
            let at = at.format("%H:%M:%SZ");
            facts.push(format!(
                "config map {name} was changed at {at}, after the last good pod started: undoing a \
                 rollout does not change it back"
            ));
        }
    }
    facts
}

/// When somebody last changed an object.
fn changed_at(object: &Object) -> Option<Time> {
    let all = object.items("/metadata/managedFields").iter();
    let times = all.filter_map(|one| Some(one.get("time")?.as_str()?.to_owned()));
    times.filter_map(|time| Some(chrono::DateTime::parse_from_rfc3339(&time).ok()?.to_utc())).max()
}

#[cfg(test)]
mod tests;
