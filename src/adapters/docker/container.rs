//! Containers: found by their labels, told whole, started and stopped.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerState, HealthStatusEnum};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, StopContainerOptionsBuilder,
    TopOptionsBuilder,
};

use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::text::SafeText;

use super::{CHANGE_LIMIT, DockerHost, LOOK_LIMIT, PROJECT, SERVICE};

/// What an engine says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its id: another container of the same name has another one.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// Its compose project.
    pub project: String,
    /// Its compose service.
    pub service: String,
    /// The image as it was asked for: `spacetime:v2.5.0`.
    pub image: String,
    /// The id of the image that it is made of: `sha256:…`.
    pub image_id: String,
    /// The engine's word for its state: `running`, `exited`.
    pub state: String,
    /// Whether it runs. True in a crash loop as well: see `restarting` and `restart_count`.
    pub running: bool,
    /// Whether it ended and waits to be started anew.
    pub restarting: bool,
    /// How often its restart policy started it anew.
    pub restart_count: i64,
    /// Whether it was killed for lack of memory.
    pub oom_killed: bool,
    /// How it ended last.
    pub exit_code: Option<i64>,
    /// The engine's word for its health; nothing without a health check.
    pub health: Option<String>,
    /// When it was made.
    pub created_at: Option<Time>,
    /// When it was started last.
    pub started_at: Option<Time>,
    /// When it ended last.
    pub finished_at: Option<Time>,
    /// Its first process on the host; 0 when it does not run.
    pub pid: i64,
    /// Its restart policy: `unless-stopped`.
    pub restart_policy: String,
    /// The version of the compose tool that made it.
    pub compose_version: Option<String>,
    /// The compose files that it was made from.
    pub config_files: Vec<PathBuf>,
    /// The folder that its project's relative paths start from.
    pub working_dir: Option<PathBuf>,
    /// All of its labels.
    pub labels: BTreeMap<String, String>,
    /// Its networks, by name.
    pub networks: BTreeMap<String, Endpoint>,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
    /// What it publishes.
    pub ports: Vec<Port>,
}

/// A container's place in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The names that it answers to there.
    pub aliases: Vec<String>,
    /// Its address there; empty when it does not run.
    pub address: String,
}

/// What is mounted into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// `volume` or `bind`.
    pub kind: String,
    /// The volume's name.
    pub volume: Option<String>,
    /// Where it lies on the host.
    pub source: PathBuf,
    /// Where it lies in the container.
    pub destination: PathBuf,
    /// Whether it may be written.
    pub writable: bool,
}

/// A published port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// In the container: `8080/tcp`.
    pub inside: String,
    /// The host's address.
    pub address: String,
    /// The host's port.
    pub port: u16,
}

/// What ran in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Top {
    /// The columns.
    pub titles: Vec<String>,
    /// The processes.
    pub processes: Vec<Vec<String>>,
}

impl Container {
    /// Whether it serves: it runs and does not wait to be started anew.
    pub fn is_up(&self) -> bool {
        self.running && !self.restarting
    }

    /// What changes when it is made or started anew.
    pub fn life(&self) -> String {
        let id: String = self.id.chars().take(12).collect();
        let started = self.started_at.map(|at| at.timestamp_micros()).unwrap_or_default();
        format!("{id}.{started}")
    }

    /// What an engine says, as its `inspect` prints it: a list of containers.
    #[cfg(test)]
    pub(crate) fn of_inspect(json: serde_json::Value) -> Vec<Self> {
        let said: Vec<ContainerInspectResponse> = serde_json::from_value(json).unwrap();
        said.into_iter().map(Self::from_inspect).collect()
    }

