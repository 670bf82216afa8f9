//! What is known of deploys: reported by a pipeline, read from a file, or noticed by looking
//! (design 20). One deploy is one change, however many sources tell of it.

use std::collections::BTreeMap;

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::Change;
use super::ids::{Color, Digest, PointId, Time};
use super::restore_point::RestorePoint;
use super::situation::Situation;

/// Changes that are kept.
pub const CHANGES: usize = 8;
/// Restore points that deploys recorded; a pinned one is kept beyond it.
pub const RECORDS: usize = 16;

/// How far apart two sources may date one deploy.
const APART: Duration = Duration::minutes(10);
/// The same when both name the same job.
const APART_WITH_REFERENCE: Duration = Duration::hours(6);

/// How far a change is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// Begun, and its end was not reported.
    Running,
    /// Reported as done.
    #[default]
    Done,
    /// Reported as failed: what it left is not known.
    Failed,
    /// Nobody reported it; a look found another version or other files.
    Noticed,
}

impl ChangeState {
    /// `running`, `done`, `failed`, `noticed`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Noticed => "noticed",
        }
    }

    /// What a better source says replaces what a weaker one said.
    fn rank(self) -> u8 {
        match self {
            Self::Noticed => 0,
            Self::Running => 1,
            Self::Done | Self::Failed => 2,
        }
    }
}

/// What was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A version.
    #[default]
    Deploy,
    /// The configuration of the version that was there.
    Configuration,
}

impl ChangeKind {
    /// `deploy`, `configuration of`: what stands before the version.
    pub fn words(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Configuration => "configuration of",
        }
    }
}

/// What a pipeline says of its deploy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeployReport {
    /// Begun, done or failed.
    pub state: ChangeState,
    /// The version it brings.
    pub version: SafeText,
    /// Where to.
    pub color: Option<Color>,
    /// Who, where that is not the one who reports.
    pub by: Option<SafeText>,
    /// The job: `ci#4711`.
    pub reference: SafeText,
    /// `name@sha256:…`, one per service.
    pub images: Vec<SafeText>,
    /// The schema it brings.
    pub schema: Option<i64>,
    /// Digest of the configuration it brings.
    pub config: Option<SafeText>,
}

/// What lies on a colour, as it was last looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRelease {
    /// The version.
    pub version: SafeText,
    /// Over its artefacts and configuration, where that can be told.
    pub digest: Option<Digest>,
    /// Since when it is known to be there.
    pub since: Time,
}

/// Why a point is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    /// Who.
    pub by: SafeText,
    /// When.
    pub at: Time,
    /// Why.
    pub reason: SafeText,
}

/// The part of the situation that deploys make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deploys {
    /// Restore points that reported deploys recorded, newest first.
    pub records: Vec<RestorePoint>,
    /// Points that are never trimmed.
    pub pins: BTreeMap<PointId, Pin>,
    /// What lay on each colour at the last look.
    pub releases: BTreeMap<Color, SeenRelease>,
}

impl Situation {
    /// The deploy whose end was not reported yet, the newest one.
    pub fn running_deploy(&self) -> Option<&Change> {
        self.changes.iter().find(|change| change.state == ChangeState::Running)
    }

    /// Whether folding `change` in would tell anything new: only then it is written.
    pub fn learns(&self, change: &Change) -> bool {
        if let Some(known) = self.changes.iter().find(|known| known.same_deploy(change)) {
            return known.yields_to(change);
        }
        let oldest = self.changes.last().filter(|_| self.changes.len() >= CHANGES);
        oldest.is_none_or(|oldest| change.at > oldest.at)
    }

    /// Folds in a change; the same deploy told by another source stays one.
    pub(super) fn take_change(&mut self, change: &Change) -> Option<String> {
        if let Some(known) = self.changes.iter_mut().find(|known| known.same_deploy(change)) {
            if !known.yields_to(change) {
                return None;
            }
            let at = known.at.min(change.at);
            let color = change.color.clone().or_else(|| known.color.clone());
            *known = Change { at, color, ..change.clone() };
        } else {
            self.changes.push(change.clone());
        }
        self.changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        self.changes.truncate(CHANGES);
        Some(change.line())
    }

    /// Folds in a restore point that a deploy recorded.
    pub(super) fn take_record(&mut self, point: &RestorePoint) {
        let deploys = &mut self.deploys;
        deploys.records.retain(|known| known.id != point.id);
        deploys.records.insert(0, point.clone());
        let mut free = RECORDS;
        deploys.records.retain(|known| {
            if deploys.pins.contains_key(&known.id) {
                return true;
            }
            let room = free > 0;
            free = free.saturating_sub(1);
            room
        });
    }

