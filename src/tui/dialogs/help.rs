//! What keys do: made from the live keymap and from what is offered now.

use crate::tui::action::{Action, Scope};
use crate::tui::offers;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{Row, fact_as};

use super::Sheet;

/// The page.
pub fn sheet(view: &View<'_>, scroll: usize, width: usize) -> Sheet {
    let offered = offers::offers(view.ui, view.world, view.now);
    let works = |action: Action| {
        action.scope() == Scope::All || offered.iter().any(|offer| offer.action == action)
    };
    let mut facts = vec![Row::of(
        Role::Base,
        format!(
            "Stage {}. Keys open, typed words commit. No single key starts anything.",
            view.ui.stage.words()
        ),
    )];
    if view.world.replay.is_some() {
        facts.push(Row::of(Role::Title, "-- in a replay, before all others --"));
        facts.push(Row::of(Role::Base, format!(" {}", crate::tui::replay::KEYS)));
    }
    for scope in [Scope::Stage, Scope::Waiting, Scope::Logs, Scope::Find, Scope::All] {
        facts.push(Row::of(Role::Title, format!("-- {} --", scope.words())));
        for action in Action::ALL.iter().filter(|action| action.scope() == scope) {
            let mut keys: Vec<String> =
                view.keymap.keys(*action).iter().map(ToString::to_string).collect();
            if keys.is_empty() {
                keys.push(format!(":{action}"));
            }
            let role = if works(*action) { Role::Base } else { Role::Muted };
            facts.push(
                Row::of(Role::Base, " ")
                    .pad(Role::Focus, &keys.join(" "), 13.min(width / 3))
                    .put(role, action.help()),
            );
        }
    }
    facts.push(Row::of(Role::Title, "-- always --"));
    facts.push(
        Row::of(Role::Base, " ")
            .pad(Role::Focus, "Ctrl-C", 13.min(width / 3))
            .put(Role::Base, "leave the console; twice: at once. Never stops a run"),
    );
    facts.extend(links(view, width));
    Sheet {
        title: "Help".to_owned(),
        remark: "dim: does nothing at this moment".to_owned(),
        facts,
        scroll,
        whole: true,
        ..Sheet::default()
    }
}

/// Where people read, ask and tell, as the configuration says it (S-76, S-78).
pub fn links(view: &View<'_>, width: usize) -> Vec<Row> {
    let links = &view.world.settings.links;
    let mut rows = Vec::new();
    if !links.is_empty() {
        rows.push(Row::of(Role::Title, "-- where to read, ask and tell --"));
    }
    for (name, place) in links {
        rows.extend(fact_as(Role::Base, &format!(" {name}"), place.as_str(), width));
    }
    rows
}
