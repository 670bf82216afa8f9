//! `backout doctor --cluster PAGE`: what document 004 has typed one after the other when something
//! does not go back (M-24 to M-27), in one look. Nothing is started in the cluster for it (W-63), and
//! no value of a secret is read into a line.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::adapters::Error;
use crate::adapters::cluster::pods_of;
use crate::adapters::kube::{Kind, Kube, LogAsk, Object, REVISION};
use crate::clock::Clock;
use crate::model::ids::Time;
use crate::text::{SafeText, fit};

/// The newest lines of a log, and the newest events.
const LINES: u32 = 10;
const EVENTS: usize = 15;

/// Which look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// Deployments, their revisions, pods, events: a rollback that fails
    Rollback,
    /// The pods of databases, what they wrote, how to connect
    Database,
    /// Services, their endpoints, ingresses
    Services,
    /// Everything, with volumes, secrets by name and settings by key
    All,
}

/// One group of lines.
struct Group {
    name: &'static str,
    lines: Vec<String>,
    /// Whether something in it is as it must not be.
    red: bool,
}

/// The page as text, as JSON, and whether nothing on it is red.
pub(super) async fn page(kube: &Kube, clock: &Clock, page: Page) -> (String, Value, bool) {
    let now = clock.now();
    let groups = match page {
        Page::Rollback => {
            vec![
                deployments(kube).await,
                history(kube, now).await,
                pods(kube).await,
                events(kube).await,
            ]
        }
        Page::Database => databases(kube).await,
        Page::Services => vec![services(kube).await, ingresses(kube).await],
        Page::All => {
            let mut all = vec![deployments(kube).await, history(kube, now).await, pods(kube).await];
            all.extend([services(kube).await, ingresses(kube).await]);
            all.extend([logs(kube).await, events(kube).await, usage(kube)]);
            all.extend([volumes(kube).await]);
            all.push(keys(kube, "secrets (names of their keys)", Kind::Secret).await);
            all.push(keys(kube, "config maps (names of their keys)", Kind::ConfigMap).await);
            all
        }
    };
    let mut text = String::new();
    let mut map = Map::new();
    for group in &groups {
        let red = if group.red { "  <-- look here" } else { "" };
        writeln!(text, "{}{red}", group.name).ok();
        for line in &group.lines {
            writeln!(text, "  {line}").ok();
        }
        map.insert(group.name.to_owned(), group.lines.clone().into());
    }
    let well = groups.iter().all(|group| !group.red);
    (text, Value::Object(map), well)
}

/// A group of a list; what cannot be listed is said in its place.
async fn group(
    kube: &Kube,
    name: &'static str,
    kind: Kind,
    line: impl Fn(&Object) -> (String, bool),
) -> Group {
    match kube.list(kind, "").await {
        Err(error) => Group { name, lines: vec![error.message], red: true },
        Ok(found) if found.is_empty() => Group { name, lines: vec!["none".to_owned()], red: false },
        Ok(found) => {
            let all: Vec<(String, bool)> = found.iter().map(line).collect();
            let red = all.iter().any(|(_, red)| *red);
            Group { name, lines: all.into_iter().map(|(line, _)| safe(&line)).collect(), red }
        }
    }
}

fn safe(line: &str) -> String {
    SafeText::new(line).to_string()
}

async fn deployments(kube: &Kube) -> Group {
    group(kube, "deployments", Kind::Deployment, |one| {
        let wanted = one.number("/spec/replicas").unwrap_or(1);
        let ready = one.number("/status/readyReplicas").unwrap_or_default();
        let revision = one.annotation(REVISION).unwrap_or("?");
        let why = one.condition("Progressing").filter(|(status, ..)| *status == "False");
        let why = why.map(|(_, reason, _)| format!(", {reason}")).unwrap_or_default();
        (
            format!("{}  {ready}/{wanted} ready, revision {revision}{why}", one.name()),
            ready < wanted,
        )
    })
    .await
}

