//! Objects as values: what of one is its own, and what differs between two.

use serde_json::{Map, Value};

use crate::adapters::kube::Kind as Object;

/// What a server or its controllers write into an object.
const OF_THE_SERVER: [&str; 10] = [
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "ownerReferences",
    "finalizers",
    "deletionTimestamp",
    "namespace",
];
/// Annotations that tools and controllers keep for themselves.
const OF_TOOLS: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];
/// Our own annotations: a saved object does not know them.
const OURS: &str = "backout.io/";
/// Addresses are given by the cluster and cannot be changed.
const ADDRESSES: [&str; 5] =
    ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"];

/// What merged into `live` makes it `wanted`; a field that is not wanted becomes null.
pub(super) fn merge(live: &Value, wanted: &Value) -> Option<Value> {
    if live == wanted {
        return None;
    }
    let (Some(live), Some(to)) = (live.as_object(), wanted.as_object()) else {
        return Some(wanted.clone());
    };
    let mut fields: Map<String, Value> = to
        .iter()
        .filter_map(|(key, value)| match live.get(key) {
            None => Some((key.clone(), value.clone())),
            Some(now) => Some((key.clone(), merge(now, value)?)),
        })
        .collect();
    let gone = live.keys().filter(|key| !to.contains_key(*key));
    fields.extend(gone.map(|key| (key.clone(), Value::Null)));
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// A port of a node that the saved object does not name stays the one that it is.
pub(super) fn keep_ports(saved: &mut Value, live: &Value) {
    let known = live.pointer("/spec/ports").and_then(Value::as_array).cloned().unwrap_or_default();
    let ports = saved.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let same = known.iter().find(|one| one.get("port") == port.get("port"));
        if let Some(number) = same.and_then(|one| one.get("nodePort")) {
            port.entry("nodePort").or_insert_with(|| number.clone());
        }
    }
}

/// An object without what belongs to the server or to others.
pub(super) fn plain(mut object: Value, kind: Object, is_live: bool) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in OF_THE_SERVER {
            metadata.remove(key);
        }
        let mut empty = false;
        if let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            notes.retain(|key, _| !OF_TOOLS.contains(&key.as_str()) && !key.starts_with(OURS));
            empty = notes.is_empty();
        }
        if empty {
            metadata.remove("annotations");
        }
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        if kind == Object::Service {
            for key in ADDRESSES {
                spec.remove(key);
            }
        }
        if is_live && matches!(kind, Object::Deployment | Object::StatefulSet) {
            spec.remove("replicas");
        }
    }
    object
}

/// Paths at which two objects differ, with both values, without what the server writes.
pub(super) fn differences(live: &Value, wanted: &Value) -> Vec<(String, Value, Value)> {
    fn walk(at: &str, one: &Value, other: &Value, found: &mut Vec<(String, Value, Value)>) {
        if one == other {
            return;
        }
        if let (Some(a), Some(b)) = (one.as_object(), other.as_object()) {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let null = &Value::Null;
                walk(&path, a.get(key).unwrap_or(null), b.get(key).unwrap_or(null), found);
            }
        } else if let (Some(a), Some(b)) = (one.as_array(), other.as_array())
            && a.len() == b.len()
        {
            for (place, (one, other)) in a.iter().zip(b).enumerate() {
                walk(&format!("{at}.{place}"), one, other, found);
            }
        } else {
            found.push((at.to_owned(), one.clone(), other.clone()));
        }
    }
    let bare = |object: &Value| {
        let mut object = object.clone();
        if let Some(map) = object.as_object_mut() {
            map.remove("status");
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in OF_THE_SERVER {
                metadata.remove(key);
            }
        }
        object
    };
    let mut found = Vec::new();
    walk("", &bare(live), &bare(wanted), &mut found);
    found
}
