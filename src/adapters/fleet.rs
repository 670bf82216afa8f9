//! Services that go back one by one, by commands of the configuration, where no platform runs them
//! all (P-05, P-09): what they are together is who they are and where each says how it is.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::ids::{Color, Digest};
use crate::text::SafeText;

use super::{Error, Kind, Workload, WorkloadState};

/// Services without a platform. Nothing of them is started or stopped as a side of its own.
#[derive(Clone, Debug)]
pub struct Fleet(String);

impl Fleet {
    /// The name of the only side that there is.
    pub const SIDE: &str = "services";

    /// Of these instances: service, instance, and where it says how it is.
    pub fn new<'a>(instances: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let line = |(service, instance, address)| format!("{service} {instance} {address}\n");
        let all: String = instances.into_iter().map(line).collect();
        Self(format!("services:{}", Digest::of(all.as_bytes()).short()))
    }
}

fn never(verb: &str) -> Error {
    let message = format!(
        "could not {verb} the services as one: no platform runs them; each goes back by its own \
         command (--service NAME)"
    );
    Error::new(Kind::Rejected, message)
}

#[async_trait]
impl Workload for Fleet {
    async fn identity(&self) -> Result<String, Error> {
        Ok(self.0.clone())
    }

    async fn look(&self, _color: &Color) -> Result<WorkloadState, Error> {
        let identity = self.0.clone();
        Ok(WorkloadState { running: true, kept: true, version: SafeText::default(), identity })
    }

    async fn stop(&self, _color: &Color, _grace: Duration, _key: &str) -> Result<SafeText, Error> {
        Err(never("stop"))
    }

    async fn start(&self, _color: &Color, _effect: &str) -> Result<(), Error> {
        Err(never("start"))
    }

    async fn preserve(&self, _color: &Color, _dir: &Path) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    fn by_hand(&self, _color: &Color, _start: bool) -> String {
        "# each service goes back by its own command: backout plan --service NAME".to_owned()
    }

    async fn releases(&self) -> Result<Vec<super::Release>, Error> {
        Ok(Vec::new())
    }

    async fn released(&self, _color: &Color) -> Result<super::Released, Error> {
        Ok(super::Released { version: SafeText::default(), digest: None, since: None })
    }
}
