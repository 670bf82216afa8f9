//! Why pods do not run: the reason, the exit code, the last words of the container before, and the
//! settings that were changed since the last good pod started.

use std::collections::BTreeSet;

use crate::adapters::Error;
use crate::adapters::kube::{Kind, Object};
use crate::model::ids::Time;
use crate::text::{SafeText, fit};

use super::{Cluster, Rollout, items, pods_of, references, text};

/// How many pods' last words are read.
const READ: usize = 2;
/// How many of its last lines.
const LINES: u32 = 5;

/// A container that does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTrouble {
    /// Its pod.
    pub pod: SafeText,
    /// Its name.
    pub container: SafeText,
    /// `CrashLoopBackOff`, `ImagePullBackOff`, `Error`.
    pub reason: SafeText,
    /// What the container before ended with.
    pub exit_code: Option<i64>,
    /// How often it was started again.
    pub restarts: i64,
    /// The last lines of the container before.
    pub last: Vec<SafeText>,
}

impl PodTrouble {
    /// `pod web-1: CrashLoopBackOff, exit code 3, 4 restarts; last line: no such table`.
    pub fn words(&self) -> String {
        let mut words = format!("pod {}: {}", self.pod, self.reason);
        if let Some(code) = self.exit_code {
            words = format!("{words}, exit code {code}");
        }
        if self.restarts > 0 {
            words = format!("{words}, {} restarts", self.restarts);
        }
        // Output and errors of a container come in no certain order.
        let tells = |line: &&SafeText| {
            let line = line.as_str().to_lowercase();
            ["fatal", "error", "panic", "exception"].iter().any(|word| line.contains(word))
        };
        let line = self.last.iter().rev().find(tells).or_else(|| self.last.last());
        if let Some(line) = line {
            words = format!("{words}; last line: {}", fit(line.as_str(), 160));
        }
        words
    }
}

/// The containers of a workload that do not run, newest pods first.
pub async fn troubles(cluster: &dyn Cluster, rollout: &Rollout) -> Result<Vec<PodTrouble>, Error> {
    let mut pods = pods_of(cluster, &rollout.object).await?;
    pods.sort_by_key(|pod| std::cmp::Reverse(pod.made_at()));
    let mut found = Vec::new();
    for pod in &pods {
        for status in items(pod.value(), "/status/containerStatuses") {
            let Some(mut trouble) = trouble(pod, status) else { continue };
            if found.len() < READ && trouble.restarts > 0 {
                trouble.last = last_words(cluster, &trouble).await;
            }
            found.push(trouble);
        }
    }
    Ok(found)
}

async fn last_words(cluster: &dyn Cluster, trouble: &PodTrouble) -> Vec<SafeText> {
    let (pod, container) = (trouble.pod.as_str(), trouble.container.as_str());
    let said = cluster.last_words(pod, container, (true, LINES)).await.unwrap_or_default();
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    // Each line stands after its time and a space.
    lines.map(|line| SafeText::new(line.split_once(' ').map_or(line, |(_, said)| said))).collect()
}

fn trouble(pod: &Object, status: &serde_json::Value) -> Option<PodTrouble> {
    let waiting = text(status, "/state/waiting/reason");
    let ended = ["/state/terminated", "/lastState/terminated"]
        .into_iter()
        .find_map(|place| status.pointer(place));
    let exit_code = ended.and_then(|ended| ended.get("exitCode")?.as_i64());
    let running = status.pointer("/state/running").is_some();
    let ready = status.get("ready").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let reason = match (waiting, ended) {
        ("" | "ContainerCreating" | "PodInitializing", None) => return None,
        ("", Some(_)) if running && ready => return None,
        ("", Some(ended)) => text(ended, "/reason"),
        (waiting, _) => waiting,
    };
    Some(PodTrouble {
        pod: SafeText::new(pod.name()),
        container: SafeText::new(text(status, "/name")),
        reason: SafeText::new(reason),
        exit_code,
        restarts: status.get("restartCount").and_then(serde_json::Value::as_i64).unwrap_or(0),
        last: Vec::new(),
    })
}

/// The settings of the workload that were changed since the last good pod of another revision
/// started, or since its own revision was made: going back does not move them.
pub async fn changed_since(
    cluster: &dyn Cluster,
    rollout: &Rollout,
) -> Result<Vec<SafeText>, Error> {
    let Some(since) = last_good(cluster, rollout).await? else { return Ok(Vec::new()) };
    let templates = std::iter::once(rollout.object.at("/spec/template"));
    let kept = rollout.others().take(1).map(|one| &one.template);
    let named: BTreeSet<_> = templates
        .chain(kept)
        .flat_map(references::of)
        .filter(|one| one.object.kind == Kind::ConfigMap)
        .map(|one| one.object)
        .collect();
    let mut found = Vec::new();
    for object in named {
        let Some(map) = cluster.get(&object).await? else { continue };
        let (at, who) = changed(&map);
        if let Some(at) = at.filter(|at| *at >= since) {
            let words = format!("{object} was changed at {} by {who}", at.format("%H:%M:%SZ"));
            found.push(SafeText::new(&words));
        }
    }
    Ok(found)
}

/// When the last good pod started: one of another revision that is ready, else the moment at which
/// the revision that runs now was made.
async fn last_good(cluster: &dyn Cluster, rollout: &Rollout) -> Result<Option<Time>, Error> {
    let current = rollout.current().map(|one| one.name.clone()).unwrap_or_default();
    let pods = pods_of(cluster, &rollout.object).await?;
    let good = pods.iter().filter(|pod| {
        let ready = pod.condition("Ready").is_some_and(|(status, ..)| status == "True");
        let own = pod.labels().get("pod-template-hash").is_some_and(|hash| current.ends_with(hash));
        ready && !own
    });
    let started = good.filter_map(|pod| pod.time("/status/startTime")).max();
    Ok(started.or_else(|| rollout.current().and_then(|one| one.made_at)))
}

/// When an object was last changed, and under which name, by the server's record.
fn changed(object: &Object) -> (Option<Time>, SafeText) {
    let wrote = items(object.value(), "/metadata/managedFields").filter_map(|one| {
        let at = super::moment(text(one, "/time"))?;
        Some((at, SafeText::new(text(one, "/manager"))))
    });
    match wrote.max() {
        Some((at, who)) => (Some(at), who),
        None => (object.made_at(), "somebody".into()),
    }
}
