//! `backout trigger`: says that a rollback is wanted, from a pipeline or by a person (P-79, P-04).

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::model::ids::CommandId;
use crate::model::severity::Severity;
use crate::model::trigger::TriggerReason;
use crate::model::trigger_call::{TriggerCall, TriggerKind};
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, say};

/// How long making the plan may take.
const PLANNING: Duration = Duration::from_mins(1);

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "one flag a kind, as the documents have them")]
pub(crate) struct TriggerArguments {
    /// A person wants it
    #[arg(long, group = "kind")]
    manual: bool,
    /// A monitoring system wants it
    #[arg(long, group = "kind")]
    automatic: bool,
    /// A deploy pipeline failed
    #[arg(long, group = "kind")]
    external: bool,
    /// The deploy of another repository is the matter
    #[arg(long, group = "kind")]
    cross_repository: bool,
    /// What it is about: a service, a pipeline, an alert
    #[arg(long)]
    name: String,
    /// Why, for people
    #[arg(long)]
    message: String,
    /// The deploy it is about: a job or a version
    #[arg(long, value_name = "ID", default_value = "")]
    deployment_id: String,
    /// Why, as one of the list
    #[arg(long, value_enum, default_value = "manual")]
    reason: Reason,
    /// An id: the same call twice is one call
    #[arg(long)]
    id: Option<String>,
    /// Only tell people: nobody wants a rollback
    #[arg(long)]
    alert: bool,
    /// What was said before is over
    #[arg(long)]
    over: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Reason {
    ServiceDown,
    ErrorRate,
    PerformanceDegradation,
    DataCorruption,
    Manual,
}

impl Reason {
    fn reason(self) -> TriggerReason {
        match self {
            Self::ServiceDown => TriggerReason::ServiceDown,
            Self::ErrorRate => TriggerReason::ErrorRate,
            Self::PerformanceDegradation => TriggerReason::PerformanceDegradation,
            Self::DataCorruption => TriggerReason::DataCorruption,
            Self::Manual => TriggerReason::Manual,
        }
    }
}

impl TriggerArguments {
    fn call(&self) -> TriggerCall {
        let kind = if self.automatic {
            TriggerKind::Automatic
        } else if self.external {
            TriggerKind::External
        } else if self.cross_repository {
            TriggerKind::CrossRepository
        } else {
            TriggerKind::Manual
        };
        TriggerCall {
            kind,
            name: SafeText::new(&self.name),
            reason: self.reason.reason(),
            severity: Severity::High,
            deployment: SafeText::new(&self.deployment_id),
            message: SafeText::new(&self.message),
            rollback: !self.alert,
            over: self.over,
        }
    }
}

pub(crate) async fn run(
    world: &World,
    asked: &TriggerArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let call = asked.call();
    let wants = call.rollback && !call.over;
    let mut session = Session::open(world, Need::Change).await?;
    let began = session.now();
    let command = Command::Trigger { call: Box::new(call) };
    match &asked.id {
        Some(id) => {
            session.send_as(CommandId(format!("trigger cli {id}")), command).await?;
        }
        None => session.send(command).await?,
    }
    if wants && session.situation.open_run().is_none() {
        session
            .wait_for(PLANNING, |session| {
                let situation = &session.situation;
                let refused = situation.refused.as_ref().is_some_and(|no| no.at >= began);
                situation.plan.is_some() || refused || situation.open_run().is_some()
            })
            .await?;
    }
    session.refresh().await?;
    let situation = &session.situation;
    if world.json {
        let document = serde_json::json!({
            "trigger": situation.triggers.last(),
            "incident": situation.incident.as_ref().map(|one| one.id),
            "plan": situation.plan.as_ref().map(|open| open.digest.clone()),
            "run": situation.open_run().map(|run| run.id.clone()),
        });
        session::json(out, &document);
        session.close().await;
        return Ok(Exit::Ok);
    }
    let what = if let Some(run) = situation.open_run() {
        format!("run {} is open", run.id)
    } else if let (true, Some(open)) = (wants, &situation.plan) {
        format!(
            "plan {} of level {} waits for a person: backout attach",
            open.digest.short(),
            open.plan.core.level
        )
    } else if let (true, Some(no)) = (wants, &situation.refused) {
        format!("no plan of level {}: {}", no.level, no.why)
    } else {
        "people are told".to_owned()
    };
    session.close().await;
    say(out, &format!("taken; {what}\n"));
    Ok(Exit::Ok)
}
