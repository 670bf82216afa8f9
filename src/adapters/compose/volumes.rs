//! Volumes beside those of a project.

use std::collections::BTreeMap;

use crate::adapters::docker::PROJECT;
use crate::adapters::{Error, Kind};

use super::Compose;

/// The label of a volume of ours: which one it lies beside.
const BESIDE: &str = "backout.beside";

impl Compose {
    /// Makes the volume `name` of the project, for what is restored or kept beside `like`. Only one
    /// that the engine keeps in a folder of this host can be filled and swapped by a rename.
    pub(super) async fn make_volume_like(&self, like: &str, name: &str) -> Result<(), Error> {
        let known = self.docker.volume(like).await?;
        if known.driver != "local" {
            let message = format!(
                "could not put a volume beside {like}: its driver is {}, only local ones can be \
                 swapped",
                known.driver
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        let labels = BTreeMap::from([
            (PROJECT.to_owned(), self.settings.project.clone()),
            (BESIDE.to_owned(), like.to_owned()),
        ]);
        self.docker.create_volume(name, &labels).await.map(drop)
    }
}
