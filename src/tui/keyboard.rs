//! The thread that reads keys. It waits with poll, so that a terminal that is gone ends it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use tokio::sync::mpsc;

use super::input::{Decoder, ESC_WAITS, Input};

/// How many keys may wait for the loop.
const QUEUE: usize = 256;

/// Ends the threads that wait on the terminal.
#[derive(Clone, Debug)]
pub struct Stop(Arc<OwnedFd>);

impl Stop {
    /// A stop that has not been given yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?)))
    }

    /// Gives it.
    pub fn give(&self) {
        rustix::io::write(&*self.0, &1_u64.to_ne_bytes()).ok();
    }

    /// What to wait on beside the terminal.
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

/// Reads keys from `tty` until it is gone or the stop is given. The channel then ends. `alive` is
/// called for each answer of the terminal, on this thread: it must be quick.
pub fn read(
    tty: OwnedFd,
    stop: Stop,
    alive: impl Fn() + Send + 'static,
) -> io::Result<mpsc::Receiver<Input>> {
    let (keys, received) = mpsc::channel(QUEUE);
    std::thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || listen(&tty, &stop, &keys, &alive))?;
    Ok(received)
}

fn listen(tty: &OwnedFd, stop: &Stop, keys: &mpsc::Sender<Input>, alive: &dyn Fn()) {
    let mut decoder = Decoder::default();
    let mut bytes = [0_u8; 1_024];
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(tty.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.fd().as_fd(), PollFlags::IN),
        ];
        let limit = Timespec::try_from(ESC_WAITS).ok().filter(|_| decoder.waits());
        let ready = match poll(&mut fds, limit.as_ref()) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        };
        let [terminal, stopped] = &fds;
        if !stopped.revents().is_empty() {
            return;
        }
        let found = if ready == 0 {
            decoder.flush()
        } else if terminal.revents().contains(PollFlags::IN) {
            match rustix::io::read(tty, &mut bytes) {
                Ok(0) => return,
                Ok(count) => decoder.feed(bytes.get(..count).unwrap_or_default()),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Vec::new(),
                Err(_) => return,
            }
        } else {
            return;
        };
        for input in found {
            if input == Input::Alive {
                alive();
                continue;
            }
            if keys.blocking_send(input).is_err() {
                return;
            }
        }
    }
}
