//! The one loop: what comes in is written, what the model says is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::journal::{Place, Samples};
use crate::link::{Server, ServerEvent};
use crate::model::entry::{Author, Change, Event};
use crate::model::ids::{CheckId, StepId, Time};
use crate::model::reading::{Reading, Track};
use crate::model::restore_point::RestorePoint;
use crate::model::signal::{Recent, Role, Signal};
use crate::model::tree::{HelpTest, Node};
use crate::text::SafeText;

use super::Start;
use super::books::{Books, Line};
use super::executor::{Came, Live};
use super::lease::{alive_while_away, cut_short, overdue};
use super::planner::{Made, Trials};
use super::stack::Stack;

/// Mailboxes are bounded.
pub(super) const MAILBOX: usize = 64;
/// How often the engine looks at its clocks while nothing comes in.
const IDLE: Duration = Duration::from_secs(1);
/// The same while a run is open.
const BUSY: Duration = Duration::from_millis(100);

/// With more checks than these a turn takes long enough to be worth less of them: readings are
/// collected until the last turn was a fiftieth of the time.
const MANY: usize = 500;
const PACE: u32 = 50;
/// The longest that readings are collected: as long as checks are left unsettled at most.
const COLLECTED: Duration = Duration::from_secs(1);

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
    Planned { by: SafeText, level: crate::model::plan::Level, made: Box<Made> },
    /// A hold was looked at or worked on, or everything that may be held or left over.
    Hold(super::holds::Came),
    /// The commands of an occasion were run.
    Told(Box<super::hooks::Told>),
    /// What the witnesses of our own line said.
    Witness(super::witness::Said),
    /// The open plan, looked at anew, and since when.
    Refreshed(Option<Time>, Box<Made>),
    /// A bundle, or what one would hold.
    Bundle(super::bundling::Came),
    /// A step of a guided procedure ended.
    Guided(Box<super::guides::Guided>),
    /// A message was sent, or was not.
    Notified(Box<super::notify::Went>),
    /// Somebody wants the numbers.
    Scraped(tokio::sync::oneshot::Sender<String>),
    /// Another system calls for a rollback.
    Called(Box<super::triggers::Call>),
    /// What goes on in the database; nothing where it is no server.
    Database(Option<Box<crate::model::activity::DatabaseNow>>),
    /// Something that people should know.
    Trouble(SafeText),
}

/// One look at the world around the checks.
pub(super) struct World {
    pub(super) changes: Vec<Change>,
    pub(super) points: Vec<RestorePoint>,
    pub(super) releases: BTreeMap<crate::model::ids::Color, crate::model::deploys::SeenRelease>,
    pub(super) trial: Option<Trials>,
}

/// The engine of one environment.
pub struct Engine {
    pub(super) start: Start,
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) stack: Option<Stack>,
    pub(super) tail: super::tail::Tail,
    pub(super) books: Books,
    pub(super) samples: Samples,
    pub(super) server: Server,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) lead: Option<u64>,
    pub(super) tree: Vec<Node>,
    pub(super) tracks: BTreeMap<CheckId, Track>,
    pub(super) roles: BTreeMap<CheckId, Role>,
    pub(super) recent: Recent,
    /// As they were judged last.
    pub(super) signals: BTreeMap<String, Signal>,
    pub(super) fresh: Vec<Reading>,
    pub(super) live: BTreeMap<StepId, Live>,
    pub(super) looking: BTreeSet<StepId>,
    pub(super) fast: watch::Sender<bool>,
    pub(super) came: mpsc::Sender<Came>,
    pub(super) seen: mpsc::Sender<Seen>,
    pub(super) observing: bool,
    pub(super) helping: bool,
    pub(super) trial: Option<Trials>,
    pub(super) helped_at: Option<Time>,
    pub(super) observed_at: Option<Time>,
    pub(super) looked_at: Option<Time>,
    pub(super) refreshed_at: Option<Time>,
    pub(super) face: Option<crate::model::plan::PlanFace>,
    pub(super) boot: SafeText,
    pub(super) host: SafeText,
    pub(super) alone_since: Option<Time>,
    pub(super) calm_since: Option<Time>,
    pub(super) live_at: Option<Time>,
    pub(super) told: u64,
    /// Occasions of which people are being told.
    pub(super) telling: BTreeSet<String>,
    pub(super) mailer: Box<super::notify::Mailer>,
    /// Whether the state folder's disk is full.
    pub(super) short: watch::Sender<bool>,
    /// When its space was looked at last.
    pub(super) space_at: Option<Time>,
    pub(super) ending: Option<String>,
    pub(super) holding: super::holds::Holding,
    pub(super) desk: Box<super::judging::Desk>,
    pub(super) trimmed_at: Option<Time>,
    /// By how many seconds the wall clock is known to be off.
    pub(super) clock_off: i64,
    pub(super) guiding: super::guides::Guiding,
    pub(super) bundling: super::bundling::Bundling,
    pub(super) locking: super::locking::Locking,
    pub(super) lease: super::lease::Lease,
    pub(super) place: Place,
    /// Log files that could not be written, and why.
    pub(super) log_refused: super::log_files::Refused,
    pub(super) far: super::far::Far,
    pub(super) rules: Box<super::rules::Watch>,
    /// A new configuration was read: it is taken when no run is open.
    pub(super) reloads: bool,
    /// When the service manager heard of it last.
    pub(super) notified_at: Option<Time>,
    pub(super) activity: super::activity::Activity,
}

