//! Level 1 of one workload of a cluster: an undo of its rollout (design 15, form b). Which revision
//! is gone to, what speaks for it, and the plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::adapters::Error;
use crate::adapters::cluster::{
    self, Cluster, Owner, PodTrouble, Revision, Rollout, WorkloadName, images, sync_of,
};
use crate::adapters::kube::{Object, Patch, Write};
use crate::clock::Clock;
use crate::config::{Config, KubeOne, Platform};
use crate::model::deploys::ChangeState;
use crate::model::entry::Outcome;
use crate::model::ids::PointId;
use crate::model::plan::{Called, Level, Move, Plan, PlanCore, PlanFace, Preflight, Way};
use crate::model::situation::PastRun;
use crate::text::SafeText;

use super::planner::{self, Facts, NoPlan};
use super::playbook::Playbook;
use super::preflight;
use super::stack::Stack;

/// How long the pods may take: the objective of level 1 less what comes before.
const WAIT_SECONDS: u64 = 240;
/// Good answers in a row through the service.
const ANSWERS: u32 = 3;

/// The only workload of a configuration, where it has one.
pub fn workload(config: &Config) -> Option<&KubeOne> {
    match &config.platform {
        Platform::Kubernetes(at) => at.workload.as_ref(),
        Platform::None | Platform::Local { .. } | Platform::Compose(_) | Platform::Frontend(_) => {
            None
        }
    }
}

/// What is seen of the workload before a plan is made.
pub struct Seen {
    /// It, with its revisions.
    pub rollout: Rollout,
    /// Where it goes.
    pub to: Revision,
    /// What speaks for that revision.
    pub evidence: Evidence,
    /// Who keeps it as it is, and what becomes of that.
    pub owners: Vec<Kept>,
    /// Pods that do not run, newest first.
    pub troubles: Vec<PodTrouble>,
    /// Settings that were changed since the last good pod started.
    pub changed: Vec<SafeText>,
}

/// Somebody who keeps a workload as it is.
pub struct Kept {
    /// Who.
    pub owner: Owner,
    /// Whether it acts by itself; not known where it cannot be looked at.
    pub acts: Option<bool>,
    /// The setting that says so.
    pub was: Value,
    /// Why it cannot be frozen.
    pub locked: Option<String>,
}

/// What speaks for a revision. Nothing of it is called good without a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A deploy of it is on record as done, or a run ended well at it.
    Recorded(String),
    /// Pods of it are ready at this moment.
    Ready(i64),
    /// It still exists.
    Exists,
}

impl Evidence {
    /// For the card.
    pub fn words(&self) -> String {
        match self {
            Self::Recorded(how) => how.clone(),
            Self::Ready(pods) => format!("not recorded healthy; {pods} of its pods are ready now"),
            Self::Exists => "not proven: it still exists, nobody recorded it healthy".to_owned(),
        }
    }
}

/// Makes the plan. Looks, changes nothing.
pub async fn plan(
    (config, one): (&Config, &KubeOne),
    stack: &Stack,
    facts: &Facts,
    clock: &Clock,
) -> Result<(Plan, Vec<Preflight>), NoPlan> {
    let no = |why: &str| NoPlan { why: SafeText::new(why), offer: Some(Level::Full) };
    let Some(cluster) = stack.cluster.as_deref() else {
        return Err(no("no cluster is configured"));
    };
    let seen = look(cluster, &one.name, facts, clock).await.map_err(|why| no(&why))?;
    let made = make(config, stack, facts, (&seen, &one.name), clock).await;
    let plan = made.map_err(|error| no(&error.message))?;
    let lines = preflight::rollout(config, stack, facts, (&seen, &plan), clock).await;
    Ok((plan, lines))
}

async fn look(
    cluster: &dyn Cluster,
    name: &WorkloadName,
    facts: &Facts,
    clock: &Clock,
) -> Result<Seen, String> {
    let rollout = Rollout::look(cluster, name).await.map_err(|error| error.message)?;
    let (to, evidence) = choose(&rollout, facts, clock)?;
    let owners = owners(cluster, &rollout.object).await;
    // What explains the failure is said where it can be had, and holds nobody up where it cannot.
    let told = tokio::join!(
        cluster::troubles(cluster, &rollout),
        cluster::changed_since(cluster, &rollout)
    );
    let (troubles, changed) = (told.0.unwrap_or_default(), told.1.unwrap_or_default());
    Ok(Seen { rollout, to, evidence, owners, troubles, changed })
}

