//! The terminal: raw mode and alternate screen, and the way back on every exit.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
};

/// Clicks and the wheel, with coordinates of any size.
pub const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// The terminal's own selection again.
pub const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Title saved, alternate screen, bracketed paste on; the mouse stays the terminal's own.
const ENTER: &[u8] = b"\x1b[22;0t\x1b[?1049h\x1b[?2004h\x1b[?25l";
/// An unfinished string ended, and all of it taken back.
const LEAVE: &[u8] =
    b"\x1b\\\x1b[?2026l\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[23;0t";

/// How long a terminal that does not drain may hold up the way back.
const DRAIN: Duration = Duration::from_millis(500);

/// What the terminal was before, for whoever must bring it back.
struct Saved {
    tty: File,
    modes: Termios,
}

static SAVED: Mutex<Option<Saved>> = Mutex::new(None);

/// The terminal of this process.
#[derive(Debug)]
pub struct Terminal {
    tty: OwnedFd,
}

impl Terminal {
    /// Whether there is one to draw on and to read from.
    pub fn is_there() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Takes the terminal over; a panic from here on gives it back first.
    pub fn take() -> io::Result<Self> {
        // What the theme says is what is drawn: NO_COLOR was asked where the theme was chosen.
        ratatui::crossterm::style::force_color_output(true);
        hook_panics();
        let terminal = Self { tty: io::stdout().as_fd().try_clone_to_owned()? };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Raw mode and the alternate screen.
    pub fn enter(&self) -> io::Result<()> {
        let modes = tcgetattr(&self.tty)?;
        let mut raw = modes.clone();
        raw.make_raw();
        let mut tty = File::from(self.tty.try_clone()?);
        let mut saved = SAVED.lock().unwrap_or_else(PoisonError::into_inner);
        // The first modes are the shell's; a second entry must not save our own.
        if saved.is_none() {
            *saved = Some(Saved { tty: tty.try_clone()?, modes });
        }
        drop(saved);
        tcsetattr(&self.tty, OptionalActions::Now, &raw)?;
        tty.write_all(ENTER)
    }

    /// The shell's modes and screen.
    pub fn leave(&self, drained: bool) {
        if !drained {
            // What is queued is old pictures; the way back must not wait behind them.
            tcflush(&self.tty, QueueSelector::OFlush).ok();
        }
        give_back();
    }

    /// Columns and rows; 80x24 where the terminal does not say.
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(&self.tty) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            Ok(_) | Err(_) => (80, 24),
        }
    }

    /// A file that writes to it.
    pub fn output(&self) -> io::Result<File> {
        Ok(File::from(self.tty.try_clone()?))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Brings the terminal back, once; again does nothing.
pub fn give_back() {
    let saved = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut saved) = saved else { return };
    if !writable(saved.tty.as_fd()) {
        tcflush(&saved.tty, QueueSelector::OFlush).ok();
    }
    if writable(saved.tty.as_fd()) {
        saved.tty.write_all(LEAVE).ok();
    }
    tcsetattr(&saved.tty, OptionalActions::Now, &saved.modes).ok();
}

fn writable(tty: impl AsFd) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(tty.as_fd(), PollFlags::OUT)];
    let limit = Timespec::try_from(DRAIN).ok();
    let ready = poll(&mut fds, limit.as_ref()).unwrap_or(0) > 0;
    ready && fds.iter().all(|fd| fd.revents().contains(PollFlags::OUT))
}

/// A panic gives the terminal back before it says anything.
fn hook_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}
