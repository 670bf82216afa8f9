//! Which actions work now. Key bar and help show these, and `update` accepts no others.

use crate::model::ids::Time;
use crate::model::incident::RunState;
use crate::model::plan::LevelStanding;

use super::action::{Action, Scope};
use super::pane::PaneKind;
use super::stage::Stage;
use super::state::Ui;
use super::world::{LeadStand, World};

mod why;

pub use why::{
    hindered, why_confirm, why_database, why_hold, why_lead, why_level, why_lift, why_open,
    why_rule, why_running,
};

/// An action that works now, in two or three words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The action.
    pub action: Action,
    /// Its label in the key bar.
    pub label: &'static str,
}

/// The scopes that are asked for a key, narrowest first.
pub fn scopes(ui: &Ui, world: &World) -> Vec<Scope> {
    let mut scopes = Vec::with_capacity(5);
    if ui.find.is_some() {
        scopes.push(Scope::Find);
    }
    if world.waits() && on_run(ui.stage) {
        scopes.push(Scope::Waiting);
    }
    if ui.focus == PaneKind::Logs {
        scopes.push(Scope::Logs);
    }
    scopes.extend([Scope::Stage, Scope::All]);
    scopes
}

/// All that works now, the most important first.
pub fn offers(ui: &Ui, world: &World, now: Time) -> Vec<Offer> {
    let mut list = List(Vec::new());
    if ui.find.is_some() {
        list.add(Action::FindNext, "Next");
        list.add(Action::FindPrevious, "Previous");
        list.add(Action::Back, "End find");
    }
    waiting(ui, world, &mut list);
    rule(world, &mut list);
    stage(ui, world, &mut list);
    holds(ui, world, &mut list);
    overrule(ui, world, &mut list);
    let errors = super::screen::troubles(ui, world);
    if !errors.is_empty() {
        list.add(Action::Back, "Seen");
    }
    match world.lead() {
        LeadStand::Other(_, lost) if world.hindered().is_none() => {
            // A lead that lives is asked, not robbed.
            match lost {
                Some(at) if super::words::since(at, now).as_secs() >= 30 => {
                    list.add(Action::TakeLead, "Take lead");
                }
                Some(_) => {}
                None => list.add(Action::TakeLead, "Ask for lead"),
            }
        }
        LeadStand::Mine(_)
            if !world.situation.lead_asked.is_empty() && world.hindered().is_none() =>
        {
            list.add(Action::TakeLead, "Hand lead over");
        }
        // The same person twice: the engine knows only one of the consoles as the lead.
        LeadStand::Mine(_) if world.consoles_of_mine() > 1 && world.hindered().is_none() => {
            list.add(Action::TakeLead, "Lead here");
        }
        LeadStand::Other(..) | LeadStand::Mine(_) | LeadStand::Nobody => {}
    }
    if ui.focus == PaneKind::Logs {
        list.add(Action::Follow, if world.logs.paused { "Follow" } else { "Hold" });
        list.add(Action::Severity, "Severity");
        list.add(Action::Wrap, "Wrap");
        list.add(Action::Times, "Times");
        list.add(Action::Filters, "Filter");
        if world.silenced().is_none() && !world.logs.lines.is_empty() {
            list.add(Action::Pin, "Pin");
        }
    }
    list.add(Action::NextPane, "Pane");
    list.add(Action::Find, "Find");
    if ui.focus == PaneKind::Checks {
        list.add(Action::FailingOnly, if ui.failing_only { "All" } else { "Failing" });
    }
    if ui.stage != Stage::Report {
        list.add(Action::Export, "Export");
    }
    if world.silenced().is_none() {
        list.add(Action::Note, "Note");
    }
    list.add(Action::Palette, "Cmd");
    list.add(Action::PreviousStage, "Stage");
    list.add(Action::Zoom, "Zoom");
    list.add(Action::Timeline, "Timeline");
    if world.live.as_ref().is_some_and(|live| live.database.is_some()) {
        list.add(Action::Database, "Database");
    }
    if !world.situation.rules.rules.is_empty() {
        list.add(Action::Rules, "Rules");
    }
    list.add(Action::People, "People");
    list.add(Action::Compared, "Compare");
    if world.live.as_ref().is_some_and(|live| !live.slos.is_empty()) {
        list.add(Action::Slo, "Budgets");
    }
    list.add(Action::NextStage, "Next stage");
    list.add(Action::Freeze, if ui.still.is_some() { "Go on" } else { "Freeze" });
    list.add(Action::Diagnostics, "Console");
    list.add(Action::Help, "Help");
    list.add(Action::Detach, "Detach");
    list.0
}

struct List(Vec<Offer>);

impl List {
    fn add(&mut self, action: Action, label: &'static str) {
        if !self.0.iter().any(|offer| offer.action == action) {
            self.0.push(Offer { action, label });
        }
    }
}

/// Stages that belong to a run.
fn on_run(stage: Stage) -> bool {
    match stage {
        Stage::Run | Stage::Validate | Stage::Watch => true,
        Stage::Detect | Stage::Assess | Stage::Level | Stage::Plan | Stage::Report => false,
    }
}

