//! The socket between clients and the engine: what is said on it, both ends of it, where it is,
//! and the pair of processes behind it.
//!
//! Frames are JSON, one a line, at most 64 KiB each. The kernel says who is at the other end;
//! what a client says about itself is kept apart as claimed. Nothing a client does or leaves
//! undone holds up the engine: every queue is bounded and news is replaced by newer news.

use std::path::{Path, PathBuf};
use std::time::Duration;

mod address;
mod child;
mod client;
mod down;
mod frame;
mod keeper;
mod message;
mod pair;
mod ps;
mod server;
mod session;
mod socket;

pub use address::{address, living, record, socket_for};
pub use client::Client;
pub use down::Down;
pub use keeper::keep;
pub use message::{
    Answer, ClientKind, FromEngine, Hello, PROTOCOL, ToEngine, VERSION, Welcome, may,
};
pub use pair::{Linger, Pair, ensure};
pub use ps::{Found, Running, running};
pub use server::{Head, Server, ServerEvent, Share};
pub use socket::socket_path;

/// Why two sides could not talk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("could not reach the engine at {}: nobody listens there", socket.display())]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// Another engine listens there already.
    #[error("could not listen on {}: an engine already does", socket.display())]
    Living {
        /// The socket.
        socket: PathBuf,
    },
    /// The engine closed the door and said why.
    #[error("could not attach to the engine: {why}")]
    Closed {
        /// Its words.
        why: String,
    },
    /// The engine went away; what was asked last may have happened.
    #[error("could not {what}: the engine went away; look at the journal before asking again")]
    Gone {
        /// What was being done.
        what: String,
    },
    /// The time was up; what was asked may have happened. The same command with the same id may
    /// be sent again: a repeated id gets the first answer.
    #[error("could not {what}: no answer in {:.1} s", limit.as_secs_f64())]
    TimedOut {
        /// What was being done.
        what: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The other side broke the protocol.
    #[error("could not understand the other side: {why}")]
    Protocol {
        /// How.
        why: String,
    },
    /// A frame is too long to be sent.
    #[error("could not send {bytes} bytes: a frame is at most 65536 bytes")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The socket's path does not fit into what the system allows.
    #[error(
        "could not use {} as a socket: it has {bytes} bytes and the system allows 107; set XDG_RUNTIME_DIR to a shorter folder",
        path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// A folder is not safe to hold a socket.
    #[error("could not trust the folder {}: {why}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The pair did not come up.
    #[error("could not start the engine: {why}; its log is {}", log.display())]
    Start {
        /// What was seen, with the log's last line.
        why: String,
        /// The log.
        log: PathBuf,
    },
    /// The system said no.
    #[error("could not {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
}

impl Error {
    /// Wraps an I/O error met while doing `verb` on `path`.
    fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { verb, path: path.to_owned(), source }
    }
}
