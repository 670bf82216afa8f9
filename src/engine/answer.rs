//! Answers commands: pure. A command is refused only when the facts it names have changed.

use crate::model::entry::{Author, Command, Event};
use crate::model::ids::{CommandId, RunId, StepId};
use crate::model::incident::{Run, StepPhase};
use crate::model::loss::Choice;
use crate::model::plan::PreflightAnswer;
use crate::model::situation::{OpenPlan, Situation};
use crate::model::tree::BREACH;

use super::{answer_breach, answer_hold, answer_lock};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The person, as attested.
    pub author: Author,
    /// Whether the client only looks, or its program differs from ours.
    pub read_only: bool,
    /// Whether this client is the lead.
    pub leads: bool,
    /// Whether the lead's client is attached, or was until a moment ago.
    pub lead_alive: bool,
    /// How long until a lead whose line is gone can be taken over, in seconds; nothing while the
    /// lead is attached.
    pub silent_for: Option<u64>,
    /// When.
    pub at: crate::model::ids::Time,
}

/// Why not, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which fact changed, or which rule says no.
    pub why: String,
    /// What to do next, starting with a verb.
    pub hint: String,
}

/// What comes of an accepted command besides its own entry.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Accepted {
    /// Facts that follow at once.
    pub events: Vec<Event>,
    /// Whether it was accepted before: nothing more happens.
    pub repeated: bool,
}

pub(super) fn refuse<T>(why: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { why: why.into(), hint: hint.into() })
}

/// Whether a command may be carried out now, and what follows from it.
pub fn answer(
    situation: &Situation,
    asker: &Asker,
    id: &CommandId,
    command: &Command,
) -> Result<Accepted, Refusal> {
    if situation.answered.contains(id) {
        return Ok(Accepted { events: Vec::new(), repeated: true });
    }
    may_command(asker, command)?;
    let events = match command {
        Command::Plan { .. } => plan(situation, asker)?,
        Command::Approve { plan, lead, reason, accept_loss } => {
            approve(situation, asker, plan, *lead, reason.is_empty())?;
            super::second::approve(situation, asker, plan, (reason, *accept_loss))?
        }
        Command::Choose { run, step, choice } => choose(situation, asker, (run, step), choice)?,
        Command::Answer { node, assessment, answer } => {
            answer_node(situation, node.as_str(), *assessment)?;
            answer_breach::answered(situation, asker, node, *answer)?
        }
        Command::Overrule { assessment, reason, .. } => {
            overrule(situation, *assessment, reason.is_empty())?
        }
        Command::Retry { run, step, attempt, .. }
        | Command::Skip { run, step, attempt, .. }
        | Command::MarkDone { run, step, attempt, .. } => {
            decide(situation, asker, run, (step, *attempt))?
        }
        Command::Resume { run } => resume(situation, asker, run)?,
        Command::Abort { .. } => open_run(situation, None).map(|_| Vec::new())?,
        Command::Pause => {
            open_run(situation, None)?;
            vec![Event::Paused]
        }
        Command::Note { text } => {
            vec![Event::Noted { by: asker.author.name.clone(), text: text.clone() }]
        }
        Command::TakeLead { reason } => super::leading::take(situation, asker, reason)?,
        Command::HandLead { uid, name, note } => {
            super::leading::hand(situation, asker, (*uid, name), note)?
        }
        Command::Detach | Command::Export { .. } => Vec::new(),
        Command::Acknowledge { thread } => super::answer_notice::acknowledge(situation, thread)?,
        Command::Trigger { call } => super::answer_notice::trigger(call)?,
        Command::EndWatch { run } => end_watch(situation, asker, run)?,
        Command::Close => close(situation, asker)?,
        Command::Hold { parts, reason } | Command::Unhold { parts, reason } => {
            answer_hold::asked(parts, reason)?;
            Vec::new()
        }
        Command::Release { name, reason } => {
            lead(situation, asker)?;
            answer_hold::release(situation, &asker.author, name, reason)?
        }
        Command::HandOver { name, to, reason } => {
            lead(situation, asker)?;
            answer_hold::hand_over(situation, name, to, reason)?;
            Vec::new()
        }
        Command::Deploy { .. } | Command::Pin { .. } | Command::Unpin { .. } => {
            super::deploys::answer(situation, command)?;
            Vec::new()
        }
        Command::PlanUndo { run } => plan_undo(situation, asker, run)?,
        Command::Lock { .. } | Command::Unlock { .. } | Command::EmergencyStop { .. } => {
            answer_lock::answer(situation, asker, command)?
        }
        Command::Guide { guide, step, deed, .. } => {
            super::answer_guide::step(situation, asker, (guide.as_str(), *step), deed)?
        }
        Command::Tick { item, done, .. } => super::answer_tick::tick(situation, *item, *done)?,
        Command::Inform { note } => super::answer_notice::informed(situation, note.is_empty())?,
        Command::Veto { rule, reason } => super::answer_rule::veto(situation, rule, reason)?,
        Command::Freeze { until, reason } => {
            super::answer_rule::freeze(situation, until.is_some(), reason)?
        }
        Command::Since { .. }
        | Command::Mute { .. }
        | Command::Unmute { .. }
        | Command::Override { .. }
        | Command::Unset { .. } => judges(situation, command)?,
    };
    Ok(Accepted { events, repeated: false })
}

