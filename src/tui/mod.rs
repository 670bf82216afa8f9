//! The console. It reads the journal and sends commands; it never touches production.
//!
//! The shape is the Elm one: [`world::World`] is what is known, [`state::Ui`] what the screen is
//! doing, [`update::update`] takes a key or news and gives effects, [`screen::draw`] makes a frame
//! of them. All of that is pure. What is not: the loop in [`full_screen`] around [`app`], the task that keeps the world
//! up to date in [`feed`], the terminal in [`terminal`], the thread that writes in [`writer`], the
//! one that reads in [`keyboard`], the one that ends the program when the terminal is gone in
//! [`hangup`].

pub mod action;
pub mod acts;
mod alarm;
pub mod app;
pub mod arrange;
pub mod chips;
pub mod chrome;
pub mod clipboard;
pub mod comfort;
pub mod diagnostics;
pub mod dialogs;
pub mod feed;
pub mod flow;
pub mod full_screen;
pub mod glyphs;
pub mod goodbye;
pub mod hangup;
pub mod history;
pub mod input;
pub mod keyboard;
pub mod keymap;
pub mod layout;
pub mod lock;
pub mod logs;
pub mod moves;
pub mod offers;
pub mod pane;
pub mod panes;
pub mod past;
pub mod plain;
pub mod replay;
pub mod screen;
pub mod settings;
pub mod stage;
pub mod state;
pub mod suspend;
pub mod terminal;
pub mod theme;
mod told;
pub mod update;
pub mod view;
pub mod widgets;
pub mod words;
pub mod world;
pub mod writer;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::Offset as _;

use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::link::Pair;

pub use goodbye::Goodbye;

/// What the console is opened with.
pub struct Attach {
    /// The engine's program, configuration, state folder and socket.
    pub pair: Pair,
    /// Where its journal is.
    pub journal: crate::journal::Place,
    /// Time.
    pub clock: Clock,
    /// Look, stop and write notes; never start.
    pub read_only: bool,
    /// Line mode, also where there is a terminal.
    pub plain: bool,
    /// How it draws.
    pub look: Look,
    /// The person's user name, as claimed; their role where the engine is on another host.
    pub name: String,
    /// The number under which the engine knows them.
    pub uid: u32,
    /// `SSH_CONNECTION`, as claimed.
    pub ssh: Option<String>,
    /// The keymap file, when the configuration names one.
    pub keys: Option<PathBuf>,
    /// What the person wants of a console.
    pub habits: app::Habits,
    /// The environments that are configured here, this one too.
    pub environments: Vec<String>,
    /// The guided procedures.
    pub guides: Arc<Vec<crate::model::guide::Guide>>,
    /// Who is called while nobody looks after what was announced.
    pub ladder: Vec<crate::model::notice::Rung>,
    /// Where people read, ask and tell.
    pub links: Vec<(crate::text::SafeText, crate::text::SafeText)>,
}

/// How the console draws.
#[derive(Clone, Debug)]
pub struct Look {
    /// A theme by name, or a file.
    pub theme: Option<String>,
    /// People's own themes, by folder.
    pub themes: theme::Themes,
    /// How many colours the terminal has.
    pub depth: theme::Depth,
    /// The signs.
    pub glyphs: glyphs::Glyphs,
    /// Sets of panes by the number key that shows them, as the configuration names them.
    pub presets: std::collections::BTreeMap<u8, Vec<String>>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            theme: None,
            themes: theme::Themes::default(),
            depth: theme::Depth::Sixteen,
            glyphs: glyphs::ASCII,
            presets: std::collections::BTreeMap::new(),
        }
    }
}

/// Opens the console and stays until it is left. Without a terminal it is the line mode, and
/// without a person at its input it only looks.
pub async fn run(attach: Attach) -> Result<Goodbye, Failure> {
    let look = look(&attach)?;
    let (keymap, problems) = keys(&attach);
    let observer = if attach.read_only {
        Some("attached with --read-only".to_owned())
    } else if std::io::stdin().is_terminal() {
        None
    } else {
        Some("standard input is no terminal: nobody can type the word here".to_owned())
    };
    let settings = settings(&attach)?;
    let start = app::Start {
        person: feed::Person {
            name: attach.name,
            uid: attach.uid,
            ssh: attach.ssh,
            observer,
            settings,
            environments: attach.environments,
            guides: attach.guides,
            journal: attach.journal,
        },
        pair: attach.pair,
        clock: attach.clock,
        look,
        keymap,
        problems,
        habits: attach.habits,
        replay: None,
    };
    if attach.plain || !terminal::Terminal::is_there() {
        return plain::lines(start, std::io::stdout()).await;
    }
    let (goodbye, next) = full_screen::full_screen(start.clone()).await?;
    match next {
        app::Next::Shell => Ok(goodbye),
        app::Next::Plain => plain::lines(start, std::io::stdout()).await,
        app::Next::Environment(name) => Ok(Goodbye { next: Some(name), ..goodbye }),
    }
}

/// Shows a past incident in the full-screen console, until it is left: nothing is asked of any
/// engine, and no command is sent.
pub async fn replayed(attach: Attach, tape: replay::Tape) -> Result<Goodbye, Failure> {
    let look = look(&attach)?;
    let settings = settings(&attach)?;
    let start = app::Start {
        person: feed::Person {
            name: attach.name,
            uid: attach.uid,
            ssh: attach.ssh,
            observer: Some("this is a replay".to_owned()),
            settings,
            environments: attach.environments,
            guides: attach.guides,
            journal: attach.journal,
        },
        pair: attach.pair,
        clock: attach.clock,
        look,
        keymap: keymap::Keymap::default(),
        problems: Vec::new(),
        habits: attach.habits,
        replay: Some(Arc::new(tape)),
    };
    let (goodbye, _) = full_screen::full_screen(start).await?;
    Ok(goodbye)
}

fn settings(attach: &Attach) -> Result<Arc<settings::Settings>, Failure> {
    let zone = attach.clock.now().with_timezone(&chrono::Local).offset().fix();
    let known = settings::Settings::of(&attach.look.presets, zone)?;
    let (ladder, links) = (attach.ladder.clone(), attach.links.clone());
    Ok(Arc::new(settings::Settings { ladder, links, ..known }))
}

fn look(attach: &Attach) -> Result<widgets::Look, Failure> {
    let look = &attach.look;
    let name = look.theme.as_deref().unwrap_or("dark");
    let theme = look.themes.get(name, look.depth).map_err(|why| {
        Failure::new(Exit::Config, why)
            .hint("choose another with --theme; list what there is: backout theme list")
    })?;
    Ok(widgets::Look { theme, glyphs: look.glyphs })
}

/// The built-in keys, with the person's file on top: the one that the configuration names, else
/// `keys.yaml` beside it. What is wrong in it is told on the screen: nothing about a key may keep
/// the console from opening.
fn keys(attach: &Attach) -> (keymap::Keymap, Vec<String>) {
    let beside = attach.pair.config.parent().map(|folder| folder.join("keys.yaml"));
    let file = attach.keys.clone().or_else(|| beside.filter(|file| file.is_file()));
    let Some(file) = file else {
        return (keymap::Keymap::default(), Vec::new());
    };
    match std::fs::read_to_string(&file) {
        Ok(text) => keymap::Keymap::with(&file.display().to_string(), &text),
        Err(why) => {
            let told = format!("could not read {}: {why}; the built-in keys count", file.display());
            (keymap::Keymap::default(), vec![told])
        }
    }
}
