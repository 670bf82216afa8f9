//! The forms of level 1: traffic to a live second version, else the recorded release started
//! again, on the colour without traffic where there is one, else in place (design 15).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapters::{Release, Released};
use crate::config::Config;
use crate::evidence::points;
use crate::model::deploys::{ChangeKind, ChangeState};
use crate::model::ids::Color;
use crate::model::restore_point::RestorePoint;
use crate::model::situation::PastRun;
use crate::model::verdict::clock as minutes;
use crate::text::SafeText;

use super::planner::Facts;
use super::playbook::{Filled, Playbook};
use super::stack::Stack;

/// How long a release takes to be replaced where no run has measured it yet.
const REPLACED: Duration = Duration::from_secs(8);

/// How level 1 goes back.
#[derive(Clone, Debug)]
pub enum Form {
    /// Traffic goes to a version that runs.
    Switch {
        /// Where to.
        to: Color,
    },
    /// A recorded release is started on a colour, then traffic goes there.
    Redeploy(Redeploy),
}

/// A recorded release that is started again.
#[derive(Clone, Debug)]
pub struct Redeploy {
    /// On which colour.
    pub to: Color,
    /// What.
    pub release: Release,
    /// What lies there now; it is kept, and is the way back.
    pub before: Released,
    /// Whether that runs.
    pub before_runs: bool,
    /// Whether the colour has the traffic: users get no answer meanwhile.
    pub in_place: bool,
}

/// The fastest form that is possible.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// It.
    pub form: Form,
    /// Why the faster ones are not.
    pub not: Vec<String>,
}

impl Form {
    /// The colour that serves afterwards.
    pub fn to(&self) -> &Color {
        match self {
            Self::Switch { to } | Self::Redeploy(Redeploy { to, .. }) => to,
        }
    }

    /// How long users get no answer, by the last time or by a guess.
    pub fn gap(&self, history: &[PastRun]) -> Duration {
        match self {
            Self::Redeploy(Redeploy { in_place: true, .. }) => {
                let steps = history.iter().flat_map(|run| &run.steps);
                let mut took = steps.filter(|(step, _)| step == "deploy_workload");
                took.next().map_or(REPLACED, |(_, took)| (*took).max(Duration::from_secs(1)))
            }
            Self::Redeploy(_) | Self::Switch { .. } => Duration::ZERO,
        }
    }
}

impl Chosen {
    /// What the card says: the form, its gap, and why no faster one.
    pub fn words(&self, history: &[PastRun]) -> SafeText {
        let Form::Redeploy(Redeploy { to, release, in_place, .. }) = &self.form else {
            return SafeText::new("traffic switch to the live second version");
        };
        let place = if *in_place { "in place on" } else { "on free" };
        let gap = minutes(self.form.gap(history));
        let mut text = format!("redeploy of {} {place} {to}, gap {gap}", release.version);
        for not in &self.not {
            text = format!("{text}; no switch: {not}");
        }
        SafeText::new(&text)
    }

    /// The playbook of the form.
    pub fn playbook(&self) -> Result<Playbook, crate::adapters::Error> {
        match &self.form {
            Form::Switch { .. } => Playbook::two_color(),
            Form::Redeploy(Redeploy { in_place: false, .. }) => Playbook::redeploy(),
            Form::Redeploy(Redeploy { in_place: true, .. }) => Playbook::redeploy_in_place(),
        }
    }

    /// What the playbook of the form asks for beside the times.
    pub fn facts(&self, facts: &mut BTreeMap<&str, Value>) {
        let Form::Redeploy(redeploy) = &self.form else { return };
        let before = redeploy.before.digest.clone().unwrap_or_default();
        facts.extend([
            ("version", json!(redeploy.release.version)),
            ("digest", json!(redeploy.release.digest)),
            ("before_version", json!(redeploy.before.version)),
            ("before_digest", json!(before)),
            ("before_runs", json!(redeploy.before_runs)),
        ]);
    }

    /// Takes the way back out where nothing that can be named lies there; says so.
    pub fn without_way_back(&self, filled: &mut Filled) -> Option<SafeText> {
        let Form::Redeploy(redeploy) = &self.form else { return None };
        if redeploy.before.digest.is_some() {
            let (to, before) = (&redeploy.to, &redeploy.before.version);
            let kept = format!("{before} on {to} is replaced; it is kept among the releases");
            return (redeploy.before.version != redeploy.release.version)
                .then(|| SafeText::new(&kept));
        }
        filled.undo.retain(|(spec, _)| spec.id.as_str() != "undo_deploy");
        for (spec, _) in &mut filled.steps {
            spec.undo.take_if(|undo| undo.as_str() == "undo_deploy");
        }
        Some(SafeText::new(&format!(
            "what lies on {} now cannot be named: no way back",
            redeploy.to
        )))
    }
}

