//! What an assessment stands on beside the readings: what runs and serves, what was logged, and what
//! could be gone back to (S-10, S-31).

use serde::Serialize;

use crate::model::ids::Time;
use crate::model::incident::Incident;
use crate::model::restore_point::RestorePoint;
use crate::text::{SafeText, fit};

use super::documents;

/// How wide a line of a log is shown.
const WIDTH: usize = 160;
/// How many lines of logs are shown, and how many points.
const SHOWN: usize = 8;

/// What is seen at the moment of an assessment. What could not be looked at says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ground {
    /// The colour that users reach, with its version: `green v2.5.0`.
    pub serving: Option<SafeText>,
    /// Each container or process with its state.
    pub running: Vec<SafeText>,
    /// The errors among the last 100 lines of each log source, oldest first.
    pub errors: Vec<ErrorLine>,
    /// How many log sources were read.
    pub sources: usize,
    /// The corruption marker, where one is configured: its path, and whether it is there.
    pub marker: Option<(SafeText, Option<bool>)>,
    /// What the checks of databases count.
    pub counts: Vec<SafeText>,
    /// Restore points of data, newest first.
    pub points: Vec<SafeText>,
    /// Whether those whose data it is were told, by whom and when.
    pub informed: Option<SafeText>,
}

/// A line of a log that says that something failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorLine {
    /// When it was read.
    pub at: Time,
    /// Where it came from.
    pub source: String,
    /// The line.
    pub text: SafeText,
}

/// The restore points that hold data, each with what there is to show for it, newest first.
pub fn points(points: &[RestorePoint], now: Time) -> Vec<SafeText> {
    let mut known: Vec<&RestorePoint> = points.iter().filter(|one| one.color.is_none()).collect();
    known.sort_by_key(|point| (std::cmp::Reverse(point.taken_at), point.id.clone()));
    let line = |point: &&RestorePoint| {
        let refused =
            point.refused.as_ref().map_or_else(String::new, |why| format!(", refused: {why}"));
        SafeText::new(&format!("{}  {}{refused}", point.id, documents::shown_for(point, now)))
    };
    known.iter().map(line).collect()
}

/// `told at 14:30:22 by dana: the product owner, 14 minutes`.
pub fn informed(incident: Option<&Incident>) -> Option<SafeText> {
    let told = incident?.informed.as_ref()?;
    let at = told.at.format("%H:%M:%S");
    Some(SafeText::new(&format!("told at {at} by {}: {}", told.by, told.note)))
}

/// For people.
pub fn text(ground: &Ground) -> String {
    let mut out = String::from("\n");
    let mut line = |text: &str| out.extend([text, "\n"]);
    match &ground.serving {
        Some(serving) => line(&format!("Serving: {serving}")),
        None => line("Serving: not known"),
    }
    for part in &ground.running {
        line(&format!("  {part}"));
    }
    let all = ground.errors.len();
    line(&format!(
        "Errors in the last 100 lines of {} logs: {all}{}",
        ground.sources,
        if all > SHOWN { format!(", the last {SHOWN}:") } else { String::new() }
    ));
    for error in ground.errors.iter().skip(all.saturating_sub(SHOWN)) {
        let at = error.at.format("%H:%M:%S");
        line(&format!("  {at} {}  {}", error.source, fit(error.text.as_str(), WIDTH)));
    }
    match &ground.marker {
        None => line("Corruption marker: none is configured"),
        Some((path, Some(true))) => line(&format!("Corruption marker: YES, {path} is there")),
        Some((path, Some(false))) => line(&format!("Corruption marker: no, {path} is not there")),
        Some((path, None)) => line(&format!("Corruption marker: cannot look at {path}")),
    }
    for count in &ground.counts {
        line(&format!("  {count}"));
    }
    let more = ground.points.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" (and {more} older)") };
    line(&format!("Recovery points, newest first: {}{more}", ground.points.len()));
    for point in ground.points.iter().take(SHOWN) {
        line(&format!("  {point}"));
    }
    let informed = ground.informed.as_ref();
    let told = informed
        .map_or("nobody was told on record: backout assess --informed WHO", |told| told.as_str());
    line(&format!("Stakeholders: {told}"));
    out
}
