//! One past run as a script asks for it: the trigger (P-08), and the four fields of P-30.

use serde::Serialize;

use crate::model::entry::Outcome;
use crate::model::ids::RunId;
use crate::model::situation::PastRun;
use crate::model::trigger::TriggerReason;
use crate::text::SafeText;

use super::facts::minutes;

/// What set a run off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriggerDocument {
    /// Its name.
    pub trigger_id: String,
    /// One of a closed list.
    pub reason: TriggerReason,
    /// Who confirmed.
    pub triggered_by: SafeText,
    /// The deploy that was taken back: its job, else its version.
    pub deployment_id: Option<SafeText>,
    /// In that person's words.
    pub message: SafeText,
}

/// One past run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Execution {
    /// The run's name, which `rollback --undo` takes.
    pub execution_id: RunId,
    /// `success` or `failed`, as in the history file.
    pub status: &'static str,
    /// How it really ended: `done`, `failed`, `aborted`, `undone`, `unknown`.
    pub outcome: &'static str,
    /// From the confirmation until traffic was good, or until it ended.
    pub duration_minutes: f64,
    /// The services that it moved.
    pub services: Vec<String>,
    /// What set it off.
    pub trigger: TriggerDocument,
}

impl Execution {
    /// Of a run of the journal.
    pub fn of(past: &PastRun) -> Self {
        let known = past.trigger.as_deref();
        Self {
            execution_id: past.run.clone(),
            status: if past.ended.outcome == Outcome::Done { "success" } else { "failed" },
            outcome: past.ended.outcome.words(),
            duration_minutes: (past.ended.took.as_secs_f64() / 60.0 * 100.0).round() / 100.0,
            services: known.map(|one| one.services.iter().cloned().collect()).unwrap_or_default(),
            trigger: TriggerDocument {
                trigger_id: format!("trigger-{}", past.run),
                reason: known.map(|one| one.reason).unwrap_or_default(),
                triggered_by: past.by.clone(),
                deployment_id: known.map(|one| one.deployment.clone()),
                message: past.reason.clone(),
            },
        }
    }
}

/// The runs as text, four lines each.
pub fn text(runs: &[&PastRun]) -> String {
    let told = runs.iter().map(|past| {
        let Execution { execution_id, status, outcome, services, trigger, .. } =
            Execution::of(past);
        let services = if services.is_empty() { "-".to_owned() } else { services.join(", ") };
        format!(
            "Execution: {execution_id}\nStatus: {status} ({outcome})\nDuration: {} minutes\n\
             Services: {services}\nTriggered by: {}: {}\n",
            minutes(past.ended.took),
            trigger.triggered_by,
            trigger.message
        )
    });
    told.collect::<Vec<_>>().join("\n")
}
