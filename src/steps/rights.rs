//! What we must be allowed in a cluster, step by step: a plan asks only for what it needs, and says
//! what is missing before anything begins.

use serde_json::Value;

use crate::adapters::cluster::{Scaled, WorkloadName};
use crate::adapters::kube::{Kind, Right};

use super::{Preserve, StepKind};

/// What every plan needs: to know the cluster and the workload, and to keep others away.
const EVERY: [Right; 5] = [
    Right::new("get", Kind::Namespace),
    Right::new("get", Kind::Deployment),
    Right::new("get", Kind::Lease),
    Right::new("create", Kind::Lease),
    Right::new("patch", Kind::Lease),
];
/// The selector of a service, and who is behind it.
const SERVICE: [Right; 4] = [
    Right::new("get", Kind::Service),
    Right::new("patch", Kind::Service),
    Right::new("get", Kind::Endpoints),
    Right::new("list", Kind::Pod),
];
/// The log of a pod.
const LOG: Right = Right { verb: "get", kind: Kind::Pod, part: "log" };

/// What steps of these actions need in a cluster, each once. An action that no kind knows needs
/// nothing: it is refused elsewhere.
pub fn rights<'a>(actions: impl Iterator<Item = &'a Value>) -> Vec<Right> {
    let mut all = EVERY.to_vec();
    for action in actions {
        let Ok(kind) = StepKind::from_action(action) else { continue };
        all.extend(of_kind(&kind));
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[expect(clippy::too_many_lines, reason = "one line for each kind of step")]
fn of_kind(kind: &StepKind) -> Vec<Right> {
    match kind {
        StepKind::SwitchTraffic(_) | StepKind::Drain(_) => SERVICE.to_vec(),
        StepKind::StopWorkload(_) | StepKind::StopWorkers(_) | StepKind::DeployWorkload(_) => vec![
            Right::new("patch", Kind::Deployment),
            Right::new("list", Kind::Pod),
            Right::new("delete", Kind::Pod),
        ],
        StepKind::StartWorkload(_) | StepKind::StartWorkers(_) => {
            vec![Right::new("patch", Kind::Deployment), Right::new("list", Kind::Pod)]
        }
        StepKind::Preserve(Preserve { .. }) => vec![
            Right::new("list", Kind::ReplicaSet),
            Right::new("list", Kind::Pod),
            LOG,
            Right::new("list", Kind::Event),
        ],
        StepKind::RolloutUndo(step) => {
            let mut all = changes(&step.workload);
            all.push(Right::new("list", revisions(&step.workload)));
            all
        }
        StepKind::WaitRollout(step) => match &step.workload {
            WorkloadName::Deployment(_) | WorkloadName::Rollout(_) => {
                vec![Right::new("get", step.workload.object().kind)]
            }
            // Pods that stand in the way of its template are deleted.
            WorkloadName::StatefulSet(_) => vec![
                Right::new("get", Kind::StatefulSet),
                Right::new("list", Kind::Pod),
                Right::new("delete", Kind::Pod),
            ],
        },
        StepKind::GuardRollout(step) => vec![Right::new("get", step.workload.object().kind)],
        StepKind::Restart(step) => changes(&step.workload),
        StepKind::Scale(step) => step.workloads.iter().flat_map(scaled).collect(),
        StepKind::SetConfig(_) => {
            vec![Right::new("get", Kind::ConfigMap), Right::new("patch", Kind::ConfigMap)]
        }
        StepKind::SetCanary(step) => {
            let kind = step.canary.object().kind;
            let part = if kind == Kind::ArgoRollout { "status" } else { "" };
            vec![Right::new("get", kind), Right { verb: "patch", kind, part }]
        }
        StepKind::ApplySet(step) => {
            let kinds = step.kinds();
            let one = |kind| ["get", "create", "patch"].map(|verb| Right::new(verb, kind));
            kinds.into_iter().flat_map(one).collect()
        }
        StepKind::RunJob(_) => vec![
            Right::new("get", Kind::Job),
            Right::new("create", Kind::Job),
            Right::new("patch", Kind::Job),
            Right::new("list", Kind::Pod),
            LOG,
        ],
        // Owners lie in namespaces of their own: the server is asked to try when a plan is made.
        StepKind::FreezeSync(_)
        | StepKind::VerifyPoint(_)
        | StepKind::VerifyTarget(_)
        | StepKind::VerifyCanary(_)
        | StepKind::Gate(_)
        | StepKind::KeepWarm(_)
        | StepKind::Command(_)
        | StepKind::RollInstances(_)
        | StepKind::Hold(_)
        | StepKind::Unhold(_)
        | StepKind::CheckData(_)
        | StepKind::Choose(_)
        | StepKind::MeasureLoss(_)
        | StepKind::Migrate(_)
        | StepKind::MigrateTool(_)
        | StepKind::RemoveCopy(_)
        | StepKind::RestoreCache(_)
        | StepKind::RestoreConfig(_)
        | StepKind::RestoreDatabase(_)
        | StepKind::RestoreFiles(_)
        | StepKind::SwapCache(_)
        | StepKind::SwapDatabase(_)
        | StepKind::SwapFiles(_)
        | StepKind::WaitHealthy(_)
        | StepKind::HttpCall(_)
        | StepKind::VerifyVersion(_)
        | StepKind::PublishVersion(_)
        | StepKind::InvalidateEdge(_)
        | StepKind::VerifyServed(_)
        | StepKind::ReleaseMobile(_)
        | StepKind::CopyBackup(_)
        | StepKind::SafetyBackup(_) => Vec::new(),
    }
}

fn changes(workload: &WorkloadName) -> Vec<Right> {
    let kind = workload.object().kind;
    vec![Right::new("get", kind), Right::new("patch", kind)]
}

fn revisions(workload: &WorkloadName) -> Kind {
    match workload {
        WorkloadName::Deployment(_) | WorkloadName::Rollout(_) => Kind::ReplicaSet,
        WorkloadName::StatefulSet(_) => Kind::ControllerRevision,
    }
}

fn scaled(one: &Scaled) -> Vec<Right> {
    let mut all = changes(&one.workload);
    all.push(Right::new("list", Kind::HorizontalPodAutoscaler));
    all.push(Right::new("list", Kind::Pod));
    match one.workload {
        WorkloadName::Deployment(_) | WorkloadName::Rollout(_) => {
            all.push(Right::new("list", Kind::ReplicaSet));
        }
        WorkloadName::StatefulSet(_) => {}
    }
    if one.autoscaler.is_some() {
        all.push(Right::new("patch", Kind::HorizontalPodAutoscaler));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapters::kube::NEEDED;

    /// The rules of the shipped Role and the shipped look outside the namespace.
    fn shipped() -> Vec<Value> {
        let text = include_str!("../../config/kubernetes-role.yaml");
        let documents: Vec<Value> = crate::yaml::all(text).unwrap();
        documents
            .iter()
            .flat_map(|one| one["rules"].as_array().cloned().unwrap_or_default())
            .collect()
    }

    fn gives(rules: &[Value], right: &Right) -> bool {
        let resource = right.kind.resource();
        let part = if right.part.is_empty() { String::new() } else { format!("/{}", right.part) };
        let name = format!("{}{part}", resource.plural);
        let has = |rule: &Value, key: &str, word: &str| {
            rule[key].as_array().is_some_and(|all| all.iter().any(|one| one == word))
        };
        rules.iter().any(|rule| {
            has(rule, "apiGroups", resource.group)
                && has(rule, "resources", &name)
                && has(rule, "verbs", right.verb)
        })
    }

    #[test]
    fn the_shipped_role_gives_what_is_needed_and_what_is_needed_covers_every_step() {
        let rules = shipped();
        for right in NEEDED {
            assert!(gives(&rules, &right), "the shipped Role lacks {}", right.words());
        }
        let scale = |name: &str| {
            json!({"scale": {"down": true, "workloads":
            [{"workload": name, "replicas": 1, "autoscaler": {"name": "a", "min": 1, "max": 2}}]}})
        };
        let undo = |name: &str| {
            json!({"rollout_undo":
            {"workload": name, "revision": 1, "version": "v", "to": "a", "from": "b"}})
        };
        let canary = |by: Value| {
            json!({"set_canary":
            {"canary": by, "from": 1, "to": 0, "off": true}})
        };
        let steps = [
            json!({"switch_traffic": {"to": "blue", "from": "green"}}),
            json!({"stop_workload": {"color": "green", "grace_seconds": 1}}),
            json!({"start_workload": {"color": "green"}}),
            json!({"preserve": {"colors": ["green"]}}),
            json!({"wait_rollout": {"workload": "sts/db", "to": "a"}}),
            json!({"wait_rollout": {"workload": "rollout/web", "to": "a"}}),
            json!({"restart": {"workload": "web", "within_seconds": 1}}),
            json!({"set_config": {"map": "a", "key": "b", "from": "c", "to": "d"}}),
            json!({"run_job": {"name": "a", "image": "b", "argv": [], "proof_argv": [],
                "expect": {}, "within_seconds": 1}}),
            undo("web"),
            undo("sts/db"),
            undo("rollout/web"),
            scale("web"),
            scale("sts/db"),
            canary(json!({"replicas": {"deployment": "a"}})),
            canary(json!({"ingress": {"ingress": "a"}})),
            canary(json!({"route": {"route": "a", "service": "b"}})),
            canary(json!({"rollout": {"rollout": "a"}})),
        ];
        for step in &steps {
            assert!(StepKind::from_action(step).is_ok(), "{step}");
            for right in rights(std::iter::once(step)) {
                assert!(NEEDED.contains(&right), "{step} needs {}", right.words());
            }
        }
    }

    #[test]
    fn a_plan_asks_only_for_what_it_needs() {
        let undo = json!({"rollout_undo":
            {"workload": "web", "revision": 1, "version": "v", "to": "a", "from": "b"}});
        let words: Vec<String> = rights([undo].iter()).iter().map(Right::words).collect();
        assert!(words.contains(&"patch deployments.apps".to_owned()), "{words:?}");
        assert!(words.iter().all(|one| !one.contains("services") && !one.contains("jobs")));
    }
}
