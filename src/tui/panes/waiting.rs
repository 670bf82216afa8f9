//! What a waiting run, or a rule, asks of a person: what is known, what is not, and the ways on.

use crate::model::entry::Standing;
use crate::model::ids::Time;
use crate::model::incident::{Run, StepPhase, StepState};
use crate::model::next::LOOK_AGAIN;
use crate::tui::action::Action;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{Row, fact_as};
use crate::tui::words;
use crate::tui::world::World;

use super::Content;

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let Some(run) = view.world.situation.open_run() else {
        let proposal = view.world.proposal();
        return proposal
            .map_or_else(Content::default, |one| super::proposal::content(view, one, width));
    };
    let Some(waiting) = &run.waiting else {
        return Content::default();
    };
    if run.asks().is_some() {
        return super::gate::content(view, run, width);
    }
    let mut rows = Vec::new();
    rows.extend(fact_as(Role::Danger, "why", waiting.why.as_str(), width));
    let step = waiting.step.as_ref().and_then(|id| run.step(id));
    if let Some(step) = step {
        let (role, text) = looked(step, view.now);
        rows.extend(fact_as(role, "look says", &text, width));
    }
    // The ways on come before what explains them: in few rows they must be the ones to see.
    rows.extend(ways(view, step.is_some()));
    if let Some(step) = step {
        rows.extend(fact_as(Role::Base, "last proof", &proof(view, run, step), width));
        if let Some(face) = run.plan.face_of(&step.id)
            && !face.by_hand.is_empty()
        {
            let by_hand: Vec<&str> =
                face.by_hand.iter().map(crate::text::SafeText::as_str).collect();
            rows.extend(fact_as(Role::Muted, "by hand", &by_hand.join("; "), width));
        }
    }
    if let Some(level) = waiting.offer {
        let text =
            format!("level {level}, {}: stop here first (STOP), then choose it", level.words());
        rows.extend(fact_as(Role::Info, "offered", &text, width));
    }
    let about = step.map_or_else(String::new, |step| {
        let title = run.plan.face_of(&step.id).map(|face| face.title.to_string());
        format!("  {}", title.unwrap_or_else(|| step.id.to_string()))
    });
    Content {
        title: format!("WAITING FOR YOU  run {}{about}", run.id),
        remark: "the outage goes on".to_owned(),
        rows,
        danger: true,
        ..Content::default()
    }
}

/// The last thing that is certain before the step.
fn proof(view: &View<'_>, run: &Run, step: &StepState) -> String {
    let last =
        run.steps.iter().rfind(|other| other.phase == StepPhase::Done && other.id != step.id);
    let before = last.map_or_else(
        || "nothing was changed before it".to_owned(),
        |other| format!("{} is done and proved", other.id),
    );
    let begun = step.started_at.map_or_else(String::new, |at| {
        format!(
            "; {} begun {} (attempt {}, {} ago)",
            step.id,
            words::hour(at),
            step.attempt,
            words::age(words::since(at, view.now))
        )
    });
    before + &begun
}

/// What is known of the step that waits, in one line.
pub fn standing(world: &World, now: Time) -> Option<String> {
    let run = world.situation.open_run()?;
    let step = run.step(run.waiting.as_ref()?.step.as_ref()?)?;
    let age = step.looked_at.map_or_else(String::new, |at| {
        format!("looked {} ago: ", words::age(words::since(at, now)))
    });
    Some(format!("{age}{}", looked(step, now).1))
}

/// What the last look says and when the next one is: the engine looks by itself.
fn looked(step: &StepState, now: Time) -> (Role, String) {
    let next = match (&step.phase, step.looked_at) {
        (StepPhase::Unknown(_), Some(at)) => {
            let left = LOOK_AGAIN.saturating_sub(words::since(at, now));
            format!(", next look in {}", words::age(left))
        }
        _ => String::new(),
    };
    let (role, text) = match (&step.looked, &step.phase) {
        (Some(Standing::Done), _) => (Role::Ok, "its effect is there".to_owned()),
        (Some(Standing::NotDone), _) => (Role::Warn, "its effect is not there".to_owned()),
        (Some(Standing::Partly(what)), _) => (Role::Warn, format!("partly there: {what}")),
        (Some(Standing::CannotTell(why)), _) => (Role::Unknown, format!("CANNOT TELL: {why}")),
        (None, StepPhase::Failed(why)) => (Role::Fail, format!("it said no: {why}")),
        (None, _) => (Role::Unknown, "not looked at yet".to_owned()),
    };
    (role, text + &next)
}

fn ways(view: &View<'_>, about_step: bool) -> Vec<Row> {
    let key =
        |action: Action| view.keymap.shown(action).map(|key| key.to_string()).unwrap_or_default();
    let mut rows = Vec::new();
    if about_step {
        rows.push(
            Row::of(Role::Title, format!(" {}", key(Action::LookAgain)))
                .put(Role::Base, " look again  ")
                .put(Role::Title, key(Action::MarkDone))
                .put(Role::Base, " done (DONE)  ")
                .put(Role::Title, key(Action::TryAgain))
                .put(Role::Base, " again (RETRY)"),
        );
        rows.push(
            Row::of(Role::Title, format!(" {}", key(Action::Abort)))
                .put(Role::Base, " stop: STOP leaves it as it is, UNDO takes it back"),
        );
    } else {
        if view.world.situation.held_by_restart().is_some() {
            rows.push(
                Row::of(Role::Title, format!(" {}", key(Action::Pause)))
                    .put(Role::Base, " go on (RESUME)"),
            );
        }
        rows.push(
            Row::of(Role::Title, format!(" {}", key(Action::Abort)))
                .put(Role::Base, " end it: STOP leaves it as it is, UNDO takes it back"),
        );
    }
    rows
}
