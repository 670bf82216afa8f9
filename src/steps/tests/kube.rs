//! Steps on a cluster in memory: each does its act once however often it is cut off and repeated.

use super::*;
use crate::adapters::Kind as No;
use crate::adapters::cluster::fake::{FakeCluster, deployment};
use crate::adapters::cluster::{Rollout, WorkloadName};
use crate::adapters::kube::Kind as Object;

fn web() -> WorkloadName {
    WorkloadName::Deployment("web".to_owned())
}

async fn stage() -> (Stage, Arc<FakeCluster>) {
    let mut stage = Stage::new().await;
    let fake = FakeCluster::with_a_bad_deploy();
    stage.cluster = Some(fake.clone());
    (stage, fake)
}

/// Undoing the bad deploy, waiting for it, and guarding it.
async fn steps(fake: &FakeCluster) -> [StepKind; 3] {
    let seen = Rollout::look(fake, &web()).await.unwrap();
    let old = seen.others().next().unwrap().clone();
    let undo = json!({"rollout_undo": {
        "workload": "deployment/web", "revision": old.number, "version": old.version(),
        "to": old.digest, "from": seen.digest,
    }});
    let wait = json!({"wait_rollout": {"workload": "deployment/web", "to": old.digest, "within_seconds": 2}});
    let guard =
        json!({"guard_rollout": {"workload": "deployment/web", "to": old.digest, "seconds": 1}});
    [undo, wait, guard].map(kind)
}

#[tokio::test]
async fn an_undo_is_done_once_waited_for_and_guarded() {
    let (stage, fake) = stage().await;
    let [undo, wait, guard] = steps(&fake).await;
    assert_eq!(stage.standing(&undo).await, Standing::NotDone);
    let preview = undo.as_step().preview(&stage.cx().look).await;
    assert_eq!(preview.as_str(), "deployment/web v2 -> v1, 2 pods");
    stage.run(&undo).await.unwrap();
    assert_eq!(stage.standing(&undo).await, Standing::Done);
    stage.run(&undo).await.unwrap();
    assert_eq!(fake.changes(), ["patch deployment web"]);
    let said = stage.run(&wait).await.unwrap();
    assert!(said.as_str().contains("2 of 2 pods are new and available; 3 of 3"), "{said}");
    assert_eq!(stage.standing(&wait).await, Standing::Done);
    stage.run(&guard).await.unwrap();
    assert!(undo.as_step().by_hand(&stage.cx().look)[0].as_str().ends_with("--to-revision=1"));
}

#[tokio::test]
async fn an_undo_whose_answer_was_lost_is_looked_at_and_not_repeated() {
    let (stage, fake) = stage().await;
    let [undo, ..] = steps(&fake).await;
    fake.upset(Error::new(No::TimedOut, "no answer in 15 s"), true);
    let error = stage.run(&undo).await.unwrap_err();
    assert_eq!(error.kind, No::TimedOut);
    assert_eq!(stage.standing(&undo).await, Standing::Done);
    stage.run(&undo).await.unwrap();
    assert_eq!(fake.changes().len(), 1);
    fake.upset(Error::new(No::TimedOut, "no answer in 15 s"), false);
    fake.roll("web", "app:v2");
    assert!(stage.run(&undo).await.is_err());
    assert!(!matches!(stage.standing(&undo).await, Standing::Done));
}

#[tokio::test]
async fn what_somebody_puts_back_is_called_reverted_and_never_done() {
    let (stage, fake) = stage().await;
    let [undo, wait, guard] = steps(&fake).await;
    let bad = fake.at(Object::Deployment, "web", "/spec/template");
    fake.rival(bad);
    stage.run(&undo).await.unwrap();
    let Standing::Partly(why) = stage.standing(&undo).await else { panic!("not told") };
    assert_eq!(why.as_str(), "it went back, and was reverted by argocd-controller at 12:00:03Z");
    for step in [wait, guard] {
        let error = stage.run(&step).await.unwrap_err();
        assert!(error.message.contains("was reverted by argocd-controller"), "{error}");
    }
}

#[tokio::test]
async fn a_revision_whose_settings_are_gone_is_refused_before_anything_changes() {
    let (stage, fake) = stage().await;
    fake.put(Object::ConfigMap, json!({"metadata": {"name": "web-1a"}, "data": {}}));
    let from = json!([{"configMapRef": {"name": "web-1a"}}]);
    fake.change(Object::Deployment, "web", "/spec/template/spec/containers/0/envFrom", from);
    fake.roll("web", "app:v1");
    fake.roll("web", "app:v3");
    fake.take(Object::ConfigMap, "web-1a");
    let seen = Rollout::look(&*fake, &web()).await.unwrap();
    let old = seen.others().next().unwrap().clone();
    let undo = kind(json!({"rollout_undo": {
        "workload": "deployment/web", "revision": old.number, "version": old.version(),
        "to": old.digest, "from": seen.digest,
    }}));
    let error = stage.run(&undo).await.unwrap_err();
    assert!(error.message.contains("config map web-1a"), "{error}");
    assert!(fake.changes().is_empty());
}

