//! Templates of pods, compared by what they mean and not by how they are written.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::ids::Digest;
use crate::text::SafeText;

use super::{items, text};

/// Labels that a controller adds to a template for itself.
const OWN_LABELS: [&str; 3] =
    ["pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash"];

/// The digest of a template: the same for a workload and for the revision that was made of it.
pub fn digest(template: &Value) -> Digest {
    let mut written = String::new();
    write(&plain(template), &mut written);
    Digest::of(written.as_bytes())
}

/// The template without what a controller adds and without what says nothing.
pub(super) fn plain(template: &Value) -> Value {
    let mut template = without_nothing(template);
    let labels = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
    if let Some(labels) = labels {
        for label in OWN_LABELS {
            labels.remove(label);
        }
    }
    if let Some(whole) = template.as_object_mut() {
        whole.remove("$patch");
    }
    without_nothing(&template)
}

fn without_nothing(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            let kept = kept.map(|(key, value)| (key.clone(), without_nothing(value)));
            Value::Object(kept.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(without_nothing).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Writes a value with its keys in order, whatever order they were read in.
fn write(value: &Value, into: &mut String) {
    match value {
        Value::Object(map) => {
            into.push('{');
            let keys: BTreeSet<&String> = map.keys().collect();
            for key in keys {
                let Some(inner) = map.get(key) else { continue };
                // A label table that was emptied says the same as none.
                if inner.as_object().is_some_and(|inner| inner.is_empty() && key == "labels") {
                    continue;
                }
                into.push_str(&Value::String(key.clone()).to_string());
                into.push(':');
                write(inner, into);
                into.push(',');
            }
            into.push('}');
        }
        Value::Array(list) => {
            into.push('[');
            for inner in list {
                write(inner, into);
                into.push(',');
            }
            into.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.push_str(&value.to_string());
        }
    }
}

/// The images of a template, in the order of its containers.
pub fn images(template: &Value) -> Vec<SafeText> {
    let images = items(template, "/spec/containers").map(|one| SafeText::new(text(one, "/image")));
    images.collect()
}

/// The version that a template stands for: by its label, else the tags of its images, once each.
pub fn versions(template: &Value) -> SafeText {
    let labels = template.pointer("/metadata/labels");
    let named = labels.and_then(|labels| labels.get("app.kubernetes.io/version")?.as_str());
    if let Some(named) = named {
        return SafeText::new(named);
    }
    let mut found: Vec<String> = Vec::new();
    for image in images(template) {
        let name = image.as_str();
        let name = name.split_once('@').map_or(name, |(name, _)| name);
        let last = name.rsplit('/').next().unwrap_or(name);
        let tag = last.rsplit_once(':').map_or_else(|| last.to_owned(), |(_, tag)| tag.to_owned());
        if !found.contains(&tag) {
            found.push(tag);
        }
    }
    SafeText::new(&found.join("+"))
}
