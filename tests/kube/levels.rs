//! Level 1 on a real cluster, as its user runs it: from a broken version to a verified one.

use std::time::{Duration, Instant};

use backout::adapters::kube::{Kind, Patch, REPLICAS, Write};
use serde_json::json;

use crate::tools::under_load;

use super::lab::Site;
use super::place::{Place, Said};
use crate::support::promised;

/// A shop of two colours, green in traffic and broken, and a configuration of it.
pub(super) struct Shop {
    pub(super) site: Site,
    pub(super) place: Place,
    public: u16,
    blue: u16,
    green: u16,
}

impl Shop {
    pub(super) async fn open(site: Site) -> Self {
        site.deployment("web-blue", "blue", 2, &[]).await;
        site.deployment("web-green", "green", 2, &[("ERRORS", "1")]).await;
        let blue = site.service("web-blue", "blue").await;
        let green = site.service("web-green", "green").await;
        let public = site.service("web-active", "green").await;
        site.until_ready("web-blue", 2).await;
        site.until_ready("web-green", 2).await;
        let shop = Self { site, place: Place::new(), public, blue, green };
        shop.configure("admin", "");
        shop.site.until("green serves", async || shop.serves().await == "green").await;
        // A pod is ready before its service's port is open on the host.
        for port in [shop.blue, shop.green] {
            let what = format!("port {port} answers");
            shop.site.until(&what, async || served(port).await.is_some()).await;
        }
        shop
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.public)
    }

    pub(super) fn configure(&self, user: &str, more: &str) {
        let settings = self.site.settings_of(user);
        let text = format!(
            r#"environment: lab
state_dir: state
platform: {{kubernetes: {{kubeconfig: {file}, context: lab, namespace: {namespace}}}}}
colors:
  blue: {{url: "http://127.0.0.1:{blue}", deployment: web-blue}}
  green: {{url: "http://127.0.0.1:{green}", deployment: web-green}}
traffic: {{service: {{name: web-active, public_url: "{url}"}}}}
help_test: {{paths: [/api/users], requests: 10}}
rollback: {{keep_failed_up: 2s, drain: 2s, gate_probes: 3, gate_every: 300ms, watch_window: 4s, watch_every: 1s, good_response: 20s}}
health_checks:
  - {{check_id: api, service: app, check_type: http_response, endpoint_url: "{url}/api/users", expected_status: 200, samples_per_run: 5, interval: 1s, timeout: 20s}}
{more}"#,
            file = settings.kubeconfig.unwrap().display(),
            namespace = settings.namespace,
            blue = self.blue,
            green = self.green,
            url = self.url(),
        );
        std::fs::write(self.place.config(), text).unwrap();
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Said {
        self.place.run(arguments)
    }

    pub(super) async fn serves(&self) -> String {
        served(self.public).await.unwrap_or_default()
    }

    pub(super) async fn selector(&self) -> String {
        let service = self.site.kube.must_get(Kind::Service, "web-active").await.unwrap();
        service.text("/spec/selector/version").to_owned()
    }
}

/// The colour that answers at a port of this host.
async fn served(port: u16) -> Option<String> {
    let clock = backout::clock::Clock::real();
    let url = format!("http://127.0.0.1:{port}/status");
    let said = backout::adapters::control::get(&url, Duration::from_secs(5), &clock).await;
    let said = said.ok().and_then(|reply| reply.json())?;
    said["environment"].as_str().map(str::to_owned)
}

const QUICK: [&str; 4] = ["rollback", "--quick", "--reason", "errors since 2.5.0"];

