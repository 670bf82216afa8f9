//! Leaving, and pausing: both say what goes on meanwhile.

use crate::model::entry::Command;
use crate::model::ids::incident_name;
use crate::tui::input::{Code, Key};
use crate::tui::state::Effect;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::world::LeadStand;

use super::{Sheet, Turn};

/// Takes a key of the detach dialog.
pub fn key(key: Key) -> Turn {
    match key.code {
        Code::Enter => Turn::Do(vec![Effect::Leave]),
        _ => Turn::Stay,
    }
}

/// What the detach dialog shows.
pub fn sheet(view: &View<'_>, width: usize) -> Sheet {
    let situation = &view.world.situation;
    let what = match situation.open_run() {
        Some(run) => format!(
            "Run {} is {} and goes on without you. Leaving stops nothing.",
            run.id,
            run.state().label()
        ),
        None if situation.incident.is_some() => {
            "No run is open. The engine keeps looking for a while; the incident stays open."
                .to_owned()
        }
        None => "No incident is open. The engine ends by itself.".to_owned(),
    };
    let mut facts: Vec<Row> =
        widgets::wrap(&what, width).into_iter().map(|line| Row::of(Role::Base, line)).collect();
    if let Some(text) = lead(view) {
        facts.extend(widgets::wrap(&text, width).into_iter().map(|line| Row::of(Role::Base, line)));
    }
    if situation.last_incident > 0 {
        facts.push(Row::of(
            Role::Muted,
            format!("To come back:  backout attach {}", incident_name(situation.last_incident)),
        ));
    }
    Sheet {
        title: "Leave the console".to_owned(),
        facts,
        pinned: vec![Row::of(
            Role::Base,
            "Enter = leave.  Esc = stay.  Ctrl-C twice = leave at once",
        )],
        ..Sheet::default()
    }
}

/// What becomes of the lead, while something is open.
fn lead(view: &View<'_>) -> Option<String> {
    let (world, situation) = (view.world, &view.world.situation);
    situation.incident.as_ref()?;
    let clients = world.live.as_ref().map(|live| live.clients.as_slice()).unwrap_or_default();
    let mine = |name: &str, uid| name == world.link.name.as_str() && uid == world.link.uid;
    let others: Vec<&str> = clients
        .iter()
        .filter(|client| !mine(client.name.as_str(), client.uid))
        .map(|client| client.name.as_str())
        .collect();
    match (world.lead(), others.as_slice()) {
        (LeadStand::Mine(_), []) => Some("You lead, and nobody else is attached.".to_owned()),
        (LeadStand::Mine(_), others) => Some(format!(
            "You lead for 30 s more, then the lead can be taken. Attached: {}.",
            others.join(", ")
        )),
        (LeadStand::Other(name, _), _) => Some(format!("{name} leads on.")),
        (LeadStand::Nobody, _) => None,
    }
}

/// Takes a key of the pause dialog.
pub fn pause_key(key: Key) -> Turn {
    match key.code {
        Code::Enter => Turn::Do(vec![Effect::Send(Command::Pause)]),
        _ => Turn::Stay,
    }
}

/// What the pause dialog shows.
pub fn pause_sheet(view: &View<'_>, width: usize) -> Sheet {
    let running = view.world.situation.open_run().and_then(|run| {
        let step = run.running().next()?;
        let face = run.plan.face_of(&step.id);
        Some(face.map_or_else(|| step.id.to_string(), |face| face.title.to_string()))
    });
    let what = match running {
        Some(step) => format!("\"{step}\" is brought to its end, then no further step starts."),
        None => "No further step starts.".to_owned(),
    };
    let mut facts: Vec<Row> =
        widgets::wrap(&what, width).into_iter().map(|line| Row::of(Role::Base, line)).collect();
    facts.push(Row::of(Role::Warn, "The outage goes on while it is paused."));
    Sheet {
        title: "Pause the run".to_owned(),
        facts,
        pinned: vec![Row::of(Role::Base, "Enter = pause.  Esc = go back, nothing happens")],
        ..Sheet::default()
    }
}
