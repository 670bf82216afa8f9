//! A veto: only a reason and Enter, for it stops something and there may be seconds left.

use crate::model::entry::Command;
use crate::text::SafeText;
use crate::tui::input::{Code, Key};
use crate::tui::panes::proposal;
use crate::tui::state::{Cx, Effect, Field, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};

use super::{Dialog, Sheet, Turn, field};

/// The open dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct Veto {
    rule: String,
    reason: Field,
    told: Option<String>,
}

/// Opens it on what a rule is about to do.
pub fn open(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if let Some(proposal) = cx.world.proposal() {
        let rule = proposal.fired.rule.clone();
        let veto = Veto { rule, reason: Field::default(), told: None };
        ui.open(Dialog::Veto(Box::new(veto)), cx.now);
    }
    Vec::new()
}

impl Veto {
    /// Closes when that rule is about to do nothing any more.
    pub fn review(&self, cx: Cx<'_>) -> Option<String> {
        let same = cx.world.proposal().is_some_and(|one| one.fired.rule == self.rule);
        match cx.world.situation.open_run() {
            _ if same => None,
            Some(run) => Some(format!("run {} has begun: x stops it", run.id)),
            None => Some(format!("rule {} is about to do nothing any more", self.rule)),
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        self.told = None;
        if key.code != Code::Enter {
            self.reason.key(key);
            return Turn::Stay;
        }
        let reason = self.reason.text.trim();
        if reason.is_empty() {
            self.told = Some("say why, in a word: it stands in the timeline".to_owned());
            return Turn::Stay;
        }
        if let Some(why) = cx.world.silenced() {
            self.told = Some(format!("cannot be given now: {why}"));
            return Turn::Stay;
        }
        let (rule, reason) = (SafeText::new(&self.rule), SafeText::new(reason));
        Turn::Do(vec![Effect::Send(Command::Veto { rule, reason })])
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        self.reason.paste(text);
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let stands = view.world.proposal().map(|one| proposal::stands(view, one));
        let text = "its plan is put away with it; it acts again when its condition was over and \
                    comes back, and its cooldown has passed";
        let lines = widgets::wrap(text, width).into_iter();
        let cells = width.saturating_sub(8).clamp(8, 80);
        let (row, column) = field("Why:  ", &self.reason.text, cells);
        let below = match &self.told {
            Some(told) => Row::of(Role::Warn, told.clone()),
            None => Row::of(Role::Muted, "Enter vetoes.  Esc: the rule goes on"),
        };
        Sheet {
            title: format!("VETO RULE {}", self.rule),
            remark: stands.unwrap_or_default(),
            danger: true,
            facts: lines.map(|line| Row::of(Role::Base, line)).collect(),
            pinned: vec![row, below],
            cursor: Some((0, column)),
            ..Sheet::default()
        }
    }
}
