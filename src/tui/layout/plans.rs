//! Which panes stand where: by stage and room, and a person's own sets.

use super::Size;
use crate::tui::pane::PaneKind;
use crate::tui::stage::Stage;

/// Columns of panes above each other, each with its share of the width, over a full-width foot.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) columns: Vec<(Vec<PaneKind>, u16)>,
    pub(super) foot: Vec<PaneKind>,
}

impl Plan {
    fn of(columns: &[(&[PaneKind], u16)], foot: &[PaneKind]) -> Self {
        let columns = columns.iter().map(|(list, share)| (list.to_vec(), *share)).collect();
        Self { columns, foot: foot.to_vec() }
    }
}

/// The panes of a stage.
pub(super) fn stage(stage: Stage, size: Size) -> Plan {
    match size {
        Size::Words | Size::Tiny | Size::Single | Size::Compact => compact(stage),
        Size::Normal => normal(stage),
        Size::Wide => wide(stage),
    }
}

fn compact(stage: Stage) -> Plan {
    use PaneKind::{
        Checks, Decide, Levels, Logs, Plan as PlanPane, Report, Steps, Timeline, Watch,
    };
    let list: &[PaneKind] = match stage {
        Stage::Detect => &[Checks, Logs],
        Stage::Assess => &[Decide, Checks, Logs],
        Stage::Level => &[Levels, Checks],
        Stage::Plan => &[PlanPane],
        Stage::Run => &[Steps, Checks, Logs],
        Stage::Validate | Stage::Watch => &[Watch, Checks, Logs],
        Stage::Report => &[Report, Timeline],
    };
    Plan::of(&[(list, 1)], &[])
}

/// The left column holds sentences, the right one tables: a little more for the left.
const SENTENCES: u16 = 58;
const TABLES: u16 = 42;

fn normal(stage: Stage) -> Plan {
    use PaneKind::{
        Checks, Decide, Errors, Levels, Logs, Plan as PlanPane, Report, Steps, Timeline, Watch,
    };
    let two = |left: &[PaneKind], right: &[PaneKind], foot: &[PaneKind]| {
        Plan::of(&[(left, SENTENCES), (right, TABLES)], foot)
    };
    match stage {
        Stage::Detect => two(&[Checks], &[Decide, Errors], &[Logs, Timeline]),
        Stage::Assess => two(&[Decide], &[Checks, Errors], &[Logs, Timeline]),
        Stage::Level => two(&[Levels], &[Checks, Errors], &[Logs]),
        Stage::Plan => Plan::of(&[], &[PlanPane, Checks]),
        Stage::Run => two(&[Steps], &[Checks, Errors], &[Logs, Timeline]),
        Stage::Validate | Stage::Watch => {
            two(&[Watch, Steps], &[Checks, Errors], &[Logs, Timeline])
        }
        Stage::Report => two(&[Report], &[Timeline], &[Logs]),
    }
}

fn wide(stage: Stage) -> Plan {
    use PaneKind::{
        Checks, Compare, Decide, Errors, Latency, Levels, Logs, Plan as PlanPane, Report, Steps,
        Timeline, Watch,
    };
    let three = |left: &[PaneKind], middle: &[PaneKind], right: &[PaneKind]| {
        Plan::of(&[(left, 58), (middle, 76), (right, 66)], &[Logs])
    };
    match stage {
        Stage::Detect => three(&[Decide], &[Checks], &[Errors, Latency, Timeline]),
        Stage::Assess => three(&[Decide, Levels], &[Checks, Compare], &[Errors, Latency, Timeline]),
        Stage::Level => three(&[Levels], &[Checks, Compare], &[Errors, Latency, Timeline]),
        Stage::Plan => Plan::of(&[(&[PlanPane], 118), (&[Checks, Errors, Timeline], 82)], &[Logs]),
        Stage::Run => three(&[Steps, Decide], &[Checks, Compare], &[Errors, Latency, Timeline]),
        Stage::Validate | Stage::Watch => {
            three(&[Steps, Decide, Watch], &[Checks, Compare], &[Errors, Latency, Timeline])
        }
        Stage::Report => three(&[Report], &[Checks, Compare], &[Errors, Latency, Timeline]),
    }
}

/// A person's own set, in its order: above each other, in two or in three columns. What runs on
/// in lines takes the whole width below.
pub(super) fn preset(list: &[PaneKind], size: Size) -> Plan {
    let columns = match size {
        Size::Words | Size::Tiny | Size::Single | Size::Compact => 1,
        Size::Normal => 2,
        Size::Wide => 3,
    };
    let lines = |pane: &PaneKind| columns > 1 && *pane == PaneKind::Logs;
    let upper: Vec<PaneKind> = list.iter().copied().filter(|pane| !lines(pane)).collect();
    let columns = columns.min(upper.len().max(1));
    let mut plan = Plan { foot: list.iter().copied().filter(lines).collect(), ..Plan::default() };
    for column in 0..columns {
        let own: Vec<PaneKind> = upper.iter().copied().skip(column).step_by(columns).collect();
        if !own.is_empty() {
            plan.columns.push((own, 1));
        }
    }
    plan
}
