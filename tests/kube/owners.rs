//! Owners that keep a workload as it is (Argo CD, Flux). Their own objects are held by a front of the
//! real API server, for the lab's server cannot hold custom objects (`custom.py` says why); all else
//! is real. What an owner does is a stand-in that brings the bad template back every second unless
//! its object says otherwise.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backout::adapters::cluster::{Scaled, WorkloadName};
use backout::adapters::control;
use backout::adapters::kube::{Kind, Patch, Write};
use backout::clock::Clock;
use serde_json::{Value, json};

use super::lab::Site;
use super::one::One;
use super::rights::{grant_to, oncall};

/// A program that ends with the test.
struct Beside(Child);

impl Beside {
    fn begin(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    /// The number at the end of its first line.
    fn port(&mut self) -> u16 {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().rsplit([':', ' ']).next().unwrap().parse().unwrap()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The front, and the object of the owner in it.
struct Front {
    port: u16,
    path: String,
    _programs: [Beside; 2],
}

impl Front {
    /// Begins it as a user of the lab, and has the configuration go there; watched for so long.
    fn open(one: &One, user: &str, (watch, deny): (&str, bool), path: &str) -> Self {
        let settings = one.site.settings_of(user);
        let mut proxy = Command::new("kubectl");
        proxy.arg("--kubeconfig").arg(settings.kubeconfig.unwrap());
        proxy.args(["proxy", "--port", "0"]).stdout(Stdio::piped());
        let mut proxy = Beside::begin(&mut proxy);
        let upstream = proxy.port();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kube/custom.py");
        let mut front = Command::new("python3");
        front.args([script, &upstream.to_string(), if deny { "deny" } else { "" }]);
        let mut front = Beside::begin(front.stdout(Stdio::piped()));
        let port = front.port();
        let file = one.place.folder().join("front.yaml");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab", "users": [],
            "clusters": [{"name": "lab", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab"}}],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        one.configure_as(user, watch, "");
        let ours = one.place.folder().join("backout.yaml");
        let text = std::fs::read_to_string(&ours).unwrap();
        let known = one.site.settings_of(user).kubeconfig.unwrap();
        let text = text.replace(known.to_str().unwrap(), file.to_str().unwrap());
        std::fs::write(ours, text).unwrap();
        let path = path.replace("NS", one.site.kube.namespace());
        Self { port, path, _programs: [proxy, front] }
    }

    fn argo(one: &One, user: &str, how: (&str, bool)) -> Self {
        Self::open(one, user, how, "/apis/argoproj.io/v1alpha1/namespaces/NS/applications/shop")
    }

    fn flux(one: &One) -> Self {
        let path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/NS/kustomizations/shop";
        Self::open(one, "admin", ("4s", false), path)
    }

    async fn put(&self, spec: Value) {
        let url = format!("http://127.0.0.1:{}/own", self.port);
        let object = json!({"metadata": {"name": "shop"}, "spec": spec});
        let body = json!({"path": self.path, "object": object});
        control::post(&url, &body, Duration::from_secs(10), &Clock::real()).await.unwrap();
    }

    async fn spec(&self) -> Value {
        let url = format!("http://127.0.0.1:{}/own?{}", self.port, self.path);
        let said = control::get(&url, Duration::from_secs(10), &Clock::real()).await.unwrap();
        said.json().unwrap()["spec"].clone()
    }

    /// The stand-in of the owner: it acts while this, of its spec, is so.
    async fn owner(&self, one: &One, acts: &str) -> Beside {
        let template = one.at("/spec/template").await.to_string();
        let settings = one.site.settings_of("admin");
        let ask = format!(
            "import json, urllib.request, sys; \
             spec = json.load(urllib.request.urlopen(\"http://127.0.0.1:{}/own?{}\"))[\"spec\"]; \
             sys.exit(0 if {acts} else 1)",
            self.port, self.path
        );
        let line = format!(
            "while sleep 1; do python3 -c '{ask}' 2>/dev/null && kubectl --kubeconfig {} -n {} patch deployment web \
             --type merge --field-manager argocd-controller \
             -p '{{\"spec\":{{\"template\":{template}}}}}' >/dev/null; done",
            settings.kubeconfig.unwrap().display(),
            settings.namespace
        );
        Beside::begin(Command::new("sh").args(["-c", &line]))
    }
}

const SYNCS: &str = "spec[\"syncPolicy\"].get(\"automated\")";

fn automated() -> Value {
    json!({"project": "default", "syncPolicy": {"automated": {"prune": true, "selfHeal": true}}})
}

/// A bad deploy of `web` that an application of Argo CD holds to be right.
async fn owned_by_argo(one: &One) {
    let place = one.site.kube.namespace();
    let id = format!("{place}_shop:apps/Deployment:{place}/web");
    let notes = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": id}}});
    let notes = Patch::Merge(notes);
    one.site.kube.patch(Kind::Deployment, "web", &notes, Write::default()).await.unwrap();
    bad(one).await;
}

async fn bad(one: &One) {
    one.deploy_variable("ERRORS", "1", "v2.5.0").await;
    one.site
        .until("the bad version serves", async || {
            !one.answers().await && one.at("/status/replicas").await == json!(1)
        })
        .await;
}

#[tokio::test]
async fn a_frozen_application_lets_the_rollback_hold_and_is_left_over_until_it_is_lifted() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    let front = Front::argo(&one, "admin", ("4s", false));
    front.put(automated()).await;
    one.site
        .put(json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 1, "maxReplicas": 4, "scaleTargetRef":
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
        }))
        .await;
    owned_by_argo(&one).await;
    let web = WorkloadName::Deployment("web".to_owned());
    let before = Scaled::look(&one.site.kube, &web).await.unwrap();
    let _owner = front.owner(&one, SYNCS).await;
    let done = one.run(&["rollback", "--quick", "--reason", "errors"]);
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("Argo CD application shop"), "{}", done.text);
    assert!(one.answers().await, "it holds");
    assert_eq!(front.spec().await["syncPolicy"].get("automated"), None);
    assert_eq!(Scaled::look(&one.site.kube, &web).await.unwrap(), before, "replicas and bounds");
    let left = one.run(&["leftovers"]).text;
    assert!(left.contains("Argo CD application shop") && left.contains("frozen"), "{left}");
    assert!(left.contains("patch applications.argoproj.io shop"), "{left}");
    assert!(left.contains("selfHeal"), "what was there is in the line: {left}");

    // Somebody lifts it, by that line: whoever watches next sees that nothing is left.
    front.put(automated()).await;
    // The engine of the rollback may not have ended yet: then it is tried again.
    let monitor = || {
        let mut monitor = one.place.command(&["monitor"]);
        Beside::begin(monitor.stdout(Stdio::null()).stderr(Stdio::null()))
    };
    let mut watching = monitor();
    one.site
        .until("the freeze is no leftover any more", async || {
            if watching.0.try_wait().unwrap().is_some() {
                watching = monitor();
            }
            !one.run(&["leftovers"]).text.contains("frozen")
        })
        .await;
}

#[tokio::test]
async fn a_sync_that_is_enabled_again_is_noticed_while_the_rollback_is_watched() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    let front = Front::argo(&one, "admin", ("60s", false));
    front.put(automated()).await;
    owned_by_argo(&one).await;
    let mut going = one.place.command(&["rollback", "--quick", "--reason", "errors"]);
    let going = going.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    one.site
        .until("the rollback is through and watched", async || {
            one.answers().await
                && front.spec().await["syncPolicy"].get("automated").is_none()
                && one.at("/status/readyReplicas").await == json!(1)
                && one.at("/status/replicas").await == json!(1)
        })
        .await;
    front.put(automated()).await;
    let said = going.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said.status.code(), Some(13), "{text}");
    assert!(text.contains("sync was enabled again"), "{text}");
    assert!(text.contains("patch applications.argoproj.io shop"), "{text}");
}

