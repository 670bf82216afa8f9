//! The adapters that a configuration asks for: built here and nowhere else.

use std::path::PathBuf;
use std::sync::Arc;

use crate::adapters::cache::Cache;
use crate::adapters::cluster::{Cluster, Fixed, OneDeployment, WorkloadName};
use crate::adapters::compose::{Compose, ComposeHosts, ComposeSettings};
use crate::adapters::database::Database;
use crate::adapters::docker::{DockerFence, DockerHost, DockerTools};
use crate::adapters::fence_file::FenceFile;
use crate::adapters::fleet::Fleet;
use crate::adapters::kube::{
    self, Kube, KubeFence, KubeParts, KubeTraffic, KubeTrafficSettings, KubeWorkload,
};
use crate::adapters::local::Local;
use crate::adapters::nginx::{ColorFile, Nginx, NginxPlace, NginxSettings};
use crate::adapters::objects::SiteWorkload;
use crate::adapters::postgres::cluster::{ClusterPlace, PostgresCluster};
use crate::adapters::postgres::tools::{HostTools, PgTools};
use crate::adapters::postgres::{ContainerTools, PostgresDatabase, PostgresPlace};
use crate::adapters::process::Program;
use crate::adapters::proxy::Proxy;
use crate::adapters::redis::{RedisService, RedisStore};
use crate::adapters::sqlite::SqliteDatabase;
use crate::adapters::writers::WritersInDatabase;
use crate::adapters::{Fence, Traffic, Workload};
use crate::clock::Clock;
use crate::config::{self, Config, Platform};

use super::Stack;

mod site;

pub use site::{front, vault};

impl Stack {
    /// The stack of a configuration, or nothing when it only looks.
    pub fn of(config: &Config, program: &Program, clock: &Clock) -> Option<Self> {
        let engine = engine(config, clock);
        let front = front(config, clock);
        let (workload, traffic) = match (&front, fleet(config)) {
            (None, Some(fleet)) => fleet,
            (Some(front), _) => {
                let site: Arc<dyn Workload> = Arc::new(SiteWorkload::new(Arc::clone(front)));
                (site, traffic(config, engine.as_ref(), clock)?)
            }
            (None, None) => (
                workload(config, program, engine.as_ref(), clock)?,
                traffic(config, engine.as_ref(), clock)?,
            ),
        };
        let database = database(config, clock);
        let traffic = WritersInDatabase::over(traffic, database.as_ref(), clock);
        Some(Self {
            workload,
            traffic,
            fence: fence(config, engine, clock),
            addresses: config
                .colors
                .iter()
                .map(|(color, address)| (color.clone(), address.url.clone()))
                .collect(),
            public_url: config
                .traffic
                .as_ref()
                .map_or_else(String::new, |traffic| traffic.public_url().to_owned()),
            program: program.clone(),
            database,
            cluster: cluster(config, clock).map(|kube| Arc::new(kube) as Arc<dyn Cluster>),
            cache: cache(config, clock),
            front,
            vault: vault(config, clock),
            redactor: Arc::new(config.redactor()),
        })
    }
}

/// Services that go back by commands of their own, where nothing else runs or is switched.
fn fleet(config: &Config) -> Option<(Arc<dyn Workload>, Arc<dyn Traffic>)> {
    if !matches!(config.platform, Platform::None) || config.traffic.is_some() {
        return None;
    }
    let by_command = config.services.iter().filter(|(_, service)| service.roll_back.is_some());
    let instances: Vec<_> = by_command
        .flat_map(|(name, service)| {
            let line = |(instance, address): (&'_ String, &'_ Option<String>)| {
                (name.clone(), instance.clone(), address.clone().unwrap_or_default())
            };
            service.instances.iter().map(line).collect::<Vec<_>>()
        })
        .collect();
    if instances.is_empty() {
        return None;
    }
    let all = instances.iter().map(|(service, one, at)| (&**service, &**one, &**at));
    Some((Arc::new(Fleet::new(all)), Arc::new(Fixed::new(Fleet::SIDE.into()))))
}

/// What runs the program; nothing where nothing is known of it.
fn workload(
    config: &Config,
    program: &Program,
    engine: Option<&DockerHost>,
    clock: &Clock,
) -> Option<Arc<dyn Workload>> {
    Some(match &config.platform {
        Platform::None | Platform::Frontend(_) => return None,
        Platform::Local { dir } => {
            Arc::new(Local::new(dir.clone(), program.clone(), clock.clone()))
        }
        Platform::Compose(project) => {
            let runs = config.state_dir.join("runs");
            let settings = compose(config, project);
            let on = |engine: DockerHost, runs: PathBuf| {
                Compose::new(engine, settings.clone(), program.clone(), runs, clock.clone())
            };
            if project.hosts.is_empty() {
                Arc::new(on(engine?.clone(), runs))
            } else {
                let mut hosts: Vec<(String, Arc<dyn Workload>)> = Vec::new();
                for (name, address) in &project.hosts {
                    let host = DockerHost::connect(Some(address), clock.clone()).ok()?;
                    // What a tool was begun for is told by its folder: each host has its own.
                    hosts.push((name.clone(), Arc::new(on(host, runs.join(name)))));
                }
                Arc::new(ComposeHosts::new(hosts))
            }
        }
        Platform::Kubernetes(at) => {
            let kube = cluster(config, clock)?;
            let rest = KubeWorkload::new(kube.clone(), parts(config), clock.clone());
            match &at.workload {
                Some(one) => {
                    Arc::new(OneDeployment::new(Arc::new(kube), one.name.clone(), Arc::new(rest)))
                }
                None => Arc::new(rest),
            }
        }
    })
}

