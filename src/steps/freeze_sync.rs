//! Keeps an owner of a workload (Argo CD, Flux) from putting the failed version back, and lets it
//! act again. It stays among the leftovers until it is lifted.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::cluster::{Owner, set_frozen, sync_of};
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::{LookCx, Step, StepCx, ended_now};

/// `owner` acts no more by itself, or again as it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeSync {
    /// Who.
    pub owner: Owner,
    /// Whether it is frozen; else it is lifted.
    #[serde(default = "yes")]
    pub frozen: bool,
    /// The setting that was there, to be put back.
    pub was: Value,
}

fn yes() -> bool {
    true
}

impl FreezeSync {
    async fn on(&self, cx: &LookCx) -> Result<bool, Error> {
        if let Some((on, _)) = sync_of(in_cluster(cx)?, &self.owner).await? {
            return Ok(on);
        }
        let message = format!("could not find {}: it is not there", self.owner.words());
        Err(Error::new(Kind::NotFound, message))
    }
}

#[async_trait]
impl Step for FreezeSync {
    fn title(&self) -> SafeText {
        let verb = if self.frozen { "freeze" } else { "lift the freeze of" };
        SafeText::new(&format!("{verb} {}", self.owner.words()))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, _cx: &LookCx) -> Vec<SafeText> {
        self.owner.by_hand(self.frozen, &self.was).into_iter().collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        SafeText::new(&match self.on(cx).await {
            Ok(true) => format!("{} acts by itself", self.owner.words()),
            Ok(false) => format!("{} is frozen", self.owner.words()),
            Err(error) => error.message,
        })
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.on(cx).await {
            Ok(on) if on != self.frozen => Standing::Done,
            Ok(_) => Standing::NotDone,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        if self.on(&cx.look).await? == self.frozen {
            let cluster = in_cluster(&cx.look)?;
            set_frozen(cluster, &self.owner, (self.frozen, &self.was)).await?;
        }
        fault::at_step("B6", cx.step.as_str());
        let now = if self.frozen { "is frozen" } else { "acts by itself again" };
        Ok(SafeText::new(&format!("{} {now}", self.owner.words())))
    }
}
