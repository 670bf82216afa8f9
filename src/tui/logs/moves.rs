//! What keys do to the logs. Nothing here reaches the engine but a pinned line, which is a note.

use crate::model::entry::Command;
use crate::tui::dialogs::Dialog;
use crate::tui::pane::PaneKind;
use crate::tui::state::{Cx, Effect, Least, Ui};
use crate::tui::world::LogRow;

use super::ask::{Ask, Choice, Since, next_source};

/// Moves the selection; upward, the page stands still.
pub fn step(ui: &mut Ui, by: isize) {
    ui.logs.asks.push(Ask::Move(by));
}

/// Stands still, or follows again.
pub fn follow(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let ask = if cx.world.logs.paused { Ask::Follow } else { Ask::Hold };
    ui.logs.asks.push(ask);
    Vec::new()
}

/// To the last line, and follow.
pub fn bottom(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    ui.logs.asks.push(Ask::Follow);
    Vec::new()
}

/// To the first line.
pub fn top(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    ui.logs.asks.push(Ask::Top);
    Vec::new()
}

/// Cuts or wraps long lines.
pub fn wrap(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    ui.logs.wrap = !ui.logs.wrap;
    Vec::new()
}

/// All lines, warnings and errors, errors only.
pub fn severity(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    choose(ui, |choice| {
        choice.least = match choice.least {
            Least::All => Least::Warn,
            Least::Warn => Least::Error,
            Least::Error => Least::All,
        };
    })
}

/// Each source alone, then all.
pub fn sources(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let without = next_source(&ui.logs.choice.without, &cx.world.logs.names);
    choose(ui, |choice| choice.without = without)
}

/// Marks the selected line, or the last.
pub fn mark(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    ui.logs.asks.push(Ask::Mark);
    Vec::new()
}

/// The note that pins the selected line, or the last, to the timeline.
pub fn pin(_: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let page = &cx.world.logs;
    let line = match page.cursor {
        Some(cursor) => page.lines.get(cursor),
        None => page.lines.last(),
    };
    let note = |line| Effect::Send(Command::Note { text: pinned(line).as_str().into() });
    line.map(note).into_iter().collect()
}

/// The most of a line that goes into the timeline.
const PINNED: usize = 500;

fn pinned(line: &LogRow) -> String {
    let at = line.at.format("%Y-%m-%d %H:%M:%SZ");
    let text: String = line.text.as_str().chars().take(PINNED).collect();
    format!("log {} {at} {} {text}", line.source, line.severity)
}

/// Opens the filter stack.
pub fn filters(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let stack = super::stack::Stack::new(ui.logs.choice.stack.clone());
    ui.open(Dialog::Filters(stack), cx.now);
    Vec::new()
}

/// All lines, at their end.
pub fn since_tail(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    since(ui, Since::Tail);
    bottom_of(ui)
}

/// All lines, from the first.
pub fn since_head(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    since(ui, Since::Tail);
    ui.logs.asks.push(Ask::Top);
    Vec::new()
}

/// Lines of the last minute.
pub fn since_1(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    since(ui, Since::Minutes(1))
}

/// Lines of the last 5 minutes.
pub fn since_5(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    since(ui, Since::Minutes(5))
}

/// Lines of the last 15 minutes.
pub fn since_15(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    since(ui, Since::Minutes(15))
}

/// Lines of the last 30 minutes.
pub fn since_30(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    since(ui, Since::Minutes(30))
}

/// Lines of the last hour.
pub fn since_60(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    since(ui, Since::Minutes(60))
}

fn bottom_of(ui: &mut Ui) -> Vec<Effect> {
    ui.logs.asks.push(Ask::Follow);
    Vec::new()
}

fn since(ui: &mut Ui, since: Since) -> Vec<Effect> {
    choose(ui, |choice| choice.since = since)
}

fn choose(ui: &mut Ui, change: impl FnOnce(&mut Choice)) -> Vec<Effect> {
    change(&mut ui.logs.choice);
    Vec::new()
}

/// What the reader is to be told after a key: what was asked, and what is searched here.
pub fn asks(ui: &mut Ui) -> Vec<Ask> {
    if let Some(Dialog::Filters(stack)) = ui.dialog.as_ref().map(|opened| &opened.dialog)
        && stack.layers() != ui.logs.choice.stack
    {
        let layers = stack.layers().to_vec();
        choose(ui, |choice| choice.stack = layers);
    }
    if ui.logs.rows != ui.size.1 {
        ui.logs.rows = ui.size.1;
        ui.logs.asks.push(Ask::Rows(usize::from(ui.size.1)));
    }
    let mut asks = std::mem::take(&mut ui.logs.asks);
    // A slow line is spared what nobody has to know.
    let mut choice = ui.logs.choice.clone();
    if ui.light.on() && choice.least == Least::All {
        choice.least = Least::Warn;
    }
    if ui.logs.chosen != choice {
        asks.insert(0, Ask::Choose(choice.clone()));
        ui.logs.chosen = choice;
    }
    let here = ui.find.as_ref().filter(|_| ui.focus == PaneKind::Logs);
    let wanted = here.map(|find| (find.word.clone(), find.at));
    match (&ui.logs.told, &wanted) {
        (told, wanted) if told == wanted => return asks,
        (Some((told, before)), Some((word, at))) if told == word => {
            asks.push(Ask::Step(at.wrapping_sub(*before) > usize::MAX / 2));
        }
        (_, Some((word, _))) => asks.push(Ask::Find(Some(word.clone()))),
        (_, None) => asks.push(Ask::Find(None)),
    }
    ui.logs.told = wanted;
    asks
}
