//! Plans of the configuration's own procedures (M-29): its steps, with what they depend on recorded
//! as it is now: replicas of each workload, digests of saved files, the value of a flag.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::adapters::cluster::{Cluster, ObjectName, Scaled, WorkloadName};
use crate::adapters::kube::Kind as Object;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::config::{Config, Platform, Procedure, did_you_mean};
use crate::model::ids::{CheckId, PointId};
use crate::model::loss::Loss;
use crate::model::plan::{Called, Hazard, Level, Plan, PlanCore, PlanFace, Preflight, StepSpec};
use crate::steps::SavedSet;
use crate::text::SafeText;

use super::planner::{self, Facts, Made, NoPlan};
use super::playbook::{Filled, Playbook, VERBATIM};
use super::stack::Stack;
use super::{canary, preflight, rollout, site};

mod way_back;

pub use crate::model::plan::TYPE;

/// The plan of a procedure, or of a workload without a second colour; else what the levels are
/// planned from as everywhere.
pub async fn instead(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    clock: &Clock,
) -> Result<Facts, Box<Made>> {
    let mut facts = facts.clone();
    match asked(config, &facts) {
        None => {}
        Some(Ok(found)) => {
            return Err(Box::new(plan(config, stack, &facts, found, clock).await));
        }
        // Without a procedure of its own, an application goes back by level 1 (M-16, M-29).
        Some(Err(_)) if facts.target.as_ref().is_some_and(of_the_application) => {
            facts.target = None;
        }
        Some(Err(why)) => {
            return Err(Box::new(Err(NoPlan { why: SafeText::new(&why), offer: None })));
        }
    }
    if let (Platform::Frontend(at), Level::Switch) = (&config.platform, facts.level) {
        return Err(Box::new(site::plan((config, at), stack, &facts, clock).await));
    }
    match rollout::workload(config).filter(|_| facts.level == Level::Switch) {
        Some(one) => {
            // Whoever names a revision goes there; a canary in the traffic comes first.
            let canary = match facts.target {
                None => canary::plan((config, one), stack, &facts, clock).await,
                Some(_) => None,
            };
            let made = match canary {
                Some(made) => made,
                None => rollout::plan((config, one), stack, &facts, clock).await,
            };
            Err(Box::new(made))
        }
        None => Ok(facts),
    }
}

fn of_the_application(target: &PointId) -> bool {
    matches!(target.as_str(), "type:application" | "type:emergency_application")
}

/// The procedure that was asked for: none where no type was named, an error where it is not known.
fn asked<'a>(
    config: &'a Config,
    facts: &Facts,
) -> Option<Result<(&'a str, &'a Procedure), String>> {
    let name = facts.target.as_ref()?.as_str().strip_prefix(TYPE)?;
    let found = config.procedures.get_key_value(name);
    Some(if let Some((name, procedure)) = found {
        Ok((name.as_str(), procedure))
    } else {
        let known: Vec<&str> = config.procedures.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(format!("no procedure {name} is configured, known are {known}"))
    })
}

/// Makes its plan. Looks, changes nothing.
async fn plan(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (name, procedure): (&str, &Procedure),
    clock: &Clock,
) -> Result<(Plan, Vec<Preflight>), NoPlan> {
    let no = |why: &str| NoPlan { why: SafeText::new(why), offer: None };
    // Its level is its own, whatever was asked for: a name is enough.
    let facts = Facts { level: procedure.level, ..facts.clone() };
    let made = make(config, stack, &facts, (name, procedure), clock).await;
    let plan = made.map_err(|error| no(&error.message))?;
    let lines = preflight::procedure(config, stack, (&facts, &plan), clock).await;
    Ok((plan, lines))
}

