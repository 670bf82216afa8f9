//! The plan that takes a finished run back: its undo steps as forward steps, each with what it
//! takes back as its own way back, looked at and gated like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapters::Error;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::deploys::ChangeState;
use crate::model::entry::{Event, Leftover};
use crate::model::ids::{Color, PointId, RunId, StepId};
use crate::model::incident::{Run, StepPhase};
use crate::model::plan::{Level, Plan, PlanCore, PlanFace, Preflight, PreflightAnswer, StepSpec};
use crate::model::situation::PastRun;
use crate::model::way_back::{Back, WayBack};
use crate::text::SafeText;

use super::planner::{self, Facts, NoPlan};
use super::playbook::{self, Filled};
use super::preflight;
use super::run::{Engine, Seen};
use super::stack::Stack;

/// Makes the plan that takes `facts.undo` back. Looks, changes nothing.
pub async fn plan(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    undo: &(PastRun, WayBack),
    clock: &Clock,
) -> Result<(Plan, Vec<Preflight>), NoPlan> {
    let no = |why: &str| NoPlan { why: SafeText::new(why), offer: None };
    let (past, back) = undo;
    possible(stack, facts, past, back).await.map_err(|why| no(&why))?;
    let filled = filled(config, back).map_err(|error| no(&error.message))?;
    let made = make(config, stack, facts, (past, back, &filled), clock).await;
    let plan = made.map_err(|error| no(&error.message))?;
    let lines = preflight::back(config, stack, facts, &plan).await;
    Ok((plan, lines))
}

/// Whether what the run left is still there, and what it left behind too.
async fn possible(
    stack: &Stack,
    facts: &Facts,
    past: &PastRun,
    back: &WayBack,
) -> Result<(), String> {
    let run = &past.run;
    let later = facts.known.changes.iter().find(|change| {
        let at = change.ended_at.unwrap_or(change.at);
        at > past.ended.at || change.state == ChangeState::Running
    });
    if let Some(later) = later {
        let (version, by) = (&later.version, &later.by);
        let word = later.state.words();
        return Err(format!(
            "cannot take {run} back: deploy {version} by {by} ({word}) came after it; go to a \
             version instead: backout targets"
        ));
    }
    for Back { undo, .. } in &back.steps {
        let (kind, settings) = action(&undo.action);
        let color = settings.get("color").and_then(Value::as_str).map(Color::from);
        match (kind, color) {
            ("start_workload", Some(color)) => {
                let there = stack.workload.released(&color).await.map_err(|e| e.message)?;
                let state = stack.workload.look(&color).await.map_err(|e| e.message)?;
                if there.version != past.from || !(state.kept || state.running) {
                    let now = if there.version.is_empty() {
                        "nothing is there".to_owned()
                    } else {
                        format!("{} lies there", there.version)
                    };
                    let from = &past.from;
                    return Err(format!(
                        "cannot take {run} back: {from} is gone from {color}, {now}"
                    ));
                }
            }
            ("deploy_workload", Some(color)) => kept(stack, run, &color, settings).await?,
            _ => {}
        }
    }
    Ok(())
}

/// The release that lay there before is needed again: it must be kept, and whole.
async fn kept(stack: &Stack, run: &RunId, color: &Color, settings: &Value) -> Result<(), String> {
    let text = |key: &str| settings.get(key).and_then(Value::as_str).unwrap_or_default();
    let there = stack.workload.released(color).await.map_err(|error| error.message)?;
    let lies = there.digest.is_some_and(|digest| digest.0 == text("digest"));
    let releases = stack.workload.releases().await.map_err(|error| error.message)?;
    let kept = releases.iter().find(|release| release.digest.0 == text("digest"));
    let version = text("version");
    match kept.map(|release| &release.broken) {
        Some(None) => Ok(()),
        None if lies => Ok(()),
        Some(Some(why)) => Err(format!("cannot take {run} back: release {version}: {why}")),
        None => Err(format!("cannot take {run} back: release {version} is not kept any more")),
    }
}

fn action(action: &Value) -> (&str, &Value) {
    let first = action.as_object().and_then(|map| map.iter().next());
    first.map_or(("", &Value::Null), |(kind, settings)| (kind.as_str(), settings))
}

