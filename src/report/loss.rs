//! How much data a run may have lost, in the sentences of S-41.

use std::time::Duration;

use crate::model::ids::Time;
use crate::model::incident::{Run, StepPhase};
use crate::model::plan::Level;
use crate::model::situation::Situation;

/// The steps that stop whoever writes; the data is that of the moment when the first was through.
const STOPS_WRITERS: [&str; 4] = ["hold", "stop_writers", "stop_workers", "stop_workload"];

/// What lies between the recovery target and the moment at which nobody wrote any more (W-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// How long that is.
    pub window: Duration,
    /// Whether transaction logs of that time are there.
    pub logs: bool,
}

impl Loss {
    /// The loss of a run of level 3 whose target and whose stop of the writers are on record.
    pub fn of(run: &Run, situation: &Situation) -> Option<Self> {
        match run.plan.core.level {
            Level::Switch | Level::Full => return None,
            Level::PointInTime => {}
        }
        let target = target(run, situation)?;
        let core = &run.plan.core;
        let stops = core.steps.iter().filter(|step| {
            let kind = step.action.as_object().and_then(|action| action.keys().next());
            kind.is_some_and(|kind| STOPS_WRITERS.contains(&kind.as_str()))
        });
        let stopped = stops.filter_map(|step| {
            let state = run.step(&step.id).filter(|state| state.phase == StepPhase::Done)?;
            state.ended_at
        });
        let window = (stopped.min()? - target).to_std().unwrap_or_default();
        // No store of this program replays logs: what a point does not hold is lost.
        Some(Self { window, logs: false })
    }

    /// The two sentences, as the document has them.
    pub fn sentences(&self) -> [String; 2] {
        let minutes = self.window.as_secs() / 60;
        let logs = if self.logs {
            "Transaction logs available - data loss minimized"
        } else {
            "No transaction logs - full RPO data loss possible"
        };
        [format!("Potential data loss window: {minutes} minutes"), logs.to_owned()]
    }
}

/// When the restore point was taken: by its record, else by its name.
fn target(run: &Run, situation: &Situation) -> Option<Time> {
    let point = &run.plan.core.point;
    let known = situation.points.iter().chain(&situation.deploys.records);
    let taken = known.filter(|known| &known.id == point).find_map(|known| known.taken_at);
    taken.or_else(|| {
        let named = chrono::NaiveDateTime::parse_from_str(point.as_str(), "%Y%m%d-%H%M%S");
        Some(named.ok()?.and_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentences_are_those_of_the_document() {
        let loss = Loss { window: Duration::from_secs(11 * 60 + 59), logs: false };
        assert_eq!(
            loss.sentences(),
            [
                "Potential data loss window: 11 minutes",
                "No transaction logs - full RPO data loss possible"
            ]
        );
        let [_, logs] = Loss { logs: true, ..loss }.sentences();
        assert_eq!(logs, "Transaction logs available - data loss minimized");
    }
}
