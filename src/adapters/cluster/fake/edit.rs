//! Changes of JSON, as a server makes them.

use serde_json::{Map, Value, json};

pub(super) fn set(object: &mut Value, pointer: &str, value: Value) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    let key = key.replace("~1", "/").replace("~0", "~");
    if object.pointer(parent).is_none() && !parent.is_empty() {
        set(object, parent, json!({}));
    }
    match object.pointer_mut(parent) {
        Some(Value::Object(map)) if value.is_null() => {
            map.remove(&key);
        }
        Some(Value::Object(map)) => {
            map.insert(key, value);
        }
        Some(Value::Array(list)) => {
            if let Some(there) = key.parse().ok().and_then(|at: usize| list.get_mut(at)) {
                *there = value;
            }
        }
        Some(_) | None => {}
    }
}

pub(super) fn merge(into: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else {
        *into = changes.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Some(map) = into.as_object_mut() else { return };
    for (key, value) in changes {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