/// Refuses a console that only looks what is not open to it.
fn may_command(asker: &Asker, command: &Command) -> Result<(), Refusal> {
    // A hold, a veto or a stop is never stale and needs no lead, but is not for those who only look.
    let holds = matches!(
        command,
        Command::Hold { .. }
            | Command::Unhold { .. }
            | Command::EmergencyStop { .. }
            | Command::Veto { .. }
    );
    let leads = matches!(command, Command::TakeLead { .. });
    if asker.read_only && (holds || !command.is_open()) && !leads {
        return refuse(
            "this console only looks",
            "attach with the same version of backout, without --read-only",
        );
    }
    Ok(())
}

/// A person's word on a step that did not end well.
fn decide(
    situation: &Situation,
    asker: &Asker,
    run: &RunId,
    (step, attempt): (&StepId, u32),
) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    answer_lock::not_stopped(situation, asker)?;
    answer_breach::none(situation)?;
    decide_step(open_run(situation, Some(run))?, step, attempt)?;
    Ok(Vec::new())
}

pub(super) fn lead(situation: &Situation, asker: &Asker) -> Result<(), Refusal> {
    if asker.leads {
        return Ok(());
    }
    let who = situation.lead.as_ref().map_or("nobody", |lead| lead.who.name.as_str());
    refuse(format!("{who} leads"), "take the lead (T), or ask the one who has it")
}

fn resume(situation: &Situation, asker: &Asker, run: &RunId) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    answer_lock::not_stopped(situation, asker)?;
    answer_breach::none(situation)?;
    if !open_run(situation, Some(run))?.paused && situation.held_by_restart().is_none() {
        return refuse("the run is not paused", "watch it run");
    }
    Ok(vec![Event::Resumed])
}

fn end_watch(situation: &Situation, asker: &Asker, run: &RunId) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    if open_run(situation, Some(run))?.watch.is_none() {
        return refuse("no watch window is open", "wait until the steps are through");
    }
    Ok(Vec::new())
}

fn plan_undo(situation: &Situation, asker: &Asker, run: &RunId) -> Result<Vec<Event>, Refusal> {
    let events = plan(situation, asker)?;
    if let Err(why) = situation.taken_back(run) {
        return refuse(why.to_string(), "look at the past runs: backout history");
    }
    Ok(events)
}

fn plan(situation: &Situation, asker: &Asker) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    may_begin(situation)
}

fn may_begin(situation: &Situation) -> Result<Vec<Event>, Refusal> {
    answer_breach::none(situation)?;
    if let Some(run) = situation.open_run() {
        return refuse(format!("run {} is not over", run.id), "wait for it, or abort it (x)");
    }
    Ok(Vec::new())
}

fn approve(
    situation: &Situation,
    asker: &Asker,
    digest: &crate::model::ids::Digest,
    term: u64,
    no_reason: bool,
) -> Result<(), Refusal> {
    answer_lock::free(situation, asker)?;
    let second = super::second::is_second(situation, asker, digest);
    if second {
        may_begin(situation)?;
    } else {
        plan(situation, asker)?;
    }
    let Some(open) = &situation.plan else {
        return refuse("there is no plan", "make one: choose a level (L)");
    };
    if &open.digest != digest {
        return refuse(
            format!("the plan changed: it is {} now", open.digest.short()),
            "read the new plan and confirm that one",
        );
    }
    if !second && situation.lead.as_ref().map(|lead| lead.term) != Some(term) {
        return refuse("the lead changed", "look who leads and confirm again");
    }
    if no_reason {
        return refuse("a reason is missing", "say why: it stands in the history");
    }
    blocked(open)
}

/// A preflight that blocks, or that is not known, refuses with its own words.
pub fn blocked(open: &OpenPlan) -> Result<(), Refusal> {
    let no = open.preflight.iter().find(|line| match line.answer {
        PreflightAnswer::Block | PreflightAnswer::Unknown => true,
        PreflightAnswer::Ok | PreflightAnswer::Warn => false,
    });
    match no {
        Some(line) => refuse(
            format!("blocked: {}: {}", line.name, line.text),
            "mend it: the plan looks again by itself every 15 s",
        ),
        None => Ok(()),
    }
}

