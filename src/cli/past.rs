//! What is read of a journal about the past: which folder, which incident, its entries. No engine is
//! needed, and none is started.

use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};
use crate::journal::{Place, Reader};
use crate::model::entry::{Body, Entry, Event};
use crate::model::ids::{IncidentId, incident_name};

use super::World;
use super::session::{self, journal};

/// The entries of one incident, and where they lie.
pub(super) struct Past {
    pub(super) state: PathBuf,
    pub(super) incident: IncidentId,
    /// From its opening up to the opening of the next one.
    pub(super) entries: Vec<Entry>,
}

/// Where the journal is: in the state folder that is named, also by the journal in it, else where the configuration says.
pub(super) fn folder(world: &World, named: Option<&Path>) -> Result<Place, Failure> {
    let Some(named) = named else {
        return Ok(session::place_to_attach(world)?.journal);
    };
    if named.is_file() {
        if named.file_name().is_none_or(|name| name != "journal.db") {
            let why = format!("could not read {}: a journal is called journal.db", named.display());
            return Err(Failure::new(Exit::Usage, why).hint("name the folder that it lies in"));
        }
        return Ok(Place::from(named.parent().unwrap_or(named)));
    }
    Ok(Place::from(named))
}

/// The number in `142`, `INC-0142`, `inc-142`.
pub(super) fn number(text: &str) -> Result<IncidentId, Failure> {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
    digits.parse().map_err(|_| {
        Failure::new(Exit::Usage, format!("{text} is no incident")).hint("write 142 or INC-0142")
    })
}

/// The entries of an incident; without a number, of the last one.
pub(super) async fn read(at: Place, wanted: Option<IncidentId>) -> Result<Past, Failure> {
    let mut reader = Reader::open(&at).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string())
            .hint("name the folder of a journal with --state DIR")
    })?;
    let openings = reader.openings().await.map_err(journal)?;
    let state = at.state().to_owned();
    let known: Vec<(IncidentId, u64)> = openings.iter().filter_map(opened).collect();
    let at = match wanted {
        Some(wanted) => known.iter().rposition(|(incident, _)| *incident == wanted),
        None => known.len().checked_sub(1),
    };
    let Some((at, (incident, first))) = at.and_then(|at| Some((at, *known.get(at)?))) else {
        return Err(unknown(wanted, &known));
    };
    let end = known.get(at + 1).map(|(_, seq)| *seq);
    let entries = reader.between(first, end).await.map_err(journal)?;
    Ok(Past { state, incident, entries })
}

fn opened(entry: &Entry) -> Option<(IncidentId, u64)> {
    let Body::Event(event) = &entry.body else { return None };
    match event.as_ref() {
        Event::IncidentOpened { incident, .. } => Some((*incident, entry.seq)),
        _ => None,
    }
}

fn unknown(wanted: Option<IncidentId>, known: &[(IncidentId, u64)]) -> Failure {
    let what = wanted.map_or_else(|| "no incident".to_owned(), incident_name);
    let failure = match (known.first(), known.last()) {
        (Some((first, _)), Some((last, _))) => {
            let there = if first == last {
                incident_name(*last)
            } else {
                format!("{} to {}", incident_name(*first), incident_name(*last))
            };
            Failure::new(
                Exit::Unknown,
                format!("could not find {what} in the journal: it has {there}"),
            )
        }
        _ => Failure::new(Exit::Unknown, "could not find an incident: the journal has none yet"),
    };
    failure.hint("look at what was: backout history")
}
