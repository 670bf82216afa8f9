use super::*;
use crate::adapters::cluster::Cluster;
use crate::adapters::fake::{Fake, Operation, Order, Serving};
use crate::adapters::objects::Front;
use crate::adapters::process::Program;
use crate::clock::Clock;
use crate::evidence::Saved;
use serde_json::json;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

mod front;
mod hold;
mod kube;

/// A fake target, served, and a step's surroundings.
struct Stage {
    fake: Arc<Fake>,
    serving: Serving,
    dir: tempfile::TempDir,
    clock: Clock,
    cancel: watch::Sender<bool>,
    told: watch::Receiver<Told>,
    progress: Progress,
    since: Option<crate::model::ids::Time>,
    cluster: Option<Arc<dyn Cluster>>,
    front: Option<Arc<Front>>,
}

impl Stage {
    async fn new() -> Self {
        Self::at(Clock::real()).await
    }

    async fn at(clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let fake = Fake::new(dir.path().join("ledger.log"), clock.clone());
        let serving = fake.serve().await.unwrap();
        let (progress, told) = watch::channel(Told::default());
        Self {
            fake,
            serving,
            dir,
            clock,
            cancel: watch::channel(false).0,
            told,
            progress: Progress(progress),
            since: None,
            cluster: None,
            front: None,
        }
    }

    fn cx(&self) -> StepCx {
        StepCx {
            look: LookCx {
                workload: self.fake.clone(),
                traffic: self.fake.clone(),
                clock: self.clock.clone(),
                effect: "142-k7qd-1.step.1".to_owned(),
                slot: self.dir.path().join("step.1"),
                addresses: self.serving.addresses.clone(),
                public_url: self.serving.public_url.clone(),
                program: Program::at("/bin/false"),
                logs: vec![("green".to_owned(), self.dir.path().join("app.log"))],
                evidence_remote: None,
                database: None,
                cache: None,
                points: None,
                redactor: std::sync::Arc::default(),
                evidence: self.dir.path().join("evidence"),
                saved: Saved::default(),
                cluster: self.cluster.clone(),
                front: self.front.clone(),
                vault: None,
                since: self.since,
            },
            run: "142-k7qd-1".into(),
            step: "step".into(),
            progress: self.progress.clone(),
            cancel: self.cancel.subscribe(),
            fence: None,
        }
    }

    async fn run(&self, step: &StepKind) -> Result<SafeText, Error> {
        step.as_step().run(&self.cx()).await
    }

    async fn standing(&self, step: &StepKind) -> Standing {
        step.as_step().standing(&self.cx().look).await
    }

    fn ledger(&self) -> Vec<String> {
        self.fake.ledger().lines().unwrap()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "calls read better")]
fn kind(action: serde_json::Value) -> StepKind {
    StepKind::from_action(&action).unwrap()
}

fn switch() -> StepKind {
    kind(json!({"switch_traffic": {"to": "blue", "from": "green"}}))
}

