//! `backout backup`: takes, lists, proves and prunes restore points.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use crate::adapters::{Error, Kind};
use crate::engine::deploys;
use crate::engine::stack::{self, Stack};
use crate::evidence::manifest::{Key, Manifest, PointKind};
use crate::evidence::points::{self, Keep, Order, Point};
use crate::failure::{Exit, Failure};
use crate::model::ids::{PointId, RunId, StepId, Time};
use crate::model::restore_point::{PointHealth, RestorePoint};
use crate::model::tables::grouped;
use crate::steps::safety_backup;
use crate::text::SafeText;

use super::session::{self, Place};
use super::{World, plan, say};

mod prove;
mod teller;

use prove::verify;
pub(super) use teller::Teller;

#[derive(Subcommand, Debug)]
pub(crate) enum BackupCommand {
    /// Take a restore point of what is there now
    Now {
        /// As a safety backup: never pruned, named by `last_safety_backup` in the state folder
        #[arg(long)]
        safety: bool,
    },
    /// List the restore points with what proves them
    List,
    /// Read every byte of a restore point, or of all; exit 0 whole, 2 damaged
    Verify {
        /// Which; without one, all
        id: Option<String>,
        /// Restore it into a scratch place as well, count, and remove that again
        #[arg(long)]
        restore_test: bool,
    },
    /// Remove what is old and nobody's (`backup_retention_days`)
    Prune {
        /// Only say what would go
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Remove it
        #[arg(long)]
        yes: bool,
    },
}

/// What the commands work on.
struct Store {
    place: Place,
    folder: PathBuf,
    key: Option<Key>,
}

impl Store {
    fn open(world: &World) -> Result<Self, Failure> {
        let place = session::place(world)?;
        let folder = place.config.restore_points.clone().ok_or_else(|| {
            Failure::new(Exit::Config, "the configuration names no folder for restore points")
                .hint("add restore_points: DIR to it, or set BACKUP_DIR")
        })?;
        let key = place.config.restore_points_key.as_deref().map(Key::read).transpose();
        let key = key.map_err(|error| {
            Failure::new(Exit::Config, error.message).hint("look at restore_points_key")
        })?;
        Ok(Self { place, folder, key })
    }

    fn points(&self) -> Result<Vec<Point>, Failure> {
        points::list(&self.folder).map_err(failed)
    }
}

fn kilobytes(bytes: u64) -> String {
    format!("{} kB", grouped(bytes.div_ceil(1000)))
}

pub(super) fn failed(error: Error) -> Failure {
    let exit = match error.kind {
        Kind::NotFound => Exit::Blocked,
        _ => Exit::Unknown,
    };
    Failure::new(exit, error.message)
}

pub(crate) async fn run(
    world: &World,
    command: &BackupCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let store = Store::open(world)?;
    match command {
        BackupCommand::Now { safety } => now(world, &store, *safety, out).await,
        BackupCommand::List => list(world, &store, out).await,
        BackupCommand::Verify { id, restore_test } => {
            verify(world, &store, id.as_deref(), *restore_test, out).await
        }
        BackupCommand::Prune { dry_run, yes } => prune(world, &store, (*dry_run, *yes), out).await,
    }
}

/// One restore point, for scripts.
#[derive(Serialize)]
struct Row {
    id: PointId,
    kind: PointKind,
    path: PathBuf,
    taken_at: Option<Time>,
    version: SafeText,
    schema: Option<i64>,
    /// Bytes by its manifest.
    bytes: Option<u64>,
    /// What proves it: `signed`, `manifest`, or nothing.
    proof: Option<&'static str>,
    test_restored_at: Option<Time>,
    /// What is on record of its health.
    health: Option<SafeText>,
    pinned: Option<SafeText>,
    refused: Option<SafeText>,
    /// What could not be kept in it.
    missing: Vec<SafeText>,
}

impl Row {
    fn of(point: &Point, known: Option<&RestorePoint>) -> Self {
        let manifest = point.manifest.as_ref();
        let signed = manifest.is_some_and(|manifest| manifest.signature.is_some());
        let health = known.and_then(|known| match &known.health {
            PointHealth::Stable { evidence } => Some(evidence.clone()),
            PointHealth::CurrentFailed | PointHealth::NotProven | PointHealth::Failed => None,
        });
        Self {
            id: point.id.clone(),
            kind: point.kind,
            path: point.path.clone(),
            taken_at: point.taken_at,
            version: point.version.clone(),
            schema: point.schema,
            bytes: manifest.map(Manifest::bytes),
            proof: manifest.map(|_| if signed { "signed" } else { "manifest" }),
            test_restored_at: point.tested,
            health,
            pinned: known.and_then(|known| known.known.pinned.clone()),
            refused: point.broken.clone(),
            missing: manifest.map(|manifest| manifest.missing.clone()).unwrap_or_default(),
        }
    }

    fn line(&self, point: &Point, now: Time) -> String {
        let mut parts = vec![self.version.to_string()];
        parts.extend(self.schema.map(|schema| format!("schema {schema}")));
        parts.extend(self.bytes.map(kilobytes));
        parts.push(match self.proof {
            None => "made by hand: not proven".to_owned(),
            Some(proof) => format!("{proof}, {}", point.proof(now)),
        });
        parts.extend(self.health.as_ref().map(|why| format!("stable: {why}")));
        parts.extend(self.pinned.as_ref().map(|why| format!("PINNED: {why}")));
        parts.extend(self.refused.as_ref().map(|why| format!("REFUSED: {why}")));
        parts.extend(self.missing.iter().map(|why| format!("not kept: {why}")));
        parts.join(", ")
    }
}

