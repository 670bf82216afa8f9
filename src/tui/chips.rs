//! The chips of the header: what a person must know at every moment, each a word or two. Where
//! there is little room the least important ones are left out whole; nothing is cut in half.

use std::time::Duration;

use crate::model::hold;
use crate::model::ids::incident_name;
use crate::model::incident::RunState;
use crate::model::leftover;
use crate::model::severity::Severity;
use crate::text;

use super::theme::Role;
use super::view::View;
use super::words;
use super::world::LeadStand;

/// A word or two for the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// What it means.
    pub role: Role,
    /// The words; an empty one is not shown.
    pub text: String,
    /// Lower ones stand further left, and stay where there is little room.
    pub rank: u8,
}

/// Clocks may be so far apart before it is said.
const SKEWED: Duration = Duration::from_secs(2);

impl Chip {
    fn of(role: Role, text: impl Into<String>, rank: u8) -> Self {
        Self { role, text: text.into(), rank }
    }
}

/// Every chip that has something to say. One more is one more line here.
fn all(view: &View<'_>, width: usize) -> Vec<Chip> {
    let list = [
        replay(view),
        rule(view),
        state(view),
        incident(view),
        severity(view),
        open_for(view),
        lead(view, width >= 100),
        locked(view),
        held(view),
        muted(view),
        changed(view),
        leftovers(view),
        line(view),
        skew(view),
        frozen(view),
        escalates(view),
    ];
    list.into_iter().flatten().filter(|chip| !chip.text.is_empty()).collect()
}

/// The chips that fit into so many columns, each with a blank before it.
pub fn fitting(view: &View<'_>, width: usize, room: usize) -> Vec<Chip> {
    let mut room = room;
    let mut chips = all(view, width);
    chips.sort_by_key(|chip| chip.rank);
    chips.retain(|chip| {
        let wide = text::width(&chip.text);
        let fits = wide < room;
        if fits {
            room -= wide + 1;
        }
        fits
    });
    chips
}

fn open_run(view: &View<'_>) -> Option<RunState> {
    view.world.run_state().filter(|_| view.world.situation.open_run().is_some())
}

/// The past must never be taken for the present.
fn replay(view: &View<'_>) -> Option<Chip> {
    let replay = view.world.replay.as_ref()?;
    Some(Chip::of(Role::Danger, replay.banner(), 0))
}

/// What starts by itself is seen on every stage and over every dialog.
fn rule(view: &View<'_>) -> Option<Chip> {
    let proposal = view.world.proposal()?;
    let level = proposal.fired.level;
    let left = proposal.fired.starts_at.filter(|at| proposal.starts() && *at > view.clock);
    let left = left.map(|at| format!(" {}", words::clock(words::since(view.clock, at))));
    Some(Chip::of(Role::Danger, format!("RULE L{level}{}", left.unwrap_or_default()), 0))
}

/// Nothing starts by rules for a while.
fn frozen(view: &View<'_>) -> Option<Chip> {
    let freeze = view.world.situation.frozen()?;
    let left = words::clock(words::since(view.now, freeze.until));
    Some(Chip::of(Role::Warn, format!("FROZEN {left}"), 5))
}

/// It belongs to more people: who, is a page of its own.
fn escalates(view: &View<'_>) -> Option<Chip> {
    super::panes::people::escalation(view)?;
    let key = view.keymap.shown(super::action::Action::People);
    let key = key.map_or_else(String::new, |key| format!(": {key}"));
    Some(Chip::of(Role::Danger, format!("ESCALATE{key}"), 2))
}

fn state(view: &View<'_>) -> Option<Chip> {
    let state = open_run(view)?;
    let role = match state {
        RunState::WaitingForYou | RunState::Aborting => Role::Danger,
        RunState::Paused => Role::Warn,
        RunState::Running | RunState::Watching | RunState::Stable | RunState::Closed => {
            Role::Progress
        }
    };
    Some(Chip::of(role, state.label(), 0))
}

fn incident(view: &View<'_>) -> Option<Chip> {
    let incident = view.world.situation.incident.as_ref()?;
    Some(Chip::of(Role::Base, incident_name(incident.id), 1))
}

fn severity(view: &View<'_>) -> Option<Chip> {
    let assessment = view.world.situation.assessment.as_ref();
    let severity = assessment.map(|one| one.severity).filter(|one| *one > Severity::None)?;
    let role = if severity >= Severity::High { Role::Fail } else { Role::Warn };
    Some(Chip::of(role, severity.label(), 2))
}

