//! From when to when a base backup can be brought forward by its server's logs (S-35).

use serde::{Deserialize, Serialize};

use super::ids::Time;
use super::incident::Run;
use super::until::{Lsn, Until, stamp};

/// How many missing segments are named.
const NAMED: usize = 3;

/// From when to when a base backup can be brought forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When the base backup was finished: nothing before it can be had.
    pub from: Time,
    /// When the last log of the unbroken row was archived.
    pub until: Time,
    /// Where the base backup ends in the log.
    pub stop: Lsn,
    /// Where the unbroken row ends in the log.
    pub end: Lsn,
    /// The logs that are missing or cannot be used although later ones are there.
    pub gaps: Vec<String>,
    /// The timeline that is followed.
    pub timeline: u32,
    /// The server.
    pub system: u64,
    /// Whether the server lives and gives out its last log when it is asked to.
    pub grows: bool,
}

impl Window {
    /// Both ends, and what is missing.
    pub fn words(&self) -> String {
        let now =
            if self.grows { " (the server lives: its last log is archived first)" } else { "" };
        let more = self.gaps.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let named = self.gaps.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>();
        let gaps = match named.as_slice() {
            [] => String::new(),
            named => format!("; missing after that: {}{more}", named.join(", ")),
        };
        format!("{} to {}{now}{gaps}", stamp(self.from), stamp(self.until))
    }

    /// The same at a later moment: a server that lives has written on since.
    #[must_use]
    pub fn later(&self, now: Time) -> Self {
        let until = if self.grows { self.until.max(now) } else { self.until };
        Self { until, ..self.clone() }
    }

    /// Refuses what cannot be reached, and names both ends.
    pub fn admit(&self, until: &Until) -> Result<(), String> {
        let window = || format!("what can be reached is {}", self.words());
        match until {
            // A server would stop at the first whole state, which is later, and say nothing.
            Until::Time(at) if *at < self.from => Err(format!(
                "{} is before the base backup was finished ({}): {}",
                stamp(*at),
                stamp(self.from),
                window()
            )),
            Until::Time(at) if *at > self.until => Err(format!(
                "{} is after the last log that can be used ({}): {}",
                stamp(*at),
                stamp(self.until),
                window()
            )),
            Until::Lsn(lsn) if *lsn < self.stop => {
                Err(format!("{lsn} is before the base backup's end {}: {}", self.stop, window()))
            }
            Until::Lsn(lsn) if *lsn > self.end && !self.grows => {
                Err(format!("{lsn} is after the logs' end {}: {}", self.end, window()))
            }
            Until::Time(_) | Until::Lsn(_) | Until::Name(_) | Until::Xid(_) | Until::Latest => {
                Ok(())
            }
        }
    }
}

impl Run {
    /// Another moment to go to from the gate of a recovery, as a person types it; refused with the
    /// window where it cannot be reached.
    pub fn another_moment(&self, text: &str, now: Time) -> Result<Until, String> {
        let until = Until::typed(text, now)?;
        let Some(window) = &self.plan.face.window else {
            let why = "no moment between points can be reached: the point has no base backup, or \
                       no logs are archived (database.postgres.recovery)";
            return Err(why.to_owned());
        };
        window.later(now).admit(&until)?;
        Ok(until)
    }
}
