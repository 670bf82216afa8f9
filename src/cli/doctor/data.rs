//! Looks at what keeps the data: the database and its tools, Redis, a volume.

use crate::adapters::Error;
use crate::adapters::docker::DockerHost;
use crate::config::{Config, Database, Platform};
use crate::engine::stack;
use crate::model::keys;

use super::super::World;
use super::Line;
use super::looks::{LIMIT, inside, outside};

/// All of them.
pub(super) async fn all(world: &World, config: &Config, engine: Option<&DockerHost>) -> Vec<Line> {
    let mut lines = vec![database(world, config).await];
    lines.extend(database_tools(world, config, engine).await);
    lines.extend(redis(world, config).await);
    lines.extend(volume(config, engine).await);
    lines.extend(vault(world, config).await);
    lines
}

/// The place for copies of backups: a small object is written, read and taken away again (P-33).
async fn vault(world: &World, config: &Config) -> Option<Line> {
    let (name, place) = ("copies of backups", config.backup.location.as_ref()?.words());
    let help = "look at backup.location, and at the keys, region and endpoint in the environment";
    let Some(vault) = stack::vault(config, &world.clock) else {
        return Some(Line::missing(2, name, &format!("{place} cannot be asked"), help));
    };
    let asked = world.clock.timeout(LIMIT, vault.tried(&std::process::id().to_string())).await;
    let said = asked.unwrap_or_else(|_| Err(Error::timed_out(format!("write to {place}"), LIMIT)));
    Some(match said {
        Ok(()) => Line::well(2, name, &format!("{place} takes, gives and forgets an object")),
        Err(error) => Line::missing(2, name, &error.message, help),
    })
}

async fn database(world: &World, config: &Config) -> Line {
    let name = "database";
    let Some(database) = stack::database(config, &world.clock) else {
        let help =
            "add database:, or level 2 leaves migrations alone and level 3 restores files only";
        return Line::note(2, name, "none is configured that can be worked on", help);
    };
    let asked = world.clock.timeout(LIMIT, database.size()).await;
    let said = asked.unwrap_or_else(|_| {
        Err(Error::timed_out(format!("ask database {}", database.name()), LIMIT))
    });
    match said {
        Ok(bytes) => {
            let text = format!("{} answers, {} MiB", database.name(), bytes / 1_048_576);
            Line::well(2, name, &text)
        }
        Err(error) => {
            let help = "look at its address and password under database:";
            Line::missing(2, name, &error.message, help)
        }
    }
}

async fn database_tools(world: &World, config: &Config, engine: Option<&DockerHost>) -> Vec<Line> {
    let Some(Database::Postgres { service, .. }) = &config.database else { return Vec::new() };
    let mut lines = Vec::new();
    for tool in ["pg_dump", "psql"] {
        let argv = [tool.to_owned(), "--version".to_owned()];
        let said = match (service, &config.platform, engine) {
            (Some(service), Platform::Compose(project), Some(docker)) => {
                inside(docker, &project.project, service, &argv).await
            }
            (Some(_), _, _) => continue,
            (None, _, _) => outside(world, &argv).await,
        };
        lines.push(match said {
            Ok(version) => Line::well(2, tool, &version),
            Err(why) => {
                let help = "install postgresql-client, or name the service that has it";
                Line::missing(2, tool, &why, help)
            }
        });
    }
    lines
}

/// The application's Redis: whether its keys can be in a point, and come back from one.
async fn redis(world: &World, config: &Config) -> Vec<Line> {
    let name = "Redis";
    let Some(cache) = stack::cache(config, &world.clock) else { return Vec::new() };
    let asked = world.clock.timeout(LIMIT, cache.keys()).await;
    let said = asked.unwrap_or_else(|_| Err(Error::timed_out("count the keys of Redis", LIMIT)));
    let answers = match said {
        Ok(found) => Line::well(2, name, &format!("it answers, {}", keys::words(&found))),
        Err(error) => {
            let help = "look at its address and password under redis:";
            Line::missing(2, name, &error.message, help)
        }
    };
    let name = "Redis beside";
    let beside = match cache.stays() {
        Some(why) => Line::note(3, name, &why, "its keys stay as they are at level 3"),
        None => match cache.beside("restored_doctor").await {
            Ok(_) => Line::well(3, name, "a copy can be started beside it and swapped"),
            Err(error) => Line::missing(3, name, &error.message, "name its service under redis:"),
        },
    };
    vec![answers, beside]
}

/// The volume of the data, where the engine keeps it.
async fn volume(config: &Config, engine: Option<&DockerHost>) -> Option<Line> {
    let (name, volume) = ("data volume", config.backup.volume.as_deref()?);
    let folder = config.backup.data.as_deref()?;
    let help = "name it under backup.data as docker volume ls shows it";
    Some(match engine?.volume(volume).await {
        Err(error) => Line::missing(2, name, &error.message, help),
        Ok(found) if found.mountpoint != folder => {
            let (there, named) = (found.mountpoint.display(), folder.display());
            let text = format!("{volume} lies in {there}, and the folder is {named}");
            Line::missing(2, name, &text, "take folder out of backup.data: the engine says it")
        }
        Ok(_) => Line::well(2, name, &format!("{volume} in {}", folder.display())),
    })
}
