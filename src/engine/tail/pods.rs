//! Follows what the pods of deployments write, on a thread with a runtime of its own. Which pods
//! there are is watched; what is new is asked for, pod by pod: connections that stay open for hundreds of pods would burden the API
//! server of a cluster that is in trouble. What a pod wrote in the second before it was removed
//! may be missed; what the container before wrote is read when one was started anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::adapters::Error;
use crate::adapters::kube::{FRESH, Kind, Kube, LogAsk, Object, Watched};
use crate::clock::Clock;
use crate::config::PodLogs;
use crate::model::ids::Time;

use super::containers::Piece;

/// Lines that wait for the spool.
const QUEUE: usize = 256;
/// Pods of one source that are followed.
const MOST: usize = 200;
/// What is read of a pod that is followed for the first time: what led here.
const BEFORE: u32 = 200;
/// Between two rounds at least; a round that took long is followed by as long a rest.
const EVERY: Duration = Duration::from_secs(1);
/// Between attempts at a cluster that does not answer.
const RETRY: Duration = Duration::from_secs(5);

/// Starts the thread; it ends when the receiver is dropped.
pub(super) fn start(logs: PodLogs, clock: Clock) -> mpsc::Receiver<Piece> {
    let (to, pieces) = mpsc::channel(QUEUE);
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(follow(logs, clock, to)),
            Err(why) => tracing::error!("could not follow any pod: {why}"),
        }
    };
    if let Err(why) = std::thread::Builder::new().name("pods".to_owned()).spawn(work) {
        tracing::error!("could not follow any pod: {why}");
    }
    pieces
}

async fn follow(logs: PodLogs, clock: Clock, to: mpsc::Sender<Piece>) {
    let kube = Kube::new(logs.cluster.clone(), clock.clone());
    let closed = to.clone();
    let watched = |kind| Watched::start(kube.clone(), kind, "");
    let (deployments, pods) = (watched(Kind::Deployment), watched(Kind::Pod));
    let sources = BTreeMap::new();
    let mut follower = Follower { kube, logs, clock, to, deployments, pods, sources, told: false };
    tokio::select! {
        () = closed.closed() => {}
        () = follower.run() => {}
    }
}

/// How far one container of a pod was read.
#[derive(Debug, Default)]
struct Reached {
    /// Its newest line.
    last: Option<Time>,
    /// How often it had been started anew.
    restarts: i64,
}

/// A source: all pods of one deployment.
#[derive(Debug, Default)]
struct Source {
    /// Where an engine before this one left its spool.
    left: Option<Time>,
    /// By pod and container.
    reached: BTreeMap<(String, String), Reached>,
    /// Whether one round is over: pods that come later are read whole.
    began: bool,
}

/// A line, and the pod that wrote it.
struct Line {
    at: Time,
    text: Vec<u8>,
}

struct Follower {
    kube: Kube,
    logs: PodLogs,
    clock: Clock,
    to: mpsc::Sender<Piece>,
    deployments: Watched,
    pods: Watched,
    sources: BTreeMap<Arc<str>, Source>,
    /// Whether it was said that the cluster does not answer.
    told: bool,
}

impl Follower {
    async fn run(&mut self) {
        loop {
            let began = self.clock.ticks();
            let rest = match self.round().await {
                Ok(()) => {
                    self.told = false;
                    EVERY.max(self.clock.ticks().saturating_sub(began))
                }
                Err(error) => {
                    self.lost(&error).await;
                    RETRY
                }
            };
            self.clock.sleep(rest).await;
        }
    }

