//! What the console knows: the fold of the journal and what is beside it. Nothing here draws.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::ids::{CheckId, Time};
use crate::model::incident::RunState;
use crate::model::live::Live;
use crate::model::plan::{Level, LevelCard, PlanFace, Preflight, PreflightAnswer, StepFace};
use crate::model::reading::Reading;
use crate::model::rule::book::Proposal;
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::history::History;
use super::settings::Settings;
use super::words;

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The fold of the journal.
    pub situation: Situation,
    /// What is true only now.
    pub live: Option<Live>,
    /// The last reading of every check.
    pub readings: BTreeMap<CheckId, Reading>,
    /// How far apart a check's last two readings were.
    pub pace: BTreeMap<CheckId, Duration>,
    /// The last half hour of readings.
    pub history: Arc<History>,
    /// One page of log lines.
    pub logs: LogPage,
    /// The line to the engine.
    pub link: Link,
    /// What this person has set.
    pub settings: Arc<Settings>,
    /// The environments that are configured here, this one too.
    pub environments: Vec<String>,
    /// The guided procedures.
    pub guides: Arc<Vec<crate::model::guide::Guide>>,
    /// Where a replay stands, when it is the past that is shown.
    pub replay: Option<super::replay::Replay>,
}

/// One page of log lines around the view, and what is not on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPage {
    /// Oldest first.
    pub lines: Vec<LogRow>,
    /// Sources that exist.
    pub sources: usize,
    /// Lines a second that come in.
    pub per_second: f64,
    /// Lines that were hidden: not chosen, or come while the page was held.
    pub hidden: u64,
    /// Lines lost before disk.
    pub dropped: u64,
    /// The sources' names.
    pub names: Vec<String>,
    /// Lines a second that are shown.
    pub shown_per_second: f64,
    /// Lines a second that are hidden.
    pub hidden_per_second: f64,
    /// Lines that were left out because more came than anyone reads.
    pub sampled: u64,
    /// Of so many such lines one is shown; 1 when all are.
    pub one_of: u64,
    /// Whether the page is held at a place.
    pub paused: bool,
    /// Lines that came since.
    pub behind: u64,
    /// The selected line, while the page is held.
    pub cursor: Option<usize>,
    /// What is left out, in a few words.
    pub choice: String,
    /// What became of the search.
    pub found: Option<String>,
    /// When it was read.
    pub at: Option<Time>,
}

/// One log line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogRow {
    /// When.
    pub at: Time,
    /// Where from.
    pub source: SafeText,
    /// `E`, `W`, `I`, `D`, or a blank where it does not say.
    pub severity: char,
    /// What.
    pub text: SafeText,
    /// How many equal lines in a row it stands for.
    pub folded: u32,
    /// Whether it says that lines are missing here.
    pub gap: bool,
    /// Where it has what is searched: begin and end of each place, in bytes.
    pub found: Vec<(usize, usize)>,
    /// Whether a person marked it.
    pub marked: bool,
}

/// The line between this console and the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// How it stands.
    pub state: LinkState,
    /// This person's uid.
    pub uid: u32,
    /// This person's name, as the engine is told.
    pub name: SafeText,
    /// Why this console only looks, when so: it may still stop and write notes.
    pub observer: Option<String>,
    /// Whether the engine is of another version: only what stops is then open.
    pub foreign: Option<String>,
}

/// How the line stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LinkState {
    /// Being made.
    #[default]
    Connecting,
    /// It stands.
    Live,
    /// The engine does not answer; it may be restarting.
    Lost {
        /// Since when.
        since: Time,
    },
    /// The engine is gone, and nobody holds its lock.
    Orphaned {
        /// Since when.
        since: Time,
        /// What to type, when its keeper gave it up.
        command: Option<String>,
    },
    /// The journal cannot be read.
    JournalLost {
        /// Since when.
        since: Time,
        /// Why.
        why: String,
    },
}

/// Who may start things, seen from here.
#[derive(Clone, Debug, PartialEq)]
pub enum LeadStand {
    /// This person, in this term.
    Mine(u64),
    /// Nobody yet.
    Nobody,
    /// Someone else, and since when their line is gone.
    Other(SafeText, Option<Time>),
}

impl World {
    /// Who may start things, seen from here.
    pub fn lead(&self) -> LeadStand {
        match &self.situation.lead {
            None => LeadStand::Nobody,
            Some(lead) => {
                let me = lead.who.uid == self.link.uid && lead.who.name == self.link.name;
                if me {
                    LeadStand::Mine(lead.term)
                } else {
                    LeadStand::Other(lead.who.name.clone(), lead.lost_at)
                }
            }
        }
    }

