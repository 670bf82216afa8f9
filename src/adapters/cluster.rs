//! A cluster of Kubernetes as steps and plans need it: objects by kind and name, as JSON, with
//! every change bound to the version that was looked at. What is made of them (rollouts, scales,
//! owners) stands beside it, and works on the real cluster and on the one in memory alike.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::kube::{Kind, Object, Patch, Right, Write};
use crate::text::SafeText;

mod canary;
mod crash;
#[cfg(any(test, feature = "faults"))]
pub mod fake;
mod owners;
mod references;
mod rollout;
mod scale;
mod single;
mod template;

pub use canary::{Canary, Part};
pub use crash::{PodTrouble, changed_since, troubles};
pub use owners::{Owner, OwnerKind, set_frozen, sync_of};
pub use references::{Reference, missing};
pub use rollout::{Progress, Revision, Rollout, put_template, release_stuck};
pub use scale::{Autoscaler, Scaled, autoscaler_of, pods_of};
pub use single::{Fixed, OneDeployment};
pub use template::{digest, images, versions};

/// One object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// Of which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its namespace, where it is not the configured one.
    pub namespace: Option<String>,
}

impl ObjectName {
    /// An object of the configured namespace.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), namespace: None }
    }

    /// The same in that namespace.
    #[must_use]
    pub fn within(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// What steps and plans may do to a cluster. Every call has its own time limit; a change whose
/// answer did not come is [`super::Kind::TimedOut`] and may have happened, one that came too late
/// is [`super::Kind::Conflict`] and did not.
#[async_trait]
pub trait Cluster: Send + std::marker::Sync {
    /// What identifies the cluster and namespace: the UID of kube-system. A changed one is another
    /// plan.
    async fn identity(&self) -> Result<String, Error>;
    /// The namespace that unqualified names are in.
    fn namespace(&self) -> &str;
    /// How `kubectl` is told the same cluster and namespace.
    fn kubectl(&self) -> String;
    /// An object; none where it is not there.
    async fn get(&self, object: &ObjectName) -> Result<Option<Object>, Error>;
    /// All objects of a kind with these labels (`app=web,tier=front`; empty for all).
    async fn list(&self, kind: Kind, labels: &str) -> Result<Vec<Object>, Error>;
    /// Changes an object.
    async fn patch(
        &self,
        object: &ObjectName,
        patch: &Patch,
        write: Write<'_>,
    ) -> Result<Object, Error>;
    /// Makes an object; one of that name that is there already is a conflict.
    async fn create(&self, kind: Kind, body: &Value) -> Result<Object, Error>;
    /// Removes an object, only if it is still the one with this UID; whether there was one.
    async fn delete(&self, object: &ObjectName, uid: Option<&str>) -> Result<bool, Error>;
    /// Makes an object be what the body says (server-side apply), or only says what it would be.
    async fn apply(&self, kind: Kind, body: &Value, dry_run: bool) -> Result<Object, Error>;
    /// Waits until an object is no longer as it was read. Only a hint that saves looks: where it
    /// cannot be had, it does not end.
    async fn changed(&self, _of: &ObjectName, _object: &Object) {
        std::future::pending::<()>().await;
    }
    /// Which of these rights we do not have, in words.
    async fn missing_rights(&self, _rights: &[Right]) -> Result<Vec<SafeText>, Error> {
        Ok(Vec::new())
    }
    /// The last lines of a container's output; of the container before it where asked.
    async fn last_words(
        &self,
        pod: &str,
        container: &str,
        (previous, lines): (bool, u32),
    ) -> Result<String, Error>;
}

/// A workload with a template of pods, as people write it: `deployment/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WorkloadName {
    /// A deployment.
    Deployment(String),
    /// A stateful set.
    StatefulSet(String),
    /// A rollout of Argo Rollouts (M-07).
    Rollout(String),
}

impl WorkloadName {
    /// The name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Deployment(name) | Self::StatefulSet(name) | Self::Rollout(name) => name,
        }
    }

    /// `kubectl` and how it is told to do `verb` (`undo`, `status`, `resume`) with the rollout of
    /// this: the one of Argo Rollouts is a plugin's.
    pub fn rollout_by_hand(&self, kubectl: &str, verb: &str) -> String {
        match self {
            Self::Deployment(_) | Self::StatefulSet(_) => {
                format!("{kubectl} rollout {verb} {self}")
            }
            Self::Rollout(name) => format!("{kubectl} argo rollouts {verb} {name}"),
        }
    }

    /// The object.
    pub fn object(&self) -> ObjectName {
        let kind = match self {
            Self::Deployment(_) => Kind::Deployment,
            Self::StatefulSet(_) => Kind::StatefulSet,
            Self::Rollout(_) => Kind::ArgoRollout,
        };
        ObjectName::new(kind, self.name())
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployment(name) => write!(f, "deployment/{name}"),
            Self::StatefulSet(name) => write!(f, "statefulset/{name}"),
            Self::Rollout(name) => write!(f, "rollout/{name}"),
        }
    }
}

impl From<WorkloadName> for String {
    fn from(name: WorkloadName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for WorkloadName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((kind, name)) if !name.is_empty() => match kind {
                "deployment" | "deploy" => Ok(Self::Deployment(name.to_owned())),
                "statefulset" | "sts" => Ok(Self::StatefulSet(name.to_owned())),
                "rollout" => Ok(Self::Rollout(name.to_owned())),
                other => Err(format!("{other} has no rollouts: say deployment/NAME")),
            },
            Some(_) => Err(format!("{text} names nothing: say deployment/NAME")),
            None if text.is_empty() => Err("the workload has no name: say deployment/NAME".into()),
            None => Ok(Self::Deployment(text)),
        }
    }
}

/// The object, or an error that says where it was looked for.
pub async fn there(cluster: &dyn Cluster, object: &ObjectName) -> Result<Object, Error> {
    cluster.get(object).await?.ok_or_else(|| {
        let namespace = object.namespace.as_deref().unwrap_or_else(|| cluster.namespace());
        let message = format!("could not find {object} in namespace {namespace}: it is not there");
        Error::new(super::Kind::NotFound, message)
    })
}

/// A text inside an object, by its path; empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A moment as a server writes it.
pub(crate) fn moment(text: &str) -> Option<crate::model::ids::Time> {
    let read = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(read.to_utc())
}

/// A list inside an object, by its path; empty where there is none.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests;
