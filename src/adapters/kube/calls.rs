//! What is asked of the API server about objects.

use hyper::Method;
use serde_json::{Value, json};

use crate::adapters::{Error, Kind as No};
use crate::text::SafeText;

use super::{Call, Kind, Kube, MANAGER, Object};

/// How many objects come in one answer.
const PAGE: u32 = 250;
/// The most answers of one list: more objects than this many pages are not listed but refused.
const PAGES: u32 = 200;

/// What is to become of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// Its fields take the place of the object's; null removes one. A list is replaced as a whole.
    Merge(Value),
    /// Operations of a JSON patch, carried out together or not at all.
    Json(Vec<Value>),
}

/// Under which conditions an object is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Write<'a> {
    /// Only if it is still as it was read: [`Object::version`]. Else refused with `Conflict`.
    pub version: Option<&'a str>,
    /// Only tried by the server: everything is checked, nothing is stored.
    pub dry_run: bool,
    /// Of its status, which some kinds keep apart from the rest.
    pub status: bool,
}

/// Under which conditions an object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delete<'a> {
    /// Only the very one of this [`Object::uid`]. Another one of the same name is refused with `Conflict`.
    pub uid: Option<&'a str>,
    /// Seconds it gets to end by itself; without, what the object says.
    pub grace: Option<u32>,
    /// Whether it ends only after what it manages.
    pub after_its_own: bool,
    /// Only tried by the server.
    pub dry_run: bool,
}

impl<'a> Write<'a> {
    /// Only if it is still as `object` was read.
    pub fn unchanged(object: &'a Object) -> Self {
        Self { version: Some(object.version()), ..Self::default() }
    }

    /// Only tried by the server.
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }

    /// Of the object's status.
    #[must_use]
    pub fn of_status(self) -> Self {
        Self { status: true, ..self }
    }
}