    /// How many consoles of this person are attached.
    pub fn consoles_of_mine(&self) -> usize {
        let clients = self.live.as_ref().map(|live| live.clients.as_slice());
        let mine = clients.unwrap_or_default().iter();
        mine.filter(|client| client.uid == self.link.uid && client.name == self.link.name).count()
    }

    /// Why a command that starts or answers something cannot be given from here.
    pub fn hindered(&self) -> Option<String> {
        if let Some(why) = self.silenced() {
            return Some(why);
        }
        if let Some(why) = &self.link.observer {
            return Some(format!("{why}: only stopping and notes"));
        }
        if let Some(version) = &self.link.foreign {
            return Some(format!(
                "the engine is version {version}: this console may only stop things"
            ));
        }
        if self.situation.newer {
            return Some("a newer backout has written here: this console may only stop".to_owned());
        }
        None
    }

    /// Why not even a stop can be given from here.
    pub fn silenced(&self) -> Option<String> {
        if self.replay.is_some() {
            return Some("this is a replay: nothing can be started or stopped".to_owned());
        }
        if let (Some(why), Some(_)) = (&self.link.observer, &self.link.foreign) {
            return Some(format!("{why}, and the engine is of another version"));
        }
        match &self.link.state {
            LinkState::Live => None,
            LinkState::Connecting => Some("no engine answers yet".to_owned()),
            LinkState::Lost { .. } => {
                Some("the engine does not answer; trying again by itself".to_owned())
            }
            LinkState::Orphaned { .. } => Some("the engine is gone".to_owned()),
            LinkState::JournalLost { .. } => Some("the journal cannot be read".to_owned()),
        }
    }

    /// Why a rollback cannot be started from here.
    pub fn cannot_start(&self) -> Option<String> {
        if let Some(why) = self.hindered() {
            return Some(why);
        }
        match self.lead() {
            LeadStand::Mine(_) | LeadStand::Nobody => None,
            LeadStand::Other(name, _) => Some(format!("{name} has the lead")),
        }
    }

    /// The face of the open plan, as looked at last.
    pub fn face(&self) -> Option<&PlanFace> {
        let open = self.situation.plan.as_ref()?;
        let fresh = self.live.as_ref().and_then(|live| live.face.as_ref());
        Some(
            fresh
                .filter(|face| face.steps.len() == open.plan.core.steps.len())
                .unwrap_or(&open.plan.face),
        )
    }

    /// The face of a step of the run or of the open plan.
    pub fn step_face(&self, at: usize) -> Option<&StepFace> {
        match self.situation.open_run() {
            Some(run) => run.plan.face.steps.get(at),
            None => self.face()?.steps.get(at),
        }
    }

    /// The first preflight line that keeps the plan from starting.
    pub fn blocker(&self) -> Option<&Preflight> {
        let open = self.situation.plan.as_ref()?;
        open.preflight.iter().find(|line| match line.answer {
            PreflightAnswer::Block | PreflightAnswer::Unknown => true,
            PreflightAnswer::Ok | PreflightAnswer::Warn => false,
        })
    }

    /// What a rule is about to do, or asks a person to do.
    pub fn proposal(&self) -> Option<&Proposal> {
        let proposal = self.situation.rules.proposal.as_ref();
        proposal.filter(|_| self.situation.open_run().is_none())
    }

    /// The card of a level.
    pub fn card(&self, level: Level) -> Option<&LevelCard> {
        self.situation.levels.iter().find(|card| card.level == level)
    }

    /// The run's state, while there is one.
    pub fn run_state(&self) -> Option<RunState> {
        self.situation.run.as_ref().map(crate::model::incident::Run::state)
    }

    /// Whether a person must decide something about the run.
    pub fn waits(&self) -> bool {
        self.situation.open_run().is_some_and(|run| run.state() == RunState::WaitingForYou)
    }

    /// The age of the engine's last word.
    pub fn heartbeat(&self, now: Time) -> Option<Duration> {
        self.live.as_ref().map(|live| words::since(live.at, now))
    }

    /// How often a check is looked at, as far as was seen.
    pub fn pace(&self, check: &CheckId) -> Duration {
        let seen = self.pace.get(check).copied();
        seen.unwrap_or(Duration::from_secs(5)).max(Duration::from_secs(1))
    }

    /// For how long the requests that were counted last stand for now: two looks of the slowest
    /// check that counts any.
    pub fn requests_fresh(&self) -> Duration {
        let counting = self.live.as_ref().map(|live| live.counting.as_slice()).unwrap_or_default();
        let slowest = counting.iter().map(|check| self.pace(check)).max().unwrap_or_default();
        (slowest * 2).clamp(Duration::from_secs(10), Duration::from_mins(10))
    }
}