    fn from_inspect(said: ContainerInspectResponse) -> Self {
        let state = said.state.unwrap_or_default();
        let config = said.config.unwrap_or_default();
        let labels: BTreeMap<String, String> =
            config.labels.unwrap_or_default().into_iter().collect();
        let label = |name: &str| labels.get(name).cloned();
        let compose = |name: &str| label(&format!("com.docker.compose.{name}"));
        let files = compose("project.config_files").unwrap_or_default();
        let settings = said.network_settings.unwrap_or_default();
        let host = said.host_config.unwrap_or_default();
        let policy = host.restart_policy.and_then(|policy| policy.name);
        let mounts = said.mounts.unwrap_or_default().into_iter().map(mount).collect();
        Self {
            id: said.id.unwrap_or_default(),
            name: said.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            project: label(PROJECT).unwrap_or_default(),
            service: label(SERVICE).unwrap_or_default(),
            image: config.image.unwrap_or_default(),
            image_id: said.image.unwrap_or_default(),
            state: state.status.map(|status| status.to_string()).unwrap_or_default(),
            running: state.running.unwrap_or_default(),
            restarting: state.restarting.unwrap_or_default(),
            restart_count: said.restart_count.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
            exit_code: state.exit_code,
            health: health(&state),
            created_at: stamp(said.created.as_deref()),
            started_at: stamp(state.started_at.as_deref()),
            finished_at: stamp(state.finished_at.as_deref()),
            pid: state.pid.unwrap_or_default(),
            restart_policy: policy.map(|name| name.to_string()).unwrap_or_default(),
            compose_version: compose("version"),
            config_files: files.split(',').filter(|f| !f.is_empty()).map(PathBuf::from).collect(),
            working_dir: compose("project.working_dir").map(PathBuf::from),
            networks: settings.networks.unwrap_or_default().into_iter().map(endpoint).collect(),
            mounts,
            // One that does not run has none in use; it will publish what it was made with.
            ports: match ports(settings.ports.unwrap_or_default()) {
                used if used.is_empty() => ports(host.port_bindings.unwrap_or_default()),
                used => used,
            },
            labels,
        }
    }
}

fn health(state: &ContainerState) -> Option<String> {
    let status = state.health.as_ref()?.status?;
    let none = matches!(status, HealthStatusEnum::EMPTY | HealthStatusEnum::NONE);
    (!none).then(|| status.to_string())
}

/// A time as the engine writes it; year 1 is its word for never.
fn stamp(text: Option<&str>) -> Option<Time> {
    let at = chrono::DateTime::parse_from_rfc3339(text?).ok()?;
    (at.timestamp() > 0).then(|| at.to_utc())
}

fn endpoint((name, said): (String, bollard::models::EndpointSettings)) -> (String, Endpoint) {
    let aliases = said.aliases.unwrap_or_default();
    (name, Endpoint { aliases, address: said.ip_address.unwrap_or_default() })
}

fn mount(said: bollard::models::MountPoint) -> Mount {
    Mount {
        kind: said.typ.unwrap_or_default(),
        volume: said.name.filter(|name| !name.is_empty()),
        source: said.source.unwrap_or_default().into(),
        destination: said.destination.unwrap_or_default().into(),
        writable: said.rw.unwrap_or_default(),
    }
}

fn ports(said: HashMap<String, Option<Vec<bollard::models::PortBinding>>>) -> Vec<Port> {
    let all = said.into_iter().flat_map(|(inside, bindings)| {
        bindings.unwrap_or_default().into_iter().filter_map(move |binding| {
            let port = binding.host_port?.parse().ok().filter(|port| *port != 0)?;
            let address = binding.host_ip.unwrap_or_default();
            Some(Port { inside: inside.clone(), address, port })
        })
    });
    let mut all: Vec<Port> = all.collect();
    all.sort_by(|a, b| (&a.inside, &a.address, a.port).cmp(&(&b.inside, &b.address, b.port)));
    all
}

