//! What a typed word asks: which words there are, what each leads to, and its command.

use crate::model::entry::{Abort, Command, Leftover};
use crate::model::ids::{RunId, StepId};
use crate::model::incident::{Run, StepPhase};
use crate::model::leftover;
use crate::model::severity::Severity;
use crate::text::SafeText;
use crate::tui::state::Cx;
use crate::tui::words;
use crate::tui::world::{LeadStand, World};

use super::Ask;
use crate::model::loss::Choice;

/// The word that loses data.
const SWAP: &str = "ROLLBACK";
/// The word that takes everything back.
const NEW: &str = "NEW TIME";

impl Ask {
    /// The words it takes.
    pub fn words(&self) -> &'static [&'static str] {
        match self {
            Self::Abort(_) => &["STOP", "NOW", "UNDO"],
            Self::MarkDone(..) => &["DONE"],
            Self::Retry(..) => &["RETRY"],
            Self::Skip(..) => &["SKIP"],
            Self::Resume(_) => &["RESUME"],
            Self::TakeLead => &["TAKE"],
            Self::HandLead(..) => &["HAND"],
            Self::EndWatch(_) => &["END"],
            Self::Close => &["CLOSE"],
            Self::Choose(..) => &[SWAP, "BESIDE", NEW],
            Self::Severity(_) => &["CRITICAL", "HIGH", "MEDIUM", "LOW", "MEASURED"],
        }
    }

    /// Whether a reason must be given.
    pub fn needs_reason(&self) -> bool {
        match self {
            Self::MarkDone(..)
            | Self::Retry(..)
            | Self::Skip(..)
            | Self::TakeLead
            | Self::Severity(_)
            | Self::HandLead(..) => true,
            Self::Abort(_)
            | Self::Resume(_)
            | Self::EndWatch(_)
            | Self::Close
            | Self::Choose(..) => false,
        }
    }

    /// What is typed beside the word: its label, or nothing.
    pub(super) fn second(&self, word: &str) -> Option<&'static str> {
        match self {
            Self::Choose(..) => match word {
                SWAP => Some("Minutes lost:  "),
                NEW => Some("Which moment:  "),
                _ => None,
            },
            Self::Abort(_)
            | Self::MarkDone(..)
            | Self::Retry(..)
            | Self::Skip(..)
            | Self::Resume(_)
            | Self::TakeLead
            | Self::HandLead(..)
            | Self::EndWatch(_)
            | Self::Close
            | Self::Severity(_) => self.needs_reason().then_some("Reason:  "),
        }
    }

    /// Whether what stands beside the word is enough: the minutes must be the ones that are lost.
    pub(super) fn accepts(&self, word: &str, second: &str) -> bool {
        match self {
            Self::Choose(_, _, minutes) if word == SWAP => {
                minutes.is_some() && second.parse().ok() == *minutes
            }
            Self::Choose(..) => true,
            Self::Abort(_)
            | Self::MarkDone(..)
            | Self::Retry(..)
            | Self::Skip(..)
            | Self::Resume(_)
            | Self::TakeLead
            | Self::HandLead(..)
            | Self::EndWatch(_)
            | Self::Close
            | Self::Severity(_) => !self.needs_reason() || !second.is_empty(),
        }
    }

    pub(super) fn title(&self) -> String {
        match self {
            Self::Abort(run) => format!("STOP THE RUN {run}"),
            Self::MarkDone(_, step, _) => format!("{step} IS DONE"),
            Self::Retry(_, step, _) => format!("TRY {step} AGAIN"),
            Self::Skip(_, step, _) => format!("LEAVE {step} OUT"),
            Self::Resume(run) => format!("GO ON WITH {run}"),
            Self::TakeLead => "TAKE THE LEAD".to_owned(),
            Self::HandLead(_, name) => format!("HAND THE LEAD TO {name}"),
            Self::EndWatch(run) => format!("END THE WATCH WINDOW OF {run}"),
            Self::Close => "CLOSE THE INCIDENT".to_owned(),
            Self::Choose(run, ..) => format!("SWAP, BESIDE OR NEW TIME  {run}"),
            Self::Severity(_) => "HOW BAD IT IS".to_owned(),
        }
    }

    pub(super) fn run(&self) -> Option<&RunId> {
        match self {
            Self::Abort(run)
            | Self::MarkDone(run, ..)
            | Self::Retry(run, ..)
            | Self::Skip(run, ..)
            | Self::Choose(run, ..)
            | Self::Resume(run)
            | Self::EndWatch(run) => Some(run),
            Self::TakeLead | Self::HandLead(..) | Self::Close | Self::Severity(_) => None,
        }
    }

    pub(super) fn command(&self, word: &str, reason: SafeText) -> Command {
        match self.clone() {
            Self::Abort(_) => Command::Abort {
                verb: match word {
                    "NOW" => Abort::Now,
                    "UNDO" => Abort::Undo,
                    _ => Abort::Stop,
                },
            },
            Self::MarkDone(run, step, attempt) => Command::MarkDone { run, step, attempt, reason },
            Self::Retry(run, step, attempt) => Command::Retry { run, step, attempt, reason },
            Self::Skip(run, step, attempt) => Command::Skip { run, step, attempt, reason },
            Self::Resume(run) => Command::Resume { run },
            Self::TakeLead => Command::TakeLead { reason },
            Self::HandLead(uid, name) => Command::HandLead { uid, name, note: reason },
            Self::EndWatch(run) => Command::EndWatch { run },
            Self::Close => Command::Close,
            Self::Choose(run, step, minutes) => {
                let choice = match word {
                    SWAP => Choice::Swap { minutes: minutes.unwrap_or_default() },
                    "BESIDE" => Choice::Beside,
                    _ if reason.is_empty() => Choice::NewTime,
                    _ => Choice::NewMoment { to: reason.to_string() },
                };
                Command::Choose { run, step, choice }
            }
            Self::Severity(assessment) => {
                let classes = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
                let class = classes.into_iter().find(|class| class.label() == word);
                Command::Overrule { class, assessment, reason }
            }
        }
    }

    /// What stands beside the word, as the command takes it: a moment is refused where it cannot
    /// be reached, before anything is given up for it.
    pub(super) fn beside(&self, word: &str, text: &str, cx: Cx<'_>) -> Result<String, String> {
        match (self, cx.world.situation.open_run()) {
            (Self::Choose(..), Some(run)) if word == NEW && !text.is_empty() => {
                run.another_moment(text, cx.now).map(|until| until.argument())
            }
            _ => Ok(text.to_owned()),
        }
    }

    /// What each word leads to.
    pub(super) fn consequences(&self, world: &World) -> Vec<(&'static str, String)> {
        let run = world.situation.open_run();
        match self {
            Self::Abort(_) => run.map_or_else(Vec::new, abort),
            Self::MarkDone(..) => vec![(
                "DONE",
                "you vouch that its effect is there; the run goes on with the next step".to_owned(),
            )],
            Self::Retry(..) => vec![(
                "RETRY",
                "it is begun once more; what the last attempt did may be done twice".to_owned(),
            )],
            Self::Skip(..) => {
                vec![("SKIP", "the run goes on without it; what needs it may fail".to_owned())]
            }
            Self::Resume(_) => vec![("RESUME", "the next step starts at once".to_owned())],
            Self::TakeLead => vec![("TAKE", take(world))],
            Self::HandLead(_, name) => vec![(
                "HAND",
                format!("only {name} may start things then; the reason is your note to them"),
            )],
            Self::EndWatch(_) => {
                let live = world.live.as_ref().and_then(|live| live.watch.as_ref());
                let verdict = live.map_or("CANNOT TELL", |live| live.verdict.words());
                vec![("END", format!("the verdict that stands is kept: {verdict}"))]
            }
            Self::Severity(_) => severities(world),
            Self::Choose(_, _, minutes) => choices(run, *minutes),
            Self::Close => {
                let open: Vec<&Leftover> = leftover::open(&world.situation).collect();
                if open.is_empty() {
                    let text = match world.situation.leftovers.len() {
                        0 => "the timeline is sealed; nothing was left behind".to_owned(),
                        left => {
                            format!("the timeline is sealed; handed over, still listed: {left}")
                        }
                    };
                    return vec![("CLOSE", text)];
                }
                let mut rows = vec![(
                    "CLOSE",
                    "is REFUSED while this is left over; undo it, or Esc and type:".to_owned(),
                )];
                rows.push(("", ":release NAME WHY".to_owned()));
                rows.push(("", ":hand-over NAME to WHO WHY".to_owned()));
                rows.extend(open.into_iter().map(|left| {
                    ("", format!("\"{}\" ({}), undo: {}", left.name, left.owner, left.undo))
                }));
                rows
            }
        }
    }
}