#[test]
fn every_kind_reads_back_what_it_writes() {
    for action in [
        json!({"verify_target": {"color": "blue", "probes": 3, "path": "/status", "expect_ready": true, "within_seconds": 20}}),
        json!({"switch_traffic": {"to": "blue", "from": "green"}}),
        json!({"switch_traffic": {"to": "blue"}}),
        json!({"gate": {"color": "blue", "probes": 3, "every_seconds": 0.5, "path": "/health", "within_seconds": 30}}),
        json!({"preserve": {"colors": ["green"]}}),
        json!({"drain": {"color": "green", "deadline_seconds": 5}}),
        json!({"keep_warm": {"color": "green", "seconds": 120}}),
        json!({"stop_workload": {"color": "green", "grace_seconds": 30}}),
        json!({"stop_workload": {"color": "green", "grace_seconds": 30, "behind_page": true}}),
        json!({"migrate": {"version": 105, "script": "m/105_down.sql", "digest": "ab", "rescue": [{"table": "users", "column": "phone"}], "lock_seconds": 10, "statement_seconds": 180}}),
        json!({"migrate": {"version": 105, "script": "m/105_up.sql", "digest": "ab", "up": true, "lock_seconds": 10, "statement_seconds": 180}}),
        json!({"restore_config": {"files": [{"path": "/a/.env", "from": "/p/.env", "sha256": "ab"}]}}),
        json!({"restore_config": {"files": [], "undo": true}}),
        json!({"wait_healthy": {"color": "blue", "max_seconds": 300, "every_seconds": 5.0}}),
        json!({"check_data": {"tables": [{"name": "users", "rows": 400}], "marker": "data/bad", "beside": true}}),
        json!({"restore_database": {"point": "20251202-143022", "file": "database.sql.gz", "sha256": "ab"}}),
        json!({"restore_cache": {"point": "20251202-143022", "file": "dump.rdb", "sha256": "ab", "keys": {"before": [], "after": [{"database": 0, "keys": 4, "expiring": 1}]}}}),
        json!({"swap_cache": {}}),
        json!({"swap_cache": {"undo": true, "of": "142-k7qd-1"}}),
        json!({"remove_copy": {"database": false, "files": null, "cache": true}}),
        json!({"restore_files": {"point": "20251202-143022", "file": "data.tar.gz", "sha256": "ab", "into": "data", "strip": 1}}),
        json!({"remove_copy": {"database": true, "files": null}}),
        json!({"swap_database": {}}),
        json!({"swap_files": {"into": "data", "undo": true}}),
        json!({"choose": {}}),
        json!({"measure_loss": {"taken_at": "2026-11-22T02:50:50Z", "rows": true, "files": null}}),
        json!({"verify_point": {"point": "20251202-143022", "manifest": null}}),
        json!({"start_workload": {"color": "green", "path": "/health"}}),
        json!({"hold": {"part": "writers", "grace_seconds": 10}}),
        json!({"unhold": {"part": "consumers", "workers": ["green"]}}),
        json!({"unhold": {"part": "page"}}),
        json!({"stop_workers": {"color": "green", "grace_seconds": 5}}),
        json!({"start_workers": {"color": "green"}}),
        json!({"command": {"argv": ["true"], "probe_argv": ["true"], "budget_seconds": 60, "grace_seconds": 10, "hazard": "looks"}}),
        json!({"rollout_undo": {"workload": "deployment/web", "revision": 1, "version": "v1", "to": "ab", "from": "cd"}}),
        json!({"wait_rollout": {"workload": "deployment/web", "to": "ab", "within_seconds": 600, "path": "/health", "answers": 3}}),
        json!({"guard_rollout": {"workload": "deployment/web", "to": "ab", "seconds": 900}}),
        json!({"scale": {"workloads": [{"workload": "deployment/web", "replicas": 3, "autoscaler": {"name": "web", "min": 2, "max": 5}}], "down": true, "within_seconds": 300}}),
        json!({"restart": {"workload": "statefulset/db", "within_seconds": 600}}),
        json!({"set_config": {"map": "flags", "key": "PDF_PROCESSING_BACKEND", "from": "docling_vlm", "to": "mineru"}}),
        json!({"set_canary": {"canary": {"route": {"route": "web", "service": "web-canary"}}, "from": [20], "to": [0], "off": true}}),
        json!({"verify_canary": {"version": "v2", "requests": 100, "path": "/health", "within_seconds": 60}}),
        json!({"freeze_sync": {"owner": {"kind": "argo", "name": "shop", "namespace": "argocd"}, "frozen": true, "was": {"prune": true}}}),
        json!({"apply_set": {"files": [{"file": "/b/configmaps.yaml", "sha256": "ab"}], "secrets": true}}),
        json!({"run_job": {"name": "load", "image": "postgres:15", "argv": ["sh"], "proof_argv": ["sh"], "expect": {"users": 1}, "claims": {"data": "/data"}, "loses_data": true, "within_seconds": 600}}),
        json!({"http_call": {"name": "pause the ingestion", "url": "http://a/pause", "accept": [200], "probe": {"url": "http://a/state", "at": "/state", "says": "paused"}}}),
        json!({"safety_backup": {"colors": ["green"]}}),
        json!({"verify_version": {"version": "2.0.5", "prefix": "versions/2.0.5/", "digest": "ab", "registry_url": "http://a/2.0.5"}}),
        json!({"publish_version": {"version": "2.0.5", "from": "versions/2.0.5/", "to": "current/", "digest": "ab"}}),
        json!({"publish_version": {"version": "2.0.5", "from": "versions/2.0.5/"}}),
        json!({"invalidate_edge": {"paths": ["/*"], "within_seconds": 240}}),
        json!({"verify_served": {"version": "2.0.5", "manifest_url": "http://a/manifest.json", "urls": ["http://a/health"], "within_seconds": 60}}),
        json!({"release_mobile": {"platform": "android", "version": "2.0.5"}}),
        json!({"deploy_workload": {"color": "blue", "version": "v2.4.8", "digest": "ab", "runs": true, "in_place": false, "grace_seconds": 30}}),
    ] {
        assert_eq!(kind(action.clone()).to_action(), action);
    }
}

