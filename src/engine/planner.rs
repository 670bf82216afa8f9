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
use crate::model::strategy::Asked;
use crate::model::tree::{HelpTest, Helps};
use crate::steps::{LookCx, StepKind};
use crate::text::SafeText;

pub use refused::NoPlan;
pub(super) use refused::offered;
use refused::{only_looks, with_rights};
use times::{expected, last_time};

use super::forms::{self, Chosen, Form};
use super::playbook::Filled;
use super::preflight;
use super::stack::Stack;

mod refused;
mod times;

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
    /// What is on record of deploys.
    pub known: super::deploys::Known,
    /// Whether the restore point is read through to its last byte.
    pub thorough: bool,
    /// The finished run to take back, instead of a level.
    pub undo: Option<Box<(PastRun, crate::model::way_back::WayBack)>>,
}

/// Makes the plan of a level, with its face and preflight. Looks, changes nothing.
pub async fn plan(
    config: &Config,
    stack: Option<&Stack>,
    facts: &Facts,
    clock: &Clock,
) -> Result<(Plan, Vec<Preflight>), NoPlan> {
    let no = |why: &str, offer| NoPlan { why: SafeText::new(why), offer };
    let Some(stack) = stack else {
        return Err(no(only_looks(config), None));
    };
    if let Some(undo) = &facts.undo {
        return super::undo::plan(config, stack, facts, undo, clock).await;
    }
    if let Some(asked) = facts.target.as_ref().and_then(|target| Asked::of(target.as_str())) {
        return Box::pin(super::services::plan(config, stack, (facts, &asked), clock)).await;
    }
    if matches!(config.platform, crate::config::Platform::None) && config.traffic.is_none() {
        // Where each goes by itself is said in the configuration: that is what a rule can start.
        let by_itself = config.services.values().any(|service| service.to.is_some());
        if facts.level == Level::Switch && by_itself {
            let all = Asked::default();
            return Box::pin(super::services::plan(config, stack, (facts, &all), clock)).await;
        }
        return Err(no(only_looks(config), None));
    }
    let facts = match super::procedure::instead(config, stack, facts, clock).await {
        Ok(facts) => facts,
        Err(made) => return *made,
    };
    let facts = &facts;
    if facts.level != Level::Switch {
        return super::deep::plan(config, stack, facts, clock).await;
    }
    let active = match stack.traffic.look().await {
        Ok(state) => state.active,
        Err(error) => {
            let offered = offered(stack, Level::Full).await;
            return Err(no(&with_rights(stack, error).await, offered));
        }
    };
    let chosen = match forms::choose(config, facts, stack, &active).await {
        Ok(chosen) => chosen,
        Err(why) => return Err(no(&why, offered(stack, Level::Full).await)),
    };
    let made = make(config, stack, facts, (&active, &chosen), clock).await;
    let plan = match made {
        Ok(plan) => plan,
        Err(error) => return Err(no(&error.message, offered(stack, Level::Full).await)),
    };
    let mut lines = preflight::level_one(config, stack, (facts, &plan), &chosen.form, clock).await;
    lines.extend(super::credentials::line(config, facts.level, clock.now()));
    Ok((plan, lines))
}

async fn make(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (from, chosen): (&Color, &Chosen),
    clock: &Clock,
) -> Result<Plan, Error> {
    let to = chosen.form.to();
    let playbook = chosen.playbook()?;
    let mut named = placeholders(config, from, to);
    chosen.facts(&mut named);
    let mut filled = playbook.fill(&named)?;
    let replaced = chosen.without_way_back(&mut filled);
    let (old, new) = (stack.workload.look(from).await?, stack.workload.look(to).await?);
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert(to.to_string(), new.identity.clone());
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    identities.extend(super::bound::configured(config));
    let version = match &chosen.form {
        Form::Switch { .. } => new.version,
        Form::Redeploy(redeploy) => redeploy.release.version.clone(),
    };
    let point = point_of(facts, &chosen.form, &version);
    let core = PlanCore {
        level: facts.level,
        environment: config.environment.clone(),
        point: point.map_or_else(|| PointId(format!("live-{to}")), |point| point.id.clone()),
        manifest: point.and_then(|point| point.manifest.clone()),
        identities,
        config: config.digest.clone(),
        from: old.version,
        to: version,
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    let colors = Some((from, to));
    plan.face = face(config, stack, (&plan, &filled), colors, &facts.history, clock).await;
    plan.face.form = chosen.words(&facts.history);
    plan.face.not_undone.extend(replaced);
    Ok(plan)
}

/// The point that stands for where it goes: the one that was asked for, else the live colour, else
/// one of that version.
fn point_of<'a>(facts: &'a Facts, form: &Form, version: &SafeText) -> Option<&'a RestorePoint> {
    let points = || facts.points.iter();
    let asked = points().find(|point| Some(&point.id) == facts.target.as_ref());
    match form {
        Form::Switch { to } => points().find(|point| point.color.as_ref() == Some(to)),
        Form::Redeploy(_) => asked.or_else(|| points().find(|point| &point.version == version)),
    }
}