#[tokio::test]
async fn who_may_not_freeze_an_application_is_told_that_it_will_undo_it_and_what_to_type() {
    let _oncall = oncall().await;
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    let granted = grant_to(&one.site, "oncall").await;
    let front = Front::argo(&one, "oncall", ("4s", true));
    front.put(automated()).await;
    owned_by_argo(&one).await;
    let plan = one.run(&["plan", "--level", "1"]);
    let namespace = one.site.kube.namespace().to_owned();
    let line =
        format!("kubectl -n {namespace} patch applications.argoproj.io shop --type merge -p");
    let owner = front.owner(&one, SYNCS).await;
    let done = one.run(&["rollback", "--quick", "--reason", "errors"]);
    drop(owner);
    granted.take_back(&one.site).await;
    for words in ["Argo CD application shop", "will undo it, and we cannot freeze it", &line] {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
    assert_eq!(done.code, 13, "never a success: {}", done.text);
    assert!(done.text.contains("reverted by argocd-controller"), "{}", done.text);
}

#[tokio::test]
async fn a_kustomization_of_flux_is_suspended_and_its_way_back_resumes_it() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    let front = Front::flux(&one);
    front.put(json!({"path": "./shop", "prune": true})).await;
    let place = one.site.kube.namespace();
    let labels = json!({"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": place});
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    one.site.kube.patch(Kind::Deployment, "web", &patch, Write::default()).await.unwrap();
    bad(&one).await;
    let owner = front.owner(&one, "not spec.get(\"suspend\")").await;
    let done = one.run(&["rollback", "--quick", "--reason", "errors"]);
    assert_eq!(done.code, 0, "{}", done.text);
    assert_eq!(front.spec().await["suspend"], json!(true));
    assert!(one.answers().await, "it holds");
    assert!(one.run(&["leftovers"]).text.contains("Flux kustomization shop"), "it is left over");
    drop(owner);
    let undo = one.run(&["rollback", "--undo", "last", "--dry-run"]);
    assert!(undo.text.contains("lift the freeze of Flux kustomization s"), "{}", undo.text);
}
