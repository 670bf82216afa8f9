//! Holds are set and lifted here: looked at, written down, done, proved. Beside it, everything that
//! is held or left over is looked at now and then, and what is gone is released.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;

use crate::adapters::Error;
use crate::link::Answer;
use crate::model::entry::{Command, Event, Standing, StepEnd};
use crate::model::hold::{self, CanHold, HoldPart, HoldStart};
use crate::model::ids::{Color, RunId, StepId, Time};
use crate::model::leftover::About;
use crate::steps::{Hold, LookCx, Progress, StepCx, StepKind, Told, Unhold, fault};
use crate::text::SafeText;

use super::answer_hold::leftover_of;
use super::books::Line;
use super::hold_around::{Around, look_around, working};
use super::hold_fence::Turn;
use super::run::{Engine, Seen};

/// Between looks at what is held and left over: while there is any of it, and while there is none.
const BUSY: chrono::Duration = chrono::Duration::seconds(5);
const CALM: chrono::Duration = chrono::Duration::seconds(15);
/// How long one look, and one hold or lift, may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
const ACT_LIMIT: Duration = Duration::from_secs(30);
/// Who is named when a look releases something.
const BY_LOOK: &str = "a look";

/// What this engine knows about holds beyond the journal.
#[derive(Default)]
pub(super) struct Holding {
    /// Being looked at, or worked on.
    live: BTreeSet<HoldPart>,
    /// Written down as begun; the act follows once that is durable.
    begun: Vec<(HoldPart, bool, u32)>,
    /// Whose turn at the fence it is: of two holds at once the second waits for the first.
    pub(super) turn: Turn,
    /// What can be held here.
    pub(super) can: Vec<CanHold>,
    looking: bool,
    looked_at: Option<Time>,
}

/// What came of a look or of an act.
pub(super) enum Came {
    /// A hold that was asked for was looked at before anything was done.
    Looked { part: HoldPart, held: bool, standing: Standing, workers: Vec<Color> },
    /// It was set or lifted, and looked at afterwards.
    Ended { part: HoldPart, held: bool, end: StepEnd, took: Duration, note: SafeText },
    /// Everything was looked at.
    Around(Box<Around>),
}

impl Engine {
    /// Why a hold cannot be asked for here.
    pub(super) fn cannot_hold(&self, command: &Command) -> Option<Answer> {
        let (Command::Hold { parts, .. } | Command::Unhold { parts, .. }) = command else {
            return None;
        };
        let refused =
            |why: String, hint: &str| Some(Answer::Refused { why, hint: hint.to_owned() });
        if self.stack.is_none() {
            let why = "no platform and traffic are configured: nothing can be held here";
            return refused(why.to_owned(), "hold it by hand, and write a note (N)");
        }
        let known = |part: &HoldPart| self.holding.can.iter().find(|can| can.part == *part);
        let no = parts.iter().filter_map(known).find(|can| !can.can)?;
        let why = format!("the {} cannot be held here: {}", no.part.words(), no.text);
        refused(why, "hold another part, or do it by hand and write a note (N)")
    }

    /// What follows from an accepted hold at once: an incident, and what it leaves.
    pub(super) fn hold_asked(
        &self,
        client: u64,
        parts: &[HoldPart],
        reason: &SafeText,
        lines: &mut Vec<Line>,
    ) {
        if self.books.situation.incident.is_none() {
            lines.push(self.open_incident(reason.clone()));
        }
        let (who, now) = (self.name_of(client), self.clock.now());
        lines.extend(parts.iter().map(|part| Line::from(leftover_of(*part, &who, now))));
    }

    /// Begins what the journal wants and nobody works on: a look first, and the act once its
    /// intent is durable.
    pub(super) fn begin_holds(&mut self) {
        for (part, held, attempt) in std::mem::take(&mut self.holding.begun) {
            // Asked otherwise since: what the journal wants now is looked at first.
            let card = self.books.situation.holds.get(&part);
            if card.is_some_and(|card| card.held == held && card.attempt == attempt) {
                self.act(part, attempt);
            } else {
                self.holding.live.remove(&part);
            }
        }
        if self.stack.is_none() {
            return;
        }
        let live = &self.holding.live;
        for part in hold::todo(&self.books.situation, |part| live.contains(&part)) {
            self.holding.live.insert(part);
            self.look_first(part);
        }
    }

    fn step_of(&self, part: HoldPart, held: bool) -> StepKind {
        if held {
            let grace_seconds = self.config.rollback.stop_grace.as_secs().min(10);
            return StepKind::Hold(Hold { part, grace_seconds, unless_down: false });
        }
        let workers = match part {
            HoldPart::Consumers => hold::workers_to_start(&self.books.situation),
            HoldPart::Page | HoldPart::Writers => Vec::new(),
        };
        StepKind::Unhold(Unhold { part, workers })
    }

