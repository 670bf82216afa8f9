//! A compose project with a service per colour. Containers are found by the project's labels,
//! looked at and stopped through the engine; only a deploy calls the compose tool, always the one
//! that made the containers, for one service, and never with its dependencies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::model::ids::{Color, Digest};
use crate::text::SafeText;

use super::docker::{Container, DockerHost};
use super::process::Program;
use super::{Error, Kind};

mod deploy;
mod diagnose;
pub(crate) mod env_file;
mod hosts;
mod kept;
mod reach;
mod reference;
mod releases;
mod service;
mod tool;
mod volumes;
mod workload;

pub use hosts::ComposeHosts;
pub use reference::Reference;

/// A container that was started anew by its policy has to run for this long to count as running.
const SETTLED: chrono::Duration = chrono::Duration::seconds(10);

/// Which project, and what its services are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComposeSettings {
    /// The project's name, as in the containers' labels.
    pub project: String,
    /// The folder that its relative paths start from.
    pub dir: PathBuf,
    /// Its files, in order; relative ones are in `dir`.
    pub files: Vec<PathBuf>,
    /// Its file of variables; a relative one is in `dir`.
    pub env_file: PathBuf,
    /// The variable there that names the version.
    pub tag_variable: Option<String>,
    /// The service of each colour.
    pub services: BTreeMap<Color, String>,
    /// The services of each colour's workers and cron.
    pub workers: BTreeMap<Color, Vec<String>>,
    /// The folder of the restore points.
    pub points: Option<PathBuf>,
    /// The service of the database, where it is one of the project.
    pub database: Option<String>,
}

/// A compose project.
#[derive(Clone, Debug)]
pub struct Compose {
    docker: DockerHost,
    settings: ComposeSettings,
    program: Program,
    runs: PathBuf,
    tool: Option<Vec<String>>,
    /// The containers' names as last seen, for the commands by hand.
    names: Arc<Mutex<BTreeMap<String, String>>>,
    clock: Clock,
}

impl Container {
    /// Whether its restart policy starts it again and again: between two ends it reads as running,
    /// so only the count tells.
    pub fn loops(&self, now: crate::model::ids::Time) -> bool {
        let fresh = self.started_at.is_none_or(|at| now - at < SETTLED);
        self.restarting || (self.running && self.restart_count > 0 && fresh)
    }

    /// The version of what it runs: the tag of its image's name, else a label, else the image.
    pub fn version(&self) -> SafeText {
        let tag = Reference::parse(&self.image).and_then(|name| name.tag);
        let label = || self.labels.get("org.opencontainers.image.version").cloned();
        let image = || self.image_id.trim_start_matches("sha256:").chars().take(12).collect();
        SafeText::new(&tag.or_else(label).unwrap_or_else(image))
    }

    /// The digest of the image that it is made of.
    pub fn image_digest(&self) -> Option<Digest> {
        reference::hex(&self.image_id).map(Digest)
    }
}

impl Compose {
    /// The project `settings`, on the engine of `docker`. `program` runs the shim of the compose
    /// tool, whose slots are in `runs`.
    pub fn new(
        docker: DockerHost,
        settings: ComposeSettings,
        program: Program,
        runs: impl Into<PathBuf>,
        clock: Clock,
    ) -> Self {
        let (runs, names) = (runs.into(), Arc::default());
        Self { docker, settings, program, runs, tool: None, names, clock }
    }

    /// The same, with a compose tool of its own: `["/opt/docker-compose"]`. It is used where it is
    /// of the version that made the containers.
    #[must_use]
    pub fn tool(mut self, argv: Vec<String>) -> Self {
        self.tool = Some(argv);
        self
    }

    fn in_dir(&self, path: &Path) -> PathBuf {
        self.settings.dir.join(path)
    }

    fn env_file(&self) -> PathBuf {
        self.in_dir(&self.settings.env_file)
    }

    fn service(&self, color: &Color) -> Result<&str, Error> {
        let found = self.settings.services.get(color).map(String::as_str);
        found.ok_or_else(|| {
            let project = SafeText::new(&self.settings.project);
            let color = SafeText::new(color.as_str());
            let message = format!("could not find {color}: no service of {project} is that colour");
            Error::new(Kind::NotFound, message)
        })
    }

    /// The container of a service; nothing when there is none.
    async fn found(&self, service: &str) -> Result<Option<Container>, Error> {
        let found = self.docker.find_service(&self.settings.project, service).await?;
        if let Some(container) = &found {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.insert(service.to_owned(), container.name.clone());
        }
        Ok(found)
    }

    async fn there(&self, service: &str, verb: &str) -> Result<Container, Error> {
        self.found(service).await?.ok_or_else(|| {
            let project = &self.settings.project;
            let message = format!(
                "could not {verb} {}: no container of project {} has its labels; deploy it",
                SafeText::new(service),
                SafeText::new(project)
            );
            Error::new(Kind::NotFound, message)
        })
    }

    fn worker_services(&self, color: &Color) -> impl Iterator<Item = &String> {
        self.settings.workers.get(color).into_iter().flatten()
    }
}
