//! The loop of the full-screen console: keys, news, seconds and signals in, frames out.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::failure::{Exit, Failure};
use crate::model::ids::Time;

use super::app::{App, Flow, Next, Start};
use super::flow::Cause;
use super::goodbye::Goodbye;
use super::input::Input;
use super::keyboard::{self, Stop};
use super::state::Msg;
use super::terminal::{self, Terminal};
use super::words;
use super::writer::Writer;
use super::{hangup, suspend};

/// Frames that no key asked for come at most so often.
const FRAME: Duration = Duration::from_millis(100);
/// On a light link they come at most so often.
const LIGHT_FRAME: Duration = Duration::from_millis(500);
/// Frames drawn out of turn because something got worse come at most so often.
const ALARMS: Duration = SECOND;
/// The clock on the screen.
const SECOND: Duration = Duration::from_secs(1);
/// How long the last picture may hold up leaving.
const LAST: Duration = Duration::from_millis(500);

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
pub async fn full_screen(start: Start) -> Result<(Goodbye, Next), Failure> {
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
    let output = terminal.output().map_err(failed)?;
    let writer = Writer::start(output, start.clock.clone(), false).map_err(failed)?;
    let keys = keyboard::read(tty().map_err(failed)?, stop.clone(), writer.pulse());
    let keys = keys.map_err(failed)?;
    super::diagnostics::listen();
    let mut app = App::new(start, terminal.size());
    run(&mut app, &terminal, &writer, keys, &mut signals).await;
    // The terminal's last answers are still read: the shell must not get them.
    let drained = writer.hold(LAST);
    stop.give();
    terminal.leave(drained);
    Ok((app.goodbye(), app.next))
}

/// When the next frame is due.
struct Pace {
    /// When the last one was drawn; none when a key waits to be answered.
    drawn: Option<Time>,
    /// The second that the clock on it shows.
    second: i64,
    /// Whether something happened since.
    dirty: bool,
    /// When a change for the worse was last drawn out of turn.
    alarmed: Option<Time>,
}

impl Pace {
    fn since(&self, now: Time) -> Option<Duration> {
        self.drawn.map(|at| words::since(at, now))
    }

    /// Whether a change for the worse may be drawn out of turn: a check that flaps must not fill
    /// the line.
    fn may_alarm(&self, now: Time) -> bool {
        self.alarmed.is_none_or(|at| words::since(at, now) >= ALARMS)
    }

    fn every(app: &App) -> Duration {
        if app.ui.light.on() { LIGHT_FRAME } else { FRAME }
    }

    /// Draws when a frame is due.
    fn draw(&mut self, app: &mut App, writer: &Writer, now: Time) {
        // The clock is never kept waiting: it is the sign that the line lives.
        let ticked = self.second != now.timestamp();
        let due = self.since(now).is_none_or(|since| since >= Self::every(app));
        if !self.dirty || !(ticked || due) {
            return;
        }
        let frame = app.frame();
        app.places.clone_from(&frame.places);
        let cause = match (self.drawn, ticked) {
            (None, _) => Cause::Key,
            (Some(_), true) => Cause::Tick,
            (Some(_), false) => Cause::News,
        };
        writer.show(frame, cause);
        *self = Self { drawn: Some(now), second: now.timestamp(), dirty: false, ..*self };
    }

    /// How long nothing is due.
    fn wait(&self, app: &App, now: Time) -> Duration {
        let into = Duration::from_nanos(u64::from(now.timestamp_subsec_nanos()) % 1_000_000_000);
        let tick = SECOND.saturating_sub(into) + Duration::from_millis(2);
        if !self.dirty {
            return tick;
        }
        let every = Self::every(app);
        every.saturating_sub(self.since(now).unwrap_or(every)).min(tick)
    }
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
    let mut pace = Pace { drawn: None, second: 0, dirty: true, alarmed: None };
    loop {
        let now = clock.now();
        if suspended.is_none() {
            pace.draw(app, writer, now);
        }
        let wait = if suspended.is_some() { SECOND } else { pace.wait(app, now) };
        let mut key = false;
        let flow = tokio::select! {
            biased;
            _ = signals.ended.recv() => Flow::Leave,
            _ = signals.hung_up.recv() => Flow::Leave,
            _ = signals.continued.recv() => {
                key = true;
                let away = suspended.take().map(|at| words::since(at, clock.now()));
                match back(app, terminal, writer, away.unwrap_or_default()) {
                    Some(flow) => flow,
                    None => return,
                }
            }
            input = keys.recv() => {
                key = true;
                match input {
                    Some(Input::Mouse(mouse)) => app.pointed(mouse),
                    Some(input) => app.take(Msg::Input(input), None),
                    None => Flow::Leave,
                }
            }
            _ = signals.resized.recv() => {
                let (width, height) = terminal.size();
                app.take(Msg::Resized(width, height), None)
            }
            flow = app.news() => flow,
            () = clock.sleep(wait) => app.take(Msg::Tick, None),
        };
        pace.dirty = true;
        aside(app, writer, suspended.is_none());
        key |= std::mem::take(&mut app.first);
        let now = clock.now();
        if std::mem::take(&mut app.alarm) && pace.may_alarm(now) {
            pace.alarmed = Some(now);
            key = true;
        }
        if key && suspended.is_none() {
            // A key is answered at once, whatever was drawn last; so are the first truth and a
            // change for the worse.
            pace.drawn = None;
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

/// Takes the terminal again after a suspension; nothing when it is gone.
fn back(app: &mut App, terminal: &Terminal, writer: &Writer, away: Duration) -> Option<Flow> {
    terminal.enter().ok()?;
    writer.go_on();
    let (width, height) = terminal.size();
    app.take(Msg::Resized(width, height), None);
    if app.ui.mouse {
        app.beside.extend_from_slice(terminal::MOUSE_ON);
    }
    Some(app.take(Msg::Resumed(away), None))
}

/// What goes to and comes from the writer beside frames.
fn aside(app: &mut App, writer: &Writer, shown: bool) {
    let line = writer.line();
    if line != app.ui.line {
        app.take(Msg::Line(line), None);
    }
    if std::mem::take(&mut app.whole) {
        writer.redraw();
    }
    if !app.beside.is_empty() && shown {
        writer.beside(&std::mem::take(&mut app.beside));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gets_worse_again_and_again_is_drawn_out_of_turn_once_a_second() {
        let at = |millis| Time::UNIX_EPOCH + chrono::Duration::milliseconds(millis);
        let mut pace = Pace { drawn: Some(at(0)), second: 0, dirty: true, alarmed: None };
        assert!(pace.may_alarm(at(1)));
        pace.alarmed = Some(at(1));
        assert!(!pace.may_alarm(at(900)), "it comes with the next frame");
        assert!(pace.may_alarm(at(1_001)));
    }
}
