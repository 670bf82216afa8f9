//! A guided procedure: its steps with what each runs, what is expected, what may go wrong, and what
//! came of it. A step that looks runs on Enter; one that changes something takes a word; one that a
//! person does is ticked with what was done.

use crate::model::entry::Command;
use crate::model::guide::{Act, Deed, Guide, GuideEnd, GuideMark, GuideStep};
use crate::text::SafeText;
use crate::tui::input::{Code, Key};
use crate::tui::state::{Cx, Field};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row, fact};
use crate::tui::words;
use crate::tui::world::World;

use super::{Bar, Sheet, Turn, field};

/// The word that runs a step which changes something.
const RUN: &str = "RUN";

/// The open page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    guide: Guide,
    /// The chosen step, from 0.
    at: usize,
    /// The word, or what was done.
    field: Option<Field>,
    told: Option<String>,
}

impl Page {
    /// The procedure of that name, at its first step that is not done.
    pub fn of(world: &World, id: &str) -> Option<Self> {
        let guide = world.guides.iter().find(|guide| guide.id == id)?.clone();
        let open = (1_u8..).zip(&guide.steps).find(|(number, _)| {
            let mark = world.situation.guided(id, *number);
            !mark.and_then(|mark| mark.end.as_ref()).is_some_and(GuideEnd::is_well)
        });
        let at = open.map_or(0, |(number, _)| usize::from(number) - 1);
        Some(Self { guide, at, field: None, told: None })
    }

    /// Whether letters go into a field.
    pub fn types(&self) -> bool {
        self.field.is_some()
    }

    /// Whether Enter runs what changes something.
    pub fn complete(&self) -> bool {
        let changes = matches!(self.step().map(|step| &step.act), Some(Act::Change(_)));
        changes && self.field.as_ref().is_some_and(|field| field.text.trim() == RUN)
    }

    fn number(&self) -> u8 {
        u8::try_from(self.at + 1).unwrap_or(u8::MAX)
    }

    fn step(&self) -> Option<&GuideStep> {
        self.guide.steps.get(self.at)
    }

    /// Forgets a half-typed word.
    pub fn forget(&mut self) {
        self.field = None;
    }

    /// Closes when the file behind it was changed.
    pub fn review(&mut self, cx: Cx<'_>) -> Option<String> {
        let now = cx.world.guides.iter().find(|guide| guide.id == self.guide.id);
        let same = now.is_some_and(|guide| guide.digest == self.guide.digest);
        (!same).then(|| "the procedure is another one now".to_owned())
    }

    /// Takes a paste: never into the word.
    pub fn paste(&mut self, text: &str) {
        let hand = matches!(self.step().map(|step| &step.act), Some(Act::Hand | Act::Command(_)));
        match &mut self.field {
            Some(field) if hand => field.paste(text),
            Some(field) => {
                field.text.clear();
                self.told = Some("paste is refused here: type the word".to_owned());
            }
            None => {}
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        self.told = None;
        if let Some(field) = &mut self.field {
            match key.code {
                Code::Enter => return self.entered(cx),
                Code::Up | Code::Down | Code::Tab | Code::BackTab => self.field = None,
                _ => {
                    field.key(key);
                }
            }
            return Turn::Stay;
        }
        let last = self.guide.steps.len().saturating_sub(1);
        match key.code {
            Code::Down | Code::Char('j') | Code::Tab => self.at = (self.at + 1).min(last),
            Code::Up | Code::Char('k') | Code::BackTab => self.at = self.at.saturating_sub(1),
            Code::Home => self.at = 0,
            Code::End => self.at = last,
            Code::Enter => return self.begin(cx),
            Code::Char('q') => return Turn::Close,
            _ => {}
        }
        Turn::Stay
    }

    fn begin(&mut self, cx: Cx<'_>) -> Turn {
        let Some(act) = self.step().map(|step| step.act.clone()) else { return Turn::Stay };
        match act {
            Act::Look(_) => self.send(Deed::Look, cx),
            Act::Change(_) | Act::Hand | Act::Command(_) => {
                self.field = Some(Field::default());
                Turn::Stay
            }
        }
    }

    fn entered(&mut self, cx: Cx<'_>) -> Turn {
        let typed = self.field.as_ref().map(|field| field.text.trim().to_owned());
        let typed = typed.unwrap_or_default();
        match self.step().map(|step| &step.act) {
            Some(Act::Change(_)) if typed == RUN => self.send(Deed::Change, cx),
            Some(Act::Change(_)) => {
                self.told = Some(format!("type {RUN} in capitals"));
                Turn::Stay
            }
            Some(Act::Hand | Act::Command(_)) if typed.is_empty() => {
                self.told = Some("say what was done, or what was found".to_owned());
                Turn::Stay
            }
            Some(Act::Hand | Act::Command(_)) => {
                self.send(Deed::Done { note: SafeText::new(&typed) }, cx)
            }
            Some(Act::Look(_)) | None => Turn::Stay,
        }
    }

    fn send(&mut self, deed: Deed, cx: Cx<'_>) -> Turn {
        if let Some(why) = cx.world.hindered() {
            self.told = Some(format!("cannot be given now: {why}"));
            return Turn::Stay;
        }
        self.field = None;
        let (guide, digest) = (SafeText::new(&self.guide.id), self.guide.digest.clone());
        Turn::Send(Command::Guide { guide, step: self.number(), digest, deed })
    }

    /// What it shows: the list of steps, the chosen one in full.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let mut facts: Vec<Row> = self
            .guide
            .intro
            .iter()
            .flat_map(|text| widgets::wrap(text.as_str(), width))
            .map(|line| Row::of(Role::Muted, line))
            .collect();
        let mut chosen = 0;
        for (number, step) in (1_u8..).zip(&self.guide.steps) {
            let here = number == self.number();
            let mark = view.world.situation.guided(&self.guide.id, number);
            if here {
                chosen = facts.len();
            }
            facts.push(head(number, step, mark, view).select(here));
            if here {
                facts.extend(whole(step, mark, width));
                let due = self.guide.due(&view.world.situation, number, view.now);
                facts.extend(due.map(|due| Row::of(Role::Warn, format!("   {due}"))));
            }
        }
        let mut pinned = Vec::new();
        let mut cursor = None;
        if let (Some(typed), Some(step)) = (&self.field, self.step()) {
            let label = match step.act {
                Act::Change(_) => "Type RUN:  ",
                Act::Hand | Act::Command(_) | Act::Look(_) => "What was done:  ",
            };
            let cells = width.saturating_sub(label.len() + 3).clamp(8, 60);
            let (row, column) = field(label, &typed.text, cells);
            pinned.push(row);
            cursor = Some((0, column));
        }
        match (&self.told, self.step().map(|step| &step.act)) {
            (Some(told), _) => pinned.push(Row::of(Role::Warn, told.clone())),
            (None, Some(Act::Look(_))) => {
                pinned.push(Row::of(Role::Base, "Enter runs it: it only looks"));
            }
            (None, Some(Act::Change(_))) => {
                pinned.push(Row::of(Role::Danger, "it CHANGES something: Enter, the word, Enter"));
            }
            (None, Some(Act::Hand | Act::Command(_))) => {
                pinned.push(Row::of(Role::Base, "you do it; Enter, what was done, Enter"));
            }
            (None, None) => {}
        }
        // The chosen step stays in view with what is in it.
        let scroll = chosen.saturating_sub(4);
        Sheet {
            title: self.guide.title.to_string(),
            remark: self.guide.standing(view.now),
            facts,
            pinned,
            cursor,
            scroll,
            whole: true,
            ..Sheet::default()
        }
    }

