//! Error budgets: what is left of each objective, and how fast its four pairs of windows burn.

use crate::model::slo::{Alarm, Burn, Burns, Standing};
use crate::report::slo::{rates, span};
use crate::text;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};

use super::Content;

/// Cells of the bar of what is left.
const BAR: usize = 10;

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let title = "Error budgets".to_owned();
    let live = view.world.live.as_ref();
    let standings = live.map(|live| live.slos.as_slice()).unwrap_or_default();
    if standings.is_empty() {
        let none = "no objectives: give a check slo: {objective: 99.9, window: 30d}";
        let rows = widgets::wrap(none, width);
        let rows = rows.into_iter().map(|line| Row::of(Role::Muted, line)).collect();
        return Content { title, rows, ..Content::default() };
    }
    let burning = standings.iter().filter(|one| one.alarm().is_some()).count();
    let rows = standings.iter().flat_map(|one| about(view, one, width)).collect();
    let remark = if burning == 0 { String::new() } else { format!("{burning} burn") };
    Content { title, remark, rows, ..Content::default() }
}

fn about(view: &View<'_>, one: &Standing, width: usize) -> Vec<Row> {
    let (role, left) = match one.left {
        None => (Role::Unknown, "budget unknown".to_owned()),
        Some(left) if left <= 0.0 => (Role::Fail, format!("spent, {:.1} % over", -left * 100.0)),
        Some(left) => {
            let bar = widgets::bar(left, BAR, view.look.glyphs);
            let role = if one.alarm().is_some() { Role::Warn } else { Role::Ok };
            (role, format!("{bar} {:.1} % left", left * 100.0))
        }
    };
    let (objective, count) = (&one.objective, one.count);
    let name = text::fit(one.check.as_str(), 24);
    let says = format!("{} % over {}", objective.percent, span(objective.window));
    let first = Row::new().put(Role::Base, format!("{name} ")).put(role, left);
    let seen = format!("{} of {} failed in {}", count.failed, count.all, span(one.covered));
    let mut rows = first.put(Role::Muted, format!("  {says}; {seen}")).fold(width, 2);
    rows.extend(one.burns.iter().flat_map(|burn| pair(burn, width)));
    rows
}

/// `  1h/5m 25.0x/24.1x of 14.4x  BURNS (page)`.
fn pair(burn: &Burn, width: usize) -> Vec<Row> {
    let (role, word) = match (burn.burns, burn.alarm) {
        (Burns::Yes, Alarm::Page) => (Role::Fail, format!("BURNS ({})", burn.alarm.word())),
        (Burns::Yes, Alarm::Ticket) => (Role::Warn, format!("BURNS ({})", burn.alarm.word())),
        (Burns::No, _) => (Role::Ok, "ok".to_owned()),
        (Burns::Unknown, _) => (Role::Unknown, "unknown: too few looks".to_owned()),
    };
    Row::new().pad(Role::Base, &format!("  {}", rates(burn)), 34).put(role, word).fold(width, 4)
}
