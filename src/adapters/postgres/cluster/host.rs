//! A server on this host: found by the files that it leaves in its folder, started and stopped as
//! the user whose files they are.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::process::{Bounded, Finished, Identity};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::text::{SafeText, fit};

use super::seat::Server;
use crate::adapters::postgres::PostgresPlace;

/// How long a server may take to come up or to say that it does not.
const START: Duration = Duration::from_mins(3);
/// How long until one that was started has begun.
const COMES: Duration = Duration::from_secs(20);
/// The most that a tool may say, in bytes.
pub(super) const SAID: u64 = 16 * 1024 * 1024;
/// Where a recovered server writes what it says, in its own folder.
const LOG: &str = "backout.log";
/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A server of this host, whose base backups and logs are in a repository of `pgBackRest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPlace {
    /// The stanza of it.
    pub stanza: String,
    /// The configuration of `pgBackRest`; its usual one where none is named.
    pub config: Option<PathBuf>,
    /// The folder of its files.
    pub data: PathBuf,
    /// What stops the live server.
    pub stop: Vec<String>,
    /// What starts it.
    pub start: Vec<String>,
}

/// Who owns the files: a server runs as no other.
struct Owner {
    name: String,
    uid: u32,
    gid: u32,
}

impl HostPlace {
    fn owner(&self) -> Result<Owner, Error> {
        // The live folder may be moved away just now.
        let found = fs::metadata(&self.data)
            .or_else(|_| fs::metadata(self.data.parent().unwrap_or(&self.data)));
        let found = found.map_err(|e| Error::io("look at", self.data.display(), &e))?;
        let (uid, gid) = (found.uid(), found.gid());
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        });
        Ok(Owner { name: name.unwrap_or_else(|| uid.to_string()), uid, gid })
    }

    /// Runs a program to its end as the owner of the files.
    pub(super) async fn run(
        &self,
        argv: &[String],
        limit: Duration,
        clock: &Clock,
    ) -> Result<Finished, Error> {
        let owner = self.owner()?;
        let mut all = Vec::new();
        if rustix::process::geteuid().is_root() && owner.uid != 0 {
            let words = [
                "setpriv".to_owned(),
                format!("--reuid={}", owner.uid),
                format!("--regid={}", owner.gid),
                "--init-groups".to_owned(),
                "--".to_owned(),
            ];
            all.extend(words);
        }
        all.extend(argv.iter().cloned());
        let env = BTreeMap::from([
            ("PATH".to_owned(), PATH.to_owned()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("USER".to_owned(), owner.name),
            ("PGCONNECT_TIMEOUT".to_owned(), "5".to_owned()),
            ("PGAPPNAME".to_owned(), "backout".to_owned()),
        ]);
        let dir = Path::new("/");
        Bounded { argv: &all, env: Some(&env), dir, limit, bytes: SAID }.run(clock).await
    }

    /// Runs a program that has to end well; `what` is `verb thing`.
    async fn done(
        &self,
        what: &str,
        argv: &[String],
        limit: Duration,
        clock: &Clock,
    ) -> Result<(), Error> {
        let ended = self.run(argv, limit, clock).await?;
        if ended.code == Some(0) {
            return Ok(());
        }
        let said = [ended.stderr, ended.stdout].concat();
        let said = fit(SafeText::from_bytes(said.trim_ascii()).as_str(), 400);
        Err(Error::new(Kind::Rejected, format!("could not {what}: {said}")))
    }

    /// The program and the arguments that the live server was started with last.
    fn started_with(&self) -> Vec<String> {
        let text = fs::read_to_string(self.data.join("postmaster.opts")).unwrap_or_default();
        let (program, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let mut all = vec![program.to_owned()];
        // Each argument stands in quotes, and a server's own never hold one.
        all.extend(rest.split('"').skip(1).step_by(2).map(str::to_owned));
        all
    }

    /// The folder of the server's programs.
    fn programs(&self) -> PathBuf {
        let known = self.started_with().into_iter().next().filter(|program| !program.is_empty());
        if let Some(folder) = known.as_deref().and_then(|program| Path::new(program).parent()) {
            return folder.to_owned();
        }
        let version = fs::read_to_string(self.data.join("PG_VERSION")).unwrap_or_default();
        PathBuf::from(format!("/usr/lib/postgresql/{}/bin", version.trim()))
    }

    fn program(&self, name: &str) -> String {
        self.programs().join(name).display().to_string()
    }

    /// The server of a folder, as the files in it say.
    pub(super) fn server(data: &Path) -> Server {
        let name = data.display().to_string();
        let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let line = |at: usize| lines.get(at).copied().unwrap_or_default();
        let pid = line(0).parse().ok().filter(|pid| Identity::of(*pid).is_some());
        // A number may be another's by now: a server works in its own folder.
        let here = |pid: u32| {
            let works = fs::read_link(format!("/proc/{pid}/cwd"));
            works.map_or(true, |works| works == data.canonicalize().unwrap_or(data.to_owned()))
        };
        let running = pid.is_some_and(here);
        let socket = line(4);
        let host = if socket.is_empty() { "127.0.0.1" } else { socket };
        let at = line(3).parse().ok().map(|port| (host.to_owned(), port)).filter(|_| running);
        Server { id: name.clone(), name, running, up: running, exit_code: None, at }
    }

    /// Starts the live server, or one beside it as the live one is started but for what would make
    /// them meet: nobody writes there, and it archives nothing.
    pub(super) async fn start(
        &self,
        data: &Path,
        place: &PostgresPlace,
        clock: &Clock,
    ) -> Result<(), Error> {
        if Self::server(data).running {
            return Ok(());
        }
        let what = format!("start the server in {}", data.display());
        if data == self.data {
            return self.done(&what, &self.start, START, clock).await;
        }
        let argv = [
            self.program("pg_ctl"),
            "start".to_owned(),
            "-W".to_owned(),
            "-D".to_owned(),
            data.display().to_string(),
            "-l".to_owned(),
            data.join(LOG).display().to_string(),
            "-o".to_owned(),
            self.beside_arguments(data, place)?,
        ];
        self.done(&what, &argv, START, clock).await?;
        // It is not waited for until it serves, only until it is there.
        let there = async {
            while !Self::server(data).running {
                clock.sleep(Duration::from_millis(100)).await;
            }
        };
        clock.timeout(COMES, there).await.map_err(|_| {
            let said = Self::said(data).pop().unwrap_or_else(|| "it said nothing".to_owned());
            Error::new(Kind::Rejected, format!("could not {what}: it ended: {}", fit(&said, 300)))
        })
    }

    /// The arguments of a server beside the live one, as `pg_ctl` takes them.
    fn beside_arguments(&self, data: &Path, place: &PostgresPlace) -> Result<String, Error> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.map_err(|e| Error::io("find", "a free port", &e))?.port();
        let socket = if place.host.starts_with('/') { place.host.as_str() } else { "/tmp" };
        let mut all = Vec::new();
        let mut given = self.started_with().into_iter().skip(1);
        while let Some(word) = given.next() {
            if word == "-D" {
                given.next();
            } else {
                all.push(word);
            }
        }
        let mut settings = vec![
            ("data_directory", data.display().to_string()),
            ("port", port.to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", socket.to_owned()),
            ("external_pid_file", String::new()),
            ("logging_collector", "off".to_owned()),
            ("log_destination", "stderr".to_owned()),
            ("archive_mode", "off".to_owned()),
            ("hot_standby", "on".to_owned()),
            ("primary_conninfo", String::new()),
            // Nobody is to write there before it is the live one, promoted or not.
            ("default_transaction_read_only", "on".to_owned()),
        ];
        // What a live server that is down had not given out yet.
        let own = self.data.join("pg_wal");
        if !Self::server(&self.data).running && own.is_dir() {
            let (fetch, own) = (self.fetch_words(data), own.display());
            let copy = format!("{fetch} || {{ test -f {own}/%f && cp {own}/%f %p; }}");
            settings.push(("restore_command", copy));
        }
        for (key, value) in settings {
            all.extend(["-c".to_owned(), format!("{key}={value}")]);
        }
        let quoted = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
        Ok(all.iter().map(quoted).collect::<Vec<_>>().join(" "))
    }

    /// Shuts a server down cleanly.
    pub(super) async fn stop(
        &self,
        data: &Path,
        limit: Duration,
        clock: &Clock,
    ) -> Result<(), Error> {
        if !Self::server(data).running {
            return Ok(());
        }
        let what = format!("stop the server in {}", data.display());
        if data == self.data {
            return self.done(&what, &self.stop, limit, clock).await;
        }
        let argv = [
            self.program("pg_ctl"),
            "stop".to_owned(),
            "-w".to_owned(),
            "-m".to_owned(),
            "fast".to_owned(),
            "-t".to_owned(),
            limit.as_secs().to_string(),
            "-D".to_owned(),
            data.display().to_string(),
        ];
        self.done(&what, &argv, limit + Duration::from_secs(10), clock).await
    }

    /// The server's own tool, as its owner, on its own socket: it may ask what an application's
    /// user may not.
    pub(super) fn psql(
        &self,
        data: &Path,
        database: &str,
        sql: &str,
    ) -> Result<Vec<String>, Error> {
        let server = Self::server(data);
        let (host, port) = server.at.ok_or_else(|| {
            let message = format!("could not ask the server in {}: it is down", data.display());
            Error::new(Kind::Refused, message)
        })?;
        let (port, user) = (port.to_string(), self.owner()?.name);
        let words = ["-X", "-q", "-A", "-t", "-w", "-F", "\t", "-v", "ON_ERROR_STOP=1"];
        let mut argv = vec![self.program("psql")];
        argv.extend(words.map(str::to_owned));
        let place = [("-h", &*host), ("-p", &*port), ("-U", &*user), ("-d", database), ("-c", sql)];
        argv.extend(place.iter().flat_map(|(key, value)| [*key, *value]).map(str::to_owned));
        Ok(argv)
    }

    /// What a server beside said last.
    pub(super) fn said(data: &Path) -> Vec<String> {
        let bytes = fs::read(data.join(LOG)).unwrap_or_default();
        let last = bytes.get(bytes.len().saturating_sub(16 * 1024)..).unwrap_or_default();
        let lines = last.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| SafeText::from_bytes(line).to_string()).collect()
    }
}
