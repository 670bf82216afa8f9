//! Plans of services with several instances (P-05, P-06, P-09, P-13) and plans that must be of one
//! strategy: which services, in which order, batch by batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::adapters::Error;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::services::Service;
use crate::model::ids::{PointId, StepId};
use crate::model::plan::{
    Level, Move, Plan, PlanCore, PlanFace, Preflight, PreflightAnswer, StepSpec, Way,
};
use crate::model::strategy::{self, Asked, Strategy};
use crate::steps::roll_instances::see;
use crate::steps::{RollInstances, StepKind};
use crate::text::SafeText;
use futures_util::future::join_all;

use super::planner::{self, Facts, Made, NoPlan};
use super::playbook::{self, Filled};
use super::preflight;
use super::stack::Stack;

mod switch;

/// Beside what the instances may take: what a step needs to look and to be looked at.
const MARGIN: Duration = Duration::from_secs(30);

/// One service as it goes back.
struct Section<'a> {
    name: &'a str,
    service: &'a Service,
    /// The version gone to.
    to: String,
    /// What its instances say that they run; nothing where they do not say it, or not all the same.
    now: Option<String>,
    /// Why it is in the plan, where nobody asked for it.
    pulled: Option<String>,
}

fn no(why: impl AsRef<str>) -> NoPlan {
    NoPlan { why: SafeText::new(why.as_ref()), offer: None }
}

/// The plan of what was asked for. Looks, changes nothing.
pub(super) async fn plan(
    config: &Config,
    stack: &Stack,
    (facts, asked): (&Facts, &Asked),
    clock: &Clock,
) -> Made {
    let target = (!asked.to.is_empty()).then(|| PointId(asked.to.clone()));
    let facts = Facts { target, ..facts.clone() };
    let fleet = !asked.names.is_empty() || !config.services.is_empty();
    match asked.strategy {
        Some(Strategy::BlueGreen) => {
            let (plan, lines) = as_everywhere(config, stack, &facts, clock).await?;
            Ok((switch::blue_green(config, plan)?, lines))
        }
        Some(Strategy::Canary) => {
            let (plan, lines) = as_everywhere(config, stack, &facts, clock).await?;
            of_kind(&plan, "set_canary", "no canary has any of the traffic")?;
            Ok((plan, lines))
        }
        Some(Strategy::DatabaseMigration) => {
            let facts = Facts { level: Level::Full, ..facts };
            as_everywhere(config, stack, &facts, clock).await
        }
        Some(Strategy::Frontend) => {
            let facts = Facts { target: Some(PointId("type:frontend".into())), ..facts };
            as_everywhere(config, stack, &facts, clock).await
        }
        Some(Strategy::Rolling) if !fleet && super::rollout::workload(config).is_some() => {
            as_everywhere(config, stack, &facts, clock).await
        }
        Some(Strategy::Rolling | Strategy::Immediate) | None => {
            let sections = sections(config, asked, clock).await.map_err(no)?;
            let made = make(config, stack, (&facts, asked), &sections, clock).await;
            let plan = made.map_err(|error| no(error.message))?;
            let mut lines = preflight::procedure(config, stack, (&facts, &plan), clock).await;
            lines.extend(sections.iter().map(reached));
            Ok((plan, lines))
        }
    }
}

async fn as_everywhere(config: &Config, stack: &Stack, facts: &Facts, clock: &Clock) -> Made {
    Box::pin(planner::plan(config, Some(stack), facts, clock)).await
}

/// Refuses a plan that has no step of `kind`: what was asked for by name is not replaced in silence.
fn of_kind(plan: &Plan, kind: &str, why: &str) -> Result<(), NoPlan> {
    if plan.core.steps.iter().any(|step| step.action.get(kind).is_some()) {
        return Ok(());
    }
    Err(no(format!("{why}; what can be done is: {}", plan.face.form)))
}

/// The services that go back, in their order: those that were asked for, and those that no longer
/// work with what they go back to (P-81).
async fn sections<'a>(
    config: &'a Config,
    asked: &Asked,
    clock: &Clock,
) -> Result<Vec<Section<'a>>, String> {
    let all = &config.services;
    if all.is_empty() {
        return Err("no services are configured (services:) whose instances could go back in \
                    batches or at once; backout plan says what this environment can do"
            .to_owned());
    }
    let known = || all.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(wrong) = asked.names.iter().find(|name| !all.contains_key(*name)) {
        return Err(format!("there is no service {wrong}, known are {}", known()));
    }
    let named = |name: &String, one: &Service| {
        let unnamed = asked.names.is_empty() && one.roll_back.is_some();
        unnamed || asked.names.contains(name)
    };
    let now: BTreeMap<&str, Option<String>> = join_all(
        all.iter().map(|(name, one)| async move { (name.as_str(), running(one, clock).await) }),
    )
    .await
    .into_iter()
    .collect();
    let mut found: Vec<Section<'a>> = Vec::new();
    for (name, service) in all.iter().filter(|(name, one)| named(name, one)) {
        let to = asked.version(name).map(str::to_owned).or_else(|| service.to.clone());
        let to = to.ok_or_else(|| {
            format!("no version is said for {name}: --target {name}=VERSION, or services.{name}.to")
        })?;
        let now = now.get(name.as_str()).cloned().flatten();
        found.push(Section { name, service, to, now, pulled: None });
    }
    while let Some(more) = pulled(all, &found, &now)? {
        if !config.rollback.together {
            let why = more.pulled.unwrap_or_default();
            let name = more.name;
            return Err(format!("{why}: name {name}, too, or set cross_repo_coordination: true"));
        }
        found.push(more);
    }
    let graph = all
        .iter()
        .map(|(name, one)| (name.as_str(), one.depends_on.iter().map(String::as_str).collect()));
    let order = strategy::order(&graph.collect()).map_err(|round| round.join(" -> "))?;
    found.sort_by_key(|one| order.iter().position(|name| name == one.name));
    Ok(found)
}

