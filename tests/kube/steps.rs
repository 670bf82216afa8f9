//! Steps on a real cluster, each carried out as the engine does: the effect, then the look at it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backout::adapters::cluster::{Cluster, Rollout, Scaled, WorkloadName, put_template};
use backout::adapters::fake::Fake;
use backout::adapters::kube::{Kind, Patch, Write};
use backout::adapters::process::Program;
use backout::clock::Clock;
use backout::engine::executor::{Came, Job, begin};
use backout::model::entry::StepEnd;
use backout::model::plan::{OnFailure, StepSpec};
use backout::steps::{LookCx, SavedSet, StepKind};
use serde_json::{Value, json};

use super::lab::Site;

fn cx(site: &Site, dir: &std::path::Path, effect: &str) -> LookCx {
    let fake = Fake::new(dir.join("fake-ledger"), Clock::real());
    LookCx {
        workload: fake.clone(),
        traffic: fake,
        clock: Clock::real(),
        effect: effect.to_owned(),
        slot: dir.join(effect),
        addresses: [].into(),
        public_url: String::new(),
        program: Program::at("/bin/false"),
        logs: Vec::new(),
        evidence: dir.join("evidence"),
        evidence_remote: None,
        cache: None,
        database: None,
        points: None,
        saved: backout::evidence::Saved::default(),
        redactor: Arc::default(),
        cluster: Some(Arc::new(site.kube.clone())),
        front: None,
        vault: None,
        since: None,
    }
}

/// Carries a step out and looks at it, as the engine does.
async fn carried_out(site: &Site, action: &Value, effect: &str) -> (StepEnd, String) {
    let dir = tempfile::tempdir().unwrap();
    let kind = StepKind::from_action(action).unwrap();
    let spec = StepSpec {
        id: effect.into(),
        action: action.clone(),
        needs: Vec::new(),
        class: kind.as_step().class(),
        hazard: kind.as_step().hazard(),
        budget: Duration::from_mins(2),
        on_failure: OnFailure::Wait,
        expect_down: Vec::new(),
        expected_status: BTreeMap::new(),
        undo: None,
        beside_watch: false,
        asks: false,
        only_swap: false,
        only_beside: false,
    };
    let (to, mut came) = tokio::sync::mpsc::channel(4);
    let look = cx(site, dir.path(), effect);
    let run = "142-k7qd-1".into();
    let _live = begin(Job { spec, attempt: 1, run, look, fence: None, bound: None }, to);
    match came.recv().await.unwrap() {
        Came::Ended { end, note, .. } => (end, note.to_string()),
        Came::Looked { .. } => panic!("nobody asked for a look"),
    }
}

pub(super) async fn done(site: &Site, action: &Value, effect: &str) -> String {
    let (end, note) = carried_out(site, action, effect).await;
    assert_eq!(end, StepEnd::Done, "{action}: {note}");
    note
}

fn named(name: &str) -> WorkloadName {
    WorkloadName::try_from(name.to_owned()).unwrap()
}

#[tokio::test]
async fn workloads_go_to_nothing_and_back_to_what_each_had() {
    let Some(site) = Site::fresh().await else { return };
    site.deployment("web", "blue", 2, &[]).await;
    site.deployment("api", "green", 1, &[]).await;
    site.put(json!({
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                 "minReplicas": 2, "maxReplicas": 4},
    }))
    .await;
    site.until_ready("web", 2).await;
    site.until_ready("api", 1).await;
    let mut before = Vec::new();
    for name in ["web", "deployment/api"] {
        before.push(Scaled::look(&site.kube, &named(name)).await.unwrap());
    }
    let step =
        |down: bool| json!({"scale": {"workloads": before, "down": down, "within_seconds": 150}});
    done(&site, &step(true), "down").await;
    let pods = Cluster::list(&site.kube, Kind::Pod, "app=web").await.unwrap();
    assert!(pods.is_empty(), "the restore would meet writers");
    done(&site, &step(false), "up").await;
    for one in &before {
        assert_eq!(&Scaled::look(&site.kube, &one.workload).await.unwrap(), one);
    }
}

