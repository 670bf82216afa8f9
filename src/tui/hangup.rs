//! The watchdog: when the terminal is gone, the program ends within two seconds, whatever else it
//! is stuck in, and writes nothing more. The run goes on: it lives in the engine.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::keyboard::Stop;

/// How long the loop has to end by itself.
const GRACE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What a shell reports of a program that SIGHUP ended.
const ENDED_BY_HANGUP: i32 = 129;

/// Watches `tty` until it is gone or the stop is given.
pub fn watch(tty: OwnedFd, stop: Stop) -> io::Result<()> {
    std::thread::Builder::new().name("hangup".to_owned()).spawn(move || {
        if gone(&tty, &stop) {
            end();
        }
    })?;
    Ok(())
}

/// Waits; true when the terminal hung up and the loop did not end within its grace.
fn gone(tty: &OwnedFd, stop: &Stop) -> bool {
    loop {
        // Nothing is asked for: a hang-up is always told.
        let mut fds = [
            PollFd::from_borrowed_fd(tty.as_fd(), PollFlags::empty()),
            PollFd::from_borrowed_fd(stop.fd().as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return true,
        }
        let [terminal, stopped] = &fds;
        if !stopped.revents().is_empty() {
            return false;
        }
        let hung = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        if terminal.revents().intersects(hung) {
            let mut fds = [PollFd::from_borrowed_fd(stop.fd().as_fd(), PollFlags::IN)];
            return poll(&mut fds, Some(&GRACE)).unwrap_or(0) == 0;
        }
    }
}

#[expect(clippy::exit, reason = "nobody is left to return to: the terminal is gone")]
fn end() {
    std::process::exit(ENDED_BY_HANGUP);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_other_end_is_noticed_and_a_stop_is_not_mistaken_for_it() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let stop = Stop::new().unwrap();
        drop(theirs);
        assert!(gone(&ours.into(), &stop));
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        stop.give();
        assert!(!gone(&ours.into(), &stop));
    }
}
