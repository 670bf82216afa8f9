//! `backout slo`: what is left of the error budgets, and how fast they burn.

use std::io::Write;

use crate::failure::{Exit, Failure};
use crate::journal::Samples;
use crate::model::slo::{Alarm, Standing};
use crate::report;

use super::{World, say, session};

/// Exit 0, 1 where a slow burn wants a look, 2 where a quick one calls somebody, 3 where nothing is
/// known.
pub(crate) async fn run(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = session::place_to_attach(world)?.config;
    let mut standings: Vec<Standing> = Vec::new();
    if !config.judging.objectives.is_empty() {
        let mut samples = Samples::read(&config.state_dir).await.map_err(|error| {
            Failure::new(Exit::Unknown, error.to_string())
                .hint("looks are counted by: backout monitor")
        })?;
        let live = samples.live().await.map_err(session::journal)?;
        standings = live.map(|live| live.slos).unwrap_or_default();
    }
    if world.json {
        session::json(out, &standings);
    } else {
        say(out, &report::slo::table(&standings));
    }
    let alarm = standings.iter().filter_map(Standing::alarm).max();
    let unknown = standings.iter().any(|one| one.left.is_none());
    Ok(match alarm {
        Some(Alarm::Page) => Exit::Critical,
        Some(Alarm::Ticket) => Exit::Warning,
        None if unknown => Exit::Unknown,
        None => Exit::Ok,
    })
}
