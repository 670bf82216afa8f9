//! How many replicas a workload has, and who decides on it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adapters::Error;
use crate::adapters::kube::{Kind, Object, Patch, Write};

use super::{Cluster, ObjectName, WorkloadName, text, there};

/// The bounds of an autoscaler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// The fewest replicas.
    pub min: i64,
    /// The most.
    pub max: i64,
}

/// A workload's replicas as they were recorded, to be brought back to (W-51: each its own).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaled {
    /// Which.
    pub workload: WorkloadName,
    /// How many replicas it had; a plan records it.
    #[serde(default)]
    pub replicas: i64,
    /// The autoscaler that may change them, with the bounds it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<Autoscaler>,
}

impl Scaled {
    /// What it is now.
    pub async fn look(cluster: &dyn Cluster, workload: &WorkloadName) -> Result<Self, Error> {
        let object = there(cluster, &workload.object()).await?;
        let replicas = object.number("/spec/replicas").unwrap_or(1);
        let autoscaler = autoscaler_of(cluster, workload).await?;
        Ok(Self { workload: workload.clone(), replicas, autoscaler })
    }

    /// Sets the replicas, and the bounds where they are others by now.
    pub async fn put(&self, cluster: &dyn Cluster, replicas: i64) -> Result<(), Error> {
        if let Some(wanted) = &self.autoscaler {
            let now = autoscaler_of(cluster, &self.workload).await?;
            if now.as_ref() != Some(wanted) {
                let bounds =
                    json!({"spec": {"minReplicas": wanted.min, "maxReplicas": wanted.max}});
                let object = ObjectName::new(Kind::HorizontalPodAutoscaler, &wanted.name);
                cluster.patch(&object, &Patch::Merge(bounds), Write::default()).await?;
            }
        }
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        cluster.patch(&self.workload.object(), &patch, Write::default()).await?;
        Ok(())
    }
}

/// The autoscaler that decides on a workload's replicas, if there is one.
pub async fn autoscaler_of(
    cluster: &dyn Cluster,
    workload: &WorkloadName,
) -> Result<Option<Autoscaler>, Error> {
    let kind = workload.object().kind.resource().kind;
    let all = cluster.list(Kind::HorizontalPodAutoscaler, "").await?;
    let own = all.iter().find(|one| {
        one.text("/spec/scaleTargetRef/kind") == kind
            && one.text("/spec/scaleTargetRef/name") == workload.name()
    });
    Ok(own.map(|one| Autoscaler {
        name: one.name().to_owned(),
        min: one.number("/spec/minReplicas").unwrap_or(1),
        max: one.number("/spec/maxReplicas").unwrap_or(1),
    }))
}

/// The pods of a workload by its own selector (W-50), those on their way out too.
pub async fn pods_of(cluster: &dyn Cluster, object: &Object) -> Result<Vec<Object>, Error> {
    let labels = object.selector("/spec/selector").unwrap_or_default();
    let pods = cluster.list(Kind::Pod, &labels).await?;
    let sets: Vec<String> = if object.text("/kind") == "StatefulSet" {
        vec![object.uid().to_owned()]
    } else {
        let sets = cluster.list(Kind::ReplicaSet, &labels).await?;
        let own = sets.iter().filter(|one| one.controller() == Some(object.uid()));
        own.map(|one| one.uid().to_owned()).collect()
    };
    let ours = |pod: &Object| {
        let ended = matches!(text(pod.value(), "/status/phase"), "Succeeded" | "Failed");
        pod.controller().is_some_and(|uid| sets.iter().any(|set| set == uid)) && !ended
    };
    Ok(pods.into_iter().filter(ours).collect())
}
