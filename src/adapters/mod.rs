//! One file per outside system, behind capability traits. No policy, no retries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::hold::HoldPart;
use crate::model::ids::{Color, Epoch, JournalId, RunId, Time};
use crate::text::SafeText;

pub mod beside;
pub mod cache;
pub mod cluster;
pub mod compose;
pub mod control;
pub mod database;
pub mod dns;
pub mod docker;
#[cfg(any(test, feature = "faults"))]
pub mod fake;
pub mod fault;
pub mod fence_file;
pub mod fleet;
pub mod http;
pub mod kube;
pub mod ledger;
pub mod local;
pub mod lock_file;
pub mod log_file;
pub mod messenger;
pub mod migration_tool;
pub mod migrations;
pub mod nginx;
pub mod notify;
pub mod objects;
pub mod own;
mod port;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod redis;
mod release;
pub mod replace;
pub mod rights;
pub mod secret;
pub mod shim;
pub mod sqlite;
pub mod tcp;
pub mod tls;
pub mod writers;

pub use release::{DeployOrder, Release, Released};

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
    /// It changed since it was looked at: nothing was done.
    Conflict,
    /// It answered, and the answer was no.
    Rejected,
    /// Our own disk is full.
    NoSpace,
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
            Io::StorageFull | Io::QuotaExceeded => Kind::NoSpace,
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
    /// What runs when `color` serves, and that all of it is well: `5 containers run, 4 say healthy`.
    /// Fails with what is not.
    async fn well(&self, color: &Color) -> Result<SafeText, Error> {
        let state = self.look(color).await?;
        if state.running {
            return Ok(SafeText::new(&format!("{color} runs")));
        }
        Err(Error::new(Kind::Rejected, format!("could not see {color} run: it is stopped")))
    }
    /// Each process or container of the application with its state, in words; nothing where a look
    /// at the colours says it all.
    async fn parts(&self) -> Result<Vec<SafeText>, Error> {
        Ok(Vec::new())
    }
    /// Why `color` may not come up, as far as a look from outside tells: who has its port, what its
    /// configuration lacks, what it said last. Nothing where nothing is known.
    async fn diagnose(&self, _color: &Color) -> Vec<SafeText> {
        Vec::new()
    }
    /// Whether what a colour wrote is among what [`Workload::preserve`] keeps.
    fn keeps_logs(&self) -> bool {
        false
    }
    /// Writes what can be said of the colour (state, release, settings) into `dir`.
    async fn preserve(&self, color: &Color, dir: &std::path::Path) -> Result<Vec<String>, Error>;
    /// The exact command that would stop or start it by hand.
    fn by_hand(&self, color: &Color, start: bool) -> String;
    /// The workers and cron of a colour, running or stopped; none where the platform has no such.
    async fn workers(&self, _color: &Color) -> Result<Vec<Worker>, Error> {
        Ok(Vec::new())
    }
    /// Ends the workers of a colour gracefully, killing after `grace`; they are kept.
    async fn stop_workers(
        &self,
        _color: &Color,
        _grace: Duration,
        _effect: &str,
    ) -> Result<SafeText, Error> {
        Ok("this platform has no workers".into())
    }
    /// Starts the stopped workers of a colour as they were.
    async fn start_workers(&self, _color: &Color, _effect: &str) -> Result<(), Error> {
        Ok(())
    }
    /// The exact commands that would stop or start them by hand.
    fn workers_by_hand(&self, _color: &Color, _start: bool) -> Vec<String> {
        Vec::new()
    }
    /// Sees to it that whoever starts the platform's services next starts the version of `color`,
    /// which serves now. Nothing where nobody else chooses versions.
    async fn remember(&self, _color: &Color) -> Result<(), Error> {
        Ok(())
    }
    /// Whether that is so.
    async fn remembers(&self, _color: &Color) -> Result<bool, Error> {
        Ok(true)
    }
    /// The command by which a person would do it.
    fn remember_by_hand(&self, _color: &Color) -> Option<String> {
        None
    }
    /// The image repositories of the application, by which a restore point made by hand tells its
    /// version; none where the platform has no images.
    async fn repositories(&self) -> Vec<String> {
        Vec::new()
    }
    /// Where on this host a service keeps what lies below `inside` of it; nothing where that is not
    /// known, or the platform has no services.
    async fn kept_at(&self, _service: &str, _inside: &str) -> Option<std::path::PathBuf> {
        None
    }
    /// Makes the volume `name` of the same kind as `like`; one that is there is fine. Nothing where
    /// the platform has no volumes.
    async fn make_volume(&self, _like: &str, _name: &str) -> Result<(), Error> {
        Ok(())
    }
    /// Removes the volume `name`; one that is not there is fine.
    async fn remove_volume(&self, _name: &str) -> Result<(), Error> {
        Ok(())
    }
    /// What we would have to be allowed and are not, in words; none where nobody else decides that.
    async fn missing_rights(&self) -> Result<Vec<SafeText>, Error> {
        Ok(Vec::new())
    }
    /// Why nothing could be deployed for want of a tool of this host (S-69); nothing where none is
    /// needed, or it is there.
    async fn missing_tool(&self) -> Option<SafeText> {
        None
    }
    /// The releases that can be started again, with whether their artefacts are whole.
    async fn releases(&self) -> Result<Vec<Release>, Error> {
        Ok(Vec::new())
    }
    /// Which release lies on a colour.
    async fn released(&self, color: &Color) -> Result<Released, Error> {
        let version = self.look(color).await?.version;
        Ok(Released { version, digest: None, since: None })
    }
    /// Lays a recorded release on a colour and starts it, ending what ran there. What lay there
    /// is kept among the releases. Laying what lies there already changes nothing.
    async fn deploy(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        let message = format!(
            "could not start {} on {}: this platform keeps no releases",
            order.version, order.color
        );
        Err(Error::new(Kind::NotFound, message))
    }
}

/// A worker or cron of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// What it is called: `green-worker`.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
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
    /// What is known of connections from before the switch that stay on `color`, where they are
    /// not counted; nothing where they are.
    async fn residue(&self, _color: &Color) -> Option<SafeText> {
        None
    }
    /// What users meet meanwhile, where a switch was cut off between two colours.
    async fn in_between(&self) -> Option<SafeText> {
        None
    }
    /// Looks anew for what it sends traffic to: something of the same name may have been started
    /// at another address. Nothing where that is looked for at each request.
    async fn refresh(&self) -> Result<(), Error> {
        Ok(())
    }
    /// The exact command that would switch by hand.
    fn by_hand(&self, to: &Color) -> String;
    /// Whether `part` can be held here; plans leave out what cannot.
    fn can_hold(&self, _part: HoldPart) -> bool {
        true
    }
    /// Holds the maintenance page or the writers, or lifts the hold.
    async fn hold(&self, part: HoldPart, held: bool, _effect: &str) -> Result<(), Error> {
        let verb = if held { "hold" } else { "lift" };
        let message = format!("could not {verb} the {}: this traffic cannot hold it", part.words());
        Err(Error::new(Kind::Rejected, message))
    }
    /// The exact command that would hold or lift by hand.
    fn hold_by_hand(&self, part: HoldPart, _held: bool) -> String {
        format!("# the {} cannot be held here", part.words())
    }
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
    /// What it holds; nothing when it cannot hold.
    pub held: Option<BTreeSet<HoldPart>>,
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
