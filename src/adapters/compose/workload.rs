//! The project as what a rollback stops, starts and deploys.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::docker::Mount;
use crate::adapters::process::quoted;
use crate::adapters::{
    DeployOrder, Error, Kind, Release, Released, Worker, Workload, WorkloadState,
};
use crate::model::ids::{Color, Digest};
use crate::text::SafeText;

use super::{Compose, env_file};

#[async_trait]
impl Workload for Compose {
    async fn identity(&self) -> Result<String, Error> {
        let daemon = self.docker.daemon().await?;
        let mut lines = Vec::new();
        let mut folder = None;
        for service in self.settings.services.values() {
            let container = self.found(service).await?;
            let image = container.as_ref().map_or("-", |one| one.image_id.as_str());
            lines.push(format!("{service} {image}"));
            folder = folder.or_else(|| container.and_then(|one| one.working_dir));
        }
        let project = SafeText::new(&self.settings.project);
        let Some(folder) = folder else {
            let message = format!(
                "could not find a container of project {project} on {} ({})",
                daemon.name,
                self.docker.shown()
            );
            return Err(Error::new(Kind::NotFound, message));
        };
        let digest: String = Digest::of(lines.join("\n").as_bytes()).0.chars().take(12).collect();
        let (engine, folder) = (SafeText::new(&daemon.id), folder.display());
        Ok(format!("compose:{engine}/{project}:{folder}@{digest}"))
    }

    async fn look(&self, color: &Color) -> Result<WorkloadState, Error> {
        let Some(container) = self.found(self.service(color)?).await? else {
            let version = SafeText::default();
            let identity = "-".to_owned();
            return Ok(WorkloadState { running: false, kept: false, version, identity });
        };
        Ok(WorkloadState {
            running: container.is_up() && !container.loops(self.clock.now()),
            kept: true,
            version: container.version(),
            identity: container.life(),
        })
    }

    async fn stop(&self, color: &Color, grace: Duration, effect: &str) -> Result<SafeText, Error> {
        self.stop_service(self.service(color)?, grace, effect).await
    }

    async fn start(&self, color: &Color, effect: &str) -> Result<(), Error> {
        self.start_service(self.service(color)?, effect).await
    }

    async fn well(&self, color: &Color) -> Result<SafeText, Error> {
        self.all_well(color).await
    }

    async fn parts(&self) -> Result<Vec<SafeText>, Error> {
        self.all_parts().await
    }

    async fn diagnose(&self, color: &Color) -> Vec<SafeText> {
        self.reasons(color).await
    }

    async fn missing_tool(&self) -> Option<SafeText> {
        let found = self.maker(None).await;
        let missing = found.err().filter(|error| error.kind == Kind::NotFound);
        missing.map(|error| SafeText::new(&error.message))
    }

    fn keeps_logs(&self) -> bool {
        true
    }

    async fn preserve(&self, color: &Color, dir: &Path) -> Result<Vec<String>, Error> {
        let container = self.there(self.service(color)?, "preserve").await?;
        self.keep_traces(&container, dir).await
    }

    fn by_hand(&self, color: &Color, start: bool) -> String {
        match self.service(color) {
            Ok(service) => self.service_by_hand(service, start),
            Err(error) => format!("# {error}"),
        }
    }

    async fn workers(&self, color: &Color) -> Result<Vec<Worker>, Error> {
        let mut workers = Vec::new();
        for service in self.worker_services(color) {
            let running = self.found(service).await?.is_some_and(|one| one.running);
            workers.push(Worker { name: service.clone(), running });
        }
        Ok(workers)
    }

    async fn stop_workers(
        &self,
        color: &Color,
        grace: Duration,
        effect: &str,
    ) -> Result<SafeText, Error> {
        let mut notes = Vec::new();
        for service in self.worker_services(color) {
            if self.found(service).await?.is_some() {
                let note = self.stop_service(service, grace, effect).await?;
                notes.push(format!("{service} {note}"));
            }
        }
        Ok(SafeText::new(&notes.join(", ")))
    }

    async fn start_workers(&self, color: &Color, effect: &str) -> Result<(), Error> {
        for service in self.worker_services(color) {
            self.start_service(service, effect).await?;
        }
        Ok(())
    }

    fn workers_by_hand(&self, color: &Color, start: bool) -> Vec<String> {
        self.worker_services(color).map(|service| self.service_by_hand(service, start)).collect()
    }

    async fn releases(&self) -> Result<Vec<Release>, Error> {
        self.all_releases().await
    }

    async fn remember(&self, color: &Color) -> Result<(), Error> {
        let Some(name) = &self.settings.tag_variable else { return Ok(()) };
        let version = self.look(color).await?.version;
        env_file::put(&self.env_file(), name, version.as_str()).map(drop)
    }

    async fn remembers(&self, color: &Color) -> Result<bool, Error> {
        let Some(name) = &self.settings.tag_variable else { return Ok(true) };
        let version = self.look(color).await?.version;
        let said = env_file::get(&self.env_file(), name)?;
        Ok(said.is_some_and(|said| said == version.as_str()))
    }

    fn remember_by_hand(&self, color: &Color) -> Option<String> {
        let name = self.settings.tag_variable.as_ref()?;
        let file = quoted(&self.env_file().display().to_string());
        Some(format!("sed -i 's/^{name}=.*/{name}=VERSION_OF_{color}/' {file}"))
    }

    async fn repositories(&self) -> Vec<String> {
        self.own_repositories().await.unwrap_or_default().into_iter().collect()
    }

    async fn kept_at(&self, service: &str, inside: &str) -> Option<PathBuf> {
        let container = self.found(service).await.ok().flatten()?;
        let below = |mount: &&Mount| mount.writable && mount.destination.starts_with(inside);
        container.mounts.iter().find(below).map(|mount| mount.source.clone())
    }

    async fn make_volume(&self, like: &str, name: &str) -> Result<(), Error> {
        self.make_volume_like(like, name).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        match self.docker.remove_volume(name).await {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn released(&self, color: &Color) -> Result<Released, Error> {
        let Some(container) = self.found(self.service(color)?).await? else {
            return Ok(Released::default());
        };
        Ok(Released {
            version: container.version(),
            digest: container.image_digest(),
            since: container.created_at,
        })
    }

    async fn deploy(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        self.lay(order).await
    }
}
