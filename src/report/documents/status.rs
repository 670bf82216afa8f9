//! `status`: where the environment stands.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::bundle::BundleCard;
use crate::model::entry::Change;
use crate::model::ids::{CheckId, Color, Time, incident_name};
use crate::model::live::Live;
use crate::model::mute::{Mute, Override};
use crate::model::reading::Reading;
use crate::model::severity::Severity;
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::check::Health;

/// `status --json` without a deployment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Now.
    pub timestamp: Time,
    /// The environment's name.
    pub environment: String,
    /// Whether it is production.
    pub production: bool,
    /// `healthy`, `warning`, `critical` or `unknown`.
    pub health_status: Health,
    /// The class (S-05 to S-08).
    pub severity: Option<Severity>,
    /// `INC-0142`, while one is open.
    pub incident: Option<String>,
    /// The state of the run, in the header's words.
    pub run_state: Option<&'static str>,
    /// What the run waits for.
    pub waiting: Option<SafeText>,
    /// Who leads.
    pub lead: Option<SafeText>,
    /// Whether an engine holds the lease, by the journal.
    pub engine_running: bool,
    /// Seconds since the engine was last heard.
    pub heard_seconds: Option<i64>,
    /// What is temporarily changed.
    pub leftovers: Vec<SafeText>,
    /// When the incident began, as far as is known.
    pub began: Option<Time>,
    /// What counts for nothing now, with its author, reason and end.
    pub muted: Vec<String>,
    /// Values that are changed for a while, with author, reason and end (W-45).
    pub changed: Vec<String>,
    /// Why our own line is in doubt: nothing starts by itself.
    pub is_it_us: Option<SafeText>,
    /// Checks that change too often to be followed.
    pub flapping: Vec<CheckId>,
    /// The two rows of the verdict line.
    pub sentence: [String; 2],
    /// What changed lately, newest first.
    pub changes: Vec<ChangeLine>,
    /// What was kept of incidents, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<BundleCard>,
}

/// One change of `status --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeLine {
    /// When it began, or was found.
    pub at: Time,
    /// `deploy` or `configuration of`.
    pub what: &'static str,
    /// The version.
    pub version: SafeText,
    /// The colour it went to.
    pub color: Option<Color>,
    /// `running`, `done`, `failed` or `noticed`.
    pub state: &'static str,
    /// Who.
    pub by: SafeText,
    /// The job.
    pub reference: SafeText,
    /// What it is known from.
    pub evidence: SafeText,
    /// Seconds from it to the first bad reading; nothing when it came after, or nothing is bad.
    pub before_first_bad_seconds: Option<i64>,
}

fn changes(situation: &Situation) -> Vec<ChangeLine> {
    let bad = crate::model::verdict::first_bad(situation);
    let line = |change: &Change| ChangeLine {
        at: change.at,
        what: change.kind.words(),
        version: change.version.clone(),
        color: change.color.clone(),
        state: change.state.words(),
        by: change.by.clone(),
        reference: change.reference.clone(),
        evidence: change.evidence.clone(),
        before_first_bad_seconds: bad
            .filter(|bad| *bad >= change.at)
            .map(|bad| (bad - change.at).num_seconds()),
    };
    situation.changes.iter().map(line).collect()
}

/// The document of `status`.
pub fn status(
    situation: &Situation,
    live: Option<&Live>,
    readings: &BTreeMap<CheckId, Reading>,
    now: Time,
) -> Standing {
    let lines = crate::model::verdict::lines(situation, live, readings, now);
    let waiting = situation.open_run().and_then(|run| run.waiting.as_ref());
    Standing {
        timestamp: now,
        environment: situation.environment().to_owned(),
        production: situation.production(),
        health_status: Health::of(situation),
        severity: situation.assessment.as_ref().map(|one| one.severity),
        incident: situation.incident.as_ref().map(|one| incident_name(one.id)),
        run_state: situation.run.as_ref().map(|run| run.state().label()),
        waiting: waiting.map(|waiting| waiting.why.clone()),
        lead: situation.lead.as_ref().map(|lead| lead.who.name.clone()),
        engine_running: situation.engine.as_ref().is_some_and(|one| !one.stopped),
        heard_seconds: live.map(|live| (now - live.at).num_seconds().max(0)),
        leftovers: situation.leftovers.iter().map(|leftover| leftover.name.clone()).collect(),
        began: situation.incident.as_ref().map(crate::model::incident::Incident::began),
        muted: situation.judging.mutes.iter().map(Mute::words).collect(),
        changed: situation.judging.overrides.iter().map(Override::words).collect(),
        is_it_us: situation.judging.line.as_ref().map(|doubt| doubt.why.clone()),
        flapping: situation.judging.flapping.iter().cloned().collect(),
        sentence: [lines.what, lines.next],
        changes: changes(situation),
        bundles: situation.bundles.clone(),
    }
}

/// `status --json --deployment-id`: exactly the keys and types of P-28.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deployment {
    /// Whether an engine runs.
    pub integration_running: bool,
    /// As asked.
    pub deployment_id: String,
    /// As asked, else as configured.
    pub environment: String,
    /// `healthy`, `warning`, `critical` or `unknown`.
    pub health_status: Health,
    /// Runs that are not over.
    pub active_rollbacks: usize,
    /// Runs ever, as far as they are kept.
    pub total_rollbacks: usize,
    /// Whether a rule may start level 1.
    pub auto_rollback_enabled: bool,
    /// When the engine last reported, RFC 3339 with Z.
    pub last_report_time: Option<String>,
}

/// The document of P-28. `automatic` is what the configuration lets rules do; a freeze takes it
/// back.
pub fn deployment(
    situation: &Situation,
    live: Option<&Live>,
    (deployment, environment): (&str, Option<&str>),
    automatic: bool,
) -> Deployment {
    let heard = live.map(|live| live.at).or(situation.at);
    Deployment {
        integration_running: situation.engine.as_ref().is_some_and(|one| !one.stopped),
        deployment_id: deployment.to_owned(),
        environment: environment.unwrap_or_else(|| situation.environment()).to_owned(),
        health_status: Health::of(situation),
        active_rollbacks: usize::from(situation.open_run().is_some()),
        total_rollbacks: situation.history.len(),
        auto_rollback_enabled: automatic && situation.frozen().is_none(),
        last_report_time: heard.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
    }
}
