//! Keys and news in, the new state of the screen and what is to be done outside out. Pure.

use std::time::Duration;

use super::action::Action;
use super::dialogs::{self, Dialog, Turn};
use super::input::{Code, Input, Key};
use super::moves;
use super::offers;
use super::panes::{self, PaneKind};
use super::stage::Stage;
use super::state::{Cx, Effect, Field, Find, Msg, Ui};
use super::words;

/// A second Ctrl-C within this leaves at once.
const TWICE: Duration = Duration::from_secs(2);

/// Takes one thing that happened.
pub fn update(ui: &mut Ui, cx: Cx<'_>, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Input(Input::Key(key)) => {
            let effects = on_key(ui, cx, key);
            ui.last_key = Some(cx.now);
            effects
        }
        Msg::Input(Input::Paste(text)) => {
            on_paste(ui, cx, &text);
            Vec::new()
        }
        Msg::Changed => {
            if let Some(opened) = &mut ui.dialog
                && let Some(why) = opened.dialog.review(cx)
            {
                // A dialog that lost its object closes; one whose facts moved says so itself.
                ui.dialog = None;
                ui.say(why, true, cx.now);
            }
            follow(ui, cx);
            Vec::new()
        }
        Msg::Tick => {
            ui.fade(cx.now);
            follow(ui, cx);
            Vec::new()
        }
        Msg::Resized(width, height) => {
            ui.size = (width, height);
            Vec::new()
        }
        Msg::Answered(Ok(text)) => {
            ui.say(text, false, cx.now);
            Vec::new()
        }
        Msg::Answered(Err(why)) => {
            ui.expects = None;
            ui.say(why, true, cx.now);
            Vec::new()
        }
        Msg::Resumed(away) => {
            if let Some(opened) = &mut ui.dialog {
                opened.dialog.forget("the console was suspended");
                opened.at = cx.now;
            }
            ui.say(format!("suspended {}", words::clock(away)), false, cx.now);
            vec![Effect::Redraw]
        }
    }
}

/// Follows the environment from stage to stage, but not under the hand.
fn follow(ui: &mut Ui, cx: Cx<'_>) {
    let auto = Stage::of(&cx.world.situation);
    let moved = auto != ui.auto;
    ui.auto = auto;
    if ui.expects == Some(auto) && moved {
        ui.expects = None;
        if ui.stage != auto {
            ui.go(auto, cx.world);
        }
    } else if moved && auto == Stage::Assess && ui.stage == Stage::Level {
        // A refused plan leaves the person at the levels, where the reason stands.
    } else if (moved || ui.pending) && ui.stage != auto {
        ui.pending = ui.busy(cx.now) || ui.dialog.is_some() || ui.find.is_some();
        if !ui.pending {
            ui.go(auto, cx.world);
        }
    }
    if ui.stage == auto {
        ui.pending = false;
    }
    if !ui.busy(cx.now) || ui.order.is_empty() {
        ui.sort_checks(cx.world);
    }
    moves::settle(ui, cx.world);
}

fn on_paste(ui: &mut Ui, cx: Cx<'_>, text: &str) {
    if ui.unarmed(cx.now) {
        return;
    }
    if let Some(opened) = &mut ui.dialog {
        opened.dialog.paste(text);
    } else if let Some(find) = ui.find.as_mut().filter(|find| find.typing) {
        let mut field = Field { text: std::mem::take(&mut find.word) };
        field.paste(text);
        find.word = field.text;
    }
}