    /// The keys that work in it.
    pub fn bar(&self) -> Bar {
        if self.field.is_some() {
            return vec![("Enter", "Do it"), ("Up", "Leave the field"), ("Esc", "Back")];
        }
        let does = match self.step().map(|step| &step.act) {
            Some(Act::Look(_)) => "Look",
            Some(Act::Change(_)) => "Run …",
            Some(Act::Hand | Act::Command(_)) | None => "Done …",
        };
        vec![("Enter", does), ("Down", "Next step"), ("Up", "Step before"), ("Esc", "Back")]
    }
}

/// `2  reload nginx            changes   ok  alice, 12s ago`.
fn head(number: u8, step: &GuideStep, mark: Option<&GuideMark>, view: &View<'_>) -> Row {
    let kind = match step.act {
        Act::Hand => (Role::Muted, "by hand"),
        Act::Look(_) => (Role::Muted, "looks"),
        Act::Change(_) => (Role::Danger, "CHANGES"),
        Act::Command(_) => (Role::Warn, "command"),
    };
    let row = Row::new()
        .put(Role::Focus, format!("{number:>2} "))
        .pad(Role::Title, step.title.as_str(), 42)
        .pad(kind.0, kind.1, 8);
    let Some(mark) = mark else { return row };
    let ago = words::short(words::since(mark.at, view.now));
    let (role, word) = match &mark.end {
        None => (Role::Info, "runs …"),
        Some(end @ GuideEnd::Good) => (Role::Ok, end.word()),
        Some(end @ GuideEnd::ByHand(_)) => (Role::Info, end.word()),
        Some(end @ GuideEnd::Bad(_)) => (Role::Fail, end.word()),
        Some(end @ GuideEnd::Unknown(_)) => (Role::Unknown, end.word()),
    };
    row.pad(role, word, 8).put(Role::Muted, format!("{} {ago}", mark.by))
}

fn whole(step: &GuideStep, mark: Option<&GuideMark>, width: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = step
        .text
        .iter()
        .flat_map(|text| widgets::wrap(text.as_str(), width.saturating_sub(3)))
        .map(|line| Row::of(Role::Base, format!("   {line}")))
        .collect();
    // What is run is read whole.
    let line = SafeText::new(&step.act.line().unwrap_or_default().replace('\n', "; "));
    for (at, part) in widgets::wrap(line.as_str(), width.saturating_sub(5)).iter().enumerate() {
        if !part.is_empty() {
            let sign = if at == 0 { "   $ " } else { "     " };
            rows.push(Row::of(Role::Focus, sign).put(Role::Base, part.clone()));
        }
    }
    let named = [("   expect", &step.expect), ("   DANGER", &step.danger)];
    for (name, text) in named {
        if !text.is_empty() {
            rows.extend(fact(name, text.as_str(), width));
        }
    }
    let Some(mark) = mark else { return rows };
    if let Some(why) = mark.end.as_ref().map(GuideEnd::why).filter(|why| !why.is_empty()) {
        rows.extend(fact("   result", why, width));
    }
    rows.extend(mark.tail.iter().map(|line| Row::of(Role::Muted, format!("   | {line}"))));
    rows
}