#[tokio::test]
async fn pods_that_do_not_come_are_a_failure_that_says_why() {
    let (stage, fake) = stage().await;
    let seen = Rollout::look(&*fake, &web()).await.unwrap();
    let wait = kind(
        json!({"wait_rollout": {"workload": "deployment/web", "to": seen.digest, "within_seconds": 1}}),
    );
    let error = stage.run(&wait).await.unwrap_err();
    assert_eq!(error.kind, No::TimedOut);
    assert!(error.message.contains("0 of 2 new pods are available"), "{error}");
    assert_eq!(stage.standing(&wait).await, Standing::NotDone);
}

#[tokio::test]
async fn good_pods_that_do_not_answer_are_no_success() {
    let (stage, fake) = stage().await;
    let [undo, wait, _] = steps(&fake).await;
    stage.run(&undo).await.unwrap();
    stage.fake.set_ready("green", false);
    stage.fake.set_ready("blue", false);
    let error = stage.run(&wait).await.unwrap_err();
    assert!(error.message.contains("answers 503"), "{error}");
}

#[tokio::test]
async fn scaling_goes_to_nothing_and_back_to_what_each_had() {
    let (stage, fake) = stage().await;
    fake.put(Object::Deployment, deployment("api", "app:v1", 5));
    fake.put(Object::HorizontalPodAutoscaler, json!({"metadata": {"name": "api"}, "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "api"}, "minReplicas": 2, "maxReplicas": 6,
    }}));
    let all = json!([
        {"workload": "deployment/web", "replicas": 2},
        {"workload": "deployment/api", "replicas": 5, "autoscaler": {"name": "api", "min": 2, "max": 6}},
    ]);
    let down = kind(json!({"scale": {"workloads": all, "down": true, "within_seconds": 2}}));
    let up = kind(json!({"scale": {"workloads": all, "down": false, "within_seconds": 2}}));
    assert_eq!(stage.standing(&down).await, Standing::NotDone);
    stage.run(&down).await.unwrap();
    assert_eq!(stage.standing(&down).await, Standing::Done);
    stage.run(&down).await.unwrap();
    assert_eq!(fake.changes().len(), 2, "{:?}", fake.changes());
    fake.change(Object::HorizontalPodAutoscaler, "api", "/spec/maxReplicas", json!(1));
    fake.change(
        Object::Deployment,
        "web",
        "/spec/template/spec/containers/0/image",
        json!("app:v1"),
    );
    stage.run(&up).await.unwrap();
    assert_eq!(stage.standing(&up).await, Standing::Done);
    assert_eq!(fake.at(Object::Deployment, "api", "/spec/replicas"), json!(5));
    assert_eq!(fake.at(Object::HorizontalPodAutoscaler, "api", "/spec/maxReplicas"), json!(6));
}

#[tokio::test]
async fn a_canary_whose_answer_was_lost_is_looked_at_and_one_that_others_moved_is_left() {
    let (stage, fake) = stage().await;
    fake.put(Object::Deployment, deployment("web-canary", "app:v3", 2));
    let set = |from: u32, to: u32| {
        kind(json!({"set_canary": {"canary": {"replicas": {"deployment": "web-canary"}},
            "from": from, "to": to, "off": to == 0}}))
    };
    let off = set(2, 0);
    assert_eq!(stage.standing(&off).await, Standing::NotDone);
    fake.upset(Error::new(No::TimedOut, "no answer in 15 s"), true);
    stage.run(&off).await.unwrap_err();
    assert_eq!(stage.standing(&off).await, Standing::Done);
    stage.run(&off).await.unwrap();
    assert_eq!(fake.changes(), ["patch deployment web-canary"]);
    stage.run(&set(0, 2)).await.unwrap();
    assert_eq!(fake.at(Object::Deployment, "web-canary", "/spec/replicas"), json!(2));
    fake.change(Object::Deployment, "web-canary", "/spec/replicas", json!(5));
    let error = stage.run(&off).await.unwrap_err();
    assert!(error.message.contains("somebody else set deployment web-canary to 5"), "{error}");
}

#[tokio::test]
async fn no_answer_may_be_the_canarys_and_one_that_names_no_version_proves_nothing() {
    let (stage, _) = stage().await;
    let gone = |version: &str| {
        kind(json!({"verify_canary": {"version": version, "requests": 20, "path": "/health",
            "within_seconds": 1}}))
    };
    let said = stage.run(&gone("v9")).await.unwrap();
    assert_eq!(said.as_str(), "0 of 20 answers were of v9");
    assert_eq!(stage.standing(&gone("v9")).await, Standing::Done);
    let serves = gone("v9").as_step().preview(&stage.cx().look).await;
    let serves = serves.as_str().strip_suffix(" answers now").unwrap();
    let error = stage.run(&gone(serves)).await.unwrap_err();
    assert_eq!(error.kind, No::TimedOut, "{error}");
    assert!(error.message.contains("request 1 was answered by"), "{error}");
}

