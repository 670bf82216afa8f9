//! One bounded Job in the cluster, for what must happen beside a volume: a dump that is loaded, an
//! RDB or a store that is put in place (M-11 to M-13, M-17, M-18). It is judged by the rows, keys
//! or nodes that its proof counts afterwards, never by its exit code alone.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapters::cluster::{Cluster, ObjectName};
use crate::adapters::kube::{Kind as Object, Object as Seen, Patch, Write};
use crate::adapters::process::quoted;
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::{SafeText, fit};

use super::in_cluster::in_cluster;
use super::{LookCx, Step, StepCx, ended_now};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// How much of its output is read.
const LINES: u32 = 200;
/// How long a Job is kept after its end: it is the proof, in seconds.
const KEPT: u32 = 24 * 3600;

/// The Job ran to its end, and its proof counted what was expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunJob {
    /// What it does, for people: `load the dump`.
    pub name: SafeText,
    /// The image of both its containers.
    pub image: String,
    /// What does it.
    pub argv: Vec<String>,
    /// Prints `NAME=NUMBER` lines when that has ended well.
    pub proof_argv: Vec<String>,
    /// The least of each number; one that was not printed counts as missed.
    pub expect: BTreeMap<String, i64>,
    /// Claims of volumes, with the folders that they are mounted at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
    /// Secrets whose keys become variables: their values are never seen here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Config maps that are mounted, with the folders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config_maps: BTreeMap<String, String>,
    /// Variables that are no secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Whether it never pulls its image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local_image: bool,
    /// Whether data is gone afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loses_data: bool,
    /// How long it may take, in seconds.
    pub within_seconds: u64,
}

/// How a Job stands.
enum Job {
    Absent,
    Going,
    Ended(Result<String, String>),
}

impl RunJob {
    /// Its name in the cluster: the effect's own, so that a repeat finds it.
    fn object(effect: &str) -> ObjectName {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = format!("backout-{effect}").chars().map(plain).take(63).collect();
        ObjectName::new(Object::Job, name.trim_end_matches('-'))
    }

    fn manifest(&self, name: &str) -> Value {
        let pull = if self.local_image { "Never" } else { "IfNotPresent" };
        let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
        for (at, (claim, path)) in self.claims.iter().enumerate() {
            volumes.push(
                json!({"name": format!("c{at}"), "persistentVolumeClaim": {"claimName": claim}}),
            );
            mounts.push(json!({"name": format!("c{at}"), "mountPath": path}));
        }
        for (at, (map, path)) in self.config_maps.iter().enumerate() {
            volumes.push(json!({"name": format!("m{at}"), "configMap": {"name": map}}));
            mounts.push(json!({"name": format!("m{at}"), "mountPath": path}));
        }
        let from: Vec<Value> =
            self.secrets.iter().map(|name| json!({"secretRef": {"name": name}})).collect();
        let env: Vec<Value> = self
            .variables
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let container = |name: &str, argv: &[String]| {
            json!({
                "name": name, "image": self.image, "imagePullPolicy": pull, "command": argv,
                "env": env, "envFrom": from, "volumeMounts": mounts,
            })
        };
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "backout"}},
            "spec": {
                "backoffLimit": 0, "activeDeadlineSeconds": self.within_seconds,
                "ttlSecondsAfterFinished": KEPT,
                "template": {"spec": {
                    "restartPolicy": "Never", "volumes": volumes,
                    "initContainers": [container("work", &self.argv)],
                    "containers": [container("proof", &self.proof_argv)],
                }},
            },
        })
    }

    async fn look(&self, cluster: &dyn Cluster, effect: &str) -> Result<Job, Error> {
        let Some(job) = cluster.get(&Self::object(effect)).await? else { return Ok(Job::Absent) };
        let is = |kind| job.condition(kind).is_some_and(|(status, ..)| status == "True");
        if is("Complete") {
            return self.judge(cluster, &job).await.map(Job::Ended);
        }
        if !is("Failed") {
            return Ok(Job::Going);
        }
        let why = job.condition("Failed").map(|(_, reason, _)| reason.to_owned());
        let mut words = format!("the job failed: {}", SafeText::new(&why.unwrap_or_default()));
        for container in ["work", "proof"] {
            let said = Self::said(cluster, &job, container).await.unwrap_or_default();
            if let Some(line) = said.last() {
                words = format!(
                    "{words}; {container} said: {}",
                    fit(SafeText::new(line).as_str(), 200)
                );
            }
        }
        Ok(Job::Ended(Err(words)))
    }

    async fn said(
        cluster: &dyn Cluster,
        job: &Seen,
        container: &str,
    ) -> Result<Vec<String>, Error> {
        let labels = format!("job-name={}", job.name());
        let pods = cluster.list(Object::Pod, &labels).await?;
        let Some(pod) = pods.iter().max_by_key(|pod| pod.made_at()) else { return Ok(Vec::new()) };
        let text = cluster.last_words(pod.name(), container, (false, LINES)).await?;
        // Each line stands after its time and a space.
        let lines = text.lines().map(|line| line.split_once(' ').map_or(line, |(_, said)| said));
        Ok(lines.filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
    }

    /// What the proof counted, held against what was expected.
    async fn judge(
        &self,
        cluster: &dyn Cluster,
        job: &Seen,
    ) -> Result<Result<String, String>, Error> {
        let lines = Self::said(cluster, job, "proof").await?;
        let counted: BTreeMap<&str, i64> = lines
            .iter()
            .filter_map(|line| line.trim().split_once('='))
            .filter_map(|(name, number)| Some((name.trim(), number.trim().parse().ok()?)))
            .collect();
        let (mut good, mut missed) = (Vec::new(), Vec::new());
        for (name, least) in &self.expect {
            match counted.get(name.as_str()) {
                Some(number) if number >= least => good.push(format!("{name} {number}")),
                Some(number) => missed.push(format!("{name} is {number}, expected {least}")),
                None => missed.push(format!("{name} was not counted")),
            }
        }
        Ok(if missed.is_empty() { Ok(good.join(", ")) } else { Err(missed.join("; ")) })
    }

    async fn until_ended(&self, cx: &LookCx) -> Result<Job, Error> {
        let cluster = in_cluster(cx)?;
        loop {
            match self.look(cluster, &cx.effect).await? {
                Job::Going => cx.clock.sleep(EVERY).await,
                ended => return Ok(ended),
            }
        }
    }
}

