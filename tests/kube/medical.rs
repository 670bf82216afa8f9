//! The namespace of document 004 on the real cluster, as far as a test needs it, and the shipped
//! `config/medical-kg.yaml` for it: only places, names of images and lengths of time are replaced.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use backout::adapters::cluster::{Scaled, WorkloadName};
use backout::adapters::control;
use backout::clock::Clock;
use serde_json::{Value, json};

use super::lab::Site;
use super::one::One;
use super::place::{Place, Said};

const SHIPPED: &str = include_str!("../../config/medical-kg.yaml");
const APP: &str = include_str!("medical.py");
/// Who writes: they are scaled away for a restore.
pub(super) const WRITERS: [&str; 2] = ["medical-kg-rev-gateway", "medical-kg-rev-services"];

/// The namespace, its gateway at one address, and a desk that stands in for everybody outside:
/// the control plane of the ingestion, Alertmanager, Slack.
pub(super) struct Medical {
    pub(super) one: One,
    desk: u16,
    volumes: Vec<String>,
}

impl Medical {
    /// With the gateway and the services running; users come in at the deployment `front`.
    pub(super) async fn open(site: Site, front: &str) -> Self {
        site.put(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stand-ins"},
            "data": {"app.py": APP},
        }))
        .await;
        site.put(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "medical-kg-rev-config"},
            "data": {"PDF_PROCESSING_BACKEND": "docling_vlm"},
        }))
        .await;
        let port = service(&site, "medical-kg-rev-gateway", front).await;
        let desk = service(&site, "desk", "desk").await;
        let alerts = json!({"name": "ALERTS", "value": "DoclingModelUnavailable"});
        deployment(&site, "desk", 1, &[alerts]).await;
        deployment(&site, WRITERS[0], 2, &[]).await;
        deployment(&site, WRITERS[1], 1, &[]).await;
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": WRITERS[0]});
        site.put(json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": WRITERS[0]},
            "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": target},
        }))
        .await;
        for (name, pods) in [("desk", 1), (WRITERS[0], 2), (WRITERS[1], 1)] {
            site.until_ready(name, pods).await;
        }
        let one = One { site, place: Place::new(), port };
        Self { one, desk, volumes: Vec::new() }
    }

    pub(super) fn site(&self) -> &Site {
        &self.one.site
    }

    pub(super) fn dir(&self) -> &Path {
        self.one.place.folder()
    }

    /// The shipped configuration for this place, with more replaced and more at its end.
    pub(super) fn configure(&self, replaced: &[(&str, &str)], more: &str) {
        let settings = self.site().settings_of("admin");
        let (desk, url) = (format!("http://127.0.0.1:{}", self.desk), self.one.url());
        let (desk, url) = (desk.as_str(), url.as_str());
        let place = format!(
            "kubeconfig: {}\n    context: lab\n    namespace: {}",
            settings.kubeconfig.unwrap().display(),
            settings.namespace
        );
        let saved = self.dir().join("saved");
        let archived = self.dir().join("mineru");
        let fixed = [
            ("namespace: production", place.as_str()),
            ("https://api.medical-kg-rev.com", url),
            ("/var/lib/backout/medical-kg", "state"),
            ("http://orchestration.internal:8000", desk),
            ("http://alertmanager.internal:9093", desk),
            ("/backups/k8s/latest", saved.to_str().unwrap()),
            ("/backups/k8s/mineru", archived.to_str().unwrap()),
            ("two_person: [3]", "two_person: []"),
            ("watch_window: 15m", "watch_window: 3s"),
            ("watch_every: 10s", "watch_every: 1s"),
            ("good_response: 1s", "good_response: 20s"),
            ("interval: 30s", "interval: 1s"),
            ("interval: 10s", "interval: 1s"),
            ("interval: 5s", "interval: 1s"),
            ("timeout: 6s", "timeout: 20s"),
            ("timeout: 5s", "timeout: 20s"),
            ("samples_per_run: 10", "samples_per_run: 3"),
        ];
        let mut text = SHIPPED.to_owned();
        for (from, to) in fixed.iter().chain(replaced) {
            assert!(text.contains(from), "{from} is not in the shipped configuration");
            text = text.replace(from, to);
        }
        let slack = format!(
            "notifications:\n  receivers:\n    ops: {{slack: {{url: \"{desk}/slack\"}}}}\n"
        );
        std::fs::write(self.dir().join("backout.yaml"), format!("{text}\n{slack}{more}")).unwrap();
    }

    /// A rollback of a type, headless, whatever it loses.
    pub(super) fn roll_back(&self, kind: &str) -> Said {
        let line = ["rollback", "--type", kind, "--auto-confirm", "--reason", "it is broken"];
        self.one.run(&[line.as_slice(), &["--accept-loss", "100000000"]].concat())
    }

    /// What was posted at the desk: path and body.
    pub(super) async fn posted(&self) -> Vec<(String, String)> {
        let url = format!("http://127.0.0.1:{}/said", self.desk);
        let said = control::get(&url, Duration::from_secs(10), &Clock::real()).await.unwrap();
        let all = said.json().unwrap();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        all.as_array().unwrap().iter().map(|one| (text(one, "path"), text(one, "body"))).collect()
    }

    /// Waits until Slack was told this.
    pub(super) async fn until_told(&self, line: &str) {
        let told = async || self.posted().await.iter().any(|(_, body)| body.contains(line));
        let began = std::time::Instant::now();
        while !told().await {
            let posted = self.posted().await;
            assert!(began.elapsed() < Duration::from_mins(2), "not told: {line}: {posted:?}");
            Clock::real().sleep(Duration::from_millis(200)).await;
        }
    }

    /// How the writers stand: replicas and bounds.
    pub(super) async fn writers(&self) -> Vec<Scaled> {
        let mut found = Vec::new();
        for name in WRITERS {
            let name = WorkloadName::Deployment(name.to_owned());
            found.push(Scaled::look(&self.site().kube, &name).await.unwrap());
        }
        found
    }

    /// A folder of this host as a claim of the namespace.
    pub(super) fn volume(&mut self, claim: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.dir().join(claim);
        std::fs::create_dir(&folder).unwrap();
        for open in [self.dir(), folder.as_path()] {
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        let namespace = self.site().kube.namespace().to_owned();
        let volume = format!("{namespace}-{claim}");
        let room = json!({"storage": "1Gi"});
        let both = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume},
             "spec": {"capacity": room, "accessModes": ["ReadWriteMany"], "storageClassName": "",
                "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": folder},
                "claimRef": {"name": claim, "namespace": namespace}}},
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim},
             "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "",
                "volumeName": volume, "resources": {"requests": room}}},
        ]});
        let file = self.dir().join(format!("{claim}.json"));
        std::fs::write(&file, both.to_string()).unwrap();
        self.one.kubectl(&["apply", "-f", file.to_str().unwrap()]);
        self.volumes.push(volume);
        folder
    }

    /// A command in a pod of a deployment; what it prints.
    pub(super) fn exec(&self, deployment: &str, argv: &[&str]) -> String {
        let pod = format!("deploy/{deployment}");
        self.one.kubectl(&[["exec", pod.as_str(), "--"].as_slice(), argv].concat())
    }

    /// One deployment with a claim at `/data`, that is replaced as a whole.
    pub(super) async fn store(&self, name: &str, claim: Option<&str>, container: Value) {
        let mut container = container;
        container["name"] = json!(name);
        container["imagePullPolicy"] = json!("Never");
        let mut volumes = vec![json!({"name": "stand-ins", "configMap": {"name": "stand-ins"}})];
        let mut mounts = vec![json!({"name": "stand-ins", "mountPath": "/tools"})];
        if let Some(claim) = claim {
            volumes.push(json!({"name": "data", "persistentVolumeClaim": {"claimName": claim}}));
            mounts.push(json!({"name": "data", "mountPath": "/data"}));
        }
        container["volumeMounts"] = json!(mounts);
        self.site()
            .put(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
                "spec": {
                    "replicas": 1, "strategy": {"type": "Recreate"},
                    "selector": {"matchLabels": {"app": name}},
                    "template": {
                        "metadata": {"labels": {"app": name}},
                        "spec": {"terminationGracePeriodSeconds": 5, "containers": [container], "volumes": volumes},
                    },
                },
            }))
            .await;
        self.site().until_ready(name, 1).await;
    }
}