    /// What a look may use; the key is made from the entry that asked.
    fn hold_cx(&self, part: HoldPart, attempt: u32) -> Option<(LookCx, RunId, StepId)> {
        let situation = &self.books.situation;
        let card = situation.holds.get(&part)?;
        let verb = if card.held { "hold" } else { "unhold" };
        let run = RunId(format!("{}-{}-{verb}", card.asked, situation.journal));
        let step = StepId(format!("{verb}_{part}"));
        let look = self.stack.as_ref()?.look_cx(&self.config, &self.clock, (&run, &step, attempt));
        Some((look, run, step))
    }

    fn look_first(&self, part: HoldPart) {
        let Some((look, ..)) = self.hold_cx(part, 0) else { return };
        let Some(card) = self.books.situation.holds.get(&part) else { return };
        let (held, step) = (card.held, self.step_of(part, card.held));
        let seen = self.seen.clone();
        tokio::spawn(async move {
            let standing = standing(&step, &look).await;
            let workers = if part == HoldPart::Consumers && held {
                working(&look).await.unwrap_or_default().into_iter().collect()
            } else {
                Vec::new()
            };
            let came = Came::Looked { part, held, standing, workers };
            // The engine is gone when nobody receives: the next one looks.
            seen.send(Seen::Hold(came)).await.ok();
        });
    }

    fn act(&self, part: HoldPart, attempt: u32) {
        let Some((look, run, step)) = self.hold_cx(part, attempt) else { return };
        let Some(card) = self.books.situation.holds.get(&part) else { return };
        let (held, kind, seen) = (card.held, self.step_of(part, card.held), self.seen.clone());
        fault::at_step("B2", step.as_str());
        let fence = self.hold_fence(&run, &card.by);
        tokio::spawn(async move {
            let began = look.clock.now();
            let progress = Progress(watch::channel(Told::default()).0);
            let (_ask, cancel) = watch::channel(false);
            let cx = StepCx { look: look.clone(), run, step, progress, cancel, fence: None };
            let entered = match &fence {
                Some(fence) => fence.enter(&look.clock).await.map(Some),
                None => Ok(None),
            };
            let ran = match &entered {
                Ok(_) => {
                    let ran = look.clock.timeout(ACT_LIMIT, kind.as_step().run(&cx)).await;
                    ran.unwrap_or_else(|_| Err(Error::timed_out("end it", ACT_LIMIT)))
                }
                Err(error) => Err(error.clone()),
            };
            // Whatever it said, what counts is what it looks like now.
            let (end, note) = end_of(standing(&kind, &look).await, ran);
            // One that never had it has nothing to give back.
            if let (Some(fence), Ok(Some(_turn))) = (&fence, entered) {
                fence.leave().await;
            }
            let took = (look.clock.now() - began).to_std().unwrap_or_default();
            let came = Came::Ended { part, held, end, took, note };
            seen.send(Seen::Hold(came)).await.ok();
        });
    }

    /// Takes what came of a look or an act.
    pub(super) fn hold_came(&mut self, came: Came, lines: &mut Vec<Line>) {
        match came {
            Came::Looked { part, held, standing, workers } => {
                self.hold_looked(part, held, &standing, workers, lines);
            }
            Came::Ended { part, held, end, took, note } => {
                self.holding.live.remove(&part);
                self.holding.looked_at = None;
                let asked = self.books.situation.holds.get(&part).map(|card| card.held);
                // Asked otherwise meanwhile: the journal still wants the other thing.
                if asked == Some(held) {
                    fault::at_step("B8", if held { "hold" } else { "unhold" });
                    self.hold_ended(part, held, (end, took, note), lines);
                }
            }
            Came::Around(around) => self.looked_around(*around, lines),
        }
    }

    fn hold_looked(
        &mut self,
        part: HoldPart,
        held: bool,
        standing: &Standing,
        workers: Vec<Color>,
        lines: &mut Vec<Line>,
    ) {
        let card = self.books.situation.holds.get(&part);
        let Some(card) = card.filter(|card| card.held == held && card.pending()) else {
            self.holding.live.remove(&part);
            return;
        };
        if *standing == Standing::Done {
            self.holding.live.remove(&part);
            if let Some((_, run, _)) = self.hold_cx(part, 0).filter(|_| card.attempt > 0) {
                self.leave_hold_fence(&run, &card.by);
            }
            let note = if card.attempt > 0 { "found done by a look" } else { "it was so already" };
            let ended = (StepEnd::Done, Duration::ZERO, note.into());
            self.hold_ended(part, held, ended, lines);
            return;
        }
        let attempt = card.attempt + 1;
        let Some((look, _, step)) = self.hold_cx(part, attempt) else { return };
        fault::at_step("B1", step.as_str());
        let effect = look.effect;
        let begun = HoldStart { part, held, attempt, effect, workers };
        lines.push(Line::from(Event::HoldStarted(begun)));
        self.holding.begun.push((part, held, attempt));
    }

