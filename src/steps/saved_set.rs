//! Saved objects against the live ones: what would change, and how it is changed so that the live
//! object is afterwards what was saved, no more and no less. A field that was added since goes: an
//! apply alone would leave it, and call that restored (W-62).

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapters::cluster::{Cluster, ObjectName};
use crate::adapters::kube::{Kind as Object, Object as Seen, Patch, Write};
use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;
use crate::text::{SafeText, fit};

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
/// How often a change is tried anew: a controller writes a status at any moment.
const TRIES: u32 = 8;

/// A file of saved objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSet {
    /// Where.
    pub file: PathBuf,
    /// Over its bytes.
    pub sha256: Digest,
}

/// An object that a set made, and that goes when the set is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// As objects name it: `networking.k8s.io/v1`.
    pub api_version: String,
    /// `Ingress`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A saved object against the live one.
pub(super) struct Piece {
    pub(super) kind: Object,
    pub(super) name: String,
    /// As it was saved, without what belongs to the server or to others.
    saved: Value,
    /// Where the two differ: path, live, saved; nothing where they are the same.
    pub(super) differs: Vec<(String, Value, Value)>,
    pub(super) live: Option<Seen>,
}

enum Change {
    Nothing,
    Make,
    Merge(Value),
}

impl SavedSet {
    /// The file as it is now.
    pub fn of(file: PathBuf) -> Result<Self, Error> {
        let bytes = std::fs::read(&file).map_err(|e| Error::io("read", file.display(), &e))?;
        Ok(Self { sha256: Digest::of(&bytes), file })
    }

    pub(super) fn objects(&self) -> Result<Vec<Value>, Error> {
        let bytes =
            std::fs::read(&self.file).map_err(|e| Error::io("read", self.file.display(), &e))?;
        let no = |why: String| {
            let message = format!("could not read {}: {why}", self.file.display());
            Error::new(Kind::Rejected, message)
        };
        if Digest::of(&bytes) != self.sha256 {
            return Err(no("it was changed since the plan was made; make a new plan".to_owned()));
        }
        let mut found = Vec::new();
        for document in serde_yaml::Deserializer::from_slice(&bytes) {
            let value = Value::deserialize(document).map_err(|error| no(error.to_string()))?;
            match value.get("items").and_then(Value::as_array) {
                Some(items) => found.extend(items.iter().cloned()),
                None if value.is_null() => {}
                None => found.push(value),
            }
        }
        Ok(found)
    }

    /// Keeps what is live of `sets`, but secrets, in a file below `folder`, and names what is not there.
    pub async fn before(
        cluster: &dyn Cluster,
        sets: &[Self],
        folder: &Path,
    ) -> Result<(Self, Vec<Made>), Error> {
        let (mut live, mut made) = (Vec::new(), Vec::new());
        for piece in pieces(cluster, sets, false).await? {
            let resource = piece.kind.resource();
            match &piece.live {
                Some(seen) => {
                    let mut object = plain(seen.value().clone(), piece.kind, true);
                    if let Some(map) = object.as_object_mut() {
                        map.insert("apiVersion".to_owned(), json!(resource.api_version()));
                        map.insert("kind".to_owned(), json!(resource.kind));
                    }
                    live.push(object);
                }
                None => made.push(Made {
                    api_version: resource.api_version(),
                    kind: resource.kind.to_owned(),
                    name: piece.name,
                }),
            }
        }
        let bytes = json!({"apiVersion": "v1", "kind": "List", "items": live}).to_string();
        let sha256 = Digest::of(bytes.as_bytes());
        let name: String = sha256.0.chars().take(16).collect();
        let file = folder.join(format!("{name}.json"));
        let write = || {
            std::fs::create_dir_all(folder)?;
            let beside = file.with_extension("new");
            let mut options = std::fs::OpenOptions::new();
            let mut to =
                options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            to.write_all(bytes.as_bytes())?;
            to.sync_all()?;
            std::fs::rename(&beside, &file)
        };
        write().map_err(|e: std::io::Error| Error::io("write", file.display(), &e))?;
        Ok((Self { file, sha256 }, made))
    }
}

impl Made {
    /// The object, where its kind is spoken.
    pub(super) fn object(&self) -> Result<ObjectName, Error> {
        let kind = Object::of_object(&self.api_version, &self.kind).ok_or_else(|| {
            let message = format!("could not take {} {} away: not spoken", self.kind, self.name);
            Error::new(Kind::Rejected, message)
        })?;
        Ok(ObjectName::new(kind, &self.name))
    }
}

impl Piece {
    /// `ingress web (spec.rules: old -> saved)`; of a secret not even the keys.
    pub(super) fn words(&self) -> String {
        let value = |value: &Value| match value {
            Value::Null => "nothing".to_owned(),
            Value::String(text) => fit(SafeText::new(text).as_str(), 40),
            other => fit(SafeText::new(&other.to_string()).as_str(), 40),
        };
        let at = if self.kind == Object::Secret {
            "data".to_owned()
        } else if self.live.is_none() {
            "it is not there".to_owned()
        } else {
            let first = self.differs.iter().take(3);
            let words = first.map(|(at, one, to)| format!("{at}: {} -> {}", value(one), value(to)));
            let more = self.differs.len().saturating_sub(3);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("{}{more}", words.collect::<Vec<_>>().join(", "))
        };
        format!("{} {} ({at})", self.kind.word(), SafeText::new(&self.name))
    }

