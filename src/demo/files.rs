//! Writes a stack's folder: releases, scripts, configuration, and the database as it was before
//! the deploy.

use std::fs;
use std::path::PathBuf;

use chrono::{SecondsFormat, TimeDelta};

use crate::adapters::Error;
use crate::adapters::local::releases;
use crate::clock::Clock;

use super::database::{failed, script, writing};
use super::deploy;
use super::disk::{replace, write};
use super::fault::Fault;
use super::layout::{Color, Layout};
use super::migrations::{BEFORE, Migration, PREFERENCES, ROWS, deployed};
use super::restore_points;

/// The version from before the deploy.
pub const OLD: &str = "v2.4.9";
/// The version that the deploy brings.
pub const NEW: &str = "v2.5.0";
/// The version before the old one.
pub const OLDER: &str = "v2.4.8";

/// Writes everything that is there before the first process starts, two restore points included.
/// `fault` is what is wrong with the deploy to come.
pub async fn write_all(layout: &Layout, fault: Option<Fault>, clock: &Clock) -> Result<(), Error> {
    for name in [
        "blue",
        "blue-worker",
        "green",
        "green-worker",
        "proxy",
        "traffic",
        "data/files",
        "backups",
    ] {
        let path = layout.at(name);
        fs::create_dir_all(&path).map_err(|e| Error::io("make", path.display(), &e))?;
    }
    for (color, version) in [(Color::Blue, OLD), (Color::Green, NEW)] {
        releases::put(layout.dir(), color.word(), version, &files_of(version).each())?;
    }
    for (version, schema) in [(OLDER, 103), (OLD, 104), (NEW, PREFERENCES.version)] {
        releases::record(layout.dir(), version, Some(schema), &files_of(version).each())?;
    }
    for migration in BEFORE.iter().chain([&deployed(fault)]) {
        let Migration { version, name, .. } = migration;
        let up = layout.at(&format!("migrations/{version}_{name}_up.sql"));
        write(&up, migration.up().as_bytes())?;
        let down = layout.at(&format!("migrations/rollback/{version}_{name}_down.sql"));
        write(&down, migration.down().as_bytes())?;
    }
    for (name, text) in [("readme.txt", "Files of the users.\n"), ("1/avatar.txt", "(o_o)\n")] {
        write(&layout.at("data/files").join(name), text.as_bytes())?;
    }
    for name in [
        "deploys.jsonl",
        "written.jsonl",
        "proxy.log",
        "traffic.log",
        "ledger.log",
        "blue/app.log",
        "green/app.log",
    ] {
        write(&layout.at(name), b"")?;
    }
    history(layout, clock).await
}

/// The versions before: their schema, their configuration, their deploys and restore points.
async fn history(layout: &Layout, clock: &Clock) -> Result<(), Error> {
    let now = clock.now();
    let mut database = writing(&layout.database()).await?;
    let then = now - TimeDelta::hours(50);
    for (weeks, migration) in (0..).zip(&BEFORE) {
        if migration.version == 104 {
            script(&mut database, "the first rows", ROWS.to_owned()).await?;
            settings(layout, OLDER)?;
            deploy::record(layout, then - TimeDelta::days(6), OLDER, Color::Green, 103)?;
            restore_points::take(layout, OLDER, then).await?;
        }
        script(&mut database, migration.name, migration.up()).await?;
        let applied = match migration.version {
            104 => now - TimeDelta::hours(27),
            _ => now - TimeDelta::weeks(12 - weeks),
        };
        sqlx::query("UPDATE schema_migrations SET applied_at = ? WHERE version = ?")
            .bind(applied.to_rfc3339_opts(SecondsFormat::Secs, true))
            .bind(migration.version)
            .execute(&mut database)
            .await
            .map_err(|e| failed("date a migration in", &layout.database(), &e))?;
    }
    sqlx::Connection::close(database).await.ok();
    settings(layout, OLD)?;
    deploy::record(layout, now - TimeDelta::hours(27), OLD, Color::Blue, 104)?;
    restore_points::take(layout, OLD, now - TimeDelta::hours(26)).await?;
    Ok(())
}

/// The configuration that a version runs with, where the next deploy finds it.
pub fn settings(layout: &Layout, version: &str) -> Result<(), Error> {
    let Files { app, env } = files_of(version);
    write(&layout.at("config/app.yaml"), app.as_bytes())?;
    write(&layout.at(".env"), env.as_bytes())
}

/// The line of `.env` that names the database.
const GOOD_URL: &str = "DATABASE_URL=sqlite:data/app.db";
/// The same, of a database that nobody made.
const BAD_URL: &str = "DATABASE_URL=sqlite:data/app-v2.db";

/// The database that `color` uses by its `.env`. It is read for each request, so that a corrected
/// file needs no restart.
pub fn database_of(layout: &Layout, color: Color) -> PathBuf {
    let settings = fs::read_to_string(layout.of(color, ".env")).unwrap_or_default();
    let named = settings.lines().find_map(|line| line.strip_prefix("DATABASE_URL=sqlite:"));
    named.map_or_else(|| layout.database(), |name| layout.at(name))
}

/// Lets the deployed settings of `color` name a database that is not there.
pub fn break_settings(layout: &Layout, color: Color) -> Result<(), Error> {
    change_settings(layout, color, GOOD_URL, BAD_URL)
}

/// Lets the settings of `color` name the database again.
pub fn mend_settings(layout: &Layout, color: Color) -> Result<(), Error> {
    change_settings(layout, color, BAD_URL, GOOD_URL)
}

fn change_settings(layout: &Layout, color: Color, from: &str, to: &str) -> Result<(), Error> {
    for path in [layout.of(color, ".env"), layout.at(".env")] {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io("read", path.display(), &e)),
        };
        if text.contains(from) {
            replace(&path, text.replace(from, to).as_bytes())?;
        }
    }
    Ok(())
}

/// What a release of the app consists of beside the program.
struct Files {
    app: String,
    env: String,
}

impl Files {
    /// Names and bytes, as a colour's folder has them.
    fn each(&self) -> [(&str, &[u8]); 2] {
        [(".env", self.env.as_bytes()), ("app.yaml", self.app.as_bytes())]
    }
}

fn files_of(version: &str) -> Files {
    let preferences = version == NEW;
    Files {
        app: format!(
            "# Read by the app at its start.\nversion: {version}\nlisten: 127.0.0.1\n\
             database: data/app.db\nfiles: data/files\npreferences: {preferences}\n"
        ),
        env: format!(
            "IMAGE_TAG={version}\nAPP_ENV=demo\nSESSION_SECRET=only-for-the-demo\n{GOOD_URL}\n"
        ),
    }
}
