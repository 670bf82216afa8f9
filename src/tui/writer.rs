//! The thread that owns the terminal's output. It takes only the newest frame, so that a terminal
//! that does not drain holds up nothing but pictures.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};

use crate::clock::Clock;

use super::flow::{Cause, Flow, QUESTION};
use super::screen::Frame;
use super::state::Line;

/// Between these the terminal shows nothing of what it is given: no half-drawn frame is seen.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// How long leaving waits for the terminal's last answers.
const LEAST_GOODBYE: Duration = Duration::from_millis(300);
const MOST_GOODBYE: Duration = Duration::from_millis(1_500);

/// How long an idle thread sleeps before it looks whether it should end.
const LOOK_UP: Duration = Duration::from_secs(30);

/// Turns frames into the bytes that change the terminal from the one before.
#[derive(Debug, Default)]
pub struct Painter {
    last: Option<Frame>,
    /// The row that a piece begins with after those that matter most.
    from: u16,
    behind: bool,
}

impl Painter {
    /// Forgets what the terminal shows: the next frame is drawn whole.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Whether the last frame is not whole on the screen: what is left comes with the next one.
    pub fn behind(&self) -> bool {
        self.behind
    }

    /// The bytes for this frame; none when nothing changed.
    pub fn paint(&mut self, frame: &Frame) -> Vec<u8> {
        self.paint_piece(frame, usize::MAX)
    }

    /// The bytes for this frame or, where they would be more than about `most`, for those rows of
    /// it that fit: the header with its clock, the row of the cursor, then from where the last
    /// piece ended.
    pub fn paint_piece(&mut self, frame: &Frame, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let area = frame.buffer.area;
        let last = self.last.take().filter(|last| last.buffer.area == area);
        let fresh = last.is_none();
        let mut last = last.unwrap_or_else(|| Frame {
            buffer: Buffer::empty(area),
            cursor: None,
            title: String::new(),
            places: Vec::new(),
        });
        let scrolled = super::logs::scroll::shift(&mut last.buffer, &frame.buffer);
        let scrolled = scrolled.filter(|_| !fresh);
        let before = last.buffer.clone();
        let changes = before.diff(&frame.buffer);
        let moved = fresh || last.cursor != frame.cursor;
        let named = fresh || last.title != frame.title;
        self.behind = false;
        if !moved && !named && changes.is_empty() && scrolled.is_none() {
            self.last = Some(last);
            return bytes;
        }
        bytes.extend_from_slice(BEGIN);
        if named {
            bytes.extend_from_slice(format!("\x1b]2;{}\x07", frame.title).as_bytes());
            last.title.clone_from(&frame.title);
        }
        if fresh {
            bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        bytes.extend(scrolled.unwrap_or_default());
        if most == usize::MAX {
            if !changes.is_empty() {
                // A vector takes everything, so this cannot fail.
                CrosstermBackend::new(&mut bytes).draw(changes.into_iter()).ok();
            }
            last.buffer.clone_from(&frame.buffer);
        } else {
            self.rows(frame, &changes, most, &mut last.buffer, &mut bytes);
        }
        match frame.cursor {
            Some((x, y)) => {
                let place = format!("\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1);
                bytes.extend_from_slice(place.as_bytes());
                if last.cursor.is_none() {
                    bytes.extend_from_slice(b"\x1b[?25h");
                }
            }
            None if last.cursor.is_some() || fresh => bytes.extend_from_slice(b"\x1b[?25l"),
            None => {}
        }
        last.cursor = frame.cursor;
        bytes.extend_from_slice(END);
        self.last = Some(last);
        bytes
    }

    /// Draws whole rows until `most` bytes are used, and notes them in `shown`.
    fn rows(
        &mut self,
        frame: &Frame,
        changes: &[(u16, u16, &Cell)],
        most: usize,
        shown: &mut Buffer,
        bytes: &mut Vec<u8>,
    ) {
        let area = frame.buffer.area;
        let first = [Some(area.y), frame.cursor.map(|(_, y)| y)];
        let turn = (self.from..area.bottom()).chain(area.y..self.from.min(area.bottom()));
        let mut drawn = Vec::new();
        for y in first.into_iter().flatten().chain(turn) {
            let row: Vec<_> = changes.iter().filter(|change| change.1 == y).copied().collect();
            if row.is_empty() || drawn.contains(&y) {
                continue;
            }
            if bytes.len() >= most {
                self.behind = true;
                self.from = y;
                return;
            }
            CrosstermBackend::new(&mut *bytes).draw(row.into_iter()).ok();
            for x in area.x..area.right() {
                if let (Some(shown), Some(cell)) =
                    (shown.cell_mut((x, y)), frame.buffer.cell((x, y)))
                {
                    shown.clone_from(cell);
                }
            }
            drawn.push(y);
        }
    }
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch between two threads")]
struct Slot {
    frame: Option<Frame>,
    /// Why it is written.
    cause: Cause,
    /// What is written beside frames, whatever the line does.
    beside: Vec<u8>,
    flow: Flow,
    whole: bool,
    busy: bool,
    held: bool,
    over: bool,
}

#[derive(Debug)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
    clock: Clock,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's handle.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on an output. `near` says that the terminal is on this machine, see
    /// [`Flow::near`].
    pub fn start(
        output: impl Write + Send + 'static,
        clock: Clock,
        near: bool,
    ) -> std::io::Result<Self> {
        let slot = Slot { flow: Flow::near(near), ..Slot::default() };
        let (slot, changed) = (Mutex::new(slot), Condvar::new());
        let shared = Arc::new(Shared { slot, changed, clock });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || write_frames(&theirs, output))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Shows a frame as soon as the line takes it; an older one that waits is dropped, and
    /// what it was drawn for counts for this one.
    pub fn show(&self, frame: Frame, cause: Cause) {
        let mut slot = self.shared.lock();
        // Where a frame waits for its moment already, this one goes out at that moment.
        let waits = slot.frame.replace(frame).is_some() && cause <= slot.cause;
        slot.cause = slot.cause.max(cause);
        if !waits {
            self.shared.changed.notify_all();
        }
    }

    /// Writes bytes that are no picture: they wait for no frame.
    pub fn beside(&self, bytes: &[u8]) {
        let mut slot = self.shared.lock();
        slot.beside.extend_from_slice(bytes);
        self.shared.changed.notify_all();
    }

    /// What to call when the terminal answers.
    pub fn pulse(&self) -> impl Fn() + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            let now = shared.clock.ticks();
            let mut slot = shared.lock();
            slot.flow.answered(now);
            // Nobody is woken for nothing: only a frame, or somebody who leaves, waits for it.
            if slot.frame.is_some() || slot.held {
                shared.changed.notify_all();
            }
        }
    }