    /// Brings the live object to the saved one, whatever its controllers write meanwhile.
    pub(super) async fn put(&self, cluster: &dyn Cluster) -> Result<(), Error> {
        let object = ObjectName::new(self.kind, &self.name);
        let mut tried = 0;
        loop {
            let live = cluster.get(&object).await?;
            let done = match change(&self.saved, self.kind, live.as_ref()) {
                Change::Nothing => return Ok(()),
                Change::Make => cluster.apply(self.kind, &self.saved, false).await,
                Change::Merge(fields) => {
                    let version = live.as_ref().map(Seen::version);
                    let write = Write { version, ..Write::default() };
                    cluster.patch(&object, &Patch::Merge(fields), write).await
                }
            };
            tried += 1;
            match done {
                Err(error) if error.kind == Kind::Conflict && tried < TRIES => {}
                done => return done.map(|_| ()),
            }
        }
    }
}

/// Every object in order, each tried by the server: an error is one that it refuses.
pub(super) async fn pieces(
    cluster: &dyn Cluster,
    sets: &[SavedSet],
    secrets: bool,
) -> Result<Vec<Piece>, Error> {
    let mut pieces = Vec::new();
    for set in sets {
        for object in set.objects()? {
            let (kind, name) = named(cluster, set, &object)?;
            if kind == Object::Secret && !secrets {
                continue;
            }
            let at = ObjectName::new(kind, &name);
            let live = cluster.get(&at).await?;
            let mut saved = plain(object, kind, live.is_some());
            if let Some(metadata) = saved.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("name".to_owned(), json!(name));
            }
            let differs = match (change(&saved, kind, live.as_ref()), &live) {
                (Change::Merge(fields), Some(live)) => {
                    let trial = Write::default().dry_run();
                    let tried = cluster.patch(&at, &Patch::Merge(fields), trial).await?;
                    differences(live.value(), tried.value())
                }
                (Change::Make, _) => {
                    cluster.apply(kind, &saved, true).await?;
                    vec![(String::new(), Value::Null, Value::Null)]
                }
                (Change::Nothing | Change::Merge(_), _) => Vec::new(),
            };
            pieces.push(Piece { kind, name, saved, differs, live });
        }
    }
    pieces.sort_by_key(|piece| rank(piece.kind));
    Ok(pieces)
}

/// What a saved object is, and whether it may be brought back here at all.
fn named(cluster: &dyn Cluster, set: &SavedSet, object: &Value) -> Result<(Object, String), Error> {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let (api, word, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    let no = |why: String| {
        let file = set.file.display();
        Err(Error::new(Kind::Rejected, format!("could not apply {file}: {why}")))
    };
    let Some(kind) = Object::of_object(api, word) else {
        return no(format!("{word} of {api} is not spoken"));
    };
    let spoken = kind.resource().api_version();
    if api != spoken {
        return no(format!("{word} {name} is saved as {api}, spoken is {spoken}; save it anew"));
    }
    let place = text("/metadata/namespace");
    if !place.is_empty() && place != cluster.namespace() {
        let here = cluster.namespace();
        return no(format!("{word} {name} belongs to namespace {place}, not to {here}"));
    }
    Ok((kind, name.to_owned()))
}

/// The order of M-14: what others read comes first.
fn rank(kind: Object) -> usize {
    const FIRST: [Object; 3] = [Object::ConfigMap, Object::Secret, Object::Service];
    const LAST: [Object; 2] = [Object::Ingress, Object::HttpRoute];
    let first = FIRST.iter().position(|one| *one == kind);
    first.unwrap_or(FIRST.len() + usize::from(LAST.contains(&kind)))
}

/// How the live object becomes the saved one; what is not configuration is never written.
fn change(saved: &Value, kind: Object, live: Option<&Seen>) -> Change {
    let Some(live) = live else { return Change::Make };
    let live = plain(live.value().clone(), kind, true);
    let mut saved = plain(saved.clone(), kind, true);
    if kind == Object::Service {
        keep_ports(&mut saved, &live);
    }
    for key in ["apiVersion", "kind"] {
        if let (Some(map), Some(value)) = (saved.as_object_mut(), live.get(key)) {
            map.insert(key.to_owned(), value.clone());
        }
    }
    match merge(&live, &saved) {
        Some(fields) => Change::Merge(fields),
        None => Change::Nothing,
    }
}

/// What merged into `live` makes it `wanted`; a field that is not wanted becomes null.
fn merge(live: &Value, wanted: &Value) -> Option<Value> {
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
fn keep_ports(saved: &mut Value, live: &Value) {
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
fn plain(mut object: Value, kind: Object, is_live: bool) -> Value {
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
fn differences(live: &Value, wanted: &Value) -> Vec<(String, Value, Value)> {
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

#[cfg(test)]
mod tests;