/// Chooses the fastest form that leads to the target, or to the last version on record.
pub async fn choose(
    config: &Config,
    facts: &Facts,
    stack: &Stack,
    active: &Color,
) -> Result<Chosen, String> {
    let other = stack.other(active).cloned();
    let wanted = wanted(config, facts, active)?;
    let serving = facts.points.iter().find(|point| point.color.as_ref() == Some(active));
    let serving = serving.map(|point| point.version.clone());
    let mut not = Vec::new();
    match &other {
        None => not.push("there is no second colour to go back to".to_owned()),
        Some(other) => {
            let state = stack.workload.look(other).await;
            let running = state.as_ref().is_ok_and(|state| state.running);
            let live = facts.points.iter().find(|point| point.color.as_ref() == Some(other));
            let version = match (live, &state) {
                (Some(point), _) => point.version.clone(),
                (None, Ok(state)) => state.version.clone(),
                (None, Err(_)) => SafeText::default(),
            };
            let it = wanted.as_ref().is_none_or(|wanted| {
                wanted.color.as_ref() == Some(other) || wanted.version == version
            });
            match state {
                _ if running && it => {
                    let form = Form::Switch { to: other.clone() };
                    return Ok(Chosen { form, not });
                }
                Err(error) => not.push(error.message),
                Ok(_) if running => not.push(format!("{other} runs {version}")),
                Ok(_) => not.push(format!("{other} does not run")),
            }
        }
    }
    let to = other.clone().unwrap_or_else(|| active.clone());
    let before = stack.workload.released(&to).await.unwrap_or_default();
    let before_runs = stack.workload.look(&to).await.is_ok_and(|state| state.running);
    let releases = stack.workload.releases().await.map_err(|error| error.message)?;
    let release = match &wanted {
        Some(wanted) => release_of(&releases, &wanted.version, &before),
        None => last_on_record(facts, &releases, serving.as_ref(), &before),
    };
    let release = release.map_err(|why| format!("{}; {why}", not.join("; ")))?;
    let in_place = other.is_none();
    let form = Form::Redeploy(Redeploy { to, release, before, before_runs, in_place });
    Ok(Chosen { form, not })
}

/// The point that was asked for, by its name or its version.
fn wanted(config: &Config, facts: &Facts, active: &Color) -> Result<Option<RestorePoint>, String> {
    let Some(target) = &facts.target else { return Ok(None) };
    let point = facts
        .points
        .iter()
        .find(|point| &point.id == target || point.version.as_str() == target.as_str());
    let Some(point) = point else {
        let known = facts.points.iter().map(|point| &point.id);
        let folder = config.restore_points.as_deref();
        return Err(points::not_found(target.as_str(), folder, known).join("; "));
    };
    let serves = |point: &RestorePoint| point.color.as_ref() == Some(active);
    let runs_now = facts.points.iter().find(|point| serves(point));
    if serves(point) || runs_now.is_some_and(|now| now.version == point.version) {
        return Err(format!("{target} is what runs now: there is nothing to go back to"));
    }
    match &point.refused {
        Some(why) if point.color.is_none() && point.version.as_str() == "unknown" => {
            Err(format!("{target} is refused: {why}"))
        }
        Some(_) | None => Ok(Some(point.clone())),
    }
}

/// The whole release of a version; what lies there already before any other of that version.
fn release_of(
    releases: &[Release],
    version: &SafeText,
    lies: &Released,
) -> Result<Release, String> {
    let of_version = || releases.iter().filter(|release| &release.version == version);
    let whole = || of_version().filter(|release| release.broken.is_none());
    let there = whole().find(|release| Some(&release.digest) == lies.digest.as_ref());
    if let Some(release) = there.or_else(|| whole().next()) {
        return Ok(release.clone());
    }
    if let Some(why) = of_version().find_map(|release| release.broken.clone()) {
        return Err(format!("the release {version} cannot be started: {why}"));
    }
    let mut known: Vec<&str> = releases.iter().map(|release| release.version.as_str()).collect();
    known.dedup();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(format!("no release {version} is recorded, known are {known}"))
}

/// Without a target: the version of the last finished deploy before the one that serves (W-16);
/// what lies on the free colour only where no deploy is on record.
fn last_on_record(
    facts: &Facts,
    releases: &[Release],
    serving: Option<&SafeText>,
    lies: &Released,
) -> Result<Release, String> {
    let versions = facts
        .known
        .changes
        .iter()
        .filter(|change| change.state == ChangeState::Done && change.kind == ChangeKind::Deploy)
        .map(|change| &change.version);
    let laid = Some(&lies.version).filter(|version| !version.is_empty());
    let mut why = None;
    for version in versions.chain(laid).filter(|version| Some(*version) != serving) {
        match release_of(releases, version, lies) {
            Ok(release) => return Ok(release),
            Err(no) => {
                why.get_or_insert(no);
            }
        }
    }
    Err(why.unwrap_or_else(|| "no earlier deploy is on record: name a target".to_owned()))
}
