//! The run: its bar against the objective, its steps with their proofs, the engine behind it.

use std::time::Duration;

use crate::model::ids::StepId;
use crate::model::incident::{Run, StepPhase, StepState};
use crate::model::phases::{self, Phase, TaskState};
use crate::model::plan::StepFace;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;
use crate::tui::world::World;

use super::{Content, plan};

/// The steps in the order of the screen: those of the run, else those of the plan.
pub fn listed(world: &World) -> Vec<StepId> {
    let situation = &world.situation;
    match (situation.open_run(), &situation.plan, &situation.run) {
        (Some(run), _, _) | (None, None, Some(run)) => {
            run.steps.iter().map(|step| step.id.clone()).collect()
        }
        (None, Some(open), _) => open.plan.core.steps.iter().map(|step| step.id.clone()).collect(),
        (None, None, None) => Vec::new(),
    }
}

/// Time since the confirmation, standing still once traffic was good or the run ended.
pub fn spent(run: &Run, now: crate::model::ids::Time) -> Duration {
    match (&run.ended, &run.watch) {
        (Some(ended), _) => ended.took,
        (None, Some(watch)) => words::since(run.started_at, watch.opened_at),
        (None, None) => words::since(run.started_at, now),
    }
}

/// `[####......] 04:11 of 15:00`, or by how much it is over.
pub fn progress(view: &View<'_>, run: &Run, cells: usize) -> (Role, String) {
    let rto = run.plan.core.level.rto();
    let spent = spent(run, view.now);
    let part = spent.as_secs_f64() / rto.as_secs_f64().max(1.0);
    let bar = widgets::bar(part, cells, view.glyphs());
    if spent > rto {
        let over = words::clock(spent.saturating_sub(rto));
        (Role::Fail, format!("{bar} OVER by {over}"))
    } else {
        let text = format!("{bar} {} of {}", words::clock(spent), words::clock(rto));
        (Role::Progress, text)
    }
}

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let Some(run) = &view.world.situation.run else {
        return Content {
            title: "Steps".to_owned(),
            rows: vec![Row::of(Role::Muted, "no run yet: a plan is confirmed first")],
            ..Content::default()
        };
    };
    let mut rows = Vec::new();
    let mut number = 0;
    let mut keep = None;
    let roomy = view.ui.size.1 >= 32 || view.ui.zoom;
    // With the whole body to itself the pane has room for the phases (P-80).
    let phases = if view.ui.zoom { phases::phases(&view.world.situation) } else { Vec::new() };
    let mut listed: Vec<&StepState> = run.steps.iter().collect();
    if !phases.is_empty() {
        listed.sort_by_key(|state| phases.iter().position(|phase| phase.name == of(run, state)));
    }
    let mut headed = 0;
    for state in listed {
        // Steps that take others back are shown once they matter.
        if state.undo && state.attempt == 0 {
            continue;
        }
        while let Some(phase) = phases.get(headed) {
            if headed > 0 && phases.get(headed - 1).is_some_and(|last| last.name == of(run, state))
            {
                break;
            }
            rows.extend(head(phase, width));
            headed += 1;
        }
        number += 1;
        let face = run.plan.face_of(&state.id);
        let chosen = view.ui.step.as_ref() == Some(&state.id);
        let now = !matches!(state.phase, StepPhase::Waiting) && !state.phase.is_through();
        if now && keep.is_none() {
            keep = Some(rows.len());
        }
        rows.push(step_row(view, (number, state), face, width).select(chosen));
        if roomy || state.phase != StepPhase::Done {
            rows.extend(beside(view, state, width));
        }
    }
    rows.extend(phases.iter().skip(headed).flat_map(|phase| head(phase, width)));
    if roomy {
        rows.push(Row::new());
    }
    rows.extend(facts(view, run, width, roomy));
    let done = run.steps.iter().filter(|step| !step.undo && step.phase.is_through()).count();
    Content {
        title: format!(
            "Steps L{}  {done} of {} done",
            run.plan.core.level,
            run.plan.core.steps.len()
        ),
        remark: progress(view, run, 12).1,
        rows,
        keep,
        ..Content::default()
    }
}

/// The phase of a step; what takes others back belongs to the execution.
fn of(run: &Run, state: &StepState) -> &'static str {
    let spec = run.plan.core.steps.iter().find(|spec| spec.id == state.id);
    let kind = spec.and_then(|spec| spec.action.as_object()?.keys().next());
    phases::of_step(kind.map_or("", String::as_str))
}

/// A phase and its three tasks.
fn head(phase: &Phase, width: usize) -> Vec<Row> {
    let mut rows = vec![Row::of(Role::Title, phase.name)];
    for task in &phase.tasks {
        let role = match task.state {
            TaskState::Failed => Role::Fail,
            TaskState::Done => Role::Ok,
            TaskState::Open | TaskState::Going | TaskState::Skipped => Role::Muted,
        };
        let text = format!("  {} {}: {}", task.state.word(), task.name, task.why);
        rows.push(Row::of(role, crate::text::fit(&text, width)));
    }
    rows
}

