//! Which commands take arguments: their words, and what their first argument can be.

use crate::model::leftover;
use crate::tui::world::World;

use super::left;

/// A command that takes arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// When it really began.
    Since,
    /// Leave a check out.
    Mute,
    /// End a mute.
    Unmute,
    /// Leave all checks out.
    Maintenance,
    /// Change values of a check.
    Set,
    /// Take that back.
    Unset,
    /// Never trim a point.
    Pin,
    /// Trim it again.
    Unpin,
    /// Plan to take a run back.
    Undo,
    /// Plan to go back to a moment.
    To,
    /// Plan a rollback of the configuration's own making.
    Type,
    /// Something left over is gone.
    Release,
    /// Something left over has another owner.
    HandOver,
    /// How bad it is.
    Severity,
    /// Lift all that is held.
    Unhold,
    /// An item of the checklist is done.
    Tick,
    /// Those whose data it is were told what going back would lose.
    Informed,
    /// One looks after what was announced.
    Ack,
    /// Nothing starts by rules for a while.
    Freeze,
    /// Rules may act again.
    Thaw,
    /// Nobody else deploys or rolls back for a while.
    Lock,
    /// That ends.
    Unlock,
}

/// The classes a person may name, and the way back to what is measured.
const CLASSES: [&str; 6] = ["critical", "high", "medium", "low", "none", "measured"];

impl Verb {
    /// All of them, as listed.
    pub const ALL: [Self; 22] = [
        Self::Since,
        Self::Mute,
        Self::Unmute,
        Self::Maintenance,
        Self::Set,
        Self::Unset,
        Self::Severity,
        Self::Unhold,
        Self::Release,
        Self::HandOver,
        Self::Tick,
        Self::Informed,
        Self::Pin,
        Self::Unpin,
        Self::Undo,
        Self::To,
        Self::Type,
        Self::Ack,
        Self::Freeze,
        Self::Thaw,
        Self::Lock,
        Self::Unlock,
    ];