/// Collects the steps, each after the one before.
struct Chain {
    filled: Filled,
    last: Option<StepId>,
    /// What follows does not hold the watch window up.
    beside: bool,
}

impl Chain {
    fn add(&mut self, id: &str, action: Value, budget: Duration) -> Result<(), Error> {
        let mut made = playbook::step(id, action, self.last.as_ref(), budget)?;
        made.0.beside_watch = self.beside;
        self.last = Some(made.0.id.clone());
        self.filled.steps.push(made);
        Ok(())
    }

    /// A step of the way back; what it takes back is its own way back.
    fn back(&mut self, id: &str, back: &Back) -> Result<(), Error> {
        let undo_id = format!("undo_{id}");
        let undo = playbook::step(&undo_id, back.done.action.clone(), None, back.done.budget)?;
        self.add(id, back.undo.action.clone(), back.undo.budget)?;
        if let Some((spec, _)) = self.filled.steps.last_mut() {
            spec.undo = Some(undo.0.id.clone());
        }
        self.filled.undo.push(undo);
        Ok(())
    }
}

/// The colour that traffic goes back to, where it is started only after that.
fn started_behind(back: &WayBack) -> Option<String> {
    let at = |wanted: &str, color: Option<&str>| {
        back.steps.iter().position(|one| {
            let (kind, settings) = action(&one.undo.action);
            kind == wanted && color.is_none_or(|color| settings_text(settings, "color") == color)
        })
    };
    let switch = at("switch_traffic", None)?;
    let (_, settings) = action(&back.steps.get(switch)?.undo.action);
    let color = settings_text(settings, "to");
    (at("start_workload", Some(color))? > switch).then(|| color.to_owned())
}

/// The steps in order: before traffic moves its target is verified, after it the gate looks.
fn filled(config: &Config, back: &WayBack) -> Result<Filled, Error> {
    let times = &config.rollback;
    let minute = Duration::from_mins(1);
    let filled = Filled { steps: Vec::new(), undo: Vec::new() };
    let mut chain = Chain { filled, last: None, beside: false };
    let mut switched = false;
    // Behind a maintenance page the version that is gone back to is started after the switch: it
    // can be looked at when all is taken back.
    let behind = started_behind(back);
    let gate = |color: &Value| {
        let every = times.gate_every.as_secs_f64();
        json!({"gate": {"color": color, "probes": times.gate_probes, "every_seconds": every}})
    };
    for one in &back.steps {
        let (kind, settings) = action(&one.undo.action);
        let text = |key: &str| settings.get(key).cloned().unwrap_or_default();
        match kind {
            "switch_traffic" if behind.is_some() => chain.back("switch", one)?,
            "switch_traffic" => {
                let verify = json!({"verify_target": {"color": text("to"), "expect_ready": false}});
                chain.add("verify", verify, Duration::from_secs(30))?;
                chain.back("switch", one)?;
                chain.add("gate", gate(&text("to")), minute)?;
                switched = true;
                let drain = json!({"drain": {
                    "color": text("from"), "deadline_seconds": times.drain.as_secs()
                }});
                chain.add("drain", drain, minute)?;
            }
            "rollout_undo" => {
                chain.back("undo", one)?;
                let wait = json!({"wait_rollout": {
                    "workload": text("workload"), "to": text("to"), "within_seconds": 240
                }});
                chain.add("gate", wait, minute * 5)?;
            }
            "deploy_workload" => {
                if switched {
                    // What was left stays up for a while: it is the way back from this.
                    let seconds = times.keep_failed_up.as_secs();
                    let warm = json!({"keep_warm": {"color": text("color"), "seconds": seconds}});
                    chain.beside = true;
                    chain.add("keep_warm", warm, times.keep_failed_up + minute)?;
                }
                // What is replaced is kept before: its logs are the proof of this run.
                let preserve = json!({"preserve": {"colors": [text("color")]}});
                chain.add("preserve", preserve, minute)?;
                chain.back("deploy", one)?;
                if text("in_place") == Value::Bool(true) {
                    chain.add("gate", gate(&text("color")), minute)?;
                }
            }
            _ => chain.back(&format!("back_{}", one.done.id), one)?,
        }
    }
    if let Some(color) = behind {
        chain.add("gate", gate(&json!(color)), minute)?;
    }
    Ok(chain.filled)
}

