//! The lab's cluster, found or said to be missing, and a namespace of it for each test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use backout::adapters::kube::{Kind, Kube, KubeSettings, Object};
use backout::clock::Clock;
use serde_json::{Value, json};

use crate::tools::required;

/// The program of the pods.
const APP: &str = include_str!("app.py");

/// A namespace of its own in the lab's cluster, removed when dropped.
pub(crate) struct Site {
    pub(crate) kube: Kube,
    home: PathBuf,
    /// Keeps tests that stop parts of the cluster away from those that need it.
    _turn: File,
}

/// A part of the cluster that is away until this is dropped: it stands still, or is to be started
/// anew as it was.
pub(crate) struct Away {
    pid: String,
    anew: Option<Anew>,
}

/// How a part of the cluster is started.
struct Anew {
    /// Where its pid stands.
    file: PathBuf,
    line: Vec<String>,
    environment: Vec<String>,
}

/// What happens to a part of the cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Blow {
    /// It stands still.
    Stop,
    /// It is killed, and started anew.
    Kill,
}

#[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
fn skip(why: &str) -> Option<Site> {
    assert!(!required("kube"), "kube is required, and {why}");
    println!("SKIPPED: no kube ({why})");
    None
}

fn home() -> PathBuf {
    if let Ok(home) = std::env::var("BACKOUT_LAB_KUBE") {
        return home.into();
    }
    let cache = std::env::var("XDG_CACHE_HOME")
        .unwrap_or_else(|_| format!("{}/.cache", std::env::var("HOME").unwrap()));
    Path::new(&cache).join("backout-lab/kube")
}

impl Site {
    /// A fresh namespace; nothing, and said, where no cluster answers.
    pub(crate) async fn fresh() -> Option<Self> {
        Self::open(false).await
    }

    /// The same, for a test that stops parts of the cluster: no other runs meanwhile.
    pub(crate) async fn alone() -> Option<Self> {
        Self::open(true).await
    }

