//! A Redis as a store of the application: dumped over its connection, and, where it is a service
//! of a Compose project, restored beside and swapped (M-13, W-52).

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::beside::{Place, blocking};
use crate::adapters::cache::{Cache, CacheCopy, LiesBeside};
use crate::adapters::database::Told;
use crate::adapters::docker::DockerHost;
use crate::adapters::process::quoted;
use crate::adapters::tcp::Trace;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::keys::{KeyFacts, Keys};
use crate::text::SafeText;

use super::place::FILE;
use super::{Line, Reply, Server, rdb};

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(5);
/// How long a dump may take in all.
const DUMP: Duration = Duration::from_mins(10);

/// The service of a Compose project that it is.
#[derive(Clone, Debug)]
pub struct RedisService {
    /// The engine.
    pub docker: DockerHost,
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
}

/// A Redis of the application.
#[derive(Clone, Debug)]
pub struct RedisStore {
    pub(super) server: Server,
    pub(super) at: Option<RedisService>,
    /// Where its files lie, once that was looked at.
    pub(super) place: Arc<OnceLock<Place>>,
    pub(super) clock: Clock,
}

impl RedisStore {
    /// The Redis at `server`; `at` is the service that it is, where it is one.
    pub fn new(server: Server, at: Option<RedisService>, clock: Clock) -> Self {
        Self { server, at, place: Arc::default(), clock }
    }

    /// The service that it is; refused where it is none.
    pub(super) fn service(&self) -> Result<&RedisService, Error> {
        self.at.as_ref().ok_or_else(|| {
            let why = self.stays().unwrap_or_default();
            Error::new(Kind::Rejected, format!("could not restore Redis: {why}"))
        })
    }

    /// A connection to `server` as the configured user.
    pub(super) async fn line(&self, server: &Server) -> Result<Line, Error> {
        let mut trace = Trace::default();
        let what = format!("ask redis at {}", server.place());
        let work = async {
            let mut line = server.open(&mut trace).await?;
            if let Some(password) = &server.password {
                let user = server.user.as_deref();
                let words: Vec<&str> =
                    ["AUTH"].into_iter().chain(user).chain([password.reveal()]).collect();
                said(&mut line, &words).await?;
            }
            Ok(line)
        };
        let ended = self.clock.timeout(LOOK, work).await;
        ended.unwrap_or_else(|_| Err(Error::timed_out(what, LOOK)))
    }

    /// Asks, within a limit; a no is an error.
    pub(super) async fn said(&self, line: &mut Line, words: &[&str]) -> Result<String, Error> {
        let what = format!("ask redis for {}", words.first().copied().unwrap_or_default());
        let ended = self.clock.timeout(LOOK, said(line, words)).await;
        ended.unwrap_or_else(|_| Err(Error::timed_out(what, LOOK)))
    }

    /// One section of INFO, line by line.
    pub(super) async fn info(&self, line: &mut Line, section: &str) -> Result<Info, Error> {
        self.said(line, &["INFO", section]).await.map(Info)
    }

    /// The keys that `server` holds now.
    pub(super) async fn keys_of(&self, server: &Server) -> Result<Vec<KeyFacts>, Error> {
        let mut line = self.line(server).await?;
        Ok(self.info(&mut line, "keyspace").await?.keys())
    }
}

/// Asks; a no is an error.
async fn said(line: &mut Line, words: &[&str]) -> Result<String, Error> {
    match line.ask(words).await? {
        Reply::Text(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Reply::Integer(number) => Ok(number.to_string()),
        Reply::Null => Ok(String::new()),
        Reply::No(why) => Err(line.no(words, &why)),
    }
}

/// What INFO said.
pub(super) struct Info(String);

impl Info {
    /// A field of it.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// Whether a field is `1`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.field(name) == Some("1")
    }

    /// The lines `db0:keys=3,expires=1,avg_ttl=0`.
    fn keys(&self) -> Vec<KeyFacts> {
        let one = |line: &str| {
            let (database, rest) = line.strip_prefix("db")?.split_once(':')?;
            let of = |name: &str| {
                let found = rest.split(',').find_map(|part| part.strip_prefix(name));
                found.and_then(|number| number.trim().parse().ok())
            };
            let database = database.parse().ok()?;
            Some(KeyFacts {
                database,
                keys: of("keys=")?,
                expiring: of("expires=").unwrap_or_default(),
            })
        };
        self.0.lines().filter_map(one).collect()
    }
}

#[async_trait]
impl Cache for RedisStore {
    async fn identity(&self) -> Result<String, Error> {
        let service = self.at.as_ref().map(|at| format!(" ({} {})", at.project, at.service));
        Ok(format!("redis {}{}", self.server.place(), service.unwrap_or_default()))
    }

    async fn keys(&self) -> Result<Vec<KeyFacts>, Error> {
        self.keys_of(&self.server).await
    }

