//! Takes the pods of workloads away and brings back as many as there were (W-50, W-51): each its
//! own recorded number, with the bounds of its autoscaler, waited for by its own selector.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::cluster::{self, Cluster, Scaled};
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::{LookCx, Step, StepCx, ended_now};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// No pod of these is left, or there are as many as recorded again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Which, and what each had when the plan was made.
    pub workloads: Vec<Scaled>,
    /// To nothing; else back to what was recorded.
    pub down: bool,
    /// When to give up, in seconds (M-11: 300 to end, 600 to be back).
    #[serde(default = "ten_minutes")]
    pub within_seconds: u64,
}

fn ten_minutes() -> u64 {
    600
}

/// Where one workload stands.
enum Stands {
    There,
    Going(String),
    Not,
}

impl Scale {
    fn names(&self) -> String {
        let names: Vec<String> =
            self.workloads.iter().map(|one| one.workload.to_string()).collect();
        names.join(", ")
    }

    async fn stands(&self, cluster: &dyn Cluster, one: &Scaled) -> Result<Stands, Error> {
        let object = cluster::there(cluster, &one.workload.object()).await?;
        let replicas = object.number("/spec/replicas").unwrap_or(1);
        if self.down {
            if replicas != 0 {
                return Ok(Stands::Not);
            }
            let left = cluster::pods_of(cluster, &object).await?.len();
            return Ok(match left {
                0 => Stands::There,
                left => Stands::Going(format!("{left} pods of {} still end", one.workload)),
            });
        }
        let bounds = cluster::autoscaler_of(cluster, &one.workload).await?;
        let within = bounds.as_ref().is_some_and(|at| (at.min..=at.max).contains(&replicas));
        let same = replicas == one.replicas || (within && replicas > 0);
        if bounds != one.autoscaler || !same {
            return Ok(Stands::Not);
        }
        let seen = object.number("/status/observedGeneration").unwrap_or_default();
        let ready = object.number("/status/readyReplicas").unwrap_or_default();
        if seen < object.generation() || ready < replicas {
            let text = format!("{ready} of {replicas} pods of {} are ready", one.workload);
            return Ok(Stands::Going(text));
        }
        Ok(Stands::There)
    }

    async fn until_there(&self, cx: &StepCx, last: &mut String) -> Result<(), Error> {
        let cluster = in_cluster(&cx.look)?;
        loop {
            let mut open = Vec::new();
            for one in &self.workloads {
                match self.stands(cluster, one).await {
                    Ok(Stands::There) => {}
                    Ok(Stands::Going(text)) => open.push(text),
                    Ok(Stands::Not) => open.push(format!("{} was scaled by others", one.workload)),
                    Err(error) => open.push(error.message),
                }
            }
            if open.is_empty() {
                return Ok(());
            }
            *last = open.join("; ");
            cx.tell(last, None);
            cx.wait(EVERY).await?;
        }
    }
}

#[async_trait]
impl Step for Scale {
    fn title(&self) -> SafeText {
        let names = self.names();
        SafeText::new(&if self.down {
            format!("scale {names} to nothing")
        } else {
            format!("scale {names} back to what was recorded")
        })
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(cluster) = &cx.cluster else { return Vec::new() };
        let kubectl = cluster.kubectl();
        let line = |one: &Scaled| {
            let replicas = if self.down { 0 } else { one.replicas };
            SafeText::new(&format!("{kubectl} scale {} --replicas={replicas}", one.workload))
        };
        self.workloads.iter().map(line).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let mut words = Vec::new();
        for one in &self.workloads {
            let now = match in_cluster(cx) {
                Ok(cluster) => Scaled::look(cluster, &one.workload).await,
                Err(error) => Err(error),
            };
            let to = if self.down { 0 } else { one.replicas };
            words.push(match now {
                Ok(now) => format!("{} {} -> {to}", one.workload, now.replicas),
                Err(error) => error.message,
            });
        }
        SafeText::new(&words.join(", "))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let cluster = match in_cluster(cx) {
            Ok(cluster) => cluster,
            Err(error) => return Standing::CannotTell(SafeText::new(&error.message)),
        };
        let (mut there, mut open) = (0, Vec::new());
        for one in &self.workloads {
            match self.stands(cluster, one).await {
                Ok(Stands::There) => there += 1,
                Ok(Stands::Going(text)) => open.push(text),
                Ok(Stands::Not) => {}
                Err(error) => return Standing::CannotTell(SafeText::new(&error.message)),
            }
        }
        if there == self.workloads.len() {
            Standing::Done
        } else if there == 0 && open.is_empty() {
            Standing::NotDone
        } else {
            open.push(format!("{there} of {} are through", self.workloads.len()));
            Standing::Partly(SafeText::new(&open.join("; ")))
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let cluster = in_cluster(&cx.look)?;
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        for one in &self.workloads {
            if let Stands::Not = self.stands(cluster, one).await? {
                let replicas = if self.down { 0 } else { one.replicas };
                cx.tell(&format!("{} to {replicas}", one.workload), None);
                one.put(cluster, replicas).await?;
            }
            fault::at_step("B5", cx.step.as_str());
        }
        let within = Duration::from_secs(self.within_seconds);
        let mut last = String::new();
        let waited = cx.look.clock.timeout(within, self.until_there(cx, &mut last)).await;
        let Ok(ended) = waited else {
            let seconds = within.as_secs();
            let message =
                format!("could not scale {}: not within {seconds} s: {last}", self.names());
            return Err(Error::new(Kind::TimedOut, message));
        };
        ended?;
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&if self.down {
            format!("no pod of {} is left", self.names())
        } else {
            format!("{} are back", self.names())
        }))
    }
}