#[test]
fn an_unknown_kind_or_setting_is_refused_by_name() {
    for (action, named) in [
        (json!({"switch": {"to": "blue"}}), "switch"),
        (json!({"switch_traffic": {"to": "blue", "form": "green"}}), "form"),
        (json!({"drain": {"color": "green"}}), "deadline_seconds"),
        (json!("drain"), "drain"),
        (
            json!({"drain": {"color": "green", "deadline_seconds": 1}, "gate": {}}),
            "could not read step",
        ),
    ] {
        let error = StepKind::from_action(&action).unwrap_err();
        assert!(error.message.contains(named), "{error}");
    }
}

#[test]
fn classes_say_what_is_promised_after_a_crash() {
    let class = |action| kind(action).as_step().class();
    assert_eq!(class(json!({"switch_traffic": {"to": "blue"}})), Class::Converge);
    assert_eq!(class(json!({"command": {"argv": ["x"]}})), Class::Opaque);
    assert_eq!(class(json!({"command": {"argv": ["x"], "probe_argv": ["y"]}})), Class::Probed);
    let hazard = kind(json!({"command": {"argv": ["x"]}})).as_step().hazard();
    assert_eq!(hazard, Hazard::LosesData);
}

#[tokio::test]
async fn the_target_is_verified_at_its_own_address_so_often_in_a_row() {
    let stage = Stage::new().await;
    let step = kind(json!({"verify_target": {"color": "blue"}}));
    assert_eq!(stage.standing(&step).await, Standing::NotDone, "never looked yet");
    let note = stage.run(&step).await.unwrap();
    assert_eq!(note.as_str(), "blue v2.4.9, 3 of 3 good");
    assert_eq!(stage.told.borrow().part, Some((3, 3)));
    assert_eq!(stage.standing(&step).await, Standing::Done);
    stage.fake.set_running("blue", false);
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
}

#[tokio::test]
async fn a_target_that_is_not_ready_or_not_there_is_refused_with_the_reason() {
    let stage = Stage::new().await;
    let step = kind(json!({"verify_target": {"color": "blue", "within_seconds": 1}}));
    stage.fake.set_ready("blue", false);
    let error = stage.run(&step).await.unwrap_err();
    assert!(error.message.contains("it answers 503; not good 3 times"), "{error}");
    stage.fake.set_running("blue", false);
    let error = stage.run(&step).await.unwrap_err();
    assert_eq!(error.kind, crate::adapters::Kind::Reset, "{error}");
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
}

#[tokio::test]
async fn the_failed_version_behind_the_targets_address_does_not_pass_for_it() {
    let mut stage = Stage::new().await;
    let green = stage.serving.addresses[&"green".into()].clone();
    stage.serving.addresses.insert("blue".into(), green);
    let step = kind(json!({"verify_target": {"color": "blue", "within_seconds": 1}}));
    let error = stage.run(&step).await.unwrap_err();
    assert!(error.message.contains("environment is green, wanted blue"), "{error}");
}