    async fn size(&self) -> Result<u64, Error> {
        let mut line = self.line(&self.server).await?;
        let memory = self.info(&mut line, "memory").await?;
        Ok(memory.field("used_memory").and_then(|bytes| bytes.parse().ok()).unwrap_or_default())
    }

    async fn dump(&self, into: &Path, told: Told<'_>) -> Result<Keys, Error> {
        let before = self.keys().await?;
        let mut line = self.line(&self.server).await?;
        let taken = self.clock.timeout(DUMP, line.snapshot(into, &self.clock, told)).await;
        drop(line);
        taken.unwrap_or_else(|_| {
            Err(Error::timed_out(format!("take a dump of {}", self.server.place()), DUMP))
        })?;
        let after = self.keys().await?;
        let path = into.to_owned();
        blocking(move || rdb::read_through(&path)).await?;
        Ok(Keys { before, after })
    }

    fn stays(&self) -> Option<String> {
        let why = "it is no service of a Compose project (redis.service): only there can a copy be \
                   started beside it and swapped";
        self.at.is_none().then(|| why.to_owned())
    }

    async fn restore_beside(
        &self,
        order: &CacheCopy<'_>,
        told: Told<'_>,
    ) -> Result<Vec<KeyFacts>, Error> {
        Box::pin(self.restored(order, told)).await
    }

    async fn beside(&self, name: &str) -> Result<Option<LiesBeside>, Error> {
        self.lies_beside(name).await
    }

    async fn swap(&self, name: &str, keep: &str) -> Result<SafeText, Error> {
        Box::pin(self.swapped(name, keep)).await
    }

    async fn remove_beside(&self, name: &str) -> Result<(), Error> {
        Box::pin(self.removed(name)).await
    }

    fn place_of(&self, name: &str) -> Option<PathBuf> {
        self.place.get().map(|place| place.beside(name))
    }

    fn dump_by_hand(&self, into: &str) -> String {
        let cli = "redis-cli";
        match &self.at {
            // The password is the container's business: REDISCLI_AUTH is in its environment or not.
            Some(at) => format!(
                "docker compose -p {} exec -T {} {cli} --rdb - > {into}",
                at.project, at.service
            ),
            None => format!("{cli} -h {} -p {} --rdb {into}", self.server.host, self.server.port),
        }
    }

    fn restore_by_hand(&self, dump: &Path, name: &str, keep: &str) -> (Vec<String>, String) {
        let Some(at) = &self.at else {
            let line = format!(
                "# stop Redis, keep its folder as {keep}, put {} into a new one, start it with \
                 --appendonly no, CONFIG SET appendonly yes where it is used, wait for the rewrite",
                quoted(&dump.display().to_string())
            );
            return (vec![line.clone()], line);
        };
        let (copy, service) = (quoted(&self.container_name(name)), &at.service);
        let dump = quoted(&dump.display().to_string());
        let make = vec![
            format!("docker volume create {copy}"),
            format!(
                "docker run --rm -i -u 0 -v {copy}:/data IMAGE-OF-{service} sh -c 'cat > \
                 /data/{FILE} && chown -R redis: /data' < {dump}"
            ),
            // A dump is not read while appends are on (W-52): loaded first, then rewritten.
            format!(
                "docker run -d --name {copy} -v {copy}:/data IMAGE-OF-{service} redis-server \
                 --appendonly no --save ''"
            ),
            format!("docker exec {copy} redis-cli INFO keyspace"),
            format!(
                "docker exec {copy} redis-cli CONFIG SET appendonly yes   # where the live one has \
                 it; wait until INFO persistence says aof_rewrite_in_progress:0"
            ),
        ];
        let swap = format!(
            "docker stop {copy}; docker compose -p {project} stop {service}; keep the live \
             volume's files as {keep} and move those of {copy} there; docker compose -p {project} \
             start {service}",
            project = at.project
        );
        (make, swap)
    }

    fn remove_by_hand(&self, name: &str) -> String {
        let volume = self.place.get().and_then(|place| place.volume.as_ref());
        let container = quoted(&self.container_name(name));
        let files = match (volume, self.place.get()) {
            (Some(volume), _) => {
                format!("docker volume rm {}", quoted(&format!("{volume}.{name}")))
            }
            (None, Some(place)) => {
                format!("rm -rf -- {}", quoted(&place.beside(name).display().to_string()))
            }
            (None, None) => format!("docker volume ls -f label=backout.beside={name}"),
        };
        format!("docker rm -f {container}; {files}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_what_info_says() {
        let info = Info(
            "# Keyspace\r\ndb0:keys=1204,expires=41,avg_ttl=9\r\n\
             db3:keys=7,expires=0,avg_ttl=0,subexpiry=0\r\naof_enabled:1\r\n"
                .to_owned(),
        );
        assert_eq!(
            info.keys(),
            [
                KeyFacts { database: 0, keys: 1204, expiring: 41 },
                KeyFacts { database: 3, keys: 7, expiring: 0 }
            ]
        );
        assert!(info.is("aof_enabled"));
        assert_eq!(info.field("aof"), None);
    }
}