    /// Says it once on every source; what was written meanwhile is read later.
    async fn lost(&mut self, error: &Error) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        tracing::warn!("pods are not followed now: {error}");
        for source in self.sources.keys() {
            let why = "the cluster does not answer: what it keeps is read later".to_owned();
            self.to.send(Piece::Gap { source: Arc::clone(source), why }).await.ok();
        }
    }

    /// Reads what is new of every source.
    async fn round(&mut self) -> Result<(), Error> {
        let (Some(deployments), Some(all)) = (known(&self.deployments)?, known(&self.pods)?) else {
            return Ok(());
        };
        for deployment in deployments {
            let Some(name) = self.name_of(&deployment) else { continue };
            // A selector of expressions is not spoken.
            if deployment.selector("/spec/selector").is_none() {
                continue;
            }
            if !self.sources.contains_key(&name) {
                let left = self.open(&name).await;
                self.sources.insert(Arc::clone(&name), Source { left, ..Source::default() });
            }
            let wanted = deployment.texts("/spec/selector/matchLabels");
            let own = |pod: &&Arc<Object>| {
                let labels = pod.labels();
                wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
            };
            let pods: Vec<Arc<Object>> = all.iter().filter(own).cloned().collect();
            self.source(&name, &deployment, &pods).await?;
        }
        Ok(())
    }

    /// The source that the pods of a deployment write to.
    fn name_of(&self, deployment: &Object) -> Option<Arc<str>> {
        let name = deployment.name();
        let named = self.logs.sources.iter().find(|source| source.deployment == name);
        match named {
            Some(source) => Some(Arc::from(source.source.as_str())),
            None => self.logs.all.then(|| Arc::from(name)),
        }
    }

    async fn open(&self, source: &Arc<str>) -> Option<Time> {
        let (left, answer) = oneshot::channel();
        self.to.send(Piece::Open { source: Arc::clone(source), left }).await.ok()?;
        answer.await.ok().flatten().map(|(_, at)| at)
    }

    async fn source(
        &mut self,
        name: &Arc<str>,
        deployment: &Object,
        pods: &[Arc<Object>],
    ) -> Result<(), Error> {
        let Some(mut source) = self.sources.remove(name) else { return Ok(()) };
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        let mut failed = None;
        for pod in pods.iter().take(MOST) {
            let short = pod.name().strip_prefix(deployment.name()).unwrap_or(pod.name());
            let short = short.trim_start_matches('-');
            for status in pod.items("/status/containerStatuses") {
                let text = |key: &str| status.get(key).and_then(|value| value.as_str());
                let container = text("name").unwrap_or_default().to_owned();
                let restarts = status.get("restartCount").and_then(serde_json::Value::as_i64);
                let key = (pod.uid().to_owned(), container.clone());
                seen.insert(key.clone());
                let (first, left) = (!source.reached.contains_key(&key), source.left);
                let whole = source.began && left.is_none();
                let reached = source.reached.entry(key).or_insert_with(|| Reached {
                    last: left,
                    restarts: if whole { 0 } else { -1 },
                });
                let read =
                    self.read(pod, &container, reached, restarts.unwrap_or(0), whole && first);
                match read.await {
                    Ok(new) => lines.extend(new.into_iter().map(|line| tagged(line, short))),
                    Err(error) => failed = Some(error),
                }
            }
        }
        source.reached.retain(|key, _| seen.contains(key));
        source.began = true;
        source.left = None;
        self.sources.insert(Arc::clone(name), source);
        lines.sort_by_key(|line| line.at);
        for Line { at, text } in lines {
            let piece = Piece::Line { source: Arc::clone(name), container: 1, at, text };
            self.to.send(piece).await.ok();
        }
        failed.map_or(Ok(()), Err)
    }

    /// What is new of a container, and of the one before it where it was started anew.
    async fn read(
        &self,
        pod: &Object,
        container: &str,
        reached: &mut Reached,
        restarts: i64,
        whole: bool,
    ) -> Result<Vec<Line>, Error> {
        let mut lines = Vec::new();
        let previous = restarts > reached.restarts.max(0);
        for previous in [previous.then_some(true), Some(false)].into_iter().flatten() {
            let tail = (reached.last.is_none() && !whole).then_some(BEFORE);
            let ask = LogAsk { container: Some(container), previous, since: reached.last, tail };
            let text = match self.kube.logs(pod.name(), ask).await {
                Ok(text) => text,
                // A container that never ran has no log, one that is gone has none any more.
                Err(error) if is_of_the_pod(&error) => continue,
                Err(error) => return Err(error),
            };
            let new = text.split(|byte| *byte == b'\n').filter_map(parsed);
            let after = reached.last;
            lines.extend(new.filter(|line| after.is_none_or(|after| line.at > after)));
            let newest = lines.iter().map(|line| line.at).max();
            reached.last = newest.max(reached.last);
        }
        reached.restarts = restarts;
        Ok(lines)
    }
}

/// What is watched, as it is now; nothing before the first list, an error where it is old.
fn known(watched: &Watched) -> Result<Option<Vec<Arc<Object>>>, Error> {
    match watched.now()? {
        Some(known) if !known.is_fresh() => {
            Err(Error::timed_out("see which pods there are", FRESH))
        }
        known => Ok(known.map(|known| known.objects)),
    }
}

/// Whether a log that could not be read says nothing of the cluster.
fn is_of_the_pod(error: &Error) -> bool {
    use crate::adapters::Kind as No;
    matches!(error.kind, No::NotFound | No::Rejected)
}

/// A line as the API server gives it: its time, a space, its text.
fn parsed(line: &[u8]) -> Option<Line> {
    let at = line.iter().position(|byte| *byte == b' ')?;
    let (stamp, rest) = line.split_at_checked(at)?;
    let at = chrono::DateTime::parse_from_rfc3339(str::from_utf8(stamp).ok()?).ok()?;
    Some(Line { at: at.to_utc(), text: rest.get(1..).unwrap_or_default().to_vec() })
}

/// With the pod before it, and its end.
fn tagged(line: Line, pod: &str) -> Line {
    let mut text = format!("[{pod}] ").into_bytes();
    text.extend(line.text);
    text.push(b'\n');
    Line { at: line.at, text }
}