/// The revision that was asked for, else the newest that something speaks for, else the newest
/// that nothing speaks against (W-49: never just the number before).
fn choose(rollout: &Rollout, facts: &Facts, clock: &Clock) -> Result<(Revision, Evidence), String> {
    if let Some(target) = &facts.target {
        let asked = asked(rollout, facts, target, clock)?;
        let evidence = evidence(&asked, facts);
        return Ok((asked, evidence));
    }
    let others = || rollout.others().filter(|one| !failed(one, facts));
    let spoken = others().find(|one| evidence(one, facts) != Evidence::Exists);
    let Some(chosen) = spoken.or_else(|| others().next()) else {
        let name = &rollout.name;
        return Err(match rollout.others().next() {
            Some(one) => format!(
                "every kept revision of {name} is on record as failed, the newest is {}; name one",
                one.words(clock.now())
            ),
            None => {
                format!("no earlier revision of {name} is kept: there is nothing to go back to")
            }
        });
    };
    Ok((chosen.clone(), evidence(chosen, facts)))
}

/// The revision that a person names: its number, its name, its version, or a point of that version.
fn asked(
    rollout: &Rollout,
    facts: &Facts,
    target: &PointId,
    clock: &Clock,
) -> Result<Revision, String> {
    let word = target.as_str();
    let number = word.strip_prefix("revision-").unwrap_or(word).parse::<i64>().ok();
    let point = facts.points.iter().find(|point| &point.id == target);
    let is = |one: &&Revision| {
        Some(one.number) == number
            || one.name == word
            || one.version().as_str() == word
            || point.is_some_and(|point| point.version == one.version())
    };
    if let Some(found) = rollout.others().find(is) {
        return Ok(found.clone());
    }
    if rollout.current().as_ref().is_some_and(is) {
        return Err(format!("{target} is what runs now: there is nothing to go back to"));
    }
    let known: Vec<String> = rollout.revisions.iter().map(|one| one.words(clock.now())).collect();
    Err(format!("[ERROR] Backup not found: {target}; kept are {}", known.join("; ")))
}

fn evidence(one: &Revision, facts: &Facts) -> Evidence {
    let version = one.version();
    let ended = facts.history.iter().find(|run| run.to == version);
    if let Some(run) = ended.filter(|run| run.ended.outcome == Outcome::Done) {
        return Evidence::Recorded(format!("recorded healthy: run {} ended well at it", run.run));
    }
    let known =
        |state| facts.known.changes.iter().find(|one| one.version == version && one.state == state);
    if let Some(change) = known(ChangeState::Done) {
        let at = change.ended_at.unwrap_or(change.at).format("%Y-%m-%d %H:%M");
        let by = if change.by.is_empty() { "a pipeline".into() } else { change.by.clone() };
        return Evidence::Recorded(format!("its deploy by {by} is recorded as done, {at}"));
    }
    if one.ready > 0 { Evidence::Ready(one.ready) } else { Evidence::Exists }
}

/// Whether something on record speaks against a revision: its deploy failed, or a run left it.
fn failed(one: &Revision, facts: &Facts) -> bool {
    let version = one.version();
    let last = facts.history.iter().find(|run| run.to == version || run.from == version);
    let leaves = |run: &PastRun| run.from == version && run.to != version;
    let left = last.is_some_and(|run| leaves(run) && run.ended.outcome == Outcome::Done);
    let change = facts.known.changes.iter().find(|change| change.version == version);
    left || change.is_some_and(|change| change.state == ChangeState::Failed)
}

/// Who keeps an object as it is. Whether one can be frozen is tried by the server, not done.
pub(super) async fn owners(cluster: &dyn Cluster, object: &Object) -> Vec<Kept> {
    let mut found = Vec::new();
    for owner in Owner::of(object) {
        let Some(object) = owner.object() else {
            found.push(Kept { owner, acts: Some(false), was: Value::Null, locked: None });
            continue;
        };
        let kept = match sync_of(cluster, &owner).await {
            Ok(Some((acts, was))) => {
                let patch = Patch::Merge(owner.change(true, &was));
                let write = Write::default().dry_run();
                let tried = cluster.patch(&object, &patch, write).await;
                let locked = tried.err().map(|error| error.message);
                Kept { owner, acts: Some(acts), was, locked }
            }
            Ok(None) => {
                let locked = Some("its own object was not found".to_owned());
                Kept { owner, acts: None, was: Value::Null, locked }
            }
            Err(error) => Kept { owner, acts: None, was: Value::Null, locked: Some(error.message) },
        };
        found.push(kept);
    }
    found
}

