//! Twelve lines for whoever attaches in the middle of it (design 22).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::deploys::ChangeState;
use crate::model::entry::Change;
use crate::model::hold::{self, HoldPart};
use crate::model::ids::{CheckId, Time, incident_name};
use crate::model::incident::StepPhase;
use crate::model::leftover::About;
use crate::model::live::Live;
use crate::model::mute::Mute;
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
    let last = situation.timeline.last().map_or_else(
        || "-".to_owned(),
        |moment| format!("{} {}", moment.at.format("%H:%M:%SZ"), moment.text),
    );
    // A line that would say nothing makes room for what is held or muted.
    let mut extra = [held(situation, now), mutes(situation)].into_iter().flatten();
    let step = step(situation).or_else(|| extra.next()).unwrap_or_else(|| "No step.".to_owned());
    let answers = answers(situation).or_else(|| extra.next());
    let answers = answers.unwrap_or_else(|| "No question was answered by a person.".to_owned());
    let left = extra.chain([leftovers(situation, now)]).collect::<Vec<_>>().join(" ");
    let lines = [
        header(situation, now),
        sentence.what,
        sentence.next,
        assessment(situation, now),
        checks(situation),
        change(situation, now),
        run(situation, now),
        step,
        people(situation, live),
        answers,
        left,
        last,
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
            format!("{name} since {}", ago(incident.began(), now))
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
    let label = assessment.severity.label();
    // A person's class counts only as long as nothing worse is measured.
    let word = situation.overrule.as_ref().filter(|word| word.class == assessment.severity);
    let by = word.map_or_else(String::new, |word| {
        format!(" ({}: {})", word.by, fit(word.reason.as_str(), 20))
    });
    format!("Severity {label}{by}{left}, tree: {}.", assessment.verdict.words())
}

fn checks(situation: &Situation) -> String {
    let count = |status| situation.counted().filter(|(_, card)| card.status == status).count();
    let (muted, changed) = (situation.muted_count(), situation.judging.overrides.len());
    let muted = if muted > 0 { format!(" {muted} muted.") } else { String::new() };
    let changed = if changed > 0 { format!(" {changed} changed.") } else { String::new() };
    format!(
        "Checks: {} FAIL, {} UNKN, {} warn, {} ok.{muted}{changed}",
        count(Status::Fail),
        count(Status::Unknown),
        count(Status::Warn),
        count(Status::Ok)
    )
}

fn change(situation: &Situation, now: Time) -> String {
    if let Some(change) = situation.running_deploy() {
        let running = clock((now - change.at).to_std().unwrap_or_default());
        return format!("DEPLOY {} by {} running {running}.", change.version, change.by);
    }
    situation.changes.first().map_or_else(
        || "No deploy is known.".to_owned(),
        |change| {
            let (version, ago) = (&change.version, ago(change.at, now));
            let Change { by, reference, .. } = change;
            let who = if reference.is_empty() {
                format!("by {by}")
            } else {
                format!("by {by} ({reference})")
            };
            match change.state {
                ChangeState::Noticed => {
                    format!("Noticed {version} {ago} ago: {}.", change.evidence)
                }
                ChangeState::Failed => format!("Failed deploy {version} {ago} ago {who}."),
                ChangeState::Done | ChangeState::Running => {
                    format!("Last deploy {version} {ago} ago {who}.")
                }
            }
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

fn step(situation: &Situation) -> Option<String> {
    let run = situation.run.as_ref()?;
    let through = run.steps.iter().filter(|step| !step.undo && step.phase.is_through());
    let through = through.count();
    let odd = run.steps.iter().find_map(|step| match &step.phase {
        StepPhase::Failed(why) => Some(format!("; {} FAILED: {why}", step.id)),
        StepPhase::Unknown(why) => Some(format!("; {} UNKNOWN: {why}", step.id)),
        StepPhase::Running => Some(format!("; {} runs", step.id)),
        StepPhase::Waiting | StepPhase::Done | StepPhase::Skipped(_) => None,
    });
    let all = run.plan.core.steps.len();
    Some(format!("Steps: {through} of {all} through{}.", odd.unwrap_or_default()))
}

fn people(situation: &Situation, live: Option<&Live>) -> String {
    let lead = situation.lead.as_ref().map_or_else(
        || "Nobody leads".to_owned(),
        |lead| match lead.lost_at {
            Some(_) => format!("{} led and is gone", lead.who.name),
            None => format!("{} leads", lead.who.name),
        },
    );
    let attached = live.map_or_else(|| "who is attached is not known".to_owned(), attached);
    let asked = situation.lead_asked.last().map_or_else(String::new, |ask| {
        format!(" {} asks for the lead: {}.", ask.who.name, ask.reason)
    });
    format!("{lead}; {attached}.{asked}")
}

fn attached(live: &Live) -> String {
    let names: Vec<&str> = live.clients.iter().map(|client| client.name.as_str()).collect();
    if names.is_empty() { "nobody attached".to_owned() } else { names.join(", ") + " attached" }
}

/// Who said what when the tree asked.
fn answers(situation: &Situation) -> Option<String> {
    let said = situation.said.iter().map(|(node, said)| {
        format!("{node} {} ({} {})", said.answer.words(), said.by, said.at.format("%H:%MZ"))
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("Answered: {}.", said.join(", ")))
}

/// What is held, by whom and why.
fn held(situation: &Situation, now: Time) -> Option<String> {
    let parts = HoldPart::ALL.into_iter();
    let held: Vec<String> = parts.filter_map(|part| hold::sentence(situation, part, now)).collect();
    (!held.is_empty()).then(|| format!("Hold: {}.", held.join("; ")))
}

/// What is left out of the judgement, by whom and why.
fn mutes(situation: &Situation) -> Option<String> {
    let mutes: Vec<String> = situation.judging.mutes.iter().map(Mute::words).collect();
    (!mutes.is_empty()).then(|| format!("Muted: {}.", mutes.join("; ")))
}

/// What else is temporary now, and when it is due.
fn leftovers(situation: &Situation, now: Time) -> String {
    // A hold stands as itself, not once more as what is left of it.
    let others = situation.leftovers.iter().filter(|left| match &left.about {
        Some(About::Hold(part)) => !situation.holds.contains_key(part),
        Some(
            About::Stopped(_)
            | About::Workers(_)
            | About::Path(_)
            | About::Lock(_)
            | About::Frozen(_),
        )
        | None => true,
    });
    let left: Vec<String> = others
        .map(|left| match left.due {
            Some(due) if due > now => format!("{} (due in {})", left.name, ago(now, due)),
            Some(_) => format!("{} (OVERDUE)", left.name),
            None => left.name.to_string(),
        })
        .collect();
    match left.as_slice() {
        [] => {
            if situation.holds.is_empty() {
                "Nothing is left over.".to_owned()
            } else {
                "Nothing else is left over.".to_owned()
            }
        }
        left => format!("Left over: {}.", left.join(", ")),
    }
}
