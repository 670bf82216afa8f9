//! What a plan of level 2 or 3 is made from: the point, the release of it, and what lies between
//! then and now.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::adapters::database::{BASE, REPOSITORY};
use crate::adapters::migrations::{self, Migration};
use crate::adapters::sqlite::rehearse;
use crate::adapters::{Error, Kind, Release};
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::evidence::manifest::Manifest;
use crate::evidence::points;
use crate::model::beside::loss_words;
use crate::model::ids::{Color, Digest, PointId};
use crate::model::plan::Level;
use crate::model::restore_point::{PointHealth, RestorePoint};
use crate::model::tables::TableFacts;
use crate::model::until::Until;

use super::super::planner::Facts;
use super::super::stack::Stack;
use super::super::{gone, migration_tool};
use super::Ground;
use super::logs::{self, Logs};

pub(super) async fn ground<'a>(
    config: &'a Config,
    stack: &'a Stack,
    facts: &'a Facts,
    clock: &Clock,
) -> Result<Ground<'a>, Error> {
    let from = stack.traffic.look().await?.active;
    let to = stack.other(&from).cloned().unwrap_or_else(|| from.clone());
    let (target, until) = logs::goal(facts)?;
    let point = point(facts, (target.as_ref(), until.as_ref()), config, &from)?;
    let rejected = |why: &str| Error::new(Kind::NotFound, why.to_owned());
    let points = config.restore_points.as_ref();
    let folder = points.map(|points| points.join(point.id.as_str()));
    let folder = folder.ok_or_else(|| rejected("restore_points is not configured"))?;
    let manifest = Manifest::read(&folder)?;
    let releases = stack.workload.releases().await?;
    let of_version =
        |release: &&Release| release.version == point.version && release.broken.is_none();
    let release = releases.iter().find(of_version).cloned().ok_or_else(|| {
        let why = format!("no whole release of {} is kept: it cannot be deployed", point.version);
        rejected(&why)
    })?;
    let before = stack.workload.released(&to).await.unwrap_or_default();
    let by_hand = match (&manifest, facts.level) {
        (None, Level::PointInTime) => digests(folder.clone(), facts.thorough).await?,
        (Some(_), _) | (None, Level::Switch | Level::Full) => (BTreeMap::new(), Vec::new()),
    };
    let (by_hand, dumped) = by_hand;
    let logs = Logs::look(stack, facts.level, &folder, until).await?;
    let migrations = match facts.level {
        Level::Full => to_take_back(config, stack, point.schema).await?,
        Level::Switch | Level::PointInTime => Vec::new(),
    };
    let known = manifest.as_ref().map(|(manifest, _)| manifest);
    let lossy =
        |one: &Migration| !one.taken.is_empty() || one.down.is_none() || !one.refused.is_empty();
    // Counting reads every row: only where it tells something.
    let live = match &stack.database {
        Some(database) if facts.thorough || migrations.iter().any(lossy) => {
            database.tables().await.ok()
        }
        Some(_) | None => None,
    };
    let then = known.map(|manifest| manifest.tables.as_slice()).unwrap_or_default();
    let restore_loss = loss_words(point.taken_at, clock.now(), then, live.as_deref());
    let gone = match facts.level {
        Level::Full => gone::gone(&migrations, known, live.as_deref()),
        Level::Switch | Level::PointInTime => Vec::new(),
    };
    let tools = match facts.level {
        Level::Full => migration_tool::items(config, stack, known).await?,
        Level::Switch | Level::PointInTime => Vec::new(),
    };
    Ok(Ground {
        config,
        stack,
        facts,
        from,
        to,
        point,
        folder,
        manifest,
        release,
        before,
        migrations,
        gone,
        restore_loss,
        tools,
        by_hand,
        dumped,
        logs,
    })
}

/// What stands for a manifest: digests of its files, and tables of its dump.
type ByHand = (BTreeMap<String, Digest>, Vec<TableFacts>);

