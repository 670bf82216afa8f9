//! Takes the lease, restores what was known, and opens every mailbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::checks::{CheckSpec, ProbeCx};
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::journal::{Place, Reader, Samples, Writer};
use crate::link::{Head, Server, ServerEvent};
use crate::model::entry::{Author, Event};
use crate::model::ids::{CheckId, Digest, JournalId, Time};
use crate::model::reading::{Reason, Status, Track};
use crate::model::signal::Recent;
use crate::model::situation::{CheckCard, Situation};
use crate::model::slo::Tallies;
use crate::model::tree::built_in;
use crate::redact::Redactor;
use crate::text::SafeText;

use super::Start;
use super::books::{Books, Line};
use super::judging::Desk;
use super::run::{Engine, MAILBOX, Mail, Seen, journal};
use super::stack::Stack;
use super::tail::Tail;

#[expect(clippy::too_many_lines, reason = "one line for each part of the engine")]
pub(super) async fn open(
    start: Start,
    config: Config,
    clock: Clock,
) -> Result<(Engine, Mail), Failure> {
    let place = super::journal_of(&config, &clock);
    let (writer, situation, mut samples) = files((&start, &config), &place).await?;
    let head = Head { epoch: writer.epoch(), seq: writer.head().0 };
    let (server, server_mail) = listen(&start, &config, head, &clock)?;
    let (readings_to, readings) = mpsc::channel(MAILBOX);
    let (came_to, came) = mpsc::channel(MAILBOX);
    let (seen_to, seen) = mpsc::channel(MAILBOX);
    let (fast, fast_seen) = watch::channel(true);
    let (tracks, recent) = restore(&config, &situation, &mut samples, clock.now()).await;
    let slos = counted(&config, &mut samples).await;
    let dir = config.file.parent().unwrap_or(&start.state).to_owned();
    let cx = ProbeCx { clock: clock.clone(), dir };
    let probers = super::prober::start(&config.checks, &cx, &fast_seen, &readings_to);
    let performance = config.log_files.performance.clone().filter(|_| start.watches);
    super::log_files::follow(performance, cx.clone(), seen_to.clone());
    let desk = Box::new(Desk::new(&config, probers));
    let witnesses = config.judging.witnesses.clone();
    let ask = Arc::clone(&desk.ask_witness);
    super::witness::follow(witnesses, fast_seen, ask, clock.clone(), seen_to.clone());
    let (far, far_mail) = super::far::follow(place.clone(), clock.clone());
    let short = watch::Sender::new(false);
    let redactor = Arc::new(config.redactor());
    let tail = follow_logs((&start, &config), &redactor, &situation, short.subscribe(), &clock);
    let stack = Stack::of(&config, &start.program, &clock);
    let roles = config.checks.iter().filter(|spec| spec.live);
    let roles = roles.map(|spec| (spec.id.clone(), spec.role.clone())).collect();
    let whole = writer.was_read_whole();
    let mut engine = Engine {
        stack,
        tail,
        books: Books::new(writer, situation, clock.clone(), engine_author()),
        samples,
        server,
        clients: BTreeMap::new(),
        lead: None,
        tree: built_in(),
        tracks,
        roles,
        recent,
        signals: BTreeMap::new(),
        fresh: Vec::new(),
        live: BTreeMap::new(),
        looking: BTreeSet::new(),
        fast,
        came: came_to,
        seen: seen_to,
        observing: false,
        helping: false,
        trial: None,
        helped_at: None,
        observed_at: None,
        looked_at: None,
        refreshed_at: None,
        face: None,
        boot: boot(&start),
        host: first_line("/proc/sys/kernel/hostname"),
        alone_since: Some(clock.now()),
        calm_since: None,
        live_at: None,
        told: 0,
        telling: BTreeSet::new(),
        mailer: Box::default(),
        short,
        space_at: None,
        ending: None,
        holding: super::holds::Holding::default(),
        desk,
        trimmed_at: None,
        clock_off: 0,
        guiding: super::guides::Guiding::default(),
        bundling: super::bundling::Bundling::new(redactor),
        locking: super::locking::Locking::default(),
        lease: super::lease::Lease::default(),
        place,
        log_refused: super::log_files::Refused::new(),
        far,
        rules: Box::new(super::rules::Watch::new(&config, slos)),
        reloads: false,
        notified_at: None,
        activity: super::activity::Activity::default(),
        start,
        config,
        clock,
    };
    engine.books.redact(Arc::clone(&engine.bundling.redactor));
    engine.say_started().await?;
    engine.listen_for_calls().await?;
    if !whole {
        engine.read_the_rest();
    }
    Ok((engine, Mail { readings, came, seen, server: server_mail, far: far_mail }))
}

