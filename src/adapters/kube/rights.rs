//! What we may do in a namespace: asked of the cluster itself, before anything begins.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::adapters::Error;
use crate::text::SafeText;

use super::{Kind, Kube};

/// Something that one must be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// What: `get`, `list`, `patch`, `create`, `delete`.
    pub verb: &'static str,
    /// With which kind of objects.
    pub kind: Kind,
    /// A part of the object that is asked for by itself: `log` of a pod.
    pub part: &'static str,
}

impl Right {
    /// The right to do `verb` with objects of `kind`.
    pub const fn new(verb: &'static str, kind: Kind) -> Self {
        Self { verb, kind, part: "" }
    }

    /// As rights are written: `patch deployments.apps`.
    pub fn words(&self) -> String {
        let resource = self.kind.resource();
        let part = if self.part.is_empty() { String::new() } else { format!("/{}", self.part) };
        let group =
            if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
        format!("{} {}{group}{part}", self.verb, resource.plural)
    }
}

/// What all steps need; the same as `config/kubernetes-role.yaml` gives. A plan needs less.
pub const NEEDED: [Right; 42] = [
    Right::new("get", Kind::Namespace),
    Right::new("get", Kind::Deployment),
    Right::new("list", Kind::Deployment),
    Right::new("create", Kind::Deployment),
    Right::new("patch", Kind::Deployment),
    Right::new("get", Kind::StatefulSet),
    Right::new("list", Kind::StatefulSet),
    Right::new("patch", Kind::StatefulSet),
    Right::new("list", Kind::ReplicaSet),
    Right::new("list", Kind::ControllerRevision),
    Right::new("list", Kind::Pod),
    Right::new("watch", Kind::Pod),
    Right::new("delete", Kind::Pod),
    Right { verb: "get", kind: Kind::Pod, part: "log" },
    Right::new("watch", Kind::Deployment),
    Right::new("list", Kind::Event),
    Right::new("get", Kind::Service),
    Right::new("list", Kind::Service),
    Right::new("create", Kind::Service),
    Right::new("patch", Kind::Service),
    Right::new("get", Kind::Endpoints),
    Right::new("get", Kind::Lease),
    Right::new("create", Kind::Lease),
    Right::new("patch", Kind::Lease),
    Right::new("list", Kind::HorizontalPodAutoscaler),
    Right::new("patch", Kind::HorizontalPodAutoscaler),
    Right::new("get", Kind::ConfigMap),
    Right::new("list", Kind::ConfigMap),
    Right::new("create", Kind::ConfigMap),
    Right::new("patch", Kind::ConfigMap),
    Right::new("get", Kind::Ingress),
    Right::new("list", Kind::Ingress),
    Right::new("create", Kind::Ingress),
    Right::new("patch", Kind::Ingress),
    Right::new("get", Kind::HttpRoute),
    Right::new("patch", Kind::HttpRoute),
    Right::new("get", Kind::ArgoRollout),
    Right::new("patch", Kind::ArgoRollout),
    Right { verb: "patch", kind: Kind::ArgoRollout, part: "status" },
    Right::new("get", Kind::Job),
    Right::new("create", Kind::Job),
    Right::new("patch", Kind::Job),
];

/// Rights that the cluster said we have, and when: they are asked for one by one, and cards are
/// made often. One that is missing is asked for again.
pub(super) type Allowed = Mutex<BTreeMap<(Right, String), Duration>>;

/// How long such an answer is believed.
const FOR: Duration = Duration::from_mins(1);

/// Which of `rights` we do not have, in words.
pub(super) async fn missing(kube: &Kube, rights: &[Right]) -> Result<Vec<SafeText>, Error> {
    let mut missing = Vec::new();
    let now = kube.clock.ticks();
    for right in rights {
        let key = (*right, kube.namespace().to_owned());
        let known = || kube.shared.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if known().get(&key).is_some_and(|since| now.saturating_sub(*since) < FOR) {
            continue;
        }
        let resource = right.kind.resource();
        let (namespace, name) = if resource.namespaced {
            (kube.namespace(), "")
        } else {
            // The one object outside the namespace that is asked for: who the cluster is.
            ("", "kube-system")
        };
        let review = json!({"spec": {"resourceAttributes": {
            "namespace": namespace, "verb": right.verb, "group": resource.group,
            "resource": resource.plural, "subresource": right.part, "name": name,
        }}});
        let said = kube.create(Kind::SelfSubjectAccessReview, &review, false).await?;
        if said.at("/status/allowed") == &serde_json::Value::Bool(true) {
            known().insert(key, now);
        } else {
            missing.push(SafeText::new(&right.words()));
        }
    }
    Ok(missing)
}