#[tokio::test]
async fn a_switch_moves_traffic_once_however_often_it_is_run() {
    let stage = Stage::new().await;
    assert_eq!(stage.standing(&switch()).await, Standing::NotDone);
    let preview = switch().as_step().preview(&stage.cx().look).await;
    assert_eq!(preview.as_str(), "active green -> blue, in flight 0");
    let note = stage.run(&switch()).await.unwrap();
    assert_eq!(note.as_str(), "active green -> blue");
    assert_eq!(stage.standing(&switch()).await, Standing::Done);
    stage.run(&switch()).await.unwrap();
    assert_eq!(stage.ledger(), ["switch green->blue 142-k7qd-1.step.1"]);
}

#[tokio::test]
async fn a_switch_whose_answer_was_lost_is_looked_at_not_failed() {
    let stage = Stage::new().await;
    stage.fake.order(Order {
        operation: Operation::Switch,
        delay: Duration::ZERO,
        error: Some(Error::new(Kind::TimedOut, "could not POST: no answer")),
        applies: true,
    });
    stage.run(&switch()).await.unwrap();
    assert_eq!(stage.ledger().len(), 1);
}

#[tokio::test]
async fn a_refused_switch_is_an_error_and_changes_nothing() {
    let stage = Stage::new().await;
    stage.fake.fail(Operation::Switch, Error::new(Kind::Refused, "could not connect"));
    assert_eq!(stage.run(&switch()).await.unwrap_err().kind, Kind::Refused);
    assert_eq!(stage.standing(&switch()).await, Standing::NotDone);
    assert!(stage.ledger().is_empty());
}

#[tokio::test]
async fn traffic_that_is_where_nobody_planned_is_left_alone() {
    let stage = Stage::new().await;
    let step = kind(json!({"switch_traffic": {"to": "blue", "from": "red"}}));
    let error = stage.run(&step).await.unwrap_err();
    assert!(error.message.contains("it goes to green, not to red as planned"), "{error}");
    assert!(stage.ledger().is_empty());
}

#[tokio::test]
async fn traffic_that_cannot_be_looked_at_is_not_taken_as_switched() {
    let stage = Stage::new().await;
    stage.fake.fail(Operation::Traffic, Error::new(Kind::TimedOut, "no answer"));
    assert_eq!(stage.standing(&switch()).await, Standing::CannotTell("no answer".into()));
}

#[tokio::test]
async fn the_gate_opens_only_when_users_reach_the_new_colour_in_a_row() {
    let stage = Stage::new().await;
    let step = kind(
        json!({"gate": {"color": "blue", "probes": 3, "every_seconds": 0.01, "within_seconds": 1}}),
    );
    let error = stage.run(&step).await.unwrap_err();
    assert!(error.message.contains("environment is green, wanted blue"), "{error}");
    stage.run(&switch()).await.unwrap();
    // A cut-off gate is not done because the first look happens to be good.
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    assert_eq!(stage.run(&step).await.unwrap().as_str(), "blue v2.4.9, 3 of 3 good");
    assert_eq!(stage.standing(&step).await, Standing::Done);
}

#[tokio::test]
async fn draining_says_how_many_were_cut_and_never_drains_what_is_active() {
    let stage = Stage::new().await;
    let step = kind(json!({"drain": {"color": "green", "deadline_seconds": 1}}));
    stage.fake.set_in_flight("green", 3);
    let error = stage.run(&step).await.unwrap_err();
    assert!(error.message.contains("traffic goes to it"), "{error}");
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    stage.run(&switch()).await.unwrap();
    assert_eq!(stage.standing(&step).await, Standing::Partly("3 in flight".into()));
    assert_eq!(stage.run(&step).await.unwrap().as_str(), "3 cut");
    assert_eq!(stage.standing(&step).await, Standing::Done);
    assert_eq!(stage.run(&step).await.unwrap().as_str(), "0 cut");
}

