//! `backout` alone, and `backout config`.

use std::io::Write;
use std::path::Path;

use clap::Subcommand;

use crate::config;
use crate::failure::{Exit, Failure};

use super::attach::{self, Screen};
use super::{World, config_edit, say, session};

#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Name every mistake with file, line and column; exit 0 or 78
    Check {
        /// The file; otherwise the one that would be used
        file: Option<std::path::PathBuf>,
    },
    /// Show what is in force, secrets masked
    Show,
    /// Print the JSON schema that editors complete and check it by
    Schema,
    /// Change it in an editor: checked, and the difference shown, before it counts
    Edit(config_edit::Edit),
}

/// With a configuration the console opens; without one, what was found is named.
pub(crate) async fn or_console(
    world: &World,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    if world.config.is_some() || config::find(&here, &world.environment).is_some() {
        return attach::console(world, screen).await;
    }
    say(out, &found(&here));
    Ok(Exit::Unknown)
}

/// What an engineer could start from. Looks at names only, starts nothing.
fn found(here: &Path) -> String {
    let mut text = String::from("no configuration: backout only looks, and starts nothing\n");
    let mut note = |what: &str, next: &str| text.extend(["  found ", what, ": ", next, "\n"]);
    for file in ["docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"] {
        if here.join(file).exists() {
            note(file, "a Compose project: backout init --from-compose");
        }
    }
    if Path::new("/var/run/docker.sock").exists() {
        note("a Docker socket", "backout init --from-compose");
    }
    if here.join("backout-demo/backout.yaml").exists() {
        note("an embedded stack", "backout --config backout-demo/backout.yaml");
    }
    text.push_str("  try everything on the embedded stack: backout demo\n");
    text.push_str("  name a configuration: backout --config FILE\n");
    text
}

pub(crate) fn config(
    world: &World,
    what: &ConfigCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match what {
        ConfigCommand::Check { file: Some(file) } => {
            let config = session::load(world, file)?;
            say(out, &checked(&config));
        }
        ConfigCommand::Check { file: None } => {
            let place = session::place(world)?;
            say(out, &checked(&place.config));
        }
        ConfigCommand::Schema => say(out, include_str!("../../assets/backout.schema.json")),
        ConfigCommand::Edit(asked) => return config_edit::run(world, asked, out),
        ConfigCommand::Show => {
            let place = session::place(world)?;
            say(out, &config::render(&place.config));
        }
    }
    Ok(Exit::Ok)
}

fn checked(config: &config::Config) -> String {
    let mut text = format!(
        "{}: no mistakes; environment {}, {} checks\n",
        config.file.display(),
        config.environment,
        config.checks.len()
    );
    for note in &config.notes {
        text.extend(["  note: ", note, "\n"]);
    }
    text
}
