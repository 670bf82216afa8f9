//! The three levels as cards: ready, blocked or not proven, and why. Never preselects level 3.

use crate::model::plan::{Level, LevelCard, LevelStanding};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;
use crate::tui::world::World;

use super::Content;

/// The card that is selected when the stage opens: the suggested one where it is ready, else the
/// first that is; level 3 only when a person moves there.
pub fn recommended(world: &World) -> Option<Level> {
    let cards = &world.situation.levels;
    let ready = |card: &&LevelCard| {
        card.standing == LevelStanding::Ready && card.level != Level::PointInTime
    };
    let suggested = world.situation.assessment.as_ref().and_then(|assessment| assessment.suggests);
    cards
        .iter()
        .filter(ready)
        .find(|card| Some(card.level) == suggested)
        .or_else(|| cards.iter().find(ready))
        .or_else(|| cards.first())
        .map(|card| card.level)
}

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let situation = &view.world.situation;
    let mut rows = super::locked(view, width);
    if situation.levels.is_empty() {
        rows.push(Row::of(
            Role::Muted,
            "the levels are judged once the engine has looked at what can be gone back to",
        ));
    }
    if let Some(refused) = &situation.refused {
        rows.push(Row::of(
            Role::Fail,
            format!("level {} was refused at {}:", refused.level, words::hour(refused.at)),
        ));
        for line in widgets::wrap(refused.why.as_str(), width.saturating_sub(2)) {
            rows.push(Row::of(Role::Base, format!("  {line}")));
        }
        if let Some(offer) = refused.offer {
            let text = format!("  instead: level {offer}, {}", offer.words());
            rows.push(Row::of(Role::Info, text));
        }
        rows.push(Row::new());
    }
    let suggested = situation.assessment.as_ref().and_then(|assessment| assessment.suggests);
    for card in &situation.levels {
        rows.extend(draw(view, card, suggested == Some(card.level), width));
    }
    Content {
        title: "Levels".to_owned(),
        remark: "Enter makes a plan, nothing starts".to_owned(),
        rows,
        ..Content::default()
    }
}

fn draw(view: &View<'_>, card: &LevelCard, suggested: bool, width: usize) -> Vec<Row> {
    let chosen = view.ui.level == Some(card.level);
    let role = match card.standing {
        LevelStanding::Ready => Role::Ok,
        LevelStanding::Blocked => Role::Fail,
        LevelStanding::NotProven => Role::Unknown,
    };
    let mark = if chosen { view.glyphs().run } else { " " };
    let mut head = Row::of(Role::Progress, format!("{mark} "))
        .put(Role::Title, format!("L{} {}  ", card.level, card.level.words()))
        .put(role, card.standing.words());
    if suggested {
        head = head.put(Role::Info, "  suggested");
    }
    let time = match card.estimate {
        Some(estimate) => {
            format!("about {} of {}", words::short(estimate), words::short(card.level.rto()))
        }
        None => format!("within {}", words::short(card.level.rto())),
    };
    let mut rows = vec![head.end(Role::Base, &time, width).select(chosen)];
    let inner = width.saturating_sub(6);
    // Why it cannot be chosen is said as the answer to that question.
    let why = match card.standing {
        LevelStanding::Ready => card.why.to_string(),
        LevelStanding::Blocked => format!("blocked because {}", card.why),
        LevelStanding::NotProven => format!("not proven: {}", card.why),
    };
    for line in widgets::wrap(&why, inner) {
        rows.push(Row::of(Role::Base, format!("    {line}")));
    }
    let mut facts = Vec::new();
    if let Some(version) = &card.version {
        facts.push(format!("to {version}"));
    }
    if !card.data.is_empty() {
        facts.push(format!("data: {}", card.data));
    }
    if card.level == Level::PointInTime && (chosen || suggested) {
        facts.extend(stakeholders(view));
    }
    if let Some(last) = last(view, card.level) {
        facts.push(last);
    }
    facts.extend(view.world.situation.last_drill(card.level).map(|past| {
        format!(
            "drill {} ago: {} in {}",
            words::age(words::since(past.ended.at, view.now)),
            past.ended.outcome.words(),
            words::short(past.ended.took)
        )
    }));
    for line in widgets::wrap(&facts.join(";  "), inner) {
        if !line.is_empty() {
            rows.push(Row::of(Role::Muted, format!("    {line}")));
        }
    }
    rows
}

/// Whether those whose data it is were told what going back loses (S-31).
fn stakeholders(view: &View<'_>) -> Option<String> {
    let incident = view.world.situation.incident.as_ref()?;
    Some(match &incident.informed {
        Some(told) => {
            format!("stakeholders told at {} by {}: {}", words::hour(told.at), told.by, told.note)
        }
        None => "stakeholders: nobody was told on record (:informed WHO WHAT)".to_owned(),
    })
}

/// When this level last went well, and how long it took.
fn last(view: &View<'_>, level: Level) -> Option<String> {
    let past = view.world.situation.history.iter().find(|past| {
        past.level == level && past.ended.outcome == crate::model::entry::Outcome::Done
    })?;
    Some(format!(
        "last done {} ago in {}",
        words::age(words::since(past.ended.at, view.now)),
        words::short(past.ended.took)
    ))
}
