//! Tells the caches before a site that what they keep is old, and waits until each has said that it
//! is done (W-32). Told twice by a repeat, they only look again.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now, front, proof};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// The caches have nothing old of these paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvalidateEdge {
    /// The paths, such as `/*`.
    pub paths: Vec<String>,
    /// How long they may take.
    pub within_seconds: u64,
}

#[async_trait]
impl Step for InvalidateEdge {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("invalidate {} at the edge", self.paths.join(" ")))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let edges = cx.front.iter().flat_map(|front| &front.edges);
        edges.map(|edge| SafeText::new(&edge.by_hand(&self.paths))).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let edges = cx.front.iter().flat_map(|front| &front.edges);
        let names: Vec<String> = edges.map(crate::adapters::objects::Edge::words).collect();
        SafeText::new(&names.join(", "))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if proof::is_there(&cx.slot) { Standing::Done } else { Standing::NotDone }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let edges = &front(&cx.look)?.edges;
        fault::at_step("B4", cx.step.as_str());
        let mut told = Vec::new();
        for edge in edges {
            told.push((edge, edge.invalidate(&self.paths, &cx.look.effect).await?));
        }
        fault::at_step("B5", cx.step.as_str());
        let limit = Duration::from_secs(self.within_seconds);
        let waiting = async {
            for (edge, name) in &told {
                while !edge.completed(name).await? {
                    cx.tell(&format!("{}: {name} is not completed yet", edge.words()), None);
                    cx.wait(EVERY).await?;
                }
            }
            Ok::<_, Error>(())
        };
        let what = "see the invalidation completed";
        let ended = cx.look.clock.timeout(limit, waiting).await;
        ended.map_err(|_| Error::timed_out(what, limit))??;
        fault::at_step("B6", cx.step.as_str());
        proof::leave(&cx.look.slot)?;
        fault::at_step("B7", cx.step.as_str());
        let words = told.iter().map(|(edge, name)| format!("{}: {name} completed", edge.words()));
        Ok(SafeText::new(&words.collect::<Vec<_>>().join(", ")))
    }
}