#[tokio::test]
async fn a_flag_is_turned_and_the_pods_that_read_it_are_new() {
    let Some(site) = Site::fresh().await else { return };
    site.deployment("web", "blue", 1, &[]).await;
    site.put(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"},
        "data": {"PDF_PROCESSING_BACKEND": "docling_vlm", "OTHER": "1"},
    }))
    .await;
    site.until_ready("web", 1).await;
    let old = site.kube.list(Kind::Pod, "app=web").await.unwrap()[0].uid().to_owned();
    let turn = json!({"set_config": {"map": "flags", "key": "PDF_PROCESSING_BACKEND",
        "from": "docling_vlm", "to": "mineru"}});
    assert_eq!(done(&site, &turn, "turn").await, "PDF_PROCESSING_BACKEND docling_vlm -> mineru");
    assert!(done(&site, &turn, "again").await.ends_with("already"));
    let map = site.kube.must_get(Kind::ConfigMap, "flags").await.unwrap();
    assert_eq!(map.at("/data"), &json!({"PDF_PROCESSING_BACKEND": "mineru", "OTHER": "1"}));
    let restart = json!({"restart": {"workload": "deployment/web", "within_seconds": 150}});
    done(&site, &restart, "restart").await;
    let pods = site.kube.list(Kind::Pod, "app=web").await.unwrap();
    assert!(pods.iter().all(|pod| pod.uid() != old || pod.is_going()));
}

#[tokio::test]
async fn saved_objects_come_back_without_their_servers_own_fields() {
    let Some(site) = Site::fresh().await else { return };
    site.deployment("web", "blue", 1, &[]).await;
    site.service("web", "blue").await;
    site.until_ready("web", 1).await;
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (file, kind, name) in [
        ("deployments.yaml", Kind::Deployment, "web"),
        ("services.yaml", Kind::Service, "web"),
        ("configmaps.yaml", Kind::ConfigMap, "app"),
    ] {
        let saved = site.kube.must_get(kind, name).await.unwrap().into_value();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [saved]});
        let path = dir.path().join(file);
        std::fs::write(&path, list.to_string()).unwrap();
        files.push(SavedSet::of(path).unwrap());
    }
    // Somebody damages two of the three, and scales the third.
    site.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"},
        "data": {"app.py": "print('broken')"}}))
        .await;
    for (kind, fields) in [
        (Kind::Service, json!({"spec": {"selector": {"app": "nobody"}}})),
        (Kind::Deployment, json!({"spec": {"replicas": 2}})),
    ] {
        site.kube.patch(kind, "web", &Patch::Merge(fields), Write::default()).await.unwrap();
    }
    let trial = json!({"apply_set": {"files": files, "dry_run": true}});
    let said = done(&site, &trial, "trial").await;
    assert!(said.contains("2 of 3 objects change"), "{said}");
    let broken = site.kube.must_get(Kind::ConfigMap, "app").await.unwrap();
    assert_eq!(broken.text("/data/app.py"), "print('broken')", "a trial changes nothing");
    let apply = json!({"apply_set": {"files": files}});
    done(&site, &apply, "apply").await;
    let service = site.kube.must_get(Kind::Service, "web").await.unwrap();
    assert_eq!(service.text("/spec/selector/app"), "web");
    let web = site.kube.must_get(Kind::Deployment, "web").await.unwrap();
    assert_eq!(web.number("/spec/replicas"), Some(2), "how many is nobody's configuration");
    assert!(done(&site, &apply, "again").await.contains("all as they were saved"));
}