impl Drop for Medical {
    fn drop(&mut self) {
        let file = self.site().settings_of("admin").kubeconfig.unwrap();
        for volume in &self.volumes {
            let mut delete = Command::new("kubectl");
            delete.arg("--kubeconfig").arg(&file).args(["delete", "pv", volume, "--wait=false"]);
            delete.args(["--request-timeout", "20s"]).stdin(Stdio::null()).stdout(Stdio::null());
            delete.status().ok();
        }
    }
}

/// A stand-in of a program, with the settings of the namespace.
pub(super) async fn deployment(site: &Site, name: &str, replicas: u32, env: &[Value]) {
    let mut env = env.to_vec();
    env.push(json!({"name": "APP_VERSION", "value": "v2.4.9"}));
    let labels = json!({"app": name, "app.kubernetes.io/version": "v2.4.9"});
    site.put(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "containers": [{
                        "name": "app", "image": "python:3.11-slim", "imagePullPolicy": "Never",
                        "command": ["python3", "/app/app.py"], "env": env,
                        "envFrom": [{"configMapRef": {"name": "medical-kg-rev-config"}}],
                        "volumeMounts": [{"name": "app", "mountPath": "/app"}],
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080},
                            "periodSeconds": 1, "timeoutSeconds": 3},
                    }],
                    "volumes": [{"name": "app", "configMap": {"name": "stand-ins"}}],
                },
            },
        },
    }))
    .await;
}

/// A service on a port of this host; which port.
async fn service(site: &Site, name: &str, app: &str) -> u16 {
    let made = site
        .put(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "NodePort", "selector": {"app": app},
                "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]},
        }))
        .await;
    u16::try_from(made.number("/spec/ports/0/nodePort").unwrap()).unwrap()
}