impl Kube {
    /// The object of that name; nothing where there is none, or no such kind in this cluster.
    pub async fn get(&self, kind: Kind, name: &str) -> Result<Option<Object>, Error> {
        let what = self.words("get", kind, name);
        let path = self.path(&what, kind, name)?;
        let asked = Call { what: &what, method: Method::GET, path, body: None };
        match self.call(asked).await {
            Ok(bytes) => object(&what, &bytes).map(Some),
            Err(error) if error.kind == No::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The object of that name, which must be there.
    pub async fn must_get(&self, kind: Kind, name: &str) -> Result<Object, Error> {
        let found = self.get(kind, name).await?;
        found.ok_or_else(|| {
            let what = self.words("get", kind, name);
            Error::new(No::NotFound, format!("could not {what}: there is none"))
        })
    }

    /// The objects of a kind with these labels (`app=a,tier=b`; empty for all). Fails with
    /// `NotFound` where the cluster has no such kind.
    pub async fn list(&self, kind: Kind, labels: &str) -> Result<Vec<Object>, Error> {
        self.list_at(kind, labels, Object::new).await.map(|(objects, _)| objects)
    }

    /// The objects of a kind with these labels, each as `keep` leaves it, and the version the list
    /// was true at.
    pub(super) async fn list_at(
        &self,
        kind: Kind,
        labels: &str,
        keep: impl Fn(Value) -> Object + Send + Sync,
    ) -> Result<(Vec<Object>, String), Error> {
        let what = format!("list {}s in {}", kind.word(), self.namespace());
        let mut objects = Vec::new();
        let mut token = String::new();
        for _ in 0..PAGES {
            let query = asked_for(labels, &token);
            let path = format!("{}?{}", kind.path(self.namespace(), None), query);
            let asked = Call { what: &what, method: Method::GET, path, body: None };
            let mut page: Value = parsed(&what, &self.call(asked).await?)?;
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                objects.extend(items.into_iter().map(&keep));
            }
            let page = Object::new(page);
            token.clear();
            token.push_str(page.text("/metadata/continue"));
            if token.is_empty() {
                return Ok((objects, page.version().to_owned()));
            }
        }
        let most = PAGE * PAGES;
        Err(Error::new(No::Rejected, format!("could not {what}: there are more than {most}")))
    }

    /// Makes an object; one of the same name is refused with `Conflict`.
    pub async fn create(&self, kind: Kind, body: &Value, dry_run: bool) -> Result<Object, Error> {
        let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
        let what = self.words("make", kind, name);
        let path = format!("{}?{}", kind.path(self.namespace(), None), asked_as(dry_run, false));
        let bytes = bytes(&what, &complete(kind, body))?;
        let body = Some(("application/json", bytes));
        let answer = self.call(Call { what: &what, method: Method::POST, path, body }).await?;
        object(&what, &answer)
    }

    /// Changes an object that is there.
    pub async fn patch(
        &self,
        kind: Kind,
        name: &str,
        patch: &Patch,
        write: Write<'_>,
    ) -> Result<Object, Error> {
        let what = self.words("change", kind, name);
        let (media, body) = match patch {
            Patch::Merge(fields) => {
                let mut fields = fields.clone();
                if let (Some(version), Some(map)) = (write.version, fields.as_object_mut()) {
                    let metadata = map.entry("metadata").or_insert_with(|| json!({}));
                    if let Some(metadata) = metadata.as_object_mut() {
                        metadata.insert("resourceVersion".to_owned(), version.into());
                    }
                }
                ("application/merge-patch+json", fields)
            }
            Patch::Json(operations) => {
                let mut operations = operations.clone();
                // The server compares what a change says it was made for, whatever else it does.
                let version = write.version.map(|version| {
                    json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version})
                });
                operations.extend(version);
                ("application/json-patch+json", Value::Array(operations))
            }
        };
        let part = if write.status { "/status" } else { "" };
        let query = asked_as(write.dry_run, false);
        let path = format!("{}{part}?{query}", self.path(&what, kind, name)?);
        let body = Some((media, bytes(&what, &body)?));
        let answer = self.call(Call { what: &what, method: Method::PATCH, path, body }).await?;
        object(&what, &answer)
    }

    /// Makes an object as `body` says, or brings its fields to that: server-side apply under our
    /// name, taking over fields of others. `body` needs a name; `metadata.resourceVersion` in it
    /// is a condition, `metadata.managedFields` must not be there.
    pub async fn apply(&self, kind: Kind, body: &Value, dry_run: bool) -> Result<Object, Error> {
        let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
        let what = self.words("apply", kind, name);
        let path = format!("{}?{}", self.path(&what, kind, name)?, asked_as(dry_run, true));
        let bytes = bytes(&what, &complete(kind, body))?;
        // JSON is YAML.
        let body = Some(("application/apply-patch+yaml", bytes));
        let answer = self.call(Call { what: &what, method: Method::PATCH, path, body }).await?;
        object(&what, &answer)
    }

    /// Deletes an object; whether there was one. It may be there for a while on its way out
    /// ([`Object::is_going`]).
    pub async fn delete(&self, kind: Kind, name: &str, how: Delete<'_>) -> Result<bool, Error> {
        let what = self.words("delete", kind, name);
        let path = self.path(&what, kind, name)?;
        let propagation = if how.after_its_own { "Foreground" } else { "Background" };
        let mut options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation,
        });
        if let Some(map) = options.as_object_mut() {
            if let Some(uid) = how.uid {
                map.insert("preconditions".to_owned(), json!({ "uid": uid }));
            }
            if let Some(grace) = how.grace {
                map.insert("gracePeriodSeconds".to_owned(), grace.into());
            }
            if how.dry_run {
                map.insert("dryRun".to_owned(), json!(["All"]));
            }
        }
        let body = Some(("application/json", bytes(&what, &options)?));
        match self.call(Call { what: &what, method: Method::DELETE, path, body }).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == No::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `verb kind name in namespace`, for people.
    fn words(&self, verb: &str, kind: Kind, name: &str) -> String {
        let name = SafeText::new(name);
        if kind.resource().namespaced {
            format!("{verb} {} {name} in {}", kind.word(), self.namespace())
        } else {
            format!("{verb} {} {name}", kind.word())
        }
    }

    /// Where the object of that name lies. Refused: a name that would lead elsewhere.
    pub(super) fn path(&self, what: &str, kind: Kind, name: &str) -> Result<String, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
        let named =
            |name: &str| !name.is_empty() && name.chars().all(plain) && !name.contains("..");
        if named(name) && named(self.namespace()) {
            return Ok(kind.path(self.namespace(), Some(name)));
        }
        Err(Error::new(No::Rejected, format!("could not {what}: that is no name of an object")))
    }
}

/// The query of one page of a list.
fn asked_for(labels: &str, token: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(format!("limit={PAGE}"));
    for (key, value) in [("labelSelector", labels), ("continue", token)] {
        if !value.is_empty() {
            query.append_pair(key, value);
        }
    }
    query.finish()
}

/// The query of a change.
fn asked_as(dry_run: bool, force: bool) -> String {
    let mut query = format!("fieldManager={MANAGER}");
    if force {
        query.push_str("&force=true");
    }
    if dry_run {
        query.push_str("&dryRun=All");
    }
    query
}

/// `body` with what names its kind.
fn complete(kind: Kind, body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(map) = body.as_object_mut() {
        let resource = kind.resource();
        map.entry("apiVersion").or_insert_with(|| resource.api_version().into());
        map.entry("kind").or_insert_with(|| resource.kind.into());
    }
    body
}

fn bytes(what: &str, value: &Value) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value)
        .map_err(|error| Error::new(No::Local, format!("could not {what}: {error}")))
}

fn parsed(what: &str, bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(No::Reset, format!("could not {what}: the answer cannot be read: {error}"))
    })
}

fn object(what: &str, bytes: &[u8]) -> Result<Object, Error> {
    parsed(what, bytes).map(Object::new)
}
