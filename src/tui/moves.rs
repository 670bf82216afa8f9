//! Moving about: panes, rows, stages, find. Nothing here reaches the engine.

use super::action::Action;
use super::layout;
use super::panes::{self, PaneKind};
use super::state::{Cx, Effect, Find, Least, Ui};
use super::world::World;

/// Does what an action moves; nothing when it is not one that moves.
pub fn moved(ui: &mut Ui, cx: Cx<'_>, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::NextPane => pane(ui, cx.world, true),
        Action::PreviousPane => pane(ui, cx.world, false),
        Action::Up => row(ui, cx, -1),
        Action::Down => row(ui, cx, 1),
        Action::PageUp => row(ui, cx, -10),
        Action::PageDown => row(ui, cx, 10),
        Action::Back => back(ui, cx),
        Action::PreviousStage => {
            if let Some(stage) = ui.stage.before() {
                ui.go(stage, cx.world);
            }
        }
        Action::NextStage => {
            if let Some(stage) = ui.stage.next() {
                ui.go(stage, cx.world);
            }
        }
        Action::Find => {
            ui.find = Some(Find { typing: true, ..Find::default() });
        }
        Action::FindNext | Action::FindPrevious => {
            if let Some(find) = &mut ui.find {
                find.at = match action {
                    Action::FindNext => find.at.wrapping_add(1),
                    _ => find.at.wrapping_sub(1),
                };
            }
        }
        Action::FailingOnly => ui.failing_only = !ui.failing_only,
        Action::Zoom => ui.zoom = !ui.zoom,
        Action::Times => ui.relative = !ui.relative,
        Action::Follow | Action::Bottom | Action::Top | Action::Wrap | Action::Severity => {
            logs(ui, cx, action);
        }
        Action::Redraw => return Some(vec![Effect::Redraw]),
        Action::Suspend => return Some(vec![Effect::Suspend]),
        _ => return None,
    }
    Some(Vec::new())
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
    if ui.level.is_none() {
        ui.level = panes::levels::recommended(world);
    }
}

fn row(ui: &mut Ui, cx: Cx<'_>, by: isize) {
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
        PaneKind::Logs => {
            let back = ui.logs.back.saturating_add_signed(-by);
            ui.logs.back = back.min(cx.world.logs.lines.len());
        }
        PaneKind::Decide
        | PaneKind::Watch
        | PaneKind::Report
        | PaneKind::Timeline
        | PaneKind::Waiting => {
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

fn back(ui: &mut Ui, cx: Cx<'_>) {
    if ui.find.is_some() {
        ui.find = None;
    } else if let Some(at) = ui.messages.iter().position(|message| message.error) {
        ui.messages.remove(at);
    } else if let Some((moment, _)) = super::screen::troubles(ui, cx.world).into_iter().next() {
        let known = &cx.world.situation.troubles;
        ui.acknowledged.retain(|seen| known.contains(seen));
        ui.acknowledged.extend(moment);
    } else if ui.zoom {
        ui.zoom = false;
    } else if ui.stage != ui.auto {
        ui.go(ui.auto, cx.world);
    } else {
        ui.check = None;
        ui.step = None;
    }
}

fn logs(ui: &mut Ui, cx: Cx<'_>, action: Action) {
    match action {
        Action::Follow if ui.logs.held.is_some() || ui.logs.back > 0 => {
            ui.logs.held = None;
            ui.logs.back = 0;
        }
        Action::Follow => ui.logs.held = Some(cx.now),
        Action::Bottom => {
            ui.logs.held = None;
            ui.logs.back = 0;
        }
        Action::Top => ui.logs.back = cx.world.logs.lines.len(),
        Action::Wrap => ui.logs.wrap = !ui.logs.wrap,
        _ => {
            ui.logs.least = match ui.logs.least {
                Least::All => Least::Warn,
                Least::Warn => Least::Error,
                Least::Error => Least::All,
            };
        }
    }
}
