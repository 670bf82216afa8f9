//! What is looked at before level 2 and 3: the point, byte for byte when a plan is made, the
//! scripts, the database, and room for the copy.

use std::path::{Path, PathBuf};

use crate::adapters::Release;
use crate::adapters::migrations::Migration;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::evidence::manifest::Key;
use crate::evidence::points;
use crate::model::keys;
use crate::model::plan::{Level, Preflight, PreflightAnswer};
use crate::model::restore_point::RestorePoint;
use crate::model::tables::grouped;

use super::super::gone::Gone;
use super::super::planner::Facts;
use super::super::stack::Stack;
use super::{fence, line, space, tool, user};

/// What a deep plan rests on.
pub struct Deep<'a> {
    /// Where it goes back to.
    pub point: &'a RestorePoint,
    /// Its folder.
    pub folder: &'a Path,
    /// What is deployed.
    pub release: &'a Release,
    /// What is taken back, newest first.
    pub migrations: &'a [Migration],
    /// What level 2 does not bring back.
    pub(in crate::engine) gone: &'a [Gone],
    /// What level 3 would lose instead.
    pub restore_loss: &'a str,
}

/// Looks at everything levels 2 and 3 need; changes nothing.
pub async fn deep(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    about: &Deep<'_>,
    clock: &Clock,
) -> Vec<Preflight> {
    let mut lines = vec![user(), space(&config.state_dir)];
    lines.push(whole(config, facts, about).await);
    lines.push(line(
        &format!("{} can be started again", about.release.version),
        PreflightAnswer::Ok,
        format!("artefacts and configuration are {}", about.release.digest.short()),
    ));
    lines.extend(tool(stack, facts).await);
    lines.push(database(stack).await);
    lines.push(super::operations(stack.database.as_deref(), facts, clock).await);
    lines.extend(redis(stack).await);
    if facts.level == Level::Full {
        lines.push(scripts(about));
        lines.extend(gone(about));
        lines.extend(unclear(about));
    } else {
        lines.extend(tried(config, about, clock));
        lines.push(room(config, stack, about).await);
    }
    lines.push(fence(stack, &facts.journal).await);
    lines
}

/// The point is what its manifest says: every byte of it when a plan is asked for, its presence
/// when one is only looked at again.
async fn whole(config: &Config, facts: &Facts, about: &Deep<'_>) -> Preflight {
    let name = format!("restore point {} is whole", about.point.id);
    if !facts.thorough {
        let there = about.folder.is_dir();
        let answer = if there { PreflightAnswer::Ok } else { PreflightAnswer::Block };
        let text = if there {
            "it is there; it is read through when it is planned with"
        } else {
            "it is gone"
        };
        return line(&name, answer, text);
    }
    let (folder, id) = (config.restore_points.clone().unwrap_or_default(), about.point.id.clone());
    let key = config.restore_points_key.clone();
    let read =
        tokio::task::spawn_blocking(move || verified(&folder, id.as_str(), key.as_ref())).await;
    match read {
        Ok(Ok((bytes, proof))) => {
            let text = format!("{} bytes read through; {proof}", grouped(bytes));
            line(&name, PreflightAnswer::Ok, text)
        }
        Ok(Err(why)) => line(&name, PreflightAnswer::Block, why),
        Err(error) => line(&name, PreflightAnswer::Unknown, error.to_string()),
    }
}

fn verified(folder: &Path, id: &str, key: Option<&PathBuf>) -> Result<(u64, String), String> {
    let key = key.map(|path| Key::read(path)).transpose().map_err(|error| error.message)?;
    let point = points::find(folder, id).map_err(|error| error.message)?;
    let bytes = std::sync::atomic::AtomicU64::new(0);
    let told = |done: u64, _: u64| bytes.store(done, std::sync::atomic::Ordering::Relaxed);
    match points::verify(&point, key.as_ref(), &told) {
        Ok(_) => {
            let proof = if point.manifest.is_some() {
                "as its manifest says"
            } else {
                "it has no manifest"
            };
            Ok((bytes.into_inner(), proof.to_owned()))
        }
        Err(damage) => {
            let mut why = points::words(&damage);
            if let Ok(all) = points::list(folder)
                && let Some(older) = points::next_older_good(&all, &point, key.as_ref(), &|_, _| {})
            {
                why = format!("{why}; the next older whole one is {}", older.point.id);
            }
            Err(why)
        }
    }
}

/// Whether a restore of this point was ever tried: a backup that nobody restored is a hope.
fn tried(config: &Config, about: &Deep<'_>, clock: &Clock) -> Option<Preflight> {
    let folder = config.restore_points.as_deref()?;
    let point = points::find(folder, about.point.id.as_str()).ok()?;
    let answer = if point.tested.is_some() { PreflightAnswer::Ok } else { PreflightAnswer::Warn };
    Some(line("a restore of it was tried", answer, point.proof(clock.now())))
}

async fn database(stack: &Stack) -> Preflight {
    let name = "the database answers";
    let Some(database) = &stack.database else {
        return line(name, PreflightAnswer::Warn, "none is configured: no data goes back");
    };
    match database.ledger().await {
        Ok(ledger) => match ledger.last() {
            Some(last) => line(name, PreflightAnswer::Ok, format!("schema {}", last.version)),
            None => line(name, PreflightAnswer::Warn, "no ledger of migrations is known"),
        },
        // A damaged database is a reason to go back, not one to stay.
        Err(error) => line(name, PreflightAnswer::Warn, error.message),
    }
}