/// The digests of what a point without a manifest holds: as it says itself, else as they are; a
/// plan that is only tried does not read files for that.
async fn digests(folder: PathBuf, thorough: bool) -> Result<ByHand, Error> {
    let work = move || {
        let mut said = points::sums(&folder);
        for name in [points::DATABASE, points::DATA, points::KEYS, BASE, REPOSITORY] {
            let path = folder.join(name);
            if path.is_file() && !said.contains_key(name) {
                let digest = if thorough { crate::steps::hash(&path)? } else { Digest::of(b"") };
                said.insert(name.to_owned(), digest);
            }
        }
        let dumped = if thorough { points::dumped(&folder)? } else { Vec::new() };
        Ok((said, dumped))
    };
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|e| Err(Error::new(Kind::Local, format!("could not read a point: {e}"))))
}

/// The point that was asked for, else the newest backup of a version that is on record as good, or
/// at least not as bad, and does not serve now.
fn point(
    facts: &Facts,
    (target, until): (Option<&PointId>, Option<&Until>),
    config: &Config,
    active: &Color,
) -> Result<RestorePoint, Error> {
    let backups = || facts.points.iter().filter(|point| is_backup(point));
    let serving = facts.points.iter().find(|point| point.color.as_ref() == Some(active));
    let found = match target {
        Some(target) => backups()
            .find(|point| point.id == *target)
            .or_else(|| backups().find(|point| point.version.as_str() == target.as_str())),
        None if until.is_some() => backups()
            .filter(|point| point.refused.is_none())
            .find(|point| logs::begins_before(point, until, config)),
        None => backups().filter(|point| point.refused.is_none()).find(|point| {
            let other = serving.is_none_or(|serving| serving.version != point.version);
            let bad = matches!(point.health, PointHealth::Failed | PointHealth::CurrentFailed);
            other && !bad && !point.id.as_str().starts_with("rollback-safety-")
        }),
    };
    let found = found.cloned().ok_or_else(|| {
        let known: Vec<&str> = backups().map(|point| point.id.as_str()).collect();
        let known = known.join(", ");
        let message = match (target, until) {
            (None, Some(until)) => format!(
                "could not go back {}: no restore point before it holds a base backup with archived \
                 logs (database.postgres.recovery, then backup now); without --to level 3 goes to \
                 the moment of a point: {known}",
                until.words(None)
            ),
            (None, None) if known.is_empty() => {
                "no restore point is known: take one with backout backup now".to_owned()
            }
            (target, _) => {
                let target = target.map_or("any", |target| target.as_str());
                let usable = backups().filter(|point| point.refused.is_none());
                let folder = config.restore_points.as_deref();
                points::not_found(target, folder, usable.map(|point| &point.id)).join("; ")
            }
        };
        Error::new(Kind::NotFound, message)
    })?;
    match &found.refused {
        Some(why) => {
            let message = format!("restore point {} is refused: {why}", found.id);
            Err(Error::new(Kind::Rejected, message))
        }
        None => Ok(found),
    }
}

fn is_backup(point: &RestorePoint) -> bool {
    let id = point.id.as_str();
    point.color.is_none() && !id.starts_with("release-") && !id.starts_with("deploy-")
        || point.manifest.is_some()
}

/// The migrations that were applied since the point's schema, newest first.
async fn to_take_back(
    config: &Config,
    stack: &Stack,
    then: Option<i64>,
) -> Result<Vec<Migration>, Error> {
    let folder = config.database.as_ref().and_then(Database::migrations);
    let (Some(database), Some(folder)) = (&stack.database, folder) else {
        return Ok(Vec::new());
    };
    let Some(then) = then else { return Ok(Vec::new()) };
    let mut since = Vec::new();
    for applied in database.ledger().await?.iter().rev().filter(|one| one.version > then) {
        let mut migration = migrations::read(folder, applied)?;
        if matches!(config.database, Some(Database::Sqlite { .. })) {
            migration.refused.extend(rehearse::wrong(&migration.back).await);
        }
        since.push(migration);
    }
    Ok(since)
}
