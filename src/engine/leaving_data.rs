//! What a run leaves of data: copies that are up beside the live one, what was live before a swap,
//! and what was live until the swap was taken back. Each is kept until somebody releases it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::model::ids::StepId;
use crate::model::incident::{Run, StepPhase};
use crate::model::leftover::About;
use crate::model::plan::StepSpec;
use crate::steps::{Migrate, data_places};

use super::books::Line;
use super::run::Engine;

/// Something kept, what it is called among the leftovers, and what removes it.
struct Kept {
    name: String,
    path: PathBuf,
    remove: String,
}

impl Engine {
    /// Every copy that may lie beside the live data when the run ends; a look finds those that do
    /// not.
    pub(super) fn data_left_by(&self, run: &Run, lines: &mut Vec<Line>) {
        let mut all: Vec<Kept> = Vec::new();
        for spec in run.plan.core.steps.iter().chain(&run.plan.core.undo) {
            if run.step(&spec.id).is_none_or(|state| state.attempt == 0) {
                continue;
            }
            let Some((kind, settings)) = spec.action.as_object().and_then(|map| map.iter().next())
            else {
                continue;
            };
            for kept in self.kept(run, kind, settings) {
                if all.iter().all(|one| one.path != kept.path) && kept.path.exists() {
                    all.push(kept);
                }
            }
        }
        for kept in all {
            let about = About::Path(kept.path);
            lines.push(self.left(run, &kept.name, &kept.remove, Some(about)));
        }
        let Some(database) = self.stack.as_ref().and_then(|stack| stack.database.as_ref()) else {
            return;
        };
        for (what, table) in run.plan.core.steps.iter().flat_map(|spec| rescued(run, spec)) {
            let name = format!("{what} as it was before the migration went back: table {table}");
            // No look reads the application's tables only for this: a person releases it.
            lines.push(self.left(run, &name, &database.drop_by_hand(&table), None));
        }
    }

    fn kept(&self, run: &Run, kind: &str, settings: &Value) -> Vec<Kept> {
        let text = |key: &str| settings.get(key).and_then(Value::as_str);
        let places = data_places(run.id.as_str(), text("of"));
        let words = [
            "restored beside, not live",
            "live before the swap, kept",
            "live until the swap was taken back, kept",
        ];
        let all = places.iter().zip(words);
        match kind {
            "restore_database" | "swap_database" => {
                let Some(database) = self.stack.as_ref().and_then(|stack| stack.database.clone())
                else {
                    return Vec::new();
                };
                all.filter_map(|(name, words)| {
                    Some(Kept {
                        path: database.place_of(name)?,
                        name: format!("database {words}: {name}"),
                        remove: database.remove_by_hand(name),
                    })
                })
                .collect()
            }
            "restore_cache" | "swap_cache" => {
                let Some(cache) = self.stack.as_ref().and_then(|stack| stack.cache.clone()) else {
                    return Vec::new();
                };
                all.filter_map(|(name, words)| {
                    Some(Kept {
                        path: cache.place_of(name)?,
                        name: format!("Redis {words}: {name}"),
                        remove: cache.remove_by_hand(name),
                    })
                })
                .collect()
            }
            "restore_files" | "swap_files" => {
                let Some(live) = text("into").map(Path::new) else { return Vec::new() };
                all.map(|(name, words)| {
                    let path = crate::steps::beside(live, name);
                    Kept {
                        name: format!("files {words}: {name}"),
                        remove: format!("rm -rf -- {}", path.display()),
                        path,
                    }
                })
                .collect()
            }
            // What a way back did not find to remove is named where it was made.
            _ => Vec::new(),
        }
    }
}

/// What a migration that was taken back dropped, with the table that holds it: one that was brought
/// again has filled it in again, and one that nobody can vouch for may have.
fn rescued(run: &Run, spec: &StepSpec) -> Vec<(String, String)> {
    let phase = |id: &StepId| run.step(id).map(|state| &state.phase);
    let may = matches!(phase(&spec.id), Some(StepPhase::Done | StepPhase::Unknown(_)));
    let again = spec.undo.as_ref().and_then(phase) == Some(&StepPhase::Done);
    let Some(settings) = spec.action.get("migrate").filter(|_| may && !again) else {
        return Vec::new();
    };
    let migrate: Result<Migrate, _> = serde_json::from_value(settings.clone());
    migrate.map(|migrate| migrate.rescued(&run.id)).unwrap_or_default()
}