/// What all its instances say that they run.
async fn running(service: &Service, clock: &Clock) -> Option<String> {
    let urls = service.instances.values().flatten();
    let said = join_all(urls.map(|url| see(url, clock))).await;
    let versions: Option<BTreeSet<String>> =
        said.into_iter().map(|one| one.ok().flatten()).collect();
    let versions = versions?;
    (versions.len() == 1).then(|| versions.into_iter().next()).flatten()
}

/// What of `needs` is not there any more when all have gone back.
fn unmet<'n>(
    needs: &'n BTreeMap<String, String>,
    found: &[Section<'_>],
) -> Option<(&'n String, &'n String)> {
    needs.iter().find(|(other, oldest)| {
        let goes = found.iter().find(|one| one.name == other.as_str());
        goes.is_some_and(|one| strategy::is_older(&one.to, oldest))
    })
}

/// The next service whose version does not work with where the others go, or may not: one that does
/// not say its version is taken for the newest.
fn pulled<'a>(
    all: &'a BTreeMap<String, Service>,
    found: &[Section<'a>],
    now: &BTreeMap<&str, Option<String>>,
) -> Result<Option<Section<'a>>, String> {
    let goes = |name: &str| found.iter().find(|one| one.name == name);
    for (name, service) in all.iter().filter(|(_, one)| !one.works_with.is_empty()) {
        let mut versions: Vec<&String> = service.works_with.keys().collect();
        versions.sort_by(|a, b| match (strategy::is_older(a, b), strategy::is_older(b, a)) {
            (true, _) => std::cmp::Ordering::Greater,
            (_, true) => std::cmp::Ordering::Less,
            (false, false) => std::cmp::Ordering::Equal,
        });
        let own = goes(name).map(|one| one.to.clone());
        let own = own.or_else(|| now.get(name.as_str()).cloned().flatten());
        let own = own.or_else(|| versions.first().map(|newest| (*newest).clone()));
        let Some((other, oldest)) = own
            .as_ref()
            .and_then(|own| service.works_with.get(own))
            .and_then(|it| unmet(it, found))
        else {
            continue;
        };
        let to = goes(other).map(|one| one.to.clone()).unwrap_or_default();
        let own = own.unwrap_or_default();
        let why = format!("{name} {own} needs {other} {oldest} or newer, which goes to {to}");
        if goes(name).is_some() {
            return Err(format!("the versions do not work with each other: {why}"));
        }
        let fitting = versions.into_iter().find(|version| {
            service.works_with.get(*version).is_some_and(|it| unmet(it, found).is_none())
        });
        let Some(fitting) = fitting else {
            return Err(format!("{why}, and no version of {name} is known that works with it"));
        };
        let now = now.get(name.as_str()).cloned().flatten();
        return Ok(Some(Section { name, service, to: fitting.clone(), now, pulled: Some(why) }));
    }
    Ok(None)
}

/// The steps of all sections: what depends on others ends before they begin, and no more services
/// go back side by side than allowed.
fn filled(config: &Config, asked: &Asked, sections: &[Section<'_>]) -> Result<Filled, Error> {
    let mut filled = Filled { steps: Vec::new(), undo: Vec::new() };
    let mut last: BTreeMap<&str, StepId> = BTreeMap::new();
    let side = config.rollback.parallel_operations.max(1);
    for (at, section) in sections.iter().enumerate() {
        let before = at.checked_sub(side).and_then(|at| sections.get(at));
        let mut needs: Vec<StepId> = sections
            .iter()
            .take(at)
            .filter(|other| depends(config, other.name, section.name))
            .chain(before)
            .filter_map(|other| last.get(other.name).cloned())
            .collect();
        needs.sort();
        needs.dedup();
        for (mut spec, title, undo) in batches(section, asked.strategy)? {
            spec.needs.append(&mut needs);
            needs = vec![spec.id.clone()];
            if let Some((mut back, words)) = undo {
                back.needs = Vec::new();
                spec.undo = Some(back.id.clone());
                filled.undo.push((back, words));
            }
            filled.steps.push((spec, title));
        }
        last.extend(needs.pop().map(|id| (section.name, id)));
    }
    Ok(filled)
}

/// Whether `one` needs `other`, by whatever way.
fn depends(config: &Config, one: &str, other: &str) -> bool {
    let mut open = vec![one];
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name)
            && let Some(service) = config.services.get(name)
        {
            open.extend(service.depends_on.iter().map(String::as_str));
        }
    }
    one != other && seen.contains(other)
}