async fn make(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (past, back, filled): (&PastRun, &WayBack, &Filled),
    clock: &Clock,
) -> Result<Plan, Error> {
    let specs = |steps: &[(StepSpec, SafeText)]| -> Vec<StepSpec> {
        steps.iter().map(|(spec, _)| spec.clone()).collect()
    };
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    identities.extend(super::bound::configured(config));
    let core = PlanCore {
        level: Level::Switch,
        environment: config.environment.clone(),
        point: PointId(format!("before-{}", past.run)),
        manifest: None,
        identities,
        config: config.digest.clone(),
        from: past.to.clone(),
        to: past.from.clone(),
        steps: specs(&filled.steps),
        undo: specs(&filled.undo),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    plan.set_undoes(&past.run);
    // It goes the other way: what was gone to is left.
    let colors = back.colors.as_ref().map(|(left, to)| (to, left));
    plan.face = planner::face(config, stack, (&plan, filled), colors, &facts.history, clock).await;
    plan.face.form = SafeText::new(&format!("takes back run {}", past.run));
    if back.steps.iter().any(|one| one.undo.action.get("swap_database").is_some()) {
        plan.face.data = "what was written since is only in the copy that is kept as _left_".into();
    }
    plan.face.not_undone.push(SafeText::new(&format!(
        "run {} went from {} to {}: why it was made is still true if nothing was mended",
        past.run, past.from, past.to
    )));
    Ok(plan)
}

/// Where traffic must be so that there is something to take back.
pub fn traffic_line(plan: &Plan, active: Result<Color, Error>) -> Option<Preflight> {
    let switch = plan.core.steps.iter().find_map(|spec| {
        let (kind, settings) = action(&spec.action);
        (kind == "switch_traffic").then_some(settings)
    })?;
    let text = |key: &str| settings_text(switch, key);
    let (answer, text) = match active {
        Ok(active) if active.as_str() == text("from") => {
            (PreflightAnswer::Ok, format!("{active} has it now, as the run left it"))
        }
        Ok(active) => (
            PreflightAnswer::Block,
            format!("{active} has it: somebody moved it since; there is nothing to take back"),
        ),
        Err(error) => (PreflightAnswer::Unknown, error.message),
    };
    Some(Preflight {
        name: "traffic is where the run left it".into(),
        answer,
        text: SafeText::new(&text),
    })
}

fn settings_text<'a>(settings: &'a Value, key: &str) -> &'a str {
    settings.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What a run left over and the way back has released: a stopped colour that runs again.
pub fn released(run: &Run, leftovers: &[Leftover]) -> Vec<Event> {
    let started = run.plan.core.steps.iter().filter_map(|spec| {
        let state = run.step(&spec.id)?;
        let (kind, settings) = action(&spec.action);
        let runs = kind == "start_workload" && state.phase == StepPhase::Done;
        runs.then(|| stopped_name(settings_text(settings, "color")))
    });
    started
        .filter(|name| leftovers.iter().any(|left| left.name.as_str() == name))
        .map(|name| Event::LeftoverReleased { name: SafeText::new(&name), by: run.by.clone() })
        .collect()
}

/// How a stopped colour is called among the leftovers.
pub fn stopped_name(color: &str) -> String {
    format!("{color} stopped, kept")
}

impl Engine {
    /// Begins to make the plan that takes a run back.
    pub(super) fn begin_undo(&mut self, by: SafeText, run: &RunId) {
        let (config, clock, stack) = (self.config.clone(), self.clock.clone(), self.stack.clone());
        let (seen, mut facts) = (self.seen.clone(), self.facts(Level::Switch, None));
        let level = Level::Switch;
        self.refreshed_at = Some(self.clock.now());
        let undo = self.way_back(run);
        tokio::spawn(async move {
            let made = match undo {
                Ok(undo) => {
                    facts.undo = Some(undo);
                    facts.known = facts.known.with_file(&config);
                    let known = &facts.known;
                    let points = super::deploys::targets(&config, stack.as_ref(), known, &clock);
                    facts.points = points.await;
                    planner::plan(&config, stack.as_ref(), &facts, &clock).await
                }
                Err(why) => Err(NoPlan { why, offer: None }),
            };
            seen.send(Seen::Planned { by, level, made: Box::new(made) }).await.ok();
        });
    }
}
