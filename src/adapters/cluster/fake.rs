//! A cluster in memory, for tests: objects with versions, and controllers that carry out at once
//! what a template asks for, or not at all while they are off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::adapters::Error;
use crate::adapters::kube::Kind;

mod calls;
mod control;
mod edit;

use edit::set;

/// What happens to the next change.
#[derive(Clone, Debug)]
pub struct Upset {
    /// What the caller is told.
    pub error: Error,
    /// Whether the change happens all the same.
    pub applies: bool,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<(Kind, String), Value>,
    version: i64,
    broken: BTreeSet<String>,
    upsets: Vec<Upset>,
    changes: Vec<String>,
    controllers: bool,
    rival: Option<Value>,
}

/// The cluster.
#[derive(Debug, Default)]
pub struct FakeCluster {
    state: Mutex<State>,
}

impl FakeCluster {
    /// An empty cluster whose controllers work.
    pub fn new() -> Arc<Self> {
        let fake = Self::default();
        fake.state().controllers = true;
        Arc::new(fake)
    }

    /// With deployment `web` at its second revision, of an image whose pods do not get ready.
    pub fn with_a_bad_deploy() -> Arc<Self> {
        let fake = Self::new();
        fake.state().broken.insert("app:v2".to_owned());
        fake.put(Kind::Deployment, deployment("web", "app:v1", 2));
        fake.roll("web", "app:v2");
        fake
    }

    /// Lays an object there, as somebody else would.
    pub fn put(&self, kind: Kind, mut object: Value) {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let name = name.to_owned();
        let mut state = self.state();
        state.version += 1;
        let version = state.version.to_string();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), json!(version));
            metadata.entry("uid").or_insert_with(|| json!(format!("uid-{name}")));
            metadata.entry("generation").or_insert_with(|| json!(1));
        }
        state.objects.insert((kind, name.clone()), object);
        state.control(kind, &name);
    }

    /// Takes an object away, as somebody else would.
    pub fn take(&self, kind: Kind, name: &str) {
        self.state().objects.remove(&(kind, name.to_owned()));
    }

    /// Gives a deployment another image, as a deploy would.
    pub fn roll(&self, name: &str, image: &str) {
        let mut state = self.state();
        let key = (Kind::Deployment, name.to_owned());
        if let Some(object) = state.objects.get_mut(&key) {
            set(object, "/spec/template/spec/containers/0/image", json!(image));
        }
        state.changed(&key);
        state.control(Kind::Deployment, name);
    }

    /// Changes what lies at a path of an object, as somebody else would.
    pub fn change(&self, kind: Kind, name: &str, pointer: &str, value: Value) {
        let mut state = self.state();
        let key = (kind, name.to_owned());
        if let Some(object) = state.objects.get_mut(&key) {
            set(object, pointer, value);
        }
        state.changed(&key);
        state.control(kind, name);
    }

    /// Orders what happens to the next change.
    pub fn upset(&self, error: Error, applies: bool) {
        self.state().upsets.push(Upset { error, applies });
    }

    /// Controllers work, or rest.
    pub fn controllers(&self, work: bool) {
        self.state().controllers = work;
    }

    /// From now on somebody puts this template back after every change of a deployment.
    pub fn rival(&self, template: Value) {
        self.state().rival = Some(template);
    }

    /// What was changed through the trait, in order: `patch deployment web`.
    pub fn changes(&self) -> Vec<String> {
        self.state().changes.clone()
    }

    /// What lies at a path of an object.
    pub fn at(&self, kind: Kind, name: &str, pointer: &str) -> Value {
        let state = self.state();
        let object = state.objects.get(&(kind, name.to_owned()));
        object.and_then(|object| object.pointer(pointer)).cloned().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A deployment of one container.
pub fn deployment(name: &str, image: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "annotations": {}, "labels": {}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": image}]},
            },
        },
        "status": {},
    })
}