    fn hold_ended(
        &self,
        part: HoldPart,
        held: bool,
        (end, took, note): (StepEnd, Duration, SafeText),
        lines: &mut Vec<Line>,
    ) {
        let gone = match &end {
            StepEnd::Done => !held,
            // Proved not to be there.
            StepEnd::Failed(_) => held,
            StepEnd::Skipped(_) | StepEnd::Unknown(_) => false,
        };
        lines.push(Line::from(Event::HoldEnded { part, held, end, took, note }));
        let name = part.leftover();
        if gone && self.books.situation.leftovers.iter().any(|left| left.name == name) {
            lines.push(Line::from(Event::LeftoverReleased { name, by: BY_LOOK.into() }));
        }
    }

    /// Begins a look at everything held or left over, when one is due.
    pub(super) fn look_at_holds(&mut self) {
        let situation = &self.books.situation;
        let any = !situation.holds.is_empty() || !situation.leftovers.is_empty();
        let every = if any { BUSY } else { CALM };
        let now = self.clock.now();
        let due = self.holding.looked_at.is_none_or(|at| now - at > every);
        if !due || self.holding.looking {
            return;
        }
        let none = (RunId::default(), StepId::default());
        let Some(stack) = &self.stack else { return };
        let look = stack.look_cx(&self.config, &self.clock, (&none.0, &none.1, 0));
        let settled = situation.holds.iter().filter(|(_, card)| !card.pending());
        let steps: Vec<(HoldPart, bool, StepKind)> = settled
            .map(|(part, card)| (*part, card.held, self.step_of(*part, card.held)))
            .collect();
        let frozen = situation.leftovers.iter().filter_map(|left| match &left.about {
            Some(About::Frozen(owner)) => Some(owner.clone()),
            Some(
                About::Hold(_)
                | About::Stopped(_)
                | About::Workers(_)
                | About::Path(_)
                | About::Lock(_),
            )
            | None => None,
        });
        let frozen = frozen.collect();
        self.holding.looking = true;
        self.holding.looked_at = Some(now);
        let seen = self.seen.clone();
        tokio::spawn(async move {
            let around = look_around(now, steps, frozen, &look).await;
            seen.send(Seen::Hold(Came::Around(Box::new(around)))).await.ok();
        });
    }

    fn looked_around(&mut self, around: Around, lines: &mut Vec<Line>) {
        self.holding.looking = false;
        self.holding.can = around.can;
        let situation = &self.books.situation;
        for (part, (held, standing)) in around.standing {
            let Some(card) = situation.holds.get(&part) else { continue };
            // What changed after the look began is not what it saw.
            if card.changed_at >= around.began || card.pending() || card.held != held {
                continue;
            }
            let done = |held, note: &str| (held, (StepEnd::Done, Duration::ZERO, note.into()));
            let proved = card.ended == Some(StepEnd::Done);
            let (held, ended) = if proved && standing == Standing::NotDone {
                done(!held, "lifted elsewhere")
            } else if !proved && standing == Standing::Done {
                done(held, "a later look found it done")
            } else {
                continue;
            };
            self.hold_ended(part, held, ended, lines);
        }
        for leftover in &situation.leftovers {
            let gone = match &leftover.about {
                Some(About::Stopped(color)) => around.running.contains(color),
                Some(About::Workers(color)) => around.working.contains(color),
                Some(About::Frozen(owner)) => around.lifted.contains(owner),
                // A hold that is lifted says so itself; what no look can tell a person releases.
                Some(About::Hold(part)) => !situation.holds.contains_key(part),
                Some(About::Lock(kind)) => !situation.locks.all().any(|lock| lock.kind == *kind),
                Some(About::Path(path)) => path.try_exists().is_ok_and(|there| !there),
                None => false,
            };
            if gone && leftover.since.is_none_or(|since| since < around.began) {
                let (name, by) = (leftover.name.clone(), BY_LOOK.into());
                lines.push(Line::from(Event::LeftoverReleased { name, by }));
            }
        }
    }
}

pub(super) async fn standing(step: &StepKind, look: &LookCx) -> Standing {
    let looked = look.clock.timeout(LOOK_LIMIT, step.as_step().standing(look)).await;
    looked.unwrap_or_else(|_| {
        Standing::CannotTell(SafeText::new(&format!(
            "the look did not answer in {} s",
            LOOK_LIMIT.as_secs()
        )))
    })
}

/// The end by the look after the act, with what the act said.
fn end_of(standing: Standing, ran: Result<SafeText, Error>) -> (StepEnd, SafeText) {
    let said = |what: &str| match &ran {
        Ok(_) => SafeText::new(what),
        Err(error) => SafeText::new(&error.message),
    };
    match standing {
        Standing::Done => (StepEnd::Done, ran.unwrap_or_default()),
        Standing::NotDone => {
            (StepEnd::Failed(said("it said done, but it is not so")), SafeText::default())
        }
        Standing::Partly(what) => {
            (StepEnd::Unknown(SafeText::new(&format!("only partly: {what}"))), SafeText::default())
        }
        Standing::CannotTell(why) => (StepEnd::Unknown(said(why.as_str())), SafeText::default()),
    }
}
