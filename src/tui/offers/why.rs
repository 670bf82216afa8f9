//! Why an action does not work now, in one sentence.

use crate::tui::stage::Stage;
use crate::tui::state::Ui;
use crate::tui::world::{LeadStand, World};

use super::on_run;

/// What hinders this console from commanding anything, for actions that need nothing else.
pub fn hindered(_: &Ui, world: &World) -> Option<String> {
    world.hindered()
}

/// Why the confirmation does not open.
pub fn why_confirm(ui: &Ui, world: &World) -> Option<String> {
    let situation = &world.situation;
    Some(if ui.stage != Stage::Plan {
        "the confirmation opens in the stage Plan (R), with a plan on the table".to_owned()
    } else if situation.open_run().is_some() {
        "a run is open already".to_owned()
    } else if situation.plan.is_none() {
        "there is no plan yet: choose a level first (L)".to_owned()
    } else if let Some(why) = world.cannot_start() {
        format!("cannot start: {why}")
    } else {
        let blocker = world.blocker();
        blocker.map_or_else(
            || "cannot start".to_owned(),
            |line| format!("cannot start: {}: {}", line.name, line.text),
        )
    })
}

/// Why the levels cannot be chosen from.
pub fn why_level(_: &Ui, world: &World) -> Option<String> {
    Some(match world.situation.open_run() {
        Some(_) => "a run is open: stop it first (x)".to_owned(),
        None => "the levels are judged once the engine has looked".to_owned(),
    })
}

/// Why a run cannot be stopped, paused or ended.
pub fn why_running(_: &Ui, world: &World) -> Option<String> {
    match world.situation.open_run() {
        Some(_) => world.hindered(),
        None => Some("no run is open".to_owned()),
    }
}

/// Why nothing of a rule can be stopped or taken over.
pub fn why_rule(_: &Ui, world: &World) -> Option<String> {
    match world.proposal() {
        Some(_) => world.hindered(),
        None => Some("no rule is about to do anything".to_owned()),
    }
}

/// Why the selected thing does not open.
pub fn why_open(ui: &Ui, world: &World) -> Option<String> {
    if ui.stage != Stage::Level {
        return world.hindered();
    }
    let card = ui.level.and_then(|level| world.card(level))?;
    Some(format!("level {} is {}: {}", card.level, card.standing.words(), card.why))
}

/// Why the database has no page.
pub fn why_database(_: &Ui, _: &World) -> Option<String> {
    let why = "nothing is known of the database: is database.postgres configured?";
    Some(why.to_owned())
}

/// Why the lead is not taken.
pub fn why_lead(_: &Ui, world: &World) -> Option<String> {
    Some(match world.lead() {
        LeadStand::Mine(_) => "you have the lead already".to_owned(),
        LeadStand::Nobody => "nobody has the lead: the first to start takes it".to_owned(),
        LeadStand::Other(name, _) => {
            format!("{name}'s line is gone since a moment: T works when it was 30 s")
        }
    })
}

/// Why nothing can be held.
pub fn why_hold(ui: &Ui, world: &World) -> Option<String> {
    if let Some(hindered) = world.hindered() {
        return Some(hindered);
    }
    let known = world.live.as_ref().map(|live| live.can_hold.as_slice()).unwrap_or_default();
    if known.is_empty() {
        return Some("it is not known yet what can be held here".to_owned());
    }
    if on_run(ui.stage) || ui.stage == Stage::Report {
        return Some("H works from Detect to Plan; go back with [".to_owned());
    }
    let no = known.iter().find(|one| !one.can);
    Some(no.map_or_else(
        || "all that can be held is held: U lifts it".to_owned(),
        |one| format!("the {} cannot be held: {}", one.part.words(), one.text),
    ))
}

/// Why nothing can be lifted.
pub fn why_lift(_: &Ui, world: &World) -> Option<String> {
    world.hindered().or_else(|| Some("nothing is held".to_owned()))
}
