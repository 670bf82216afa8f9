//! Stop the bleeding: choose what to hold or to lift, type the word, say why.

use crate::model::entry::Command;
use crate::model::hold::{self, CanHold, HoldPart};
use crate::text::SafeText;
use crate::tui::input::{Code, Key};
use crate::tui::state::{Cx, Effect, Field, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::world::World;

use super::{Bar, Sheet, Turn, field};

/// The open dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Whether it holds, or lifts.
    pub holds: bool,
    chosen: Vec<HoldPart>,
    word: Field,
    reason: Field,
    in_reason: bool,
    told: Option<String>,
}

/// Opens the dialog that holds.
pub fn open(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if let Some(hold) = Hold::stop_bleeding(cx.world) {
        ui.open(super::Dialog::Hold(Box::new(hold)), cx.now);
    }
    Vec::new()
}

/// Opens the dialog that lifts.
pub fn open_lift(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if let Some(hold) = Hold::lift(cx.world) {
        ui.open(super::Dialog::Hold(Box::new(hold)), cx.now);
    }
    Vec::new()
}

/// What can be held here now, and is not.
pub fn free(world: &World) -> Vec<CanHold> {
    let can = world.live.as_ref().map(|live| live.can_hold.clone()).unwrap_or_default();
    can.into_iter().filter(|one| one.can && !held(world, one.part)).collect()
}

fn held(world: &World, part: HoldPart) -> bool {
    world.situation.holds.contains_key(&part)
}

impl Hold {
    /// Holds; chosen is what costs users least, for there is no time to choose.
    pub fn stop_bleeding(world: &World) -> Option<Self> {
        let first = free(world).first()?.part;
        Some(Self::of(true, vec![first]))
    }

    /// Lifts; chosen is all that is held.
    pub fn lift(world: &World) -> Option<Self> {
        let held: Vec<HoldPart> = world.situation.holds.keys().copied().collect();
        (!held.is_empty()).then(|| Self::of(false, held))
    }

    fn of(holds: bool, chosen: Vec<HoldPart>) -> Self {
        let (word, reason) = (Field::default(), Field::default());
        Self { holds, chosen, word, reason, in_reason: false, told: None }
    }

    fn commit(&self) -> &'static str {
        if self.holds { "HOLD" } else { "LIFT" }
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
        self.word.text == self.commit()
    }

    /// Whether Enter commits.
    pub fn complete(&self) -> bool {
        self.whole_word() && !self.reason.text.trim().is_empty() && !self.chosen.is_empty()
    }

    /// Closes when there is nothing left to lift.
    pub fn review(&mut self, cx: Cx<'_>) -> Option<String> {
        if self.holds {
            return None;
        }
        self.chosen.retain(|part| held(cx.world, *part));
        cx.world.situation.holds.is_empty().then(|| "nothing is held any more".to_owned())
    }

    /// What can be chosen: the parts with what each costs, or how each stands.
    fn choices(
        &self,
        world: &World,
        now: crate::model::ids::Time,
    ) -> Vec<(HoldPart, bool, String)> {
        let known = world.live.as_ref().map(|live| live.can_hold.as_slice()).unwrap_or_default();
        HoldPart::ALL
            .into_iter()
            .filter_map(|part| {
                let stands = hold::sentence(&world.situation, part, now);
                if !self.holds {
                    return Some((part, true, stands?));
                }
                if let Some(stands) = stands {
                    return Some((part, false, stands));
                }
                let one = known.iter().find(|one| one.part == part)?;
                let text = if one.can {
                    format!("{}: {}", part.words(), one.text)
                } else {
                    format!("{}: cannot be held: {}", part.words(), one.text)
                };
                Some((part, one.can, text))
            })
            .collect()
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        self.told = None;
        match key.code {
            Code::Enter if self.complete() => return self.send(cx),
            Code::Enter if self.chosen.is_empty() => {
                self.told = Some("nothing is chosen: 1, 2 or 3 choose".to_owned());
            }
            Code::Enter if self.whole_word() => self.in_reason = true,
            Code::Enter => self.told = Some(format!("type {} in capitals", self.commit())),
            Code::Tab | Code::BackTab | Code::Up | Code::Down => self.in_reason = !self.in_reason,
            Code::Char(digit @ '1'..='3') if !self.in_reason => self.choose(digit, cx),
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

    fn choose(&mut self, digit: char, cx: Cx<'_>) {
        let at = digit.to_digit(10).map_or(0, |digit| digit as usize).saturating_sub(1);
        let choices = self.choices(cx.world, cx.now);
        match choices.get(at) {
            Some((part, true, _)) if self.chosen.contains(part) => {
                self.chosen.retain(|chosen| chosen != part);
            }
            Some((part, true, _)) => self.chosen.push(*part),
            Some((_, false, why)) => self.told = Some(why.clone()),
            None => {}
        }
    }

    fn send(&mut self, cx: Cx<'_>) -> Turn {
        if let Some(why) = cx.world.hindered() {
            self.told = Some(format!("cannot be given now: {why}"));
            return Turn::Stay;
        }
        let mut parts = self.chosen.clone();
        parts.sort_unstable();
        let reason = SafeText::new(self.reason.text.trim());
        let command = if self.holds {
            Command::Hold { parts, reason }
        } else {
            Command::Unhold { parts, reason }
        };
        Turn::Do(vec![Effect::Send(command)])
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let mut facts = Vec::new();
        for (at, (part, can, text)) in self.choices(view.world, view.now).into_iter().enumerate() {
            let mark = if self.chosen.contains(&part) { "[x]" } else { "[ ]" };
            let role = if can { Role::Base } else { Role::Muted };
            let mut lines = widgets::wrap(&text, width.saturating_sub(7)).into_iter();
            let first = lines.next().unwrap_or_default();
            let head = format!("{} {} ", at + 1, if can { mark } else { " - " });
            facts.push(Row::of(Role::Title, head).put(role, first));
            facts.extend(lines.map(|line| Row::of(role, format!("{:6}{line}", ""))));
        }
        let (word, column) = field(&format!("Type {}:  ", self.commit()), &self.word.text, 8);
        let cells = width.saturating_sub(12).clamp(8, 60);
        let (reason, reason_column) = field("Reason:  ", &self.reason.text, cells);
        let cursor = if self.in_reason { (1, reason_column) } else { (0, column) };
        let below = match (&self.told, self.complete()) {
            (Some(told), _) => Row::of(Role::Warn, told.clone()),
            (None, true) => Row::of(Role::Danger, "Enter does it. Esc: nothing happens"),
            (None, false) => Row::of(
                Role::Muted,
                "1-3 choose, the word, Enter, the reason, Enter. Esc: nothing happens",
            ),
        };
        Sheet {
            title: if self.holds { "STOP THE BLEEDING" } else { "LIFT WHAT IS HELD" }.to_owned(),
            remark: if self.holds { "takes seconds, lifted by U" } else { "" }.to_owned(),
            danger: true,
            facts,
            pinned: vec![word, reason, below],
            cursor: Some(cursor),
            ..Sheet::default()
        }
    }

    /// The keys that work in it.
    pub fn bar(&self) -> Bar {
        let mut bar = vec![("Esc", "Back"), ("1-3", "Choose")];
        if self.complete() {
            bar.insert(0, ("Enter", if self.holds { "HOLD" } else { "Lift" }));
        } else if self.whole_word() {
            bar.insert(0, ("Enter", "To the reason"));
        }
        bar
    }
}
