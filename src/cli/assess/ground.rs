//! Looks at what an assessment stands on beside the readings.

use std::time::Duration;

use crate::adapters::Error;
use crate::checks::CheckKind;
use crate::config::Config;
use crate::engine::stack::Stack;
use crate::journal::spool::{LogSeverity, Query, SpoolReader};
use crate::report::ground::{ErrorLine, Ground, informed, points};
use crate::text::SafeText;

use super::super::World;
use super::super::session::Session;

/// How long what runs may be looked at.
const LIMIT: Duration = Duration::from_secs(10);
/// The last lines of a log that count (S-10).
const LINES: usize = 100;

/// Looks; what cannot be looked at is said in its place.
pub(super) async fn look(world: &World, session: &Session) -> Ground {
    let (config, situation) = (&session.place.config, &session.situation);
    let (errors, sources) = errors(config);
    let mut ground = Ground {
        errors,
        sources,
        marker: config.proofs.marker.as_ref().map(|path| {
            let there = match std::fs::symlink_metadata(path) {
                Ok(_) => Some(true),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
                Err(_) => None,
            };
            (SafeText::new(&path.display().to_string()), there)
        }),
        counts: counts(session),
        points: points(&situation.points, session.now()),
        informed: informed(situation.incident.as_ref()),
        ..Ground::default()
    };
    if let Some(stack) = Stack::of(config, &world.program, &world.clock) {
        let looked = world.clock.timeout(LIMIT, running(&stack, &mut ground)).await;
        if looked.is_err() {
            let why = format!("no more of what runs: not told in {} s", LIMIT.as_secs());
            ground.running.push(SafeText::new(&why));
        }
    }
    ground
}

/// Who serves, and what runs.
async fn running(stack: &Stack, ground: &mut Ground) {
    let not = |what: &str, error: &Error| SafeText::new(&format!("{what}: {}", error.message));
    match stack.traffic.look().await {
        Ok(traffic) => {
            let state = stack.workload.look(&traffic.active).await;
            let version = state.map(|state| state.version).unwrap_or_default();
            let serving = format!("{} {version}", traffic.active);
            ground.serving = Some(SafeText::new(serving.trim_end()));
        }
        Err(error) => ground.serving = Some(not("not known", &error)),
    }
    match stack.workload.parts().await {
        Ok(parts) => ground.running = parts,
        Err(error) => ground.running.push(not("what runs is not known", &error)),
    }
    if ground.running.is_empty() {
        for color in stack.addresses.keys() {
            ground.running.push(match stack.workload.look(color).await {
                Ok(state) => {
                    let word = if state.running { "runs" } else { "does not run" };
                    SafeText::new(&format!("{color} {} {word}", state.version))
                }
                Err(error) => not(color.as_str(), &error),
            });
        }
    }
}

/// The errors among the last lines of each source, and how many sources were read.
fn errors(config: &Config) -> (Vec<ErrorLine>, usize) {
    let Ok(mut reader) = SpoolReader::open(&config.state_dir.join("spool")) else {
        return (Vec::new(), 0);
    };
    let sources = reader.sources();
    let mut errors = Vec::new();
    for source in &sources {
        let only = Some(std::iter::once(source.clone()).collect());
        let query = Query { sources: only, rows: LINES, ..Query::default() };
        let page = reader.page(&query).map(|page| page.lines).unwrap_or_default();
        let bad = page.into_iter().filter(|one| !one.gap && one.severity >= LogSeverity::Error);
        errors.extend(bad.map(|one| ErrorLine { at: one.at, source: one.source, text: one.text }));
    }
    errors.sort_by_key(|error| error.at);
    (errors, sources.len())
}

/// What the checks of databases counted, `database: 400 rows`.
fn counts(session: &Session) -> Vec<SafeText> {
    let checks = session.place.config.checks.iter();
    let of_data = checks.filter(|spec| matches!(spec.kind, CheckKind::DatabaseConnection(_)));
    let line = |id: &crate::model::ids::CheckId| {
        let card = session.situation.checks.get(id)?;
        let reading = session.readings.get(id);
        let note = reading.map_or(&card.note, |reading| &reading.note);
        Some(SafeText::new(&format!("{id}: {note}")))
    };
    of_data.filter_map(|spec| line(&spec.id)).collect()
}
