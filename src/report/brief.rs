//! Twelve lines for whoever attaches in the middle of it (design 22).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::ids::{CheckId, Time, incident_name};
use crate::model::incident::StepPhase;
use crate::model::live::Live;
use crate::model::reading::{Reading, Status};
use crate::model::situation::Situation;
use crate::model::verdict::{self, WIDTH, clock};
use crate::text::fit;

/// How many lines a brief has, always.
pub const LINES: usize = 12;

/// The brief: what is wrong, the next key, who leads, where the run stands, what happened last.
pub fn brief(
    situation: &Situation,
    live: Option<&Live>,
    readings: &BTreeMap<CheckId, Reading>,
    now: Time,
) -> [String; LINES] {
    let sentence = verdict::lines(situation, live, readings, now);
    let mut last = situation.timeline.iter().rev().take(3).rev();
    let mut moment = || {
        last.next().map_or_else(
            || "-".to_owned(),
            |moment| format!("{} {}", moment.at.format("%H:%M:%SZ"), moment.text),
        )
    };
    let lines = [
        header(situation, now),
        sentence.what,
        sentence.next,
        assessment(situation, now),
        checks(situation),
        change(situation, now),
        run(situation, now),
        step(situation),
        people(situation, live),
        moment(),
        moment(),
        moment(),
    ];
    lines.map(|line| fit(&line, WIDTH))
}

fn ago(at: Time, now: Time) -> String {
    clock((now - at).to_std().unwrap_or(Duration::ZERO))
}

fn header(situation: &Situation, now: Time) -> String {
    let production = if situation.production() { "PROD " } else { "" };
    let incident = situation.incident.as_ref().map_or_else(
        || "no incident".to_owned(),
        |incident| {
            let name = incident_name(incident.id);
            format!("{name} since {}", ago(incident.opened_at, now))
        },
    );
    format!("{production}{}  {incident}", situation.environment())
}

fn assessment(situation: &Situation, now: Time) -> String {
    let Some(assessment) = &situation.assessment else {
        return "Not assessed yet.".to_owned();
    };
    let left = match assessment.deadline {
        Some(deadline) if deadline > now => format!(", time for a fix {}", ago(now, deadline)),
        Some(_) => ", the time for a fix is over".to_owned(),
        None => String::new(),
    };
    format!("Severity {}, tree: {}{left}.", assessment.severity.label(), assessment.verdict.words())
}

fn checks(situation: &Situation) -> String {
    let count = |status| {
        let cards = situation.checks.values();
        cards.filter(|card| card.status == status).count()
    };
    format!(
        "Checks: {} FAIL, {} UNKN, {} warn, {} ok.",
        count(Status::Fail),
        count(Status::Unknown),
        count(Status::Warn),
        count(Status::Ok)
    )
}

fn change(situation: &Situation, now: Time) -> String {
    situation.changes.first().map_or_else(
        || "No deploy is known.".to_owned(),
        |change| {
            format!(
                "Last deploy {} {} ago by {} ({}).",
                change.version,
                ago(change.at, now),
                change.by,
                change.reference
            )
        },
    )
}

fn run(situation: &Situation, now: Time) -> String {
    match &situation.run {
        None => "No run.".to_owned(),
        Some(run) => format!(
            "Run {} level {} {} -> {}: {}, confirmed by {} {} ago.",
            run.id,
            run.plan.core.level,
            run.plan.core.from,
            run.plan.core.to,
            run.state().label(),
            run.by,
            ago(run.started_at, now)
        ),
    }
}

fn step(situation: &Situation) -> String {
    let Some(run) = &situation.run else {
        return "No step.".to_owned();
    };
    let through = run.steps.iter().filter(|step| !step.undo && step.phase.is_through());
    let through = through.count();
    let odd = run.steps.iter().find_map(|step| match &step.phase {
        StepPhase::Failed(why) => Some(format!("; {} FAILED: {why}", step.id)),
        StepPhase::Unknown(why) => Some(format!("; {} UNKNOWN: {why}", step.id)),
        StepPhase::Running => Some(format!("; {} runs", step.id)),
        StepPhase::Waiting | StepPhase::Done | StepPhase::Skipped(_) => None,
    });
    let all = run.plan.core.steps.len();
    format!("Steps: {through} of {all} through{}.", odd.unwrap_or_default())
}

fn people(situation: &Situation, live: Option<&Live>) -> String {
    let lead = situation.lead.as_ref().map_or_else(
        || "Nobody leads".to_owned(),
        |lead| match lead.lost_at {
            Some(_) => format!("{} led and is gone", lead.who.name),
            None => format!("{} leads", lead.who.name),
        },
    );
    let others = live.map_or(0, |live| live.clients.len());
    let left = situation.leftovers.len();
    format!("{lead}, {others} attached. {left} left over.")
}
