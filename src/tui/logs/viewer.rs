//! The screen for plain log files: no engine, no configuration, nothing that changes anything.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Offset as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::model::ids::Time;
use crate::text::SafeText;
use crate::tui::action::{Action, Scope};
use crate::tui::dialogs::{Dialog, Turn};
use crate::tui::flow::Cause;
use crate::tui::input::{Code, Input, Key};
use crate::tui::keyboard::{self, Stop};
use crate::tui::keymap::Keymap;
use crate::tui::pane::PaneKind;
use crate::tui::state::{Cx, Field, Find, Ui};
use crate::tui::terminal::Terminal;
use crate::tui::widgets::Look;
use crate::tui::world::World;
use crate::tui::writer::Writer;
use crate::tui::{hangup, suspend, words};

use super::ask::{Ask, Choice};
use super::moves;
use super::reader::{self, Asker, Pace, Published};

/// How long the last picture may hold up leaving.
const LAST: Duration = Duration::from_millis(500);

/// What the viewer is opened with.
pub struct Open {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Which lines at first.
    pub choice: Choice,
    /// What is searched at first.
    pub find: Option<String>,
    /// Theme and signs.
    pub look: Look,
    /// Whether the terminal is on this machine.
    pub near: bool,
    /// Time.
    pub clock: Clock,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    On,
    Redraw,
    Suspend,
    Leave,
}

/// Everything the loop holds.
struct Viewer {
    ui: Ui,
    world: World,
    keymap: Keymap,
    look: Look,
    clock: Clock,
    asker: Asker,
    name: String,
    help: bool,
}

/// Opens the viewer and stays until it is left.
pub async fn open(open: Open) -> Result<(), Failure> {
    let failed = |why: std::io::Error| {
        Failure::new(Exit::Unknown, format!("could not take the terminal over: {why}"))
            .hint("use the line mode: backout logs --plain")
    };
    let name = match open.paths.as_slice() {
        [one] => one.display().to_string(),
        many => format!("{} files", many.len()),
    };
    let rows = std::io::IsTerminal::is_terminal(&std::io::stdout()).then(rows_of_terminal);
    let start = (rows.flatten().unwrap_or(50), open.choice.clone());
    let read = reader::files(open.paths, start, Pace::SCREEN, open.clock.clone());
    let (asker, published) = read.map_err(|why| Failure::new(Exit::Unknown, why))?;
    let terminal = Terminal::take().map_err(failed)?;
    let stop = Stop::new().map_err(failed)?;
    let tty = || {
        use std::os::fd::AsFd as _;
        std::io::stdin().as_fd().try_clone_to_owned()
    };
    hangup::watch(tty().map_err(failed)?, stop.clone()).map_err(failed)?;
    let output = terminal.output().map_err(failed)?;
    let writer = Writer::start(output, open.clock.clone(), open.near).map_err(failed)?;
    let world = World::default();
    let mut ui = Ui::new(&world, terminal.size());
    ui.focus = PaneKind::Logs;
    ui.logs.chosen = open.choice.clone();
    ui.logs.choice = open.choice;
    ui.find = open.find.map(|word| Find { word, ..Find::default() });
    let keymap = Keymap::default();
    let (look, clock) = (open.look, open.clock);
    let name = SafeText::new(&name).to_string();
    let mut viewer = Viewer { ui, world, keymap, look, clock, asker, name, help: false };
    let ended = viewer.run(&terminal, &writer, published, (tty().map_err(failed)?, &stop)).await;
    stop.give();
    terminal.leave(writer.hold(LAST));
    ended.map_err(failed)
}

fn rows_of_terminal() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_row)).filter(|rows| *rows > 0)
}

