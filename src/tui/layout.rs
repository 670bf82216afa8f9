//! Where things go: which panes a stage shows at which size, and how they share the body.

use ratatui::layout::Rect;

use super::panes::PaneKind;
use super::stage::Stage;
use super::state::Ui;
use super::world::World;

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// Below 40x10: a few words.
    Words,
    /// Below 60x15: one pane, three rows of chrome.
    Tiny,
    /// Below 80x24: one pane, all chrome with one row of verdict.
    Single,
    /// Below 110x32: panes above each other.
    Compact,
    /// From 110x32 on: two columns.
    Normal,
}

impl Size {
    /// Of a screen.
    pub fn of(width: u16, height: u16) -> Self {
        if width < 40 || height < 10 {
            Self::Words
        } else if width < 60 || height < 15 {
            Self::Tiny
        } else if width < 80 || height < 24 {
            Self::Single
        } else if width < 110 || height < 32 {
            Self::Compact
        } else {
            Self::Normal
        }
    }
}

/// The panes of a stage: above each other, or in two columns over a full-width foot.
struct Plan {
    left: &'static [PaneKind],
    right: &'static [PaneKind],
    foot: &'static [PaneKind],
}

fn plan(stage: Stage, wide: bool) -> Plan {
    use PaneKind::{
        Checks, Decide, Levels, Logs, Plan as PlanPane, Report, Steps, Timeline, Watch,
    };
    let (left, right, foot): (&'static [PaneKind], &'static [PaneKind], &'static [PaneKind]) =
        match (stage, wide) {
            (Stage::Detect, true) => (&[Checks], &[Decide], &[Logs, Timeline]),
            (Stage::Detect, false) => (&[Checks, Logs], &[], &[]),
            (Stage::Assess, true) => (&[Decide], &[Checks], &[Logs, Timeline]),
            (Stage::Assess, false) => (&[Decide, Checks, Logs], &[], &[]),
            (Stage::Level, true) => (&[Levels], &[Checks], &[Logs]),
            (Stage::Level, false) => (&[Levels, Checks], &[], &[]),
            (Stage::Plan, true) => (&[], &[], &[PlanPane, Checks]),
            (Stage::Plan, false) => (&[PlanPane], &[], &[]),
            (Stage::Run, true) => (&[Steps], &[Checks], &[Logs, Timeline]),
            (Stage::Run, false) => (&[Steps, Checks, Logs], &[], &[]),
            (Stage::Validate | Stage::Watch, true) => {
                (&[Watch, Steps], &[Checks], &[Logs, Timeline])
            }
            (Stage::Validate | Stage::Watch, false) => (&[Watch, Checks, Logs], &[], &[]),
            (Stage::Report, true) => (&[Report], &[Timeline], &[Logs]),
            (Stage::Report, false) => (&[Report, Timeline], &[], &[]),
        };
    Plan { left, right, foot }
}

/// Whether the body begins with what a waiting run asks.
fn asks(ui: &Ui, world: &World) -> bool {
    world.waits() && matches!(ui.stage, Stage::Run | Stage::Validate | Stage::Watch)
}

/// The panes on the screen, in the order of the Tab key. A single pane still has its neighbours.
pub fn panes(ui: &Ui, world: &World) -> Vec<PaneKind> {
    let wide = Size::of(ui.size.0, ui.size.1) == Size::Normal;
    let plan = plan(ui.stage, wide);
    let first = asks(ui, world).then_some(PaneKind::Waiting);
    first
        .into_iter()
        .chain(plan.left.iter().copied())
        .chain(plan.right.iter().copied())
        .chain(plan.foot.iter().copied())
        .collect()
}

/// The panes with their places. `want` says how many rows a pane would fill at a width.
pub fn place(
    ui: &Ui,
    world: &World,
    body: Rect,
    want: impl Fn(PaneKind, u16) -> u16,
) -> Vec<(PaneKind, Rect)> {
    let size = Size::of(ui.size.0, ui.size.1);
    let all = panes(ui, world);
    if ui.zoom || size < Size::Compact {
        let one = if all.contains(&ui.focus) { Some(ui.focus) } else { all.first().copied() };
        return one.map(|pane| (pane, body)).into_iter().collect();
    }
    let plan = plan(ui.stage, size == Size::Normal);
    let mut rest = body;
    let mut placed = Vec::new();
    if asks(ui, world) {
        let rows = want(PaneKind::Waiting, body.width).min(body.height.saturating_sub(4));
        placed.push((PaneKind::Waiting, Rect { height: rows, ..rest }));
        rest.y += rows;
        rest.height -= rows;
    }
    if plan.right.is_empty() {
        let list: Vec<PaneKind> = plan.left.iter().chain(plan.foot).copied().collect();
        placed.extend(stack(&list, rest, &want));
        return placed;
    }
    // The left column holds sentences, the right one tables: a little more for the left.
    let left_width = rest.width * 58 / 100;
    let right_width = rest.width - left_width;
    let upper_want =
        |list: &[PaneKind], width| -> u16 { list.iter().map(|pane| want(*pane, width)).sum() };
    let foot_least = u16::try_from(plan.foot.len()).unwrap_or(1) * 4 + 4;
    let upper = upper_want(plan.left, left_width)
        .max(upper_want(plan.right, right_width))
        .clamp(8, rest.height.saturating_sub(foot_least).max(8))
        .min(rest.height);
    let left = Rect { width: left_width, height: upper, ..rest };
    let right = Rect { x: rest.x + left_width, width: right_width, height: upper, ..rest };
    let foot = Rect { y: rest.y + upper, height: rest.height - upper, ..rest };
    placed.extend(stack(plan.left, left, &want));
    placed.extend(stack(plan.right, right, &want));
    placed.extend(stack(plan.foot, foot, &want));
    placed
}

/// The fewest rows a pane is worth drawing in: a frame and two rows, and for the checks enough to
/// see that more than one fails.
const LEAST: u16 = 4;

fn least(pane: PaneKind) -> u16 {
    match pane {
        PaneKind::Checks => 6,
        PaneKind::Decide
        | PaneKind::Levels
        | PaneKind::Plan
        | PaneKind::Steps
        | PaneKind::Logs
        | PaneKind::Watch
        | PaneKind::Report
        | PaneKind::Timeline
        | PaneKind::Waiting => LEAST,
    }
}

/// Panes above each other: each gets what it wants, the first ones first; what is over goes to
/// the one that always has more to show.
fn stack(
    list: &[PaneKind],
    area: Rect,
    want: &impl Fn(PaneKind, u16) -> u16,
) -> Vec<(PaneKind, Rect)> {
    let mut left = area.height;
    let mut heights: Vec<u16> = Vec::new();
    for pane in list {
        let rows = least(*pane).min(want(*pane, area.width).max(LEAST));
        if rows > left && !heights.is_empty() {
            break;
        }
        heights.push(rows.min(left));
        left -= rows.min(left);
    }
    let list = list.get(..heights.len()).unwrap_or(list);
    for (pane, height) in list.iter().zip(&mut heights) {
        let more = want(*pane, area.width).saturating_sub(*height).min(left);
        *height += more;
        left -= more;
    }
    let greedy = list.iter().position(|pane| *pane == PaneKind::Logs).unwrap_or(0);
    if let Some(height) = heights.get_mut(greedy) {
        *height += left;
    }
    let mut y = area.y;
    list.iter()
        .zip(heights)
        .map(|(pane, height)| {
            let place = Rect { y, height, ..area };
            y += height;
            (*pane, place)
        })
        .collect()
}
