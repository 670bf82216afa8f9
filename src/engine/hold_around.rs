//! A look at all that can be held, is held, or is left over.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::Error;
use crate::adapters::cluster::{Owner, sync_of};
use crate::model::entry::Standing;
use crate::model::hold::{CanHold, HoldPart};
use crate::model::ids::{Color, Time};
use crate::steps::{LookCx, StepKind};
use crate::text::SafeText;

use super::holds::standing;

/// One look at all that can be held or is left over.
pub(super) struct Around {
    pub(super) began: Time,
    pub(super) can: Vec<CanHold>,
    /// How each hold of the journal stands; true for held.
    pub(super) standing: BTreeMap<HoldPart, (bool, Standing)>,
    /// Colours that run, and colours whose workers run.
    pub(super) running: BTreeSet<Color>,
    pub(super) working: BTreeSet<Color>,
    /// Who was frozen and acts again, as the leftovers name them.
    pub(super) lifted: Vec<serde_json::Value>,
}

/// Those of `frozen` that act by themselves again.
async fn lifted(look: &LookCx, frozen: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    let mut found = Vec::new();
    let Some(cluster) = look.cluster.as_deref() else { return found };
    for one in frozen {
        let Ok(owner) = serde_json::from_value::<Owner>(one.clone()) else { continue };
        if sync_of(cluster, &owner).await.is_ok_and(|seen| seen.is_some_and(|(on, _)| on)) {
            found.push(one);
        }
    }
    found
}

/// The colours of which a worker runs.
pub(super) async fn working(look: &LookCx) -> Result<BTreeSet<Color>, Error> {
    let mut found = BTreeSet::new();
    for color in look.addresses.keys() {
        if look.workload.workers(color).await?.iter().any(|worker| worker.running) {
            found.insert(color.clone());
        }
    }
    Ok(found)
}

pub(super) async fn look_around(
    began: Time,
    steps: Vec<(HoldPart, bool, StepKind)>,
    frozen: Vec<serde_json::Value>,
    look: &LookCx,
) -> Around {
    let mut around = Around {
        began,
        can: Vec::new(),
        standing: BTreeMap::new(),
        running: BTreeSet::new(),
        working: BTreeSet::new(),
        lifted: lifted(look, frozen).await,
    };
    for (part, held, step) in steps {
        around.standing.insert(part, (held, standing(&step, look).await));
    }
    for color in look.addresses.keys() {
        if look.workload.look(color).await.is_ok_and(|state| state.running) {
            around.running.insert(color.clone());
        }
    }
    around.working = working(look).await.unwrap_or_default();
    around.can = can_hold(look).await;
    around
}

/// What can be held, and what each costs.
async fn can_hold(look: &LookCx) -> Vec<CanHold> {
    let proxy = look.traffic.look().await;
    let mut workers = 0;
    for color in look.addresses.keys() {
        workers += look.workload.workers(color).await.map_or(0, |found| found.len());
    }
    let card = |part: HoldPart| {
        let (can, text) = match (part, &proxy) {
            (HoldPart::Consumers, _) if workers == 0 => (false, "there are none".to_owned()),
            (HoldPart::Consumers, _) => (true, part.cost().to_owned()),
            (HoldPart::Page | HoldPart::Writers, Ok(state)) if state.held.is_some() => {
                (true, part.cost().to_owned())
            }
            (HoldPart::Page | HoldPart::Writers, Ok(_)) => {
                (false, "the proxy has no such switch".to_owned())
            }
            (HoldPart::Page | HoldPart::Writers, Err(error)) => (false, error.message.clone()),
        };
        CanHold { part, can, text: SafeText::new(&text) }
    };
    HoldPart::ALL.map(card).to_vec()
}
