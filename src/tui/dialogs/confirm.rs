//! Type ROLLBACK. Bound to the plan's digest; a verdict that changes empties the field.

use crate::model::entry::Command;
use crate::model::ids::{Digest, Time};
use crate::model::plan::{Level, PreflightAnswer};
use crate::model::reading::Status;
use crate::model::situation::Situation;
use crate::text::SafeText;
use crate::tui::input::{Code, Key};
use crate::tui::panes::plan::{no_return, one_way};
use crate::tui::state::{Cx, Effect, Field, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{Row, fact};
use crate::tui::words;
use crate::tui::world::{LeadStand, World};

use super::{Dialog, Sheet, Turn, field};

/// The word.
pub const WORD: &str = "ROLLBACK";

/// Opens it, when a plan is on the table.
pub fn open(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if let Some(confirm) = Confirm::new(cx) {
        ui.open(Dialog::Confirm(Box::new(confirm)), cx.now);
    }
    Vec::new()
}

/// What is to be typed: with several environments configured, a level that can lose data in
/// production asks for its name too.
pub fn word(world: &World) -> String {
    let situation = &world.situation;
    let level = situation.plan.as_ref().map(|open| open.plan.core.level);
    let deep = match level {
        Some(Level::Full | Level::PointInTime) => true,
        Some(Level::Switch) | None => false,
    };
    if deep && situation.production() && world.environments.len() > 1 {
        format!("{WORD} {}", situation.environment())
    } else {
        WORD.to_owned()
    }
}

/// The open confirmation.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    /// What was read: an approval names it.
    plan: Digest,
    /// Verdicts as they were when the word was begun.
    facts: Facts,
    typed: Field,
    /// Why the field was emptied.
    emptied: Option<String>,
    /// Whether the plan that was read is no longer on the table.
    gone: bool,
    scroll: usize,
}

/// What the confirmation rests on: verdicts, never moving numbers.
#[derive(Clone, Debug, PartialEq)]
struct Facts {
    lead: LeadStand,
    preflight: Vec<(SafeText, PreflightAnswer)>,
}

fn facts(world: &World) -> Facts {
    let preflight = world.situation.plan.as_ref().map_or_else(Vec::new, |open| {
        let lines = open.preflight.iter();
        lines.map(|line| (line.name.clone(), line.answer)).collect()
    });
    // A lead whose line comes or goes is the same lead.
    let lead = match world.lead() {
        LeadStand::Other(name, _) => LeadStand::Other(name, None),
        stand => stand,
    };
    Facts { lead, preflight }
}

impl Confirm {
    /// The confirmation of the plan on the table.
    pub fn new(cx: Cx<'_>) -> Option<Self> {
        let open = cx.world.situation.plan.as_ref()?;
        Some(Self {
            plan: open.digest.clone(),
            facts: facts(cx.world),
            typed: Field::default(),
            emptied: None,
            gone: false,
            scroll: 0,
        })
    }

    /// Empties the field and says why.
    pub fn empty(&mut self, why: &str) {
        if !self.typed.text.is_empty() {
            self.emptied = Some(format!("emptied: {why}"));
            self.typed.text.clear();
        }
    }

    /// Refuses a paste: what is not typed is not meant.
    pub fn refuse_paste(&mut self) {
        self.emptied = Some("paste is refused here: type the word".to_owned());
        self.typed.text.clear();
    }

    /// Whether Enter starts the run.
    pub fn complete(&self, world: &World) -> bool {
        self.typed.text == word(world) && self.hindered(world).is_none()
    }

    fn hindered(&self, world: &World) -> Option<String> {
        if self.gone {
            return Some(
                "the plan that was read is no longer on the table: Esc, read it".to_owned(),
            );
        }
        if let Some(why) = world.cannot_start() {
            return Some(why);
        }
        world.blocker().map(|line| format!("{}: {}", line.name, line.text))
    }

