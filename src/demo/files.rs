//! Writes a stack's folder: releases, scripts, configuration, and the database as it was before
//! the deploy.

use std::fs;

use chrono::{SecondsFormat, TimeDelta};

use crate::adapters::Error;
use crate::clock::Clock;

use super::database::{failed, script, writing};
use super::deploy;
use super::disk::{write, write_json};
use super::layout::{Color, Layout, Release};
use super::migrations::{BEFORE, Migration, PREFERENCES, ROWS};
use super::restore_points;

/// The version from before the deploy.
pub const OLD: &str = "v2.4.9";
/// The version that the deploy brings.
pub const NEW: &str = "v2.5.0";
/// The version before the old one.
pub const OLDER: &str = "v2.4.8";

/// Writes everything that is there before the first process starts, two restore points included.
pub async fn write_all(layout: &Layout, clock: &Clock) -> Result<(), Error> {
    for name in ["blue", "green", "proxy", "traffic", "data/files", "backups"] {
        let path = layout.at(name);
        fs::create_dir_all(&path).map_err(|e| Error::io("make", path.display(), &e))?;
    }
    for (color, version) in [(Color::Blue, OLD), (Color::Green, NEW)] {
        let version = version.to_owned();
        write_json(&layout.of(color, "release.json"), &Release { version, color })?;
    }
    for migration in BEFORE.iter().chain([&PREFERENCES]) {
        let Migration { version, name, .. } = migration;
        let up = layout.at(&format!("migrations/{version}_{name}_up.sql"));
        write(&up, migration.up().as_bytes())?;
        let down = layout.at(&format!("migrations/rollback/{version}_{name}_down.sql"));
        write(&down, migration.down().as_bytes())?;
    }
    for (name, text) in [("readme.txt", "Files of the users.\n"), ("1/avatar.txt", "(o_o)\n")] {
        write(&layout.at("data/files").join(name), text.as_bytes())?;
    }
    for name in
        ["deploys.jsonl", "proxy.log", "traffic.log", "ledger.log", "blue/app.log", "green/app.log"]
    {
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
            restore_points::take(layout, OLDER, 103, then).await?;
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
    restore_points::take(layout, OLD, 104, now - TimeDelta::hours(26)).await?;
    Ok(())
}

/// The configuration that a version runs with.
pub fn settings(layout: &Layout, version: &str) -> Result<(), Error> {
    let preferences = version == NEW;
    let app = format!(
        "# Read by the app at its start.\nversion: {version}\nlisten: 127.0.0.1\n\
         database: data/app.db\nfiles: data/files\npreferences: {preferences}\n"
    );
    write(&layout.at("config/app.yaml"), app.as_bytes())?;
    let env = format!("IMAGE_TAG={version}\nAPP_ENV=demo\nSESSION_SECRET=only-for-the-demo\n");
    write(&layout.at(".env"), env.as_bytes())
}