async fn make(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (name, procedure): (&str, &Procedure),
    clock: &Clock,
) -> Result<Plan, Error> {
    let mut steps = procedure.steps.clone();
    let mut stays = Vec::new();
    for step in steps.as_array_mut().into_iter().flatten() {
        if let Some(action) = step.get_mut("do") {
            record(config, stack, action).await?;
        }
        if let Some(action) = step.pointer_mut("/undo/do") {
            record(config, stack, action).await?;
        }
        way_back::add(config, stack, step, (&mut stays, clock.now())).await?;
    }
    let level = procedure.level;
    let title = procedure.title.as_str();
    let playbook = Playbook::of(json!({
        "name": name, "level": level.number(), "form": title, "steps": steps,
    }))?;
    let filled = playbook.fill(&BTreeMap::from([(VERBATIM, Value::Null)]))?;
    way_back::tried_first(&filled).map_err(|why| wrong(&why))?;
    let expected = expected(config, &filled)?;
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    identities.extend(super::bound::configured(config));
    let active = stack.traffic.look().await?.active;
    let now = stack.workload.look(&active).await?.version;
    let core = PlanCore {
        level,
        environment: config.environment.clone(),
        point: PointId(format!("{TYPE}{name}")),
        manifest: None,
        identities,
        config: config.digest.clone(),
        from: now.clone(),
        to: now,
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    plan.face = planner::face(config, stack, (&plan, &filled), None, &facts.history, clock).await;
    plan.face.form = procedure.title.clone();
    for (face, words) in plan.face.steps.iter_mut().zip(expected) {
        if !words.is_empty() {
            face.preview = SafeText::new(&format!("{}; {words}", face.preview));
        }
    }
    plan.face.not_undone.extend(stays);
    plan.face.called = procedure.called.as_ref().map(|what| called(what, procedure));
    let loses = plan.core.steps.iter().any(|step| step.hazard == Hazard::LosesData);
    if loses {
        plan.face.loss = procedure.taken_at.map(|from| Loss { from, ..Loss::default() });
        plan.face.data = match &plan.face.loss {
            Some(loss) => SafeText::new(&format!("loses about {}", loss.words(clock.now()))),
            None => "what is lost is not known: the procedure has no taken_at".into(),
        };
    }
    Ok(plan)
}

/// What each step makes right at checks, in words; an error where there is no such check.
fn expected(config: &Config, filled: &Filled) -> Result<Vec<String>, Error> {
    let known = |check: &CheckId, step: &StepSpec| {
        let found = config.checks.iter().find(|spec| &spec.id == check);
        found.ok_or_else(|| {
            let names = config.checks.iter().map(|spec| spec.id.as_str());
            let meant = did_you_mean(check.as_str(), names)
                .map_or_else(String::new, |meant| format!(", did you mean {meant}?"));
            wrong(&format!("step {}: there is no check {check}{meant}", step.id))
        })
    };
    let mut all = Vec::new();
    for (spec, _) in &filled.steps {
        for check in &spec.expect_down {
            known(check, spec)?;
        }
        let mut words = Vec::new();
        for (check, status) in &spec.expected_status {
            let Some(status) = status else { continue };
            let set = [("expected_status".to_owned(), status.clone())];
            super::mutes::changed(known(check, spec)?, &set)
                .map_err(|refusal| wrong(&format!("step {}: {}", spec.id, refusal.why)))?;
            words.push(format!("{status} is right at check {check} while it is in force"));
        }
        all.push(words.join(", "));
    }
    Ok(all)
}

/// How it is announced, in the words of document 004.
fn called(what: &SafeText, procedure: &Procedure) -> Called {
    let mut small = what.as_str().chars();
    let first = small.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    let from = procedure.source.as_ref().map(|at| format!(" from {at}")).unwrap_or_default();
    let begins = format!("🚨 Starting {first}{}{from}", small.as_str());
    Called {
        what: what.clone(),
        subject: SafeText::default(),
        opening: vec![SafeText::new(&begins)],
    }
}

/// Records in a step what it depends on, as it is now: that is what is approved.
async fn record(config: &Config, stack: &Stack, action: &mut Value) -> Result<(), Error> {
    if let Some(Value::Array(workloads)) = action.pointer_mut("/scale/workloads") {
        let cluster = cluster(stack)?;
        for one in workloads {
            if let Some(name) = one.as_str().map(str::to_owned) {
                let name = WorkloadName::try_from(name).map_err(|why| wrong(&why))?;
                let seen = Scaled::look(cluster, &name).await?;
                *one = serde_json::to_value(seen).unwrap_or_default();
            }
        }
    }
    if let Some(Value::Array(files)) = action.pointer_mut("/apply_set/files") {
        for one in files {
            if let Some(file) = one.as_str() {
                let base = config.file.parent().unwrap_or(std::path::Path::new("."));
                let seen = SavedSet::of(base.join(file))?;
                *one = serde_json::to_value(seen).unwrap_or_default();
            }
        }
    }
    if let Some(Value::Object(flag)) = action.pointer_mut("/set_config")
        && !flag.contains_key("from")
    {
        let text = |key: &str| flag.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let object = ObjectName::new(Object::ConfigMap, text("map"));
        let map = crate::adapters::cluster::there(cluster(stack)?, &object).await?;
        let now = map.at("/data").get(text("key")).cloned().unwrap_or_else(|| json!(""));
        flag.insert("from".to_owned(), now);
    }
    Ok(())
}

fn cluster(stack: &Stack) -> Result<&dyn Cluster, Error> {
    stack.cluster.as_deref().ok_or_else(|| wrong("no cluster is configured"))
}

fn wrong(why: &str) -> Error {
    Error::new(Kind::Rejected, format!("could not plan: {why}"))
}
