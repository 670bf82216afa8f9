//! Answers commands: pure. A command is refused only when the facts it names have changed.

use crate::model::entry::{Author, Command, Event};
use crate::model::ids::{CommandId, NodeId};
use crate::model::incident::{Run, StepPhase};
use crate::model::plan::PreflightAnswer;
use crate::model::situation::{OpenPlan, Situation};
use crate::model::tree::{Answer, BREACH, TreeVerdict};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The person, as attested.
    pub author: Author,
    /// Whether the client only looks, or its program differs from ours.
    pub read_only: bool,
    /// Whether this client is the lead.
    pub leads: bool,
    /// Whether the lead's client is attached.
    pub lead_alive: bool,
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

fn refuse<T>(why: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
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
    let changes = !matches!(command, Command::Abort { .. } | Command::Pause | Command::Detach);
    if asker.read_only && changes && !matches!(command, Command::TakeLead { .. }) {
        return refuse(
            "this console only looks",
            "attach with the same version of backout, without --read-only",
        );
    }
    let events = match command {
        Command::Plan { .. } => plan(situation, asker)?,
        Command::Approve { plan, lead, reason } => {
            approve(situation, asker, plan, *lead, reason.is_empty())?;
            Vec::new()
        }
        Command::Answer { node, assessment, answer } => {
            answer_node(situation, node.as_str(), *assessment)?;
            release_breach(situation, asker, node, *answer)?;
            Vec::new()
        }
        Command::Retry { run, step, attempt, .. }
        | Command::Skip { run, step, attempt, .. }
        | Command::MarkDone { run, step, attempt, .. } => {
            lead(situation, asker)?;
            decide_step(open_run(situation, Some(run))?, step, *attempt)?;
            Vec::new()
        }
        Command::Resume { run } => {
            lead(situation, asker)?;
            if !open_run(situation, Some(run))?.paused {
                return refuse("the run is not paused", "watch it run");
            }
            vec![Event::Resumed]
        }
        Command::Abort { .. } => {
            open_run(situation, None)?;
            Vec::new()
        }
        Command::Pause => {
            open_run(situation, None)?;
            vec![Event::Paused]
        }
        Command::Note { text } => {
            vec![Event::Noted { by: asker.author.name.clone(), text: text.clone() }]
        }
        Command::TakeLead { .. } => take_lead(situation, asker)?,
        Command::Detach => Vec::new(),
        Command::EndWatch { run } => {
            lead(situation, asker)?;
            if open_run(situation, Some(run))?.watch.is_none() {
                return refuse("no watch window is open", "wait until the steps are through");
            }
            Vec::new()
        }
        Command::Close => close(situation, asker)?,
    };
    Ok(Accepted { events, repeated: false })
}

fn lead(situation: &Situation, asker: &Asker) -> Result<(), Refusal> {
    if asker.leads {
        return Ok(());
    }
    let who = situation.lead.as_ref().map_or("nobody", |lead| lead.who.name.as_str());
    refuse(format!("{who} leads"), "take the lead (T), or ask the one who has it")
}

fn plan(situation: &Situation, asker: &Asker) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    no_breach(situation)?;
    if let Some(run) = situation.open_run() {
        return refuse(format!("run {} is not over", run.id), "wait for it, or abort it (x)");
    }
    Ok(Vec::new())
}

fn no_breach(situation: &Situation) -> Result<(), Refusal> {
    let verdict = situation.assessment.as_ref().map(|assessment| assessment.verdict);
    if verdict == Some(TreeVerdict::Isolate) {
        return refuse(
            "node 0 says breach: a rollback would destroy evidence",
            "preserve the evidence, isolate the system, and have another person answer node 0",
        );
    }
    Ok(())
}

fn approve(
    situation: &Situation,
    asker: &Asker,
    digest: &crate::model::ids::Digest,
    term: u64,
    no_reason: bool,
) -> Result<(), Refusal> {
    plan(situation, asker)?;
    let Some(open) = &situation.plan else {
        return refuse("there is no plan", "make one: choose a level (L)");
    };
    if &open.digest != digest {
        return refuse(
            format!("the plan changed: it is {} now", open.digest.short()),
            "read the new plan and confirm that one",
        );
    }
    if situation.lead.as_ref().map(|lead| lead.term) != Some(term) {
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

fn answer_node(situation: &Situation, node: &str, number: u64) -> Result<(), Refusal> {
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

/// A breach is released by another person only, whatever the one who said it thinks now (S-53).
fn release_breach(
    situation: &Situation,
    asker: &Asker,
    node: &NodeId,
    answer: Answer,
) -> Result<(), Refusal> {
    let said = situation.breach().filter(|_| node.as_str() == BREACH && answer != Answer::Yes);
    match said {
        Some(said) if said.uid == asker.author.uid => refuse(
            format!("{} said breach: another person must release it", said.by),
            "ask the security team; they answer node 0 under their own user",
        ),
        Some(_) | None => Ok(()),
    }
}

fn open_run<'a>(
    situation: &'a Situation,
    run: Option<&crate::model::ids::RunId>,
) -> Result<&'a Run, Refusal> {
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

fn take_lead(situation: &Situation, asker: &Asker) -> Result<Vec<Event>, Refusal> {
    if asker.leads {
        return refuse("you lead already", "go on");
    }
    let term = situation.lead.as_ref().map_or(0, |lead| lead.term);
    if asker.lead_alive
        && let Some(lead) = &situation.lead
    {
        return refuse(
            format!("{} leads and is attached", lead.who.name),
            "ask them; after 30 s without their console the lead can be taken",
        );
    }
    Ok(vec![Event::LeadTaken { who: asker.author.clone(), term: term + 1 }])
}

fn close(situation: &Situation, asker: &Asker) -> Result<Vec<Event>, Refusal> {
    lead(situation, asker)?;
    if situation.open_run().is_some() {
        return refuse("a run is open", "wait for it, or abort it (x)");
    }
    if situation.incident.is_none() {
        return refuse("no incident is open", "nothing needs to be done");
    }
    let why = format!("closed by {}", asker.author.name);
    Ok(vec![Event::IncidentClosed { why: why.as_str().into() }])
}