/// How long the incident is open; while something runs, its own bar says what counts.
fn open_for(view: &View<'_>) -> Option<Chip> {
    let incident = view.world.situation.incident.as_ref()?;
    let open = words::clock(words::since(incident.began(), view.now));
    open_run(view).is_none().then(|| Chip::of(Role::Base, format!("T+{open}"), 3))
}

/// What is held hurts users every minute: it is never what there is no room for.
fn held(view: &View<'_>) -> Option<Chip> {
    let (held, since) = hold::chip(&view.world.situation, view.now)?;
    let since = since.map_or_else(String::new, |since| format!(" {}", words::clock(since)));
    Some(Chip::of(Role::Danger, format!("{held}{since}"), 0))
}

/// What keeps everyone from starting: an emergency stop always, a person's lock where there is room.
/// A run's own lock says nothing that the run does not.
fn locked(view: &View<'_>) -> Option<Chip> {
    let locks = &view.world.situation.locks;
    if locks.emergency.is_some() {
        return Some(Chip::of(Role::Danger, "EMERGENCY STOP", 0));
    }
    let lock = locks.person.as_ref()?;
    let owner = text::fit(lock.owner.as_str(), 12);
    Some(if lock.expired(view.now) {
        Chip::of(Role::Warn, format!("LOCK {owner} EXPIRED"), 4)
    } else {
        Chip::of(Role::Warn, format!("LOCKED {owner}"), 3)
    })
}

/// The engine's clock, where it is ahead of this one: ages are then too small.
fn skew(view: &View<'_>) -> Option<Chip> {
    let live = view.world.live.as_ref()?;
    let ahead = words::since(view.now, live.at);
    let text = format!("engine's clock +{}", words::age(ahead));
    (ahead > SKEWED).then(|| Chip::of(Role::Warn, text, 3))
}

/// Checks that somebody left out of the judgement.
fn muted(view: &View<'_>) -> Option<Chip> {
    let muted = view.world.situation.muted_count();
    (muted > 0).then(|| Chip::of(Role::Warn, format!("MUTED {muted}"), 5))
}

/// Checks with values that are changed for a while.
fn changed(view: &View<'_>) -> Option<Chip> {
    let changed = view.world.situation.judging.overrides.len();
    (changed > 0).then(|| Chip::of(Role::Warn, format!("CHANGED {changed}"), 5))
}

fn leftovers(view: &View<'_>) -> Option<Chip> {
    let situation = &view.world.situation;
    let left = leftover::open(situation).count();
    let overdue = leftover::open(situation).filter(|one| one.overdue(view.now)).count();
    match (left, overdue) {
        (0, _) => None,
        (left, 0) => Some(Chip::of(Role::Warn, format!("LEFT {left}"), 5)),
        (_, late) => Some(Chip::of(Role::Fail, format!("{late} OVERDUE"), 2)),
    }
}

/// How long the line takes, once that is felt; else whether it is spared.
fn line(view: &View<'_>) -> Option<Chip> {
    match view.ui.line.delay.filter(|delay| delay.as_millis() >= 300) {
        Some(delay) => Some(Chip::of(Role::Warn, format!("line {:.1}s", delay.as_secs_f64()), 2)),
        None => view.ui.light.on().then(|| Chip::of(Role::Info, "light link", 5)),
    }
}

fn lead(view: &View<'_>, wide: bool) -> Option<Chip> {
    let clients = view.world.live.as_ref().map(|live| live.clients.as_slice());
    let others = clients.unwrap_or_default();
    let more = match others.len() {
        0 | 1 => String::new(),
        count if !wide => format!(" +{}", count - 1),
        count => {
            let names: Vec<&str> = others
                .iter()
                .filter(|client| !client.lead)
                .map(|client| client.name.as_str())
                .collect();
            format!(" +{} ({})", count - 1, names.join(", "))
        }
    };
    let who = match view.world.lead() {
        LeadStand::Mine(_) => "LEAD you".to_owned(),
        LeadStand::Nobody => return None,
        LeadStand::Other(name, None) => format!("LEAD {name}"),
        LeadStand::Other(name, Some(lost)) => {
            let gone = words::age(words::since(lost, view.now));
            format!("LEAD {name} (gone {gone})")
        }
    };
    Some(Chip::of(Role::Base, format!("{who}{more}"), 4))
}