#[tokio::test]
async fn stopping_keeps_the_release_and_never_stops_what_is_active() {
    let stage = Stage::new().await;
    let step = kind(json!({"stop_workload": {"color": "green"}}));
    let error = stage.run(&step).await.unwrap_err();
    assert!(error.message.contains("traffic goes to it"), "{error}");
    stage.run(&switch()).await.unwrap();
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    stage.run(&step).await.unwrap();
    assert_eq!(stage.standing(&step).await, Standing::Done);
    stage.fake.set_kept("green", false);
    assert!(matches!(stage.standing(&step).await, Standing::Partly(_)));
    assert_eq!(stage.ledger()[1..], ["stop green 142-k7qd-1.step.1"]);
}

#[tokio::test]
async fn starting_takes_a_stop_back_and_is_done_only_when_it_answers() {
    let stage = Stage::new().await;
    let step = kind(json!({"start_workload": {"color": "green"}}));
    stage.fake.set_running("green", false);
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    assert_eq!(stage.run(&step).await.unwrap().as_str(), "green v2.5.0 runs");
    assert_eq!(stage.standing(&step).await, Standing::Done);
    stage.fake.set_ready("green", false);
    assert!(matches!(stage.standing(&step).await, Standing::Partly(_)));
    assert_eq!(stage.ledger(), ["start green 142-k7qd-1.step.1"]);
}

fn deploy(color: &str, version: &str, more: &[(&str, bool)]) -> StepKind {
    let digest = crate::model::ids::Digest::of(version.as_bytes());
    let mut settings = json!({"color": color, "version": version, "digest": digest});
    for (key, value) in more {
        settings[*key] = json!(value);
    }
    kind(json!({"deploy_workload": settings}))
}

#[tokio::test]
async fn a_recorded_release_is_started_once_and_is_done_only_when_it_answers_as_itself() {
    let stage = Stage::new().await;
    let step = deploy("blue", "v2.4.8", &[]);
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    stage.run(&step).await.unwrap();
    assert_eq!(stage.standing(&step).await, Standing::Done);
    stage.run(&step).await.unwrap();
    assert_eq!(stage.ledger(), ["deploy blue v2.4.8 142-k7qd-1.step.1"]);
    stage.fake.set_running("blue", false);
    assert!(matches!(stage.standing(&step).await, Standing::Partly(_)));
    let lies = deploy("blue", "v2.4.8", &[("runs", false)]);
    assert_eq!(stage.standing(&lies).await, Standing::Done);
}

#[tokio::test]
async fn what_serves_is_replaced_only_where_the_plan_says_in_place() {
    let stage = Stage::new().await;
    let error = stage.run(&deploy("green", "v2.4.9", &[])).await.unwrap_err();
    assert!(error.message.contains("traffic goes to it"), "{error}");
    assert!(stage.ledger().is_empty());
    let step = deploy("green", "v2.4.9", &[("in_place", true)]);
    assert_eq!(step.as_step().title().as_str(), "start v2.4.9 on green, in place");
    stage.run(&step).await.unwrap();
    assert_eq!(stage.standing(&step).await, Standing::Done);
}

#[tokio::test]
async fn evidence_is_kept_once_and_proved() {
    let stage = Stage::new().await;
    fs::write(stage.dir.path().join("app.log"), "ERROR one\n").unwrap();
    let step = kind(json!({"preserve": {"colors": ["green"]}}));
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    assert_eq!(stage.run(&step).await.unwrap().as_str(), "2 files, 1 kB kept, 1 of them logs");
    assert_eq!(stage.standing(&step).await, Standing::Done);
    // What was kept first is nearer to the failure: a repeat does not replace it.
    fs::write(stage.dir.path().join("app.log"), "rotated\n").unwrap();
    stage.run(&step).await.unwrap();
    let kept = stage.dir.path().join("evidence/logs/green.log");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "ERROR one\n");
    fs::write(&kept, "tampered\n").unwrap();
    assert!(matches!(stage.standing(&step).await, Standing::Partly(_)));
}

mod safety_backup;