#[tokio::test]
async fn a_job_is_judged_by_what_its_proof_counts() {
    let Some(site) = Site::fresh().await else { return };
    let job = |script: &str, least: u32| {
        json!({"run_job": {
            "name": "load the rows", "image": "python:3.11-slim", "local_image": true,
            "argv": ["sh", "-c", script], "proof_argv": ["sh", "-c", "echo users=400"],
            "expect": {"users": least}, "within_seconds": 150,
        }})
    };
    assert_eq!(done(&site, &job("true", 400), "good").await, "users 400");
    // It ends well, and has loaded less than was saved: that is a failure.
    let (end, _) = carried_out(&site, &job("true", 401), "short").await;
    let StepEnd::Failed(why) = end else { panic!("{end:?}") };
    assert!(why.as_str().contains("users is 400, expected 401"), "{why}");
    let (end, _) = carried_out(&site, &job("echo no such file; exit 3", 1), "bad").await;
    let StepEnd::Failed(why) = end else { panic!("{end:?}") };
    assert!(why.as_str().contains("work said: no such file"), "{why}");
}

#[tokio::test]
async fn a_stateful_set_that_is_stuck_goes_back_by_the_pod_that_is_in_its_way() {
    let Some(site) = Site::fresh().await else { return };
    let set = |image: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {
                "replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                "template": {
                    "metadata": {"labels": {"app": "db"}},
                    "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                        "name": "db", "image": image, "imagePullPolicy": "Never",
                        "command": ["sleep", "3600"],
                    }]},
                },
            },
        })
    };
    site.put(set("alpine:latest")).await;
    let ready = async || {
        let found = site.kube.must_get(Kind::StatefulSet, "db").await.unwrap();
        found.number("/status/readyReplicas") == Some(2)
    };
    site.until("both are ready", ready).await;
    let db = named("statefulset/db");
    site.put(set("nowhere/missing:v2")).await;
    site.until("the second pod is stuck", async || {
        let pods = site.kube.list(Kind::Pod, "app=db").await.unwrap();
        pods.iter().any(|pod| pod.value().to_string().contains("ErrImageNeverPull"))
    })
    .await;
    let seen = Rollout::look(&site.kube, &db).await.unwrap();
    let old = seen.others().next().unwrap().clone();
    let undo = json!({"rollout_undo": {"workload": db, "revision": old.number,
        "version": old.version(), "to": old.digest, "from": seen.digest}});
    done(&site, &undo, "undo").await;
    let wait = json!({"wait_rollout": {"workload": db, "to": old.digest, "within_seconds": 180,
        "answers": 0}});
    done(&site, &wait, "wait").await;
    assert!(ready().await);
    // A repeat is no second undo.
    let again = put_template(&site.kube, &db, (&seen.digest, &old.digest), &Clock::real()).await;
    assert!(again.unwrap().as_str().contains("already"));
}

#[tokio::test]
async fn an_emergency_stop_ends_the_job_of_its_step_by_its_uid() {
    let Some(site) = Site::fresh().await else { return };
    let action = json!({"run_job": {
        "name": "load the rows", "image": "python:3.11-slim", "local_image": true,
        "argv": ["sleep", "300"], "proof_argv": ["true"],
        "expect": {"users": 1}, "within_seconds": 300,
    }});
    let dir = tempfile::tempdir().unwrap();
    let (kind, look) = (StepKind::from_action(&action).unwrap(), cx(&site, dir.path(), "slow"));
    assert!(kind.as_step().kill(&look).await.unwrap().is_empty(), "there is none yet");
    let there = async || !site.kube.list(Kind::Job, "").await.unwrap().is_empty();
    let work = carried_out(&site, &action, "slow");
    let killed = async {
        site.until("its job is there", there).await;
        kind.as_step().kill(&look).await.unwrap()
    };
    tokio::pin!(work);
    let killed = tokio::select! {
        killed = killed => killed,
        ended = &mut work => panic!("{ended:?}"),
    };
    assert!(killed[0].as_str().starts_with("job backout-slow ("), "{killed:?}");
    let (end, _) = work.await;
    assert!(matches!(end, StepEnd::Failed(_)), "{end:?}");
    assert!(site.kube.list(Kind::Job, "").await.unwrap().is_empty());
}
