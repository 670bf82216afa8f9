//! What the server and its controllers make of a change.

use serde_json::{Value, json};

use crate::adapters::cluster::{digest, images, template};
use crate::adapters::kube::Kind;

use super::edit::set;
use super::{State, Upset};

impl State {
    pub(super) fn changed(&mut self, key: &(Kind, String)) {
        self.version += 1;
        let version = self.version.to_string();
        if let Some(object) = self.objects.get_mut(key) {
            let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
            set(object, "/metadata/resourceVersion", json!(version));
            set(object, "/metadata/generation", json!(generation.unwrap_or_default() + 1));
        }
    }

    /// What the controllers make of a deployment: its replica set, its pods' counts, its status.
    pub(super) fn control(&mut self, kind: Kind, name: &str) {
        let key = (kind, name.to_owned());
        if kind != Kind::Deployment || !self.controllers {
            return;
        }
        let Some(object) = self.objects.get(&key).cloned() else { return };
        if object.pointer("/spec/paused") == Some(&json!(true)) {
            return;
        }
        let template = object.pointer("/spec/template").cloned().unwrap_or_default();
        let hash = digest(&template);
        let own = |object: &Value| {
            object.pointer("/metadata/ownerReferences/0/uid") == Some(&json!(format!("uid-{name}")))
        };
        let sets: Vec<String> = self
            .objects
            .iter()
            .filter(|((kind, _), object)| *kind == Kind::ReplicaSet && own(object))
            .map(|((_, name), _)| name.clone())
            .collect();
        let note = "/metadata/annotations/deployment.kubernetes.io~1revision";
        let number = |object: &Value| {
            let text = object.pointer(note).and_then(Value::as_str);
            text.and_then(|text| text.parse::<i64>().ok()).unwrap_or_default()
        };
        let newest = sets
            .iter()
            .filter_map(|set| self.objects.get(&(Kind::ReplicaSet, set.clone())))
            .map(number)
            .max()
            .unwrap_or_default();
        let set_name = format!("{name}-{}", hash.0.chars().take(8).collect::<String>());
        let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        let good = !images(&template).iter().any(|image| self.broken.contains(image.as_str()));
        let set_key = (Kind::ReplicaSet, set_name.clone());
        let known = self.objects.get(&set_key).map(number);
        let mine = known.filter(|mine| *mine == newest).unwrap_or(newest + 1);
        let mut labelled = template::plain(&template);
        set(&mut labelled, "/metadata/labels/pod-template-hash", json!(set_name));
        let made = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": set_name, "uid": format!("uid-{set_name}"),
                "creationTimestamp": "2026-11-22T12:00:00Z",
                "annotations": {"deployment.kubernetes.io/revision": mine.to_string()},
                "labels": {"app": name},
                "ownerReferences": [{"uid": format!("uid-{name}"), "controller": true}],
            },
            "spec": {"template": labelled},
            "status": {"readyReplicas": if good { wanted } else { 0 }},
        });
        self.objects.insert(set_key, made);
        if good {
            for set_name in sets.iter().filter(|one| **one != set_name) {
                if let Some(old) = self.objects.get_mut(&(Kind::ReplicaSet, set_name.clone())) {
                    set(old, "/status/readyReplicas", json!(0));
                }
            }
        }
        let generation = object.pointer("/metadata/generation").cloned().unwrap_or_default();
        if let Some(object) = self.objects.get_mut(&key) {
            let ready = if good { wanted } else { 0 };
            set(object, note, json!(mine.to_string()));
            let status = json!({
                "observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted,
                "readyReplicas": if good { wanted } else { 1 }, "availableReplicas": ready,
            });
            set(object, "/status", status);
        }
    }

    pub(super) fn write(&mut self, key: &(Kind, String), object: Value, dry_run: bool) -> Value {
        if dry_run {
            return object;
        }
        self.objects.insert(key.clone(), object);
        self.changed(key);
        self.control(key.0, &key.1);
        let answer = self.objects.get(key).cloned().unwrap_or_default();
        if let Some(rival) = self.rival.clone().filter(|_| key.0 == Kind::Deployment) {
            if let Some(object) = self.objects.get_mut(key) {
                set(object, "/spec/template", rival);
                set(
                    object,
                    "/metadata/managedFields",
                    json!([{
                        "manager": "argocd-controller", "time": "2026-11-22T12:00:03Z",
                        "fieldsV1": {"f:spec": {"f:template": {}}},
                    }]),
                );
            }
            self.changed(key);
            self.control(key.0, &key.1);
        }
        answer
    }

    /// What was ordered for this change: the error, and whether the change happens.
    pub(super) fn upset(&mut self, dry_run: bool) -> Option<Upset> {
        (!dry_run && !self.upsets.is_empty()).then(|| self.upsets.remove(0))
    }
}
