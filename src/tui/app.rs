//! The loop: keys, news, seconds and signals in; frames, commands and files out.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::link::{Answer, Pair};
use crate::model::entry::Command;
use crate::model::ids::{CommandId, Time};
use crate::model::verdict;

use super::feed::{Ends, Feed, LogWish, Person};
use super::goodbye::Goodbye;
use super::input::Input;
use super::keyboard::{self, Stop};
use super::keymap::Keymap;
use super::screen::{self, Frame};
use super::state::{Cx, Effect, Msg, Ui};
use super::terminal::Terminal;
use super::update::update;
use super::view::View;
use super::widgets::Look;
use super::words;
use super::world::World;
use super::writer::Writer;
use super::{hangup, suspend};

/// Frames that no key asked for come at most so often.
const FRAME: Duration = Duration::from_millis(100);
/// The clock on the screen.
const SECOND: Duration = Duration::from_secs(1);
/// How long the last picture may hold up leaving.
const LAST: Duration = Duration::from_millis(500);

/// What the full-screen console is started with.
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
}

/// Everything the loop holds.
pub struct App {
    pair: Pair,
    clock: Clock,
    look: Look,
    keymap: Keymap,
    world: Arc<World>,
    ui: Ui,
    ends: Ends,
    answers: (mpsc::Sender<Told>, mpsc::Receiver<Told>),
    sent: u64,
    /// Whether the next frame must be drawn whole.
    whole: bool,
}

/// What became of a command, for the message row.
type Told = Result<String, String>;

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
        let (feed, mut ends) = Feed::new(start.pair.clone(), start.clock.clone(), &start.person);
        tokio::spawn(feed.run());
        let world = Arc::clone(&ends.world.borrow_and_update());
        Self {
            ui: Ui::new(&world, size),
            world,
            pair: start.pair,
            clock: start.clock,
            look: start.look,
            keymap: start.keymap,
            ends,
            answers: mpsc::channel(16),
            sent: 0,
            whole: false,
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
                self.world = Arc::clone(&self.ends.world.borrow_and_update());
                if first && self.world.situation.seq > 0 {
                    // The first truth: the screen opens where the environment is.
                    let (size, messages) = (self.ui.size, std::mem::take(&mut self.ui.messages));
                    self.ui = Ui { messages, ..Ui::new(&self.world, size) };
                }
                self.take(Msg::Changed, None)
            }
        }
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
            }
        }
        self.wish();
        flow
    }

    /// What is shown now.
    pub fn frame(&self) -> Frame {
        super::diagnostics::collect();
        let now = self.clock.now();
        let world = &*self.world;
        let verdict = verdict::lines(&world.situation, world.live.as_ref(), &world.readings, now);
        screen::draw(&View {
            world,
            ui: &self.ui,
            keymap: &self.keymap,
            look: &self.look,
            verdict: &verdict,
            now,
        })
    }

    /// The last words.
    pub fn goodbye(&self) -> Goodbye {
        let alive = self.ends.client.borrow().is_some();
        let engine = self.world.situation.engine.as_ref();
        Goodbye::of(
            &self.world.situation,
            &self.pair.state,
            engine.filter(|_| alive).map(|engine| engine.pid),
        )
    }

    /// Tells the feed how far back the log pane looks.
    fn wish(&self) {
        let rows = (self.ui.logs.back + usize::from(self.ui.size.1) * 2).clamp(100, 5_000);
        let wish = LogWish { least: self.ui.logs.least, rows };
        self.ends.wish.send_if_modified(|held| {
            let other = *held != wish;
            *held = wish;
            other
        });
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
        let path = self.pair.state.join(format!("screen-{}.txt", now.format("%Y%m%d-%H%M%S")));
        let text = format!("{}Z\n{}", now.format("%Y-%m-%d %H:%M:%S"), screen::text(frame));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => self.ui.say(format!("this screen is in {}", path.display()), false, now),
            Err(why) => {
                let text = format!("could not write {}: {why}", path.display());
                self.ui.say(text, true, now);
            }
        }
    }
}

fn answered(answer: Result<Answer, crate::link::Error>, what: &str) -> Told {
    match answer {
        Ok(Answer::Accepted { .. }) => Ok(format!("{what}: accepted")),
        Ok(Answer::Refused { why, hint }) => Err(format!("{what} refused: {why}; {hint}")),
        Err(why) => Err(format!("{what}: {why}; look at the timeline before trying again")),
    }
}

