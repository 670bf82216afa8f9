//! The cluster in memory, asked as a real one.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::adapters::cluster::{Cluster, ObjectName};
use crate::adapters::kube::{Kind, Object, Patch, Write};
use crate::adapters::{Error, Kind as No};

use super::FakeCluster;
use super::edit::{merge, set};

fn gone(object: &ObjectName) -> Error {
    Error::new(No::NotFound, format!("could not change {object}: there is none"))
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn identity(&self) -> Result<String, Error> {
        Ok("kubernetes uid-kube-system/shop".to_owned())
    }

    fn namespace(&self) -> &'static str {
        "shop"
    }

    fn kubectl(&self) -> String {
        "kubectl -n shop".to_owned()
    }

    async fn get(&self, object: &ObjectName) -> Result<Option<Object>, Error> {
        let found = self.state().objects.get(&(object.kind, object.name.clone())).cloned();
        Ok(found.map(Object::new))
    }

    async fn list(&self, kind: Kind, labels: &str) -> Result<Vec<Object>, Error> {
        let state = self.state();
        let all = state.objects.iter().filter(|((of, _), _)| *of == kind);
        let all = all.map(|(_, object)| Object::new(object.clone()));
        Ok(all
            .filter(|object| {
                let has = object.labels();
                labels.split(',').filter(|one| !one.is_empty()).all(|one| {
                    one.split_once('=').is_some_and(|(key, value)| has.get(key) == Some(&value))
                })
            })
            .collect())
    }

    async fn patch(
        &self,
        object: &ObjectName,
        patch: &Patch,
        write: Write<'_>,
    ) -> Result<Object, Error> {
        let mut state = self.state();
        let key = (object.kind, object.name.clone());
        let mut changed = state.objects.get(&key).cloned().ok_or_else(|| gone(object))?;
        let there = changed.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        if write.version.is_some_and(|version| there != Some(version)) {
            let message = format!("could not change {object}: it was changed meanwhile");
            return Err(Error::new(No::Conflict, message));
        }
        match patch {
            Patch::Merge(changes) => merge(&mut changed, changes),
            Patch::Json(operations) => {
                for one in operations {
                    let word = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
                    let value = one.get("value").cloned().unwrap_or_default();
                    if word("op") == "test" {
                        if changed.pointer(word("path")) != Some(&value) {
                            let message = format!("could not change {object}: the test failed");
                            return Err(Error::new(No::Rejected, message));
                        }
                    } else {
                        set(&mut changed, word("path"), value);
                    }
                }
            }
        }
        let upset = state.upset(write.dry_run);
        if upset.as_ref().is_none_or(|upset| upset.applies) {
            if !write.dry_run {
                state.changes.push(format!("patch {object}"));
            }
            changed = state.write(&key, changed, write.dry_run);
        }
        upset.map_or_else(|| Ok(Object::new(changed)), |upset| Err(upset.error))
    }

    async fn create(&self, kind: Kind, body: &Value) -> Result<Object, Error> {
        let made = Object::new(body.clone());
        let object = ObjectName::new(kind, made.name());
        let mut state = self.state();
        let key = (kind, object.name.clone());
        if state.objects.contains_key(&key) {
            let message = format!("could not make {object}: it is there already");
            return Err(Error::new(No::Conflict, message));
        }
        let upset = state.upset(false);
        if upset.as_ref().is_none_or(|upset| upset.applies) {
            state.changes.push(format!("make {object}"));
            state.write(&key, body.clone(), false);
        }
        upset.map_or(Ok(made), |upset| Err(upset.error))
    }

    async fn delete(&self, object: &ObjectName, _uid: Option<&str>) -> Result<bool, Error> {
        let mut state = self.state();
        if let Some(upset) = state.upset(false) {
            return Err(upset.error);
        }
        state.changes.push(format!("delete {object}"));
        Ok(state.objects.remove(&(object.kind, object.name.clone())).is_some())
    }

    async fn apply(&self, kind: Kind, body: &Value, dry_run: bool) -> Result<Object, Error> {
        let wanted = Object::new(body.clone());
        let object = ObjectName::new(kind, wanted.name());
        let mut state = self.state();
        let key = (kind, object.name.clone());
        let mut changed = state.objects.get(&key).cloned().unwrap_or_else(|| json!({}));
        merge(&mut changed, body);
        let upset = state.upset(dry_run);
        if upset.as_ref().is_none_or(|upset| upset.applies) {
            if !dry_run {
                state.changes.push(format!("apply {object}"));
            }
            changed = state.write(&key, changed, dry_run);
        }
        upset.map_or_else(|| Ok(Object::new(changed)), |upset| Err(upset.error))
    }

    async fn last_words(
        &self,
        _pod: &str,
        _container: &str,
        (previous, _lines): (bool, u32),
    ) -> Result<String, Error> {
        let line = if previous { "2026-11-22T12:00:00Z KeyError: 'APP_ENV'\n" } else { "" };
        Ok(line.to_owned())
    }
}
