//! A dump started as a Redis of its own beside the live one. A server that keeps appends does not
//! read a dump (W-52): the copy loads it without them, is counted, and then writes its own appends
//! where the live one keeps some, so that either way it starts with these keys.

use std::time::Duration;

use crate::adapters::beside::{BESIDE, Place, blocking};
use crate::adapters::cache::CacheCopy;
use crate::adapters::database::Told;
use crate::adapters::docker::{Beside, Container};
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::keys::KeyFacts;

use super::place::{FILE, Note};
use super::store::{Info, RedisStore};
use super::{Server, rdb};

/// How long a server may take to load its keys.
pub(super) const LOAD: Duration = Duration::from_mins(10);
/// How often a server at work is looked at.
const EVERY: Duration = Duration::from_millis(300);
/// Where a copy listens, in its container.
const PORT: &str = "6379/tcp";

/// How the live server keeps its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Keeps {
    /// The dump's name.
    file: String,
    /// Whether it keeps appends; nothing where it cannot be asked.
    appends: Option<bool>,
    /// Their settings.
    settings: Vec<(&'static str, String)>,
}

impl RedisStore {
    /// How the live one keeps its keys; a server that is down is taken to keep them as usual.
    async fn keeps(&self) -> Keeps {
        let mut keeps = Keeps { file: FILE.to_owned(), ..Keeps::default() };
        if let Ok(name) = self.setting("dbfilename").await
            && !name.is_empty()
        {
            keeps.file = name;
        }
        keeps.appends = self.setting("appendonly").await.ok().map(|word| word == "yes");
        for name in ["appendfilename", "appenddirname", "databases"] {
            // An older one does not know each of them.
            if let Ok(value) = self.setting(name).await
                && !value.is_empty()
            {
                keeps.settings.push((name, value));
            }
        }
        keeps
    }

    /// Makes the copy `order.name`; its keys.
    pub(super) async fn restored(
        &self,
        order: &CacheCopy<'_>,
        told: Told<'_>,
    ) -> Result<Vec<KeyFacts>, Error> {
        let (live, place) = self.live().await?;
        place.open()?;
        self.is_no_copy().await?;
        let dump = order.dump.to_owned();
        let (bytes, _) = blocking(move || rdb::read_through(&dump)).await?;
        told(0, bytes);
        self.removed(order.name).await?;
        let keeps = self.keeps().await;
        let at = self.service()?;
        at.docker.make_beside(&at.project, &place, order.name).await?;
        let (at, dump) = (place.clone(), order.dump.to_owned());
        let (name, file) = (order.name.to_owned(), keeps.file.clone());
        blocking(move || at.lay(&dump, (&name, &file))).await?;
        let docker = &self.service()?.docker;
        let id = self.made_container((&live, &place), order.name, &keeps).await?;
        docker.start(&id).await?;
        let server = self.copy_server(&id).await?;
        let tell = |info: &Info| {
            let done = info.field("loading_loaded_bytes").and_then(|text| text.parse().ok());
            told(done.unwrap_or_default(), bytes);
        };
        self.loaded(&server, &id, &tell).await?;
        let keys = self.keys_of(&server).await?;
        // One that cannot be asked may keep them: what is not used is taken away when it is up.
        if keeps.appends != Some(false) {
            self.appended(&server).await?;
        }
        let (folder, note) = (
            place.beside(order.name),
            Note { effect: order.effect.to_owned(), keys: keys.clone() },
        );
        blocking(move || note.write(&folder)).await?;
        told(bytes, bytes);
        Ok(keys)
    }

    /// One that follows another takes its keys from there, whatever is put in its place.
    async fn is_no_copy(&self) -> Result<(), Error> {
        let Ok(mut line) = self.line(&self.server).await else { return Ok(()) };
        let info = self.info(&mut line, "replication").await?;
        let Some(master) = info.field("master_host") else { return Ok(()) };
        let message = format!(
            "could not restore Redis: {} follows {}; name that one in redis.url",
            self.server.place(),
            crate::text::SafeText::new(master)
        );
        Err(Error::new(Kind::Rejected, message))
    }

