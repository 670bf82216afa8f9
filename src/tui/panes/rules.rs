//! The rules: where each stands, what that rests on, what holds it back, and whether all are frozen.
//! A page of its own.

use crate::model::rule::book::{RuleCard, RuleFace, RuleState};
use crate::model::rule::{Mode, Shown};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row, fact_as};
use crate::tui::words;

/// How many there are, and how many are met.
pub fn remark(view: &View<'_>) -> String {
    let book = &view.world.situation.rules;
    let met = book.cards.values().filter(|card| card.state == RuleState::Met).count();
    format!("{}, {met} met", words::count(book.rules.len(), "rule"))
}

/// All of it for reading.
pub fn rows(view: &View<'_>, width: usize) -> Vec<Row> {
    let book = &view.world.situation.rules;
    let mut rows = Vec::new();
    if let Some(freeze) = &book.frozen {
        let left = words::clock(words::since(view.now, freeze.until));
        let text = format!(
            "FROZEN by {} for {left} more: {}. Nothing starts by rules; :thaw WHY ends it",
            freeze.by, freeze.reason
        );
        rows.extend(lines(Role::Warn, &text, width));
        rows.push(Row::new());
    }
    if let Some(proposal) = view.world.proposal() {
        let text = format!(
            "{} {}: {}",
            proposal.fired.rule,
            super::proposal::stands(view, proposal),
            proposal.fired.text
        );
        rows.extend(lines(Role::Danger, &text, width));
        rows.extend(parts(&proposal.fired.evidence, width));
        rows.push(Row::new());
    }
    let mut rules: Vec<&RuleFace> = book.rules.iter().collect();
    // What is met is read first, then what is broken or unknown, then by priority.
    rules.sort_by_key(|rule| (rank(book.cards.get(&rule.id)), rule.priority));
    if rules.is_empty() {
        let text = "no rules are configured: write monitoring_rules into the configuration, then \
                    backout rules test shows what they would have done";
        rows.extend(lines(Role::Muted, text, width));
    }
    for rule in rules {
        rows.extend(one(view, rule, book.cards.get(&rule.id), width));
    }
    rows
}

fn rank(card: Option<&RuleCard>) -> u8 {
    match card.map(|card| &card.state) {
        Some(RuleState::Met) => 0,
        Some(RuleState::Pending) => 1,
        Some(RuleState::Broken(_)) => 2,
        Some(RuleState::Unknown(_)) | None => 3,
        Some(RuleState::Quiet) => 4,
    }
}

fn one(view: &View<'_>, rule: &RuleFace, card: Option<&RuleCard>, width: usize) -> Vec<Row> {
    let state = card.map(|card| &card.state);
    let (role, why) = match state {
        Some(RuleState::Met) => (Role::Fail, None),
        Some(RuleState::Pending) => (Role::Warn, None),
        Some(RuleState::Broken(why)) => (Role::Fail, Some(why.to_string())),
        Some(RuleState::Unknown(why)) => (Role::Unknown, Some(why.to_string())),
        Some(RuleState::Quiet) => (Role::Base, None),
        None => (Role::Muted, None),
    };
    let word = state.map_or("not judged", RuleState::word);
    let does = match rule.mode {
        Mode::Enforce => rule.action.name().to_owned(),
        Mode::Propose => format!("proposes {}", rule.action.name()),
        Mode::DryRun => format!("{} (dry run)", rule.action.name()),
    };
    let mut row =
        Row::new().pad(role, word, 11).pad(Role::Title, &rule.id, 26).put(Role::Base, does);
    if let Some(card) = card {
        let since = words::age(words::since(card.since, view.now));
        row = row.put(Role::Muted, format!("  since {since}"));
        if let Some(at) = card.fired_at {
            let ago = words::age(words::since(at, view.now));
            row = row.put(Role::Muted, format!(", acted {ago} ago"));
        }
    }
    let mut rows = row.fold(width, 11);
    let indent = |role, name, text: &str| fact_as(role, name, text, width);
    rows.extend(indent(Role::Muted, "  when", rule.condition.as_str()));
    if let Some(held) = card.and_then(|card| card.held.as_ref()) {
        rows.extend(indent(Role::Warn, "  held", held.as_str()));
    }
    if let Some(why) = why {
        rows.extend(indent(role, "  because", &why));
    }
    let quiet = state.is_none_or(|state| *state == RuleState::Quiet);
    if let Some(card) = card.filter(|_| !quiet) {
        rows.extend(parts(&card.evidence, width));
    }
    rows
}

fn parts(evidence: &[Shown], width: usize) -> Vec<Row> {
    let parts = evidence.iter();
    parts.flat_map(|part| fact_as(Role::Base, "  =", &part.words(), width)).collect()
}

fn lines(role: Role, text: &str, width: usize) -> Vec<Row> {
    widgets::wrap(text, width).into_iter().map(|line| Row::of(role, line)).collect()
}
