//! Words that commit: stop a run, vouch for a step, take the lead, end a window, close.

use crate::model::ids::{RunId, StepId};
use crate::text::SafeText;
use crate::tui::input::{Code, Key};
use crate::tui::state::{Cx, Effect, Field, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::world::LeadStand;

use super::{Bar, Dialog, Sheet, Turn, field};

mod ask;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// How to stop the run.
    Abort(RunId),
    /// A person vouches for the step.
    MarkDone(RunId, StepId, u32),
    /// Once more.
    Retry(RunId, StepId, u32),
    /// Without it.
    Skip(RunId, StepId, u32),
    /// Go on with a paused run.
    Resume(RunId),
    /// Become the lead, or ask the one who leads.
    TakeLead,
    /// Give the lead to the one who asked.
    HandLead(u32, SafeText),
    /// End the watch window.
    EndWatch(RunId),
    /// Close the incident.
    Close,
    /// Say how bad it is, whatever is measured; the assessment that is on the screen.
    Severity(u64),
    /// What becomes of the restored copy; the minutes that a swap loses.
    Choose(RunId, StepId, Option<u64>),
}

/// Opens what asks for a word, when there is something to ask.
fn ask(ui: &mut Ui, cx: Cx<'_>, asked: Option<Ask>) -> Vec<Effect> {
    if let Some(asked) = asked {
        ui.open(Dialog::Typed(Box::new(Typed::new(asked))), cx.now);
    }
    Vec::new()
}

fn open_run(cx: Cx<'_>) -> Option<RunId> {
    cx.world.situation.open_run().map(|run| run.id.clone())
}

/// The step that waits for a person.
fn waiting(cx: Cx<'_>) -> Option<(RunId, StepId, u32)> {
    let run = cx.world.situation.open_run()?;
    let state = run.step(run.waiting.as_ref()?.step.as_ref()?)?;
    Some((run.id.clone(), state.id.clone(), state.attempt))
}

/// Asks how to stop the run.
pub fn open_abort(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ask(ui, cx, open_run(cx).map(Ask::Abort))
}

/// Asks whether to go on with a paused run.
pub fn open_resume(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ask(ui, cx, open_run(cx).map(Ask::Resume))
}

/// Asks whether to end the watch window.
pub fn open_end_watch(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ask(ui, cx, open_run(cx).map(Ask::EndWatch))
}

/// Asks whether to close the incident.
pub fn open_close(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ask(ui, cx, Some(Ask::Close))
}

/// Asks how bad it is, whatever is measured.
pub fn open_severity(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let known = cx.world.situation.assessment.as_ref();
    ask(ui, cx, known.map(|known| Ask::Severity(known.number)))
}

/// Asks whether to take the lead, or to hand it to the one who asks for it.
pub fn open_take_lead(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let asks = cx.world.situation.lead_asked.last();
    let asked = match (cx.world.lead(), asks) {
        (LeadStand::Mine(_), Some(one)) => Ask::HandLead(one.who.uid, one.who.name.clone()),
        _ => Ask::TakeLead,
    };
    ask(ui, cx, Some(asked))
}

/// Asks a person to vouch for the step.
pub fn open_mark_done(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ask(ui, cx, waiting(cx).map(|(run, step, at)| Ask::MarkDone(run, step, at)))
}

/// Asks what becomes of the restored copy.
pub fn open_choose(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let asked = cx.world.situation.open_run().and_then(|run| {
        let minutes = run.loss.as_ref().map(|loss| loss.minutes(loss.until.unwrap_or(loss.from)));
        Some(Ask::Choose(run.id.clone(), run.asks()?.clone(), minutes))
    });
    ask(ui, cx, asked)
}

/// Asks whether to try the step again.
pub fn open_try_again(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ask(ui, cx, waiting(cx).map(|(run, step, at)| Ask::Retry(run, step, at)))
}

/// Asks whether to leave the step out.
pub fn open_leave_out(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ask(ui, cx, waiting(cx).map(|(run, step, at)| Ask::Skip(run, step, at)))
}

/// The open dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    /// What is asked.
    pub ask: Ask,
    word: Field,
    reason: Field,
    in_reason: bool,
    told: Option<String>,
}

impl Typed {
    /// With empty fields.
    pub fn new(ask: Ask) -> Self {
        Self { ask, word: Field::default(), reason: Field::default(), in_reason: false, told: None }
    }

    /// Forgets the word.
    pub fn forget(&mut self) {
        self.word.text.clear();
        self.in_reason = false;
    }

    /// Takes a paste into the reason only.
    pub fn paste(&mut self, text: &str) {
        if self.in_reason {
            self.reason.paste(text);
        } else {
            self.told = Some("paste is refused here: type the word".to_owned());
            self.word.text.clear();
        }
    }

    fn whole_word(&self) -> bool {
        self.ask.words().contains(&self.word.text.as_str())
    }

    /// Whether Enter commits.
    pub fn complete(&self) -> bool {
        self.whole_word() && self.ask.accepts(&self.word.text, self.reason.text.trim())
    }