/// What moves users from one side to another.
fn traffic(
    config: &Config,
    engine: Option<&DockerHost>,
    clock: &Clock,
) -> Option<Arc<dyn Traffic>> {
    Some(match config.traffic.as_ref()? {
        config::Traffic::Proxy { control_url, .. } => {
            Arc::new(Proxy::new(control_url, clock.clone()))
        }
        config::Traffic::Nginx(files) => {
            let settings = nginx(config, files, engine)?;
            Arc::new(Nginx::new(settings, clock.clone()))
        }
        config::Traffic::Fixed { .. } => Arc::new(Fixed::new(config.colors.keys().next()?.clone())),
        config::Traffic::Service(service) => {
            let settings = KubeTrafficSettings {
                service: service.name.clone(),
                key: service.selector_key.clone(),
                colors: config.colors.keys().cloned().collect(),
                public_url: service.public_url.clone(),
                overlap: service.overlap,
            };
            Arc::new(KubeTraffic::new(cluster(config, clock)?, settings, clock.clone()))
        }
    })
}

/// What keeps others away from the target: a file that is named, else what the platform has.
fn fence(config: &Config, engine: Option<DockerHost>, clock: &Clock) -> Option<Arc<dyn Fence>> {
    match (&config.fence, &config.platform) {
        (Some(path), _) => Some(Arc::new(FenceFile::new(path.clone(), clock.clone()))),
        (None, Platform::Compose(project)) => {
            Some(Arc::new(DockerFence::new(engine?, &project.project, clock.clone())))
        }
        (None, Platform::Kubernetes(at)) => {
            Some(Arc::new(KubeFence::new(cluster(config, clock)?, &at.lock)))
        }
        (None, Platform::None | Platform::Local { .. } | Platform::Frontend(_)) => None,
    }
}

/// The container engine of a configuration, where its platform has one.
fn engine(config: &Config, clock: &Clock) -> Option<DockerHost> {
    let Platform::Compose(project) = &config.platform else { return None };
    DockerHost::connect(project.engine.as_deref(), clock.clone()).ok()
}

/// The cluster of a configuration, where its platform is one. Nothing is asked yet.
pub fn cluster(config: &Config, clock: &Clock) -> Option<Kube> {
    let Platform::Kubernetes(at) = &config.platform else { return None };
    Some(Kube::new(at.settings.clone(), clock.clone()))
}

fn parts(config: &Config) -> KubeParts {
    let stateful = match &config.platform {
        Platform::Kubernetes(at) => {
            at.workload.as_ref().is_some_and(|one| matches!(one.name, WorkloadName::StatefulSet(_)))
        }
        Platform::None | Platform::Local { .. } | Platform::Compose(_) | Platform::Frontend(_) => {
            false
        }
    };
    let sides = || config.colors.iter();
    let canary = super::super::rollout::workload(config).and_then(|one| one.canary.as_ref());
    let canary = canary.and_then(|canary| canary.deployment.clone());
    KubeParts {
        deployments: sides()
            .filter_map(|(color, at)| Some((color.clone(), at.deployment.clone()?)))
            .chain(canary.map(|name| (name.as_str().into(), name)))
            .collect(),
        workers: sides().map(|(color, at)| (color.clone(), at.workers.clone())).collect(),
        rights: kube::NEEDED.to_vec(),
        stateful,
    }
}

/// Has the engine say where the volume of the data lies, where no folder is named for it. An engine
/// that does not answer leaves the usual place: it may be back when that is needed, and a folder
/// that is not there is said then.
pub fn place_volume(config: &mut Config, clock: &Clock) {
    let Some(volume) = config.backup.volume.as_ref().filter(|_| config.backup.usual_place) else {
        return;
    };
    if let Some(Ok(folder)) = engine(config, clock).map(|engine| engine.folder_of(volume)) {
        config.backup.data = Some(folder);
        config.backup.usual_place = false;
    }
}

