//! An object as the API server gave it, read field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::ids::Time;

/// An object of a cluster. What is not there reads as empty or nothing: fields are read one by one
/// and none of them is taken for granted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Value);

impl Object {
    /// The object in `value`.
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// All of it.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// All of it.
    pub fn into_value(self) -> Value {
        self.0
    }

    /// What lies at a JSON pointer such as `/spec/replicas`; null where nothing does.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text at a JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The whole number at a JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).as_i64()
    }

    /// The list at a JSON pointer; empty where there is none.
    pub fn items(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The texts of the map at a JSON pointer.
    pub fn texts(&self, pointer: &str) -> BTreeMap<&str, &str> {
        let map = self.at(pointer).as_object().into_iter().flatten();
        map.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
    }

    /// The moment at a JSON pointer.
    pub fn time(&self, pointer: &str) -> Option<Time> {
        let read = chrono::DateTime::parse_from_rfc3339(self.text(pointer)).ok()?;
        Some(read.to_utc())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace; empty for what lies in none.
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    /// Its own id: another object of the same name has another one.
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// The version of its last change, for [`super::Write::version`].
    pub fn version(&self) -> &str {
        self.text("/metadata/resourceVersion")
    }

    /// How often what it should be was changed.
    pub fn generation(&self) -> i64 {
        self.number("/metadata/generation").unwrap_or_default()
    }

    /// When it was made.
    pub fn made_at(&self) -> Option<Time> {
        self.time("/metadata/creationTimestamp")
    }

    /// Its labels.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        self.texts("/metadata/labels")
    }

    /// Its annotations.
    pub fn annotations(&self) -> BTreeMap<&str, &str> {
        self.texts("/metadata/annotations")
    }

    /// One annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.at("/metadata/annotations").get(name)?.as_str()
    }

    /// Whether it is on its way out.
    pub fn is_going(&self) -> bool {
        !self.text("/metadata/deletionTimestamp").is_empty()
    }

    /// The uid of the object that manages it.
    pub fn controller(&self) -> Option<&str> {
        let owners = self.items("/metadata/ownerReferences").iter();
        let mut of = owners.filter(|one| one.get("controller") == Some(&Value::Bool(true)));
        of.next()?.get("uid")?.as_str()
    }

    /// The status of the condition `kind`: its `status`, `reason` and `message`.
    pub fn condition(&self, kind: &str) -> Option<(&str, &str, &str)> {
        let mut all = self.items("/status/conditions").iter();
        let one = all.find(|one| one.get("type").and_then(Value::as_str) == Some(kind))?;
        let word = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
        Some((word("status"), word("reason"), word("message")))
    }

    /// The label selector in `matchLabels` at a JSON pointer as a query takes it: `app=a,tier=b`.
    /// Expressions are not spoken: nothing where there are some.
    pub fn selector(&self, pointer: &str) -> Option<String> {
        let selector = self.at(pointer);
        let plain = selector.get("matchLabels").or_else(|| {
            // A service's selector is the map itself.
            selector.get("matchExpressions").is_none().then_some(selector)
        })?;
        if selector.get("matchExpressions").is_some_and(|all| all != &Value::Array(Vec::new())) {
            return None;
        }
        let pairs = plain.as_object()?.iter();
        let pairs: Option<Vec<String>> =
            pairs.map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        pairs.filter(|pairs| !pairs.is_empty()).map(|pairs| pairs.join(","))
    }
}