    /// What was measured of the line, the delay in tenths of a second.
    pub fn line(&self) -> Line {
        let slot = self.shared.lock();
        let delay = slot.flow.delay(self.shared.clock.ticks());
        let tenths = |span: Duration| span.as_millis() / 100 * 100;
        let tenths = |span| Duration::from_millis(u64::try_from(tenths(span)).unwrap_or(u64::MAX));
        Line { delay: delay.map(tenths), drain: tenths(slot.flow.drain()) }
    }

    /// Draws the next frame whole.
    pub fn redraw(&self) {
        self.shared.lock().whole = true;
    }

    /// Stops writing, and waits at most `limit` for what is being written; whether it ended. Then
    /// waits for the answers that the terminal still owes: the shell must not get them as keys.
    pub fn hold(&self, limit: Duration) -> bool {
        let mut slot = self.shared.lock();
        slot.held = true;
        let (slot, waited) = self
            .shared
            .changed
            .wait_timeout_while(slot, limit, |slot| slot.busy)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return false;
        }
        let now = self.shared.clock.ticks();
        let delay = slot.flow.delay(now).unwrap_or_default();
        let limit = (delay * 2).clamp(LEAST_GOODBYE, MOST_GOODBYE);
        let owed = |slot: &mut Slot| slot.flow.owed(now) > 0;
        drop(self.shared.changed.wait_timeout_while(slot, limit, owed));
        true
    }

    /// Writes again, the next frame whole.
    pub fn go_on(&self) {
        let mut slot = self.shared.lock();
        slot.held = false;
        slot.whole = true;
        slot.flow.forget();
        self.shared.changed.notify_all();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        // A thread that is stuck in a write is left behind: the program ends and takes it along.
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            thread.join().ok();
        }
    }
}

/// What is written next: bytes beside frames, and a frame with the most bytes of it.
struct Job {
    beside: Vec<u8>,
    frame: Option<(Frame, usize)>,
    whole: bool,
}

/// Waits for something that may be written; nothing when the end has come.
fn job(shared: &Shared) -> Option<Job> {
    let mut slot = shared.lock();
    loop {
        if slot.over {
            return None;
        }
        let mut wait = LOOK_UP;
        if !slot.held {
            let beside = std::mem::take(&mut slot.beside);
            let mut frame = None;
            if slot.frame.is_some() {
                let cause = slot.cause;
                if let Some(left) = slot.flow.wait(cause, shared.clock.ticks()) {
                    wait = left;
                } else {
                    let most = slot.flow.piece().unwrap_or(usize::MAX);
                    frame = slot.frame.take().map(|frame| (frame, most));
                    slot.cause = Cause::News;
                }
            }
            if frame.is_some() || !beside.is_empty() {
                slot.busy = true;
                let whole = frame.is_some() && std::mem::take(&mut slot.whole);
                return Some(Job { beside, frame, whole });
            }
        }
        (slot, _) = shared.changed.wait_timeout(slot, wait).unwrap_or_else(PoisonError::into_inner);
    }
}

fn write_frames(shared: &Shared, mut output: impl Write) {
    let mut painter = Painter::default();
    while let Some(job) = job(shared) {
        if job.whole {
            painter.forget();
        }
        let mut bytes = job.beside;
        let painted = job.frame.as_ref().map(|(frame, most)| painter.paint_piece(frame, *most));
        let asks = painted.as_ref().is_some_and(|painted| !painted.is_empty());
        bytes.extend(painted.unwrap_or_default());
        if asks {
            bytes.extend_from_slice(QUESTION);
        }
        let began = shared.clock.ticks();
        if asks {
            // Before it is written: the answer may be there before the writing returns.
            shared.lock().flow.sent(began);
        }
        let written = bytes.is_empty() || {
            let all = output.write_all(&bytes).and_then(|()| output.flush());
            all.is_ok()
        };
        let ended = shared.clock.ticks();
        let mut slot = shared.lock();
        if asks {
            slot.flow.drained(ended.saturating_sub(began));
        }
        slot.busy = false;
        // A frame that did not get through whole leaves the screen unknown.
        slot.whole |= !written;
        if let Some((frame, _)) = job.frame.filter(|_| painter.behind())
            && slot.frame.is_none()
        {
            slot.frame = Some(frame);
        }
        shared.changed.notify_all();
        drop(slot);
    }
}
