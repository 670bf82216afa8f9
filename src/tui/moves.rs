//! Moving about: panes, rows, stages, find. Nothing here reaches the engine.

use super::layout;
use super::pane::PaneKind;
use super::panes;
use super::stage::Stage;
use super::state::{Cx, Effect, Find, Ui};
use super::world::World;

/// The next pane.
pub fn next_pane(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    pane(ui, cx.world, true);
    Vec::new()
}

/// The pane before.
pub fn previous_pane(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    pane(ui, cx.world, false);
    Vec::new()
}

/// One row up.
pub fn up(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    row(ui, cx, -1);
    Vec::new()
}

/// One row down.
pub fn down(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    row(ui, cx, 1);
    Vec::new()
}

/// One page up.
pub fn page_up(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    row(ui, cx, -10);
    Vec::new()
}

/// One page down.
pub fn page_down(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    row(ui, cx, 10);
    Vec::new()
}

/// The stage before, to look at.
pub fn previous_stage(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if let Some(stage) = ui.stage.before() {
        ui.go(stage, cx.world);
    }
    Vec::new()
}

/// The next stage, to look at.
pub fn next_stage(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if let Some(stage) = ui.stage.next() {
        ui.go(stage, cx.world);
    }
    Vec::new()
}

/// The levels.
pub fn levels(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ui.go(Stage::Level, cx.world);
    Vec::new()
}

/// Says where the step that waits stands.
pub fn look_again(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let known = panes::waiting::standing(cx.world, cx.now);
    ui.say(known.unwrap_or_default(), false, cx.now);
    Vec::new()
}

/// Opens the field for a word to find.
pub fn find(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    ui.find = Some(Find { typing: true, ..Find::default() });
    Vec::new()
}

/// The next place of the word.
pub fn find_next(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    if let Some(find) = &mut ui.find {
        find.at = find.at.wrapping_add(1);
    }
    Vec::new()
}

/// The place before.
pub fn find_previous(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    if let Some(find) = &mut ui.find {
        find.at = find.at.wrapping_sub(1);
    }
    Vec::new()
}

/// Only checks that are not ok, or all.
pub fn failing_only(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    ui.failing_only = !ui.failing_only;
    Vec::new()
}

/// The whole body for one pane, or back.
pub fn zoom(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    ui.zoom = !ui.zoom;
    Vec::new()
}

fn pane(ui: &mut Ui, world: &World, forward: bool) {
    let panes = layout::panes(ui, world);
    let at = panes.iter().position(|pane| *pane == ui.focus).unwrap_or(0);
    let count = panes.len().max(1);
    let next = if forward { at + 1 } else { at + count - 1 } % count;
    if let Some(pane) = panes.get(next) {
        ui.focus = *pane;
    }
}

/// Keeps focus and selection on things that are there; the object stays, not its row.
pub fn settle(ui: &mut Ui, world: &World) {
    let panes = layout::panes(ui, world);
    if !panes.contains(&ui.focus)
        && let Some(first) = panes.first()
    {
        ui.focus = *first;
    }
    if let Some(check) = &ui.check
        && !world.situation.checks.contains_key(check)
    {
        ui.check = None;
    }
    // What is judged changes while nobody looks at it; under the hand it stands still. A level that
    // was ready before the suggested one was is not what Enter takes later.
    if ui.stage != Stage::Level || ui.level.is_none() {
        let planned = world.situation.plan.as_ref().map(|open| open.plan.core.level);
        ui.level = planned.or_else(|| panes::levels::recommended(world));
    }
}

/// Moves the selection, or scrolls what has none.
pub fn row(ui: &mut Ui, cx: Cx<'_>, by: isize) {
    match ui.focus {
        PaneKind::Checks => {
            let list = panes::checks::listed(ui, cx.world);
            ui.check = step_in(&list, ui.check.as_ref(), by);
        }
        PaneKind::Levels => {
            let list: Vec<_> = cx.world.situation.levels.iter().map(|card| card.level).collect();
            ui.level = step_in(&list, ui.level.as_ref(), by);
        }
        PaneKind::Plan | PaneKind::Steps => {
            let list = panes::steps::listed(cx.world);
            ui.step = step_in(&list, ui.step.as_ref(), by);
        }
        PaneKind::Logs => super::logs::moves::step(ui, by),
        PaneKind::Decide
        | PaneKind::Watch
        | PaneKind::Report
        | PaneKind::Timeline
        | PaneKind::Waiting
        | PaneKind::Errors
        | PaneKind::Latency
        | PaneKind::Compare
        | PaneKind::Slo => {
            let at = ui.scroll.entry(ui.focus).or_default();
            *at = at.saturating_add_signed(by).min(1_000);
        }
    }
}

fn step_in<T: Clone + PartialEq>(list: &[T], selected: Option<&T>, by: isize) -> Option<T> {
    let at = selected.and_then(|one| list.iter().position(|other| other == one));
    let next = match at {
        None => 0,
        Some(at) => at.saturating_add_signed(by).min(list.len().saturating_sub(1)),
    };
    list.get(next).cloned()
}

/// Takes away what is on top: a search, a message, a held screen, a zoom, a selection. Never acts.
pub fn back(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if ui.find.is_some() {
        ui.find = None;
    } else if let Some(at) = ui.messages.iter().position(|message| message.error) {
        ui.messages.remove(at);
    } else if let Some((moment, _)) = super::screen::troubles(ui, cx.world).into_iter().next() {
        let known = &cx.world.situation.troubles;
        ui.acknowledged.retain(|seen| known.contains(seen));
        ui.acknowledged.extend(moment);
    } else if ui.still.is_some() {
        ui.still = None;
    } else if ui.zoom {
        ui.zoom = false;
    } else if ui.stage != ui.auto {
        ui.go(ui.auto, cx.world);
    } else {
        ui.check = None;
        ui.step = None;
    }
    Vec::new()
}
