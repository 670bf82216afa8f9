//! Where things go: which panes a stage shows at which size, and how they share the body.
//! Breakpoints go by both sides of the screen: a wide strip of few rows has no room for columns.

mod plans;

use ratatui::layout::Rect;

use super::pane::PaneKind;
use super::stage::Stage;
use super::state::Ui;
use super::world::World;

use plans::Plan;

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// From 180x50 on: three columns.
    Wide,
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
        } else if width < 180 || height < 50 {
            Self::Normal
        } else {
            Self::Wide
        }
    }
}

/// The panes on the screen, in the order of the Tab key. A single pane still has its neighbours.
pub fn panes(ui: &Ui, world: &World) -> Vec<PaneKind> {
    let plan = plan(ui, world);
    let waiting = asks(ui, world).then_some(PaneKind::Waiting);
    let rest = plan.columns.into_iter().flat_map(|(list, _)| list).chain(plan.foot);
    waiting.into_iter().chain(rest.filter(|pane| Some(*pane) != waiting)).collect()
}

/// The set of panes that a person has chosen, or those of the stage.
fn plan(ui: &Ui, world: &World) -> Plan {
    let size = Size::of(ui.size.0, ui.size.1);
    let own = ui.preset.and_then(|number| world.settings.presets.get(&number));
    match own {
        Some(list) => plans::preset(list, size),
        None => plans::stage(ui.stage, size),
    }
}

/// Whether the body begins with what a waiting run or a rule asks.
fn asks(ui: &Ui, world: &World) -> bool {
    let shown = ui.preset.is_some_and(|number| {
        let own = world.settings.presets.get(&number);
        own.is_some_and(|list| list.contains(&PaneKind::Waiting))
    });
    let stage = match ui.stage {
        Stage::Run | Stage::Validate | Stage::Watch => world.waits(),
        Stage::Detect | Stage::Assess | Stage::Level | Stage::Plan | Stage::Report => {
            world.proposal().is_some()
        }
    };
    stage || (shown && (world.waits() || world.proposal().is_some()))
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
    let grown = |pane| ui.grown.get(&(size, pane)).copied();
    let want = |pane, width| -> u16 {
        let rows: u16 = want(pane, width);
        rows.saturating_add_signed(grown(pane).unwrap_or(0)).max(LEAST)
    };
    let room = Room { want: &want, grown: &grown };
    let mut rest = body;
    let mut placed = Vec::new();
    if asks(ui, world) {
        let rows = want(PaneKind::Waiting, body.width).min(body.height.saturating_sub(4));
        placed.push((PaneKind::Waiting, Rect { height: rows, ..rest }));
        rest.y += rows;
        rest.height -= rows;
    }
    let mut plan = plan(ui, world);
    for (list, _) in &mut plan.columns {
        list.retain(|pane| *pane != PaneKind::Waiting);
    }
    plan.columns.retain(|(list, _)| !list.is_empty());
    let upper = if plan.foot.is_empty() { rest.height } else { upper(&plan, rest, &room) };
    let shares: u16 = plan.columns.iter().map(|(_, share)| share).sum();
    let mut x = rest.x;
    for (at, (list, share)) in plan.columns.iter().enumerate() {
        let last = at + 1 == plan.columns.len();
        let width = width_of(rest.width, *share, shares);
        let width = if last { rest.right().saturating_sub(x) } else { width };
        placed.extend(stack(list, Rect { x, width, height: upper, ..rest }, &room));
        x += width;
    }
    let foot = Rect { y: rest.y + upper, height: rest.height - upper, ..rest };
    placed.extend(stack(&plan.foot, foot, &room));
    placed
}

fn width_of(width: u16, share: u16, shares: u16) -> u16 {
    let part = u32::from(width) * u32::from(share) / u32::from(shares.max(1));
    u16::try_from(part).unwrap_or(width)
}