    async fn open(alone: bool) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let home = home();
        let file = home.join("kubeconfig");
        if !file.is_file() {
            return skip("the lab's cluster was never started: lab/kube/kube up");
        }
        let turn = File::create(home.join("tests.lock")).unwrap();
        if alone {
            turn.lock().unwrap();
        } else {
            turn.lock_shared().unwrap();
        }
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("backout-{}-{next}", std::process::id());
        let settings = KubeSettings { kubeconfig: Some(file), context: None, namespace };
        let kube = Kube::new(settings, Clock::real());
        if let Err(error) = kube.identity().await {
            return skip(&format!("the lab's cluster does not answer: {error}"));
        }
        let body = json!({"metadata": {"name": kube.namespace()}});
        kube.create(Kind::Namespace, &body, false).await.unwrap();
        Some(Self { kube, home, _turn: turn })
    }

    /// The settings of a user of the lab: `admin`, `oncall`.
    pub(crate) fn settings_of(&self, user: &str) -> KubeSettings {
        let name = if user == "admin" { "kubeconfig" } else { "kubeconfig-oncall" };
        let kubeconfig = Some(self.home.join(name));
        KubeSettings { kubeconfig, context: None, namespace: self.kube.namespace().to_owned() }
    }

    /// The same namespace, as a user without rights of their own.
    pub(crate) fn oncall(&self) -> Kube {
        Kube::new(self.settings_of("oncall"), Clock::real())
    }

    /// Stops a part of the cluster (`apiserver`, `etcd`, `kubelet`) in its tracks.
    pub(crate) fn stop(&self, part: &str) -> Away {
        self.strike(part, Blow::Stop)
    }

    /// Stops or kills a part of the cluster.
    pub(crate) fn strike(&self, part: &str, blow: Blow) -> Away {
        let file = self.home.join("run").join(format!("{part}.pid"));
        let pid = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        let words = |name: &str| -> Vec<String> {
            let text = std::fs::read(format!("/proc/{pid}/{name}")).unwrap();
            let words = text.split(|byte| *byte == 0).filter(|word| !word.is_empty());
            words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
        };
        match blow {
            Blow::Stop => {
                signal("-STOP", &pid);
                Away { pid, anew: None }
            }
            Blow::Kill => {
                let (line, environment) = (words("cmdline"), words("environ"));
                let anew = Some(Anew { file, line, environment });
                signal("-KILL", &pid);
                Away { pid, anew }
            }
        }
    }

    /// Waits until the API server answers and the node is ready.
    pub(crate) async fn until_whole(&self) {
        self.until("the cluster is whole", async || {
            let node = self.kube.get(Kind::Node, "lab").await;
            let ready = |node: Object| node.condition("Ready").is_some_and(|is| is.0 == "True");
            node.is_ok_and(|node| node.is_some_and(ready))
        })
        .await;
    }

    /// Makes an object, or brings it to that.
    pub(crate) async fn put(&self, body: Value) -> Object {
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        let kind = Kind::of_object(&text("apiVersion"), &text("kind")).unwrap();
        self.kube.apply(kind, &body, false).await.unwrap()
    }

    /// A deployment of the tests' program with these labels beside `app: web`, and its settings.
    pub(crate) async fn deployment(
        &self,
        name: &str,
        color: &str,
        replicas: u32,
        extra: &[(&str, &str)],
    ) {
        self.put(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"},
            "data": {"app.py": APP},
        }))
        .await;
        let version = if color == "blue" { "v2.4.9" } else { "v2.5.0" };
        let mut env = vec![
            json!({"name": "APP_COLOR", "value": color}),
            json!({"name": "APP_VERSION", "value": version}),
        ];
        env.extend(extra.iter().map(|(name, value)| json!({"name": name, "value": value})));
        let labels = json!({"app": "web", "version": color, "app.kubernetes.io/version": version});
        self.put(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web", "version": color}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 5,
                        "containers": [{
                            "name": "web", "image": "python:3.11-slim", "imagePullPolicy": "Never",
                            "command": ["python3", "/app/app.py"], "env": env,
                            "volumeMounts": [{"name": "app", "mountPath": "/app"}],
                            "readinessProbe": {
                                "httpGet": {"path": "/health", "port": 8080},
                                "periodSeconds": 1, "timeoutSeconds": 3,
                            },
                        }],
                        "volumes": [{"name": "app", "configMap": {"name": "app"}}],
                    },
                },
            },
        }))
        .await;
    }

    /// A service on a port of this host; which port.
    pub(crate) async fn service(&self, name: &str, color: &str) -> u16 {
        let made = self
            .put(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {
                    "type": "NodePort", "selector": {"app": "web", "version": color},
                    "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
                },
            }))
            .await;
        u16::try_from(made.number("/spec/ports/0/nodePort").unwrap()).unwrap()
    }

    /// Waits until so many pods of a deployment are ready.
    pub(crate) async fn until_ready(&self, deployment: &str, replicas: i64) {
        let what = format!("{replicas} ready pods of {deployment}");
        self.until(&what, async || {
            let found = self.kube.must_get(Kind::Deployment, deployment).await.unwrap();
            found.number("/status/readyReplicas").unwrap_or_default() == replicas
        })
        .await;
    }

    /// Waits, for minutes where the machine does much else.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !is_so().await {
            assert!(began.elapsed() < Duration::from_mins(4), "not within 4 min: {what}");
            Clock::real().sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let mut delete = Command::new("kubectl");
        delete.arg("--kubeconfig").arg(self.home.join("kubeconfig"));
        delete.args(["delete", "namespace", self.kube.namespace(), "--wait=false"]);
        delete.args(["--request-timeout", "20s"]).stdin(Stdio::null()).stdout(Stdio::null());
        delete.status().ok();
        // What a test that failed has given outside the namespace, which does not go with it.
        let mut delete = Command::new("kubectl");
        delete.arg("--kubeconfig").arg(self.home.join("kubeconfig"));
        let role = format!("{}-identity", self.kube.namespace());
        delete.args(["delete", "--ignore-not-found", "--wait=false"]);
        delete.arg(format!("clusterrolebinding/{role}-shop")).arg(format!("clusterrole/{role}"));
        delete.args(["--request-timeout", "20s"]).stdin(Stdio::null()).stdout(Stdio::null());
        delete.status().ok();
    }
}

fn signal(signal: &str, pid: &str) {
    let said = Command::new("kill").args([signal, pid]).status().unwrap();
    assert!(said.success(), "kill {signal} {pid}");
}

impl Drop for Away {
    fn drop(&mut self) {
        let Some(Anew { file, line, environment }) = self.anew.take() else {
            return signal("-CONT", &self.pid);
        };
        let log = file.with_extension("log");
        let log = File::options().append(true).create(true).open(log).unwrap();
        // In a session of its own it outlives this test.
        let mut command = Command::new("setsid");
        let environment = environment.iter().filter_map(|one| one.split_once('='));
        command.args(line).env_clear().envs(environment).stdin(Stdio::null());
        let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        std::fs::write(file, child.id().to_string()).unwrap();
        std::thread::spawn(move || child.wait());
    }
}
