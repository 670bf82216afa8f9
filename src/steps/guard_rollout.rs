//! Sees to it that nobody takes a rollback back while it is watched: an owner such as Argo CD puts
//! the failed version back within minutes, and a run that ends before would call that good.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::cluster::{self, Owner, WorkloadName};
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::wait_rollout::reverted;
use super::{LookCx, Step, StepCx, Told, proof};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long whoever cannot look at the end goes on trying: an API server that is restarted is back by
/// then. Its budget is a minute more than it watches.
const LATE: Duration = Duration::from_secs(40);

/// `workload` keeps the template `to` for so many seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardRollout {
    /// `deployment/web`.
    pub workload: WorkloadName,
    /// The digest of the template.
    pub to: Digest,
    /// For how long.
    pub seconds: u64,
    /// Who was frozen, and must stay so meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<Owner>,
}

impl GuardRollout {
    async fn look(&self, cx: &LookCx) -> Result<Result<(), Error>, Error> {
        let object = match in_cluster(cx)?.get(&self.workload.object()).await {
            Ok(Some(object)) => object,
            Ok(None) => {
                let message = format!("could not find {}: it is gone", self.workload);
                return Err(Error::new(Kind::NotFound, message));
            }
            Err(error) => return Ok(Err(error)),
        };
        if cluster::digest(object.at("/spec/template")) != self.to {
            return Err(reverted(&self.workload, &object));
        }
        for owner in &self.frozen {
            match cluster::sync_of(in_cluster(cx)?, owner).await {
                Ok(Some((true, was))) => return Err(acts_again(owner, &was)),
                Ok(Some((false, _)) | None) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }
}

/// Somebody lifted a freeze while the rollback was watched.
fn acts_again(owner: &Owner, was: &serde_json::Value) -> Error {
    let by_hand = owner.by_hand(true, was).unwrap_or_default();
    let message = format!(
        "could not keep {} from acting: its sync was enabled again, and it will put the failed \
         version back; to freeze it: {by_hand}",
        owner.words()
    );
    Error::new(Kind::Rejected, message)
}

#[async_trait]
impl Step for GuardRollout {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("see that nobody reverts {}", self.workload))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        SafeText::new(&format!("a look every second for {} s", self.seconds))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if !proof::is_there(&cx.slot) {
            return Standing::NotDone;
        }
        match self.look(cx).await {
            Ok(Ok(())) => Standing::Done,
            Ok(Err(error)) => Standing::CannotTell(SafeText::new(&error.message)),
            Err(error) => Standing::Partly(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let (mut left, mut late) = (Duration::from_secs(self.seconds), Duration::ZERO);
        loop {
            let seen = self.look(&cx.look).await?;
            fault::at_step("B5", cx.step.as_str());
            // Who cannot look at the end has not seen that it stayed.
            match &seen {
                Ok(()) if left.is_zero() => break,
                Err(error) if left.is_zero() && late >= LATE => return Err(error.clone()),
                Ok(()) | Err(_) => {}
            }
            let text = match &seen {
                Ok(()) => format!("{} stays as it is", self.workload),
                Err(error) => error.message.clone(),
            };
            let text = SafeText::new(&text);
            cx.progress.0.send_replace(Told { text, part: None, left: Some(left) });
            if left.is_zero() {
                late += EVERY;
                cx.wait(EVERY).await?;
                continue;
            }
            let part = left.min(EVERY);
            cx.wait(part).await?;
            left -= part;
        }
        proof::leave(&cx.look.slot)?;
        let text = format!("nobody reverted {} in {} s", self.workload, self.seconds);
        Ok(SafeText::new(&text))
    }
}
