//! Answer a question of the tree: y, n or u. "Not known" is an answer and is journaled.

use crate::model::entry::Command;
use crate::model::ids::NodeId;
use crate::model::tree::{Answer, Answered};
use crate::tui::input::{Code, Key};
use crate::tui::state::{Cx, Effect, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::world::World;

use super::{Dialog, Sheet, Turn};

/// Opens it, when a question is asked.
pub fn open(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if let Some(pick) = Pick::first(cx.world) {
        ui.open(Dialog::Answer(pick), cx.now);
    }
    Vec::new()
}

/// The question that is being answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    node: NodeId,
    /// The assessment that was on the screen.
    assessment: u64,
}

impl Pick {
    /// The first question that asks a person, else the first of all.
    pub fn first(world: &World) -> Option<Self> {
        let assessment = world.situation.assessment.as_ref()?;
        let path = &assessment.path;
        let node = path
            .iter()
            .find(|node| node.asks && node.answer == Answer::Unknown)
            .or_else(|| path.iter().find(|node| node.asks))
            .or_else(|| path.first())?;
        Some(Self { node: node.node.clone(), assessment: assessment.number })
    }

    /// The assessment may move on; the question stays.
    pub fn review(&mut self, cx: Cx<'_>) -> Option<String> {
        match &cx.world.situation.assessment {
            Some(assessment) if assessment.path.iter().any(|node| node.node == self.node) => {
                self.assessment = assessment.number;
                None
            }
            Some(_) | None => Some("that question is no longer asked".to_owned()),
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        let answer = match key.code {
            Code::Char('y') => Answer::Yes,
            Code::Char('n') => Answer::No,
            Code::Char('u') => Answer::Unknown,
            Code::Char(c) if c.is_ascii_digit() => {
                self.choose(cx.world, &c.to_string());
                return Turn::Stay;
            }
            _ => return Turn::Stay,
        };
        if key.ctrl || key.alt {
            return Turn::Stay;
        }
        Turn::Do(vec![Effect::Send(Command::Answer {
            node: self.node.clone(),
            assessment: self.assessment,
            answer,
        })])
    }

    fn choose(&mut self, world: &World, name: &str) {
        let path = world.situation.assessment.as_ref().map(|now| &now.path);
        if let Some(node) =
            path.and_then(|path| path.iter().find(|node| node.node.as_str() == name))
        {
            self.node = node.node.clone();
        }
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let path = view
            .world
            .situation
            .assessment
            .as_ref()
            .map(|assessment| assessment.path.as_slice())
            .unwrap_or_default();
        let mut facts = Vec::new();
        for node in path {
            let chosen = node.node == self.node;
            let mark = if chosen { view.glyphs().run } else { " " };
            let text = format!("{mark} {} {} {}", node.node, node.question, node.answer.words());
            facts.push(Row::of(if chosen { Role::Title } else { Role::Muted }, text));
            if chosen {
                facts.extend(known(node, width));
            }
        }
        Sheet {
            title: format!("Answer question {}", self.node),
            remark: "counts for 10 minutes".to_owned(),
            facts,
            pinned: vec![
                Row::of(Role::Base, "y yes    n no    u not known (journaled as such)"),
                Row::of(
                    Role::Muted,
                    "a number chooses another question.  Esc = nothing is answered",
                ),
            ],
            ..Sheet::default()
        }
    }
}

fn known(node: &Answered, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(reason) = node.reason {
        let text = format!("    {}: {}", reason.words(), reason.fix());
        rows.push(Row::of(Role::Info, text));
    }
    for evidence in node.evidence.iter().take(3) {
        for line in widgets::wrap(evidence.as_str(), width.saturating_sub(4)) {
            rows.push(Row::of(Role::Muted, format!("    {line}")));
        }
    }
    if rows.is_empty() {
        rows.push(Row::of(Role::Muted, "    nothing measures this: only a person can say"));
    }
    rows
}
