//! What is kept of a deployment before it is changed: what it is, its revisions, its pods, what
//! they wrote, what happened to them. No value of an environment, no secret.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::adapters::Error;

use super::{Kind, KubeWorkload, LogAsk, Object};

/// The last lines that are kept of each container.
const LINES: u32 = 20_000;
/// The most pods whose logs are kept.
const PODS: usize = 20;

impl KubeWorkload {
    /// Writes what can be said of a deployment or stateful set into `dir`; the names of the files.
    pub(super) async fn keep_traces(
        &self,
        deployment: &Object,
        dir: &Path,
    ) -> Result<Vec<String>, Error> {
        let mut kept = Vec::new();
        let stateful = deployment.text("/kind") == Kind::StatefulSet.resource().kind;
        let (file, revisions) = if stateful {
            ("stateful-set.json", Kind::ControllerRevision)
        } else {
            ("deployment.json", Kind::ReplicaSet)
        };
        save(dir, file, &pretty(deployment), &mut kept)?;
        let selector = deployment.selector("/spec/selector").unwrap_or_default();
        let all = self.kube.list(revisions, &selector).await?;
        for one in all.iter().filter(|one| one.controller() == Some(deployment.uid())) {
            save(dir, &format!("revision-{}.json", one.name()), &pretty(one), &mut kept)?;
        }
        let pods = self.kube.list(Kind::Pod, &selector).await?;
        for pod in &pods {
            save(dir, &format!("pod-{}.json", pod.name()), &pretty(pod), &mut kept)?;
        }
        // The ones that broke first: there may be hundreds.
        let mut pods: Vec<&Object> = pods.iter().collect();
        pods.sort_by_key(|pod| std::cmp::Reverse(restarts(pod)));
        for pod in pods.iter().take(PODS) {
            self.keep_logs(pod, dir, &mut kept).await?;
        }
        if let Ok(events) = self.kube.list(Kind::Event, "").await {
            let text: Vec<u8> = events_text(&events).into_bytes();
            save(dir, "events.txt", &text, &mut kept)?;
        }
        Ok(kept)
    }

    async fn keep_logs(
        &self,
        pod: &Object,
        dir: &Path,
        kept: &mut Vec<String>,
    ) -> Result<(), Error> {
        for container in pod.items("/spec/containers") {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            for previous in [false, true] {
                let ask =
                    LogAsk { container: Some(name), previous, since: None, tail: Some(LINES) };
                // A container that never ran has no log, and one that ran once none before.
                let Ok(text) = self.kube.logs(pod.name(), ask).await else { continue };
                let which = if previous { "previous." } else { "" };
                save(dir, &format!("{}.{name}.{which}log", pod.name()), &text, kept)?;
            }
        }
        Ok(())
    }
}

/// How often the containers of a pod were started anew.
pub(super) fn restarts(pod: &Object) -> i64 {
    let all = pod.items("/status/containerStatuses").iter();
    all.filter_map(|one| one.get("restartCount")?.as_i64()).sum()
}

/// Events, oldest first.
fn events_text(events: &[Object]) -> String {
    let when = |event: &Object| {
        let times = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        times.iter().find_map(|at| event.time(at))
    };
    let mut events: Vec<&Object> = events.iter().collect();
    events.sort_by_key(|event| when(event));
    let line = |event: &&Object| {
        let at = when(event).map(|at| at.to_rfc3339()).unwrap_or_default();
        format!(
            "{at} {} {}/{} {}: {}\n",
            event.text("/type"),
            event.text("/involvedObject/kind"),
            event.text("/involvedObject/name"),
            event.text("/reason"),
            event.text("/message").replace('\n', " ")
        )
    };
    events.iter().map(line).collect()
}

/// The object without the values of its containers' environments and without the copy of itself
/// that `kubectl apply` leaves in an annotation.
fn pretty(object: &Object) -> Vec<u8> {
    let mut value = object.value().clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            notes.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    mask(&mut value);
    serde_json::to_vec_pretty(&value).unwrap_or_default()
}

/// Takes the `value` out of every list called `env`.
fn mask(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if let (true, Value::Array(variables)) = (key == "env", &mut *inner) {
                    for one in variables.iter_mut().filter_map(|one| one.get_mut("value")) {
                        *one = "***".into();
                    }
                }
                mask(inner);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn save(dir: &Path, name: &str, bytes: &[u8], kept: &mut Vec<String>) -> Result<(), Error> {
    let path = dir.join(name);
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|e| Error::io("write", path.display(), &e))?;
    kept.push(name.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_value_of_an_environment_is_kept() {
        let text = pretty(&Object::new(json!({
            "metadata": {"name": "web", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "hunter2", "a": "b"}},
            "spec": {"template": {"spec": {"containers": [
                {"name": "web", "env": [{"name": "PASSWORD", "value": "hunter2"}]}]}}},
        })));
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("PASSWORD") && text.contains("\"a\": \"b\""), "{text}");
    }
}
