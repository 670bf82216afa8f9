//! Takes the lease, restores what was known, and opens every mailbox.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::{mpsc, watch};

use crate::checks::ProbeCx;
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples, Writer};
use crate::link::{Head, Server, Share};
use crate::model::entry::{Author, Event};
use crate::model::ids::{CheckId, Digest, JournalId, Time};
use crate::model::reading::Track;
use crate::model::signal::Recent;
use crate::model::situation::Situation;
use crate::model::tree::built_in;
use crate::text::SafeText;

use super::Start;
use super::books::{Books, Line};
use super::run::{Engine, MAILBOX, Mail, journal};
use super::stack::Stack;

pub(super) async fn open(
    start: Start,
    config: Config,
    clock: Clock,
) -> Result<(Engine, Mail), Failure> {
    #[cfg(feature = "faults")]
    let writer = Writer::open_with(&start.state, start.faults.clone()).await.map_err(journal)?;
    #[cfg(not(feature = "faults"))]
    let writer = Writer::open(&start.state).await.map_err(journal)?;
    let mut reader = Reader::open(&start.state).await.map_err(journal)?;
    let situation = reader.situation().await.map_err(journal)?;
    let mut samples = Samples::open(&start.state).await.map_err(journal)?;
    let head = Head { epoch: writer.epoch(), seq: writer.head().0 };
    let (server, server_mail) = Server::bind(&start.socket, Share::Alone, head, clock.clone())
        .map_err(|error| {
            Failure::new(Exit::Unknown, error.to_string())
                .hint("look which engine holds the socket: backout ps")
        })?;
    let (readings_to, readings) = mpsc::channel(MAILBOX);
    let (came_to, came) = mpsc::channel(MAILBOX);
    let (seen_to, seen) = mpsc::channel(MAILBOX);
    let (fast, fast_seen) = watch::channel(situation.open_run().is_some());
    let (tracks, recent) = restore(&config, &situation, &mut samples, clock.now()).await;
    let engine_author = Author {
        uid: rustix::process::geteuid().as_raw(),
        name: "engine".into(),
        engine: true,
        ..Author::default()
    };
    let dir = config.file.parent().unwrap_or(&start.state).to_owned();
    let cx = ProbeCx { clock: clock.clone(), dir };
    super::prober::start(&config.checks, &cx, &fast_seen, &readings_to);
    let spool = start.state.join("spool");
    tokio::spawn(super::tail::follow(spool, config.log_sources.clone(), clock.clone()));
    let stack = Stack::of(&config, &start.program, &clock);
    let roles = config.checks.iter().filter(|spec| spec.live);
    let roles = roles.map(|spec| (spec.id.clone(), spec.role.clone())).collect();
    let mut engine = Engine {
        stack,
        books: Books::new(writer, situation, clock.clone(), engine_author),
        samples,
        server,
        clients: BTreeMap::new(),
        lead: None,
        tree: built_in(),
        tracks,
        roles,
        recent,
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
        refreshed_at: None,
        face: None,
        boot: first_line("/proc/sys/kernel/random/boot_id"),
        host: first_line("/proc/sys/kernel/hostname"),
        alone_since: Some(clock.now()),
        calm_since: None,
        live_at: None,
        told: 0,
        ending: None,
        start,
        config,
        clock,
    };
    engine.say_started().await?;
    Ok((engine, Mail { readings, came, seen, server: server_mail }))
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
    let from = now - chrono::Duration::minutes(5);
    for reading in samples.since(from).await.unwrap_or_default() {
        let Some(spec) = config.checks.iter().find(|spec| spec.id == reading.check) else {
            continue;
        };
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

fn first_line(path: &str) -> SafeText {
    SafeText::new(std::fs::read_to_string(path).unwrap_or_default().trim())
}

impl Engine {
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
        self.write(vec![Line::from(started)]).await?;
        self.mend_history();
        Ok(())
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
