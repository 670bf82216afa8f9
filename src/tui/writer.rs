//! The thread that owns the terminal's output. It takes only the newest frame, so that a terminal
//! that does not drain holds up nothing but pictures.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;

use super::screen::Frame;

/// Between these the terminal shows nothing of what it is given: no half-drawn frame is seen.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// How long an idle thread sleeps before it looks whether it should end.
const LOOK_UP: Duration = Duration::from_secs(30);

/// Turns frames into the bytes that change the terminal from the one before.
#[derive(Debug, Default)]
pub struct Painter {
    last: Option<Frame>,
}

impl Painter {
    /// Forgets what the terminal shows: the next frame is drawn whole.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// The bytes for this frame; none when nothing changed.
    pub fn paint(&mut self, frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        let same_size = self.last.as_ref().filter(|last| last.buffer.area == frame.buffer.area);
        let blank = Buffer::empty(frame.buffer.area);
        let before = same_size.map_or(&blank, |last| &last.buffer);
        let changes = before.diff(&frame.buffer);
        let fresh = same_size.is_none();
        let moved = same_size.is_none_or(|last| last.cursor != frame.cursor);
        let named = self.last.as_ref().is_none_or(|last| last.title != frame.title);
        if !fresh && !moved && !named && changes.is_empty() {
            return bytes;
        }
        bytes.extend_from_slice(BEGIN);
        if named {
            bytes.extend_from_slice(format!("\x1b]2;{}\x07", frame.title).as_bytes());
        }
        if fresh {
            bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        if !changes.is_empty() {
            // A vector takes everything, so this cannot fail.
            CrosstermBackend::new(&mut bytes).draw(changes.into_iter()).ok();
        }
        let hidden = same_size.is_none_or(|last| last.cursor.is_none());
        match frame.cursor {
            Some((x, y)) => {
                let place = format!("\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1);
                bytes.extend_from_slice(place.as_bytes());
                if hidden {
                    bytes.extend_from_slice(b"\x1b[?25h");
                }
            }
            None if !hidden || fresh => bytes.extend_from_slice(b"\x1b[?25l"),
            None => {}
        }
        bytes.extend_from_slice(END);
        self.last = Some(frame.clone());
        bytes
    }
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch between two threads")]
struct Slot {
    frame: Option<Frame>,
    whole: bool,
    busy: bool,
    held: bool,
    over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
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
    /// Starts the thread on an output.
    pub fn start(output: impl Write + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || write_frames(&theirs, output))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Shows a frame as soon as the terminal takes it; an older one that waits is dropped.
    pub fn show(&self, frame: Frame) {
        let mut slot = self.shared.lock();
        slot.frame = Some(frame);
        self.shared.changed.notify_all();
    }

    /// Draws the next frame whole.
    pub fn redraw(&self) {
        self.shared.lock().whole = true;
    }

    /// Stops writing, and waits at most `limit` for what is being written; whether it ended.
    pub fn hold(&self, limit: Duration) -> bool {
        let mut slot = self.shared.lock();
        slot.held = true;
        let (slot, waited) = self
            .shared
            .changed
            .wait_timeout_while(slot, limit, |slot| slot.busy)
            .unwrap_or_else(PoisonError::into_inner);
        drop(slot);
        !waited.timed_out()
    }

    /// Writes again, the next frame whole.
    pub fn go_on(&self) {
        let mut slot = self.shared.lock();
        slot.held = false;
        slot.whole = true;
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

fn write_frames(shared: &Shared, mut output: impl Write) {
    let mut painter = Painter::default();
    loop {
        let mut slot = shared.lock();
        while !slot.over && (slot.held || slot.frame.is_none()) {
            (slot, _) =
                shared.changed.wait_timeout(slot, LOOK_UP).unwrap_or_else(PoisonError::into_inner);
        }
        if slot.over {
            return;
        }
        let Some(frame) = slot.frame.take() else { continue };
        if std::mem::take(&mut slot.whole) {
            painter.forget();
        }
        slot.busy = true;
        drop(slot);
        let bytes = painter.paint(&frame);
        let written = bytes.is_empty() || {
            let all = output.write_all(&bytes).and_then(|()| output.flush());
            all.is_ok()
        };
        let mut slot = shared.lock();
        slot.busy = false;
        // A frame that did not get through whole leaves the screen unknown.
        slot.whole |= !written;
        shared.changed.notify_all();
        drop(slot);
    }
}
