//! What a rule is about to do, or asks a person to do: until when, what it rests on, and the ways to
//! answer. Nothing has changed yet while this is shown.

use crate::model::rule::Mode;
use crate::model::rule::book::Proposal;
use crate::tui::action::Action;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{Row, fact, fact_as};
use crate::tui::words;

use super::Content;

/// Parts of the condition that the card shows; the page of the rules has all.
const PARTS: usize = 3;

/// `STARTS LEVEL 1 IN 00:14`, `PROPOSES LEVEL 2`, `IS HELD`: how a proposal stands now.
pub fn stands(view: &View<'_>, proposal: &Proposal) -> String {
    let level = proposal.fired.level;
    let left = proposal.fired.starts_at.filter(|at| *at > view.clock);
    match (proposal.fired.mode, held(view, proposal), left) {
        (Mode::Enforce, Some(_), _) => format!("WANTS LEVEL {level} AND IS HELD"),
        (Mode::Enforce, None, Some(at)) => {
            let left = words::clock(words::since(view.clock, at));
            format!("STARTS LEVEL {level} IN {left}")
        }
        (Mode::Enforce, None, None) => format!("STARTS LEVEL {level} NOW"),
        (Mode::Propose | Mode::DryRun, ..) => format!("PROPOSES LEVEL {level}"),
    }
}

/// Why a rule does not do what it is about to do.
fn held<'a>(view: &View<'a>, proposal: &Proposal) -> Option<&'a str> {
    let card = view.world.situation.rules.cards.get(&proposal.fired.rule)?;
    card.held.as_ref().map(crate::text::SafeText::as_str)
}

/// The card.
pub fn content(view: &View<'_>, proposal: &Proposal, width: usize) -> Content {
    let fired = &proposal.fired;
    let mut rows = fact("why", fired.text.as_str(), width);
    if let Some(why) = held(view, proposal) {
        rows.extend(fact_as(Role::Warn, "held", why, width));
    }
    if let Some(less) = &fired.less {
        rows.extend(fact_as(Role::Warn, "only asks", less.as_str(), width));
    }
    rows.extend(ways(view, proposal, width));
    let parts: Vec<String> =
        fired.evidence.iter().take(PARTS).map(crate::model::rule::Shown::words).collect();
    if !parts.is_empty() {
        rows.extend(fact_as(Role::Muted, "rests on", &parts.join(";  "), width));
    }
    rows.extend(fact_as(Role::Muted, "plan", &plan(view, proposal), width));
    Content {
        title: format!("RULE {} {}", fired.rule, stands(view, proposal)),
        remark: "nothing has changed yet".to_owned(),
        rows,
        danger: proposal.starts(),
        ..Content::default()
    }
}

/// What it would run, as far as that is known.
fn plan(view: &View<'_>, proposal: &Proposal) -> String {
    let situation = &view.world.situation;
    let level = proposal.fired.level;
    let open = situation.plan.as_ref().filter(|open| open.plan.core.level == level);
    let refused = situation.refused.as_ref().filter(|refused| refused.at >= proposal.at);
    match (open, refused) {
        (Some(open), _) => {
            let (core, face) = (&open.plan.core, view.world.face().unwrap_or(&open.plan.face));
            format!(
                "{}: {} -> {}, about {} of {}; data: {}",
                open.digest.short(),
                core.from,
                core.to,
                words::short(face.estimate),
                words::short(level.rto()),
                face.data
            )
        }
        (None, Some(refused)) => format!("there is none: {}", refused.why),
        (None, None) => "is being made; the logs are preserved first".to_owned(),
    }
}

/// The ways to answer.
fn ways(view: &View<'_>, proposal: &Proposal, width: usize) -> Vec<Row> {
    let key =
        |action: Action| view.keymap.shown(action).map(|key| key.to_string()).unwrap_or_default();
    let own = if proposal.starts() {
        " take over: it waits, the plan is yours   "
    } else {
        " take over: the plan is yours to start   "
    };
    Row::of(Role::Title, key(Action::Veto))
        .put(Role::Base, " veto, say why   ")
        .put(Role::Title, key(Action::TakeOver))
        .put(Role::Base, own)
        .put(Role::Title, key(Action::Rules))
        .put(Role::Base, " evidence")
        .fold(width, 2)
}
