//! `backout ps`: the engines of this user, and those shared with them.

use std::fmt;
use std::io::Write;

use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples};
use crate::link;

use super::session;
use super::{World, say};

pub(crate) async fn run(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let uid = rustix::process::geteuid().as_raw();
    let runtime = world.environment.runtime_dir();
    let name = world.environment.user().unwrap_or("somebody");
    let found = link::running(runtime.as_deref(), uid, name, &world.clock)
        .await
        .map_err(|error| Failure::new(Exit::Unknown, error.to_string()))?;
    let mut people = Vec::new();
    for engine in &found.running {
        people.push(People::of(engine).await);
    }
    if world.json {
        let list: Vec<serde_json::Value> = found
            .running
            .iter()
            .zip(&people)
            .map(|(engine, people)| {
                serde_json::json!({
                    "socket": engine.socket, "state": engine.state, "pid": engine.pid,
                    "version": engine.version, "epoch": engine.epoch, "seq": engine.seq,
                    "environment": people.environment, "lead": people.lead,
                    "attached": people.attached, "group": people.group,
                })
            })
            .collect();
        session::json(out, &serde_json::Value::Array(list));
        return Ok(Exit::Ok);
    }
    for (engine, people) in found.running.iter().zip(&people) {
        let place = engine.state.as_ref().unwrap_or(&engine.socket).display();
        let line = format!(
            "{:<8} v{:<8} epoch {:<4} seq {:<8} {place}  {people}\n",
            engine.pid, engine.version, engine.epoch, engine.seq,
        );
        say(out, &line);
    }
    for (socket, why) in &found.silent {
        say(out, &format!("?        no answer: {why}  {}\n", socket.display()));
    }
    if found.running.is_empty() && found.silent.is_empty() {
        say(out, "no engine runs\n");
    }
    Ok(Exit::Ok)
}

/// Who is behind an engine, as far as its files say.
#[derive(Default)]
struct People {
    known: bool,
    environment: String,
    lead: Option<String>,
    attached: Vec<String>,
    group: Option<u32>,
}

impl People {
    async fn of(engine: &link::Running) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let group = engine.socket.metadata().ok().filter(|found| found.mode() & 0o070 != 0);
        let mut people = Self { group: group.map(|found| found.gid()), ..Self::default() };
        let Some(state) = &engine.state else { return people };
        if let Ok(mut reader) = Reader::open(state).await
            && let Ok(situation) = reader.situation().await
        {
            people.known = true;
            situation.environment().clone_into(&mut people.environment);
            people.lead = situation.lead.as_ref().map(|lead| {
                let gone = if lead.lost_at.is_some() { " (gone)" } else { "" };
                format!("{}{gone}", lead.who.name)
            });
        }
        if let Ok(mut samples) = Samples::read(state).await
            && let Ok(Some(live)) = samples.live().await
        {
            people.attached = live.clients.iter().map(|client| client.name.to_string()).collect();
        }
        people
    }
}

impl fmt::Display for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.lead, self.known) {
            (Some(lead), _) => write!(f, "lead {lead}, {} attached", self.attached.len())?,
            (None, true) => write!(f, "no lead, {} attached", self.attached.len())?,
            (None, false) => write!(f, "lead not known: it is another user's")?,
        }
        match self.group {
            Some(group) => write!(f, ", shared with group {group}"),
            None => Ok(()),
        }
    }
}
