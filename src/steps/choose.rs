//! Where a recovery stops for a person: SWAP, BESIDE or NEW TIME. Never run: the journal ends it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx};

/// A person has chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {}

#[async_trait]
impl Step for Choose {
    fn title(&self) -> SafeText {
        "choose: SWAP, BESIDE or NEW TIME".into()
    }

    fn class(&self) -> Class {
        Class::Opaque
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn asks(&self) -> bool {
        true
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        "only SWAP loses anything".into()
    }

    async fn standing(&self, _cx: &LookCx) -> Standing {
        Standing::CannotTell("only a person can tell".into())
    }

    async fn run(&self, _cx: &StepCx) -> Result<SafeText, Error> {
        Err(Error::new(Kind::Rejected, "could not choose: only a person does"))
    }
}