async fn history(kube: &Kube, now: Time) -> Group {
    let mut found = group(kube, "rollout history", Kind::ReplicaSet, |one| {
        let revision = one.annotation(REVISION).unwrap_or("?");
        let image = one.text("/spec/template/spec/containers/0/image");
        let ready = one.number("/status/readyReplicas").unwrap_or_default();
        let hours = one.made_at().map_or(0, |made| (now - made).num_hours());
        (
            format!("{}  revision {revision}, {image}, {hours} h old, {ready} ready", one.name()),
            false,
        )
    })
    .await;
    found.lines.sort();
    found
}

async fn pods(kube: &Kube) -> Group {
    group(kube, "pods", Kind::Pod, pod_line).await
}

fn pod_line(pod: &Object) -> (String, bool) {
    let states = pod.items("/status/containerStatuses");
    let ready = states.iter().filter(|one| one.get("ready") == Some(&Value::Bool(true))).count();
    let again: i64 = states.iter().filter_map(|one| one.get("restartCount")?.as_i64()).sum();
    let waits = states.iter().find_map(|one| one.pointer("/state/waiting/reason")?.as_str());
    let phase = pod.text("/status/phase");
    let word = if pod.is_going() { "Terminating" } else { waits.unwrap_or(phase) };
    let ended = phase == "Succeeded";
    let line = format!("{}  {word}, {ready}/{} ready, {again} restarts", pod.name(), states.len());
    (line, !ended && !pod.is_going() && ready < states.len().max(1))
}

async fn events(kube: &Kube) -> Group {
    let when = |event: &Object| {
        let times = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        times.iter().find_map(|at| event.time(at))
    };
    let name = "events, newest last";
    let mut all = match kube.list(Kind::Event, "").await {
        Ok(all) => all,
        Err(error) => return Group { name, lines: vec![error.message], red: true },
    };
    all.sort_by_key(|event| when(event));
    let first = all.len().saturating_sub(EVENTS);
    let line = |event: &Object| {
        let at = when(event).map(|at| at.format("%H:%M:%SZ").to_string()).unwrap_or_default();
        let about = event.text("/involvedObject/name");
        let (reason, text) = (event.text("/reason"), event.text("/message"));
        fit(SafeText::new(&format!("{at} {about} {reason}: {text}")).as_str(), 160)
    };
    Group { name, lines: all.iter().skip(first).map(line).collect(), red: false }
}

/// Deployments and stateful sets whose image is a database's.
async fn databases(kube: &Kube) -> Vec<Group> {
    let mut found = Vec::new();
    for kind in [Kind::Deployment, Kind::StatefulSet] {
        match kube.list(kind, "").await {
            Err(error) => {
                return vec![Group {
                    name: "database pods",
                    lines: vec![error.message],
                    red: true,
                }];
            }
            Ok(all) => found.extend(all.into_iter().map(|one| (kind, one))),
        }
    }
    found.retain(|(_, one)| {
        let image = one.text("/spec/template/spec/containers/0/image");
        ["postgres", "redis", "neo4j"].iter().any(|word| image.contains(word))
    });
    let (mut pods, mut logs, mut connect) = (Vec::new(), Vec::new(), Vec::new());
    let mut red = false;
    for (kind, one) in &found {
        let own = pods_of(kube, one).await.unwrap_or_default();
        red |= own.is_empty();
        if own.is_empty() {
            pods.push(format!("{}  no pod", one.name()));
        }
        for pod in &own {
            let (line, bad) = pod_line(pod);
            red |= bad;
            pods.push(safe(&line));
            logs.extend(last_words(kube, pod).await);
        }
        let endpoints = ready_endpoints(kube, one.name()).await;
        let answers = match endpoints {
            Ok(Some(0)) => "its service has no endpoints".to_owned(),
            Ok(Some(ready)) => format!("its service has {ready} endpoints"),
            Ok(None) => "no service of that name".to_owned(),
            Err(error) => error.message,
        };
        let word = kind.word().replace(' ', "");
        let exec = format!("{} exec {word}/{} -- ", kube.kubectl(), one.name());
        connect.push(format!("{}  {answers}; to connect: {exec}{}", one.name(), tool(one)));
    }
    if found.is_empty() {
        pods.push("none: no image of a database in this namespace".to_owned());
    }
    vec![
        Group { name: "database pods", lines: pods, red },
        Group { name: "database logs, newest last", lines: logs, red: false },
        Group { name: "connecting, in a pod that is there", lines: connect, red: false },
    ]
}

