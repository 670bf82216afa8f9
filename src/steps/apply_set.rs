//! Brings saved objects back: settings, services, deployments and ingresses of one moment (M-14,
//! M-15). The server tries all of them before the first is changed; secrets only where asked, for
//! an old one may hold a password that was changed since (W-62). Its way back is another set: what
//! was live when the plan was made, and the names of what was not there.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::cluster::{Cluster, ObjectName};
use crate::adapters::kube::Kind as Object;
use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::ids::Time;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::saved_set::{Made, Piece, SavedSet, pieces};
use super::{LookCx, Step, StepCx, ended_now};

/// The objects of these files are as they were saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplySet {
    /// The files, each with the digest that it had when the plan was made.
    pub files: Vec<SavedSet>,
    /// Only tried by the server: nothing changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Whether secrets in them are brought back too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secrets: bool,
    /// What goes: a set that is taken back had made these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<Made>,
    /// Of those, only what was made after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removes_after: Option<Time>,
}

impl ApplySet {
    /// The kinds of what it brings back; none of a file that cannot be read, which is told where
    /// it is tried.
    pub(super) fn kinds(&self) -> std::collections::BTreeSet<Object> {
        let objects = self.files.iter().flat_map(|saved| saved.objects().unwrap_or_default());
        let word = |one: &Value, key: &str| {
            one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let kinds = objects
            .filter_map(|one| Object::of_object(&word(&one, "apiVersion"), &word(&one, "kind")));
        kinds.filter(|kind| self.secrets || *kind != Object::Secret).collect()
    }

    async fn pieces(&self, cluster: &dyn Cluster) -> Result<Vec<Piece>, Error> {
        pieces(cluster, &self.files, self.secrets).await
    }

    /// Those to be removed that are there: each with its UID.
    async fn still_there(&self, cluster: &dyn Cluster) -> Result<Vec<(ObjectName, String)>, Error> {
        let mut there = Vec::new();
        for one in &self.removes {
            let object = one.object()?;
            let Some(seen) = cluster.get(&object).await? else { continue };
            // One that is older was there before: somebody else made it, and it stays. A server
            // says when it was made in whole seconds.
            let made = seen.made_at().map(|made| made.timestamp());
            let ours =
                self.removes_after.is_none_or(|at| made.is_some_and(|made| made >= at.timestamp()));
            if ours && !seen.is_going() {
                there.push((object, seen.uid().to_owned()));
            }
        }
        Ok(there)
    }

    async fn look(&self, cx: &LookCx) -> Result<(Vec<Piece>, Vec<(ObjectName, String)>), Error> {
        let cluster = in_cluster(cx)?;
        Ok((self.pieces(cluster).await?, self.still_there(cluster).await?))
    }

    fn words(pieces: &[Piece], going: &[(ObjectName, String)]) -> String {
        let changed: Vec<String> =
            pieces.iter().filter(|piece| !piece.differs.is_empty()).map(Piece::words).collect();
        let going = if going.is_empty() {
            String::new()
        } else {
            let names: Vec<String> = going
                .iter()
                .map(|(object, _)| SafeText::new(&object.to_string()).to_string())
                .collect();
            format!("; removed: {}", names.join(", "))
        };
        let same = pieces.len() - changed.len();
        if changed.is_empty() {
            return format!("{same} objects, all as they were saved{going}");
        }
        let (some, all) = (changed.len(), pieces.len());
        format!("{some} of {all} objects change: {}{going}", changed.join("; "))
    }
}

#[async_trait]
impl Step for ApplySet {
    fn title(&self) -> SafeText {
        let files = match self.files.len() {
            1 => "1 file".to_owned(),
            several => format!("{several} files"),
        };
        SafeText::new(&if self.dry_run {
            format!("let the server try {files} of saved objects")
        } else {
            format!("bring back the saved objects of {files}")
        })
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        if self.dry_run { Hazard::Looks } else { Hazard::Reversible }
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(cluster) = &cx.cluster else { return Vec::new() };
        let kubectl = cluster.kubectl();
        let how = if self.dry_run { " --dry-run=server" } else { "" };
        let line = |saved: &SavedSet| {
            let file = saved.file.display();
            SafeText::new(&format!("{kubectl} apply --server-side{how} -f {file}"))
        };
        let gone = |one: &Made| {
            SafeText::new(&format!("{kubectl} delete {} {}", one.kind.to_lowercase(), one.name))
        };
        self.files.iter().map(line).chain(self.removes.iter().map(gone)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        SafeText::new(&match self.look(cx).await {
            Ok((pieces, going)) => Self::words(&pieces, &going),
            Err(error) => error.message,
        })
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if self.dry_run {
            return Standing::NotDone;
        }
        match self.look(cx).await {
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
            Ok((pieces, going)) => {
                let open = pieces.iter().filter(|piece| !piece.differs.is_empty()).count();
                let (open, all) = (open + going.len(), pieces.len() + self.removes.len());
                if open == 0 {
                    Standing::Done
                } else if open == all {
                    Standing::NotDone
                } else {
                    Standing::Partly(SafeText::new(&Self::words(&pieces, &going)))
                }
            }
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let cluster = in_cluster(&cx.look)?;
        cx.tell("the server tries them all", None);
        let (pieces, going) = self.look(&cx.look).await?;
        let words = Self::words(&pieces, &going);
        if self.dry_run {
            return Ok(SafeText::new(&format!("tried by the server: {words}")));
        }
        fault::at_step("B4", cx.step.as_str());
        let all = pieces.len() as u64;
        for (done, piece) in (1..).zip(&pieces) {
            if *cx.cancel.borrow() {
                return Err(ended_now());
            }
            cx.tell(&format!("{} {}", piece.kind.word(), piece.name), Some((done, all)));
            if !piece.differs.is_empty() {
                piece.put(cluster).await?;
            }
            fault::at_step("B5", cx.step.as_str());
        }
        for (object, uid) in &going {
            cx.tell(&format!("remove {object}"), None);
            cluster.delete(object, Some(uid)).await?;
        }
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&words))
    }
}
