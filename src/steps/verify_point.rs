//! Reads a restore point through to its last byte, before anything is stopped (S-45, S-47).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::evidence::manifest::Key;
use crate::evidence::pace::Pace;
use crate::evidence::points;
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{blocking, point_folder};
use super::{LookCx, Step, StepCx};

/// The point is byte for byte what it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyPoint {
    /// Which.
    pub point: String,
    /// The digest of its manifest, where it has one.
    #[serde(default)]
    pub manifest: Option<Digest>,
}

#[async_trait]
impl Step for VerifyPoint {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("read restore point {} through", self.point))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, _cx: &LookCx) -> Vec<SafeText> {
        vec![SafeText::new(&format!("backout backup verify {}", self.point))]
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        "every byte against its manifest".into()
    }

    async fn standing(&self, _cx: &LookCx) -> Standing {
        Standing::NotDone
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let folder = point_folder(&cx.look, &self.point)?;
        let (all, key) = (cx.look.points.clone().unwrap_or_default(), cx.look.saved.key.clone());
        let (id, manifest) = (self.point.clone(), self.manifest.clone());
        let (progress, clock) = (cx.progress.clone(), cx.look.clock.clone());
        let pace = Pace::default();
        fault::at_step("B5", cx.step.as_str());
        blocking(move || {
            let damaged = |why: &str| {
                let message = format!("could not use restore point {}: {why}", folder.display());
                Error::new(Kind::Rejected, message)
            };
            let key = key.as_deref().map(Key::read).transpose()?;
            let point = points::find(&all, &id)?;
            if manifest.is_some() && point.digest != manifest {
                return Err(damaged("its manifest is not the one that was planned with"));
            }
            let told = |done: u64, all: u64| {
                progress.measure(&pace, "reading the point", (done, all), clock.ticks());
            };
            let read = points::verify(&point, key.as_ref(), &told);
            let found = read.map_err(|damage| damaged(&points::words(&damage)))?;
            Ok(SafeText::new(&format!("{} files, whole", found.names().count())))
        })
        .await
    }
}