/// How high the columns are: as high as they want to be, as long as the foot keeps what it needs.
fn upper(plan: &Plan, rest: Rect, room: &Room<'_>) -> u16 {
    if plan.columns.is_empty() {
        return 0;
    }
    let shares: u16 = plan.columns.iter().map(|(_, share)| share).sum();
    let wanted = plan.columns.iter().map(|(list, share)| -> u16 {
        let width = width_of(rest.width, *share, shares);
        list.iter().map(|pane| (room.want)(*pane, width)).fold(0, u16::saturating_add)
    });
    // Rows that a person gave to the foot come from above it.
    let given: i16 = plan.foot.iter().filter_map(|pane| (room.grown)(*pane)).sum();
    let foot = u16::try_from(plan.foot.len()).unwrap_or(1) * 4 + 4;
    let most = rest.height.saturating_sub(foot).max(8);
    let wanted = wanted.max().unwrap_or(0).clamp(8, most);
    let lowest = rest.height.saturating_sub(LEAST).max(1);
    wanted
        .saturating_add_signed(given.saturating_neg())
        .clamp(8.min(lowest), lowest)
        .min(rest.height)
}

/// What panes want, and what a person changed.
struct Room<'a> {
    want: &'a dyn Fn(PaneKind, u16) -> u16,
    grown: &'a dyn Fn(PaneKind) -> Option<i16>,
}

/// The fewest rows a pane is worth drawing in: a frame and two rows, and for the checks enough to
/// see that more than one fails.
const LEAST: u16 = 4;

fn least(pane: PaneKind) -> u16 {
    match pane {
        PaneKind::Checks => 6,
        PaneKind::Errors | PaneKind::Latency => 5,
        PaneKind::Decide
        | PaneKind::Levels
        | PaneKind::Plan
        | PaneKind::Steps
        | PaneKind::Logs
        | PaneKind::Watch
        | PaneKind::Report
        | PaneKind::Timeline
        | PaneKind::Compare
        | PaneKind::Slo
        | PaneKind::Waiting => LEAST,
    }
}

/// Which pane takes the rows that are over: the one that has the most to show with them.
fn greed(pane: PaneKind) -> u8 {
    match pane {
        PaneKind::Logs => 3,
        PaneKind::Timeline => 2,
        PaneKind::Checks | PaneKind::Steps => 1,
        PaneKind::Decide
        | PaneKind::Levels
        | PaneKind::Plan
        | PaneKind::Watch
        | PaneKind::Report
        | PaneKind::Errors
        | PaneKind::Latency
        | PaneKind::Compare
        | PaneKind::Slo
        | PaneKind::Waiting => 0,
    }
}

/// Panes above each other: what a person made bigger or smaller first, then each what it wants,
/// the first ones first; what is over goes to the one that has the most to show with it.
fn stack(list: &[PaneKind], area: Rect, room: &Room<'_>) -> Vec<(PaneKind, Rect)> {
    let mut left = area.height;
    let mut heights: Vec<u16> = Vec::new();
    let want = |pane| (room.want)(pane, area.width);
    for pane in list {
        let rows = least(*pane).min(want(*pane).max(LEAST));
        if rows > left && !heights.is_empty() {
            break;
        }
        heights.push(rows.min(left));
        left -= rows.min(left);
    }
    let list = list.get(..heights.len()).unwrap_or(list);
    let by_hand = |pane: PaneKind| (room.grown)(pane).is_some();
    for turn in [true, false] {
        for (pane, height) in list.iter().zip(&mut heights) {
            if by_hand(*pane) == turn {
                let more = want(*pane).saturating_sub(*height).min(left);
                *height += more;
                left -= more;
            }
        }
    }
    // The first of the greediest, and rather one that nobody has set by hand.
    let greedy =
        list.iter().enumerate().rev().max_by_key(|(_, pane)| (!by_hand(**pane), greed(**pane)));
    if let Some(height) = greedy.and_then(|(at, _)| heights.get_mut(at)) {
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
