//! What is left temporary, and when it counts as gone (design 22).

use serde::{Deserialize, Serialize};

use super::entry::Leftover;
use super::hold::HoldPart;
use super::ids::{Color, StepId, Time};
use super::incident::{Run, StepPhase};
use super::situation::Situation;

/// A version that is stopped and kept is overdue after this long.
pub const STOPPED_DUE: chrono::Duration = chrono::Duration::hours(24);

/// What a look can tell about a leftover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A hold; gone when it is lifted.
    Hold(HoldPart),
    /// A version that is stopped and kept; gone when it runs again.
    Stopped(Color),
    /// The workers and cron of a version; gone when they run again.
    Workers(Color),
    /// A file or folder that is kept beside the live data; gone when it is not there.
    Path(std::path::PathBuf),
    /// A lock; gone when it is released.
    Lock(super::lock::LockKind),
    /// Somebody who was kept from acting, as the step names them; gone when they act again.
    Frozen(serde_json::Value),
}

impl Leftover {
    /// Whether it keeps the incident open: neither released nor handed to a name.
    pub fn is_open(&self) -> bool {
        self.handed_to.is_none()
    }

    /// Whether it should be gone by now.
    pub fn overdue(&self, now: Time) -> bool {
        self.is_open() && self.due.is_some_and(|due| due < now)
    }
}

/// What keeps the incident from being closed.
pub fn open(situation: &Situation) -> impl Iterator<Item = &Leftover> {
    situation.leftovers.iter().filter(|leftover| leftover.is_open())
}

/// The one that a person means: its whole name, else the only one that begins so or holds the
/// words.
///
/// # Errors
/// Says what is there when none or several are meant.
pub fn named<'a>(situation: &'a Situation, name: &str) -> Result<&'a Leftover, String> {
    let wanted = name.trim().to_lowercase();
    let all = || situation.leftovers.iter();
    let name_of = |leftover: &Leftover| leftover.name.as_str().to_lowercase();
    if let Some(same) = all().find(|leftover| name_of(leftover) == wanted) {
        return Ok(same);
    }
    let found: Vec<&Leftover> = all()
        .filter(|leftover| !wanted.is_empty() && name_of(leftover).contains(&wanted))
        .collect();
    let names: Vec<&str> = all().map(|leftover| leftover.name.as_str()).collect();
    match (found.as_slice(), names.as_slice()) {
        ([one], _) => Ok(one),
        (_, []) => Err("nothing is left over".to_owned()),
        ([], names) => Err(format!("no leftover is called {name}; there is {}", names.join("; "))),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
            Err(format!("{name} could be {}", names.join("; ")))
        }
    }
}

/// Whether what a forward step did still stands: it is done, and its undo is not.
pub fn stands(run: &Run, step: &str) -> bool {
    let step = StepId::from(step);
    let done = |id: &StepId| run.step(id).is_some_and(|state| state.phase == StepPhase::Done);
    let undone = run.plan.step(&step).and_then(|spec| spec.undo.as_ref()).is_some_and(done);
    done(&step) && !undone
}

/// Whether the run left the workers of the version it went from stopped: in place they are started
/// again for the version that is there now.
pub fn workers_stopped(run: &Run) -> bool {
    let again = |step: &str| {
        run.step(&StepId::from(step)).is_some_and(|again| again.phase == StepPhase::Done)
    };
    let again = again("start_workers_again") || again("start_workers");
    stands(run, "stop_workers") && !again
}

/// Whether the run was to stop workers and could not: they may still run.
pub fn workers_missed(run: &Run) -> bool {
    run.step(&StepId::from("stop_workers")).is_some_and(|state| match state.phase {
        StepPhase::Failed(_) | StepPhase::Unknown(_) | StepPhase::Skipped(_) => true,
        StepPhase::Waiting | StepPhase::Running | StepPhase::Done => false,
    })
}
