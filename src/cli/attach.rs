//! The console: `backout`, `backout attach`.

use clap::{Args, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::link::Linger;
use crate::tui;

use super::session::{self, Place};
use super::{World, say};

/// How the console draws.
#[derive(Args, Debug, Clone)]
pub(crate) struct Screen {
    /// Line mode: no redraw, no alternate screen
    #[arg(long, global = true)]
    plain: bool,
    /// dark, light, mono, or a file
    #[arg(long, global = true, value_name = "NAME")]
    theme: Option<String>,
    /// auto, always, never
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: When,
    /// auto, utf8, ascii
    #[arg(long, global = true, value_enum, default_value = "auto")]
    glyphs: Glyphs,
    /// Only look: no command but notes and aborts
    #[arg(long, global = true)]
    read_only: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum When {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum Glyphs {
    Auto,
    Utf8,
    Ascii,
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
    let place = session::place(world)?;
    open(world, &place, screen).await
}

/// Opens the console and prints its last words on the normal screen.
pub(crate) async fn open(world: &World, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let pair = session::pair(world, place, Linger::Console);
    session::ensure(&pair, world).await?;
    let environment = &world.environment;
    let attach = tui::Attach {
        pair,
        clock: world.clock.clone(),
        read_only: screen.read_only,
        plain: screen.plain || environment.term() == "dumb" || environment.term().is_empty(),
        look: tui::Look {
            theme: screen.theme.clone(),
            color: match screen.color {
                When::Auto => environment.wants_color(),
                When::Always => true,
                When::Never => false,
            },
            utf8: match screen.glyphs {
                Glyphs::Auto => environment.is_utf8(),
                Glyphs::Utf8 => true,
                Glyphs::Ascii => false,
            },
        },
        name: environment.user().unwrap_or("somebody").to_owned(),
        ssh: environment.ssh_connection().map(str::to_owned),
    };
    let goodbye = tui::run(attach).await?;
    say(&mut std::io::stdout(), &format!("{goodbye}"));
    Ok(Exit::Ok)
}
