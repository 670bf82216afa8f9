//! One deploy, however many sources tell of it: what they say is held together here.

use crate::model::entry::Change;
use crate::model::ids::{PointId, Time};
use crate::model::restore_point::{Evidence, Known, RestorePoint};
use crate::text::SafeText;

use super::{APART, APART_WITH_REFERENCE, ChangeKind, ChangeState, DeployReport};

impl DeployReport {
    /// The change it makes, now that `known` are known; `who` reports.
    pub fn change(&self, known: &[Change], who: &SafeText, now: Time) -> Change {
        let ended = (self.state != ChangeState::Running).then_some(now);
        let fresh = Change {
            at: now,
            version: self.version.clone(),
            color: self.color.clone(),
            by: self.by.clone().unwrap_or_else(|| who.clone()),
            reference: self.reference.clone(),
            schema: self.schema,
            state: self.state,
            kind: ChangeKind::Deploy,
            ended_at: ended,
            images: self.images.clone(),
            config: self.config.clone(),
            evidence: "reported".into(),
        };
        let begun = known.iter().find(|change| {
            change.state == ChangeState::Running && ended.is_some() && change.same_place(&fresh)
        });
        match begun {
            // What was said at the beginning need not be said again at the end.
            Some(begun) => Change {
                at: begun.at,
                color: fresh.color.or_else(|| begun.color.clone()),
                by: self.by.clone().unwrap_or_else(|| begun.by.clone()),
                reference: or(fresh.reference, &begun.reference),
                schema: fresh.schema.or(begun.schema),
                images: if fresh.images.is_empty() { begun.images.clone() } else { fresh.images },
                config: fresh.config.or_else(|| begun.config.clone()),
                ..fresh
            },
            None => fresh,
        }
    }
}

fn or(text: SafeText, other: &SafeText) -> SafeText {
    if text.is_empty() { other.clone() } else { text }
}

impl Change {
    /// The same version at the same place, whenever.
    pub fn same_place(&self, other: &Self) -> bool {
        let color = match (&self.color, &other.color) {
            (Some(one), Some(two)) => one == two,
            (None, _) | (_, None) => true,
        };
        let reference = self.reference.is_empty()
            || other.reference.is_empty()
            || self.reference == other.reference;
        self.kind == other.kind && self.version == other.version && color && reference
    }

    /// Whether a pipeline told of it, begin and end by the same name.
    pub(super) fn is_report(&self) -> bool {
        self.state == ChangeState::Running || self.ended_at.is_some()
    }

    /// Whether both tell of one deploy: sources date it by its begin or by its end, while reports
    /// are told apart by their begin.
    pub fn same_deploy(&self, other: &Self) -> bool {
        if self.is_report() && other.is_report() {
            return self.at == other.at && self.same_place(other);
        }
        let named = !self.reference.is_empty() && self.reference == other.reference;
        let apart = if named { APART_WITH_REFERENCE } else { APART };
        let (one, two) = (self.ended_at.unwrap_or(self.at), other.ended_at.unwrap_or(other.at));
        let near = (self.at - apart) <= two && (other.at - apart) <= one;
        self.same_place(other) && near
    }

    /// Whether `other` tells more of this same deploy.
    pub(super) fn yields_to(&self, other: &Self) -> bool {
        let later = || other.ended_at > self.ended_at && other.state != self.state;
        match self.state.rank().cmp(&other.state.rank()) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.state.rank() == 2 && later(),
            std::cmp::Ordering::Greater => false,
        }
    }

    /// Its line of the timeline.
    pub fn line(&self) -> String {
        let Self { version, by, reference, .. } = self;
        let what = self.kind.words();
        let who = if reference.is_empty() {
            format!("by {by}")
        } else {
            format!("by {by} ({reference})")
        };
        match self.state {
            ChangeState::Running => format!("{what} {version} {who} begins"),
            ChangeState::Done => format!("{what} {version} {who}"),
            ChangeState::Failed => format!("{what} {version} {who} FAILED"),
            ChangeState::Noticed => format!("{what} {version} noticed: {}", self.evidence),
        }
    }

    /// The restore point that a reported deploy leaves.
    pub fn record(&self) -> RestorePoint {
        let at = self.ended_at.unwrap_or(self.at);
        let by = if self.reference.is_empty() {
            format!("deployed by {}", self.by)
        } else {
            format!("deployed by {}, {}", self.by, self.reference)
        };
        RestorePoint {
            id: PointId(format!("deploy-{}", at.format("%Y%m%d-%H%M%S"))),
            taken_at: Some(at),
            version: self.version.clone(),
            images: self.images.clone(),
            schema: self.schema,
            known: Known {
                evidence: Evidence::Recorded,
                by: SafeText::new(&by),
                ..Known::default()
            },
            ..RestorePoint::default()
        }
    }
}
