//! Who else keeps a workload as it is: Argo CD, Flux or Helm. The first two put back what they
//! hold to be right within minutes, so a rollback freezes them first.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapters::Error;
use crate::adapters::kube::{Kind, Object, Patch, Write};
use crate::text::SafeText;

use super::{Cluster, ObjectName, there};

/// Where Argo CD keeps its applications unless it says otherwise.
const ARGO_PLACE: &str = "argocd";

/// What kind of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// An application of Argo CD.
    Argo,
    /// A kustomization of Flux.
    FluxKustomization,
    /// A Helm release of Flux.
    FluxHelm,
    /// A Helm release: Helm changes things only when somebody runs it.
    Helm,
}

/// Somebody who keeps a workload as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// What.
    pub kind: OwnerKind,
    /// Its name.
    pub name: String,
    /// Where its own object lies.
    pub namespace: String,
}

impl Owner {
    /// Everybody that the labels and annotations of an object name.
    pub fn of(object: &Object) -> Vec<Self> {
        let mut found = Vec::new();
        let label = |name: &str| object.labels().get(name).map(|text| (*text).to_owned());
        let note = |name: &str| object.annotation(name).map(str::to_owned);
        let here = || object.namespace().to_owned();
        let mut add = |kind, name: String, namespace: String| {
            let owner = Self { kind, name, namespace };
            if !owner.name.is_empty() && !found.contains(&owner) {
                found.push(owner);
            }
        };
        if let Some(tracked) = note("argocd.argoproj.io/tracking-id") {
            let app = tracked.split(':').next().unwrap_or_default();
            let (place, name) = app.split_once('_').unwrap_or((ARGO_PLACE, app));
            add(OwnerKind::Argo, name.to_owned(), place.to_owned());
        } else if let Some(name) = label("argocd.argoproj.io/instance") {
            add(OwnerKind::Argo, name, ARGO_PLACE.to_owned());
        }
        for (prefix, kind) in [
            ("kustomize.toolkit.fluxcd.io", OwnerKind::FluxKustomization),
            ("helm.toolkit.fluxcd.io", OwnerKind::FluxHelm),
        ] {
            if let Some(name) = label(&format!("{prefix}/name")) {
                let place = label(&format!("{prefix}/namespace")).unwrap_or_else(here);
                add(kind, name, place);
            }
        }
        if label("app.kubernetes.io/managed-by").as_deref() == Some("Helm") {
            let name = note("meta.helm.sh/release-name").unwrap_or_default();
            add(OwnerKind::Helm, name, note("meta.helm.sh/release-namespace").unwrap_or_else(here));
        }
        found
    }

    /// `Argo CD application shop`.
    pub fn words(&self) -> SafeText {
        let kind = match self.kind {
            OwnerKind::Argo => "Argo CD application",
            OwnerKind::FluxKustomization => "Flux kustomization",
            OwnerKind::FluxHelm => "Flux Helm release",
            OwnerKind::Helm => "Helm release",
        };
        SafeText::new(&format!("{kind} {} in {}", self.name, self.namespace))
    }

    /// The object that says whether it acts by itself; none for plain Helm, which does not.
    pub fn object(&self) -> Option<ObjectName> {
        let kind = match self.kind {
            OwnerKind::Argo => Kind::ArgoApplication,
            OwnerKind::FluxKustomization => Kind::FluxKustomization,
            OwnerKind::FluxHelm => Kind::FluxHelmRelease,
            OwnerKind::Helm => return None,
        };
        Some(ObjectName::new(kind, &self.name).within(&self.namespace))
    }

    /// What is merged into its object so that it acts no more, or acts again as `was` says.
    pub fn change(&self, frozen: bool, was: &Value) -> Value {
        match self.kind {
            OwnerKind::Argo => {
                let automated = if frozen { &Value::Null } else { was };
                json!({"spec": {"syncPolicy": {"automated": automated}}})
            }
            OwnerKind::FluxKustomization | OwnerKind::FluxHelm => {
                json!({"spec": {"suspend": frozen}})
            }
            OwnerKind::Helm => Value::Null,
        }
    }

    /// The command by which a person would do that.
    pub fn by_hand(&self, frozen: bool, was: &Value) -> Option<SafeText> {
        let object = self.object()?;
        let resource = object.kind.resource();
        let line = format!(
            "kubectl -n {} patch {}.{} {} --type merge -p '{}'",
            self.namespace,
            resource.plural,
            resource.group,
            self.name,
            self.change(frozen, was)
        );
        Some(SafeText::new(&line))
    }
}

/// Whether an owner acts by itself, and the setting that says so, to be put back; none where it has
/// no object.
pub async fn sync_of(cluster: &dyn Cluster, owner: &Owner) -> Result<Option<(bool, Value)>, Error> {
    let Some(object) = owner.object() else { return Ok(None) };
    let Some(object) = cluster.get(&object).await? else { return Ok(None) };
    Ok(Some(match owner.kind {
        OwnerKind::Argo => {
            let automated = object.at("/spec/syncPolicy/automated").clone();
            (!automated.is_null(), automated)
        }
        OwnerKind::FluxKustomization | OwnerKind::FluxHelm | OwnerKind::Helm => {
            let suspended = object.at("/spec/suspend").as_bool().unwrap_or(false);
            (!suspended, Value::Bool(suspended))
        }
    }))
}

/// Keeps an owner from acting by itself, or lets it act again as it did.
pub async fn set_frozen(
    cluster: &dyn Cluster,
    owner: &Owner,
    (frozen, was): (bool, &Value),
) -> Result<(), Error> {
    let Some(object) = owner.object() else { return Ok(()) };
    let seen = there(cluster, &object).await?;
    let patch = Patch::Merge(owner.change(frozen, was));
    cluster.patch(&object, &patch, Write::unchanged(&seen)).await?;
    Ok(())
}
