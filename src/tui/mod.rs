//! The console. It reads the journal and sends commands; it never touches production.
//!
//! The shape is the Elm one: [`world::World`] is what is known, [`state::Ui`] what the screen is
//! doing, [`update::update`] takes a key or news and gives effects, [`screen::draw`] makes a frame
//! of them. All of that is pure. What is not: the loop in [`app`], the task that keeps the world
//! up to date in [`feed`], the terminal in [`terminal`], the thread that writes in [`writer`], the
//! one that reads in [`keyboard`], the one that ends the program when the terminal is gone in
//! [`hangup`].

pub mod action;
pub mod app;
pub mod chrome;
pub mod diagnostics;
pub mod dialogs;
pub mod feed;
pub mod glyphs;
pub mod goodbye;
pub mod hangup;
pub mod input;
pub mod keyboard;
pub mod keymap;
pub mod layout;
pub mod lock;
pub mod moves;
pub mod offers;
pub mod panes;
pub mod plain;
pub mod screen;
pub mod stage;
pub mod state;
pub mod suspend;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod widgets;
pub mod words;
pub mod world;
pub mod writer;

use std::io::IsTerminal as _;

use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::link::Pair;

pub use goodbye::Goodbye;

/// What the console is opened with.
pub struct Attach {
    /// The engine's program, configuration, state folder and socket.
    pub pair: Pair,
    /// Time.
    pub clock: Clock,
    /// Look, stop and write notes; never start.
    pub read_only: bool,
    /// Line mode, also where there is a terminal.
    pub plain: bool,
    /// How it draws.
    pub look: Look,
    /// The person's user name, as claimed.
    pub name: String,
    /// `SSH_CONNECTION`, as claimed.
    pub ssh: Option<String>,
}

/// How the console draws.
#[derive(Clone, Debug)]
pub struct Look {
    /// A built-in theme, or a file of that name: as it is, or in `themes/` beside the
    /// configuration.
    pub theme: Option<String>,
    /// Whether there is colour.
    pub color: bool,
    /// Whether the terminal shows UTF-8.
    pub utf8: bool,
}

/// Opens the console and stays until it is left. Without a terminal it is the line mode, and
/// without a person at its input it only looks.
pub async fn run(attach: Attach) -> Result<Goodbye, Failure> {
    let look = look(&attach)?;
    let (keymap, problems) = keys(&attach.pair)?;
    if let Some(problem) = problems.first() {
        return Err(Failure::new(Exit::Config, format!("could not use the keys: {problem}"))
            .hint("mend the line, or take the file away: the built-in keys then count"));
    }
    let observer = if attach.read_only {
        Some("attached with --read-only".to_owned())
    } else if std::io::stdin().is_terminal() {
        None
    } else {
        Some("standard input is no terminal: nobody can type the word here".to_owned())
    };
    let start = app::Start {
        person: feed::Person { name: attach.name, ssh: attach.ssh, observer },
        pair: attach.pair,
        clock: attach.clock,
        look,
        keymap,
    };
    if attach.plain || !terminal::Terminal::is_there() {
        return plain::lines(start, std::io::stdout()).await;
    }
    app::full_screen(start).await
}

fn look(attach: &Attach) -> Result<widgets::Look, Failure> {
    let depth = if attach.look.color { theme::Depth::Sixteen } else { theme::Depth::Mono };
    let glyphs = if attach.look.utf8 { glyphs::UTF8 } else { glyphs::ASCII };
    let name = attach.look.theme.as_deref().unwrap_or("dark");
    let beside = attach.pair.config.parent().map(|folder| folder.join("themes"));
    let file = [
        Some(std::path::PathBuf::from(name)),
        beside.map(|folder| folder.join(format!("{name}.yaml"))),
    ]
    .into_iter()
    .flatten()
    .find(|path| path.is_file());
    let theme = match file {
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|why| {
                Failure::new(Exit::Config, format!("could not read {}: {why}", path.display()))
            })?;
            theme::Theme::read(&path.display().to_string(), &text, depth)
        }
        None => theme::Theme::named(name, depth),
    };
    let theme = theme.map_err(|why| {
        Failure::new(Exit::Config, why).hint("choose --theme dark, light or mono")
    })?;
    Ok(widgets::Look { theme, glyphs })
}

/// The built-in keys, with `keys.yaml` beside the configuration on top.
fn keys(pair: &Pair) -> Result<(keymap::Keymap, Vec<String>), Failure> {
    let file = pair.config.parent().map(|folder| folder.join("keys.yaml"));
    let Some(file) = file.filter(|file| file.is_file()) else {
        return Ok((keymap::Keymap::default(), Vec::new()));
    };
    let text = std::fs::read_to_string(&file).map_err(|why| {
        Failure::new(Exit::Config, format!("could not read {}: {why}", file.display()))
    })?;
    Ok(keymap::Keymap::with(&file.display().to_string(), &text))
}
