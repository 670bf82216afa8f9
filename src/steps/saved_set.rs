//! Saved objects against the live ones: what would change, and how it is changed so that the live
//! object is afterwards what was saved, no more and no less. A field that was added since goes: an
//! apply alone would leave it, and call that restored (W-62).

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapters::cluster::{Cluster, ObjectName};
use crate::adapters::kube::{Kind as Object, Object as Seen, Patch, Write};
use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;
use crate::text::{SafeText, fit};

use object::{differences, keep_ports, merge, plain};

mod object;

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
        let text = std::str::from_utf8(&bytes).map_err(|error| no(error.to_string()))?;
        for value in crate::yaml::all::<Value>(text).map_err(no)? {
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

#[cfg(test)]
mod tests;
