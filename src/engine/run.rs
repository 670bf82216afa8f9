//! The one loop: what comes in is written, what the model says is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::journal::Samples;
use crate::link::{Server, ServerEvent};
use crate::model::entry::{Author, Change, Event};
use crate::model::ids::{CheckId, StepId, Time};
use crate::model::plan::{Plan, Preflight};
use crate::model::reading::{Reading, Track};
use crate::model::restore_point::RestorePoint;
use crate::model::signal::{Recent, Role};
use crate::model::tree::{HelpTest, Node};
use crate::text::SafeText;

use super::Start;
use super::books::{Books, Line};
use super::executor::{Came, Live};
use super::planner::NoPlan;
use super::stack::Stack;

/// Mailboxes are bounded.
pub(super) const MAILBOX: usize = 64;
/// How often the engine looks at its clocks while nothing comes in.
const IDLE: Duration = Duration::from_secs(1);
/// The same while a run is open.
const BUSY: Duration = Duration::from_millis(100);

/// Someone attached.
pub(super) struct Client {
    pub(super) author: Author,
    pub(super) commands: bool,
    pub(super) read_only: bool,
}

/// What the engine saw for itself.
pub(super) enum Seen {
    /// Deploys, points and a trial plan for the level cards.
    World(Box<World>),
    /// Whether a rollback would help, where that can be asked.
    Helped(Box<Option<HelpTest>>),
    /// A plan that was asked for.
    Planned {
        by: SafeText,
        level: crate::model::plan::Level,
        made: Box<Result<(Plan, Vec<Preflight>), NoPlan>>,
    },
    /// The open plan, looked at anew.
    Refreshed(Box<Result<(Plan, Vec<Preflight>), NoPlan>>),
}

/// One look at the world around the checks.
pub(super) struct World {
    pub(super) changes: Vec<Change>,
    pub(super) points: Vec<RestorePoint>,
    pub(super) trial: Option<Result<(Plan, Vec<Preflight>), NoPlan>>,
}

/// The engine of one environment.
pub struct Engine {
    pub(super) start: Start,
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) stack: Option<Stack>,
    pub(super) books: Books,
    pub(super) samples: Samples,
    pub(super) server: Server,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) lead: Option<u64>,
    pub(super) tree: Vec<Node>,
    pub(super) tracks: BTreeMap<CheckId, Track>,
    pub(super) roles: BTreeMap<CheckId, Role>,
    pub(super) recent: Recent,
    pub(super) fresh: Vec<Reading>,
    pub(super) live: BTreeMap<StepId, Live>,
    pub(super) looking: BTreeSet<StepId>,
    pub(super) fast: watch::Sender<bool>,
    pub(super) came: mpsc::Sender<Came>,
    pub(super) seen: mpsc::Sender<Seen>,
    pub(super) observing: bool,
    pub(super) helping: bool,
    pub(super) trial: Option<Result<(Plan, Vec<Preflight>), NoPlan>>,
    pub(super) helped_at: Option<Time>,
    pub(super) observed_at: Option<Time>,
    pub(super) refreshed_at: Option<Time>,
    pub(super) face: Option<crate::model::plan::PlanFace>,
    pub(super) boot: SafeText,
    pub(super) host: SafeText,
    pub(super) alone_since: Option<Time>,
    pub(super) calm_since: Option<Time>,
    pub(super) live_at: Option<Time>,
    pub(super) told: u64,
    pub(super) ending: Option<String>,
}

pub(super) struct Mail {
    pub(super) readings: mpsc::Receiver<Reading>,
    pub(super) came: mpsc::Receiver<Came>,
    pub(super) seen: mpsc::Receiver<Seen>,
    pub(super) server: mpsc::Receiver<ServerEvent>,
}

