//! The console: `backout`, `backout attach`.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Environment;
use crate::failure::{Exit, Failure};
use crate::link::Linger;
use crate::tui::{self, glyphs, theme::Depth};

use super::relay::Relay;
use super::session::{self, Place};
use super::{World, say};

/// How the console draws.
#[derive(Args, Debug, Clone)]
pub(crate) struct Screen {
    /// Line mode: no redraw, no alternate screen
    #[arg(long, global = true)]
    plain: bool,
    /// A theme by name or file; see backout theme list
    #[arg(long, global = true, value_name = "NAME")]
    theme: Option<String>,
    /// auto, always, never
    // A text: `deploy --color` shares the name, and what is typed there comes up to here.
    #[arg(long, global = true, value_name = "WHEN", value_parser = ["auto", "always", "never"], default_value = "auto")]
    color: String,
    /// auto, utf8, ascii, braille
    #[arg(long, global = true, value_enum, default_value = "auto")]
    glyphs: Glyphs,
    /// Only look: no command but notes and aborts
    #[arg(long, global = true)]
    read_only: bool,
}

impl Screen {
    /// Whether lines are wanted, or all that this terminal can show.
    pub(crate) fn lines_only(&self, environment: &Environment) -> bool {
        self.plain || environment.term() == "dumb" || environment.term().is_empty()
    }

    /// Theme and signs.
    pub(crate) fn drawn(&self, world: &World) -> Result<tui::widgets::Look, Failure> {
        let look = self.look(world);
        let name = look.theme.as_deref().unwrap_or("dark");
        let theme = look.themes.get(name, look.depth).map_err(|why| {
            Failure::new(Exit::Config, why)
                .hint("choose another with --theme; list what there is: backout theme list")
        })?;
        Ok(tui::widgets::Look { theme, glyphs: look.glyphs })
    }

    /// How to draw here, by what was asked for and what the terminal says of itself.
    pub(crate) fn look(&self, world: &World) -> tui::Look {
        let environment = &world.environment;
        tui::Look {
            theme: self.theme.clone(),
            themes: tui::theme::Themes { folders: themes(world) },
            depth: self.depth(environment),
            glyphs: match self.glyphs {
                Glyphs::Auto if environment.is_utf8() => glyphs::UTF8,
                Glyphs::Auto | Glyphs::Ascii => glyphs::ASCII,
                Glyphs::Utf8 => glyphs::UTF8,
                Glyphs::Braille => glyphs::BRAILLE,
            },
            presets: std::collections::BTreeMap::new(),
        }
    }

    /// How many colours to draw with here.
    pub(crate) fn depth(&self, environment: &Environment) -> Depth {
        let no_color = match self.color.as_str() {
            "always" => false,
            "never" => true,
            _ => !environment.wants_color(),
        };
        let named = Depth::of(no_color, environment.color_term(), environment.get("TERM"));
        // Asked for by name, there is colour also where the terminal does not say so.
        if self.color == "always" { named.max(Depth::Sixteen) } else { named }
    }

    /// The same for lines of output: a pipe gets no colour that was not asked for.
    pub(crate) fn depth_of_lines(&self, environment: &Environment) -> Depth {
        let seen = self.color == "always" || std::io::stdout().is_terminal();
        if seen { self.depth(environment) } else { Depth::Mono }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum Glyphs {
    Auto,
    Utf8,
    Ascii,
    Braille,
}

#[derive(Args, Debug)]
pub(crate) struct AttachArguments {
    /// An incident or run, as another console named it
    name: Option<String>,
}

pub(crate) async fn run(
    world: &World,
    _arguments: &AttachArguments,
    screen: &Screen,
) -> Result<Exit, Failure> {
    console(world, screen).await
}

/// Opens the console on this configuration's engine, starting a pair when none runs.
pub(crate) async fn console(world: &World, screen: &Screen) -> Result<Exit, Failure> {
    let place = session::place_to_attach(world)?;
    Box::pin(open(world, &place, screen)).await
}

/// Opens the console and prints its last words on the normal screen. Another environment that was
/// chosen there gets a console of its own: never does one screen change what it is about.
pub(crate) async fn open(world: &World, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let mut next = one(world, place, screen).await?;
    let mut world = world.again();
    while let Some(name) = next {
        world.config = Some(session::named(&world, &name)?);
        next = one(&world, &session::place(&world)?, screen).await?;
    }
    Ok(Exit::Ok)
}

/// The guided procedures; a folder that cannot be read must not keep anyone from the console.
fn guides(place: &Place) -> Vec<crate::model::guide::Guide> {
    let own = place.config.guides.as_deref();
    crate::config::guides::load(own).unwrap_or_else(|error| {
        tracing::warn!("{error}; only the built-in ones are there");
        crate::config::guides::load(None).unwrap_or_default()
    })
}

/// One console; the environment that the next one is to be about, when one was chosen.
async fn one(world: &World, place: &Place, screen: &Screen) -> Result<Option<String>, Failure> {
    let known =
        session::environments(&World { config: Some(place.config.file.clone()), ..world.again() });
    let mut environments: Vec<String> = known.into_iter().map(|known| known.name).collect();
    environments.dedup();
    let settings = &place.config.console;
    let mut pair = session::pair(world, place, Linger::Console);
    // An engine on another host is spoken to over the journal.
    let relay = if crate::link::living(&pair.state).is_none() {
        let mut far = place.clone();
        Box::pin(super::relay::to_engine(world, &mut far)).await?
    } else {
        None
    };
    match &relay {
        Some(relay) => pair.socket.clone_from(&relay.socket),
        None => session::ensure(&pair, world).await?,
    }
    let environment = &world.environment;
    let here = || (environment.user().unwrap_or("somebody").to_owned(), session::own_uid());
    let (name, uid) = relay.as_ref().map_or_else(here, Relay::who);
    let attach = tui::Attach {
        pair,
        journal: place.journal.clone(),
        clock: world.clock.clone(),
        read_only: screen.read_only,
        plain: screen.lines_only(environment),
        look: tui::Look { presets: settings.presets.clone(), ..screen.look(world) },
        name,
        uid,
        ssh: environment.ssh_connection().map(str::to_owned),
        keys: settings.keys.clone(),
        habits: tui::app::Habits {
            announce: settings.announce,
            mouse: settings.mouse,
            tmux: environment.tmux(),
        },
        environments,
        guides: std::sync::Arc::new(guides(place)),
        ladder: place.config.notifications.policy.ladder.clone(),
        links: place.config.links.clone(),
    };
    let goodbye = tui::run(attach).await;
    if let Some(relay) = relay {
        relay.close().await;
    }
    let goodbye = goodbye?;
    say(&mut std::io::stdout(), &format!("{goodbye}"));
    Ok(goodbye.next)
}

/// Where people's own themes are: beside the configuration, then in their own settings.
pub(crate) fn themes(world: &World) -> Vec<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let config = world.config.clone().or_else(|| crate::config::find(&here, &world.environment));
    let beside = config.and_then(|file| Some(file.parent()?.join("themes")));
    let own = world.environment.config_home().map(|home| home.join("backout/themes"));
    beside.into_iter().chain(own).collect()
}
