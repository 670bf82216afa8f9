//! Which service moves traffic between which deployments, and where they are reached.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::adapters::kube::Object;

use super::Facts;

/// Labels that tell versions of one program apart, the likeliest first. Others tell its parts apart
/// (a leader and its followers), unless the service or its values are named as for a switch.
const KEYS: [&str; 6] = ["version", "color", "colour", "slot", "track", "release"];

/// A service that sends users to one of several deployments.
#[derive(Debug)]
pub(super) struct Switch<'a> {
    pub(super) service: &'a Object,
    /// The label whose value says to which.
    pub(super) key: String,
    /// Where it sends them now.
    pub(super) active: String,
    pub(super) colors: BTreeMap<String, &'a Object>,
}

/// The labels of a deployment's pods.
fn labels(deployment: &Object) -> BTreeMap<&str, &str> {
    deployment.texts("/spec/template/metadata/labels")
}

/// Whether a service's selector without `key` matches the pods of a deployment.
fn selects(service: &Object, deployment: &Object, key: Option<&str>) -> bool {
    let labels = labels(deployment);
    let selector = service.texts("/spec/selector");
    let mut rest = selector.iter().filter(|(name, _)| Some(**name) != key).peekable();
    rest.peek().is_some() && rest.all(|(name, value)| labels.get(name) == Some(value))
}

/// The services by which users come in and which tell deployments apart, the likeliest first.
pub(super) fn switches(facts: &Facts) -> Vec<Switch<'_>> {
    let mut found: Vec<Switch<'_>> = Vec::new();
    for service in &facts.services {
        for (key, active) in service.texts("/spec/selector") {
            let mut colors: BTreeMap<String, &Object> = BTreeMap::new();
            let mut alike = false;
            for one in facts.deployments.iter().filter(|one| selects(service, one, Some(key))) {
                if let Some(value) = labels(one).get(key) {
                    alike |= colors.insert((*value).to_owned(), one).is_some();
                }
            }
            let named = KEYS.contains(&key)
                || service.name().ends_with("-active")
                || colors.contains_key("blue");
            if named && colors.len() > 1 && !alike && colors.contains_key(active) {
                let (key, active) = (key.to_owned(), active.to_owned());
                found.push(Switch { service, key, active, colors });
            }
        }
    }
    // Services of one colour alone have the same shape: the one that users reach is named so, or
    // is the one with an ingress, or has no colour in its name.
    let rank = |one: &Switch<'_>| {
        let name = one.service.name();
        let of_a_color = one.colors.keys().any(|color| name.contains(color.as_str()));
        let known = KEYS.iter().position(|key| *key == one.key).unwrap_or(KEYS.len());
        (!name.ends_with("-active"), ingress(facts, one.service).is_none(), of_a_color, known)
    };
    found.sort_by_key(rank);
    found
}

/// The service of one deployment alone.
pub(super) fn own<'a>(facts: &'a Facts, switch: &Switch<'_>, color: &str) -> Option<&'a Object> {
    let deployment = switch.colors.get(color)?;
    facts.services.iter().find(|service| {
        service.uid() != switch.service.uid()
            && service.texts("/spec/selector").get(switch.key.as_str()) == Some(&color)
            && selects(service, deployment, None)
    })
}

/// Whether `other` is the service of one colour of `switch` alone.
pub(super) fn own_of(switch: &Switch<'_>, other: &Switch<'_>) -> bool {
    switch.key == other.key
        && switch
            .colors
            .values()
            .map(|one| one.uid())
            .eq(other.colors.values().map(|one| one.uid()))
}

/// Where an ingress takes requests for a service.
pub(super) fn ingress(facts: &Facts, service: &Object) -> Option<String> {
    facts.ingresses.iter().find_map(|one| {
        let secure = !one.items("/spec/tls").is_empty();
        one.items("/spec/rules").iter().find_map(|rule| {
            let host = rule.get("host")?.as_str()?;
            let paths = rule.pointer("/http/paths")?.as_array()?;
            let to = |path: &Value| {
                let name = path.pointer("/backend/service/name");
                name.or_else(|| path.pointer("/backend/serviceName")).and_then(Value::as_str)
                    == Some(service.name())
            };
            let scheme = if secure { "https" } else { "http" };
            paths.iter().any(to).then(|| format!("{scheme}://{host}"))
        })
    })
}