impl Viewer {
    async fn run(
        &mut self,
        terminal: &Terminal,
        writer: &Writer,
        mut pages: Published,
        (tty, stop): (std::os::fd::OwnedFd, &Stop),
    ) -> std::io::Result<()> {
        self.take(&mut pages);
        writer.show(self.frame(), Cause::Key);
        let mut keys = keyboard::read(tty, stop.clone(), writer.pulse())?;
        let mut resized = signal(SignalKind::window_change())?;
        let mut ended = signal(SignalKind::terminate())?;
        let mut hung_up = signal(SignalKind::hangup())?;
        loop {
            self.tell();
            let mut cause = Cause::News;
            let then = tokio::select! {
                biased;
                _ = ended.recv() => Then::Leave,
                _ = hung_up.recv() => Then::Leave,
                input = keys.recv() => match input {
                    Some(input) => {
                        cause = Cause::Key;
                        self.input(input)
                    }
                    None => Then::Leave,
                },
                _ = resized.recv() => {
                    self.ui.size = terminal.size();
                    Then::On
                }
                changed = pages.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    self.take(&mut pages);
                    Then::On
                }
                // Ages move by themselves, and so do lines that fade.
                () = self.clock.sleep(Duration::from_secs(1)), if self.ticks() => {
                    self.ui.fade(self.clock.now());
                    Then::On
                }
            };
            match then {
                Then::On => {}
                Then::Redraw => writer.redraw(),
                Then::Leave => return Ok(()),
                Then::Suspend => {
                    terminal.leave(writer.hold(LAST));
                    suspend::stop_group().ok();
                    terminal.enter()?;
                    writer.go_on();
                    self.ui.size = terminal.size();
                }
            }
            writer.show(self.frame(), cause);
        }
    }

    fn ticks(&self) -> bool {
        self.ui.times == words::Times::Ages || !self.ui.messages.is_empty()
    }

    fn take(&mut self, pages: &mut Published) {
        match &**pages.borrow_and_update() {
            Ok(page) => self.world.logs = page.clone(),
            Err(why) => self.ui.say(why.clone(), true, self.clock.now()),
        }
    }

    /// Tells the reader what was asked of it.
    fn tell(&mut self) {
        for ask in moves::asks(&mut self.ui) {
            self.asker.ask(match ask {
                // Frame, prompt and keys are not lines.
                Ask::Rows(rows) => Ask::Rows(rows.saturating_sub(3).max(1)),
                ask => ask,
            });
        }
    }

    fn input(&mut self, input: Input) -> Then {
        let now = self.clock.now();
        match input {
            Input::Key(key) => self.key(key, now),
            Input::Paste(text) => {
                if let Some(opened) = &mut self.ui.dialog {
                    opened.dialog.paste(&text);
                } else if let Some(find) = self.ui.find.as_mut().filter(|find| find.typing) {
                    let mut field = Field { text: std::mem::take(&mut find.word) };
                    field.paste(&text);
                    find.word = field.text;
                }
                Then::On
            }
            // The terminal answers, or its mouse moves: nothing here listens to it.
            Input::Mouse(_) | Input::Alive => Then::On,
        }
    }

    fn key(&mut self, key: Key, now: Time) -> Then {
        if key == Key::ctrl('c') {
            return Then::Leave;
        }
        if std::mem::take(&mut self.help) {
            return Then::On;
        }
        if let Some(opened) = &mut self.ui.dialog {
            let turn = if let Dialog::Filters(stack) = &mut opened.dialog {
                stack.turn(key)
            } else {
                Turn::Close
            };
            // The last change counts too.
            self.tell();
            if turn != Turn::Stay {
                self.ui.dialog = None;
            }
            return Then::On;
        }
        if let Some(find) = self.ui.find.as_mut().filter(|find| find.typing) {
            match key.code {
                Code::Enter if !find.word.is_empty() => find.typing = false,
                Code::Enter | Code::Esc => self.ui.find = None,
                _ => {
                    let mut field = Field { text: std::mem::take(&mut find.word) };
                    field.key(key);
                    find.word = field.text;
                }
            }
            return Then::On;
        }
        let finding = self.ui.find.is_some();
        let scopes: &[Scope] = if finding {
            &[Scope::Find, Scope::Logs, Scope::All]
        } else {
            &[Scope::Logs, Scope::All]
        };
        match self.keymap.action(key, scopes) {
            Some(action) => self.act(action, now),
            None => Then::On,
        }
    }

    fn act(&mut self, action: Action, now: Time) -> Then {
        let page = isize::try_from(self.ui.size.1.saturating_sub(5)).unwrap_or(10);
        let cx = Cx { world: &self.world, keymap: &self.keymap, now };
        let ui = &mut self.ui;
        // None of these has anything to send.
        let _effects = match action {
            Action::Follow => moves::follow(ui, cx),
            Action::Bottom => moves::bottom(ui, cx),
            Action::Top => moves::top(ui, cx),
            Action::Wrap => moves::wrap(ui, cx),
            Action::Severity => moves::severity(ui, cx),
            Action::Sources => moves::sources(ui, cx),
            Action::Filters => moves::filters(ui, cx),
            Action::Mark => moves::mark(ui, cx),
            Action::SinceTail => moves::since_tail(ui, cx),
            Action::SinceHead => moves::since_head(ui, cx),
            Action::Since1 => moves::since_1(ui, cx),
            Action::Since5 => moves::since_5(ui, cx),
            Action::Since15 => moves::since_15(ui, cx),
            Action::Since30 => moves::since_30(ui, cx),
            Action::Since60 => moves::since_60(ui, cx),
            other => return self.move_about(other, page, now),
        };
        Then::On
    }

    fn move_about(&mut self, action: Action, page: isize, now: Time) -> Then {
        let ui = &mut self.ui;
        match action {
            Action::Up => moves::step(ui, -1),
            Action::Down => moves::step(ui, 1),
            Action::PageUp => moves::step(ui, -page),
            Action::PageDown => moves::step(ui, page),
            Action::Times => {
                let zone = now.with_timezone(&chrono::Local).offset().fix();
                ui.times = ui.times.next(zone);
            }
            Action::Find => ui.find = Some(Find { typing: true, ..Find::default() }),
            Action::FindNext | Action::FindPrevious => {
                let next = action == Action::FindNext;
                if let Some(find) = &mut ui.find {
                    find.at = if next { find.at.wrapping_add(1) } else { find.at.wrapping_sub(1) };
                }
            }
            Action::Back => {
                ui.messages.clear();
                ui.find = None;
            }
            Action::Help => self.help = true,
            Action::Detach => return Then::Leave,
            Action::Suspend => return Then::Suspend,
            Action::Redraw => return Then::Redraw,
            Action::Pin => ui.say("there is no timeline here: open the console", false, now),
            _ => {}
        }
        Then::On
    }
}

mod picture;