    /// Empties the field when a verdict changed under it.
    pub fn review(&mut self, cx: Cx<'_>) -> Option<String> {
        let situation = &cx.world.situation;
        if situation.open_run().is_some() {
            return Some("a run has started: nothing more to confirm".to_owned());
        }
        let now_on_table = situation.plan.as_ref().map(|open| &open.digest);
        if now_on_table != Some(&self.plan) {
            if !self.gone {
                self.gone = true;
                let fresh = now_on_table.map_or_else(|| "no plan".to_owned(), Digest::short);
                self.typed.text.clear();
                self.emptied = Some(format!(
                    "the plan changed: {} is gone, {fresh} is on the table",
                    self.plan.short()
                ));
            }
            return None;
        }
        let fresh = facts(cx.world);
        if fresh != self.facts {
            let why = difference(&self.facts, &fresh);
            self.typed.text.clear();
            self.emptied = Some(format!("emptied: {why}"));
            self.facts = fresh;
        }
        None
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        // What changed while no news was handled counts before the key does.
        if let Some(why) = self.review(cx) {
            self.empty(&why);
            return Turn::Stay;
        }
        match key.code {
            Code::F(2) => {
                return Turn::Instead(Box::new(super::Dialog::Read(super::read::Page::Plan, 0)));
            }
            Code::PageDown | Code::Down => self.scroll = (self.scroll + 1).min(60),
            Code::PageUp | Code::Up => self.scroll = self.scroll.saturating_sub(1),
            Code::Enter if self.complete(cx.world) => {
                let lead = match cx.world.lead() {
                    LeadStand::Mine(term) => term,
                    LeadStand::Nobody | LeadStand::Other(..) => {
                        cx.world.situation.lead.as_ref().map_or(0, |lead| lead.term)
                    }
                };
                return Turn::Do(vec![Effect::Send(Command::Approve {
                    plan: self.plan.clone(),
                    lead,
                    reason: SafeText::new(&reason(&cx.world.situation, cx.now)),
                    accept_loss: None,
                })]);
            }
            Code::Char(_) if self.hindered(cx.world).is_some() => {}
            _ => {
                if self.typed.text.len() < word(cx.world).len() + 16 || key.code == Code::Backspace
                {
                    self.typed.key(key);
                    self.emptied = None;
                }
            }
        }
        Turn::Stay
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let world = view.world;
        let mut facts = Vec::new();
        if let Some(open) = &world.situation.plan {
            facts = self.facts_rows(view, open, width);
        }
        let word = word(world);
        let whole = word.chars().count();
        let label = format!("Type {word}:  ");
        let cells = (whole + 2).min(width.saturating_sub(label.len() + 26).max(10));
        let (row, column) = field(&label, &self.typed.text, cells);
        let right = word
            .chars()
            .zip(self.typed.text.chars())
            .take_while(|(wanted, typed)| wanted == typed)
            .count();
        let note = if self.typed.text == word {
            "  complete".to_owned()
        } else if right < self.typed.text.chars().count() {
            "  not the word: use capitals, Backspace".to_owned()
        } else {
            format!("  {right}/{whole} typed, paste is off")
        };
        let what = match (self.hindered(world), &self.emptied) {
            (Some(why), _) => Row::of(Role::Fail, why),
            (None, Some(why)) => Row::of(Role::Warn, why.clone()),
            (None, None) if self.complete(world) => {
                Row::of(Role::Danger, "Enter STARTS the rollback. Esc: nothing happens")
            }
            (None, None) => {
                Row::of(Role::Muted, "Enter works when the word is whole. Esc: nothing happens")
            }
        };
        Sheet {
            title: "CONFIRM ROLLBACK".to_owned(),
            remark: if world.situation.production() {
                "changes PRODUCTION".to_owned()
            } else {
                format!("changes {}", world.situation.environment())
            },
            danger: true,
            facts,
            pinned: vec![row.put(Role::Muted, note), what],
            cursor: Some((0, column)),
            scroll: self.scroll,
            whole: false,
        }
    }

    fn facts_rows(
        &self,
        view: &View<'_>,
        open: &crate::model::situation::OpenPlan,
        width: usize,
    ) -> Vec<Row> {
        let world = view.world;
        let situation = &world.situation;
        let core = &open.plan.core;
        let face = world.face().unwrap_or(&open.plan.face);
        let kind = if situation.production() { "PROD " } else { "" };
        let mut rows = fact("Environment", &format!("{kind}{}", core.environment), width);
        let colors = face.colors.as_ref().map_or_else(String::new, |(_, to)| format!("{to} "));
        rows.extend(fact(
            "Level",
            &format!(
                "L{} {}, {} -> {colors}{}, plan {}",
                core.level,
                core.level.words(),
                core.from,
                core.to,
                self.plan.short()
            ),
            width,
        ));
        rows.extend(fact("Data", face.data.as_str(), width));
        let mut not_undone: Vec<String> = face.not_undone.iter().map(ToString::to_string).collect();
        if let Some((at, id)) = no_return(&core.steps) {
            // A swap can be taken back; what was written since then is what it loses.
            let back = open.plan.step(id).is_some_and(|step| step.undo.is_some());
            let what = if back { "loses data, and asks again before" } else { "has no way back" };
            not_undone.insert(0, format!("step {} {what}", at + 1));
        }
        if not_undone.is_empty() {
            not_undone.push(match one_way(&core.steps) {
                None => "nothing: every step has its way back".to_owned(),
                Some(steps) => format!("{steps}, no data in it"),
            });
        }
        rows.extend(fact("Not undone", &not_undone.join("; "), width));
        rows.extend(fact("Reason", &reason(situation, view.now), width));
        rows.extend(fact("Open", &unknowns(situation), width));
        rows
    }
}

fn difference(before: &Facts, after: &Facts) -> String {
    if before.lead != after.lead {
        return "the lead changed".to_owned();
    }
    let changed = after.preflight.iter().find(|line| !before.preflight.contains(line));
    changed.map_or_else(
        || "what was looked at before has changed".to_owned(),
        |(name, answer)| {
            let word = match answer {
                PreflightAnswer::Ok => "ok",
                PreflightAnswer::Warn => "WARN",
                PreflightAnswer::Block => "BLOCK",
                PreflightAnswer::Unknown => "UNKNOWN",
            };
            format!("{name} is now {word}")
        },
    )
}

/// The reason for the history line: what was measured, how long ago first, by which rule.
pub fn reason(situation: &Situation, now: Time) -> String {
    let Some(assessment) = &situation.assessment else {
        return "started by hand, nothing was judged".to_owned();
    };
    let what = assessment
        .because
        .first()
        .map_or_else(|| "no failing signal".to_owned(), ToString::to_string);
    let since = words::clock(words::since(assessment.since, now));
    match assessment.decided_by() {
        Some(node) => format!("{what}, first {since} ago (tree rule {})", node.node),
        None => format!("{what}, first {since} ago (severity {})", assessment.severity.label()),
    }
}

fn unknowns(situation: &Situation) -> String {
    let names: Vec<&str> = situation
        .checks
        .iter()
        .filter(|(_, card)| card.status == Status::Unknown && !card.off())
        .map(|(id, _)| id.as_str())
        .collect();
    if names.is_empty() {
        return "no check is UNKNOWN".to_owned();
    }
    format!(
        "{} UNKNOWN ({}): you continue without",
        words::count(names.len(), "check"),
        names.join(", ")
    )
}