fn waiting(ui: &Ui, world: &World, list: &mut List) {
    if !world.waits() || !on_run(ui.stage) {
        return;
    }
    if world.situation.open_run().is_some_and(|run| run.asks().is_some()) {
        if world.hindered().is_none() {
            list.add(Action::Choose, "SWAP, BESIDE or NEW TIME");
        }
        if world.silenced().is_none() {
            list.add(Action::Abort, "Abort");
        }
        return;
    }
    let about = world
        .situation
        .open_run()
        .and_then(|run| run.waiting.as_ref())
        .is_some_and(|waiting| waiting.step.is_some());
    if about {
        list.add(Action::LookAgain, "Look again");
        if world.hindered().is_none() {
            list.add(Action::MarkDone, "It is done");
            list.add(Action::TryAgain, "Try again");
        }
        if world.silenced().is_none() {
            list.add(Action::Abort, "Abort");
        }
        if world.hindered().is_none() {
            list.add(Action::LeaveOut, "Leave out");
        }
    }
}

/// What a rule is about to do can be stopped by everybody, and taken over by who may plan.
fn rule(world: &World, list: &mut List) {
    if world.proposal().is_none() {
        return;
    }
    if world.silenced().is_none() {
        list.add(Action::Veto, "Veto");
    }
    if world.hindered().is_none() {
        list.add(Action::TakeOver, "Take over");
    }
}

fn stage(ui: &Ui, world: &World, list: &mut List) {
    let situation = &world.situation;
    let may = world.hindered().is_none();
    let free = situation.open_run().is_none();
    let asked = situation.assessment.as_ref().is_some_and(|assessment| !assessment.path.is_empty());
    match ui.stage {
        Stage::Detect | Stage::Assess => {
            // The question that hurts most when it is late comes first only when nothing is ready.
            if free && !situation.levels.is_empty() {
                list.add(Action::ChooseLevel, "Level");
            }
            if may && asked {
                list.add(Action::Answer, "Answer");
            }
            if ui.focus == PaneKind::Checks && !situation.checks.is_empty() {
                let label = if ui.check.is_some() { "Less" } else { "Detail" };
                list.add(Action::Open, label);
            }
        }
        Stage::Level => {
            let chosen = ui.level.and_then(|level| world.card(level));
            let ready = chosen.is_some_and(|card| card.standing != LevelStanding::Blocked);
            if may && free && ready && ui.focus == PaneKind::Levels {
                list.add(Action::Open, "Make plan");
            }
        }
        Stage::Plan => {
            if situation.plan.is_some() {
                if free && world.cannot_start().is_none() && world.blocker().is_none() {
                    list.add(Action::Confirm, "Roll back");
                }
                list.add(Action::ReadPlan, "Full plan");
                if may && free {
                    list.add(Action::Replan, "Plan anew");
                }
                list.add(Action::ChooseLevel, "Level");
            } else if free && !situation.levels.is_empty() {
                list.add(Action::ChooseLevel, "Level");
            }
        }
        Stage::Run | Stage::Validate | Stage::Watch => running(ui, world, list, may),
        Stage::Report => {
            if free && situation.incident.is_some() && may {
                list.add(Action::CloseIncident, "Close");
            }
            list.add(Action::Export, "Export");
            if free && situation.incident.is_some() && !situation.levels.is_empty() {
                list.add(Action::ChooseLevel, "Level");
            }
        }
    }
}

/// Stopping the bleeding is offered before a run; lifting it always.
fn holds(ui: &Ui, world: &World, list: &mut List) {
    if world.hindered().is_some() {
        return;
    }
    let before = match ui.stage {
        Stage::Detect | Stage::Assess | Stage::Level | Stage::Plan => true,
        Stage::Run | Stage::Validate | Stage::Watch | Stage::Report => false,
    };
    if before && !super::dialogs::hold::free(world).is_empty() {
        list.add(Action::Hold, "Hold");
    }
    if !world.situation.holds.is_empty() {
        list.add(Action::Unhold, "Lift");
    }
}

/// A person's class comes after what helps users at once.
fn overrule(ui: &Ui, world: &World, list: &mut List) {
    let situation = &world.situation;
    let known = situation.assessment.is_some() && situation.incident.is_some();
    let here = match ui.stage {
        Stage::Detect | Stage::Assess => true,
        Stage::Level
        | Stage::Plan
        | Stage::Run
        | Stage::Validate
        | Stage::Watch
        | Stage::Report => false,
    };
    if here && known && world.hindered().is_none() {
        list.add(Action::Overrule, "Severity");
    }
}

fn running(ui: &Ui, world: &World, list: &mut List, may: bool) {
    let Some(state) = world.run_state() else {
        return;
    };
    let Some(run) = world.situation.open_run() else {
        return;
    };
    let stop = world.silenced().is_none();
    match state {
        RunState::Running | RunState::Watching if stop => list.add(Action::Pause, "Pause"),
        RunState::Paused if may => list.add(Action::Pause, "Go on"),
        RunState::WaitingForYou if may && world.situation.held_by_restart().is_some() => {
            list.add(Action::Pause, "Go on");
        }
        RunState::Running
        | RunState::Watching
        | RunState::Paused
        | RunState::Aborting
        | RunState::WaitingForYou
        | RunState::Stable
        | RunState::Closed => {}
    }
    if stop && run.abort.is_none() {
        list.add(Action::Abort, "Abort");
    }
    let open_window = run.watch.as_ref().is_some_and(|watch| watch.verdict.is_none());
    // A verdict that is not good waits for a person to accept it, or to go a level deeper.
    let to_accept = run.waiting.as_ref().is_some_and(|waiting| waiting.step.is_none());
    if may && open_window && ui.stage == Stage::Watch {
        list.add(Action::EndWatch, "End watch");
    } else if may && to_accept {
        list.add(Action::EndWatch, "Accept verdict");
    }
    list.add(Action::ReadPlan, "Full plan");
}