    /// Closes when what it is about is over.
    pub fn review(&mut self, cx: Cx<'_>) -> Option<String> {
        let open = cx.world.situation.open_run();
        let wanted = self.ask.run()?;
        if open.is_none_or(|run| &run.id != wanted) {
            return Some(format!("run {wanted} ended meanwhile"));
        }
        match &self.ask {
            Ask::MarkDone(_, step, attempt)
            | Ask::Retry(_, step, attempt)
            | Ask::Skip(_, step, attempt) => {
                let run = open?;
                let same = run.step(step).is_some_and(|state| state.attempt == *attempt);
                let waits = run.waiting.as_ref().is_some_and(|w| w.step.as_ref() == Some(step));
                (!same || !waits).then(|| format!("{step} no longer waits for you"))
            }
            Ask::Choose(_, step, minutes) => {
                let run = open?;
                let lost =
                    run.loss.as_ref().map(|loss| loss.minutes(loss.until.unwrap_or(loss.from)));
                let same = run.asks() == Some(step) && lost == *minutes;
                (!same).then(|| "it was chosen, or the loss changed: look again".to_owned())
            }
            Ask::Abort(_)
            | Ask::Resume(_)
            | Ask::TakeLead
            | Ask::HandLead(..)
            | Ask::EndWatch(_)
            | Ask::Close
            | Ask::Severity(_) => None,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        self.told = None;
        match key.code {
            Code::Enter if self.complete() => {
                let beside = self.ask.beside(&self.word.text, self.reason.text.trim(), cx);
                let beside = match beside {
                    Ok(beside) => beside,
                    Err(why) => {
                        self.told = Some(why);
                        self.in_reason = true;
                        return Turn::Stay;
                    }
                };
                let reason = SafeText::new(&beside);
                let command = self.ask.command(&self.word.text, reason);
                let closed =
                    if command.is_open() { cx.world.silenced() } else { cx.world.hindered() };
                if let Some(why) = closed {
                    self.told = Some(format!("cannot be given now: {why}"));
                    return Turn::Stay;
                }
                return Turn::Do(vec![Effect::Send(command)]);
            }
            Code::Enter if self.whole_word() => {
                let second = self.ask.second(&self.word.text).is_some();
                if self.in_reason && second {
                    self.told = Some("that is not what stands above".to_owned());
                }
                self.in_reason = second;
            }
            Code::Enter => {
                self.told = Some(format!("type {} in capitals", self.ask.words().join(" or ")));
            }
            Code::Tab | Code::BackTab | Code::Up | Code::Down
                if self.ask.second(&self.word.text).is_some() =>
            {
                self.in_reason = !self.in_reason;
            }
            _ if self.in_reason => {
                self.reason.key(key);
            }
            _ => {
                if self.word.text.len() < 16 || key.code == Code::Backspace {
                    self.word.key(key);
                }
            }
        }
        Turn::Stay
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let mut facts = Vec::new();
        let typed = &self.word.text;
        let meant = |word: &str| !typed.is_empty() && word.starts_with(typed.as_str());
        let mut consequences = self.ask.consequences(view.world);
        // What is being typed is read first, and whole where there is little room.
        consequences.sort_by_key(|(word, _)| !meant(word));
        let long = consequences.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
        let words = (long + 1).max(8);
        for (word, text) in consequences {
            let mut lines = widgets::wrap(&text, width.saturating_sub(words));
            if width < 70 && !meant(word) {
                lines = vec![crate::text::fit(&text, width.saturating_sub(words))];
            }
            let mut lines = lines.into_iter();
            let first = lines.next().unwrap_or_default();
            facts.push(Row::new().pad(Role::Title, word, words).put(Role::Base, first));
            facts.extend(lines.map(|line| Row::of(Role::Base, format!("{:words$}{line}", ""))));
        }
        let label = format!("Type {}:  ", self.ask.words().join(" or "));
        let (row, column) = field(&label, &self.word.text, 10);
        let mut pinned = vec![row];
        let mut cursor = (0, column);
        let second = self.ask.second(&self.word.text);
        if let Some(label) = second {
            let cells = width.saturating_sub(label.len() + 3).clamp(8, 60);
            let (row, column) = field(label, &self.reason.text, cells);
            pinned.push(row);
            if self.in_reason {
                cursor = (1, column);
            }
        }
        if let Some(told) = &self.told {
            // Both ends of a window are longer than a row.
            let lines = widgets::wrap(told, width).into_iter().take(4);
            pinned.extend(lines.map(|line| Row::of(Role::Warn, line)));
            return self.shown(facts, pinned, cursor);
        }
        pinned.push(match (second, self.complete()) {
            (Some("Which moment:  "), true) if self.reason.text.trim().is_empty() => Row::of(
                Role::Danger,
                "Enter: without a plan; Tab: type the moment. Esc: nothing happens",
            ),
            (_, true) => Row::of(Role::Danger, "Enter does it. Esc: nothing happens"),
            (_, false) if self.ask.needs_reason() => {
                Row::of(Role::Muted, "the word, Enter, the reason, Enter. Esc: nothing happens")
            }
            (Some(_), false) => {
                Row::of(Role::Muted, "Enter, then the minutes that are lost. Esc: nothing happens")
            }
            (None, false) => {
                Row::of(Role::Muted, "Enter works when the word is whole. Esc: nothing happens")
            }
        });
        self.shown(facts, pinned, cursor)
    }

    fn shown(&self, facts: Vec<Row>, pinned: Vec<Row>, cursor: (usize, usize)) -> Sheet {
        Sheet {
            title: self.ask.title(),
            danger: true,
            facts,
            pinned,
            cursor: Some(cursor),
            ..Sheet::default()
        }
    }

    /// The keys that work in it.
    pub fn bar(&self) -> Bar {
        let mut bar = vec![("Esc", "Back")];
        if self.complete() {
            bar.insert(0, ("Enter", "Do it"));
        } else if self.whole_word() {
            let next = match self.ask {
                Ask::Choose(..) => "To the minutes",
                _ => "To the reason",
            };
            bar.insert(0, ("Enter", next));
        }
        bar
    }
}
