//! Namespaces of others: a first configuration and a plan, or why there is none, with nothing typed.

use std::time::{Duration, Instant};

use backout::adapters::kube::{Kind, Patch, Write};
use serde_json::{Value, json};

use super::lab::Site;
use super::place::{Place, Said};

/// A container that does nothing for long, of an image that the lab has.
fn container(name: &str, version: &str) -> Value {
    json!({
        "name": name, "image": "alpine:latest", "imagePullPolicy": "Never",
        "command": ["sleep", "3600"], "env": [{"name": "RELEASE", "value": version}],
    })
}

fn workload(kind: &str, name: &str, labels: &Value, version: &str) -> Value {
    let mut template = labels.clone();
    template["app.kubernetes.io/version"] = json!(version);
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": template},
                "spec": {"terminationGracePeriodSeconds": 1,
                    "containers": [container(name, version)]},
            },
        },
    })
}

fn service(name: &str, selector: &Value, kind: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": kind, "selector": selector, "ports": [{"port": 80, "protocol": "TCP"}]},
    })
}

/// Writes a configuration for the namespace and asks for a plan, as a newcomer would.
fn from_nothing(site: &Site) -> (String, Said) {
    let place = Place::new();
    let began = Instant::now();
    let namespace = site.kube.namespace().to_owned();
    let mut init = place.command(&["init", "--from-kube", &namespace, "-o", "made.yaml"]);
    init.env("KUBECONFIG", site.settings_of("admin").kubeconfig.unwrap());
    let said = init.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let text = std::fs::read_to_string(place.folder().join("made.yaml")).unwrap();
    let plan = place.run(&["--config", "made.yaml", "plan", "--level", "1"]);
    assert!(began.elapsed() < Duration::from_mins(2));
    (text, plan)
}

/// A deploy of the next version.
async fn next(site: &Site, kind: Kind, name: &str, version: &str) {
    let fields = json!({"spec": {"template": {
        "metadata": {"labels": {"app.kubernetes.io/version": version}},
        "spec": {"containers": [container(name, version)]},
    }}});
    site.kube.patch(kind, name, &Patch::Merge(fields), Write::default()).await.unwrap();
}

/// Until so many revisions of a workload are kept.
async fn kept(site: &Site, kind: Kind, labels: &str, count: usize) {
    site.until("its revisions are kept", async || {
        site.kube.list(kind, labels).await.unwrap().len() == count
    })
    .await;
}

#[tokio::test]
async fn a_guestbook_with_a_leader_and_followers_goes_back_at_its_front() {
    let Some(site) = Site::fresh().await else { return };
    let front = json!({"app": "guestbook", "tier": "frontend"});
    let redis = |role: &str| json!({"app": "redis", "role": role, "tier": "backend"});
    site.put(workload("Deployment", "frontend", &front, "v4")).await;
    for role in ["leader", "follower"] {
        let name = format!("redis-{role}");
        site.put(workload("Deployment", &name, &redis(role), "6.0.5")).await;
        site.put(service(&name, &redis(role), "ClusterIP")).await;
    }
    site.put(service("frontend", &front, "NodePort")).await;
    kept(&site, Kind::ReplicaSet, "tier=frontend", 1).await;
    let (text, plan) = from_nothing(&site);
    assert!(text.contains("deployment: frontend"), "{text}");
    let why = "no earlier revision of deployment/frontend is kept";
    assert!(plan.code != 0 && plan.text.contains(why), "{}", plan.text);
    next(&site, Kind::Deployment, "frontend", "v5").await;
    kept(&site, Kind::ReplicaSet, "tier=frontend", 2).await;
    let (_, plan) = from_nothing(&site);
    assert_eq!(plan.code, 0, "{}", plan.text);
    assert!(plan.text.contains("undo deployment/frontend to revision 1"), "{}", plan.text);
}

#[tokio::test]
async fn a_database_of_a_stateful_set_with_an_ingress_goes_back_by_its_own_revisions() {
    let Some(site) = Site::fresh().await else { return };
    let labels = json!({"app": "couch"});
    let mut set = workload("StatefulSet", "couch", &labels, "3.1");
    set["spec"]["serviceName"] = json!("couch");
    site.put(set).await;
    let mut headless = service("couch", &labels, "ClusterIP");
    headless["spec"]["clusterIP"] = json!("None");
    site.put(headless).await;
    site.put(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "couch"},
        "spec": {"rules": [{"host": "couch.example", "http": {"paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "couch", "port": {"number": 80}}}}]}}]},
    }))
    .await;
    kept(&site, Kind::ControllerRevision, "", 1).await;
    next(&site, Kind::StatefulSet, "couch", "3.2").await;
    kept(&site, Kind::ControllerRevision, "", 2).await;
    let (text, plan) = from_nothing(&site);
    for line in ["stateful_set: couch", "public_url: \"http://couch.example\""] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(plan.code, 0, "{}", plan.text);
    assert!(plan.text.contains("undo statefulset/couch to revision 1"), "{}", plan.text);
}

#[tokio::test]
async fn a_release_of_helm_goes_back_and_the_card_names_its_owner() {
    let Some(site) = Site::fresh().await else { return };
    let namespace = site.kube.namespace().to_owned();
    let labels = json!({"app.kubernetes.io/name": "blog", "app.kubernetes.io/instance": "mine"});
    let mut blog = workload("Deployment", "mine-blog", &labels, "5.8");
    blog["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
    blog["metadata"]["labels"]["helm.sh/chart"] = json!("blog-12.0.0");
    blog["metadata"]["annotations"] = json!({
        "meta.helm.sh/release-name": "mine", "meta.helm.sh/release-namespace": namespace,
    });
    site.put(blog).await;
    site.put(service("mine-blog", &labels, "LoadBalancer")).await;
    kept(&site, Kind::ReplicaSet, "", 1).await;
    next(&site, Kind::Deployment, "mine-blog", "5.9").await;
    kept(&site, Kind::ReplicaSet, "", 2).await;
    let (text, plan) = from_nothing(&site);
    assert!(text.contains("deployment: mine-blog"), "{text}");
    assert_eq!(plan.code, 0, "{}", plan.text);
    for words in ["undo deployment/mine-blog to revision 1", "Helm release mine in"] {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
}
