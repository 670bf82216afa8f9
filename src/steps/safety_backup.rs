//! Takes a safety backup before anything is changed (S-18, S-44): what is there now, failed or
//! not, can be gone back to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adapters::{Error, Kind, fault};
use crate::evidence::manifest::PointKind;
use crate::evidence::pace::Pace;
use crate::evidence::points::{self, Order, Point};
use crate::evidence::write_pointer;
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, cancelled, ended_now};

/// What must stay free beside it: the journal may lie on the same disk, and it goes first.
const SPARE: u64 = 4 * 1024 * 1024;
/// In the point: the key of the effect that made it, so that a look can tell.
const EFFECT: &str = "effect.txt";
/// In the state folder: where the last safety backup lies (S-44).
pub const POINTER: &str = "last_safety_backup";

/// The state of these colours, the configuration, the data and the database lie in a restore
/// point, and `last_safety_backup` in the state folder names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyBackup {
    /// Whose state is kept.
    pub colors: Vec<Color>,
}

/// What a restore point of the present state is made of: every part that can be seen is in it, and
/// what cannot be seen is said in it.
pub async fn order(cx: &LookCx, colors: &[Color], kind: PointKind) -> Result<Order, Error> {
    let folder = cx.points.clone().ok_or_else(|| {
        let message = "could not take a restore point: the configuration names no folder for \
                       them (restore_points)";
        Error::new(Kind::NotFound, message)
    })?;
    let traffic = cx.traffic.look().await;
    let active = traffic.as_ref().ok().map(|traffic| traffic.active.clone());
    let mut states = serde_json::Map::new();
    let (mut version, mut images) = (SafeText::new("unknown"), Vec::new());
    for color in colors {
        let state = match cx.workload.look(color).await {
            Ok(state) => {
                if active.as_ref() == Some(color) {
                    version = state.version.clone();
                    images = vec![SafeText::new(&format!("app:{}", state.version))];
                }
                json!({
                    "running": state.running,
                    "kept": state.kept,
                    "version": state.version,
                    "identity": state.identity,
                })
            }
            Err(error) => json!({ "unknown": error.message }),
        };
        states.insert(color.0.clone(), state);
    }
    if images.is_empty() {
        images = vec![SafeText::new(&format!("app:{version}"))];
    }
    let traffic = match traffic {
        Ok(traffic) => json!({ "active": traffic.active, "in_flight": traffic.in_flight }),
        Err(error) => json!({ "unknown": error.message }),
    };
    let containers = json!({ "colors": states, "traffic": traffic });
    let containers = serde_json::to_vec_pretty(&containers).unwrap_or_default();
    let mut order = Order {
        folder,
        kind,
        at: cx.clock.now(),
        version,
        images,
        made: vec![("containers.json".to_owned(), containers)],
        saved: cx.saved.clone(),
        database: cx.database.clone(),
        cache: cx.cache.clone(),
    };
    // A point is named by its second: who comes again within one waits for the next.
    for _ in 0..3 {
        if !order.folder.join(&order.id().0).exists() {
            break;
        }
        cx.clock.sleep(Duration::from_secs(1)).await;
        order.at = cx.clock.now();
    }
    Ok(order)
}

/// How many bytes a point comes to at most, before anything is packed.
pub async fn needed(cx: &LookCx) -> u64 {
    let saved = cx.saved.clone();
    let files = tokio::task::spawn_blocking(move || points::size_of(&saved));
    let database = match &cx.database {
        Some(database) => database.size().await.unwrap_or(0),
        None => 0,
    };
    let keys = match &cx.cache {
        Some(cache) => cache.size().await.unwrap_or(0),
        None => 0,
    };
    let files = files.await.unwrap_or(0);
    files.saturating_add(database).saturating_add(keys).saturating_add(SPARE)
}

/// Why it does not fit into `folder`, when it does not.
fn crowded(folder: &Path, needed: u64) -> Option<Error> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (free < needed).then(|| {
        let message = format!(
            "{} kB are free in {}, {} kB are needed",
            free / 1000,
            folder.display(),
            needed.div_ceil(1000)
        );
        Error::new(Kind::NoSpace, message)
    })
}

/// Where it goes when there is no room for it among the restore points.
fn elsewhere(cx: &LookCx) -> Option<PathBuf> {
    cx.evidence_remote.as_ref().map(|remote| remote.join("restore-points"))
}

/// An effect key without its attempt: what an attempt took that was cut off is not taken again.
fn without_attempt(effect: &str) -> &str {
    effect.trim_end().rsplit_once('.').map_or(effect, |(step, _)| step)
}

/// The safety backup whose effect key is such a one, wherever it is.
fn taken(cx: &LookCx, same: impl Fn(&str) -> bool) -> Result<Option<Point>, Error> {
    for folder in cx.points.iter().cloned().chain(elsewhere(cx)) {
        for point in points::list(&folder)? {
            let effect = std::fs::read_to_string(point.path.join(EFFECT)).unwrap_or_default();
            if point.kind == PointKind::Safety && same(&effect) {
                return Ok(Some(point));
            }
        }
    }
    Ok(None)
}

/// The point that this step of this run took, in whichever attempt.
fn found(cx: &LookCx) -> Result<Option<Point>, Error> {
    taken(cx, |effect| without_attempt(effect) == without_attempt(&cx.effect))
}

