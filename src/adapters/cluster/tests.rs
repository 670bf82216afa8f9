use serde_json::json;

use super::fake::{FakeCluster, deployment};
use super::*;
use crate::clock::Clock;

fn web() -> WorkloadName {
    WorkloadName::Deployment("web".to_owned())
}

async fn look(fake: &FakeCluster) -> Rollout {
    Rollout::look(fake, &web()).await.unwrap()
}

#[test]
fn a_template_is_the_same_whatever_its_controller_added() {
    let bare = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": 1}});
    let kept = json!({"metadata": {"creationTimestamp": null, "labels": {"pod-template-hash": "9", "app": "a"}}, "spec": {"x": 1}});
    assert_eq!(digest(&bare), digest(&kept));
    assert_ne!(
        digest(&bare),
        digest(&json!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": 2}}))
    );
    let images =
        json!({"spec": {"containers": [{"image": "r:5000/app:v2@sha256:aa"}, {"image": "side"}]}});
    assert_eq!(versions(&images).as_str(), "v2+side");
}

#[test]
fn a_workload_is_named_as_people_write_it() {
    let read = |text: &str| WorkloadName::try_from(text.to_owned());
    assert_eq!(read("web").unwrap(), web());
    assert_eq!(read("deployment/web").unwrap().to_string(), "deployment/web");
    assert_eq!(read("sts/db").unwrap().to_string(), "statefulset/db");
    assert!(read("daemonset/x").unwrap_err().contains("no rollouts"));
    assert!(read("").is_err() && read("deployment/").is_err());
}

#[tokio::test]
async fn going_back_moves_the_template_once_and_never_again() {
    let fake = FakeCluster::with_a_bad_deploy();
    let seen = look(&fake).await;
    assert_eq!(seen.current().map(|one| one.number), Some(2));
    let old = seen.others().next().unwrap().clone();
    assert_eq!((old.number, old.version().as_str()), (1, "v1"));
    let ends = (&seen.digest, &old.digest);
    put_template(&*fake, &web(), ends, &Clock::real()).await.unwrap();
    let said = put_template(&*fake, &web(), ends, &Clock::real()).await.unwrap();
    assert!(said.as_str().contains("already"), "{said}");
    assert_eq!(fake.changes(), ["patch deployment web"]);
    let after = look(&fake).await;
    assert_eq!(after.current().map(|one| one.number), Some(3), "its number is new");
    assert!(matches!(Progress::of(&after.object), Progress::Done(_)));
}

#[tokio::test]
async fn a_third_template_a_pause_and_a_pruned_revision_are_refused() {
    let fake = FakeCluster::with_a_bad_deploy();
    let seen = look(&fake).await;
    let old = seen.others().next().unwrap().clone();
    let ends = (&seen.digest, &old.digest);
    fake.change(Kind::Deployment, "web", "/spec/paused", json!(true));
    let error = put_template(&*fake, &web(), ends, &Clock::real()).await.unwrap_err();
    assert!(error.message.contains("kubectl -n shop rollout resume deployment/web"), "{error}");
    fake.change(Kind::Deployment, "web", "/spec/paused", json!(false));
    fake.take(Kind::ReplicaSet, &old.name);
    let error = put_template(&*fake, &web(), ends, &Clock::real()).await.unwrap_err();
    assert!(error.message.contains("not kept any more"), "{error}");
    fake.roll("web", "app:v3");
    let error = put_template(&*fake, &web(), ends, &Clock::real()).await.unwrap_err();
    assert!(error.message.contains("neither"), "{error}");
    assert!(fake.changes().is_empty());
}

#[tokio::test]
async fn a_controller_that_writes_in_between_is_no_reason_to_give_up() {
    let fake = FakeCluster::with_a_bad_deploy();
    let seen = look(&fake).await;
    let old = seen.others().next().unwrap().clone();
    for _ in 0..3 {
        fake.upset(Error::new(crate::adapters::Kind::Conflict, "changed meanwhile"), false);
    }
    put_template(&*fake, &web(), (&seen.digest, &old.digest), &Clock::real()).await.unwrap();
    assert_eq!(look(&fake).await.digest, old.digest);
}

#[tokio::test]
async fn what_a_template_needs_and_is_gone_is_named_with_its_key() {
    let fake = FakeCluster::new();
    fake.put(Kind::ConfigMap, json!({"metadata": {"name": "a"}, "data": {"x": "1"}}));
    let template = json!({"spec": {
        "serviceAccountName": "runner",
        "containers": [{"env": [
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "x"}}},
            {"name": "Y", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "y"}}},
            {"name": "Z", "valueFrom": {"secretKeyRef": {"name": "s", "key": "z", "optional": true}}},
        ]}],
        "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}],
    }});
    let (gone, hidden) = missing(&*fake, &template).await.unwrap();
    let words: Vec<String> = gone.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["config map a key y", "volume claim data", "service account runner"]);
    assert!(hidden.is_empty());
}

#[tokio::test]
async fn owners_are_read_from_labels_and_frozen_by_their_own_object() {
    let mut object = deployment("web", "app:v1", 1);
    object["metadata"]["annotations"] = json!({
        "argocd.argoproj.io/tracking-id": "shop_web:apps/Deployment:shop/web",
    });
    object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
    object["metadata"]["namespace"] = json!("shop");
    let owners = Owner::of(&Object::new(object));
    let kinds: Vec<OwnerKind> = owners.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [OwnerKind::Argo], "a Helm release without a name is nobody");
    let fake = FakeCluster::new();
    let policy = json!({"automated": {"prune": true}});
    fake.put(
        Kind::ArgoApplication,
        json!({"metadata": {"name": "web"}, "spec": {"syncPolicy": policy}}),
    );
    let owner = owners.first().unwrap();
    let (on, was) = sync_of(&*fake, owner).await.unwrap().unwrap();
    assert!(on);
    set_frozen(&*fake, owner, (true, &was)).await.unwrap();
    assert!(!sync_of(&*fake, owner).await.unwrap().unwrap().0);
    set_frozen(&*fake, owner, (false, &was)).await.unwrap();
    assert_eq!(sync_of(&*fake, owner).await.unwrap().unwrap(), (true, json!({"prune": true})));
}
