//! The user of the night without rights of their own, and with the Role that is shipped.

use backout::adapters::kube::{Delete, Kind};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use super::lab::Site;
use super::levels::Shop;
use super::one::One;

/// What was given outside the namespace, which does not go with it.
pub(super) struct Granted(String);

impl Granted {
    pub(super) async fn take_back(self, site: &Site) {
        let delete = async |kind, name: &str| site.kube.delete(kind, name, Delete::default()).await;
        delete(Kind::ClusterRoleBinding, &format!("{}-shop", self.0)).await.unwrap();
        delete(Kind::ClusterRole, &self.0).await.unwrap();
    }
}

/// The user of the night is one for all tests: what one is given, another must not find given.
static ONCALL: Mutex<()> = Mutex::const_new(());

/// Waits until no other test gives that user rights.
pub(super) async fn oncall() -> MutexGuard<'static, ()> {
    ONCALL.lock().await
}

/// The shipped file, for this namespace and user.
pub(super) async fn grant_to(site: &Site, user: &str) -> Granted {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/kubernetes-role.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let namespace = site.kube.namespace();
    let text = text.replace("namespace: shop", &format!("namespace: {namespace}"));
    let text = text.replace("backout-identity", &format!("{namespace}-identity"));
    let text = text.replace("name: oncall}", &format!("name: {user:?}}}"));
    for document in text.split("\n---\n") {
        let body: Value = backout::yaml::one(document).unwrap();
        site.put(body).await;
    }
    Granted(format!("{namespace}-identity"))
}

#[tokio::test]
async fn missing_rights_are_named_before_anything_begins_and_the_shipped_role_is_enough() {
    let _oncall = oncall().await;
    let Some(site) = Site::fresh().await else { return };
    let shop = Shop::open(site).await;
    shop.configure("oncall", "");
    let said = shop.run(&["plan", "--level", "1"]);
    assert_ne!(said.code, 0, "{}", said.text);
    for right in ["get services", "patch services", "patch deployments.apps", "create leases"] {
        assert!(said.text.contains(right), "{right} is not named: {}", said.text);
    }
    assert!(said.text.contains("config/kubernetes-role.yaml"), "{}", said.text);
    let said = shop.run(&["rollback", "--quick", "--reason", "errors"]);
    assert_ne!(said.code, 0, "{}", said.text);
    assert_eq!(shop.selector().await, "green", "nothing was changed");
    let doctor = shop.run(&["doctor"]);
    assert!(doctor.text.contains("missing: get namespaces"), "{}", doctor.text);

    let granted = grant_to(&shop.site, "oncall").await;
    let doctor = shop.run(&["doctor"]);
    assert!(doctor.text.contains("all that are needed"), "{}", doctor.text);
    let said = shop.run(&["rollback", "--quick", "--reason", "errors"]);
    granted.take_back(&shop.site).await;
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(shop.serves().await, "blue");
}

#[tokio::test]
async fn the_shipped_role_is_enough_for_an_undo_a_scale_a_flag_a_set_a_job_and_a_canary() {
    let _oncall = oncall().await;
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    let granted = grant_to(&one.site, "oncall").await;
    one.site.deployment("web-canary", "green", 1, &[]).await;
    one.site.until_ready("web-canary", 1).await;
    let saved = one.site.kube.must_get(Kind::ConfigMap, "app").await.unwrap().into_value();
    std::fs::write(one.place.folder().join("maps.yaml"), saved.to_string()).unwrap();
    let steps = "procedures:
  all:
    title: one of each
    level: 1
    steps:
      - {id: try, do: {apply_set: {files: [maps.yaml], dry_run: true}}, budget: 90s}
      - {id: down, needs: [try], do: {scale: {workloads: [deployment/web], down: true, within_seconds: 150}}, budget: 200s}
      - {id: up, needs: [down], do: {scale: {workloads: [deployment/web], down: false, within_seconds: 150}}, budget: 200s}
      - {id: flag, needs: [up], do: {set_config: {map: app, key: FLAG, to: b}}, budget: 90s}
      - {id: set, needs: [flag], do: {apply_set: {files: [maps.yaml]}}, budget: 90s}
      - {id: job, needs: [set], do: {run_job: {name: count, image: 'alpine:latest', local_image: true, argv: ['true'], proof_argv: [echo, 'users=4'], expect: {users: 4}, within_seconds: 150}}, budget: 200s}
";
    one.configure_for("oncall", ", canary: {deployment: web-canary}", steps);
    let words = ["--reason", "as the user of the night"];
    let run = |more: &[&str]| {
        let line: Vec<&str> =
            ["rollback", "--quick"].iter().chain(more).chain(&words).copied().collect();
        let said = one.run(&line);
        assert_eq!(said.code, 0, "{line:?}: {}", said.text);
    };
    run(&[]);
    let canary = one.site.kube.must_get(Kind::Deployment, "web-canary").await.unwrap();
    assert_eq!(canary.number("/spec/replicas"), Some(0));
    run(&["--type", "all"]);
    one.deploy_image("nowhere/missing:v2.5.0", "v2.5.0").await;
    run(&[]);
    granted.take_back(&one.site).await;
}