/// Where one is configured.
async fn redis(stack: &Stack) -> Option<Preflight> {
    let name = "Redis answers";
    Some(match stack.cache.as_ref()?.keys().await {
        Ok(found) => line(name, PreflightAnswer::Ok, keys::words(&found)),
        Err(error) => line(name, PreflightAnswer::Warn, error.message),
    })
}

/// Every migration has a down script that can run in one transaction; else level 3 is offered with
/// what it loses (S-28, S-71).
fn scripts(about: &Deep<'_>) -> Preflight {
    let name = "every migration has its way back";
    let of = |one: &Migration| match &one.down {
        None => vec![format!("no down script for {}", one.version)],
        Some(_) => one.refused.clone(),
    };
    let wrong: Vec<String> = about.migrations.iter().flat_map(of).collect();
    if wrong.is_empty() {
        let count = about.migrations.len();
        return line(name, PreflightAnswer::Ok, format!("{count} to take back"));
    }
    let text = format!(
        "{}: restore instead with level 3 (backout rollback --level 3 --target {}), which loses {}",
        wrong.join("; "),
        about.point.id,
        about.restore_loss
    );
    line(name, PreflightAnswer::Block, text)
}

/// What the up scripts took away does not come back (design 24): said, not blocked.
fn gone(about: &Deep<'_>) -> Option<Preflight> {
    let lost: Vec<&Gone> =
        about.gone.iter().filter(|gone| about.by_script(gone) && !gone.made_anew).collect();
    let first = lost.first()?;
    let words: Vec<&str> = lost.iter().map(|gone| gone.words.as_str()).collect();
    let text = format!(
        "{} does NOT come back by a down script: level 2, then restore it beside: {}",
        words.join(", "),
        first.beside(about.point.id.as_str())
    );
    Some(line("nothing was dropped", PreflightAnswer::Warn, text))
}

/// What nobody can read counts as destructive, and is said.
fn unclear(about: &Deep<'_>) -> Option<Preflight> {
    let all: Vec<&str> =
        about.migrations.iter().flat_map(|one| &one.unclear).map(String::as_str).collect();
    let text =
        format!("counted as destructive, what it took away is not known: {}", all.join("; "));
    (!all.is_empty()).then(|| line("every statement is understood", PreflightAnswer::Warn, text))
}

impl Deep<'_> {
    /// Whether a script took it; what is missing without one is seen only while rows are counted.
    fn by_script(&self, gone: &Gone) -> bool {
        let mut taken = self.migrations.iter().flat_map(|one| &one.taken);
        taken.any(|taken| taken.what.table == gone.table && taken.what.column == gone.column)
    }
}

/// What a server needs beside a copy: its log grows with what is written, in pieces of 16 MiB.
const SPARE: u64 = 32 * 1024 * 1024;

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

/// Where on this host the server in a container keeps its data.
async fn database_disk(config: &Config, stack: &Stack) -> Option<PathBuf> {
    let Some(Database::Postgres { service: Some(service), .. }) = &config.database else {
        return None;
    };
    stack.workload.kept_at(service, "/var/lib/postgresql").await
}

/// The copy lies beside the live data until somebody releases it.
async fn room(config: &Config, stack: &Stack, about: &Deep<'_>) -> Preflight {
    let name = "room for the copy";
    let live = match &stack.database {
        Some(database) => database.size().await.unwrap_or_default(),
        None => 0,
    };
    let archive = |name: &str| about.folder.join(name).metadata().map_or(0, |found| found.len());
    // A dump grows when it is read in, an archive when it is unpacked: by the live size, or by
    // what such files usually do.
    let (dump, data) = (live.max(archive(points::DATABASE) * 6), archive(points::DATA) * 6);
    // The keys lie there twice where appends are kept.
    let keys = archive(points::KEYS) * 3;
    let half_more = |bytes: u64| bytes + bytes / 5;
    let at = config.backup.data.as_deref().and_then(Path::parent).unwrap_or(&config.state_dir);
    // A server in a container has a disk of its own, often enough: what is full there is no less
    // full, and a server whose disk is full ends.
    let own = database_disk(config, stack).await;
    let own =
        own.filter(|_| stack.database.is_some() && about.folder.join(points::DATABASE).exists());
    if let Some(own) = &own
        && let Ok(disk) = rustix::fs::statvfs(own)
    {
        let (free, needed) = (disk.f_bavail.saturating_mul(disk.f_frsize), half_more(dump) + SPARE);
        if free < needed {
            let text = format!(
                "{} MiB free, about {} MiB needed in {}, where the database lies: make room there, \
                 or give it a larger disk",
                mib(free),
                mib(needed),
                own.display()
            );
            return line(name, PreflightAnswer::Block, text);
        }
    }
    let needed = half_more(dump + data + keys);
    match rustix::fs::statvfs(at) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} MiB free, about {} MiB needed", mib(free), mib(needed));
            if free >= needed {
                return line(name, PreflightAnswer::Ok, text);
            }
            let text = format!(
                "{text} in {}: make room there; to restore in place would leave no way back and \
                 is not done",
                at.display()
            );
            line(name, PreflightAnswer::Block, text)
        }
        Err(errno) => line(name, PreflightAnswer::Unknown, format!("could not look: {errno}")),
    }
}