/// The point that this run has taken.
pub(super) fn of_run(cx: &LookCx) -> Result<Option<Point>, Error> {
    let run = cx.effect.split('.').next();
    taken(cx, |effect| effect.split('.').next() == run)
}

async fn take(cx: &StepCx, order: &Order) -> Result<Point, Error> {
    let pace = Pace::default();
    let says = |what: &str, done: u64, all: u64| {
        cx.progress.measure(&pace, what, (done, all), cx.look.clock.ticks());
    };
    let mut cancel = cx.cancel.clone();
    let taken = tokio::select! {
        taken = points::take(order, &says) => taken,
        () = cancelled(&mut cancel) => Err(ended_now()),
    };
    if taken.is_err() {
        points::forget(order);
    }
    taken
}

async fn take_elsewhere(cx: &StepCx, mut order: Order, full: Error) -> Result<Point, Error> {
    let Some(folder) = elsewhere(&cx.look) else {
        let message = format!("{}; evidence.remote names no other folder for it", full.message);
        return Err(Error::new(Kind::NoSpace, message));
    };
    if let Some(both) = crowded(&folder, needed(&cx.look).await) {
        let message = format!("{}; and elsewhere: {}", full.message, both.message);
        return Err(Error::new(Kind::NoSpace, message));
    }
    cx.tell("no space among the restore points: keeping it elsewhere", None);
    order.folder = folder;
    take(cx, &order).await
}

fn summary(point: &Point) -> SafeText {
    let manifest = point.manifest.as_ref();
    let kilobytes = manifest.map_or(0, |manifest| manifest.bytes().div_ceil(1000));
    let missing = manifest.map_or(&[][..], |manifest| &manifest.missing);
    let mut text = format!("{}, {kilobytes} kB", point.path.display());
    for line in missing {
        text.extend(["; not kept: ", line.as_str()]);
    }
    SafeText::new(&text)
}

#[async_trait]
impl Step for SafetyBackup {
    fn title(&self) -> SafeText {
        "take a safety backup".into()
    }

    fn class(&self) -> Class {
        Class::Probed
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(folder) = &cx.points else { return Vec::new() };
        let point = folder.join("rollback-safety-$(date -u +%Y%m%d-%H%M%S)");
        let point = point.display();
        let mut lines = vec![format!("P={point}; mkdir -p \"$P\"")];
        for file in &cx.saved.files {
            lines.push(format!("cp -p {} \"$P\"/", file.display()));
        }
        if let Some(data) = &cx.saved.data {
            let base = cx.saved.base.display();
            let inside = points::inside(&cx.saved.base, data);
            lines.push(format!("tar -C {base} -czf \"$P\"/data.tar.gz {inside}"));
        }
        if let Some(database) = &cx.database {
            let dump = database.dump_by_hand();
            lines.push(format!("{dump} | gzip > \"$P\"/database.sql.gz"));
        }
        let pointer = cx.saved.state.join(POINTER);
        if let Some(cache) = &cx.cache {
            lines.push(cache.dump_by_hand(&format!("\"$P\"/{}", points::KEYS)));
        }
        lines.push(format!("date +%s > \"$P\"/timestamp.txt; echo \"$P\" > {}", pointer.display()));
        lines.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let needed = needed(cx).await;
        let Some(folder) = &cx.points else {
            return "the configuration names no folder for it (restore_points)".into();
        };
        match crowded(folder, needed) {
            Some(full) => SafeText::new(&full.message),
            None => SafeText::new(&format!(
                "{} files, data and database{}: at most {} kB into {}",
                cx.saved.files.len(),
                if cx.cache.is_some() { " and Redis" } else { "" },
                (needed - SPARE).div_ceil(1000),
                folder.display()
            )),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match found(cx) {
            Ok(Some(point)) => {
                let pointer = std::fs::read_to_string(cx.saved.state.join(POINTER));
                let named = pointer.unwrap_or_default();
                if named.trim_end() == point.path.display().to_string() {
                    Standing::Done
                } else {
                    Standing::Partly("taken, but last_safety_backup does not name it".into())
                }
            }
            Ok(None) => Standing::NotDone,
            Err(error) => Standing::Partly(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let point = if let Some(point) = found(&cx.look)? {
            point
        } else {
            fault::at_step("B4", cx.step.as_str());
            let mut order = order(&cx.look, &self.colors, PointKind::Safety).await?;
            order.made.push((EFFECT.to_owned(), format!("{}\n", cx.look.effect).into_bytes()));
            fault::at_step("B5", cx.step.as_str());
            match crowded(&order.folder, needed(&cx.look).await) {
                Some(full) => take_elsewhere(cx, order, full).await?,
                None => match take(cx, &order).await {
                    Err(full) if full.kind == Kind::NoSpace => {
                        take_elsewhere(cx, order, full).await?
                    }
                    taken => taken?,
                },
            }
        };
        fault::at_step("B6", cx.step.as_str());
        write_pointer(&cx.look.saved.state.join(POINTER), &point.path)?;
        fault::at_step("B7", cx.step.as_str());
        let mut text = summary(&point).to_string();
        // A name needs no clock: what comes after can be taken back to exactly here (S-35).
        if let Some(database) = &cx.look.database {
            match database.name_point(&format!("before {}", cx.look.effect)).await {
                Ok(Some(named)) => text.extend(["; the logs name it: ", named.as_str()]),
                Ok(None) => {}
                Err(error) => text.extend(["; not named in the logs: ", error.message.as_str()]),
            }
        }
        Ok(SafeText::new(&text))
    }
}