/// Runs the engine until `stop` ends, it is told to end, or nobody needs it any more.
pub async fn run(
    start: Start,
    config: Config,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Failure> {
    let (mut engine, mut mail) = super::open::open(start, config, clock).await?;
    let ended = engine.turns(&mut mail, stop).await;
    let why = engine.ending.clone().unwrap_or_else(|| "failed".to_owned());
    engine.server.bye(&why);
    engine.say_live(true).await.ok();
    if ended.is_ok() && engine.start.state.exists() {
        let stopped = Event::EngineStopped { why: SafeText::new(&why) };
        engine.books.write(vec![Line::from(stopped)]).await.map_err(journal)?;
        engine.books.close().await.map_err(journal)?;
    }
    ended.map(|()| Exit::Ok)
}

/// A journal that cannot be written ends the engine: nothing may happen unrecorded.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
pub(super) fn journal(error: crate::journal::Error) -> Failure {
    let exit = if matches!(error, crate::journal::Error::Held { .. }) {
        Exit::Held
    } else {
        Exit::Unknown
    };
    Failure::new(exit, error.to_string())
}

impl Engine {
    async fn turns(
        &mut self,
        mail: &mut Mail,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let mut stop = std::pin::pin!(stop);
        let no_signal =
            |error| Failure::new(Exit::Unknown, format!("could not catch signals: {error}"));
        let mut term = signal(SignalKind::terminate()).map_err(no_signal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(no_signal)?;
        while self.ending.is_none() {
            // What the model says is done before anything else is waited for.
            self.turn().await?;
            let busy = !self.live.is_empty() || self.books.situation.open_run().is_some();
            let pause = if busy { BUSY } else { IDLE };
            let mut lines = Vec::new();
            tokio::select! {
                biased;
                _ = term.recv() => self.ending = Some("SIGTERM".into()),
                _ = interrupt.recv() => self.ending = Some("SIGINT".into()),
                _ = hangup.recv() => {}
                () = &mut stop => self.ending = Some("asked to end".into()),
                Some(event) = mail.server.recv() => self.server_event(event, &mut lines).await?,
                Some(came) = mail.came.recv() => self.came(came, &mut lines),
                Some(seen) = mail.seen.recv() => self.seen(seen, &mut lines),
                Some(reading) = mail.readings.recv() => self.reading(reading, &mut lines),
                () = self.clock.sleep(pause) => {}
            }
            // All that is ready goes into the same transaction: one sync for all of it.
            for _ in 0..MAILBOX {
                if let Ok(event) = mail.server.try_recv() {
                    self.server_event(event, &mut lines).await?;
                } else if let Ok(came) = mail.came.try_recv() {
                    self.came(came, &mut lines);
                } else if let Ok(seen) = mail.seen.try_recv() {
                    self.seen(seen, &mut lines);
                } else if let Ok(reading) = mail.readings.try_recv() {
                    self.reading(reading, &mut lines);
                } else {
                    break;
                }
            }
            self.write(lines).await?;
        }
        Ok(())
    }

    /// Writes lines, folds them, and tells everyone.
    pub(super) async fn write(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        let last = |books: &Books| books.situation.history.first().map(|past| past.run.clone());
        let known = last(&self.books);
        self.books.write(lines).await.map_err(journal)?;
        if last(&self.books) != known {
            self.mend_history();
        }
        self.server.changed(self.books.situation.seq, self.told);
        Ok(())
    }

    fn reading(&mut self, reading: Reading, lines: &mut Vec<Line>) {
        self.recent.push(reading.clone());
        self.fresh.push(reading.clone());
        let Some(spec) = self.config.checks.iter().find(|spec| spec.id == reading.check) else {
            return;
        };
        let Some(track) = self.tracks.get_mut(&reading.check) else { return };
        if track.take(reading, &spec.policy) {
            lines.push(check_changed(&spec.id, track, spec.role.critical));
        }
    }

    /// Turns checks stale whose looks do not come.
    pub(super) fn age_checks(&mut self, lines: &mut Vec<Line>) {
        let now = self.clock.now();
        for spec in self.config.checks.iter().filter(|spec| spec.live) {
            let Some(track) = self.tracks.get_mut(&spec.id) else { continue };
            if track.age(now, &spec.policy) {
                lines.push(check_changed(&spec.id, track, spec.role.critical));
            }
        }
    }

    /// Writes what is live: readings, numbers, progress, heartbeat; at most five times a second.
    pub(super) async fn say_live(&mut self, now_or_never: bool) -> Result<(), Failure> {
        let now = self.clock.now();
        let age = self.live_at.map_or(IDLE, |at| (now - at).to_std().unwrap_or_default());
        let due = age >= IDLE || (age >= IDLE / 5 && !self.fresh.is_empty());
        if !due && !now_or_never {
            return Ok(());
        }
        let live = self.live(now);
        let fresh = std::mem::take(&mut self.fresh);
        if let Err(error) = self.samples.write(&fresh, Some(&live)).await {
            // Samples are disposable: losing them is said, never fatal.
            tracing::warn!("could not write the samples: {error}");
        }
        self.live_at = Some(now);
        self.told += 1;
        self.server.changed(self.books.situation.seq, self.told);
        Ok(())
    }
}

fn check_changed(id: &CheckId, track: &Track, critical: bool) -> Line {
    let note = track.last.as_ref().map(|reading| reading.note.clone()).unwrap_or_default();
    Line::from(Event::CheckChanged {
        check: id.clone(),
        status: track.status,
        reason: track.reason,
        note,
        since: track.since,
        critical,
    })
}
