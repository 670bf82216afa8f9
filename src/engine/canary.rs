//! Level 1 of a workload with a canary in the traffic: the canary gets none, the stable version is
//! not touched (M-09, W-54).

use std::collections::BTreeMap;

use serde_json::json;

use crate::adapters::Error;
use crate::adapters::cluster::{
    Canary, Cluster, Part, Progress, Revision, Rollout, Scaled, WorkloadName, there, versions,
};
use crate::clock::Clock;
use crate::config::{Config, KubeCanary, KubeOne};
use crate::model::ids::PointId;
use crate::model::plan::{Level, Move, Plan, PlanCore, PlanFace, Preflight, Way};
use crate::text::SafeText;

use super::planner::{self, Facts, NoPlan};
use super::playbook::Playbook;
use super::rollout::{Kept, freezes, owners};
use super::stack::Stack;
use super::{bound, preflight};

/// What is seen of a canary before a plan is made.
pub struct Seen {
    /// What gives it its part.
    pub canary: Canary,
    /// What it gets now.
    pub part: Part,
    /// Its version.
    pub version: SafeText,
    /// The version that takes over what it had.
    pub stable: SafeText,
    /// How the stable version stands, where its pods are not the canary's too.
    pub serves: Option<Progress>,
    /// Who keeps the canary as it is.
    pub owners: Vec<Kept>,
    /// Its replicas, where they are taken away when no request reaches them.
    rests: Option<Scaled>,
}

/// Makes the plan; none where there is no canary, or it gets nothing. Looks, changes nothing.
pub(super) async fn plan(
    (config, one): (&Config, &KubeOne),
    stack: &Stack,
    facts: &Facts,
    clock: &Clock,
) -> Option<Result<(Plan, Vec<Preflight>), NoPlan>> {
    let canary = one.canary.as_ref()?;
    let no = |why: &str| Some(Err(NoPlan { why: SafeText::new(why), offer: None }));
    let cluster = stack.cluster.as_deref()?;
    let part = match canary.by.look(cluster).await {
        Ok(part) if !part.on => return None,
        Ok(part) => part,
        Err(error) => return no(&error.message),
    };
    let seen = match look(cluster, &one.name, canary.clone(), part).await {
        Ok(seen) => seen,
        Err(error) => return no(&error.message),
    };
    if seen.version == seen.stable {
        return no(&format!(
            "the canary and the stable version both call themselves {}: nobody could tell whose \
             answers are whose; name a revision instead (--target revision-N)",
            seen.stable
        ));
    }
    let plan = match make(config, stack, facts, (&seen, &one.name), clock).await {
        Ok(plan) => plan,
        Err(error) => return no(&error.message),
    };
    let lines = preflight::canary(config, stack, facts, (&seen, &plan), clock).await;
    Some(Ok((plan, lines)))
}

async fn look(
    cluster: &dyn Cluster,
    name: &WorkloadName,
    canary: KubeCanary,
    part: Part,
) -> Result<Seen, Error> {
    let setting = there(cluster, &canary.by.object()).await?;
    let rollout = Rollout::look(cluster, name).await?;
    let mut owners = owners(cluster, &setting).await;
    let Some(name) = canary.deployment else {
        // An Argo rollout holds both versions: its template is the canary's.
        let stable = setting.text("/status/stableRS").to_owned();
        let kept = rollout.revisions.iter().find(|kept| kept.name.ends_with(&stable));
        let stable = kept.map(Revision::version);
        return Ok(Seen {
            version: rollout.version(),
            stable: stable.unwrap_or_else(|| "the stable version".into()),
            serves: None,
            canary: canary.by,
            part,
            owners,
            rests: None,
        });
    };
    let name = WorkloadName::Deployment(name);
    let pods = there(cluster, &name.object()).await?;
    if canary.by.object() != name.object() {
        for kept in super::rollout::owners(cluster, &pods).await {
            if owners.iter().all(|known| known.owner != kept.owner) {
                owners.push(kept);
            }
        }
    }
    let rests = match canary.by {
        Canary::Replicas { .. } => None,
        Canary::Ingress { .. } | Canary::Route { .. } | Canary::Rollout { .. } => {
            Some(Scaled::look(cluster, &name).await?).filter(|had| had.replicas > 0)
        }
    };
    Ok(Seen {
        version: versions(pods.at("/spec/template")),
        stable: rollout.version(),
        serves: Some(Progress::of(&rollout.object)),
        canary: canary.by,
        part,
        owners,
        rests,
    })
}

