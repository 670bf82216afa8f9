//! Where nginx runs: a service's container, or this host.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::adapters::docker::{
    Container, DockerHost, Exec, ExecInput, ExecOutput, PROJECT, SERVICE,
};
use crate::adapters::process::{Bounded, Identity, quoted};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::text::{SafeText, fit};

use super::host;
use super::upstream::Target;
use super::workers::Worker;

/// How long a command of nginx may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// The most that is kept of what it says, in bytes.
const SAID: u64 = 1024 * 1024;

/// Where nginx runs.
#[derive(Clone, Debug)]
pub enum NginxPlace {
    /// In the container of a compose service.
    Service {
        /// The engine.
        docker: DockerHost,
        /// The project.
        project: String,
        /// The service.
        service: String,
    },
    /// On this host.
    Host {
        /// Its program, such as `/usr/sbin/nginx`.
        binary: PathBuf,
    },
}

/// What a command said.
struct Said {
    code: i64,
    out: Vec<u8>,
    err: SafeText,
}

impl NginxPlace {
    async fn container(&self) -> Result<Option<Container>, Error> {
        match self {
            Self::Service { docker, project, service } => {
                docker.of_service(project, service).await.map(Some)
            }
            Self::Host { .. } => Ok(None),
        }
    }

    async fn run(&self, argv: &[&str], clock: &Clock) -> Result<Said, Error> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Service { docker, project, service } => {
                let container = docker.of_service(project, service).await?;
                let exec = Exec {
                    argv: &argv,
                    env: &[],
                    user: None,
                    input: ExecInput::Nothing,
                    output: ExecOutput::Kept(SAID),
                    limit: COMMAND_LIMIT,
                };
                let done = docker.exec(&container.id, &exec).await?;
                Ok(Said { code: done.code, out: done.stdout, err: done.stderr })
            }
            Self::Host { .. } => {
                let dir = Path::new("/");
                let bounded =
                    Bounded { argv: &argv, env: None, dir, limit: COMMAND_LIMIT, bytes: SAID };
                let done = bounded.run(clock).await?;
                let err = SafeText::from_bytes(done.stderr.trim_ascii_end());
                Ok(Said { code: done.code.map_or(-1, i64::from), out: done.stdout, err })
            }
        }
    }

    fn binary(&self) -> String {
        match self {
            Self::Service { .. } => "nginx".to_owned(),
            Self::Host { binary } => binary.display().to_string(),
        }
    }

    /// Asks nginx whether it would take its configuration; its words when it would not.
    pub(super) async fn test(&self, clock: &Clock) -> Result<(), Error> {
        let said = self.run(&[&self.binary(), "-t", "-q"], clock).await?;
        if said.code == 0 {
            return Ok(());
        }
        let words = fit(said.err.as_str(), 400);
        Err(Error::new(Kind::Rejected, format!("nginx refuses it: {words}")))
    }

    /// Has nginx load its configuration; the old workers end when their requests do.
    pub(super) async fn reload(&self, clock: &Clock) -> Result<(), Error> {
        let said = self.run(&[&self.binary(), "-s", "reload"], clock).await?;
        if said.code == 0 {
            return Ok(());
        }
        let words = fit(said.err.as_str(), 400);
        Err(Error::new(Kind::Local, format!("could not reload nginx: {words}")))
    }

    /// Lines of pid, parent, seconds, command line of its processes.
    pub(super) async fn processes(&self, clock: &Clock) -> Result<Vec<Vec<String>>, Error> {
        const ARGS: &str = "-eo pid,ppid,etimes,args";
        match self {
            Self::Service { docker, project, service } => {
                let container = docker.of_service(project, service).await?;
                Ok(docker.top_with(&container.id, ARGS).await?.processes)
            }
            Self::Host { .. } => {
                let all = host::processes()?;
                let ours = match host::masters(&all).as_slice() {
                    [] => return Ok(Vec::new()),
                    [only] => *only,
                    // Several on one host: the one whose file this program reads.
                    [first, ..] => self.master(clock).await.unwrap_or(*first),
                };
                Ok(all.iter().filter(|one| one.parent == ours).map(host::Process::line).collect())
            }
        }
    }

    /// The pid of this program's own nginx, as the file says that its configuration names.
    async fn master(&self, clock: &Clock) -> Option<u32> {
        let said = self.run(&[&self.binary(), "-T", "-q"], clock).await.ok()?;
        let text = String::from_utf8_lossy(&said.out).into_owned();
        let named =
            text.lines().find_map(|line| line.trim().strip_prefix("pid ")?.strip_suffix(';'));
        let file = named.unwrap_or("/run/nginx.pid").trim();
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    }

    /// The kernel's table of its connections.
    pub(super) async fn connections(&self, clock: &Clock) -> Result<String, Error> {
        let said = self.run(&["cat", "/proc/net/tcp"], clock).await?;
        if said.code == 0 {
            return Ok(String::from_utf8_lossy(&said.out).into_owned());
        }
        Err(Error::new(Kind::Local, "could not read nginx's connections: no /proc/net/tcp"))
    }

    /// The addresses of `targets`; nothing when one of them is not there.
    pub(super) async fn resolve(
        &self,
        targets: &[Target],
    ) -> Result<Option<BTreeSet<SocketAddrV4>>, Error> {
        let mut places = BTreeSet::new();
        let mut names = Vec::new();
        for target in targets {
            match target.host.parse::<Ipv4Addr>() {
                Ok(address) => {
                    places.insert(SocketAddrV4::new(address, target.port));
                }
                Err(_) => names.push(target),
            }
        }
        if names.is_empty() {
            return Ok(Some(places));
        }
        let (Self::Service { docker, project, .. }, Some(nginx)) = (self, self.container().await?)
        else {
            let found = host_names(&names).await;
            return Ok(found.map(|found| places.into_iter().chain(found).collect()));
        };
        let all = docker.of_project(project, None).await?;
        for target in names {
            let found = all.iter().filter(|one| one.running).find_map(|one| {
                one.networks.iter().find_map(|(network, endpoint)| {
                    let named = endpoint.aliases.contains(&target.host)
                        || one.service == target.host
                        || one.name == target.host;
                    let shared = nginx.networks.contains_key(network);
                    endpoint.address.parse::<Ipv4Addr>().ok().filter(|_| named && shared)
                })
            });
            let Some(address) = found else { return Ok(None) };
            places.insert(SocketAddrV4::new(address, target.port));
        }
        Ok(Some(places))
    }

    /// Refuses a file that is mounted alone: the container keeps the old one when it is replaced.
    pub(super) async fn check_mount(&self, path: &Path) -> Result<(), Error> {
        let Some(container) = self.container().await? else { return Ok(()) };
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !container.mounts.iter().any(|mount| mount.source == real) {
            return Ok(());
        }
        let message = format!(
            "could not replace {}: the container of nginx has this one file mounted and would keep the old one; mount its folder",
            path.display()
        );
        Err(Error::new(Kind::Rejected, message))
    }

    /// Ends old workers with what they still do; whether all of them are gone.
    pub(super) async fn end(&self, old: &[Worker], clock: &Clock) -> Result<bool, Error> {
        let container = self.container().await?;
        let mut asked = Vec::new();
        for worker in old {
            let Some(identity) = Identity::of(worker.pid) else { continue };
            // A pid of a container counts only where it is certain that it is this host's.
            let certain = container.as_ref().is_none_or(|container| {
                let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", identity.pid));
                groups.is_ok_and(|groups| groups.contains(&container.id))
            });
            if certain {
                identity.signal(Signal::TERM)?;
                asked.push(identity);
            }
        }
        let gone = async {
            while asked.iter().any(Identity::lives) {
                clock.sleep(super::LOOK_EVERY).await;
            }
        };
        let all = asked.len() == old.len();
        Ok(clock.timeout(COMMAND_LIMIT, gone).await.is_ok() && all)
    }

    /// How nginx is called by hand.
    pub(super) fn command(&self) -> String {
        match self {
            Self::Service { docker, project, service } => {
                let engine = docker.by_hand();
                let project = quoted(&format!("label={PROJECT}={project}"));
                let service = quoted(&format!("label={SERVICE}={service}"));
                format!(
                    "{engine} exec $({engine} ps -q --filter {project} --filter {service}) nginx"
                )
            }
            Self::Host { binary } => quoted(&binary.display().to_string()),
        }
    }
}

/// The host's own answer for names; nothing when one is not known.
async fn host_names(names: &[&Target]) -> Option<BTreeSet<SocketAddrV4>> {
    let mut places = BTreeSet::new();
    for target in names {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await.ok()?;
        places.extend(found.filter_map(|place| match place {
            std::net::SocketAddr::V4(place) => Some(place),
            std::net::SocketAddr::V6(_) => None,
        }));
    }
    Some(places)
}
