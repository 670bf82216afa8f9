//! A plan: a frozen graph of steps. What is approved (its digest) is what runs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{CheckId, Color, Digest, PointId, StepId, Time};

/// How deep a rollback goes (S-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 1: the fastest way to the last good version that touches no data; < 5 min.
    Switch,
    /// 2: application, migrations, configuration; < 15 min.
    Full,
    /// 3: recovery to a point in time; < 30 min.
    PointInTime,
}

impl Level {
    /// 1, 2 or 3.
    pub fn number(self) -> u8 {
        match self {
            Self::Switch => 1,
            Self::Full => 2,
            Self::PointInTime => 3,
        }
    }

    /// The level with that number.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Switch),
            2 => Some(Self::Full),
            3 => Some(Self::PointInTime),
            _ => None,
        }
    }

    /// Recovery time objective: 300, 900, 1800 s.
    pub fn rto(self) -> Duration {
        match self {
            Self::Switch => Duration::from_mins(5),
            Self::Full => Duration::from_mins(15),
            Self::PointInTime => Duration::from_mins(30),
        }
    }

    /// `quick switch`, `full rollback`, `point-in-time recovery`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Switch => "quick switch",
            Self::Full => "full rollback",
            Self::PointInTime => "point-in-time recovery",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// What a step can do to people's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hazard {
    /// Changes nothing.
    Looks,
    /// Changes something that its undo brings back.
    Reversible,
    /// Data is gone afterwards.
    LosesData,
}

/// What is promised of a step that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Effect and record in one transaction: exactly once.
    Atomic,
    /// Declares a state; repeating is harmless.
    Converge,
    /// Not repeatable, but a look decides whether it happened.
    Probed,
    /// No look can tell; never repeated without a person.
    Opaque,
}

/// What the engine does when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Stop and wait for the person.
    Wait,
    /// Note it and go on.
    GoOn,
    /// Take back what was begun, without asking (P-12).
    TakeBack,
}

/// One step, as it is hashed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of a playbook")]
pub struct StepSpec {
    /// Its name within the plan.
    pub id: StepId,
    /// The step kind and its settings: `{"switch_traffic": {"to": "blue"}}`.
    pub action: serde_json::Value,
    /// Steps that must have ended well before.
    pub needs: Vec<StepId>,
    /// What is promised when it is cut off.
    pub class: Class,
    /// What it can do to data.
    pub hazard: Hazard,
    /// How long it may take.
    pub budget: Duration,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// Checks that it takes down on purpose.
    pub expect_down: Vec<CheckId>,
    /// Statuses that are right at these checks once it is done, while what it did is in force; a
    /// check without one is held against its configuration again (W-65).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expected_status: BTreeMap<CheckId, Option<String>>,
    /// The step of `undo` that takes it back, if there is one.
    pub undo: Option<StepId>,
    /// Whether it may run while the watch window is open: the window does not wait for it.
    pub beside_watch: bool,
    /// Whether it is a person's choice and not an act: see [`super::loss::Choice`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// Whether it is left out unless the copy takes the place of the live data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_swap: bool,
    /// Whether it is left out unless both stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_beside: bool,
}

/// What is hashed: everything that decides what happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanCore {
    /// The level.
    pub level: Level,
    /// The environment it is for.
    pub environment: String,
    /// Where it goes back to.
    pub point: PointId,
    /// That point's manifest, when it has one.
    pub manifest: Option<Digest>,
    /// The identities of what it touches: a changed one is another plan.
    pub identities: BTreeMap<String, String>,
    /// The configuration it was made from.
    pub config: Digest,
    /// The version that is left, and the one gone to.
    pub from: SafeText,
    /// The version gone to.
    pub to: SafeText,
    /// Forward steps.
    pub steps: Vec<StepSpec>,
    /// Steps that take forward steps back; run in reverse order of what was done.
    pub undo: Vec<StepSpec>,
    /// How long the watch window is.
    pub watch: Duration,
}

/// How a target names a rollback of the configuration's own making: `type:database` (M-29).
pub const TYPE: &str = "type:";

/// What is shown beside the core and may change: not hashed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanFace {
    /// Per step, in order of the core's steps.
    pub steps: Vec<StepFace>,
    /// What cannot be taken back: `in-flight requests on green are drained 5 s, the rest cut`.
    pub not_undone: Vec<SafeText>,
    /// What of the data changes or is lost.
    pub data: SafeText,
    /// Level 1's form: switch, undo or redeploy.
    pub form: SafeText,
    /// The length of the critical path by estimates.
    pub estimate: Duration,
    /// Colour left and gone to, where there are two.
    pub colors: Option<(Color, Color)>,
    /// What workers and cron run, and what becomes of them.
    #[serde(default)]
    pub workers: SafeText,
    /// What goes back, stays, or cannot, from what to what (S-16, S-30).
    #[serde(default)]
    pub moves: Vec<Move>,
    /// What of the data is lost, as far as it is known beforehand.
    #[serde(default)]
    pub loss: Option<super::loss::Loss>,
    /// What changes in files of configuration, line by line, with secrets masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<SafeText>,
    /// Whether two people must approve it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub two_person: bool,
    /// From when to when the point can be brought forward by logs, where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<super::window::Window>,
    /// The database's zone of times, where its logs are replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<super::until::Zone>,
    /// What people are told that it is, where it has a name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<Called>,
}