#[async_trait]
impl Step for RunJob {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("job: {}", self.name))
    }

    /// Half of a restore is no reason to begin another by itself: cut off and not done, a person
    /// is asked.
    fn class(&self) -> Class {
        Class::Opaque
    }

    fn hazard(&self) -> Hazard {
        if self.loses_data { Hazard::LosesData } else { Hazard::Reversible }
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(cluster) = &cx.cluster else { return Vec::new() };
        let all = |argv: &[String]| -> String {
            argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
        };
        let kubectl = cluster.kubectl();
        let mounts: Vec<String> =
            self.claims.iter().map(|(claim, path)| format!("claim {claim} at {path}")).collect();
        vec![
            SafeText::new(&format!(
                "# {kubectl}: a pod of {} with {}",
                self.image,
                mounts.join(", ")
            )),
            SafeText::new(&all(&self.argv)),
            SafeText::new(&all(&self.proof_argv)),
        ]
    }

    async fn kill(&self, cx: &LookCx) -> Result<Vec<SafeText>, Error> {
        let cluster = in_cluster(cx)?;
        let object = Self::object(&cx.effect);
        let Some(job) = cluster.get(&object).await? else { return Ok(Vec::new()) };
        // Another one of this name, made meanwhile, is none of ours.
        let ended = cluster.delete(&object, Some(job.uid())).await?;
        let text = format!("job {} ({})", job.name(), job.uid());
        Ok(ended.then(|| SafeText::new(&text)).into_iter().collect())
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        let wanted: Vec<String> =
            self.expect.iter().map(|(name, least)| format!("{name} at least {least}")).collect();
        let text = format!(
            "{}, at most {} s; good when {}",
            self.image,
            self.within_seconds,
            wanted.join(", ")
        );
        SafeText::new(&text)
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.until_ended(cx).await {
            Ok(Job::Absent) => Standing::NotDone,
            Ok(Job::Ended(Ok(_))) => Standing::Done,
            Ok(Job::Ended(Err(why))) => Standing::Partly(SafeText::new(&why)),
            Ok(Job::Going) => Standing::CannotTell("its job still runs".into()),
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let cluster = in_cluster(&cx.look)?;
        let no = |why: &str| {
            let message = format!("could not {}: {why}", self.name);
            Err(Error::new(Kind::Rejected, message))
        };
        if self.expect.is_empty() {
            return no("nothing is expected of it, so nobody could judge it");
        }
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let object = Self::object(&cx.look.effect);
        fault::at_step("B4", cx.step.as_str());
        match cluster.create(Object::Job, &self.manifest(&object.name)).await {
            Ok(_) => {}
            // Its name is the effect's own: whoever made it was an earlier try of this one.
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
        fault::at_step("B5", cx.step.as_str());
        let mut cancel = cx.cancel.clone();
        let ended = tokio::select! {
            ended = self.until_ended(&cx.look) => ended?,
            () = super::cancelled(&mut cancel) => {
                let stop = Patch::Merge(json!({"spec": {"activeDeadlineSeconds": 1}}));
                cluster.patch(&object, &stop, Write::default()).await?;
                return Err(ended_now());
            }
        };
        fault::at_step("B6", cx.step.as_str());
        match ended {
            Job::Ended(Ok(counted)) => Ok(SafeText::new(&counted)),
            Job::Ended(Err(why)) => no(&why),
            Job::Absent | Job::Going => no("its job is gone"),
        }
    }
}
