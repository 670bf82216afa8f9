//! Makes plans and judges levels: playbook, restore point and live facts in, a frozen plan out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::adapters::Error;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::ids::{Color, JournalId, PointId, RunId, StepId};
use crate::model::plan::{
    Level, LevelCard, LevelStanding, Plan, PlanCore, PlanFace, Preflight, PreflightAnswer,
    StepFace, StepSpec,
};
use crate::model::restore_point::RestorePoint;
use crate::model::situation::PastRun;
use crate::model::tree::{HelpTest, Helps};
use crate::steps::{LookCx, StepKind};
use crate::text::SafeText;

use super::playbook::{Filled, Playbook};
use super::preflight;
use super::stack::Stack;

/// What a plan is made from.
#[derive(Clone)]
pub struct Facts {
    /// The level.
    pub level: Level,
    /// Where to, when it was said.
    pub target: Option<PointId>,
    /// What can be gone back to.
    pub points: Vec<RestorePoint>,
    /// Past runs, for estimates.
    pub history: Vec<PastRun>,
    /// This journal.
    pub journal: JournalId,
}

/// Why no plan can be made, and which level is offered instead.
#[derive(Clone, Debug)]
pub struct NoPlan {
    /// Why, and what to do next.
    pub why: SafeText,
    /// The level offered instead.
    pub offer: Option<Level>,
}

/// Makes the plan of a level, with its face and preflight. Looks, changes nothing.
pub async fn plan(
    config: &Config,
    stack: Option<&Stack>,
    facts: &Facts,
    clock: &Clock,
) -> Result<(Plan, Vec<Preflight>), NoPlan> {
    let no = |why: &str, offer| NoPlan { why: SafeText::new(why), offer };
    if facts.level != Level::Switch {
        let why = format!(
            "level {} is not in this version: it has level 1 only; the documents' own commands \
             are in the runbook of {}",
            facts.level, config.environment
        );
        return Err(no(&why, None));
    }
    let Some(stack) = stack else {
        let why = "no platform and traffic are configured: this configuration only looks";
        return Err(no(why, None));
    };
    let active =
        stack.traffic.look().await.map_err(|error| no(&error.message, Some(Level::Full)))?.active;
    let to = choose(facts, stack, &active).map_err(|why| no(&why, Some(Level::Full)))?;
    let made = make(config, stack, facts, (&active, &to), clock).await;
    let plan = made.map_err(|error| no(&error.message, Some(Level::Full)))?;
    let lines = preflight::level_one(config, stack, &to, &facts.journal, clock).await;
    Ok((plan, lines))
}

/// The colour to go back to: the one that was asked for, or the one without traffic.
fn choose(facts: &Facts, stack: &Stack, active: &Color) -> Result<Color, String> {
    let other = stack.other(active).cloned();
    let Some(target) = &facts.target else {
        return other.ok_or_else(|| "there is no second colour to go back to".to_owned());
    };
    let point = facts
        .points
        .iter()
        .find(|point| &point.id == target || point.version.as_str() == target.as_str());
    match point {
        None => Err(unknown_target(facts, target)),
        Some(point) => match (&point.color, other) {
            (Some(color), _) if color == active => {
                Err(format!("{target} is what runs now: there is nothing to go back to"))
            }
            (Some(color), _) => Ok(color.clone()),
            (None, Some(color)) if live_version(facts, &color) == Some(&point.version) => Ok(color),
            (None, _) => {
                Err(format!("{target} does not run: level 1 goes back to a live version only"))
            }
        },
    }
}

fn live_version<'a>(facts: &'a Facts, color: &Color) -> Option<&'a SafeText> {
    let point = facts.points.iter().find(|point| point.color.as_ref() == Some(color))?;
    Some(&point.version)
}

/// S-68's line, with the ids that exist.
fn unknown_target(facts: &Facts, target: &PointId) -> String {
    let known: Vec<&str> = facts.points.iter().map(|point| point.id.as_str()).collect();
    format!("[ERROR] Backup not found: {target}; known are {}", known.join(", "))
}