/// What people are told that a rollback is: `Emergency rollback` for `gateway` (M-16 to M-18).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// What it is.
    pub what: SafeText,
    /// What it is about; empty where that says itself.
    #[serde(default)]
    pub subject: SafeText,
    /// What is said when it begins, line by line.
    #[serde(default)]
    pub opening: Vec<SafeText>,
}

/// One thing that a rollback is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// `schema`, `configuration`, `users.phone`.
    pub item: SafeText,
    /// What it is now.
    pub from: SafeText,
    /// What it will be.
    pub to: SafeText,
    /// What becomes of it.
    pub way: Way,
}

/// What becomes of a thing that a rollback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It goes back.
    Back,
    /// It stays as it is.
    Stays,
    /// It cannot go back (design 24).
    Cannot,
}

impl Way {
    /// `moves back`, `stays`, `cannot`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Back => "moves back",
            Self::Stays => "stays",
            Self::Cannot => "cannot",
        }
    }
}

/// What a person reads of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepFace {
    /// `switch traffic to blue`.
    pub title: SafeText,
    /// What it would do now: `active green -> blue, 1/1 ready`.
    pub preview: SafeText,
    /// How it is undone, or `-`.
    pub undo: SafeText,
    /// Estimate from the last runs, else from the budget.
    pub estimate: Duration,
    /// How long it took last time.
    pub last: Option<Duration>,
    /// The exact commands for doing it by hand.
    pub by_hand: Vec<SafeText>,
}

/// A plan: the frozen core and the face that people read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What runs.
    pub core: PlanCore,
    /// What is shown.
    pub face: PlanFace,
    /// When it was made.
    pub made_at: Time,
}

impl Plan {
    /// The digest that an approval is bound to: of the core alone.
    pub fn digest(&self) -> Digest {
        // A plan is made of maps, lists and numbers that always serialise.
        Digest::of(&serde_json::to_vec(&self.core).unwrap_or_default())
    }

    /// The forward or undo step with that name.
    pub fn step(&self, id: &StepId) -> Option<&StepSpec> {
        self.core.steps.iter().chain(&self.core.undo).find(|step| &step.id == id)
    }

    /// The face of a forward step.
    pub fn face_of(&self, id: &StepId) -> Option<&StepFace> {
        let at = self.core.steps.iter().position(|step| &step.id == id)?;
        self.face.steps.get(at)
    }

    /// Whether a step of it loses data: then it starts only with the loss accepted (design 18).
    pub fn loses_data(&self) -> bool {
        self.core.steps.iter().any(|step| step.hazard == Hazard::LosesData)
    }

    /// The longest way through the graph until traffic is good, by budgets or by estimates: what
    /// runs beside the watch window is behind the objective's clock (W-03).
    pub fn critical_path(&self, length: impl Fn(usize, &StepSpec) -> Duration) -> Duration {
        let mut ends: BTreeMap<&StepId, Duration> = BTreeMap::new();
        for (at, step) in self.core.steps.iter().enumerate() {
            let start = step.needs.iter().filter_map(|id| ends.get(id)).max().copied();
            // The time that a person thinks is not the rollback's.
            let length =
                if step.beside_watch || step.asks { Duration::ZERO } else { length(at, step) };
            ends.insert(&step.id, start.unwrap_or_default() + length);
        }
        ends.values().max().copied().unwrap_or_default()
    }
}

/// One line of the preflight (S-43, S-47).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preflight {
    /// What was looked at: `appropriate user`, `blue answers at its own address`.
    pub name: SafeText,
    /// The answer.
    pub answer: PreflightAnswer,
    /// What was seen, and for a block what to do.
    pub text: SafeText,
}

/// What a preflight line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreflightAnswer {
    /// Fine.
    Ok,
    /// Said beforehand, does not block.
    Warn,
    /// The level cannot start.
    Block,
    /// Not known; blocks like a no, and says why.
    Unknown,
}

/// Whether a level can be chosen, and why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelCard {
    /// The level.
    pub level: Level,
    /// `ready`, `blocked` or `not proven`.
    pub standing: LevelStanding,
    /// Why, and for level 1 which form.
    pub why: SafeText,
    /// Estimated time by the critical path.
    pub estimate: Option<Duration>,
    /// What data it changes or loses.
    pub data: SafeText,
    /// The restore point it would use.
    pub point: Option<PointId>,
    /// The version it would go back to.
    pub version: Option<SafeText>,
}

/// Whether a level can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelStanding {
    /// Everything it needs was looked at and is there.
    Ready,
    /// Something it needs is missing.
    Blocked,
    /// Nothing speaks against it, but its way was never proven.
    NotProven,
}

impl LevelStanding {
    /// As the card shows it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Blocked => "blocked",
            Self::NotProven => "not proven",
        }
    }
}