/// What is known of the points beside what they say themselves, by their name.
async fn known(world: &World, store: &Store) -> (BTreeMap<PointId, RestorePoint>, Vec<PointId>) {
    let config = &store.place.config;
    let stack = Stack::of(config, &world.program, &world.clock);
    let past = plan::past(&session::journal_of(world, config)).await;
    let known = past.as_ref().map(deploys::Known::of).unwrap_or_default().with_file(config);
    let targets = deploys::targets(config, stack.as_ref(), &known, &world.clock).await;
    let planned = past.as_ref().and_then(|past| past.plan.as_ref());
    let runs = past.as_ref().and_then(|past| past.run.as_ref());
    let held = planned.map(|open| open.plan.core.point.clone());
    let run = runs.filter(|run| run.ended.is_none()).map(|run| run.plan.core.point.clone());
    let held = held.into_iter().chain(run).collect();
    (targets.into_iter().map(|point| (point.id.clone(), point)).collect(), held)
}

async fn now(
    world: &World,
    store: &Store,
    safety: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let config = &store.place.config;
    let kind = if safety { PointKind::Safety } else { PointKind::Backup };
    let order = match Stack::of(config, &world.program, &world.clock) {
        Some(stack) => {
            let cx =
                stack.look_cx(config, &world.clock, (&RunId::default(), &StepId::default(), 0));
            let colors: Vec<_> = stack.addresses.keys().cloned().collect();
            safety_backup::order(&cx, &colors, kind).await.map_err(failed)?
        }
        None => Order {
            folder: store.folder.clone(),
            kind,
            at: world.clock.now(),
            version: "unknown".into(),
            images: vec!["app:unknown".into()],
            made: Vec::new(),
            saved: stack::saved(config),
            database: stack::database(config, &world.clock),
            cache: stack::cache(config, &world.clock),
        },
    };
    let teller = Teller::of(world);
    let says = |what: &str, done, all| teller.say(what, done, all);
    let point = points::take(&order, &says).await.map_err(failed)?;
    if safety {
        let pointer = config.state_dir.join(safety_backup::POINTER);
        std::fs::create_dir_all(&config.state_dir)
            .map_err(|e| Error::io("make", config.state_dir.display(), &e))
            .and_then(|()| crate::evidence::write_pointer(&pointer, &point.path))
            .map_err(failed)?;
    }
    let row = Row::of(&point, None);
    if world.json {
        session::json(out, &row);
    } else {
        let line = row.line(&point, world.clock.now());
        say(out, &format!("{}\n  {line}\n", point.path.display()));
    }
    Ok(Exit::Ok)
}

async fn list(world: &World, store: &Store, out: &mut dyn Write) -> Result<Exit, Failure> {
    let all = store.points()?;
    let (known, _) = known(world, store).await;
    let rows = all.iter().map(|point| (point, Row::of(point, known.get(&point.id))));
    if world.json {
        let rows: Vec<Row> = rows.map(|(_, row)| row).collect();
        session::json(out, &rows);
        return Ok(Exit::Ok);
    }
    if all.is_empty() {
        say(out, &format!("no restore points in {}\n", store.folder.display()));
    }
    for (point, row) in rows {
        say(out, &format!("{}\n  {}\n", point.id, row.line(point, world.clock.now())));
    }
    Ok(Exit::Ok)
}

async fn prune(
    world: &World,
    store: &Store,
    (dry_run, yes): (bool, bool),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if !dry_run && !yes {
        return Err(Failure::new(Exit::NotConfirmed, "nothing was removed: say what to do")
            .hint("look first: backout backup prune --dry-run")
            .hint("remove it: backout backup prune --yes"));
    }
    let all = store.points()?;
    let (known, held) = known(world, store).await;
    let settings = &store.place.config.backup;
    let stable = |point: &&Point| {
        let health = known.get(&point.id).map(|known| &known.health);
        matches!(health, Some(PointHealth::Stable { .. }))
    };
    let pinned = |point: &&Point| known.get(&point.id).is_some_and(|k| k.known.pinned.is_some());
    let keep = Keep {
        age: settings.keep_for,
        count: settings.keep_count as usize,
        pinned: all.iter().filter(pinned).map(|point| point.id.clone()).collect(),
        last_good: all.iter().find(stable).map(|point| point.id.clone()),
        held,
    };
    let days = settings.keep_for.as_secs() / Duration::from_hours(24).as_secs();
    let fates = points::fates(&all, &keep, world.clock.now());
    let (mut gone, mut freed) = (0, 0);
    for (point, fate) in all.iter().zip(&fates) {
        let bytes = point.manifest.as_ref().map_or(0, Manifest::bytes);
        let size = kilobytes(bytes);
        if fate.kept.is_none() {
            (gone, freed) = (gone + 1, freed + bytes);
        }
        let word = match (fate.kept, yes) {
            (Some(why), _) => format!("kept: {why}"),
            (None, false) => format!("would go: {size}, older than {days} days"),
            (None, true) => {
                points::remove(&store.folder, point).map_err(failed)?;
                format!("removed: {size}, older than {days} days")
            }
        };
        if !world.json {
            say(out, &format!("{}  {word}\n", point.id));
        }
    }
    if world.json {
        let rows: Vec<_> = fates
            .iter()
            .zip(&all)
            .map(|(fate, point)| {
                serde_json::json!({
                    "id": fate.id, "kept": fate.kept, "removed": yes && fate.kept.is_none(),
                    "bytes": point.manifest.as_ref().map(Manifest::bytes),
                })
            })
            .collect();
        session::json(out, &rows);
    } else {
        let verb = if yes { "removed" } else { "would go" };
        say(out, &format!("{gone} of {} {verb}, {}\n", all.len(), kilobytes(freed)));
    }
    Ok(Exit::Ok)
}
