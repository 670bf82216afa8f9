//! Keys and news in, the new state of the screen and what is to be done outside out. Pure.

use std::time::Duration;

use super::action::Action;
use super::acts;
use super::comfort;
use super::dialogs::{Dialog, Goal, Turn};
use super::input::{Code, Input, Key};
use super::moves;
use super::offers;
use super::replay::Control;
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
            // Who plays the past wants to be taken along, not to be left in peace.
            if !effects.iter().any(|effect| matches!(effect, Effect::Replay(_))) {
                ui.last_key = Some(cx.now);
            }
            effects
        }
        Msg::Input(Input::Paste(text)) => {
            on_paste(ui, cx, &text);
            Vec::new()
        }
        // Where it pointed is known only where frames are drawn; answers are for the writer.
        Msg::Input(Input::Mouse(_) | Input::Alive) => Vec::new(),
        Msg::Pointed(pointed) => {
            comfort::pointed(ui, cx, pointed);
            ui.last_key = Some(cx.now);
            Vec::new()
        }
        Msg::Line(line) => {
            comfort::measured(ui, cx, line);
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
            comfort::announced(ui, cx)
        }
        Msg::Tick => {
            ui.fade(cx.now);
            follow(ui, cx);
            comfort::announced(ui, cx)
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
        ui.pending =
            ui.busy(cx.now) || ui.dialog.is_some() || ui.find.is_some() || ui.still.is_some();
        if !ui.pending {
            ui.go(auto, cx.world);
        }
    }
    if ui.stage == auto {
        ui.pending = false;
    }
    if (!ui.busy(cx.now) && ui.still.is_none()) || ui.order.is_empty() {
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
    // With Ctrl held these are for the terminal, whatever is open and being typed.
    if key.ctrl && cx.keymap.keys(Action::Suspend).contains(&key) {
        return comfort::suspend(ui, cx);
    }
    if key.ctrl && cx.keymap.keys(Action::Redraw).contains(&key) {
        return comfort::redraw(ui, cx);
    }
    if ui.unarmed(cx.now) {
        return Vec::new();
    }
    if let Some(effects) = comfort::beside_a_page(ui, cx, key) {
        return effects;
    }
    if let Some(mut opened) = ui.dialog.take() {
        return match opened.dialog.key(key, ui, cx) {
            Turn::Stay => {
                ui.dialog = Some(opened);
                Vec::new()
            }
            Turn::Close => Vec::new(),
            Turn::Send(command) => {
                ui.dialog = Some(opened);
                sent(ui, cx, vec![Effect::Send(command)])
            }
            Turn::Instead(dialog) => {
                ui.open(*dialog, cx.now);
                Vec::new()
            }
            Turn::Do(effects) => sent(ui, cx, effects),
            Turn::Go(goal) => go(ui, cx, goal),
        };
    }
    if let Some(find) = ui.find.as_mut().filter(|find| find.typing) {
        return typing_find(ui_find(find, key), ui);
    }
    if let Some(control) = cx.world.replay.as_ref().and_then(|_| Control::of(key)) {
        return vec![Effect::Replay(control)];
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
    use crate::model::loss::Choice;
    use crate::model::plan::TYPE;
    for effect in &effects {
        match effect {
            Effect::Send(Command::Plan { level, target }) => {
                ui.expects = Some(Stage::Plan);
                let kind = target.as_ref().and_then(|target| target.as_str().strip_prefix(TYPE));
                let what = kind.map_or_else(|| format!("level {level}"), str::to_owned);
                let text = format!("{what}: looking at every target to make the plan …");
                ui.say(text, false, cx.now);
            }
            Effect::Send(Command::PlanUndo { run }) => {
                ui.expects = Some(Stage::Plan);
                let text = format!("looking at every target to plan the way back of {run} …");
                ui.say(text, false, cx.now);
            }
            Effect::Send(Command::Choose { choice: Choice::NewMoment { .. }, .. }) => {
                ui.expects = Some(Stage::Plan);
            }
            Effect::Send(Command::Approve { .. }) => ui.expects = Some(Stage::Run),
            Effect::Send(_)
            | Effect::Redraw
            | Effect::Replay(_)
            | Effect::Suspend
            | Effect::Leave
            | Effect::Export
            | Effect::Copy(_)
            | Effect::Announce(_)
            | Effect::Mouse(_)
            | Effect::Switch(_)
            | Effect::Plain => {}
        }
    }
    effects
}

/// Does an action, or says why it does nothing now.
fn act(ui: &mut Ui, cx: Cx<'_>, action: Action) -> Vec<Effect> {
    if action.is_free() {
        return acts::act(action)(ui, cx);
    }
    let offered = offers::offers(ui, cx.world, cx.now);
    if !offered.iter().any(|offer| offer.action == action) {
        if let Some(why) = acts::why(action)(ui, cx.world) {
            ui.say(cx.keymap.in_force(&why), false, cx.now);
        }
        return Vec::new();
    }
    let effects = acts::act(action)(ui, cx);
    sent(ui, cx, effects)
}

/// Goes where a word after `:` leads.
fn go(ui: &mut Ui, cx: Cx<'_>, goal: Goal) -> Vec<Effect> {
    match goal {
        Goal::Act(action) => return act(ui, cx, action),
        Goal::Stage(stage) => ui.go(stage, cx.world),
        Goal::Pane(pane) => ui.focus = pane,
        Goal::Environment(name) => return vec![Effect::Switch(name)],
        Goal::Guide(name) => {
            if let Some(page) = super::dialogs::guide::Page::of(cx.world, &name) {
                ui.open(Dialog::Guide(Box::new(page)), cx.now);
            }
        }
    }
    Vec::new()
}