/// The Compose project of a configuration, where its platform is one.
pub fn project(config: &Config, program: &Program, clock: &Clock) -> Option<Compose> {
    let Platform::Compose(project) = &config.platform else { return None };
    let (engine, runs) = (engine(config, clock)?, config.state_dir.join("runs"));
    let settings = compose(config, project);
    Some(Compose::new(engine, settings, program.clone(), runs, clock.clone()))
}

fn compose(config: &Config, project: &config::ComposeProject) -> ComposeSettings {
    let sides = || config.colors.iter();
    ComposeSettings {
        project: project.project.clone(),
        dir: project.dir.clone(),
        files: project.files.clone(),
        env_file: project.env_file.clone(),
        tag_variable: project.tag_variable.clone(),
        services: sides()
            .filter_map(|(color, at)| Some((color.clone(), at.service.clone()?)))
            .collect(),
        workers: sides().map(|(color, at)| (color.clone(), at.workers.clone())).collect(),
        points: config.restore_points.clone(),
        database: match &config.database {
            Some(config::Database::Postgres { service, .. }) => service.clone(),
            Some(config::Database::Sqlite { .. }) | None => None,
        },
    }
}

/// nginx where it runs; nothing where it is a service of a project that is not configured.
fn nginx(
    config: &Config,
    files: &config::NginxFiles,
    engine: Option<&DockerHost>,
) -> Option<NginxSettings> {
    let place = match (&files.service, &config.platform) {
        (Some(service), Platform::Compose(project)) => NginxPlace::Service {
            docker: engine?.clone(),
            project: project.project.clone(),
            service: service.clone(),
        },
        (
            Some(_),
            Platform::None
            | Platform::Local { .. }
            | Platform::Kubernetes(_)
            | Platform::Frontend(_),
        ) => {
            return None;
        }
        (None, _) => NginxPlace::Host { binary: PathBuf::from("/usr/sbin/nginx") },
    };
    let env_file = match &config.platform {
        Platform::Compose(project) => Some(project.env_file.clone()),
        Platform::None
        | Platform::Local { .. }
        | Platform::Kubernetes(_)
        | Platform::Frontend(_) => None,
    };
    Some(NginxSettings {
        place,
        include: files.include.clone(),
        colors: files
            .upstreams
            .iter()
            .map(|(color, path)| (color.clone(), ColorFile::File(path.clone())))
            .collect(),
        public_url: format!("{}/health", files.public_url),
        active: env_file.zip(files.active_variable.clone()),
        hold_include: files.page_include.clone(),
        page: None,
        writers_include: files.writers_include.clone(),
    })
}

/// The application's Redis of a configuration.
pub fn cache(config: &Config, clock: &Clock) -> Option<Arc<dyn Cache>> {
    let settings = config.redis.as_ref()?;
    let at = match (&settings.service, &config.platform) {
        (Some(service), Platform::Compose(project)) => Some(RedisService {
            docker: engine(config, clock)?,
            project: project.project.clone(),
            service: service.clone(),
        }),
        (None, _)
        | (
            Some(_),
            Platform::None
            | Platform::Local { .. }
            | Platform::Kubernetes(_)
            | Platform::Frontend(_),
        ) => None,
    };
    Some(Arc::new(RedisStore::new(settings.server.clone(), at, clock.clone())))
}

/// The application's database of a configuration.
pub fn database(config: &Config, clock: &Clock) -> Option<Arc<dyn Database>> {
    match config.database.as_ref()? {
        config::Database::Sqlite { path, .. } => Some(Arc::new(SqliteDatabase::new(path.clone()))),
        config::Database::Postgres { url, service, wal_archive, repository, .. } => {
            let place = PostgresPlace {
                connect: config.rollback.connection_timeout,
                ..PostgresPlace::parse(url.reveal()).ok()?
            };
            let tools: Arc<dyn PgTools> = match (service, &config.platform) {
                (Some(service), Platform::Compose(project)) => {
                    let tools = DockerTools::new(engine(config, clock)?, &project.project, service);
                    Arc::new(ContainerTools::new(tools, place.clone()))
                }
                (None, _)
                | (
                    Some(_),
                    Platform::None
                    | Platform::Local { .. }
                    | Platform::Kubernetes(_)
                    | Platform::Frontend(_),
                ) => Arc::new(HostTools::new(place.clone(), clock.clone())),
            };
            let plain = PostgresDatabase::new(place.clone(), tools, clock.clone());
            if let Some(host) = repository {
                let cluster = PostgresCluster::on_host(host.clone(), (place, plain), clock.clone());
                return Some(Arc::new(cluster));
            }
            let (Some(archive), Some(service), Platform::Compose(project)) =
                (wal_archive, service, &config.platform)
            else {
                return Some(Arc::new(plain));
            };
            let at = ClusterPlace {
                project: project.project.clone(),
                service: service.clone(),
                wal_archive: archive.clone(),
            };
            let engine = engine(config, clock)?;
            Some(Arc::new(PostgresCluster::new(engine, at, (place, plain), clock.clone())))
        }
    }
}