fn tool(one: &Object) -> &'static str {
    let image = one.text("/spec/template/spec/containers/0/image");
    if image.contains("redis") {
        "redis-cli ping"
    } else if image.contains("neo4j") {
        "cypher-shell 'RETURN 1'"
    } else {
        "psql -c 'SELECT 1'"
    }
}

async fn last_words(kube: &Kube, pod: &Object) -> Vec<String> {
    let ask = LogAsk { container: None, previous: false, since: None, tail: Some(LINES) };
    let text = match kube.logs(pod.name(), ask).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => error.message,
    };
    let line = |line: &str| fit(SafeText::new(&format!("{}: {line}", pod.name())).as_str(), 160);
    text.lines().map(line).collect()
}

async fn logs(kube: &Kube) -> Group {
    let mut lines = Vec::new();
    for one in kube.list(Kind::Deployment, "").await.unwrap_or_default() {
        if let Some(pod) = pods_of(kube, &one).await.unwrap_or_default().first() {
            lines.extend(last_words(kube, pod).await);
        }
    }
    Group { name: "logs, one pod of each deployment", lines, red: false }
}

/// How many ready addresses a service has; none where there is no such service.
async fn ready_endpoints(kube: &Kube, name: &str) -> Result<Option<usize>, Error> {
    let found = kube.get(Kind::Endpoints, name).await?;
    let count = |one: &Object| {
        let sets = one.items("/subsets").iter();
        sets.filter_map(|set| Some(set.get("addresses")?.as_array()?.len())).sum()
    };
    Ok(found.as_ref().map(count))
}

async fn services(kube: &Kube) -> Group {
    let mut all =
        group(kube, "services", Kind::Service, |one| (one.name().to_owned(), false)).await;
    for name in &mut all.lines {
        let line = match ready_endpoints(kube, name).await {
            Ok(Some(0)) => {
                all.red = true;
                "NO ENDPOINTS: no ready pod has its labels".to_owned()
            }
            Ok(Some(ready)) => format!("{ready} endpoints"),
            Ok(None) => "no endpoints of its own".to_owned(),
            Err(error) => error.message,
        };
        *name = format!("{name}  {line}");
    }
    all
}

async fn ingresses(kube: &Kube) -> Group {
    group(kube, "ingresses", Kind::Ingress, |one| {
        let rules = one.items("/spec/rules").iter();
        let hosts = rules.map(|rule| {
            let text =
                |at: &str| rule.pointer(at).and_then(Value::as_str).unwrap_or("*").to_owned();
            format!("{} -> {}", text("/host"), text("/http/paths/0/backend/service/name"))
        });
        (format!("{}  {}", one.name(), hosts.collect::<Vec<_>>().join(", ")), false)
    })
    .await
}

/// Measured by another API, which is not spoken: the command says it.
fn usage(kube: &Kube) -> Group {
    let line = format!("not measured here: {} top pods", kube.kubectl());
    Group { name: "resource usage", lines: vec![line], red: false }
}

async fn volumes(kube: &Kube) -> Group {
    group(kube, "volume claims", Kind::PersistentVolumeClaim, |one| {
        let phase = one.text("/status/phase");
        (format!("{}  {phase}, {}", one.name(), one.text("/spec/volumeName")), phase != "Bound")
    })
    .await
}

async fn keys(kube: &Kube, name: &'static str, kind: Kind) -> Group {
    group(kube, name, kind, |one| {
        let data = one.at("/data").as_object();
        let keys: Vec<&str> = data.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        (format!("{}  {}", one.name(), keys.join(", ")), false)
    })
    .await
}
