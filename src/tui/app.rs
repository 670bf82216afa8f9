//! What the loop holds and does: news in; frames, commands and files out.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use ratatui::layout::Rect;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::config::Announce;
use crate::link::Pair;
use crate::model::entry::Command;
use crate::model::ids::{CommandId, Time};
use crate::model::verdict;

use super::alarm;
use super::clipboard;
use super::comfort;
use super::dialogs::Dialog;
use super::dialogs::read::Page;
use super::feed::{Ends, Feed, Person};
use super::goodbye::Goodbye;
use super::input::Mouse;
use super::keymap::Keymap;
use super::pane::PaneKind;
use super::replay::{self, Tape};
use super::screen::{self, Frame};
use super::state::{Copied, Cx, Effect, Msg, Pointed, Ui};
use super::terminal;
use super::told::{Told, answered, name};
use super::update::update;
use super::view::View;
use super::widgets::Look;
use super::words;
use super::world::{LeadStand, World};

/// On a light link ages move so often.
const LIGHT_AGES: i64 = 5;

/// What the full-screen console is started with.
#[derive(Clone)]
pub struct Start {
    /// The engine's place.
    pub pair: Pair,
    /// Time.
    pub clock: Clock,
    /// Who.
    pub person: Person,
    /// Theme and signs.
    pub look: Look,
    /// The keys.
    pub keymap: Keymap,
    /// What the keymap file did not get.
    pub problems: Vec<String>,
    /// What this person wants of a console.
    pub habits: Habits,
    /// The past that is shown instead of the present.
    pub replay: Option<Arc<Tape>>,
}

/// What a person wants of a console, and what the terminal is.
#[derive(Clone, Debug, Default)]
pub struct Habits {
    /// How a change is announced.
    pub announce: Announce,
    /// Whether the mouse is ours from the start.
    pub mouse: bool,
    /// Whether tmux stands between.
    pub tmux: bool,
}

/// Where a console that was left goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Next {
    /// Nowhere: the shell has its terminal back.
    #[default]
    Shell,
    /// In line mode.
    Plain,
    /// In a console on another environment.
    Environment(String),
}

/// Everything the loop holds.
pub struct App {
    pair: Pair,
    pub(super) clock: Clock,
    look: Look,
    keymap: Keymap,
    world: Arc<World>,
    pub(super) ui: Ui,
    ends: Ends,
    answers: (mpsc::Sender<Told>, mpsc::Receiver<Told>),
    sent: u64,
    /// Whether the next frame must be drawn whole.
    pub(super) whole: bool,
    habits: Habits,
    /// Bytes for the terminal that are no picture.
    pub(super) beside: Vec<u8>,
    /// Where the panes are on the frame that was drawn last.
    pub(super) places: Vec<(PaneKind, Rect)>,
    pub(super) next: Next,
    /// Whether the first truth has come and is not drawn yet.
    pub(super) first: bool,
    /// Whether something got worse that is not drawn yet.
    pub(super) alarm: bool,
}

/// What the loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Goes on.
    On,
    /// Gives the shell back.
    Suspend,
    /// Ends.
    Leave,
}

impl App {
    /// An app with a feed that runs beside it.
    pub fn new(start: Start, size: (u16, u16)) -> Self {
        let clock = start.clock.clone();
        let mut ends = if let Some(tape) = start.replay {
            replay::ends(tape, clock, &start.person)
        } else {
            let (feed, ends) = Feed::new(start.pair.clone(), clock, &start.person);
            tokio::spawn(feed.run());
            ends
        };
        let world = Arc::clone(&ends.world.borrow_and_update());
        let mut ui = Ui::new(&world, size);
        for problem in start.problems {
            ui.say(format!("a key was not taken: {problem}"), true, start.clock.now());
        }
        ui.mouse = start.habits.mouse;
        Self {
            ui,
            world,
            pair: start.pair,
            clock: start.clock,
            look: start.look,
            keymap: start.keymap,
            ends,
            answers: mpsc::channel(16),
            sent: 0,
            whole: false,
            beside: if start.habits.mouse { terminal::MOUSE_ON.to_vec() } else { Vec::new() },
            habits: start.habits,
            places: Vec::new(),
            next: Next::Shell,
            first: false,
            alarm: false,
        }
    }

