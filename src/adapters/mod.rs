//! One file per outside system, behind capability traits. No policy, no retries.

use std::fmt;
use std::time::Duration;

pub mod process;

/// What an outside system answered when it did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of no it was.
    pub kind: Kind,
    /// "could not <verb> <thing>: why", for people.
    pub message: String,
}

/// The kinds of no that a caller tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing was listening, or it closed at once.
    Refused,
    /// The peer broke the connection or the protocol.
    Reset,
    /// No answer within the limit. What was asked may have happened.
    TimedOut,
    /// The name did not resolve.
    NotResolved,
    /// The certificate or handshake was not acceptable.
    Tls,
    /// The thing is not there.
    NotFound,
    /// We may not.
    Denied,
    /// Somebody else holds it.
    Held,
    /// It answered, and the answer was no.
    Rejected,
    /// Our own side failed: no tool, no descriptor, no disk.
    Local,
}

impl Error {
    /// An error of `kind` with a message for people.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Translates an I/O error met while doing `verb` on `thing`.
    pub fn io(verb: &str, thing: impl fmt::Display, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::ConnectionRefused => Kind::Refused,
            Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::UnexpectedEof => {
                Kind::Reset
            }
            Io::TimedOut | Io::WouldBlock => Kind::TimedOut,
            Io::NotFound => Kind::NotFound,
            Io::PermissionDenied => Kind::Denied,
            _ => Kind::Local,
        };
        Self::new(kind, format!("could not {verb} {thing}: {error}"))
    }

    /// The time for `verb and thing` was up.
    pub fn timed_out(what: impl fmt::Display, limit: Duration) -> Self {
        Self::new(
            Kind::TimedOut,
            format!(
                "could not {what}: no answer in {:.1} s",
                limit.as_secs_f64()
            ),
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