type Batch = (StepSpec, SafeText, Option<(StepSpec, SafeText)>);

/// The steps of one service, with what takes each back.
fn batches(section: &Section<'_>, strategy: Option<Strategy>) -> Result<Vec<Batch>, Error> {
    let Section { name, service, to, now, .. } = section;
    let wrong = |why: String| Error::new(crate::adapters::Kind::Rejected, why);
    let Some(command) = &service.roll_back else {
        let why = format!("could not plan {name}: services.{name}.roll_back says no argv");
        return Err(wrong(why));
    };
    let strategy = strategy.unwrap_or(service.strategy);
    let all: Vec<(String, Option<String>)> = service.instances.clone().into_iter().collect();
    let size = match strategy {
        Strategy::Rolling => service.options.batch_size.max(1),
        Strategy::Immediate => all.len().max(1),
        Strategy::BlueGreen
        | Strategy::Canary
        | Strategy::DatabaseMigration
        | Strategy::Frontend => {
            let way = strategy.name();
            let why = format!(
                "could not plan {name} with others: it goes back by {way}: backout plan \
                 --strategy {way}"
            );
            return Err(wrong(why));
        }
    };
    if all.is_empty() {
        return Err(wrong(format!("could not plan {name}: services.{name} has no instances")));
    }
    let options = &service.options;
    let count = all.chunks(size).len();
    let mut steps = Vec::new();
    for (at, batch) in all.chunks(size).enumerate() {
        let step = RollInstances {
            service: (*name).to_owned(),
            to: to.clone(),
            batch: (at + 1, count),
            instances: batch.iter().cloned().collect(),
            command: Some(command.clone()),
            every_seconds: options.health_check_interval.as_secs_f64(),
            within_seconds: options.validation.as_secs(),
            pause_seconds: if at + 1 == count { 0 } else { options.batch_delay.as_secs() },
        };
        let budget = Duration::from_secs(command.budget_seconds + step.pause_seconds)
            + options.validation
            + MARGIN;
        let id = format!("{name}_{}", at + 1);
        let undo = match now {
            Some(now) => {
                let back = RollInstances { to: now.clone(), pause_seconds: 0, ..step.clone() };
                let action = StepKind::RollInstances(back).to_action();
                Some(playbook::step(&format!("undo_{id}"), action, None, budget)?)
            }
            None => None,
        };
        let action = StepKind::RollInstances(step).to_action();
        let (spec, title) = playbook::step(&id, action, None, budget)?;
        steps.push((spec, title, undo));
    }
    Ok(steps)
}

async fn make(
    config: &Config,
    stack: &Stack,
    (facts, asked): (&Facts, &Asked),
    sections: &[Section<'_>],
    clock: &Clock,
) -> Result<Plan, Error> {
    let filled = filled(config, asked, sections)?;
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    identities.extend(super::bound::configured(config));
    let words = |version: &dyn Fn(&Section<'_>) -> String| {
        let all: Vec<String> =
            sections.iter().map(|one| format!("{} {}", one.name, version(one))).collect();
        SafeText::new(&all.join(", "))
    };
    let now = |one: &Section<'_>| one.now.clone().unwrap_or_else(|| "?".to_owned());
    let core = PlanCore {
        level: Level::Switch,
        environment: config.environment.clone(),
        point: PointId(asked.target()),
        manifest: None,
        identities,
        config: config.digest.clone(),
        from: words(&now),
        to: words(&|one| one.to.clone()),
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    plan.face = planner::face(config, stack, (&plan, &filled), None, &facts.history, clock).await;
    let order: Vec<&str> = sections.iter().map(|one| one.name).collect();
    let way = asked.strategy.map_or("each as configured", Strategy::name);
    let form = format!("{way}; order {}: who depends on others goes first", order.join(", "));
    plan.face.form = SafeText::new(&form);
    plan.face.moves = sections
        .iter()
        .map(|one| Move {
            item: one.name.into(),
            from: SafeText::new(&now(one)),
            to: SafeText::new(&one.to),
            way: Way::Back,
        })
        .collect();
    plan.face.not_undone = sections
        .iter()
        .filter_map(|one| {
            one.pulled.as_deref().map(|why| SafeText::new(&format!("in it, too: {why}")))
        })
        .collect();
    Ok(plan)
}

/// Whether the version that is left is known: without it nothing could be taken back.
fn reached(section: &Section<'_>) -> Preflight {
    let name = SafeText::new(&format!("{} says what it runs", section.name));
    match &section.now {
        Some(now) => Preflight { name, answer: PreflightAnswer::Ok, text: SafeText::new(now) },
        None => Preflight {
            name,
            answer: PreflightAnswer::Warn,
            text: "its instances do not say one version: what is done could not be taken back"
                .into(),
        },
    }
}
