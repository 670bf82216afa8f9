//! Turns a flag in a config map (M-03: `PDF_PROCESSING_BACKEND`). Only from the value that the plan
//! was made for; pods that read it at their start need a restart after it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adapters::cluster::{self, ObjectName};
use crate::adapters::kube::{Kind as Object, Patch, Write};
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::{SafeText, fit};

use super::in_cluster::in_cluster;
use super::{LookCx, Step, StepCx, ended_now};

/// `key` of the config map says `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetConfig {
    /// The config map.
    pub map: String,
    /// The key in it.
    pub key: String,
    /// What it must say before, nothing where the key is missing; anything else is another plan.
    pub from: String,
    /// What it says afterwards.
    pub to: String,
}

impl SetConfig {
    async fn value(&self, cx: &LookCx) -> Result<(Option<String>, String), Error> {
        let object = ObjectName::new(Object::ConfigMap, &self.map);
        let map = cluster::there(in_cluster(cx)?, &object).await?;
        let value = map.at("/data").get(&self.key).and_then(|value| value.as_str());
        Ok((value.map(str::to_owned), map.version().to_owned()))
    }

    fn said(value: Option<&str>) -> String {
        value.map_or_else(|| "nothing".to_owned(), |value| fit(SafeText::new(value).as_str(), 60))
    }
}

#[async_trait]
impl Step for SetConfig {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("set {} of config map {} to {}", self.key, self.map, self.to))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(cluster) = &cx.cluster else { return Vec::new() };
        let data = json!({"data": {&self.key: self.to}});
        let (kubectl, map) = (cluster.kubectl(), &self.map);
        vec![SafeText::new(&format!("{kubectl} patch configmap {map} --type merge -p '{data}'"))]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        SafeText::new(&match self.value(cx).await {
            Ok((value, _)) => {
                format!("{} {} -> {}", self.key, Self::said(value.as_deref()), self.to)
            }
            Err(error) => error.message,
        })
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.value(cx).await {
            Ok((Some(value), _)) if value == self.to => Standing::Done,
            Ok((value, _)) if value.as_deref().unwrap_or_default() == self.from => {
                Standing::NotDone
            }
            Ok((value, _)) => {
                let text = format!("{} says {}", self.key, Self::said(value.as_deref()));
                Standing::Partly(SafeText::new(&text))
            }
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let (value, version) = self.value(&cx.look).await?;
        if value.as_deref() == Some(&self.to) {
            return Ok(SafeText::new(&format!("{} said {} already", self.key, self.to)));
        }
        if value.as_deref().unwrap_or_default() != self.from {
            let message = format!(
                "could not set {} of config map {}: it says {}, not {}; make a new plan",
                self.key,
                self.map,
                Self::said(value.as_deref()),
                self.from
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        let object = ObjectName::new(Object::ConfigMap, &self.map);
        let patch = Patch::Merge(json!({"data": {&self.key: self.to}}));
        let write = Write { version: Some(&version), ..Write::default() };
        in_cluster(&cx.look)?.patch(&object, &patch, write).await?;
        fault::at_step("B6", cx.step.as_str());
        Ok(SafeText::new(&format!("{} {} -> {}", self.key, self.from, self.to)))
    }
}
