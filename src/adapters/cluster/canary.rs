//! A canary: a second version that gets a part of the traffic (M-09, W-54). What gives it that part
//! differs: its number of pods behind a shared service, ingress-nginx, a Gateway's route, or Argo
//! Rollouts. Each is one setting that is read, taken to nothing, and put back as it was.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapters::kube::{Kind, Object, Patch, Write};
use crate::adapters::{Error, Kind as No};
use crate::text::SafeText;

use super::{Cluster, ObjectName, there};

/// The annotations by which ingress-nginx sends requests to a canary; a header or a cookie goes
/// before the weight, which alone would leave those users on it.
const NGINX: [&str; 5] = [
    "nginx.ingress.kubernetes.io/canary-weight",
    "nginx.ingress.kubernetes.io/canary-by-header",
    "nginx.ingress.kubernetes.io/canary-by-header-value",
    "nginx.ingress.kubernetes.io/canary-by-header-pattern",
    "nginx.ingress.kubernetes.io/canary-by-cookie",
];

/// What gives a canary its part of the traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Canary {
    /// Its pods are behind the same service as the others: the replicas of this deployment.
    Replicas {
        /// The canary's deployment.
        deployment: String,
    },
    /// An ingress of its own with the annotations of ingress-nginx.
    Ingress {
        /// The canary's ingress.
        ingress: String,
    },
    /// The weights of a service in an `HTTPRoute`.
    Route {
        /// The route.
        route: String,
        /// The canary's service.
        service: String,
    },
    /// A rollout of Argo Rollouts, which is aborted.
    Rollout {
        /// The rollout.
        rollout: String,
    },
}

/// What a canary gets now.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The setting, to be put back.
    pub setting: Value,
    /// Whether it gets anything.
    pub on: bool,
    /// For people: `20 %`, `1 replica`.
    pub words: String,
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replicas { deployment } => write!(f, "deployment {deployment}"),
            Self::Ingress { ingress } => write!(f, "ingress {ingress}"),
            Self::Route { route, service } => write!(f, "service {service} in HTTP route {route}"),
            Self::Rollout { rollout } => write!(f, "Argo rollout {rollout}"),
        }
    }
}

impl Canary {
    /// The object whose setting it is.
    pub fn object(&self) -> ObjectName {
        let (kind, name) = match self {
            Self::Replicas { deployment } => (Kind::Deployment, deployment),
            Self::Ingress { ingress } => (Kind::Ingress, ingress),
            Self::Route { route, .. } => (Kind::HttpRoute, route),
            Self::Rollout { rollout } => (Kind::ArgoRollout, rollout),
        };
        ObjectName::new(kind, name)
    }

    /// What it gets now.
    pub async fn look(&self, cluster: &dyn Cluster) -> Result<Part, Error> {
        self.read(&there(cluster, &self.object()).await?)
    }

    /// What it gets by its object.
    pub fn read(&self, object: &Object) -> Result<Part, Error> {
        Ok(match self {
            Self::Replicas { .. } => {
                let replicas = object.number("/spec/replicas").unwrap_or(1);
                let words = format!("{replicas} replica{}", if replicas == 1 { "" } else { "s" });
                Part { setting: json!(replicas), on: replicas > 0, words }
            }
            Self::Ingress { .. } => nginx(object),
            Self::Route { service, .. } => {
                let weights: Vec<i64> = backends(object, service).map(|one| one.weight).collect();
                if weights.is_empty() {
                    return Err(self.no("no backend of it has that name"));
                }
                let all: Vec<String> = weights.iter().map(ToString::to_string).collect();
                let on = weights.iter().any(|weight| *weight > 0);
                Part { setting: json!(weights), on, words: format!("weight {}", all.join(", ")) }
            }
            Self::Rollout { .. } => {
                let aborted = object.at("/status/abort").as_bool().unwrap_or(false);
                let [new, stable] = ["/status/currentPodHash", "/status/stableRS"]
                    .map(|pointer| object.text(pointer));
                let under_way = !new.is_empty() && new != stable;
                let weight = object.number("/status/canary/weights/canary/weight");
                let words = match (aborted, under_way, weight) {
                    (true, ..) => "aborted".to_owned(),
                    (false, false, _) => "no canary is under way".to_owned(),
                    (false, true, Some(weight)) => format!("{weight} %"),
                    (false, true, None) => "a canary is under way".to_owned(),
                };
                Part { setting: json!(aborted), on: under_way && !aborted, words }
            }
        })
    }

