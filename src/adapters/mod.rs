//! One file per outside system, behind capability traits. No policy, no retries.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::ids::{Color, Epoch, JournalId, RunId, Time};
use crate::text::SafeText;

pub mod control;
#[cfg(any(test, feature = "faults"))]
pub mod fake;
pub mod fault;
pub mod fence_file;
pub mod http;
pub mod ledger;
pub mod local;
pub mod process;
pub mod proxy;
pub mod secret;
pub mod shim;
pub mod sqlite;
pub mod tcp;

/// What an outside system answered when it did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of no it was.
    pub kind: Kind,
    /// `could not VERB THING: why`, for people.
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
        Self { kind, message: message.into() }
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
            format!("could not {what}: no answer in {:.1} s", limit.as_secs_f64()),
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The processes or containers of a two-colour deployment.
#[async_trait]
pub trait Workload: Send + Sync {
    /// What identifies the target: a changed one is another plan.
    async fn identity(&self) -> Result<String, Error>;
    /// Whether a colour runs, and what it runs.
    async fn look(&self, color: &Color) -> Result<WorkloadState, Error>;
    /// Ends a colour gracefully, killing after `grace`; it is kept, not removed.
    async fn stop(&self, color: &Color, grace: Duration, effect: &str) -> Result<SafeText, Error>;
    /// Starts a stopped colour as it was.
    async fn start(&self, color: &Color, effect: &str) -> Result<(), Error>;
    /// Writes what can be said of the colour (state, release, settings) into `dir`.
    async fn preserve(&self, color: &Color, dir: &std::path::Path) -> Result<Vec<String>, Error>;
    /// The exact command that would stop or start it by hand.
    fn by_hand(&self, color: &Color, start: bool) -> String;
}

/// Whether a colour runs, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadState {
    /// Whether it runs.
    pub running: bool,
    /// Whether it can be started again: its release is still there.
    pub kept: bool,
    /// The version of the release.
    pub version: SafeText,
    /// Who it is: changes when it is started anew.
    pub identity: String,
}

/// What moves traffic between colours.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// Where it goes now.
    async fn look(&self) -> Result<TrafficState, Error>;
    /// Sends new requests to `to`; those in flight end where they are.
    async fn switch(&self, to: &Color, effect: &str) -> Result<(), Error>;
    /// Waits until nothing is in flight on `color`, cuts the rest at the deadline; how many.
    async fn drain(&self, color: &Color, deadline: Duration) -> Result<u32, Error>;
    /// The exact command that would switch by hand.
    fn by_hand(&self, to: &Color) -> String;
}

/// Where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficState {
    /// The active colour.
    pub active: Color,
    /// Requests in flight per colour.
    pub in_flight: BTreeMap<Color, u32>,
    /// The key of the last switch.
    pub effect: Option<String>,
}

/// Keeps two journals from working on one target.
#[async_trait]
pub trait Fence: Send + Sync {
    /// Takes it for `take`; refused with [`Kind::Held`] while another journal holds it.
    async fn take(&self, take: &FenceTake) -> Result<(), Error>;
    /// Who holds it.
    async fn holder(&self) -> Result<Option<FenceTake>, Error>;
    /// Gives it back; giving back what is not held is fine.
    async fn release(&self, run: &RunId) -> Result<(), Error>;
}

/// Who holds a fence.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FenceTake {
    /// The run; its name holds the journal's id.
    pub run: RunId,
    /// The journal.
    pub journal: JournalId,
    /// The lease it was taken under.
    pub epoch: Epoch,
    /// The person.
    pub name: SafeText,
    /// The host.
    pub host: SafeText,
    /// Since when.
    pub since: Time,
}
