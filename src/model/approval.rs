//! A level that takes two people: the first word is kept, the second starts it (`two_person`).

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::{Author, Entry, Event};
use super::ids::{Digest, Time};
use super::situation::Situation;

/// A first word is worth nothing after so long: what was read then may not hold any more.
pub const LASTS: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// The first of two words, as it is asked for the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What was approved.
    pub plan: Digest,
    /// By whom.
    pub who: Author,
    /// Why.
    pub reason: SafeText,
    /// Minutes of data whose loss is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_loss: Option<u64>,
}

/// The first of two words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// What was read and approved.
    pub plan: Digest,
    /// By whom; the second must have another uid.
    pub who: Author,
    /// Why.
    pub reason: SafeText,
    /// Minutes of data whose loss is accepted.
    pub accept_loss: Option<u64>,
    /// When.
    pub at: Time,
}

impl Situation {
    /// The first word for `plan`, while it counts.
    pub fn approved_by(&self, plan: &Digest, now: Time) -> Option<&Approval> {
        let approval = self.approval.as_ref();
        approval.filter(|one| &one.plan == plan && now - one.at < LASTS)
    }

    pub(super) fn approval_asked(&mut self, event: &Event, entry: &Entry) {
        let Event::ApprovalAsked(Asked { plan, who, reason, accept_loss }) = event else { return };
        self.approval = Some(Approval {
            plan: plan.clone(),
            who: who.clone(),
            reason: reason.clone(),
            accept_loss: *accept_loss,
            at: entry.at,
        });
        let text = format!("{} approves; a second person must too: {reason}", who.name);
        self.moment(entry.at, &text);
    }
}
