//! A second container beside a service's: made of the same image with the same settings, but on
//! its own, in no network of the project and with nothing of it writable.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, Mount as MountOrder, MountType, PortBinding,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder,
};

use crate::adapters::Error;
use crate::text::SafeText;

use super::{CHANGE_LIMIT, DockerHost, LOOK_LIMIT};

/// A container to be made like another one.
#[derive(Clone, Debug)]
pub struct Beside<'a> {
    /// The other one's id.
    pub like: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its labels: none of the other one's are taken over.
    pub labels: BTreeMap<String, String>,
    /// What is added to the other one's command.
    pub arguments: Vec<String>,
    /// What is mounted beside what the other one has, or in its place, and whether it may be
    /// written: a volume's name or a path of the host, and where.
    pub mounts: Vec<(PathBuf, PathBuf, bool)>,
    /// What is published on the host's own address, at a port that the engine chooses.
    pub port: &'a str,
}

impl DockerHost {
    /// The value of a variable in a container's settings.
    pub async fn variable_of(&self, id: &str, name: &str) -> Result<Option<String>, Error> {
        let what = format!("look at container {}", SafeText::new(id));
        let docker = self.docker(&what).await?;
        let work = docker.inspect_container(id, None::<InspectContainerOptions>);
        let said = self.ask(&what, LOOK_LIMIT, work).await?;
        let all = said.config.and_then(|config| config.env).unwrap_or_default();
        let found = all.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        Ok(found.map(str::to_owned))
    }

    /// Makes a container beside another one and does not start it; its id. What the other one has
    /// mounted is mounted too, only to be read. It is never started anew by itself.
    pub async fn create_beside(&self, order: &Beside<'_>) -> Result<String, Error> {
        let what = format!("make container {}", SafeText::new(order.name));
        let docker = self.docker(&what).await?;
        let look = docker.inspect_container(order.like, None::<InspectContainerOptions>);
        let said = self.ask(&what, LOOK_LIMIT, look).await?;
        let config = said.config.unwrap_or_default();
        let host = said.host_config.unwrap_or_default();
        let mount = |source: &Path, target: &Path, writable: bool| MountOrder {
            typ: Some(if source.is_absolute() { MountType::BIND } else { MountType::VOLUME }),
            source: Some(source.display().to_string()),
            target: Some(target.display().to_string()),
            read_only: Some(!writable),
            ..MountOrder::default()
        };
        let replaced =
            |target: &str| order.mounts.iter().any(|(_, new, _)| new == Path::new(target));
        let kept = said.mounts.unwrap_or_default().into_iter().filter_map(|one| {
            let target = one.destination.filter(|target| !replaced(target))?;
            let source = one.name.filter(|name| !name.is_empty()).or(one.source)?;
            Some(mount(Path::new(&source), Path::new(&target), false))
        });
        let new = order.mounts.iter().map(|(from, to, writable)| mount(from, to, *writable));
        let mounts = kept.chain(new).collect();
        let binding =
            PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
        let command = config.cmd.unwrap_or_default().into_iter();
        let body = ContainerCreateBody {
            image: said.image.or(config.image),
            env: config.env,
            entrypoint: config.entrypoint,
            cmd: Some(command.chain(order.arguments.iter().cloned()).collect()),
            user: config.user,
            working_dir: config.working_dir,
            stop_signal: config.stop_signal,
            labels: Some(order.labels.clone().into_iter().collect()),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            exposed_ports: Some(vec![order.port.to_owned()]),
            host_config: Some(HostConfig {
                mounts: Some(mounts),
                shm_size: host.shm_size,
                memory: host.memory,
                port_bindings: Some(HashMap::from([(order.port.to_owned(), Some(vec![binding]))])),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(order.name).build();
        let made = docker.create_container(Some(options), body);
        Ok(self.ask(&what, CHANGE_LIMIT, made).await?.id)
    }

    /// Removes a container, ending it first; its volumes stay. One that is not there is no error.
    pub async fn remove_container(&self, id: &str) -> Result<(), Error> {
        let what = format!("remove container {}", SafeText::new(id));
        let docker = self.docker(&what).await?;
        let options = RemoveContainerOptionsBuilder::new().force(true).v(false).build();
        match self.ask(&what, CHANGE_LIMIT, docker.remove_container(id, Some(options))).await {
            Err(error) if error.kind == crate::adapters::Kind::NotFound => Ok(()),
            removed => removed,
        }
    }
}