/// What becomes of the copy and of the live data.
fn choices(run: Option<&Run>, minutes: Option<u64>) -> Vec<(&'static str, String)> {
    let loss = run.and_then(|run| run.loss.as_ref());
    let lost = loss.map(|loss| loss.words(loss.until.unwrap_or(loss.from)));
    let swap = match (lost, minutes) {
        (Some(lost), Some(minutes)) => format!(
            "the copy takes the place of the live data and loses {lost}: type ROLLBACK, then \
             {minutes}; what was live is kept"
        ),
        _ => "not possible: what would be lost is not known".to_owned(),
    };
    vec![
        (SWAP, swap),
        (
            "BESIDE",
            "nothing is lost: the live data stays, the copy too; holds are lifted".to_owned(),
        ),
        (NEW, new_time(run)),
    ]
}

/// What NEW TIME leads to, and which moments there are.
fn new_time(run: Option<&Run>) -> String {
    let window = run.and_then(|run| run.plan.face.window.as_ref());
    let Some(window) = window else {
        return "the copy is removed and the holds are lifted; choose another point".to_owned();
    };
    let zone = run.and_then(|run| run.plan.face.zone.as_ref());
    let zone = zone.filter(|zone| zone.shift != 0);
    let zone = zone.map(|zone| format!("; the database's zone is {}", zone.name));
    format!(
        "the copy is removed and the holds are lifted; with a moment (23:54 is UTC, -14m, \
         2026-11-21 23:54:00+01:00) its plan is made next. What can be reached: {}{}",
        window.words(),
        zone.unwrap_or_default()
    )
}

