use serde_json::json;

use super::*;

fn settings(which: Which) -> Settings {
    let cluster = KubeSettings { namespace: "shop".to_owned(), ..KubeSettings::default() };
    Settings { cluster, which, thresholds: Thresholds::default() }
}

fn deployment(wanted: i64, available: i64) -> Object {
    Object::new(json!({
        "metadata": {"name": "web", "generation": 2},
        "spec": {"replicas": wanted, "template": {"spec": {"containers": [
            {"image": "shop/web:v2", "envFrom": [{"configMapRef": {"name": "flags"}}]}],
            "volumes": [{"configMap": {"name": "files"}}]}}},
        "status": {"availableReplicas": available, "observedGeneration": 2},
    }))
}

fn at() -> Time {
    chrono::DateTime::parse_from_rfc3339("2026-11-22T12:00:00Z").unwrap().to_utc()
}

#[test]
fn none_available_is_bad_some_missing_is_a_warning_and_a_kept_stop_is_fine() {
    let it = settings(Which::Deployment("web".to_owned()));
    let finding = |found: &Object| it.judged(found, &[]).finding;
    assert!(matches!(finding(&deployment(3, 3)), Finding::Good));
    assert!(matches!(finding(&deployment(3, 2)), Finding::Warn { .. }));
    assert!(matches!(finding(&deployment(3, 0)), Finding::Bad { .. }));
    assert!(matches!(finding(&deployment(0, 0)), Finding::Bad { .. }));
    let mut stopped = deployment(0, 0).into_value();
    stopped["metadata"]["annotations"] = json!({REPLICAS: "3"});
    assert!(matches!(finding(&Object::new(stopped)), Finding::Good));
    assert_eq!(it.judged(&deployment(3, 2), &[]).note.as_str(), "2 of 3 available, v2");
}

#[test]
fn a_crash_loop_says_reason_exit_code_and_restarts() {
    let pod = Object::new(json!({
        "metadata": {"name": "web-1"},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "web", "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
        }]},
    }));
    let trouble = pod::trouble(&pod, None, at()).unwrap();
    assert_eq!(trouble.note, "CrashLoopBackOff, exit code 3, 4 restarts");
    assert_eq!(trouble.ended.as_deref(), Some("web"));
    let seen =
        settings(Which::Deployment("web".to_owned())).judged(&deployment(3, 2), &[(trouble, &pod)]);
    assert!(matches!(seen.finding, Finding::Bad { .. }));
}

#[test]
fn a_container_that_runs_again_is_judged_by_how_long() {
    let pod = |started: &str| {
        Object::new(json!({
            "metadata": {"name": "web-1"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{
                    "name": "web", "restartCount": 1, "state": {"running": {"startedAt": started}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                }]},
        }))
    };
    let fresh = pod::trouble(&pod("2026-11-22T11:59:40Z"), None, at()).unwrap();
    assert_eq!(fresh.note, "killed for lack of memory, exit code 137, 1 restart");
    assert_eq!(pod::trouble(&pod("2026-11-22T11:00:00Z"), Some(1), at()), None);
    assert!(pod::trouble(&pod("2026-11-22T11:00:00Z"), Some(0), at()).is_some());
}

#[test]
fn every_config_map_of_a_template_is_found() {
    let found: Vec<String> = pod::config_maps(&deployment(1, 1)).into_iter().collect();
    assert_eq!(found, ["files", "flags"]);
}
