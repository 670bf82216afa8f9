//! The configuration that a subcommand works with, and where its engine is.

use std::path::PathBuf;

use crate::config::{self, Config};
use crate::engine;
use crate::failure::{Exit, Failure};
use crate::journal;
use crate::link;

use super::World;

/// A loaded configuration and where its engine lives.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) config: Config,
    pub(crate) socket: PathBuf,
    pub(crate) journal: journal::Place,
}

/// Loads the configuration, or says every mistake in it.
pub(crate) fn place(world: &World) -> Result<Place, Failure> {
    located(world, load(world, &file_of(world)?)?)
}

/// The file of the configuration, whether it can be used or not.
pub(super) fn file_of(world: &World) -> Result<PathBuf, Failure> {
    let found = world.config.clone().or_else(|| {
        let here = std::env::current_dir().unwrap_or_default();
        config::find(&here, &world.environment)
    });
    found.ok_or_else(|| {
        Failure::new(Exit::Config, "could not find a configuration")
            .hint("name one with --config FILE, or start the embedded stack: backout demo")
    })
}

/// As [`place`], for what only attaches to an engine that runs: a person whose environment lacks
/// the engine's secrets can still look, stop and lead.
pub(crate) fn place_to_attach(world: &World) -> Result<Place, Failure> {
    let refused = match place(world) {
        Ok(place) => return Ok(place),
        Err(refused) => refused,
    };
    let without = World { environment: world.environment.without_secrets(), ..world.again() };
    match place(&without) {
        Ok(place) if link::living(&place.config.state_dir).is_some() => Ok(place),
        Ok(_) | Err(_) => Err(refused),
    }
}

/// The number by which an engine of this host knows this person.
pub(crate) fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Where the engine of this configuration listens, or would.
fn located(world: &World, config: Config) -> Result<Place, Failure> {
    let uid = rustix::process::geteuid().as_raw();
    let runtime = world.environment.runtime_dir();
    let share = engine::share_of(&config);
    let socket = link::socket_for(&config.state_dir, share, runtime.as_deref(), uid)
        .map_err(|error| Failure::new(Exit::Unknown, error.to_string()))?;
    let journal = journal_of(world, &config);
    Ok(Place { config, socket, journal })
}

/// Where the journal of this configuration is.
pub(crate) fn journal_of(world: &World, config: &Config) -> journal::Place {
    engine::journal_of(config, &world.clock)
}

/// The environments that are known beside the configuration in use.
pub(crate) fn environments(world: &World) -> Vec<config::Known> {
    let here = std::env::current_dir().unwrap_or_default();
    let used = world.config.clone().or_else(|| config::find(&here, &world.environment));
    config::environments(used.as_deref(), &world.environment)
}

/// The configuration of an environment, by its name.
pub(crate) fn named(world: &World, name: &str) -> Result<PathBuf, Failure> {
    config::choose(name, &environments(world)).map_err(|why| Failure::new(Exit::Config, why))
}

/// Loads one file.
pub(crate) fn load(world: &World, file: &std::path::Path) -> Result<Config, Failure> {
    let loaded = config::load(file, &world.environment).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let many = if problems.len() == 1 { "1 mistake" } else { "mistakes" };
        let count =
            if problems.len() == 1 { String::new() } else { format!("{} ", problems.len()) };
        let head = format!("could not use {}: {count}{many}", file.display());
        Failure::new(Exit::Config, format!("{head}\n{}", lines.join("\n")))
    });
    let mut config = loaded?;
    engine::stack::place_volume(&mut config, &world.clock);
    Ok(config)
}