async fn make(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (seen, name): (&Seen, &WorkloadName),
    clock: &Clock,
) -> Result<Plan, Error> {
    let path = config.help_test.paths.iter().find(|path| path.as_str() == "/health");
    let color = match (&seen.rests, &seen.canary) {
        (Some(had), _) => had.workload.name(),
        (None, Canary::Replicas { deployment }) => deployment,
        (None, _) => name.name(),
    };
    let named = BTreeMap::from([
        ("color", json!(color)),
        ("canary", json!(seen.canary)),
        ("from", seen.part.setting.clone()),
        ("to", seen.canary.off(&seen.part)),
        ("left_version", json!(seen.version)),
        ("path", json!(path.map_or("/health", String::as_str))),
        ("owners", freezes(&seen.owners)),
        ("rests", json!(seen.rests)),
    ]);
    let filled = Playbook::canary()?.fill(&named)?;
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    identities.extend(bound::configured(config));
    let core = PlanCore {
        level: Level::Switch,
        environment: config.environment.clone(),
        point: PointId("stable".to_owned()),
        manifest: None,
        identities,
        config: config.digest.clone(),
        from: seen.version.clone(),
        to: seen.stable.clone(),
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    plan.face = planner::face(config, stack, (&plan, &filled), None, &facts.history, clock).await;
    plan.face.form = SafeText::new(&format!(
        "the canary of {name} out of the traffic ({}); {} serves all of it",
        seen.part.words, seen.stable
    ));
    let part = Move {
        item: "traffic of the canary".into(),
        from: SafeText::new(&seen.part.words),
        to: "nothing".into(),
        way: Way::Back,
    };
    plan.face.moves = vec![part];
    plan.face.not_undone = not_undone(seen);
    Ok(plan)
}

fn not_undone(seen: &Seen) -> Vec<SafeText> {
    let mut lines = Vec::new();
    if let Canary::Rollout { rollout } = &seen.canary {
        let text = format!(
            "the template of Argo rollout {rollout} stays at {}: whoever lets it go on goes forward \
             again; put the template back with --target revision-N",
            seen.version
        );
        lines.push(SafeText::new(&text));
    } else {
        let text = "the canary's deployment, service and settings stay: removing them is the way of \
                    no return, and yours";
        lines.push(SafeText::new(text));
    }
    for kept in seen.owners.iter().filter(|kept| kept.acts == Some(true) && kept.locked.is_none()) {
        let words = kept.owner.words();
        let text = format!("{words} is frozen first, and stays so until somebody lifts it");
        lines.push(SafeText::new(&text));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_built_in_playbook_is_whole_with_and_without_pods_that_rest() {
        let fact = |rests: Value| {
            BTreeMap::from([
                ("color", json!("web-canary")),
                ("canary", json!({"replicas": {"deployment": "web-canary"}})),
                ("from", json!(2)),
                ("to", json!(0)),
                ("left_version", json!("v2")),
                ("path", json!("/health")),
                ("owners", json!([])),
                ("rests", rests),
            ])
        };
        let ids = |rests: Value| -> Vec<String> {
            let filled = Playbook::canary().unwrap().fill(&fact(rests)).unwrap();
            filled.steps.iter().map(|(spec, _)| spec.id.0.clone()).collect()
        };
        assert_eq!(ids(Value::Null), ["save", "canary", "gate"]);
        let had = json!({"workload": "deployment/web-canary", "replicas": 2});
        assert_eq!(ids(had), ["save", "canary", "gate", "rest"]);
    }
}
