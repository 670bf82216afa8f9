//! Keeps two journals of one host off one engine: a lock of the host, named by the engine's id.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::adapters::fence_file::FenceFile;
use crate::adapters::{Error, Fence, FenceTake};
use crate::clock::Clock;
use crate::model::ids::RunId;

use super::DockerHost;

/// Where the locks of a host lie: gone with a restart, as the runs that took them.
const FOLDER: &str = "/run/lock";

/// The lock of one project of an engine.
#[derive(Debug)]
pub struct DockerFence {
    docker: DockerHost,
    project: String,
    clock: Clock,
    file: OnceCell<FenceFile>,
}

impl DockerFence {
    /// The lock of `project` on the engine; which one that is, is asked when it is first needed.
    pub fn new(docker: DockerHost, project: &str, clock: Clock) -> Self {
        Self { docker, project: project.to_owned(), clock, file: OnceCell::new() }
    }

    async fn file(&self) -> Result<&FenceFile, Error> {
        let find = async {
            let id: String = self.docker.daemon().await?.id;
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            let id: String = id.chars().map(plain).take(64).collect();
            let project: String = self.project.chars().map(plain).collect();
            let path = PathBuf::from(FOLDER).join(format!("backout-{project}-{id}.json"));
            Ok(FenceFile::new(path, self.clock.clone()))
        };
        self.file.get_or_try_init(|| find).await
    }
}

#[async_trait]
impl Fence for DockerFence {
    async fn take(&self, take: &FenceTake) -> Result<(), Error> {
        self.file().await?.take(take).await
    }

    async fn holder(&self) -> Result<Option<FenceTake>, Error> {
        self.file().await?.holder().await
    }

    async fn release(&self, run: &RunId) -> Result<(), Error> {
        self.file().await?.release(run).await
    }
}