    /// Its first word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Since => "since",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Maintenance => "maintenance",
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Undo => "undo",
            Self::To => "to",
            Self::Type => "type",
            Self::Release => "release",
            Self::HandOver => "hand-over",
            Self::Severity => "severity",
            Self::Unhold => "unhold",
            Self::Tick => "tick",
            Self::Informed => "informed",
            Self::Ack => "ack",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
        }
    }

    /// What it takes.
    pub fn form(self) -> &'static str {
        match self {
            Self::Since => "since TIME WHY",
            Self::Mute => "mute NAME 30m WHY",
            Self::Unmute => "unmute NAME",
            Self::Maintenance => "maintenance 30m WHY",
            Self::Set => "set CHECK KEY=VALUE 30m WHY",
            Self::Unset => "unset CHECK",
            Self::Pin => "pin POINT WHY",
            Self::Unpin => "unpin POINT",
            Self::Undo => "undo RUN",
            Self::To => "to MOMENT",
            Self::Type => "type NAME",
            Self::Release => "release NAME WHY",
            Self::HandOver => "hand-over NAME to WHO WHY",
            Self::Severity => "severity CLASS WHY",
            Self::Unhold => "unhold WHY",
            Self::Tick => "tick ITEM WHAT",
            Self::Informed => "informed WHO WHAT",
            Self::Ack => "ack WHAT",
            Self::Freeze => "freeze 30m WHY",
            Self::Thaw => "thaw WHY",
            Self::Lock => "lock 30m WHY",
            Self::Unlock => "unlock WHY",
        }
    }

    /// What it does.
    pub fn help(self) -> &'static str {
        match self {
            Self::Since => "it really began then: -14m, or 23:54 UTC",
            Self::Mute => "leave a check, a service or all out for a while",
            Self::Unmute => "judge it again",
            Self::Maintenance => "judge nothing for a while; maintenance end: judge again",
            Self::Set => "change a check for a while, such as timeout=30s",
            Self::Unset => "the check is as configured again",
            Self::Pin => "never trim a restore point",
            Self::Unpin => "the point may be trimmed again",
            Self::Undo => "make a plan that takes a run back; undo last",
            Self::To => "plan level 3 to that moment: 23:54 UTC, name:X, latest",
            Self::Type => "plan a rollback of your own making: database, redis",
            Self::Release => "something left over is gone, or stays as it is",
            Self::HandOver => "somebody else looks after something left over",
            Self::Severity => "how bad it is, whatever is measured",
            Self::Unhold => "lift all that is held",
            Self::Tick => "an item of the checklist after a rollback is done",
            Self::Informed => "stakeholders were told what going back would lose",
            Self::Ack => "you look after it: nobody further up is called; ack all",
            Self::Freeze => "nothing starts by rules for a while",
            Self::Thaw => "rules may act again",
            Self::Lock => "nobody else deploys or rolls back for a while",
            Self::Unlock => "gives the lock back; unlock emergency: after a stop",
        }
    }

    /// The command that a line begins with: its first word, with a blank after it.
    pub fn of(line: &str) -> Option<(Self, &str)> {
        let (first, rest) = line.trim_start().split_once(' ')?;
        let first = first.to_lowercase().replace('_', "-");
        let verb = Self::ALL.into_iter().find(|verb| verb.name() == first)?;
        Some((verb, rest.trim_start()))
    }

    /// What its first argument can be.
    pub(super) fn choices(self, world: &World) -> Vec<String> {
        let situation = &world.situation;
        let judging = &situation.judging;
        let points = |pinned: bool| {
            let points = situation.points.iter();
            let points = points.filter(move |point| point.known.pinned.is_some() == pinned);
            points.map(|point| point.id.to_string()).collect()
        };
        match self {
            Self::Since
            | Self::Unhold
            | Self::Type
            | Self::Freeze
            | Self::Thaw
            | Self::Lock
            | Self::Informed => Vec::new(),
            Self::Unlock => {
                let stop = situation.locks.emergency.as_ref();
                stop.map(|_| "emergency".to_owned()).into_iter().collect()
            }
            Self::Ack => {
                let open = situation.outbox.unacknowledged();
                let open = open.into_iter().map(|(name, _)| name.clone());
                std::iter::once("all".to_owned()).chain(open).collect()
            }
            Self::To => vec!["latest".to_owned()],
            Self::Maintenance => vec!["end".to_owned()],
            Self::Mute => {
                let mut names: Vec<String> =
                    judging.declared.values().map(|one| one.service.clone()).collect();
                names.extend(situation.checks.keys().map(ToString::to_string));
                names.push("all".to_owned());
                names.retain(|name| !name.is_empty());
                names.sort();
                names.dedup();
                names
            }
            Self::Unmute => judging.mutes.iter().map(|mute| mute.name.to_string()).collect(),
            Self::Set => situation.checks.keys().map(ToString::to_string).collect(),
            Self::Unset => judging.overrides.iter().map(|one| one.check.to_string()).collect(),
            Self::Pin => points(false),
            Self::Unpin => points(true),
            Self::Undo => {
                let runs = situation.history.iter().map(|past| past.run.to_string());
                std::iter::once("last".to_owned()).chain(runs).collect()
            }
            Self::Release | Self::HandOver => {
                leftover::open(situation).map(|one| one.name.to_string()).collect()
            }
            Self::Severity => CLASSES.map(str::to_owned).into(),
            Self::Tick => left::open_items(world),
        }
    }

    /// What comes after the first argument when it is completed.
    pub(super) fn after(self) -> &'static str {
        match self {
            Self::HandOver => " to ",
            Self::Unmute
            | Self::Unset
            | Self::Unpin
            | Self::Undo
            | Self::To
            | Self::Type
            | Self::Ack => "",
            Self::Since
            | Self::Mute
            | Self::Maintenance
            | Self::Set
            | Self::Pin
            | Self::Release
            | Self::Severity
            | Self::Tick
            | Self::Informed
            | Self::Freeze
            | Self::Thaw
            | Self::Lock
            | Self::Unlock
            | Self::Unhold => " ",
        }
    }
}
