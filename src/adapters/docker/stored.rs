//! Images, volumes and networks.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bollard::models::{ContainerConfig, VolumeCreateRequest};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder,
};

use crate::adapters::Error;
use crate::text::SafeText;

use super::{CHANGE_LIMIT, DockerHost, LOOK_LIMIT, PROJECT};

/// An image that the engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Its id: `sha256:…`, over its configuration and layers.
    pub id: String,
    /// The names that point at it: `spacetime:v2.4.9`.
    pub tags: Vec<String>,
    /// Its names in registries: `host/name@sha256:…`.
    pub digests: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made, as the engine writes it; seconds since 1970 in a list.
    pub created: String,
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Where its files lie on the host.
    pub mountpoint: PathBuf,
    /// What keeps it: `local`.
    pub driver: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

fn sorted(labels: HashMap<String, String>) -> BTreeMap<String, String> {
    labels.into_iter().collect()
}

fn volume(said: bollard::models::Volume) -> Volume {
    Volume {
        name: said.name,
        mountpoint: said.mountpoint.into(),
        driver: said.driver,
        labels: sorted(said.labels),
    }
}

fn of_project(project: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{PROJECT}={project}")])])
}

impl DockerHost {
    /// The image that a name, a digest or an id points at now.
    pub async fn image(&self, name: &str) -> Result<Image, Error> {
        let what = format!("look at image {}", SafeText::new(name));
        let docker = self.docker(&what).await?;
        let said = self.ask(&what, LOOK_LIMIT, docker.inspect_image(name)).await?;
        let labels = said.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(Image {
            id: said.id.unwrap_or_default(),
            tags: said.repo_tags.unwrap_or_default(),
            digests: said.repo_digests.unwrap_or_default(),
            labels: sorted(labels),
            created: said.created.unwrap_or_default(),
        })
    }

    /// The images of a repository, such as `registry.local:5000/spacetime/godot`.
    pub async fn images(&self, repository: &str) -> Result<Vec<Image>, Error> {
        let what = format!("list the images of {}", SafeText::new(repository));
        let filters = HashMap::from([("reference".to_owned(), vec![repository.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let docker = self.docker(&what).await?;
        let listed = self.ask(&what, LOOK_LIMIT, docker.list_images(Some(options))).await?;
        let image = |said: bollard::models::ImageSummary| Image {
            id: said.id,
            tags: said.repo_tags,
            digests: said.repo_digests,
            labels: sorted(said.labels),
            created: said.created.to_string(),
        };
        let mut images: Vec<Image> = listed.into_iter().map(image).collect();
        images.sort_by(|a, b| (&b.created, &a.id).cmp(&(&a.created, &b.id)));
        Ok(images)
    }

    /// Keeps a container's files as the image `repository:tag`, the container paused meanwhile;
    /// its id. What lies in volumes is not in it.
    pub async fn commit(&self, id: &str, repository: &str, tag: &str) -> Result<String, Error> {
        let what = format!("keep container {} as an image", SafeText::new(id));
        let options = CommitContainerOptionsBuilder::new()
            .container(id)
            .repo(repository)
            .tag(tag)
            .pause(true)
            .build();
        let docker = self.docker(&what).await?;
        let work = docker.commit_container(options, ContainerConfig::default());
        Ok(self.ask(&what, CHANGE_LIMIT, work).await?.id)
    }

    /// A volume, by its name.
    pub async fn volume(&self, name: &str) -> Result<Volume, Error> {
        let what = format!("look at volume {}", SafeText::new(name));
        let docker = self.docker(&what).await?;
        Ok(volume(self.ask(&what, LOOK_LIMIT, docker.inspect_volume(name)).await?))
    }

    /// The volumes of a project, by name.
    pub async fn volumes(&self, project: &str) -> Result<Vec<Volume>, Error> {
        let what = format!("list the volumes of project {}", SafeText::new(project));
        let options = ListVolumesOptionsBuilder::new().filters(&of_project(project)).build();
        let docker = self.docker(&what).await?;
        let said = self.ask(&what, LOOK_LIMIT, docker.list_volumes(Some(options))).await?;
        let mut all: Vec<Volume> =
            said.volumes.unwrap_or_default().into_iter().map(volume).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Makes a volume with these labels. One of that name that is there already is left as it is,
    /// its labels too: the answer says which labels it has.
    pub async fn create_volume(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Volume, Error> {
        let what = format!("make volume {}", SafeText::new(name));
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        let docker = self.docker(&what).await?;
        Ok(volume(self.ask(&what, CHANGE_LIMIT, docker.create_volume(request)).await?))
    }

    /// Removes a volume and all that lies in it; refused while a container has it.
    pub async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        let what = format!("remove volume {}", SafeText::new(name));
        let options = RemoveVolumeOptionsBuilder::new().force(false).build();
        let docker = self.docker(&what).await?;
        self.ask(&what, CHANGE_LIMIT, docker.remove_volume(name, Some(options))).await
    }

    /// The networks of a project, by name.
    pub async fn networks(&self, project: &str) -> Result<Vec<Network>, Error> {
        let what = format!("list the networks of project {}", SafeText::new(project));
        let options = ListNetworksOptionsBuilder::new().filters(&of_project(project)).build();
        let docker = self.docker(&what).await?;
        let said = self.ask(&what, LOOK_LIMIT, docker.list_networks(Some(options))).await?;
        let network = |one: bollard::models::Network| Network {
            id: one.id.unwrap_or_default(),
            name: one.name.unwrap_or_default(),
            labels: sorted(one.labels.unwrap_or_default()),
        };
        let mut all: Vec<Network> = said.into_iter().map(network).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}