/// What a command is called in the message row.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Plan { .. } => "plan",
        Command::Approve { .. } => "rollback",
        Command::Answer { .. } => "answer",
        Command::Retry { .. } => "retry",
        Command::Skip { .. } => "skip",
        Command::MarkDone { .. } => "done by hand",
        Command::Resume { .. } => "resume",
        Command::Abort { .. } => "abort",
        Command::Pause => "pause",
        Command::Note { .. } => "note",
        Command::TakeLead { .. } => "take the lead",
        Command::Detach => "detach",
        Command::EndWatch { .. } => "end watch",
        Command::Close => "close",
    }
}

/// The signals that the loop hears.
struct Signals {
    resized: Signal,
    ended: Signal,
    hung_up: Signal,
    continued: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            ended: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
            continued: signal(suspend::continued())?,
        })
    }
}

/// The full-screen console, until it is left.
pub async fn full_screen(start: Start) -> Result<Goodbye, Failure> {
    let failed = |why: std::io::Error| {
        Failure::new(Exit::Unknown, format!("could not take the terminal over: {why}"))
            .hint("use the line mode: backout attach --plain")
    };
    let mut signals = Signals::listen().map_err(failed)?;
    let terminal = Terminal::take().map_err(failed)?;
    let stop = Stop::new().map_err(failed)?;
    let tty = || {
        use std::os::fd::AsFd as _;
        std::io::stdin().as_fd().try_clone_to_owned()
    };
    hangup::watch(tty().map_err(failed)?, stop.clone()).map_err(failed)?;
    let keys = keyboard::read(tty().map_err(failed)?, stop.clone()).map_err(failed)?;
    let writer = Writer::start(terminal.output().map_err(failed)?).map_err(failed)?;
    super::diagnostics::listen();
    let mut app = App::new(start, terminal.size());
    run(&mut app, &terminal, &writer, keys, &mut signals).await;
    stop.give();
    terminal.leave(writer.hold(LAST));
    Ok(app.goodbye())
}

async fn run(
    app: &mut App,
    terminal: &Terminal,
    writer: &Writer,
    mut keys: mpsc::Receiver<Input>,
    signals: &mut Signals,
) {
    let clock = app.clock.clone();
    let mut suspended: Option<Time> = None;
    let mut drawn: Option<Time> = None;
    let mut dirty = true;
    loop {
        let now = clock.now();
        let since = drawn.map_or(FRAME, |at| words::since(at, now));
        if dirty && since >= FRAME && suspended.is_none() {
            writer.show(app.frame());
            drawn = Some(now);
            dirty = false;
        }
        let into_second =
            Duration::from_nanos(u64::from(now.timestamp_subsec_nanos()) % 1_000_000_000);
        let tick = SECOND.saturating_sub(into_second) + Duration::from_millis(2);
        let wait =
            if dirty && suspended.is_none() { FRAME.saturating_sub(since).min(tick) } else { tick };
        let mut key = false;
        let flow = tokio::select! {
            biased;
            _ = signals.ended.recv() => Flow::Leave,
            _ = signals.hung_up.recv() => Flow::Leave,
            _ = signals.continued.recv() => {
                let away = suspended.take().map(|at| words::since(at, clock.now()));
                if terminal.enter().is_err() {
                    return;
                }
                writer.go_on();
                let (width, height) = terminal.size();
                app.take(Msg::Resized(width, height), None);
                key = true;
                app.take(Msg::Resumed(away.unwrap_or_default()), None)
            }
            input = keys.recv() => match input {
                Some(input) => {
                    key = true;
                    app.take(Msg::Input(input), None)
                }
                None => Flow::Leave,
            },
            _ = signals.resized.recv() => {
                let (width, height) = terminal.size();
                app.take(Msg::Resized(width, height), None)
            }
            flow = app.news() => flow,
            () = clock.sleep(wait) => app.take(Msg::Tick, None),
        };
        dirty = true;
        if std::mem::take(&mut app.whole) {
            writer.redraw();
        }
        if key && suspended.is_none() {
            // A key is answered at once, whatever was drawn last.
            drawn = None;
        }
        match flow {
            Flow::On => {}
            Flow::Leave => return,
            Flow::Suspend => {
                let drained = writer.hold(LAST);
                terminal.leave(drained);
                suspended = Some(clock.now());
                if suspend::stop_group().is_err() {
                    suspended = None;
                    if terminal.enter().is_err() {
                        return;
                    }
                    writer.go_on();
                }
            }
        }
    }
}