#[tokio::test]
async fn what_could_not_be_kept_is_named_and_holds_nobody_up() {
    let stage = Stage::new().await;
    stage.fake.fail(Operation::Preserve, Error::new(Kind::Denied, "could not read it"));
    let step = kind(json!({"preserve": {"colors": ["green"]}}));
    let note = stage.run(&step).await.unwrap();
    assert_eq!(note.as_str(), "0 files, 0 kB kept, 0 of them logs; not kept: green, green");
}

#[tokio::test]
async fn a_resumed_wait_goes_on_where_it_was() {
    let clock = Clock::manual(Clock::real().now());
    let mut stage = Stage::at(clock.clone()).await;
    let step = kind(json!({"keep_warm": {"color": "green", "seconds": 120}}));
    stage.since = Some(clock.now());
    clock.advance(Duration::from_secs(110));
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    let begun = clock.now();
    let cx = stage.cx();
    let waiting = {
        let step = step.clone();
        tokio::spawn(async move { step.as_step().run(&cx).await })
    };
    while !waiting.is_finished() {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    waiting.await.unwrap().unwrap();
    let waited = clock.now() - begun;
    assert!((10..12).contains(&waited.num_seconds()), "{waited}");
    assert_eq!(stage.standing(&step).await, Standing::Done);
}

#[tokio::test]
async fn a_clock_set_back_makes_a_wait_no_longer_than_the_whole() {
    let clock = Clock::manual(Clock::real().now());
    let mut stage = Stage::at(clock.clone()).await;
    let step = kind(json!({"keep_warm": {"color": "green", "seconds": 2}}));
    stage.since = Some(clock.now() + Duration::from_hours(1));
    let cx = stage.cx();
    let begun = clock.now();
    let waiting = {
        let step = step.clone();
        tokio::spawn(async move { step.as_step().run(&cx).await })
    };
    while !waiting.is_finished() {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    assert!(waiting.await.unwrap().is_ok());
    assert!((clock.now() - begun).num_seconds() < 4);
    assert_eq!(stage.standing(&step).await, Standing::Done);
}

#[tokio::test]
async fn now_ends_every_step_that_waits_and_keeps_the_rest_from_beginning() {
    let stage = Stage::new().await;
    stage.run(&switch()).await.unwrap();
    stage.cancel.send_replace(true);
    for action in [
        json!({"verify_target": {"color": "blue"}}),
        json!({"gate": {"color": "blue", "probes": 3, "every_seconds": 60.0}}),
        json!({"keep_warm": {"color": "green", "seconds": 3600}}),
        json!({"switch_traffic": {"to": "green"}}),
        json!({"drain": {"color": "green", "deadline_seconds": 60}}),
        json!({"stop_workload": {"color": "green"}}),
        json!({"start_workload": {"color": "green"}}),
        json!({"deploy_workload": {"color": "green", "version": "v2.4.8", "digest": "ab"}}),
        json!({"preserve": {"colors": ["green"]}}),
        json!({"safety_backup": {"colors": ["green"]}}),
        json!({"verify_version": {"version": "2.0.5", "prefix": "versions/2.0.5/", "digest": "ab", "registry_url": "http://a/2.0.5"}}),
        json!({"publish_version": {"version": "2.0.5", "from": "versions/2.0.5/", "to": "current/", "digest": "ab"}}),
        json!({"publish_version": {"version": "2.0.5", "from": "versions/2.0.5/"}}),
        json!({"invalidate_edge": {"paths": ["/*"], "within_seconds": 240}}),
        json!({"verify_served": {"version": "2.0.5", "manifest_url": "http://a/manifest.json", "urls": ["http://a/health"], "within_seconds": 60}}),
        json!({"release_mobile": {"platform": "android", "version": "2.0.5"}}),
        json!({"command": {"argv": ["true"]}}),
    ] {
        let error = stage.run(&kind(action.clone())).await.unwrap_err();
        assert_eq!(error.message, "ended now on request", "{action}");
    }
    assert_eq!(stage.ledger().len(), 1);
}

#[tokio::test]
async fn a_wait_whose_asker_is_gone_is_waited_out() {
    let clock = Clock::manual(Clock::real().now());
    let mut stage = Stage::at(clock.clone()).await;
    let cx = stage.cx();
    stage.cancel = watch::channel(false).0;
    let wait = tokio::spawn(async move { cx.wait(Duration::from_secs(5)).await });
    while !wait.is_finished() {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    wait.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_command_that_never_began_says_so_and_a_probe_decides() {
    let stage = Stage::new().await;
    let opaque = kind(json!({"command": {"argv": ["true"]}}));
    assert_eq!(stage.standing(&opaque).await, Standing::NotDone);
    for (probe, standing) in [
        ("exit 0", Standing::Done),
        ("exit 1", Standing::NotDone),
        ("exit 2", Standing::CannotTell("the probe ended with 2".into())),
        ("test \"$BACKOUT_EFFECT\" = 142-k7qd-1.step.1", Standing::Done),
        ("test -z \"$HOME$CARGO\"", Standing::Done),
    ] {
        let step = kind(json!({"command": {"argv": ["true"], "probe_argv": ["sh", "-c", probe]}}));
        assert_eq!(stage.standing(&step).await, standing, "{probe}");
    }
}

#[tokio::test]
async fn a_cut_off_command_without_a_probe_is_nobodys_to_judge() {
    let stage = Stage::new().await;
    let slot = stage.cx().look.slot;
    fs::create_dir(&slot).unwrap();
    fs::write(slot.join("lock"), "").unwrap();
    fs::write(slot.join("started.json"), "{}").unwrap();
    let opaque = kind(json!({"command": {"argv": ["true"]}}));
    assert!(matches!(stage.standing(&opaque).await, Standing::CannotTell(_)));
    let probed = kind(json!({"command": {"argv": ["true"], "probe_argv": ["false"]}}));
    assert_eq!(stage.standing(&probed).await, Standing::NotDone);
}

#[tokio::test]
async fn a_shim_that_cannot_begin_is_an_error_and_nothing_ran() {
    let stage = Stage::new().await;
    // The stage's program is /bin/false: it ends before it says that it started.
    let opaque = kind(json!({"command": {"argv": ["true"]}}));
    let error = stage.run(&opaque).await.unwrap_err();
    assert!(error.message.contains("its shim ended before it began"), "{error}");
    assert_eq!(stage.standing(&opaque).await, Standing::NotDone);
}

#[tokio::test]
async fn what_can_be_typed_by_hand_is_said() {
    let stage = Stage::new().await;
    let look = stage.cx().look;
    let by_hand = |action| kind(action).as_step().by_hand(&look);
    assert_eq!(by_hand(json!({"switch_traffic": {"to": "blue"}})), ["fake switch blue".into()]);
    assert_eq!(by_hand(json!({"stop_workload": {"color": "green"}})), ["fake stop green".into()]);
    assert_eq!(by_hand(json!({"command": {"argv": ["a", "b c"]}})), ["a 'b c'".into()]);
    assert!(by_hand(json!({"keep_warm": {"color": "green", "seconds": 1}})).is_empty());
}

#[tokio::test]
async fn a_wait_for_health_ends_when_it_is_ready_and_says_why_when_its_time_is_over() {
    let stage = Stage::new().await;
    let step = |max: u64| {
        kind(json!({"wait_healthy": {"color": "green", "max_seconds": max, "every_seconds": 0.05}}))
    };
    stage.fake.set_ready("green", false);
    let error = stage.run(&step(1)).await.unwrap_err();
    let begin = "[ERROR] Services did not become healthy in time: 1 s, ";
    assert!(error.message.starts_with(begin), "{error}");
    let ready = async {
        Clock::real().sleep(Duration::from_millis(300)).await;
        stage.fake.set_ready("green", true);
    };
    let wait = step(20);
    let (done, ()) = tokio::join!(stage.run(&wait), ready);
    assert!(done.unwrap().as_str().contains("is ready after"));
}