/// A swap is chosen with the minutes that it loses, as they were measured.
fn choose(
    situation: &Situation,
    asker: &Asker,
    (run, step): (&RunId, &StepId),
    choice: &Choice,
) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    let open = open_run(situation, Some(run))?;
    if open.asks() != Some(step) {
        return refuse(format!("{step} asks for nothing"), "look again");
    }
    if let Choice::Swap { minutes } = choice {
        let Some(loss) = &open.loss else {
            return refuse("what is lost is not known", "choose BESIDE, or another point");
        };
        let lost = loss.minutes(loss.until.unwrap_or(loss.from));
        if *minutes != lost {
            return refuse(
                format!("SWAP loses {lost} minutes, not {minutes}"),
                format!("type {lost} if that loss is right"),
            );
        }
    }
    if let Choice::NewMoment { to } = choice
        && let Err(why) = open.another_moment(to, asker.at)
    {
        return refuse(why, "choose a moment inside that window, or NEW TIME alone");
    }
    let by = asker.author.name.clone();
    Ok(vec![Event::Chosen { run: run.clone(), step: step.clone(), choice: choice.clone(), by }])
}

fn answer_node(situation: &Situation, node: &str, number: u64) -> Result<(), Refusal> {
    // A breach rests on what a person has seen, not on what was measured.
    if node == BREACH {
        return Ok(());
    }
    let Some(assessment) = &situation.assessment else {
        return refuse("nothing is assessed yet", "wait for the first look");
    };
    if !assessment.path.iter().any(|step| step.node.as_str() == node) {
        return refuse(format!("there is no node {node}"), "answer one that is on the screen");
    }
    // Numbers move while a person reads; only a node that says something else is another fact.
    if number > assessment.number {
        return refuse("that assessment does not exist", "look again and answer");
    }
    Ok(())
}

/// Somebody's word on the severity rests on an assessment that exists, and on a reason.
fn overrule(situation: &Situation, number: u64, no_reason: bool) -> Result<Vec<Event>, Refusal> {
    let known = situation.assessment.as_ref().map_or(0, |assessment| assessment.number);
    if number == 0 || number > known {
        return refuse("that assessment does not exist", "look again and say it then");
    }
    if no_reason {
        return refuse("a reason is missing", "say why: it stands in the timeline");
    }
    Ok(Vec::new())
}

fn open_run<'a>(situation: &'a Situation, run: Option<&RunId>) -> Result<&'a Run, Refusal> {
    match situation.open_run() {
        Some(open) if run.is_none_or(|run| run == &open.id) => Ok(open),
        Some(open) => refuse(format!("the run is {} now", open.id), "look again and decide"),
        None => refuse("no run is open", "nothing needs to be done"),
    }
}

fn decide_step(run: &Run, step: &crate::model::ids::StepId, attempt: u32) -> Result<(), Refusal> {
    let Some(state) = run.step(step) else {
        return refuse(format!("there is no step {step}"), "look again and decide");
    };
    if state.attempt != attempt {
        return refuse(
            format!("{step} is at attempt {} now", state.attempt),
            "look again and decide",
        );
    }
    match &state.phase {
        StepPhase::Failed(_) | StepPhase::Unknown(_) => Ok(()),
        StepPhase::Done => refuse(format!("{step} is done now"), "nothing needs to be decided"),
        StepPhase::Running => refuse(format!("{step} runs now"), "wait for it"),
        StepPhase::Waiting | StepPhase::Skipped(_) => {
            refuse(format!("{step} asks for nothing"), "look again")
        }
    }
}

/// What changes the judgement has a reason; what follows from it depends on the configuration too
/// and is added by the engine.
fn judges(situation: &Situation, command: &Command) -> Result<Vec<Event>, Refusal> {
    if let Command::Since { reason, .. }
    | Command::Mute { reason, .. }
    | Command::Override { reason, .. } = command
        && reason.is_empty()
    {
        return refuse("a reason is missing", "say why: it stands in the timeline");
    }
    if matches!(command, Command::Since { .. }) && situation.incident.is_none() {
        return refuse(
            "no incident is open",
            "there is nothing whose beginning could be corrected",
        );
    }
    Ok(Vec::new())
}

fn close(situation: &Situation, asker: &Asker) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    if situation.open_run().is_some() {
        return refuse("a run is open", "wait for it, or abort it (x)");
    }
    if situation.incident.is_none() {
        return refuse("no incident is open", "nothing needs to be done");
    }
    answer_breach::none(situation)?;
    answer_hold::nothing_open(situation)?;
    let why = format!("closed by {}", asker.author.name);
    Ok(vec![Event::IncidentClosed { why: why.as_str().into() }])
}