    /// Folds in a pin, or its end; the list shows it at once.
    pub(super) fn take_pin(&mut self, point: &PointId, pin: Option<Pin>) {
        for shown in self.points.iter_mut().filter(|shown| &shown.id == point) {
            shown.known.pinned = pin.as_ref().map(|pin| pin.reason.clone());
        }
        match pin {
            Some(pin) => self.deploys.pins.insert(point.clone(), pin),
            None => self.deploys.pins.remove(point),
        };
    }

    /// Our own step laid a release there: nothing that anybody would have to report.
    pub(super) fn laid(&mut self, action: &serde_json::Value, at: Time) {
        let published = action.pointer("/publish_version/version").and_then(|text| text.as_str());
        if let Some(version) = published {
            // A site is its own only side.
            for seen in self.deploys.releases.values_mut() {
                let version = SafeText::new(version);
                *seen = SeenRelease { version, digest: None, since: at };
            }
            return;
        }
        let (step, undone) = match (action.get("deploy_workload"), action.get("rollout_undo")) {
            (Some(step), _) => (step, false),
            (None, Some(step)) => (step, true),
            (None, None) => return,
        };
        let text = |key: &str| step.get(key).and_then(serde_json::Value::as_str);
        // The only side of a workload is called as it is.
        let own = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let color =
            if undone { text("workload").map(own) } else { text("color").map(str::to_owned) };
        let (Some(color), Some(version)) = (color, text("version")) else { return };
        let digest = text(if undone { "to" } else { "digest" });
        let digest = digest.map(|digest| Digest(digest.to_owned()));
        let seen = SeenRelease { version: SafeText::new(version), digest, since: at };
        self.deploys.releases.insert(Color(color), seen);
    }
}

/// What a report leads to: the change, where it tells anything new, and the point it records.
pub fn reported(
    situation: &Situation,
    report: &DeployReport,
    who: &SafeText,
    now: Time,
) -> Option<(Change, Option<RestorePoint>)> {
    let change = report.change(&situation.changes, who, now);
    // A pipeline that asks twice tells of one deploy.
    let said = situation.changes.iter().any(|known| {
        let end = known.ended_at.unwrap_or(known.at);
        known.is_report()
            && known.state == change.state
            && known.same_place(&change)
            && (known.state == ChangeState::Running || now - end < APART)
    });
    if said {
        return None;
    }
    let point = (change.state == ChangeState::Done).then(|| change.record());
    Some((change, point))
}

/// The colours whose release is another one than at the last look although nobody said so.
/// `seen` is what lies there now, since when by the files themselves.
pub fn noticed(
    situation: &Situation,
    told: &[Change],
    seen: &BTreeMap<Color, SeenRelease>,
    now: Time,
) -> Vec<Change> {
    let mut found = Vec::new();
    for (color, new) in seen {
        let Some(old) = situation.deploys.releases.get(color) else { continue };
        let kind = if old.version != new.version {
            ChangeKind::Deploy
        } else if old.digest.is_some() && new.digest.is_some() && old.digest != new.digest {
            ChangeKind::Configuration
        } else {
            continue;
        };
        let reported = situation.changes.iter().chain(told).any(|change| {
            let here = change.color.is_none() || change.color.as_ref() == Some(color);
            let ended = change.ended_at.unwrap_or(change.at);
            let open = change.state == ChangeState::Running;
            let known = match change.state {
                ChangeState::Running | ChangeState::Done | ChangeState::Failed => true,
                ChangeState::Noticed => false,
            };
            let slack = if kind == ChangeKind::Deploy { APART } else { Duration::zero() };
            known && here && change.version == new.version && (open || ended + slack >= old.since)
        });
        if reported {
            continue;
        }
        let what = match kind {
            ChangeKind::Deploy => format!("{color} had {} before, nobody reported it", old.version),
            ChangeKind::Configuration => {
                format!("the files of {color} are others under the same version")
            }
        };
        // The files say when; but not before the look that still saw the old ones began to count.
        let at = if new.since > old.since && new.since <= now { new.since } else { now };
        found.push(Change {
            at,
            version: new.version.clone(),
            color: Some(color.clone()),
            by: "nobody known".into(),
            state: ChangeState::Noticed,
            kind,
            evidence: SafeText::new(&what),
            ..Change::default()
        });
    }
    found
}

mod change;
#[cfg(test)]
mod tests;