fn step_row(
    view: &View<'_>,
    (number, state): (usize, &StepState),
    face: Option<&StepFace>,
    width: usize,
) -> Row {
    let glyphs = view.glyphs();
    let (role, word) = match &state.phase {
        StepPhase::Waiting => (Role::Muted, format!("{} WAIT", glyphs.wait)),
        StepPhase::Running => (Role::Progress, format!("{} RUN ", glyphs.run)),
        StepPhase::Done => (Role::Ok, format!("{} DONE", glyphs.done)),
        StepPhase::Failed(_) => (Role::Fail, format!("{} FAIL", glyphs.fail)),
        StepPhase::Skipped(_) => (Role::Warn, format!("{} SKIP", glyphs.wait)),
        StepPhase::Unknown(_) => (Role::Unknown, format!("{} UNKN", glyphs.unknown)),
    };
    let title = match face {
        Some(face) => face.title.to_string(),
        None if state.undo => format!("take back: {}", state.id),
        None => state.id.to_string(),
    };
    let text_role = if state.phase == StepPhase::Waiting { Role::Muted } else { Role::Base };
    let row = Row::of(role, word).put(text_role, format!(" {number:>2} ")).put(text_role, title);
    let (slow, time) = timing(view, state, face);
    let row = if slow.is_empty() { row } else { row.put(Role::Warn, slow) };
    row.end(Role::Base, &time, width)
}

/// `2:07 / 3:00`, and `! SLOW 2.1x` where it takes longer than it should.
fn timing(view: &View<'_>, state: &StepState, face: Option<&StepFace>) -> (String, String) {
    let estimate = face.map(|face| face.estimate).unwrap_or_default();
    let against = |time: String| {
        if estimate.is_zero() { time } else { format!("{time} / {}", words::short(estimate)) }
    };
    match (&state.phase, state.started_at) {
        (StepPhase::Waiting, _) | (_, None) => (String::new(), against("-".to_owned())),
        (StepPhase::Running, Some(started)) => {
            let took = words::since(started, view.now);
            let factor = took.as_secs_f64() / estimate.as_secs_f64().max(1.0);
            let slow = if !estimate.is_zero() && factor >= 1.5 {
                format!("  {} SLOW {factor:.1}x", view.glyphs().warn)
            } else {
                String::new()
            };
            (slow, against(words::short(took)))
        }
        (_, Some(_)) => (String::new(), against(words::short(state.took))),
    }
}

/// What is known beside the row: how far it is, why it failed, what it left.
fn beside(view: &View<'_>, state: &StepState, width: usize) -> Vec<Row> {
    let why = match &state.phase {
        StepPhase::Failed(why) => Some((Role::Fail, why)),
        StepPhase::Unknown(why) => Some((Role::Unknown, why)),
        StepPhase::Skipped(why) => Some((Role::Muted, why)),
        StepPhase::Running => {
            let live = view.world.live.as_ref();
            let step = live.and_then(|live| live.steps.get(&state.id));
            let told = step.filter(|step| !step.text.is_empty() || step.part.is_some());
            return told.map_or_else(Vec::new, |step| {
                let mut text = step.text.to_string();
                if let Some((done, all)) = step.part {
                    text = format!("{text}  {done} of {all}");
                }
                if let Some(left) = step.left {
                    text = format!("{text}  {} left", words::short(left));
                }
                vec![Row::of(Role::Muted, format!("          {text}"))]
            });
        }
        StepPhase::Done if !state.note.is_empty() && width >= 60 => {
            Some((Role::Muted, &state.note))
        }
        StepPhase::Waiting | StepPhase::Done => None,
    };
    let Some((role, text)) = why else {
        return Vec::new();
    };
    widgets::wrap(text.as_str(), width.saturating_sub(10))
        .into_iter()
        .map(|line| Row::of(role, format!("          {line}")))
        .collect()
}

fn facts(view: &View<'_>, run: &Run, width: usize, roomy: bool) -> Vec<Row> {
    let (role, progress) = progress(view, run, 20.min(width.saturating_sub(24)));
    let mut rows = Vec::new();
    if roomy {
        rows.push(Row::of(role, progress));
    }
    let steps = &run.plan.core.steps;
    let text = match plan::no_return(steps) {
        Some((at, id)) => {
            let passed = run.step(id).is_some_and(|state| state.attempt > 0);
            let word = if passed { "passed at" } else { "at" };
            format!("Point of no return: {word} step {}", at + 1)
        }
        None => match plan::one_way(steps) {
            None => "Point of no return: none, x can take everything back".to_owned(),
            Some(steps) => format!("Point of no return: none, x can take all but {steps} back"),
        },
    };
    rows.push(Row::of(Role::Base, text));
    let heartbeat = view.world.heartbeat(view.now).map_or_else(
        || "no heartbeat yet".to_owned(),
        |age| format!("heartbeat {} ago", words::age(age)),
    );
    if let Some(engine) = &view.world.situation.engine {
        rows.push(Row::of(
            Role::Muted,
            format!(
                "Engine pid {} on {}, {heartbeat}, journal seq {}",
                engine.pid, engine.host, view.world.situation.seq
            ),
        ));
    }
    rows.push(Row::of(Role::Muted, format!("Approved by {}: {}", run.by, run.reason)));
    if roomy { rows.into_iter().flat_map(|row| row.fold(width, 2)).collect() } else { rows }
}