async fn make(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (seen, name): (&Seen, &WorkloadName),
    clock: &Clock,
) -> Result<Plan, Error> {
    let Seen { rollout, to, .. } = seen;
    let watch = config.rollback.watch_window;
    let named = named(config, seen, name);
    let mut filled = Playbook::kubernetes()?.fill(&named)?;
    if rollout.current().is_none() {
        // A template of which no revision was made cannot be gone back to.
        filled.undo.retain(|(spec, _)| spec.id.as_str() != "redo");
        for (spec, _) in &mut filled.steps {
            spec.undo.take_if(|undo| undo.as_str() == "redo");
        }
    }
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    identities.insert(name.to_string(), rollout.object.uid().to_owned());
    identities.extend(super::bound::configured(config));
    let core = PlanCore {
        level: Level::Switch,
        environment: config.environment.clone(),
        point: PointId(format!("revision-{}", to.number)),
        manifest: None,
        identities,
        config: config.digest.clone(),
        from: rollout.version(),
        to: to.version(),
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    plan.face = planner::face(config, stack, (&plan, &filled), None, &facts.history, clock).await;
    plan.face.form = SafeText::new(&format!(
        "undo of the rollout of {name} to revision {}; {}",
        to.number,
        seen.evidence.words()
    ));
    plan.face.called = Some(called(seen));
    plan.face.moves = moves(seen);
    plan.face.not_undone = not_undone(seen);
    Ok(plan)
}

fn named<'a>(config: &Config, seen: &Seen, name: &WorkloadName) -> BTreeMap<&'a str, Value> {
    let Seen { rollout, to, owners, .. } = seen;
    let guard = config.rollback.watch_window.as_secs();
    let acting = || owners.iter().filter(|one| one.acts == Some(true) && one.locked.is_none());
    let frozen: Vec<&Owner> = acting().map(|one| &one.owner).collect();
    let path = config.help_test.paths.iter().find(|path| path.as_str() == "/health");
    BTreeMap::from([
        ("color", json!(name.name())),
        ("workload", json!(name)),
        ("revision", json!(to.number)),
        ("version", json!(to.version())),
        ("template", json!(to.digest)),
        ("left", json!(rollout.digest)),
        ("left_revision", json!(rollout.current().map_or(0, |one| one.number))),
        ("left_version", json!(rollout.version())),
        ("owners", freezes(owners)),
        ("frozen", json!(frozen)),
        ("wait_seconds", json!(WAIT_SECONDS)),
        ("wait_budget", json!(format!("{}s", WAIT_SECONDS + 10))),
        ("path", json!(path.map_or("/health", String::as_str))),
        ("answers", json!(ANSWERS)),
        ("guard_seconds", json!(guard)),
        ("guard_budget", json!(format!("{}s", guard + 60))),
    ])
}

/// Those who act by themselves and can be frozen, as a playbook takes them.
pub(super) fn freezes(owners: &[Kept]) -> Value {
    let acting = owners.iter().filter(|one| one.acts == Some(true) && one.locked.is_none());
    let named = acting.enumerate();
    named
        .map(|(at, one)| json!({"name": (at + 1).to_string(), "owner": one.owner, "was": one.was}))
        .collect()
}

/// What goes back and what stays: the images by name, replicas and settings.
fn moves(seen: &Seen) -> Vec<Move> {
    let text = |list: Vec<SafeText>| {
        let list: Vec<String> = list.iter().map(ToString::to_string).collect();
        SafeText::new(&list.join(" "))
    };
    let object = &seen.rollout.object;
    let (mut from, mut to) =
        (text(images(object.at("/spec/template"))), text(images(&seen.to.template)));
    if from == to {
        // The image alone would read as if nothing moved.
        let version =
            |image: &SafeText, version: SafeText| SafeText::new(&format!("{version} ({image})"));
        to = version(&to, seen.to.version());
        from = version(&from, seen.rollout.version());
    }
    let replicas = object.number("/spec/replicas").unwrap_or(1).to_string();
    let replicas = SafeText::new(&replicas);
    vec![
        Move { item: "template".into(), from, to, way: Way::Back },
        Move { item: "replicas".into(), from: replicas.clone(), to: replicas, way: Way::Stays },
    ]
}

/// In the words of document 004; what it calls the last successful deployment is a record (W-49).
fn called(seen: &Seen) -> Called {
    let name = SafeText::new(seen.rollout.name.name());
    let to = match &seen.evidence {
        Evidence::Recorded(_) => {
            let (number, version) = (seen.to.number, seen.to.version());
            format!("Rolling back to last successful deployment: revision {number} ({version})")
        }
        Evidence::Ready(_) | Evidence::Exists => {
            "No successful deployment found. Rolling back to previous version.".to_owned()
        }
    };
    let begins = SafeText::new(&format!("🚨 Starting emergency rollback for {name}"));
    let opening = vec![begins, SafeText::new(&to)];
    Called { what: "Emergency rollback".into(), subject: name, opening }
}

fn not_undone(seen: &Seen) -> Vec<SafeText> {
    let mut lines: Vec<SafeText> = seen
        .changed
        .iter()
        .map(|one| SafeText::new(&format!("{one}: an undo does not move it")))
        .collect();
    for kept in seen.owners.iter().filter(|kept| kept.acts != Some(false)) {
        let words = kept.owner.words();
        if kept.locked.is_none() {
            let text = format!("{words} is frozen first, and stays so until somebody lifts it");
            lines.push(SafeText::new(&text));
        }
    }
    lines
}
