//! One workload behind one address: its only side is itself, there is no traffic to move, and what
//! can be gone back to are its own revisions.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::{
    Error, Kind as No, Release, Released, Traffic, TrafficState, Worker, Workload, WorkloadState,
};
use crate::model::hold::HoldPart;
use crate::model::ids::Color;
use crate::text::SafeText;

use super::{Cluster, Rollout, WorkloadName};

/// One workload of a cluster; what its revisions do not say, the platform does.
#[derive(Clone)]
pub struct OneDeployment {
    cluster: Arc<dyn Cluster>,
    name: WorkloadName,
    rest: Arc<dyn Workload>,
}

impl OneDeployment {
    /// The workload `name`, which is the only side of `rest`.
    pub fn new(cluster: Arc<dyn Cluster>, name: WorkloadName, rest: Arc<dyn Workload>) -> Self {
        Self { cluster, name, rest }
    }

    async fn rollout(&self) -> Result<Rollout, Error> {
        Rollout::look(&*self.cluster, &self.name).await
    }
}

#[async_trait]
impl Workload for OneDeployment {
    async fn identity(&self) -> Result<String, Error> {
        self.rest.identity().await
    }

    async fn look(&self, _color: &Color) -> Result<WorkloadState, Error> {
        let seen = self.rollout().await?;
        Ok(WorkloadState {
            running: seen.object.number("/status/readyReplicas").unwrap_or_default() > 0,
            kept: true,
            version: seen.version(),
            identity: format!("{} {}", self.name, seen.object.uid()),
        })
    }

    async fn stop(&self, color: &Color, grace: Duration, effect: &str) -> Result<SafeText, Error> {
        self.rest.stop(color, grace, effect).await
    }

    async fn start(&self, color: &Color, effect: &str) -> Result<(), Error> {
        self.rest.start(color, effect).await
    }

    async fn preserve(&self, color: &Color, dir: &Path) -> Result<Vec<String>, Error> {
        self.rest.preserve(color, dir).await
    }

    fn by_hand(&self, color: &Color, start: bool) -> String {
        self.rest.by_hand(color, start)
    }

    async fn workers(&self, color: &Color) -> Result<Vec<Worker>, Error> {
        self.rest.workers(color).await
    }

    async fn releases(&self) -> Result<Vec<Release>, Error> {
        let seen = self.rollout().await?;
        let kept = seen.revisions.iter().map(|one| Release {
            version: one.version(),
            digest: one.digest.clone(),
            schema: None,
            broken: None,
        });
        Ok(kept.collect())
    }

    async fn released(&self, _color: &Color) -> Result<Released, Error> {
        let seen = self.rollout().await?;
        Ok(Released {
            version: seen.version(),
            since: seen.current().and_then(|one| one.made_at),
            digest: Some(seen.digest),
        })
    }

    async fn missing_rights(&self) -> Result<Vec<SafeText>, Error> {
        self.rest.missing_rights().await
    }
}

/// Traffic that nothing moves: it goes to the only side there is.
#[derive(Clone, Debug)]
pub struct Fixed(Color);

impl Fixed {
    /// Traffic that goes to `color` always.
    pub fn new(color: Color) -> Self {
        Self(color)
    }
}

#[async_trait]
impl Traffic for Fixed {
    async fn look(&self) -> Result<TrafficState, Error> {
        let active = self.0.clone();
        Ok(TrafficState { active, in_flight: [].into(), effect: None, held: None })
    }

    async fn switch(&self, to: &Color, _effect: &str) -> Result<(), Error> {
        if *to == self.0 {
            return Ok(());
        }
        let message = format!("could not switch traffic to {to}: nothing moves it from {}", self.0);
        Err(Error::new(No::Rejected, message))
    }

    async fn drain(&self, _color: &Color, _deadline: Duration) -> Result<u32, Error> {
        Ok(0)
    }

    fn by_hand(&self, _to: &Color) -> String {
        format!("# traffic goes to {} always", self.0)
    }

    fn can_hold(&self, _part: HoldPart) -> bool {
        false
    }
}
