//! The last words on the normal screen: what goes on, where the evidence is, how to come back.

use std::fmt;
use std::path::Path;

use crate::model::ids::incident_name;
use crate::model::situation::Situation;

/// Three lines, printed after the terminal is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goodbye {
    /// The state of the run.
    pub state: String,
    /// Where the evidence is.
    pub evidence: String,
    /// How to come back.
    pub back: String,
    /// The environment to open a console on next, when one was chosen.
    pub next: Option<String>,
}

impl Goodbye {
    /// The last words of a replay, which has left everything as it was.
    pub fn of_replay(name: &str, state: &Path) -> Self {
        Self {
            state: format!("the replay of {name} was left; nothing was changed"),
            evidence: format!("its journal: {}", state.display()),
            back: format!("backout report incident --incident {name}"),
            next: None,
        }
    }

    /// The last words for a situation.
    pub fn of(situation: &Situation, state: &Path, pid: Option<u32>) -> Self {
        let engine = pid.map_or_else(String::new, |pid| format!("; the engine stays, pid {pid}"));
        let line = match &situation.run {
            Some(run) => match &run.ended {
                Some(ended) => format!("run {} ended: {}", run.id, ended.outcome.words()),
                None => format!("run {} is {} and goes on", run.id, run.state().label()),
            },
            None if situation.incident.is_some() => "no run; the incident stays open".to_owned(),
            None => "no incident is open".to_owned(),
        };
        let evidence = match &situation.run {
            Some(run) => state.join("evidence").join(run.id.as_str()),
            None => state.to_owned(),
        };
        let name = if situation.last_incident > 0 {
            format!(" {}", incident_name(situation.last_incident))
        } else {
            String::new()
        };
        Self {
            state: format!("{line}{engine}"),
            evidence: format!("evidence: {}", evidence.display()),
            back: format!("backout attach{name}"),
            next: None,
        }
    }
}

impl fmt::Display for Goodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.state)?;
        writeln!(f, "{}", self.evidence)?;
        writeln!(f, "{}", self.back)
    }
}
