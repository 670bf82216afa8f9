//! A site as what runs: its only side is what users get, and what can be gone back to are the
//! versions that are kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::{Error, Kind, Release, Released, Workload, WorkloadState};
use crate::model::ids::{Color, Digest};
use crate::text::SafeText;

use super::Front;

/// A site.
#[derive(Clone)]
pub struct SiteWorkload(Arc<Front>);

impl SiteWorkload {
    /// The site of `front`.
    pub fn new(front: Arc<Front>) -> Self {
        Self(front)
    }

    async fn version(&self) -> Result<SafeText, Error> {
        Ok(self.0.site.live().await?.unwrap_or_default())
    }

    fn never(&self, verb: &str) -> Error {
        let place = self.0.site.place();
        let message = format!("could not {verb} {place}: objects are served, nothing runs there");
        Error::new(Kind::Rejected, message)
    }

    /// Its place and version, by name: what lies there is told by a listing, which a plan holds.
    fn digest(&self, version: &str) -> Digest {
        Digest::of(self.0.site.address(&self.0.site.prefix(version)).as_bytes())
    }
}

#[async_trait]
impl Workload for SiteWorkload {
    async fn identity(&self) -> Result<String, Error> {
        Ok(self.0.site.place())
    }

    async fn look(&self, _color: &Color) -> Result<WorkloadState, Error> {
        let identity = self.0.site.place();
        Ok(WorkloadState { running: true, kept: true, version: self.version().await?, identity })
    }

    async fn stop(&self, _color: &Color, _grace: Duration, _key: &str) -> Result<SafeText, Error> {
        Err(self.never("stop"))
    }

    async fn start(&self, _color: &Color, _effect: &str) -> Result<(), Error> {
        Err(self.never("start"))
    }

    async fn preserve(&self, _color: &Color, dir: &Path) -> Result<Vec<String>, Error> {
        let site = &self.0.site;
        let content = site.content(&site.settings().current).await?;
        let line = |one: &super::Object| format!("{}\t{}\t{}\n", one.key, one.size, one.tag);
        let text: String = content.objects.iter().map(line).collect();
        let path = dir.join("objects.tsv");
        std::fs::write(&path, text).map_err(|e| Error::io("write", path.display(), &e))?;
        Ok(vec!["objects.tsv".to_owned()])
    }

    fn by_hand(&self, _color: &Color, _start: bool) -> String {
        format!("# nothing runs at {}", self.0.site.place())
    }

    async fn releases(&self) -> Result<Vec<Release>, Error> {
        let versions = self.0.site.versions().await?;
        let release = |version: &String| Release {
            version: SafeText::new(version),
            digest: self.digest(version),
            schema: None,
            broken: None,
        };
        Ok(versions.iter().rev().map(release).collect())
    }

    async fn released(&self, _color: &Color) -> Result<Released, Error> {
        let version = self.version().await?;
        let digest = Some(self.digest(version.as_str()));
        Ok(Released { version, digest, since: None })
    }
}