#[tokio::test]
async fn level_1_moves_the_service_back_drops_no_request_and_keeps_the_failed_version() {
    let Some(site) = Site::fresh().await else { return };
    let shop = Shop::open(site).await;
    let kube = &shop.site.kube;
    shop.site
        .put(json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web-green"},
            "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef":
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-green"}},
        }))
        .await;
    let mut said = None;
    let (all, failed) =
        under_load(&format!("{}/health", shop.url()), || said = Some(shop.run(&QUICK)));
    let said = said.unwrap();

    assert_eq!(said.code, 0, "{}", said.text);
    assert!(all > 200, "{all} requests");
    assert!(failed.is_empty(), "{} of {all} failed: {:?}", failed.len(), failed.first());
    assert_eq!(shop.serves().await, "blue");
    assert_eq!(shop.selector().await, "blue");
    let service = kube.must_get(Kind::Service, "web-active").await.unwrap();
    assert_eq!(service.annotation("backout.io/switch"), None);
    let green = kube.must_get(Kind::Deployment, "web-green").await.unwrap();
    assert_eq!(green.number("/spec/replicas"), Some(0));
    assert_eq!(green.annotation(REPLICAS), Some("2"), "what it had is on record");
    assert!(kube.list(Kind::Pod, "version=green").await.unwrap().is_empty());
    let bounds = kube.must_get(Kind::HorizontalPodAutoscaler, "web-green").await.unwrap();
    let found = (bounds.number("/spec/minReplicas"), bounds.number("/spec/maxReplicas"));
    assert_eq!(found, (Some(2), Some(5)), "the bounds are as they were");
    let lease = kube.must_get(Kind::Lease, "backout").await.unwrap();
    assert_eq!(lease.text("/spec/holderIdentity"), "", "the lock is given back");
}

#[tokio::test]
async fn traffic_at_a_colour_that_is_not_known_is_said_in_the_documents_words() {
    let Some(site) = Site::fresh().await else { return };
    site.service("web-active", "purple").await;
    let shop = Shop { site, place: Place::new(), public: 1, blue: 2, green: 3 };
    shop.configure("admin", "");
    let said = shop.run(&["plan", "--level", "1"]);
    assert_ne!(said.code, 0);
    assert!(said.text.contains("Unknown active version: purple"), "{}", said.text);
}

#[tokio::test]
async fn a_colour_without_ready_pods_gets_no_traffic() {
    let Some(site) = Site::fresh().await else { return };
    let shop = Shop::open(site).await;
    let broken = Patch::Merge(json!({"spec": {"template": {"spec": {"containers": [{
        "name": "web", "image": "python:3.11-slim", "imagePullPolicy": "Never",
        "command": ["false"],
    }]}}}}));
    let kube = &shop.site.kube;
    kube.patch(Kind::Deployment, "web-blue", &broken, Write::default()).await.unwrap();
    let scale =
        Patch::Merge(json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}}));
    kube.patch(Kind::Deployment, "web-blue", &scale, Write::default()).await.unwrap();
    shop.site.until_ready("web-blue", 0).await;
    let said = shop.run(&QUICK);
    assert_ne!(said.code, 0, "{}", said.text);
    assert_eq!(shop.selector().await, "green", "nothing was switched");
}

#[tokio::test]
async fn a_first_configuration_from_the_namespace_leads_to_a_plan_with_nothing_typed() {
    let Some(site) = Site::fresh().await else { return };
    let shop = Shop::open(site).await;
    let file = shop.site.settings_of("admin").kubeconfig.unwrap();
    let namespace = shop.site.kube.namespace().to_owned();
    let began = Instant::now();
    let mut command = shop.place.command(&["init", "--from-kube", &namespace, "-o", "made.yaml"]);
    let said = command.env("KUBECONFIG", file).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let text = std::fs::read_to_string(shop.place.folder().join("made.yaml")).unwrap();
    let again =
        shop.place.command(&["init", "--from-kube", &namespace, "-o", "made.yaml"]).output();
    assert!(!again.unwrap().status.success(), "one that is there is left as it is");
    let plan = shop.run(&["--config", "made.yaml", "plan", "--level", "1"]);
    assert_eq!(plan.code, 0, "{}\n{text}", plan.text);
    assert!(plan.text.contains("switch traffic to blue"), "{}", plan.text);
    assert!(began.elapsed() < promised(Duration::from_mins(2)));
    assert!(!text.contains("ERRORS"), "no variable of a pod is copied: {text}");
}