/// Follows the configured logs into the spool.
fn follow_logs(
    (start, config): (&Start, &Config),
    redactor: &Arc<Redactor>,
    situation: &Situation,
    short: watch::Receiver<bool>,
    clock: &Clock,
) -> Tail {
    let sources =
        (config.log_sources.clone(), config.container_logs.clone(), config.pod_logs.clone());
    let spool = start.state.join("spool");
    let tail = Tail::start(spool, sources, Arc::clone(redactor), short, clock.clone());
    tail.incident(situation.incident.as_ref().map(|incident| incident.opened_at));
    tail
}

/// Opens the state folder, to the group too where it is shared, and everything in it; the lease is
/// ours then.
async fn files(
    (start, config): (&Start, &Config),
    place: &Place,
) -> Result<(Writer, Situation, Samples), Failure> {
    let group = config.share.as_ref().map(|share| share.gid);
    if group.is_some() {
        // What the engine and its tools make is then the group's to read.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    }
    crate::journal::share(&start.state, group).map_err(journal)?;
    #[cfg(feature = "faults")]
    let mut writer = Writer::open_with(place, start.faults.clone()).await.map_err(journal)?;
    #[cfg(not(feature = "faults"))]
    let mut writer = Writer::open(place).await.map_err(journal)?;
    writer.wait_for(super::lease::AWAY);
    let mut reader = Reader::open(place).await.map_err(journal)?;
    let situation = reader.situation().await.map_err(journal)?;
    let samples = match Samples::open(&start.state).await {
        // On a full disk the last of what was kept back is for them.
        Err(_) if writer.give_room() => Samples::open(&start.state).await,
        opened => opened,
    }
    .map_err(journal)?;
    Ok((writer, situation, samples))
}

/// Listens, and writes down where.
fn listen(
    start: &Start,
    config: &Config,
    head: Head,
    clock: &Clock,
) -> Result<(Server, mpsc::Receiver<ServerEvent>), Failure> {
    let share = super::share_of(config);
    let (server, server_mail) =
        Server::bind(&start.socket, share, head, clock.clone()).map_err(|error| {
            Failure::new(Exit::Unknown, error.to_string())
                .hint("look which engine holds the socket: backout ps")
        })?;
    if let Err(error) = crate::link::record(&start.state, &start.socket) {
        tracing::warn!("clients with another runtime folder will not find this engine: {error}");
    }
    Ok((server, server_mail))
}

/// What was counted for the objectives, and the readings that came after it was kept last.
async fn counted(config: &Config, samples: &mut Samples) -> Tallies {
    let mut kept = samples.tallies().await.unwrap_or_default();
    let mut slos = Tallies::new();
    for (id, objective) in &config.judging.objectives {
        let mut tally = kept.remove(id).unwrap_or_default();
        let from = tally.until.map(|until| until + chrono::Duration::milliseconds(1));
        for reading in samples.of(id, from.unwrap_or_default()).await.unwrap_or_default() {
            tally.take(&reading, objective);
        }
        slos.insert(id.clone(), (objective.clone(), tally));
    }
    slos
}

/// Where the checks stood, and their readings of the last minutes: an engine that was killed
/// goes on with the same windows.
async fn restore(
    config: &Config,
    situation: &Situation,
    samples: &mut Samples,
    now: Time,
) -> (BTreeMap<CheckId, Track>, Recent) {
    let mut tracks: BTreeMap<CheckId, Track> = config
        .checks
        .iter()
        .filter(|spec| spec.live)
        .map(|spec| (spec.id.clone(), Track::new(now)))
        .collect();
    let mut recent = Recent::default();
    let from = now - chrono::Duration::minutes(15);
    let specs: BTreeMap<&CheckId, &CheckSpec> =
        config.checks.iter().map(|spec| (&spec.id, spec)).collect();
    for reading in samples.since(from).await.unwrap_or_default() {
        let Some(spec) = specs.get(&reading.check) else { continue };
        if let Some(track) = tracks.get_mut(&reading.check) {
            track.take(reading.clone(), &spec.policy);
        }
        recent.push(reading);
    }
    for (id, track) in &mut tracks {
        if let Some(card) = situation.checks.get(id).filter(|card| card.status == track.status) {
            track.since = card.since;
        }
    }
    (tracks, recent)
}

/// Who writes when nobody asked.
fn engine_author() -> Author {
    Author {
        uid: rustix::process::geteuid().as_raw(),
        name: "engine".into(),
        engine: true,
        ..Author::default()
    }
}

/// The boot under which this engine runs.
fn boot(start: &Start) -> SafeText {
    #[cfg(feature = "faults")]
    if let Some(told) = &start.faults.boot {
        return SafeText::new(told);
    }
    #[cfg(not(feature = "faults"))]
    let _not_told = start;
    first_line("/proc/sys/kernel/random/boot_id")
}

fn first_line(path: &str) -> SafeText {
    SafeText::new(std::fs::read_to_string(path).unwrap_or_default().trim())
}

impl Engine {
    /// Checks that are off and were not yet: their last state says nothing any more.
    fn switched_off(&self) -> impl Iterator<Item = Line> {
        let (known, since) = (&self.books.situation.checks, self.clock.now());
        let off = |id: &CheckId| known.get(id).is_some_and(CheckCard::off);
        let fresh = self.config.checks.iter().filter(move |spec| !spec.enabled && !off(&spec.id));
        fresh.map(move |spec| {
            Line::from(Event::CheckChanged {
                check: spec.id.clone(),
                status: Status::Unknown,
                reason: Some(Reason::Skipped),
                note: "switched off (enabled: false)".into(),
                since,
                critical: false,
            })
        })
    }

    async fn say_started(&mut self) -> Result<(), Failure> {
        let known = &self.books.situation.journal;
        let journal_id = if known.as_str().is_empty() { new_journal_id() } else { known.clone() };
        let started = Event::EngineStarted {
            journal: journal_id,
            pid: std::process::id(),
            host: self.host.clone(),
            boot: self.boot.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: SafeText::new(&self.config.environment),
            production: self.config.production,
            config: self.config.digest.clone(),
        };
        let mut lines = vec![Line::from(started)];
        let led = self.books.situation.lead.as_ref();
        if led.is_some_and(|lead| lead.lost_at.is_none()) {
            // Nobody is attached to a new engine; the lead has its time to come back.
            lines.push(Line::from(Event::LeadLost));
        }
        lines.extend(self.switched_off());
        self.declare_checks(&mut lines);
        self.declare_rules(&mut lines);
        self.write(lines).await?;
        self.mend_history();
        Ok(())
    }

    /// Opens the endpoint where other systems call for a rollback.
    async fn listen_for_calls(&mut self) -> Result<(), Failure> {
        let Some(triggers) = &self.config.triggers else { return Ok(()) };
        let here = (self.config.environment.clone(), self.config.production);
        let (seen, clock) = (self.seen.clone(), self.clock.clone());
        let posted = crate::checks::push::of(&self.config.checks);
        let listens = super::triggers::serve(triggers, here, posted, seen, clock).await;
        match listens {
            Ok(()) => Ok(()),
            Err(why) => {
                self.write(vec![Line::from(Event::Trouble { text: SafeText::new(&why) })]).await
            }
        }
    }

    /// The start of a long journal is read beside the work: what is found there is told, and
    /// stops nothing, because the fold does not rest on it.
    fn read_the_rest(&self) {
        let (state, seen) = (self.start.state.clone(), self.seen.clone());
        let place = self.place.clone();
        tokio::spawn(async move {
            let read = async { Reader::open(&place).await?.verify().await };
            if let Err(error) = read.await {
                let text = format!(
                    "the old part of the journal is not as it was written: {error}; what is \
                     shown rests on the part behind it, which is; keep a copy of {}",
                    state.join("journal.db").display()
                );
                seen.send(Seen::Trouble(SafeText::new(&text))).await.ok();
            }
        });
    }
}

/// Four characters that no other journal is likely to have.
fn new_journal_id() -> JournalId {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return JournalId(
            Digest::of(&std::process::id().to_le_bytes()).0.chars().take(4).collect(),
        );
    }
    let letter =
        |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().unwrap_or(b'x');
    JournalId(bytes.iter().map(|byte| char::from(letter(byte))).collect())
}