    /// What is known.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What the screen is doing.
    pub fn ui(&self) -> &Ui {
        &self.ui
    }

    /// The keys.
    pub fn keymap(&self) -> &Keymap {
        &self.keymap
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Waits for news of the engine or of a command, and takes it.
    pub async fn news(&mut self) -> Flow {
        tokio::select! {
            told = self.answers.1.recv() => match told {
                Some(told) => self.take(Msg::Answered(told), None),
                None => Flow::On,
            },
            changed = self.ends.world.changed() => {
                if changed.is_err() {
                    return Flow::Leave;
                }
                let first = self.world.situation.seq == 0;
                let new = Arc::clone(&self.ends.world.borrow_and_update());
                self.alarm |= alarm::got_worse(&self.world.situation, &new.situation);
                self.world = new;
                if first && self.world.situation.seq > 0 {
                    // The first truth: the screen opens where the environment is.
                    let old = self.ui.clone();
                    let fresh = Ui::new(&self.world, old.size);
                    let (messages, light) = (old.messages, old.light);
                    self.ui =
                        Ui { messages, light, mouse: old.mouse, line: old.line, ..fresh };
                    self.first = true;
                    self.brief();
                }
                self.take(Msg::Changed, None)
            }
        }
    }

    /// Puts away what is open over the body.
    pub fn put_away(&mut self) {
        self.ui.dialog = None;
    }

    /// Takes one thing that happened; `frame` is what an export would write.
    pub fn take(&mut self, msg: Msg, frame: Option<&Frame>) -> Flow {
        let world = Arc::clone(&self.world);
        let cx = Cx { world: &world, keymap: &self.keymap, now: self.clock.now() };
        let mut flow = Flow::On;
        for effect in update(&mut self.ui, cx, msg) {
            match effect {
                Effect::Send(command) => self.send(command),
                Effect::Suspend => flow = Flow::Suspend,
                Effect::Leave => flow = Flow::Leave,
                Effect::Export => self.export(frame),
                Effect::Redraw => self.whole = true,
                Effect::Replay(control) => {
                    // A key that is held down is faster than anyone looks: what is too much goes.
                    let controls = self.ends.controls.as_ref();
                    controls.map(|controls| controls.try_send(control));
                }
                Effect::Copy(what) => self.copy(what),
                Effect::Announce(text) => {
                    let bytes =
                        clipboard::announcement(self.habits.announce, &text, self.habits.tmux);
                    self.beside.extend(bytes);
                }
                Effect::Mouse(on) => {
                    let bytes = if on { terminal::MOUSE_ON } else { terminal::MOUSE_OFF };
                    self.beside.extend_from_slice(bytes);
                }
                Effect::Switch(name) => {
                    self.next = Next::Environment(name);
                    flow = Flow::Leave;
                }
                Effect::Plain => {
                    self.next = Next::Plain;
                    flow = Flow::Leave;
                }
            }
        }
        self.wish();
        flow
    }

    /// What is shown now.
    pub fn frame(&self) -> Frame {
        super::diagnostics::collect();
        self.viewed(screen::draw)
    }

    /// Gives what is drawn from to `draw`.
    fn viewed<T>(&self, draw: impl FnOnce(&View<'_>) -> T) -> T {
        let clock = self.clock.now();
        // On a light link every age stands still for a while: each costs bytes.
        let into = if self.ui.light.on() { clock.timestamp() % LIGHT_AGES } else { 0 };
        let world = &*self.world;
        let (now, clock) = match &world.replay {
            Some(replay) => (replay.now(clock), replay.now(clock)),
            None => (clock - chrono::Duration::seconds(into), clock),
        };
        let mut verdict =
            verdict::lines(&world.situation, world.live.as_ref(), &world.readings, now);
        verdict.next = self.keymap.in_force(&verdict.next);
        draw(&View {
            world,
            ui: &self.ui,
            keymap: &self.keymap,
            look: &self.look,
            verdict: &verdict,
            now,
            clock,
        })
    }

    /// Takes the mouse to the pane under it.
    pub(super) fn pointed(&mut self, mouse: Mouse) -> Flow {
        let under = |(_, place): &&(PaneKind, Rect)| place.contains(mouse.at.into());
        let pane = self.places.iter().find(under).map(|(pane, _)| *pane);
        self.take(Msg::Pointed(Pointed { pane, wheel: mouse.wheel }), None)
    }

    /// Puts text into the clipboard of the person's terminal, or into a file where it is too much.
    fn copy(&mut self, what: Copied) {
        let text = self.viewed(|view| comfort::copied(view, what));
        let now = self.clock.now();
        if text.trim().is_empty() {
            self.ui.say("nothing is here to copy", false, now);
            return;
        }
        let lines = words::count(text.lines().count(), "line");
        if let Some(bytes) = clipboard::copy(&text, self.habits.tmux) {
            self.beside.extend(bytes);
            let size = text.len();
            let said = format!("{lines} copied ({size} bytes), if your terminal takes OSC 52");
            self.ui.say(said, false, now);
        } else {
            let said = self.file("copy", &text, now);
            let (said, error) = match said {
                Ok(path) => (format!("too much for a clipboard: {lines} are in {path}"), false),
                Err(why) => (why, true),
            };
            self.ui.say(said, error, now);
        }
    }

    /// Writes text to a file in the state folder, for this user alone.
    fn file(&self, name: &str, text: &str, now: Time) -> Result<String, String> {
        let path = self.pair.state.join(format!("{name}-{}.txt", now.format("%Y%m%d-%H%M%S")));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => Ok(path.display().to_string()),
            Err(why) => Err(format!("could not write {}: {why}", path.display())),
        }
    }

    /// The last words.
    pub fn goodbye(&self) -> Goodbye {
        if let Some(replay) = &self.world.replay {
            return Goodbye::of_replay(&replay.name(), &self.pair.state);
        }
        let alive = self.ends.client.borrow().is_some();
        let engine = self.world.situation.engine.as_ref();
        Goodbye::of(
            &self.world.situation,
            &self.pair.state,
            engine.filter(|_| alive).map(|engine| engine.pid),
        )
    }

    /// Whoever comes second, while something is open, reads first what the others know.
    fn brief(&mut self) {
        if let Some(replay) = &self.world.replay {
            let said = format!("replay of {}: {}", replay.name(), replay::KEYS);
            self.ui.say(said, false, self.clock.now());
            return;
        }
        let situation = &self.world.situation;
        let open = situation.incident.is_some() || situation.open_run().is_some();
        if open && matches!(self.world.lead(), LeadStand::Other(..)) {
            self.ui.open(Dialog::Read(Page::Brief, 0), self.clock.now());
        }
    }

    /// Tells the reader of the logs what was asked of it.
    fn wish(&mut self) {
        for ask in super::logs::moves::asks(&mut self.ui) {
            if let Some(logs) = &self.ends.logs {
                logs.ask(ask);
            }
        }
    }

    /// Sends beside the loop: an answer may take its time, keys may not.
    fn send(&mut self, command: Command) {
        self.sent += 1;
        let mut bytes = [0_u8; 8];
        // Ids of two consoles must differ; without randomness the time tells them apart.
        getrandom::fill(&mut bytes).ok();
        let at = self.clock.now().timestamp_micros();
        let id = CommandId(format!("{at:x}-{:08x}-{}", u64::from_le_bytes(bytes), self.sent));
        let client = self.ends.client.borrow().clone();
        let told = self.answers.0.clone();
        tokio::spawn(async move {
            let what = name(&command);
            let said = match client {
                None => Err(format!("{what}: no engine answers; nothing was sent")),
                Some(client) => answered(client.send(id, command).await, what),
            };
            told.send(said).await.ok();
        });
    }

    fn export(&mut self, frame: Option<&Frame>) {
        let now = self.clock.now();
        let owned = if frame.is_none() { Some(self.frame()) } else { None };
        let Some(frame) = frame.or(owned.as_ref()) else { return };
        let text = format!("{}Z\n{}", now.format("%Y-%m-%d %H:%M:%S"), screen::text(frame));
        let (said, error) = match self.file("screen", &text, now) {
            Ok(path) => (format!("this screen is in {path}"), false),
            Err(why) => (why, true),
        };
        self.ui.say(said, error, now);
    }
}