impl DockerHost {
    /// The containers of a compose project, running or not, by service and name; those of
    /// `compose run` are left out. With `service`, only its containers.
    pub async fn of_project(
        &self,
        project: &str,
        service: Option<&str>,
    ) -> Result<Vec<Container>, Error> {
        let what = format!("list the containers of project {}", SafeText::new(project));
        let mut labels = vec![format!("{PROJECT}={project}")];
        labels.extend(service.map(|service| format!("{SERVICE}={service}")));
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let docker = self.docker(&what).await?;
        let listed = self.ask(&what, LOOK_LIMIT, docker.list_containers(Some(options))).await?;
        let mut found = Vec::new();
        for one in listed {
            let labels = one.labels.unwrap_or_default();
            let oneoff = labels.get("com.docker.compose.oneoff");
            if oneoff.is_some_and(|word| word.eq_ignore_ascii_case("true")) {
                continue;
            }
            match self.container(&one.id.unwrap_or_default()).await {
                Ok(container) => found.push(container),
                // Removed between the two questions.
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
        Ok(found)
    }

    /// The compose projects that have containers, running or not, and how many.
    pub async fn projects(&self) -> Result<BTreeMap<String, usize>, Error> {
        let what = "list the compose projects";
        let filters = HashMap::from([("label".to_owned(), vec![PROJECT.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let docker = self.docker(what).await?;
        let listed = self.ask(what, LOOK_LIMIT, docker.list_containers(Some(options))).await?;
        let mut found = BTreeMap::new();
        for name in listed.into_iter().filter_map(|one| one.labels?.remove(PROJECT)) {
            *found.entry(name).or_default() += 1;
        }
        Ok(found)
    }

    /// The name of a container that publishes a port of this host; nothing where none does.
    pub async fn publishing(&self, port: u16) -> Result<Option<String>, Error> {
        let what = format!("look for who publishes port {port}");
        let filters = HashMap::from([("publish".to_owned(), vec![port.to_string()])]);
        let options = ListContainersOptionsBuilder::new().filters(&filters).build();
        let docker = self.docker(&what).await?;
        let listed = self.ask(&what, LOOK_LIMIT, docker.list_containers(Some(options))).await?;
        let name = listed.into_iter().find_map(|one| one.names?.into_iter().next());
        Ok(name.map(|name| name.trim_start_matches('/').to_owned()))
    }

    /// The one container of a service: a running one before others, of those the newest.
    /// [`Kind::NotFound`] when there is none, [`Kind::Rejected`] when several run.
    pub async fn of_service(&self, project: &str, service: &str) -> Result<Container, Error> {
        self.find_service(project, service).await?.ok_or_else(|| {
            let (project, service) = (SafeText::new(project), SafeText::new(service));
            let message = format!(
                "could not find service {service} of project {project}: no container has its labels"
            );
            Error::new(Kind::NotFound, message)
        })
    }

    /// The same; nothing when there is none, so that an engine that is away is told from it.
    pub async fn find_service(
        &self,
        project: &str,
        service: &str,
    ) -> Result<Option<Container>, Error> {
        let mut all = self.of_project(project, Some(service)).await?;
        let running: Vec<&str> =
            all.iter().filter(|one| one.running).map(|one| one.name.as_str()).collect();
        if running.len() > 1 {
            let message = format!(
                "could not find service {} of project {}: several containers run it ({})",
                SafeText::new(service),
                SafeText::new(project),
                SafeText::new(&running.join(", "))
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        all.sort_by_key(|one| (one.running, one.started_at));
        Ok(all.pop())
    }

    /// What the engine says of a container, by id or name.
    pub async fn container(&self, id: &str) -> Result<Container, Error> {
        let what = format!("look at container {}", SafeText::new(id));
        let docker = self.docker(&what).await?;
        let work = docker.inspect_container(id, None::<InspectContainerOptions>);
        Ok(Container::from_inspect(self.ask(&what, LOOK_LIMIT, work).await?))
    }

    /// All that the engine says of a container, its environment's values left out: names only.
    pub async fn inspected(&self, id: &str) -> Result<serde_json::Value, Error> {
        let what = format!("look at container {}", SafeText::new(id));
        let docker = self.docker(&what).await?;
        let work = docker.inspect_container(id, None::<InspectContainerOptions>);
        let mut said = self.ask(&what, LOOK_LIMIT, work).await?;
        if let Some(config) = &mut said.config {
            for pair in config.env.iter_mut().flatten() {
                let name = pair.split_once('=').map_or(pair.as_str(), |(name, _)| name);
                *pair = name.to_owned();
            }
        }
        serde_json::to_value(&said)
            .map_err(|error| Error::new(Kind::Reset, format!("could not {what}: {error}")))
    }

    /// What runs in a container.
    pub async fn top(&self, id: &str) -> Result<Top, Error> {
        self.top_with(id, "-ef").await
    }

    /// The same, with the columns that these arguments of `ps` name.
    pub async fn top_with(&self, id: &str, arguments: &str) -> Result<Top, Error> {
        let what = format!("list the processes of container {}", SafeText::new(id));
        let docker = self.docker(&what).await?;
        let options = TopOptionsBuilder::new().ps_args(arguments).build();
        let said = self.ask(&what, LOOK_LIMIT, docker.top_processes(id, Some(options))).await?;
        Ok(Top {
            titles: said.titles.unwrap_or_default(),
            processes: said.processes.unwrap_or_default(),
        })
    }

    /// Starts a container as it was; one that runs is left alone.
    pub async fn start(&self, id: &str) -> Result<(), Error> {
        let what = format!("start container {}", SafeText::new(id));
        let docker = self.docker(&what).await?;
        self.ask(&what, CHANGE_LIMIT, docker.start_container(id, None)).await
    }

    /// Ends a container's processes gracefully, killing after `grace`; the container is kept, and
    /// its restart policy does not bring it back. One that does not run is left alone.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<(), Error> {
        let what = format!("stop container {}", SafeText::new(id));
        let whole = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let seconds = i32::try_from(whole).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let docker = self.docker(&what).await?;
        let work = docker.stop_container(id, Some(options));
        self.ask(&what, grace + CHANGE_LIMIT, work).await
    }
}
