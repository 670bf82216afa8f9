//! What a template names and needs: a rolled-back one may name what was removed since (a hashed
//! config map, a key of a secret), and its pods would never start.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Cluster, ObjectName, items, text};
use crate::adapters::kube::{Kind, Object};
use crate::adapters::{Error, Kind as No};

/// Something that a template names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// What.
    pub object: ObjectName,
    /// The key inside it, where one is named.
    pub key: Option<String>,
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{} key {key}", self.object),
            None => write!(f, "{}", self.object),
        }
    }
}

/// Everything that a template needs to be there; what it calls optional is left out.
pub(super) fn of(template: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut add = |kind: Kind, name: &str, key: Option<&str>| {
        if !name.is_empty() {
            let object = ObjectName::new(kind, name);
            found.push(Reference { object, key: key.map(str::to_owned) });
        }
    };
    let optional = |at: &Value| at.get("optional").and_then(Value::as_bool).unwrap_or(false);
    let containers = items(template, "/spec/containers");
    for container in containers.chain(items(template, "/spec/initContainers")) {
        for from in items(container, "/envFrom") {
            for (place, kind) in [("/configMapRef", Kind::ConfigMap), ("/secretRef", Kind::Secret)]
            {
                if let Some(at) = from.pointer(place).filter(|at| !optional(at)) {
                    add(kind, text(at, "/name"), None);
                }
            }
        }
        for variable in items(container, "/env") {
            for (place, kind) in [
                ("/valueFrom/configMapKeyRef", Kind::ConfigMap),
                ("/valueFrom/secretKeyRef", Kind::Secret),
            ] {
                if let Some(at) = variable.pointer(place).filter(|at| !optional(at)) {
                    add(kind, text(at, "/name"), Some(text(at, "/key")));
                }
            }
        }
    }
    for volume in items(template, "/spec/volumes") {
        add(Kind::PersistentVolumeClaim, text(volume, "/persistentVolumeClaim/claimName"), None);
        let projected = items(volume, "/projected/sources");
        for source in projected.chain(std::iter::once(volume)) {
            if let Some(at) = source.pointer("/configMap").filter(|at| !optional(at)) {
                add(Kind::ConfigMap, text(at, "/name"), None);
                for item in items(at, "/items") {
                    add(Kind::ConfigMap, text(at, "/name"), Some(text(item, "/key")));
                }
            }
            if let Some(at) = source.pointer("/secret").filter(|at| !optional(at)) {
                let name = match text(at, "/secretName") {
                    "" => text(at, "/name"),
                    name => name,
                };
                add(Kind::Secret, name, None);
                for item in items(at, "/items") {
                    add(Kind::Secret, name, Some(text(item, "/key")));
                }
            }
        }
    }
    for pull in items(template, "/spec/imagePullSecrets") {
        add(Kind::Secret, text(pull, "/name"), None);
    }
    add(Kind::ServiceAccount, text(template, "/spec/serviceAccountName"), None);
    found.sort();
    found.dedup();
    found
}

/// What of a template's needs is not there, and what could not be looked at, each with why. Values
/// of secrets are never kept.
pub async fn missing(
    cluster: &dyn Cluster,
    template: &Value,
) -> Result<(Vec<Reference>, Vec<String>), Error> {
    let mut seen: BTreeMap<ObjectName, Option<Vec<String>>> = BTreeMap::new();
    let (mut gone, mut hidden) = (Vec::new(), Vec::new());
    for wanted in of(template) {
        if !seen.contains_key(&wanted.object) {
            let keys = match cluster.get(&wanted.object).await {
                Ok(found) => found.map(|found| keys(&found)),
                Err(error) if error.kind == No::Denied => {
                    hidden.push(error.message);
                    // Not known is not missing, and it is said.
                    Some(vec!["*".to_owned()])
                }
                Err(error) => return Err(error),
            };
            seen.insert(wanted.object.clone(), keys);
        }
        let found = seen.get(&wanted.object).and_then(Option::as_ref);
        let there = found.is_some_and(|keys| {
            let has = |key: &String| keys.iter().any(|one| one == key || one == "*");
            wanted.key.as_ref().is_none_or(has)
        });
        if !there && !gone.iter().any(|one: &Reference| one.object == wanted.object) {
            gone.push(wanted);
        }
    }
    Ok((gone, hidden))
}

fn keys(object: &Object) -> Vec<String> {
    let tables =
        ["data", "binaryData"].into_iter().filter_map(|name| object.value().get(name)?.as_object());
    tables.flat_map(|table| table.keys().cloned()).collect()
}