    /// The setting with which it gets nothing.
    pub fn off(&self, now: &Part) -> Value {
        match self {
            Self::Replicas { .. } => json!(0),
            Self::Ingress { .. } => {
                let mut notes: Map<String, Value> =
                    NGINX.iter().map(|note| ((*note).to_owned(), Value::Null)).collect();
                notes.insert(NGINX[0].to_owned(), json!("0"));
                Value::Object(notes)
            }
            Self::Route { .. } => {
                let count = now.setting.as_array().map_or(0, Vec::len);
                json!(vec![0; count])
            }
            Self::Rollout { .. } => json!(true),
        }
    }

    /// Puts `setting` in the place of what is there, if the object is still as it is looked at now.
    pub async fn put(&self, cluster: &dyn Cluster, setting: &Value) -> Result<(), Error> {
        let object = there(cluster, &self.object()).await?;
        let unchanged = Write::unchanged(&object);
        let (patch, write) = match self {
            Self::Replicas { .. } => {
                (Patch::Merge(json!({"spec": {"replicas": setting}})), unchanged)
            }
            Self::Ingress { .. } => {
                (Patch::Merge(json!({"metadata": {"annotations": setting}})), unchanged)
            }
            Self::Route { service, .. } => {
                (Patch::Json(self.weights(&object, service, setting)?), unchanged)
            }
            Self::Rollout { .. } => {
                // Its controller writes the status all the time.
                let patch = Patch::Merge(json!({"status": {"abort": setting}}));
                (patch, Write::default().of_status())
            }
        };
        cluster.patch(&self.object(), &patch, write).await.map(drop)
    }

    /// The operations that give each backend of the canary its weight. Refused: a rule that would
    /// have nobody left to send requests to.
    fn weights(
        &self,
        object: &Object,
        service: &str,
        setting: &Value,
    ) -> Result<Vec<Value>, Error> {
        let wanted: Vec<i64> = serde_json::from_value(setting.clone()).unwrap_or_default();
        let all: Vec<Backend> = backends(object, service).collect();
        if wanted.len() != all.len() {
            return Err(self.no("its rules were changed meanwhile; make a new plan"));
        }
        let alone = all.iter().zip(&wanted).any(|(one, weight)| *weight == 0 && one.others == 0);
        if alone {
            return Err(self.no("a rule of it sends requests to nobody else"));
        }
        Ok(all
            .iter()
            .zip(&wanted)
            .map(|(one, weight)| json!({"op": "add", "path": one.path, "value": weight}))
            .collect())
    }

    /// The command by which a person would do that.
    pub fn by_hand(&self, kubectl: &str, setting: &Value) -> SafeText {
        let object = self.object();
        let resource = object.kind.resource();
        let name = format!("{}.{}", resource.plural, resource.group);
        let name = name.trim_end_matches('.');
        let patch = |fields: Value| {
            format!("{kubectl} patch {name} {} --type merge -p '{fields}'", object.name)
        };
        let line = match self {
            Self::Replicas { deployment } => {
                format!("{kubectl} scale deployment {deployment} --replicas={setting}")
            }
            Self::Ingress { .. } => patch(json!({"metadata": {"annotations": setting}})),
            Self::Route { route, service } => {
                format!("{kubectl} edit {name} {route}   # the weights of {service}: {setting}")
            }
            Self::Rollout { .. } => {
                format!("{} --subresource status", patch(json!({"status": {"abort": setting}})))
            }
        };
        SafeText::new(&line)
    }

    fn no(&self, why: &str) -> Error {
        Error::new(No::Rejected, format!("could not tell or set the part of {self}: {why}"))
    }
}

/// What the annotations of a canary's ingress say.
fn nginx(object: &Object) -> Part {
    let note = |name: &str| object.annotation(name);
    let setting = NGINX.iter().map(|name| ((*name).to_owned(), json!(note(name))));
    let by = NGINX.iter().skip(1).filter_map(|name| note(name));
    let by: Vec<&str> = by.collect();
    let weight = note(NGINX[0]).unwrap_or("0");
    let mut words = format!("{weight} %");
    if !by.is_empty() {
        words = format!("{words}, and whoever sends {}", by.join(" "));
    }
    let is_canary = note("nginx.ingress.kubernetes.io/canary") == Some("true");
    let on = is_canary && (weight != "0" || !by.is_empty());
    Part { setting: Value::Object(setting.collect()), on, words }
}