pub(super) fn placeholders<'a>(
    config: &Config,
    from: &Color,
    to: &Color,
) -> BTreeMap<&'a str, Value> {
    let times = &config.rollback;
    BTreeMap::from([
        ("from", json!(from.as_str())),
        ("to", json!(to.as_str())),
        ("gate_probes", json!(times.gate_probes)),
        ("gate_every_seconds", json!(times.gate_every.as_secs_f64())),
        ("gate_wait_seconds", json!(times.gate_wait.as_secs())),
        ("drain_seconds", json!(times.drain.as_secs())),
        ("keep_failed_up_seconds", json!(times.keep_failed_up.as_secs())),
        ("stop_grace_seconds", json!(times.stop_grace.as_secs())),
    ])
}

/// What people read of a plan, with live previews; not part of its digest.
pub(super) async fn face(
    config: &Config,
    stack: &Stack,
    (plan, filled): (&Plan, &Filled),
    colors: Option<(&Color, &Color)>,
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
    let estimates: Vec<Duration> = steps.iter().map(|step| step.estimate).collect();
    let estimate = plan.critical_path(|at, _| estimates.get(at).copied().unwrap_or_default());
    PlanFace {
        steps,
        not_undone: cut(config, stack, colors).await,
        data: "no data change".into(),
        form: SafeText::default(),
        estimate,
        colors: colors.map(|(from, to)| (from.clone(), to.clone())),
        workers: match colors {
            Some(colors) => super::leaving::workers_words(stack, colors).await,
            None => SafeText::default(),
        },
        moves: Vec::new(),
        loss: None,
        diff: Vec::new(),
        two_person: config.rollback.two_person.contains(&plan.core.level.number()),
        window: None,
        zone: None,
        called: None,
    }
}

/// What happens to the requests that are under way.
async fn cut(config: &Config, stack: &Stack, colors: Option<(&Color, &Color)>) -> Vec<SafeText> {
    let Some((from, to)) = colors else { return Vec::new() };
    let in_flight = match stack.traffic.look().await {
        Ok(state) => state.in_flight.get(from).copied().unwrap_or_default(),
        Err(_) => 0,
    };
    let how = if from == to {
        format!("it is told to end, cut after {} s", config.rollback.stop_grace.as_secs())
    } else {
        format!("drained {} s, the rest cut", config.rollback.drain.as_secs())
    };
    vec![SafeText::new(&format!("in-flight on {from} (about {in_flight}): {how}"))]
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

/// A plan and what was looked at for it, or why there is none.
pub type Made = Result<(Plan, Vec<Preflight>), NoPlan>;

/// A plan of every level as it would be now, for the cards.
#[derive(Clone, Debug)]
pub struct Trials {
    /// Level 1.
    pub switch: Made,
    /// Level 2.
    pub full: Made,
    /// Level 3.
    pub point_in_time: Made,
}

/// Plans every level, side by side: one that hangs holds no other back.
pub async fn trials(
    config: &Config,
    stack: Option<&Stack>,
    facts: &Facts,
    clock: &Clock,
) -> Trials {
    let at = |level| Facts { level, thorough: false, ..facts.clone() };
    let (one, two, three) = (at(Level::Switch), at(Level::Full), at(Level::PointInTime));
    let (switch, full, point_in_time) = tokio::join!(
        Box::pin(plan(config, stack, &one, clock)),
        Box::pin(plan(config, stack, &two, clock)),
        Box::pin(plan(config, stack, &three, clock)),
    );
    Trials { switch, full, point_in_time }
}

/// How the three levels stand, with why.
pub fn cards(trials: &Trials, help: Option<&HelpTest>) -> Vec<LevelCard> {
    vec![
        level_one_card(trials.switch.as_ref(), help),
        deep_card(Level::Full, &trials.full),
        deep_card(Level::PointInTime, &trials.point_in_time),
    ]
}

fn deep_card(level: Level, made: &Made) -> LevelCard {
    let (plan, lines) = match made {
        Ok(made) => made,
        Err(no) => {
            return LevelCard {
                level,
                standing: LevelStanding::Blocked,
                why: no.why.clone(),
                estimate: None,
                data: "not known".into(),
                point: None,
                version: None,
            };
        }
    };
    let says = |wanted: &[PreflightAnswer]| {
        let line = lines.iter().find(|line| wanted.contains(&line.answer));
        line.map(|line| format!("{}: {}", line.name, line.text))
    };
    let blocked = says(&[PreflightAnswer::Block, PreflightAnswer::Unknown]);
    let (standing, why) = match (blocked, says(&[PreflightAnswer::Warn])) {
        (Some(why), _) => (LevelStanding::Blocked, why),
        (None, Some(why)) => (LevelStanding::NotProven, why),
        (None, None) => (LevelStanding::Ready, plan.face.form.to_string()),
    };
    LevelCard {
        level,
        standing,
        why: SafeText::new(&why),
        estimate: Some(plan.face.estimate),
        data: plan.face.data.clone(),
        point: Some(plan.core.point.clone()),
        version: Some(plan.core.to.clone()),
    }
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
    let workers = &plan.face.workers;
    let why = if workers.is_empty() { why } else { format!("{why}; {workers}") };
    LevelCard {
        standing,
        why: SafeText::new(&why),
        estimate: Some(plan.face.estimate),
        point: Some(plan.core.point.clone()),
        version: Some(plan.core.to.clone()),
        ..blank
    }
}