fn on_key(ui: &mut Ui, cx: Cx<'_>, key: Key) -> Vec<Effect> {
    if key == Key::ctrl('c') {
        return interrupt(ui, cx);
    }
    if key == Key::ctrl('z') {
        return vec![Effect::Suspend];
    }
    if key == Key::ctrl('l') {
        return vec![Effect::Redraw];
    }
    if ui.unarmed(cx.now) {
        return Vec::new();
    }
    if let Some(opened) = &mut ui.dialog {
        return match opened.dialog.key(key, cx) {
            Turn::Stay => Vec::new(),
            Turn::Close => {
                ui.dialog = None;
                Vec::new()
            }
            Turn::Instead(dialog) => {
                ui.open(*dialog, cx.now);
                Vec::new()
            }
            Turn::Do(effects) => {
                ui.dialog = None;
                sent(ui, cx, effects)
            }
        };
    }
    if let Some(find) = ui.find.as_mut().filter(|find| find.typing) {
        return typing_find(ui_find(find, key), ui);
    }
    let Some(action) = cx.keymap.action(key, &offers::scopes(ui, cx.world)) else {
        return Vec::new();
    };
    act(ui, cx, action)
}

fn interrupt(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let twice = ui.interrupted.is_some_and(|at| words::since(at, cx.now) < TWICE);
    ui.interrupted = Some(cx.now);
    if twice {
        return vec![Effect::Leave];
    }
    ui.open(Dialog::Detach, cx.now);
    Vec::new()
}

#[derive(Clone, Copy)]
enum Typed {
    On,
    Over,
    Away,
}

fn ui_find(find: &mut Find, key: Key) -> Typed {
    match key.code {
        Code::Enter if !find.word.is_empty() => Typed::Over,
        Code::Enter | Code::Esc => Typed::Away,
        _ => {
            let mut field = Field { text: std::mem::take(&mut find.word) };
            field.key(key);
            find.word = field.text;
            Typed::On
        }
    }
}

fn typing_find(typed: Typed, ui: &mut Ui) -> Vec<Effect> {
    match typed {
        Typed::On => {}
        Typed::Over => {
            if let Some(find) = &mut ui.find {
                find.typing = false;
            }
        }
        Typed::Away => ui.find = None,
    }
    Vec::new()
}

/// What a command leads to is gone to at once: it is the answer to this person's own key.
fn sent(ui: &mut Ui, cx: Cx<'_>, effects: Vec<Effect>) -> Vec<Effect> {
    use crate::model::entry::Command;
    for effect in &effects {
        match effect {
            Effect::Send(Command::Plan { level, .. }) => {
                ui.expects = Some(Stage::Plan);
                let text = format!("level {level}: looking at every target to make the plan …");
                ui.say(text, false, cx.now);
            }
            Effect::Send(Command::Approve { .. }) => ui.expects = Some(Stage::Run),
            Effect::Send(_) | Effect::Redraw | Effect::Suspend | Effect::Leave | Effect::Export => {
            }
        }
    }
    effects
}

fn act(ui: &mut Ui, cx: Cx<'_>, action: Action) -> Vec<Effect> {
    if let Some(effects) = moves::moved(ui, cx, action) {
        return effects;
    }
    let offered = offers::offers(ui, cx.world, cx.now);
    if !offered.iter().any(|offer| offer.action == action) {
        if let Some(why) = offers::why_not(ui, cx.world, action) {
            ui.say(why, false, cx.now);
        }
        return Vec::new();
    }
    if shown(ui, cx, action) {
        return Vec::new();
    }
    match dialogs::open(ui, cx, action) {
        Some(Turn::Instead(dialog)) => ui.open(*dialog, cx.now),
        Some(Turn::Do(effects)) => return sent(ui, cx, effects),
        Some(Turn::Stay | Turn::Close) | None => {}
    }
    Vec::new()
}

/// Does what an offered action shows without a dialog; false when it is another kind.
fn shown(ui: &mut Ui, cx: Cx<'_>, action: Action) -> bool {
    match (action, ui.focus) {
        (Action::ChooseLevel, _) => {
            ui.go(Stage::Level, cx.world);
        }
        (Action::LookAgain, _) => {
            let known = panes::waiting::standing(cx.world, cx.now);
            ui.say(known.unwrap_or_default(), false, cx.now);
        }
        (Action::Open, PaneKind::Checks) => {
            // Enter opens the worst check, and closes what it opened.
            ui.check = match ui.check.take() {
                Some(_) => None,
                None => panes::checks::listed(ui, cx.world).first().cloned(),
            };
        }
        _ => return false,
    }
    true
}