#[tokio::test]
async fn a_flag_is_turned_only_from_the_value_that_was_planned_for() {
    let (stage, fake) = stage().await;
    fake.put(
        Object::ConfigMap,
        json!({"metadata": {"name": "flags"}, "data": {"BACKEND": "docling_vlm"}}),
    );
    let turn = kind(
        json!({"set_config": {"map": "flags", "key": "BACKEND", "from": "docling_vlm", "to": "mineru"}}),
    );
    assert_eq!(stage.standing(&turn).await, Standing::NotDone);
    stage.run(&turn).await.unwrap();
    stage.run(&turn).await.unwrap();
    assert_eq!(stage.standing(&turn).await, Standing::Done);
    assert_eq!(fake.changes(), ["patch config map flags"]);
    fake.change(Object::ConfigMap, "flags", "/data/BACKEND", json!("third"));
    let error = stage.run(&turn).await.unwrap_err();
    assert!(error.message.contains("it says third, not docling_vlm"), "{error}");
}

#[tokio::test]
async fn a_restart_is_known_by_its_own_mark() {
    let (stage, fake) = stage().await;
    fake.roll("web", "app:v1");
    let restart = kind(json!({"restart": {"workload": "deployment/web", "within_seconds": 2}}));
    assert_eq!(stage.standing(&restart).await, Standing::NotDone);
    stage.run(&restart).await.unwrap();
    stage.run(&restart).await.unwrap();
    assert_eq!(stage.standing(&restart).await, Standing::Done);
    assert_eq!(fake.changes(), ["patch deployment web"]);
}

#[tokio::test]
async fn an_owner_is_frozen_and_lifted_as_it_was() {
    let (stage, fake) = stage().await;
    let policy = json!({"automated": {"selfHeal": true}});
    fake.put(
        Object::ArgoApplication,
        json!({"metadata": {"name": "shop"}, "spec": {"syncPolicy": policy}}),
    );
    let step = |frozen: bool| {
        let owner = json!({"kind": "argo", "name": "shop", "namespace": "argocd"});
        kind(json!({"freeze_sync": {"owner": owner, "frozen": frozen, "was": {"selfHeal": true}}}))
    };
    assert_eq!(stage.standing(&step(true)).await, Standing::NotDone);
    stage.run(&step(true)).await.unwrap();
    assert_eq!(stage.standing(&step(true)).await, Standing::Done);
    stage.run(&step(false)).await.unwrap();
    let now = fake.at(Object::ArgoApplication, "shop", "/spec/syncPolicy");
    assert_eq!(now, policy);
}

#[tokio::test]
async fn a_step_of_a_cluster_without_one_says_so() {
    let stage = Stage::new().await;
    let undo = kind(
        json!({"rollout_undo": {"workload": "web", "revision": 1, "version": "v1", "to": "a", "from": "b"}}),
    );
    let Standing::CannotTell(why) = stage.standing(&undo).await else { panic!("it can tell") };
    assert!(why.as_str().contains("platform.kubernetes"), "{why}");
}

#[tokio::test]
async fn saved_objects_come_back_exactly_and_go_back_to_what_was_live() {
    let (stage, fake) = stage().await;
    let map = |name: &str, data: serde_json::Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("maps.json");
    let items = [map("flags", json!({"a": "1"})), map("gone", json!({"b": "1"}))];
    std::fs::write(&file, json!({"items": items}).to_string()).unwrap();
    fake.put(Object::ConfigMap, map("flags", json!({"a": "2", "added": "3"})));
    let set = SavedSet::of(file).unwrap();
    let (before, made) =
        SavedSet::before(&*fake, std::slice::from_ref(&set), &dir.path().join("before"))
            .await
            .unwrap();
    let apply = kind(json!({"apply_set": {"files": [set]}}));
    assert_eq!(stage.standing(&apply).await, Standing::NotDone);
    stage.run(&apply).await.unwrap();
    assert_eq!(stage.standing(&apply).await, Standing::Done);
    assert_eq!(fake.at(Object::ConfigMap, "flags", "/data"), json!({"a": "1"}));
    assert_eq!(fake.at(Object::ConfigMap, "gone", "/data"), json!({"b": "1"}));
    let changes = fake.changes().len();
    stage.run(&apply).await.unwrap();
    assert_eq!(fake.changes().len(), changes, "a repeat changes nothing");
    let back = kind(json!({"apply_set": {"files": [before], "removes": made}}));
    stage.run(&back).await.unwrap();
    assert_eq!(stage.standing(&back).await, Standing::Done);
    assert_eq!(fake.at(Object::ConfigMap, "flags", "/data"), json!({"a": "2", "added": "3"}));
    assert_eq!(fake.at(Object::ConfigMap, "gone", ""), serde_json::Value::Null);
}