/// Where a service is reached, and what that rests on.
pub(super) fn address(facts: &Facts, service: &Object) -> (String, &'static str) {
    let port = |key: &str| service.number(&format!("/spec/ports/0/{key}"));
    let outside = ["ip", "hostname"]
        .map(|key| service.text(&format!("/status/loadBalancer/ingress/0/{key}")).to_owned());
    if let Some(host) = outside.iter().find(|host| !host.is_empty()) {
        return (format!("http://{host}:{}", port("port").unwrap_or(80)), "its load balancer");
    }
    if let Some(port) = port("nodePort") {
        let host = if facts.host.is_empty() { "127.0.0.1" } else { &facts.host };
        return (format!("http://{host}:{port}"), "its node port and the API server's host");
    }
    let (name, namespace) = (service.name(), &facts.settings.namespace);
    let port = port("port").unwrap_or(80);
    let from = "its name within the cluster: from outside it needs a node port or an ingress";
    (format!("http://{name}.{namespace}.svc:{port}"), from)
}

/// The one workload that users reach, where no service tells two apart.
#[derive(Debug)]
pub(super) struct Main<'a> {
    /// How a configuration calls its kind: `deployment`, `stateful_set`.
    pub(super) key: &'static str,
    pub(super) workload: &'a Object,
    pub(super) service: &'a Object,
    /// What the choice rests on.
    pub(super) from: &'static str,
}

/// Names that programs in front often have.
const FRONT: [&str; 7] = ["front", "web", "gateway", "ui", "app", "www", "api"];

/// The workload behind the service that looks most like where users come in.
pub(super) fn main(facts: &Facts) -> Option<Main<'_>> {
    let mut found: Vec<(usize, bool, Main<'_>)> = Vec::new();
    for service in &facts.services {
        let sorts = [("deployment", &facts.deployments), ("stateful_set", &facts.stateful_sets)];
        for (key, all) in sorts {
            let behind = all.iter().filter(|one| selects(service, one, None));
            for workload in behind {
                let (rank, from) = outside(facts, service);
                let inner = key != "deployment";
                found.push((rank, inner, Main { key, workload, service, from }));
            }
        }
    }
    let first = found.into_iter().min_by_key(|(rank, inner, _)| (*rank, *inner));
    first.map(|(_, _, main)| main)
}

/// How much a service looks like where users come in; the less the more.
fn outside(facts: &Facts, service: &Object) -> (usize, &'static str) {
    let name = service.name();
    if ingress(facts, service).is_some() {
        (0, "an ingress leads to its service")
    } else if service.text("/spec/type") == "LoadBalancer" {
        (1, "its service has a load balancer")
    } else if service.number("/spec/ports/0/nodePort").is_some() {
        (2, "its service has a port on every node")
    } else if service.text("/spec/clusterIP") == "None" {
        (5, "a service without an address of its own leads to it")
    } else if FRONT.iter().any(|front| name.contains(front)) {
        (3, "the name of its service")
    } else {
        (4, "a service leads to it")
    }
}

/// Where users reach the service of one workload, and what that rests on.
pub(super) fn reached(facts: &Facts, service: &Object) -> (String, &'static str) {
    match ingress(facts, service) {
        Some(url) => (url, "its ingress"),
        None => address(facts, service),
    }
}

/// The path that a deployment says it is ready at.
pub(super) fn path(deployment: &Object) -> Option<&str> {
    let container = "/spec/template/spec/containers/0";
    let kinds = ["readinessProbe", "livenessProbe"];
    let mut found =
        kinds.iter().map(|kind| deployment.text(&format!("{container}/{kind}/httpGet/path")));
    found.find(|path| path.starts_with('/'))
}