/// A backend of a canary in a route.
struct Backend {
    /// Where its weight is.
    path: String,
    weight: i64,
    /// The weights of the other backends of its rule together.
    others: i64,
}

fn backends<'a>(object: &'a Object, service: &'a str) -> impl Iterator<Item = Backend> + 'a {
    let weight = |one: &Value| one.get("weight").and_then(Value::as_i64).unwrap_or(1);
    let rules = object.items("/spec/rules").iter().enumerate();
    rules.flat_map(move |(rule, value)| {
        let refs = value.get("backendRefs").and_then(Value::as_array);
        let all: i64 = refs.into_iter().flatten().map(weight).sum();
        let own = refs.into_iter().flatten().enumerate();
        own.filter(move |(_, one)| one.get("name").and_then(Value::as_str) == Some(service)).map(
            move |(at, one)| Backend {
                path: format!("/spec/rules/{rule}/backendRefs/{at}/weight"),
                weight: weight(one),
                others: all - weight(one),
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::fake::{FakeCluster, deployment};
    use super::*;

    async fn there_and_back(cluster: &FakeCluster, canary: &Canary) -> (Part, Part, Part) {
        let before = canary.look(cluster).await.unwrap();
        canary.put(cluster, &canary.off(&before)).await.unwrap();
        let off = canary.look(cluster).await.unwrap();
        assert_eq!(off.setting, canary.off(&off), "a repeat finds it there");
        canary.put(cluster, &before.setting).await.unwrap();
        (before.clone(), off, canary.look(cluster).await.unwrap())
    }

    #[tokio::test]
    async fn each_kind_goes_to_nothing_and_back_to_what_it_was() {
        let fake = FakeCluster::new();
        fake.put(Kind::Deployment, deployment("web-canary", "app:v2", 1));
        fake.put(
            Kind::Ingress,
            json!({"metadata": {"name": "web-canary", "annotations": {
                "nginx.ingress.kubernetes.io/canary": "true",
                "nginx.ingress.kubernetes.io/canary-weight": "20",
                "nginx.ingress.kubernetes.io/canary-by-cookie": "beta",
            }}}),
        );
        fake.put(
            Kind::HttpRoute,
            json!({"metadata": {"name": "web"}, "spec": {"rules": [
                {"backendRefs": [{"name": "web", "weight": 80}, {"name": "web-canary", "weight": 20}]},
                {"backendRefs": [{"name": "web"}, {"name": "web-canary"}]},
            ]}}),
        );
        fake.put(
            Kind::ArgoRollout,
            json!({"metadata": {"name": "web"}, "status": {
                "currentPodHash": "b", "stableRS": "a",
                "canary": {"weights": {"canary": {"weight": 20}}},
            }}),
        );
        let named = |name: &str| name.to_owned();
        for (canary, words) in [
            (Canary::Replicas { deployment: named("web-canary") }, "1 replica"),
            (Canary::Ingress { ingress: named("web-canary") }, "20 %, and whoever sends beta"),
            (Canary::Route { route: named("web"), service: named("web-canary") }, "weight 20, 1"),
            (Canary::Rollout { rollout: named("web") }, "20 %"),
        ] {
            let (before, off, after) = there_and_back(&fake, &canary).await;
            assert!(before.on && !off.on, "{canary}: {before:?} {off:?}");
            assert_eq!(before.words, words);
            assert_eq!(before, after, "{canary}");
        }
        let at = "/spec/rules/0/backendRefs/0/weight";
        assert_eq!(fake.at(Kind::HttpRoute, "web", at), json!(80), "the others keep theirs");
    }

    #[tokio::test]
    async fn a_rule_that_would_have_nobody_left_is_refused() {
        let fake = FakeCluster::new();
        fake.put(
            Kind::HttpRoute,
            json!({"metadata": {"name": "web"},
                "spec": {"rules": [{"backendRefs": [{"name": "web-canary"}]}]}}),
        );
        let canary = Canary::Route { route: "web".to_owned(), service: "web-canary".to_owned() };
        let before = canary.look(&*fake).await.unwrap();
        let error = canary.put(&*fake, &canary.off(&before)).await.unwrap_err();
        assert!(error.message.contains("to nobody else"), "{error}");
        assert!(fake.changes().is_empty());
    }
}
