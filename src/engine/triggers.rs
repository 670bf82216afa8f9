//! Calls for a rollback: what follows from one, and the endpoint where other systems make them
//! (P-79, P-08, M-22). A call never does more than a person could: it opens the incident and has
//! the plan of level 1 made; only where the configuration says so it starts that level, when nobody
//! leads, and once an incident.

use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::model::entry::{Author, Command};
use crate::model::ids::CommandId;
use crate::model::plan::{Hazard, Level, Plan, Preflight};
use crate::model::signal::signals;
use crate::model::situation::OpenPlan;
use crate::model::tree::TreeVerdict;
use crate::model::trigger_call::TriggerCall;
use crate::report::metrics;
use crate::text::SafeText;

use super::answer::{Asker, answer, blocked};
use super::books::Line;
use super::run::Engine;

pub mod parse;
mod serve;

pub(super) use serve::serve;

/// A call that another system made.
#[derive(Debug)]
pub(super) struct Call {
    /// Under which name: `trigger alertmanager`.
    pub(super) by: SafeText,
    /// Its id: a repeated one is the same call.
    pub(super) id: CommandId,
    /// What was said.
    pub(super) said: TriggerCall,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<Taken>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is in the journal.
    Accepted,
    /// It was before.
    Repeated,
    /// It is not, and why.
    Refused(String),
}

impl Engine {
    /// The numbers of this moment, for Prometheus.
    pub(super) fn metrics(&self) -> String {
        let now = self.clock.now();
        let (cpu, memory) = crate::adapters::own::usage();
        let engine = self.books.situation.engine.as_ref();
        metrics::page(metrics::Facts {
            situation: &self.books.situation,
            roles: self.desk.all_roles(),
            tracks: &self.tracks,
            looks: &self.desk.looks,
            signals: &signals(&self.tracks, &self.roles, &self.recent, self.windows(now), now),
            slos: &self.rules.standings(now),
            process: metrics::Process { cpu, memory, started: engine.map(|engine| engine.since) },
            version: env!("CARGO_PKG_VERSION"),
            now,
        })
    }

    /// Answers the calls that came in, each before the next one.
    pub(super) async fn take_calls(&mut self) -> Result<(), Failure> {
        for one in std::mem::take(&mut self.mailer.calls) {
            let taken = self.take_call(&one).await?;
            one.answer.send(taken).ok();
        }
        Ok(())
    }

    async fn take_call(&mut self, one: &Call) -> Result<Taken, Failure> {
        let author = Author {
            uid: rustix::process::geteuid().as_raw(),
            name: one.by.clone(),
            ..Author::default()
        };
        let asker = Asker {
            author: author.clone(),
            read_only: false,
            leads: false,
            lead_alive: self.lead_is_alive(),
            silent_for: None,
            at: self.clock.now(),
        };
        let command = Command::Trigger { call: Box::new(one.said.clone()) };
        match answer(&self.books.situation, &asker, &one.id, &command) {
            Err(no) => return Ok(Taken::Refused(format!("{}; {}", no.why, no.hint))),
            Ok(accepted) if accepted.repeated => return Ok(Taken::Repeated),
            Ok(_) => {}
        }
        let mut lines = vec![Line::Command(author, one.id.clone(), command)];
        self.trigger_asked(&one.said, &mut lines);
        self.write(lines).await?;
        if self.config.triggers.as_ref().is_some_and(|known| known.start) {
            self.mailer.starting = Some(one.by.clone());
        }
        self.trigger_plans(one.by.clone(), &one.said);
        Ok(Taken::Accepted)
    }

    /// A call for a rollback opens the incident that it is about.
    pub(super) fn trigger_asked(&self, call: &TriggerCall, lines: &mut Vec<Line>) {
        if call.rollback && !call.over && self.books.situation.incident.is_none() {
            let why = format!("{} {}: {}", call.kind.name(), call.name, call.message);
            lines.push(self.open_incident(SafeText::new(&why)));
        }
    }

    /// And it has the plan of level 1 made, unless there is one, or something runs.
    pub(super) fn trigger_plans(&mut self, by: SafeText, call: &TriggerCall) {
        let situation = &self.books.situation;
        let busy = situation.plan.is_some() || situation.open_run().is_some();
        if call.rollback && !call.over && !busy && !self.is_isolated() {
            self.begin_plan(by, Level::Switch, None);
        } else {
            self.mailer.starting = None;
        }
    }

    fn is_isolated(&self) -> bool {
        let verdict = self.books.situation.assessment.as_ref().map(|known| known.verdict);
        verdict == Some(TreeVerdict::Isolate)
    }

    /// Starts the plan that a call had made, where that may be: level 1, nothing lost, no preflight
    /// in the way, nobody leading, the first run of its incident.
    pub(super) fn trigger_starts(
        &mut self,
        by: &SafeText,
        (plan, preflight): (&Plan, &[Preflight]),
        lines: &mut Vec<Line>,
    ) {
        if self.mailer.starting.take_if(|starting| starting == by).is_none() {
            return;
        }
        let situation = &self.books.situation;
        let first = situation.incident.as_ref().is_none_or(|incident| incident.runs == 0);
        let harmless = plan.core.steps.iter().all(|step| step.hazard != Hazard::LosesData);
        let open = OpenPlan {
            plan: plan.clone(),
            digest: plan.digest(),
            by: by.clone(),
            preflight: preflight.to_vec(),
        };
        let two = self.config.rollback.two_person.contains(&plan.core.level.number());
        let free = plan.core.level == Level::Switch
            && first
            && harmless
            && !two
            && blocked(&open).is_ok()
            && !self.lead_is_alive()
            && !self.is_isolated()
            && situation.open_run().is_none();
        if free {
            let called = situation.called_for();
            let reason = called.map(|card| card.call.message.clone()).unwrap_or_default();
            self.start_run(&open.digest, by.clone(), (reason, None), lines);
        }
    }
}

impl Taken {
    /// What a caller over HTTP reads of it.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeated => "known already",
            Self::Refused(why) => why,
        }
    }
}