async fn make(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (from, to): (&Color, &Color),
    clock: &Clock,
) -> Result<Plan, Error> {
    let playbook = Playbook::two_color()?;
    let filled = playbook.fill(&placeholders(config, from, to))?;
    let (old, new) = (stack.workload.look(from).await?, stack.workload.look(to).await?);
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert(to.to_string(), new.identity.clone());
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    let point = facts.points.iter().find(|point| point.color.as_ref() == Some(to));
    let core = PlanCore {
        level: facts.level,
        environment: config.environment.clone(),
        point: point.map_or_else(|| PointId(format!("live-{to}")), |point| point.id.clone()),
        manifest: point.and_then(|point| point.manifest.clone()),
        identities,
        config: config.digest.clone(),
        from: old.version,
        to: new.version,
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    plan.face = face(config, stack, (&plan, &filled), (from, to), &facts.history, clock).await;
    plan.face.form = SafeText::new(&playbook.form);
    Ok(plan)
}

fn placeholders<'a>(config: &Config, from: &Color, to: &Color) -> BTreeMap<&'a str, Value> {
    let times = &config.rollback;
    BTreeMap::from([
        ("from", json!(from.as_str())),
        ("to", json!(to.as_str())),
        ("gate_probes", json!(times.gate_probes)),
        ("gate_every_seconds", json!(times.gate_every.as_secs_f64())),
        ("drain_seconds", json!(times.drain.as_secs())),
        ("keep_failed_up_seconds", json!(times.keep_failed_up.as_secs())),
        ("stop_grace_seconds", json!(times.stop_grace.as_secs())),
    ])
}

/// What people read of a plan, with live previews; not part of its digest.
async fn face(
    config: &Config,
    stack: &Stack,
    (plan, filled): (&Plan, &Filled),
    (from, to): (&Color, &Color),
    history: &[PastRun],
    clock: &Clock,
) -> PlanFace {
    let none = (RunId::default(), StepId::default());
    let cx = stack.look_cx(config, clock, (&none.0, &none.1, 0));
    let mut previews = previews(&filled.steps, &cx).await;
    let mut steps = Vec::new();
    for (at, (spec, title)) in filled.steps.iter().enumerate() {
        let (preview, by_hand) = previews.remove(&at).unwrap_or_default();
        let undo = filled
            .undo
            .iter()
            .find(|(undo, _)| Some(&undo.id) == spec.undo.as_ref())
            .map_or_else(|| SafeText::new("-"), |(_, title)| title.clone());
        let last = last_time(history, &spec.action);
        let expected = expected(config, &spec.action);
        steps.push(StepFace {
            title: title.clone(),
            preview,
            undo,
            estimate: last.or(expected).unwrap_or(spec.budget / 4),
            last,
            by_hand,
        });
    }
    let in_flight = match stack.traffic.look().await {
        Ok(state) => state.in_flight.get(from).copied().unwrap_or_default(),
        Err(_) => 0,
    };
    let drain = config.rollback.drain.as_secs();
    let estimates: Vec<Duration> = steps.iter().map(|step| step.estimate).collect();
    let estimate = plan.critical_path(|at, _| estimates.get(at).copied().unwrap_or_default());
    PlanFace {
        steps,
        not_undone: vec![SafeText::new(&format!(
            "in-flight on {from} (about {in_flight}): drained {drain} s, the rest cut"
        ))],
        data: "no data change".into(),
        form: SafeText::default(),
        estimate,
        colors: Some((from.clone(), to.clone())),
    }
}

/// What each step would do now and its commands by hand, all looked at side by side: one that
/// hangs holds no other back.
async fn previews(
    steps: &[(StepSpec, SafeText)],
    cx: &LookCx,
) -> BTreeMap<usize, (SafeText, Vec<SafeText>)> {
    let mut looks = JoinSet::new();
    for (at, (spec, _)) in steps.iter().enumerate() {
        let (action, cx) = (spec.action.clone(), cx.clone());
        looks.spawn(async move {
            let seen = match StepKind::from_action(&action) {
                Ok(kind) => (kind.as_step().preview(&cx).await, kind.as_step().by_hand(&cx)),
                Err(error) => (SafeText::new(&error.message), Vec::new()),
            };
            (at, seen)
        });
    }
    looks.join_all().await.into_iter().collect()
}

fn last_time(history: &[PastRun], action: &Value) -> Option<Duration> {
    let name = action.as_object()?.keys().next()?;
    history.iter().flat_map(|run| &run.steps).find(|(step, _)| step == name).map(|(_, took)| *took)
}

/// Steps whose length is a setting take about that long.
fn expected(config: &Config, action: &Value) -> Option<Duration> {
    let times = &config.rollback;
    match action.as_object()?.keys().next()?.as_str() {
        "keep_warm" => Some(times.keep_failed_up),
        "gate" => Some(times.gate_every * times.gate_probes),
        "switch_traffic" | "drain" => Some(Duration::from_secs(1)),
        "verify_target" | "preserve" | "stop_workload" => Some(Duration::from_secs(2)),
        _ => None,
    }
}

/// How the three levels stand, with why.
pub fn cards(
    plan: Result<&(Plan, Vec<Preflight>), &NoPlan>,
    help: Option<&HelpTest>,
    points: &[RestorePoint],
) -> Vec<LevelCard> {
    let deeper = |level: Level| LevelCard {
        level,
        standing: LevelStanding::Blocked,
        why: SafeText::new("not in this version: it has level 1 only"),
        estimate: None,
        data: SafeText::new(if level == Level::Full {
            "migrations go back"
        } else {
            "everything after the point is lost"
        }),
        point: points.iter().find(|point| point.color.is_none()).map(|point| point.id.clone()),
        version: None,
    };
    vec![level_one_card(plan, help), deeper(Level::Full), deeper(Level::PointInTime)]
}

fn level_one_card(
    plan: Result<&(Plan, Vec<Preflight>), &NoPlan>,
    help: Option<&HelpTest>,
) -> LevelCard {
    let blank = LevelCard {
        level: Level::Switch,
        standing: LevelStanding::Blocked,
        why: SafeText::default(),
        estimate: None,
        data: "no data change".into(),
        point: None,
        version: None,
    };
    let (plan, lines) = match plan {
        Ok(made) => made,
        Err(no) => return LevelCard { why: no.why.clone(), ..blank },
    };
    let block = lines
        .iter()
        .find(|line| matches!(line.answer, PreflightAnswer::Block | PreflightAnswer::Unknown));
    let helps = help.map(HelpTest::says);
    let (standing, why) = match (block, helps) {
        (Some(line), _) => (LevelStanding::Blocked, format!("{}: {}", line.name, line.text)),
        (None, Some(Helps::No)) => (
            LevelStanding::NotProven,
            "the other version fails too: a switch would not help".into(),
        ),
        (None, None | Some(Helps::NotProven | Helps::NoTarget)) => {
            (LevelStanding::NotProven, format!("{}; not shown that it helps", plan.face.form))
        }
        (None, Some(Helps::Yes)) => (LevelStanding::Ready, plan.face.form.to_string()),
    };
    LevelCard {
        standing,
        why: SafeText::new(&why),
        estimate: Some(plan.face.estimate),
        point: Some(plan.core.point.clone()),
        version: Some(plan.core.to.clone()),
        ..blank
    }
}