pub(super) struct Mail {
    pub(super) readings: mpsc::Receiver<Reading>,
    pub(super) came: mpsc::Receiver<Came>,
    pub(super) seen: mpsc::Receiver<Seen>,
    pub(super) server: mpsc::Receiver<ServerEvent>,
    /// The same, from other hosts.
    pub(super) far: mpsc::Receiver<ServerEvent>,
}

/// Runs the engine until `stop` ends, it is told to end, or nobody needs it any more.
pub async fn run(
    start: Start,
    config: Config,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Failure> {
    let (mut engine, mut mail) = Box::pin(super::open::open(start, config, clock)).await?;
    let (place, clock) = (engine.place.clone(), engine.clock.clone());
    let notify = engine.start.notify.clone();
    // An append that is dropped under way is found, or not, by whoever goes on.
    let ended = tokio::select! {
        biased;
        ended = engine.turns(&mut mail, stop) => ended,
        () = overdue(&place, &clock) => Err(cut_short()),
        () = alive_while_away(&place, notify, &clock) => Err(cut_short()),
    };
    let why = engine.ending.clone().unwrap_or_else(|| "failed".to_owned());
    engine.server.bye(&why);
    engine.say_live(true).await.ok();
    if ended.is_ok() && engine.start.state.exists() {
        let stopped = Line::from(Event::EngineStopped { why: SafeText::new(&why) });
        let entries = engine.books.last(stopped).await.map_err(journal)?;
        engine.log(&entries);
        engine.books.close().await.map_err(journal)?;
        if let Err(error) = engine.samples.close().await {
            // They are disposable: another user may not be able to read them then.
            tracing::warn!("could not close the samples: {error}");
        }
    }
    ended.map(|()| Exit::Ok)
}

/// A journal that cannot be written ends the engine: nothing may happen unrecorded.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
pub(super) fn journal(error: crate::journal::Error) -> Failure {
    let exit = if matches!(
        error,
        crate::journal::Error::Held { .. } | crate::journal::Error::HeldElsewhere { .. }
    ) {
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
            let began = self.clock.ticks();
            self.turn().await?;
            self.collect(mail, began).await;
            let busy = !self.live.is_empty() || self.books.situation.open_run().is_some();
            let pause = if busy { BUSY } else { IDLE };
            let mut lines = Vec::new();
            tokio::select! {
                biased;
                _ = term.recv() => self.ending = Some("SIGTERM".into()),
                _ = interrupt.recv() => self.ending = Some("SIGINT".into()),
                _ = hangup.recv() => self.hung_up(&mut lines),
                () = &mut stop => self.ending = Some("asked to end".into()),
                Some(event) = mail.server.recv() => self.server_event(event, &mut lines).await?,
                Some(event) = mail.far.recv() => self.server_event(event, &mut lines).await?,
                Some(came) = mail.came.recv() => self.came(came, &mut lines),
                Some(seen) = mail.seen.recv() => self.seen(seen, &mut lines),
                Some(reading) = mail.readings.recv() => self.reading(reading),
                () = self.clock.sleep(pause) => {}
            }
            // All that is ready goes into the same transaction: one sync for all of it.
            for _ in 0..MAILBOX {
                if let Ok(event) = mail.server.try_recv() {
                    self.server_event(event, &mut lines).await?;
                } else if let Ok(event) = mail.far.try_recv() {
                    self.server_event(event, &mut lines).await?;
                } else if let Ok(came) = mail.came.try_recv() {
                    self.came(came, &mut lines);
                } else if let Ok(seen) = mail.seen.try_recv() {
                    self.seen(seen, &mut lines);
                } else if let Ok(reading) = mail.readings.try_recv() {
                    self.reading(reading);
                } else {
                    break;
                }
            }
            self.write(lines).await?;
        }
        Ok(())
    }

    /// Takes readings for a while before the next turn, where there are very many checks; whatever
    /// else comes ends that.
    async fn collect(&mut self, mail: &mut Mail, began: Duration) {
        if self.tracks.len() <= MANY || self.ending.is_some() || !self.live.is_empty() {
            return;
        }
        let cost = self.clock.ticks().saturating_sub(began);
        let until = began + (cost * PACE).min(COLLECTED);
        loop {
            let left = until.saturating_sub(self.clock.ticks());
            let quiet = mail.server.is_empty()
                && mail.far.is_empty()
                && mail.came.is_empty()
                && mail.seen.is_empty();
            if left.is_zero() || !quiet {
                return;
            }
            let Ok(reading) = self.clock.timeout(left.min(BUSY), mail.readings.recv()).await else {
                continue;
            };
            let Some(reading) = reading else { return };
            self.reading(reading);
        }
    }

    /// Writes lines, folds them, and tells everyone.
    pub(super) async fn write(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        let last = |books: &Books| books.situation.history.first().map(|past| past.run.clone());
        let known = last(&self.books);
        let ended = super::turn::ended(&lines);
        let began = self.clock.ticks();
        let entries = self.books.write(lines).await.map_err(journal)?;
        self.log(&entries);
        self.lease.answered(self.clock.ticks(), began);
        for step in ended {
            super::turn::fault("B9", &step);
        }
        let incident = self.books.situation.incident.as_ref();
        self.tail.incident(incident.map(|incident| incident.opened_at));
        if last(&self.books) != known {
            self.mend_history();
        }
        self.server.changed(self.books.situation.seq, self.told);
        Ok(())
    }

    /// Forgets samples that are older than they are kept, once a minute.
    async fn trim_samples(&mut self, now: Time) {
        if self.trimmed_at.is_some_and(|at| now - at < chrono::Duration::minutes(1)) {
            return;
        }
        self.trimmed_at = Some(now);
        // The last reading of a slow check is still its last.
        let slowest = self.config.checks.iter().map(|spec| spec.policy.stale_after).max();
        let kept = self.config.retention.max(slowest.unwrap_or_default());
        let kept = chrono::Duration::from_std(kept).unwrap_or_default();
        if let Err(error) = self.samples.trim(now - kept).await {
            tracing::warn!("could not trim the samples: {error}");
        }
        // What is lost by a kill is read back from the readings of the last minutes.
        if let Err(error) = self.samples.keep(&self.rules.slos).await {
            tracing::warn!("could not keep what was counted for objectives: {error}");
        }
    }

    /// Writes what is live: readings, numbers, progress, heartbeat; at most five times a second
    /// during a run, else twice. What changes a state is in the journal, and told at once.
    pub(super) async fn say_live(&mut self, now_or_never: bool) -> Result<(), Failure> {
        let now = self.clock.now();
        let age = self.live_at.map_or(IDLE, |at| (now - at).to_std().unwrap_or_default());
        let often = if self.books.situation.open_run().is_some() { 5 } else { 2 };
        let due = age >= IDLE || (age >= IDLE / often && !self.fresh.is_empty());
        if !due && !now_or_never {
            return Ok(());
        }
        let live = self.live(now);
        self.trim_samples(now).await;
        let mut fresh = std::mem::take(&mut self.fresh);
        if *self.short.borrow() {
            // The last word replaces the one before it; readings would take space.
            fresh.clear();
        }
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