/// What each class leads to.
fn severities(world: &World) -> Vec<(&'static str, String)> {
    let running = world.situation.assessment.as_ref().and_then(|known| known.clock.as_ref());
    let worse = |class: Severity| running.map(|clock| clock.class).filter(|worse| *worse > class);
    let clock = |class: Severity| match class.clock() {
        // A clock that runs is not stopped by a milder word alone.
        _ if worse(class).is_some() => {
            let worse = worse(class).map_or("", Severity::label);
            format!("the clock of {worse} runs on until this has held for a while")
        }
        Some(span) if span.is_zero() => "no time for a forward fix".to_owned(),
        Some(span) => format!("a forward fix may be tried for {}", words::clock(span)),
        None => "no clock runs".to_owned(),
    };
    let classes = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
    let mut rows: Vec<_> = classes.map(|class| (class.label(), clock(class))).into();
    let known = world.situation.overrule.as_ref();
    let back = known.map_or_else(
        || "what is measured counts, as it does now".to_owned(),
        |word| format!("takes back what {} said: {}", word.by, word.reason),
    );
    rows.push(("MEASURED", back));
    rows
}

/// A living lead is asked, a silent one is replaced.
fn take(world: &World) -> String {
    match world.lead() {
        LeadStand::Other(name, None) => {
            format!("{name} is attached: their screen asks them to hand it over to you")
        }
        LeadStand::Other(..) | LeadStand::Mine(_) | LeadStand::Nobody => {
            "only you may start things then; the lead before you is told".to_owned()
        }
    }
}

/// What each of the three ways to stop would leave.
fn abort(run: &Run) -> Vec<(&'static str, String)> {
    let title = |id: &StepId| {
        let face = run.plan.face_of(id);
        face.map_or_else(|| id.to_string(), |face| face.title.to_string())
    };
    let running: Vec<String> = run.running().map(|step| title(&step.id)).collect();
    let running = if running.is_empty() { "no step".to_owned() } else { running.join(" and ") };
    let begun: Vec<String> = run
        .plan
        .core
        .steps
        .iter()
        .filter(|spec| spec.undo.is_some())
        .filter(|spec| run.step(&spec.id).is_some_and(|state| state.attempt > 0))
        .map(|spec| title(&spec.id))
        .collect();
    let left =
        run.steps.iter().filter(|step| !step.undo && step.phase == StepPhase::Waiting).count();
    let undo = if begun.is_empty() {
        "nothing was changed yet, so it only stops".to_owned()
    } else {
        format!("stops, then takes back, last first: {}", begun.join(", "))
    };
    vec![
        (
            "STOP",
            format!("ends after \"{running}\"; {left} steps are not begun, what is done stays"),
        ),
        ("NOW", format!("ends \"{running}\" at once; it may be half done, it is looked at then")),
        ("UNDO", undo),
    ]
}