    async fn made_container(
        &self,
        (live, place): (&Container, &Place),
        name: &str,
        keeps: &Keeps,
    ) -> Result<String, Error> {
        let own = place.inside.join(&place.below).display().to_string();
        let fixed = [
            ("appendonly", "no".to_owned()),
            ("save", String::new()),
            ("dir", own),
            ("dbfilename", keeps.file.clone()),
            ("port", "6379".to_owned()),
            ("bind", "0.0.0.0".to_owned()),
            ("protected-mode", "no".to_owned()),
        ];
        let all = fixed.into_iter().chain(keeps.settings.iter().cloned());
        let container = self.container_name(name);
        let beside = Beside {
            like: &live.id,
            name: &container,
            labels: [(BESIDE.to_owned(), name.to_owned())].into(),
            arguments: all.flat_map(|(key, value)| [format!("--{key}"), value]).collect(),
            mounts: vec![(place.source(name), place.inside.clone(), true)],
            port: PORT,
        };
        self.service()?.docker.create_beside(&beside).await
    }

    /// How a copy is asked: past TLS, on this host's own address.
    async fn copy_server(&self, id: &str) -> Result<Server, Error> {
        let began = self.clock.now();
        loop {
            let container = self.service()?.docker.container(id).await?;
            if let Some(port) = container.ports.iter().find(|port| port.inside == PORT) {
                let (host, port) = (port.address.clone(), port.port);
                return Ok(Server { host, port, trust: None, ..self.server.clone() });
            }
            if !container.is_up() {
                let said = self.last_words(id).await;
                let message = format!("could not start the copy of Redis: it ended: {said}");
                return Err(Error::new(Kind::Rejected, message));
            }
            self.pause(began, "start the copy of Redis").await?;
        }
    }

    /// Waits until a server has its keys; one whose container ended is told with its last words.
    pub(super) async fn loaded(
        &self,
        server: &Server,
        container: &str,
        tell: &(dyn Fn(&Info) + Send + Sync),
    ) -> Result<(), Error> {
        let began = self.clock.now();
        loop {
            let asked = async {
                let mut line = self.line(server).await?;
                self.info(&mut line, "persistence").await
            };
            match asked.await {
                Ok(info) if !info.is("loading") => return Ok(()),
                Ok(info) => tell(&info),
                Err(error) if error.kind == Kind::Denied => return Err(error),
                Err(_) => {}
            }
            let found = self.service()?.docker.container(container).await?;
            if !found.is_up() && found.exit_code.is_some_and(|code| code != 0) {
                let said = self.last_words(container).await;
                let message = format!("could not start Redis: it ended: {said}");
                return Err(Error::new(Kind::Rejected, message));
            }
            self.pause(began, "wait until Redis has loaded its keys").await?;
        }
    }

    /// Has a copy write its appends, from the keys that it has.
    async fn appended(&self, server: &Server) -> Result<(), Error> {
        let mut line = self.line(server).await?;
        self.said(&mut line, &["CONFIG", "SET", "appendonly", "yes"]).await?;
        let began = self.clock.now();
        loop {
            let info = self.info(&mut line, "persistence").await?;
            let busy = info.is("aof_rewrite_in_progress") || info.is("aof_rewrite_scheduled");
            if !busy && info.is("aof_enabled") {
                let ended = info.field("aof_last_bgrewrite_status").unwrap_or("unknown");
                if ended == "ok" {
                    return Ok(());
                }
                let message = format!("could not write the appends of the copy: it says {ended}");
                return Err(Error::new(Kind::Rejected, message));
            }
            self.pause(began, "wait for the appends of the copy").await?;
        }
    }

    /// A moment later; `TimedOut` when it has taken too long.
    async fn pause(&self, began: Time, what: &str) -> Result<(), Error> {
        let allowed = chrono::Duration::from_std(LOAD).unwrap_or_default();
        if self.clock.now() - began > allowed {
            return Err(Error::timed_out(what, LOAD));
        }
        self.clock.sleep(EVERY).await;
        Ok(())
    }
}
