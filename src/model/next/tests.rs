use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::criteria::{Criterion, Passed};
use super::super::entry::{Command, Event, StepEnd};
use super::super::plan::{Hazard, Plan};
use super::super::sample::*;
use super::super::watch::Verdict;
use super::*;

/// What the fake world holds of a step's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    None,
    Half,
    Full,
}

/// How the world behaves; the same for every run that is compared.
#[derive(Clone, Debug, Default)]
struct Script {
    /// Entries (by count since the run began) after which the engine dies.
    die_after: BTreeSet<usize>,
    /// Ticks at which it dies between effect and record.
    die_at_tick: BTreeSet<usize>,
    /// Steps that fail the first time, before their effect.
    fail_once: BTreeSet<StepId>,
    /// Steps that always fail.
    fail_always: BTreeSet<StepId>,
    /// Looks that cannot tell, counted down.
    blind_looks: usize,
    /// Effects are cut in half when the engine dies while they begin.
    halves: bool,
    /// The verdict of the watch window.
    verdict: Option<Verdict>,
    /// The criteria's answer.
    criteria: Option<Passed>,
    /// At this tick a person commands.
    person: BTreeMap<usize, Order>,
    /// At this tick the clock is set by so many seconds.
    jumps: BTreeMap<usize, i64>,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Pause,
    Resume,
    Abort(Abort),
}

struct Dead;

/// An engine that follows `next`, in a world that remembers every effect.
struct Engine {
    tape: Tape,
    script: Script,
    live: BTreeSet<StepId>,
    world: BTreeMap<StepId, Effect>,
    /// Every full effect that came to be, in order.
    ledger: Vec<StepId>,
    /// Steps begun under a lease, to see that one is looked at before it is begun again.
    begun: BTreeMap<StepId, Epoch>,
    looked: BTreeMap<StepId, Epoch>,
    asked: BTreeMap<(Option<StepId>, u32), usize>,
    failed: BTreeSet<StepId>,
    appended: usize,
    watched: usize,
    side_by_side: usize,
}

impl Engine {
    fn new(plan: Plan, script: Script) -> Self {
        let mut tape = Tape::new();
        tape.started(plan);
        Self {
            tape,
            script,
            live: BTreeSet::new(),
            world: BTreeMap::new(),
            ledger: Vec::new(),
            begun: BTreeMap::new(),
            looked: BTreeMap::new(),
            asked: BTreeMap::new(),
            failed: BTreeSet::new(),
            appended: 0,
            watched: 0,
            side_by_side: 0,
        }
    }

    fn run(&self) -> &Run {
        self.tape.situation.run.as_ref().unwrap()
    }

    fn state(&self, id: &StepId) -> &StepState {
        self.run().step(id).unwrap()
    }

    fn phase(&self, id: &str) -> StepPhase {
        self.state(&id.into()).phase.clone()
    }

    fn outcome(&self) -> Option<Outcome> {
        self.run().ended.as_ref().map(|ended| ended.outcome)
    }

    fn append(&mut self, event: Event) -> Result<(), Dead> {
        self.tape.event(event);
        self.appended += 1;
        if self.script.die_after.contains(&self.appended) {
            return Err(Dead);
        }
        Ok(())
    }

    fn start(&mut self, id: &StepId, attempt: u32) -> Result<(), Dead> {
        let epoch = self.tape.epoch;
        if let Some(before) = self.begun.insert(id.clone(), epoch)
            && before < epoch
            && self.state(id).phase == StepPhase::Running
        {
            assert_eq!(
                self.looked.get(id),
                Some(&epoch),
                "{id} was begun again without a look under the new lease"
            );
        }
        assert_eq!(attempt, self.state(id).attempt + 1, "{id}: attempts count up");
        assert!(!self.live.contains(id), "{id} was begun while it runs");
        self.append(Event::StepStarted {
            run: run_id(),
            step: id.clone(),
            attempt,
            effect: format!("{id}"),
            boot: "b1".into(),
        })?;
        self.live.insert(id.clone());
        self.side_by_side = self.side_by_side.max(self.live.len());
        Ok(())
    }

    fn end(&mut self, id: &StepId, end: StepEnd) -> Result<(), Dead> {
        self.live.remove(id);
        let attempt = self.state(id).attempt;
        self.append(Event::StepEnded {
            run: run_id(),
            step: id.clone(),
            attempt,
            end,
            took: Duration::from_secs(1),
            note: SafeText::default(),
        })
    }

    fn follow(&mut self, next: Next) -> Result<(), Dead> {
        let run = self.run();
        match next {
            Next::Run(id, attempt) => {
                let undo = self.state(&id).undo;
                assert!(undo || run.abort.is_none(), "{id} begun in an abort");
                assert!(undo || !run.paused, "{id} begun while paused");
                self.start(&id, attempt)
            }
            Next::Look(id) => {
                assert!(!self.live.contains(&id), "{id} is live, not cut off");
                let standing = self.standing(&id);
                self.looked.insert(id.clone(), self.tape.epoch);
                let attempt = self.state(&id).attempt;
                self.append(Event::StepLooked { run: run_id(), step: id, attempt, standing })
            }
            Next::Settle(id) => {
                let spec = run.plan.step(&id).unwrap();
                let looked = self.state(&id).looked.clone().unwrap();
                match settle(spec, &looked) {
                    Settled::Done => self.end(&id, StepEnd::Done),
                    Settled::Unknown(why) => self.end(&id, StepEnd::Unknown(why)),
                    Settled::Again => {
                        assert!(
                            !run.paused || run.abort == Some(Abort::Stop) || self.state(&id).undo,
                            "{id} again in a pause"
                        );
                        let attempt = self.state(&id).attempt + 1;
                        self.start(&id, attempt)
                    }
                }
            }
            Next::Wait(id, why) => {
                let attempt = id.as_ref().map_or(0, |id| self.state(id).attempt);
                *self.asked.entry((id.clone(), attempt)).or_default() += 1;
                self.append(Event::NeedsPerson { run: run_id(), step: id, why, offer: None })
            }
            Next::OpenWatch => {
                let criteria = vec![Criterion {
                    name: "switch < 10 s".into(),
                    measured: "0.4 s".into(),
                    answer: self.script.criteria.unwrap_or(Passed::Yes),
                }];
                // One batch: both are durable or none is.
                self.tape.event(Event::CriteriaMeasured { run: run_id(), criteria });
                self.append(Event::WatchOpened { run: run_id(), window: Duration::from_secs(5) })
            }
            Next::Watch => {
                self.watched += 1;
                if self.watched < 5 {
                    return Ok(());
                }
                self.append(Event::WatchEnded {
                    run: run_id(),
                    verdict: self.script.verdict.unwrap_or(Verdict::Stable),
                    why: "errors 0.0 %".into(),
                    counted: Duration::from_secs(5),
                })
            }
            Next::Finish(outcome) => {
                let (same, why) = outcome_of(run);
                assert_eq!(outcome, same, "the reason belongs to the outcome");
                self.append(Event::RunEnded {
                    run: run_id(),
                    outcome,
                    took: Duration::from_secs(9),
                    why,
                    history: String::new(),
                })
            }
        }
    }

    fn standing(&mut self, id: &StepId) -> Standing {
        if self.script.blind_looks > 0 {
            self.script.blind_looks -= 1;
            return Standing::CannotTell("no line".into());
        }
        match self.world.get(id) {
            Some(Effect::Full) => Standing::Done,
            Some(Effect::Half) => Standing::Partly("half of it".into()),
            Some(Effect::None) | None => Standing::NotDone,
        }
    }

    /// One live step moves on: its effect comes first, then its record.
    fn work(&mut self, tick: usize) -> Result<(), Dead> {
        let Some(id) = self.live.iter().nth(tick % self.live.len().max(1)).cloned() else {
            return Ok(());
        };
        let fails = self.script.fail_always.contains(&id)
            || (self.script.fail_once.contains(&id) && self.failed.insert(id.clone()));
        if fails {
            return self.end(&id, StepEnd::Failed("it said no".into()));
        }
        let dies = self.script.die_at_tick.contains(&tick);
        if dies && self.script.halves && self.world.get(&id) != Some(&Effect::Half) {
            self.world.insert(id, Effect::Half);
            return Err(Dead);
        }
        self.world.insert(id.clone(), Effect::Full);
        self.ledger.push(id.clone());
        if let Some(taken_back) = self.taken_back_by(&id) {
            self.world.insert(taken_back, Effect::None);
        }
        if dies {
            return Err(Dead);
        }
        self.end(&id, StepEnd::Done)
    }

    fn taken_back_by(&self, undo: &StepId) -> Option<StepId> {
        let mut steps = self.run().plan.core.steps.iter();
        steps.find(|spec| spec.undo.as_ref() == Some(undo)).map(|spec| spec.id.clone())
    }

    /// The person at the console knows the truth and decides by it.
    fn person(&mut self, tick: usize) {
        match self.script.person.remove(&tick) {
            Some(Order::Pause) => {
                self.tape.event(Event::Paused);
            }
            Some(Order::Resume) => {
                self.tape.event(Event::Resumed);
            }
            Some(Order::Abort(verb)) => {
                self.tape.command(Command::Abort { verb });
            }
            None => {}
        }
        let Some(waiting) = self.run().waiting.clone() else {
            return;
        };
        if !tick.is_multiple_of(7) {
            return;
        }
        let Some(step) = waiting.step else {
            self.tape.command(Command::EndWatch { run: run_id() });
            return;
        };
        let attempt = self.state(&step).attempt;
        let reason = SafeText::from("seen by hand");
        let (run, done) = (run_id(), self.world.get(&step) == Some(&Effect::Full));
        self.tape.command(if done {
            Command::MarkDone { run, step, attempt, reason }
        } else if self.script.fail_always.contains(&step) {
            Command::Skip { run, step, attempt, reason }
        } else {
            Command::Retry { run, step, attempt, reason }
        });
    }

    fn tick(&mut self, tick: usize) -> Result<(), Dead> {
        self.tape.now += 1 + self.script.jumps.get(&tick).copied().unwrap_or_default();
        self.person(tick);
        let todo = next(&self.tape.situation, &self.live, at(self.tape.now));
        for one in todo {
            self.follow(one)?;
            if self.outcome().is_some() {
                return Ok(());
            }
        }
        // "Now" ends what runs: it is looked at and recorded as it stands.
        if self.run().abort == Some(Abort::Now) {
            for id in self.live.clone() {
                let end = match self.world.get(&id) {
                    Some(Effect::Full) => StepEnd::Done,
                    Some(Effect::Half | Effect::None) | None => {
                        StepEnd::Failed("ended now on request".into())
                    }
                };
                self.end(&id, end)?;
            }
            return Ok(());
        }
        self.work(tick)
    }

    /// Lives, dies and comes back until the run is over.
    fn live_on(mut self) -> Self {
        for tick in 0..600 {
            if self.outcome().is_some() {
                return self;
            }
            if self.tick(tick).is_err() {
                self.live.clear();
                self.tape.epoch += 1;
                self.tape.engine();
            }
        }
        panic!("the run does not end: {:?} waiting {:?}", self.run().steps, self.run().waiting);
    }

    fn phases(&self) -> Vec<(StepId, StepPhase)> {
        let steps = self.run().steps.iter();
        steps.map(|step| (step.id.clone(), step.phase.clone())).collect()
    }
}

fn to_the_end(plan: &Plan, script: Script) -> Engine {
    Engine::new(plan.clone(), script).live_on()
}

fn ids(names: &[&str]) -> BTreeSet<StepId> {
    names.iter().map(|name| StepId::from(*name)).collect()
}

#[test]
fn an_undisturbed_run_is_done() {
    let engine = to_the_end(&level_one(), Script::default());
    assert_eq!(engine.outcome(), Some(Outcome::Done));
    assert_eq!(engine.asked, BTreeMap::new());
    assert_eq!(engine.side_by_side, 2, "the gate runs beside preserving");
    let order: Vec<&str> = engine.ledger.iter().map(StepId::as_str).collect();
    assert_eq!(order[..2], ["verify", "switch"]);
    assert_eq!(order[5..], ["keep", "stop"]);
}

#[test]
fn a_death_after_every_single_entry_changes_nothing() {
    let undisturbed = to_the_end(&level_one(), Script::default());
    for death in 1..=undisturbed.appended {
        let script = Script { die_after: BTreeSet::from([death]), ..Script::default() };
        let engine = to_the_end(&level_one(), script);
        assert_eq!(engine.phases(), undisturbed.phases(), "death after {death}");
        assert_eq!(engine.outcome(), Some(Outcome::Done), "death after {death}");
        assert_eq!(engine.ledger.len(), 7, "death after {death}");
    }
}

#[test]
fn the_window_does_not_wait_for_steps_beside_it() {
    let mut engine = Engine::new(level_one(), Script::default());
    for tick in 0..600 {
        assert!(engine.tick(tick).is_ok());
        if engine.run().watch.is_some() {
            break;
        }
    }
    assert_eq!(engine.phase("drain"), StepPhase::Done);
    assert_ne!(engine.phase("stop"), StepPhase::Done);
}

#[test]
fn a_failed_step_asks_once_and_its_dependents_wait() {
    let mut engine =
        Engine::new(level_one(), Script { fail_always: ids(&["gate"]), ..Script::default() });
    for tick in 1..7 {
        assert!(engine.tick(tick).is_ok());
    }
    assert_eq!(engine.asked.values().sum::<usize>(), 1);
    assert_eq!(engine.phase("drain"), StepPhase::Waiting);
    let todo = next(&engine.tape.situation, &engine.live, at(engine.tape.now));
    assert_eq!(todo, Vec::new(), "it waits and does nothing else");
    let engine = engine.live_on();
    assert_eq!(engine.outcome(), Some(Outcome::Done), "skipped by a person");
    assert_eq!(engine.asked.values().sum::<usize>(), 1);
}

#[test]
fn retry_goes_on_where_it_failed() {
    let engine = to_the_end(
        &level_one(),
        Script { fail_once: ids(&["switch", "drain"]), ..Script::default() },
    );
    assert_eq!(engine.outcome(), Some(Outcome::Done));
    assert_eq!(engine.state(&"switch".into()).attempt, 2);
    assert_eq!(engine.asked.len(), 2);
    assert!(engine.asked.values().all(|times| *times == 1));
}

#[test]
fn two_failures_are_asked_one_after_the_other_and_each_once() {
    let plan = plan_of(vec![step("a", &[]), step("b", &[]), step("c", &["a", "b"])], Vec::new());
    let engine = to_the_end(&plan, Script { fail_once: ids(&["a", "b"]), ..Script::default() });
    assert_eq!(engine.outcome(), Some(Outcome::Done));
    assert_eq!(engine.asked.len(), 2);
    assert!(engine.asked.values().all(|times| *times == 1), "{:?}", engine.asked);
}

#[test]
fn deciding_about_another_step_does_not_end_the_waiting() {
    let plan = plan_of(vec![step("a", &[]), step("b", &[])], Vec::new());
    let script = Script { fail_always: ids(&["a", "b"]), ..Script::default() };
    let mut engine = Engine::new(plan, script);
    for tick in 1..6 {
        assert!(engine.tick(tick).is_ok());
    }
    let waits = engine.run().waiting.clone().unwrap();
    assert_eq!(waits.step, Some("a".into()));
    engine.tape.command(Command::Skip {
        run: run_id(),
        step: "b".into(),
        attempt: 1,
        reason: "not needed".into(),
    });
    assert_eq!(engine.run().waiting, Some(waits));
}

#[test]
fn a_step_that_may_fail_does_not_block() {
    let engine =
        to_the_end(&level_one(), Script { fail_always: ids(&["preserve"]), ..Script::default() });
    assert_eq!(engine.outcome(), Some(Outcome::Done));
    assert_eq!(engine.asked, BTreeMap::new());
    let why = outcome_of(engine.run()).1;
    assert!(why.as_str().ends_with("; not done: preserve"), "{why}");
}

#[test]
fn a_step_that_can_never_begin_is_said() {
    let plan = plan_of(vec![step("a", &["nowhere"])], Vec::new());
    let mut tape = Tape::new();
    tape.started(plan);
    let todo = next(&tape.situation, &BTreeSet::new(), at(0));
    let why = SafeText::from("it can never begin: it needs nowhere");
    assert_eq!(todo, vec![Next::Wait(Some("a".into()), why)]);
}

#[test]
fn nobody_vouches_until_a_look_heals_it_eight_seconds_later() {
    let mut engine = Engine::new(
        level_one(),
        Script { die_at_tick: BTreeSet::from([2]), blind_looks: 1, ..Script::default() },
    );
    for tick in 1..3 {
        if engine.tick(tick).is_err() {
            engine.live.clear();
            engine.tape.epoch += 1;
            engine.tape.engine();
        }
    }
    assert_eq!(engine.phase("switch"), StepPhase::Running);
    for tick in 3..6 {
        assert!(engine.tick(tick).is_ok());
    }
    assert!(matches!(engine.phase("switch"), StepPhase::Unknown(_)));
    assert!(engine.run().waiting.is_some(), "a person is asked meanwhile");
    let looked = engine.state(&"switch".into()).looked_at.unwrap();
    let todo = |engine: &Engine, seconds: i64| {
        let now = looked + chrono::Duration::seconds(seconds);
        next(&engine.tape.situation, &engine.live, now)
    };
    assert_eq!(todo(&engine, 7), Vec::new());
    assert_eq!(todo(&engine, 8), vec![Next::Look("switch".into())]);
    assert!(engine.follow(Next::Look("switch".into())).is_ok());
    assert_eq!(todo(&engine, 9), vec![Next::Settle("switch".into())]);
    assert!(engine.follow(Next::Settle("switch".into())).is_ok());
    assert_eq!(engine.phase("switch"), StepPhase::Done);
    assert_eq!(engine.run().waiting, None);
    let engine = engine.live_on();
    assert_eq!(engine.outcome(), Some(Outcome::Done));
    assert_eq!(engine.ledger.len(), 7, "no effect twice");
}

#[test]
fn an_opaque_step_is_never_begun_again_without_a_person() {
    let opaque = |id: &str| StepSpec { class: Class::Opaque, ..step(id, &[]) };
    let plan = plan_of(vec![opaque("tell")], Vec::new());
    for death in [1, 2] {
        let script = Script {
            die_after: BTreeSet::from([death]),
            halves: true,
            die_at_tick: BTreeSet::from([0]),
            ..Script::default()
        };
        let mut engine = Engine::new(plan.clone(), script);
        for tick in 0..6 {
            if engine.tick(tick).is_err() {
                engine.live.clear();
                engine.tape.epoch += 1;
                engine.tape.engine();
            }
            assert!(engine.state(&"tell".into()).attempt <= 1);
        }
        assert!(matches!(engine.phase("tell"), StepPhase::Unknown(_)));
    }
}

#[test]
fn a_pause_starts_nothing_and_a_cut_off_step_waits_with_it() {
    let mut engine = Engine::new(level_one(), Script::default());
    assert!(engine.tick(1).is_ok());
    engine.tape.event(Event::Paused);
    assert!(engine.tick(2).is_ok());
    let todo = next(&engine.tape.situation, &engine.live, at(engine.tape.now));
    assert_eq!(todo, Vec::new());
    engine.tape.event(Event::Resumed);
    assert!(matches!(engine.follow(Next::Run("switch".into(), 1)), Ok(())));
    engine.tape.event(Event::Paused);
    engine.live.clear();
    engine.tape.epoch += 1;
    engine.tape.engine();
    let look = vec![Next::Look("switch".into())];
    let todo = next(&engine.tape.situation, &engine.live, at(engine.tape.now));
    assert_eq!(todo, look, "looking is no starting");
    assert!(engine.follow(Next::Look("switch".into())).is_ok());
    let todo = next(&engine.tape.situation, &engine.live, at(engine.tape.now));
    assert_eq!(todo, Vec::new(), "but beginning it again is");
    engine.tape.event(Event::Resumed);
    let todo = next(&engine.tape.situation, &engine.live, at(engine.tape.now));
    assert_eq!(todo, vec![Next::Settle("switch".into())]);
}

fn aborted(verb: Abort, tick: usize, deaths: &[usize]) -> Engine {
    to_the_end(
        &level_one(),
        Script {
            person: BTreeMap::from([(tick, Order::Abort(verb))]),
            die_at_tick: deaths.iter().copied().collect(),
            ..Script::default()
        },
    )
}

#[test]
fn stop_lets_the_running_step_end_and_begins_no_other() {
    let engine = aborted(Abort::Stop, 2, &[]);
    assert_eq!(engine.outcome(), Some(Outcome::Aborted));
    let order: Vec<&str> = engine.ledger.iter().map(StepId::as_str).collect();
    assert_eq!(order, ["verify", "switch"]);
}

#[test]
fn a_stop_of_a_run_that_a_failed_step_holds_up_ends_failed() {
    let mut engine = Engine::new(level_one(), Script::default());
    assert!(engine.follow(Next::Run("verify".into(), 1)).is_ok());
    engine.live.clear();
    engine.tape.event(Event::StepEnded {
        run: run_id(),
        step: "verify".into(),
        attempt: 1,
        end: StepEnd::Failed("it said no".into()),
        took: Duration::ZERO,
        note: SafeText::default(),
    });
    engine.tape.command(Command::Abort { verb: Abort::Stop });
    let (outcome, why) = outcome_of(engine.run());
    assert_eq!(outcome, Outcome::Failed);
    assert!(why.as_str().contains("verify failed: it said no"), "{why}");
    let engine = engine.live_on();
    assert_eq!(engine.outcome(), Some(Outcome::Failed));
}

#[test]
fn stop_does_not_begin_a_cut_off_step_again() {
    let mut engine = Engine::new(level_one(), Script::default());
    assert!(engine.follow(Next::Run("verify".into(), 1)).is_ok());
    engine.tape.command(Command::Abort { verb: Abort::Stop });
    engine.live.clear();
    engine.tape.epoch += 1;
    engine.tape.engine();
    let engine = engine.live_on();
    assert_eq!(engine.outcome(), Some(Outcome::Aborted));
    assert!(matches!(engine.phase("verify"), StepPhase::Skipped(_)));
    assert_eq!(engine.ledger, Vec::new());
}

#[test]
fn a_stop_with_a_step_nobody_can_vouch_for_ends_unknown() {
    let mut engine = Engine::new(level_one(), Script::default());
    assert!(engine.follow(Next::Run("verify".into(), 1)).is_ok());
    engine.script.blind_looks = 100;
    engine.tape.command(Command::Abort { verb: Abort::Stop });
    engine.live.clear();
    engine.tape.epoch += 1;
    engine.tape.engine();
    let engine = engine.live_on();
    assert_eq!(engine.outcome(), Some(Outcome::Unknown));
}

#[test]
fn undo_takes_back_what_was_begun_last_first() {
    for tick in 0..14 {
        for deaths in [&[][..], &[2], &[7], &[10], &[2, 8, 11]] {
            let engine = aborted(Abort::Undo, tick, deaths);
            if tick > 10 && engine.run().abort.is_none() {
                continue;
            }
            assert_eq!(engine.outcome(), Some(Outcome::Undone), "{tick} {deaths:?}");
            for effect in ["switch", "stop"] {
                let left = engine.world.get(&StepId::from(effect));
                assert_ne!(left, Some(&Effect::Full), "{effect} at {tick} {deaths:?}");
            }
        }
    }
}

#[test]
fn an_undo_step_that_was_left_out_is_no_undone() {
    let engine = to_the_end(
        &level_one(),
        Script {
            person: BTreeMap::from([(3, Order::Abort(Abort::Undo))]),
            fail_always: ids(&["switch_back"]),
            ..Script::default()
        },
    );
    assert_eq!(engine.outcome(), Some(Outcome::Aborted));
    assert_eq!(engine.asked.values().sum::<usize>(), 1);
}

#[test]
fn outcomes_follow_verdict_and_criteria() {
    use Passed::{No, Unknown as Open, Yes};
    use Verdict::{CannotTell, NoEffect, Stable, Worse};
    let table = [
        (Stable, Yes, Outcome::Done),
        (Stable, No, Outcome::Failed),
        (Stable, Open, Outcome::Unknown),
        (CannotTell, Yes, Outcome::Unknown),
        (CannotTell, No, Outcome::Failed),
        (CannotTell, Open, Outcome::Unknown),
        (NoEffect, Yes, Outcome::Failed),
        (NoEffect, Open, Outcome::Failed),
        (Worse, Yes, Outcome::Failed),
        (Worse, No, Outcome::Failed),
    ];
    for (verdict, criteria, outcome) in table {
        let engine = to_the_end(
            &level_one(),
            Script { verdict: Some(verdict), criteria: Some(criteria), ..Script::default() },
        );
        assert_eq!(engine.outcome(), Some(outcome), "{verdict:?} {criteria:?}");
        let asked = engine.asked.get(&(None, 0)).copied().unwrap_or_default();
        assert_eq!(asked, usize::from(outcome == Outcome::Failed), "{verdict:?}");
    }
}

#[test]
fn a_run_without_criteria_is_not_done() {
    let mut tape = Tape::new();
    tape.started(plan_of(Vec::new(), Vec::new()));
    tape.event(Event::WatchOpened { run: run_id(), window: Duration::from_secs(5) });
    tape.event(Event::WatchEnded {
        run: run_id(),
        verdict: Verdict::Stable,
        why: "good".into(),
        counted: Duration::from_secs(5),
    });
    let todo = next(&tape.situation, &BTreeSet::new(), at(9));
    assert_eq!(todo, vec![Next::Finish(Outcome::Unknown)]);
}

#[test]
fn after_a_verdict_against_it_the_way_back_is_not_stopped() {
    let mut plan = level_one();
    let again = StepSpec { beside_watch: true, ..step("keep_on", &["keep"]) };
    plan.core.steps.insert(6, again);
    plan.core.steps[7].needs = vec!["keep_on".into()];
    let mut engine =
        Engine::new(plan, Script { verdict: Some(Verdict::Worse), ..Script::default() });
    engine.watched = 4;
    let engine = engine.live_on();
    assert_eq!(engine.outcome(), Some(Outcome::Failed));
    assert_eq!(engine.phase("stop"), StepPhase::Waiting);
}

#[test]
fn settling_goes_by_class_and_look() {
    let of = |class| StepSpec { class, ..step("a", &[]) };
    for class in [Class::Atomic, Class::Converge, Class::Probed, Class::Opaque] {
        assert_eq!(settle(&of(class), &Standing::Done), Settled::Done);
        let cannot = settle(&of(class), &Standing::CannotTell("why".into()));
        assert_eq!(cannot, Settled::Unknown("why".into()));
    }
    assert_eq!(settle(&of(Class::Probed), &Standing::NotDone), Settled::Again);
    assert!(matches!(settle(&of(Class::Opaque), &Standing::NotDone), Settled::Unknown(_)));
}

/// What the table of classes says of a step that was cut off, 16 of 16 (G15): the left column is
/// what is made of it, the right one whether a person is asked.
#[test]
fn each_class_and_each_standing_is_settled_as_the_table_says() {
    #[derive(Debug, PartialEq)]
    enum Made {
        Done,
        Again,
        Asks,
    }
    use Made::{Again, Asks, Done};
    let standings: [Standing; 4] = [
        Standing::Done,
        Standing::NotDone,
        Standing::Partly("half of it".into()),
        Standing::CannotTell("no line".into()),
    ];
    let table = [
        (Class::Atomic, [Done, Again, Again, Asks]),
        (Class::Converge, [Done, Again, Again, Asks]),
        (Class::Probed, [Done, Again, Again, Asks]),
        (Class::Opaque, [Done, Asks, Asks, Asks]),
    ];
    let mut tried = 0;
    for (class, row) in table {
        for (standing, expected) in standings.iter().zip(row) {
            let spec = StepSpec { class, ..step("one", &[]) };
            let two = step("two", &["one"]);
            let plan = plan_of(vec![spec, two], Vec::new());
            let mut engine = Engine::new(plan, Script::default());
            assert!(engine.start(&"one".into(), 1).is_ok());
            engine.live.clear();
            engine.tape.epoch += 1;
            engine.tape.engine();
            let todo =
                |engine: &Engine| next(&engine.tape.situation, &engine.live, at(engine.tape.now));
            assert_eq!(todo(&engine), [Next::Look("one".into())], "{class:?}: looked at first");
            engine.looked.insert("one".into(), engine.tape.epoch);
            engine.tape.event(Event::StepLooked {
                run: run_id(),
                step: "one".into(),
                attempt: 1,
                standing: standing.clone(),
            });
            assert_eq!(todo(&engine), [Next::Settle("one".into())]);
            assert!(engine.follow(Next::Settle("one".into())).is_ok());
            let made = match engine.phase("one") {
                StepPhase::Done => Done,
                StepPhase::Running => Again,
                StepPhase::Unknown(_) => Asks,
                other @ (StepPhase::Waiting | StepPhase::Failed(_) | StepPhase::Skipped(_)) => {
                    panic!("{class:?} {standing:?}: {other:?}")
                }
            };
            assert_eq!(made, expected, "{class:?} {standing:?}");
            let after = todo(&engine);
            let goes_on = after.contains(&Next::Run("two".into(), 1));
            assert_eq!(goes_on, made == Done, "{class:?} {standing:?}: {after:?}");
            let asks = after.iter().any(|next| matches!(next, Next::Wait(Some(_), _)));
            assert_eq!(asks, made == Asks, "{class:?} {standing:?}: {after:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, 16);
}

/// Any graph: each step needs some of those before it, some may fail, some stand beside the watch.
fn any_plan() -> impl Strategy<Value = Plan> {
    let one = (any::<u8>(), 0..4u8, any::<bool>(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 1..7).prop_map(|specs| {
        let mut undo = Vec::new();
        let mut beside_before = Vec::new();
        let steps = specs
            .iter()
            .enumerate()
            .map(|(at, (needs, class, go_on, beside, back))| {
                let needed: Vec<usize> = (0..at).filter(|bit| needs >> bit & 1 == 1).collect();
                let names: Vec<String> = needed.iter().map(|at| format!("s{at}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                // What needs a step beside the window stands beside it as well.
                let beside =
                    (*beside && at > 2) || needed.iter().any(|need| beside_before.contains(need));
                if beside {
                    beside_before.push(at);
                }
                if *back {
                    undo.push(step(&format!("u{at}"), &[]));
                }
                StepSpec {
                    class: [Class::Atomic, Class::Converge, Class::Probed, Class::Opaque]
                        [*class as usize],
                    on_failure: if *go_on && at % 3 == 2 {
                        OnFailure::GoOn
                    } else {
                        OnFailure::Wait
                    },
                    beside_watch: beside,
                    undo: back.then(|| format!("u{at}").as_str().into()),
                    ..step(&format!("s{at}"), &names)
                }
            })
            .collect();
        plan_of(steps, undo)
    })
}

fn deaths() -> impl Strategy<Value = (BTreeSet<usize>, BTreeSet<usize>, usize, bool)> {
    (
        proptest::collection::btree_set(1..40usize, 0..6),
        proptest::collection::btree_set(0..40usize, 0..6),
        0..4usize,
        any::<bool>(),
    )
}

/// How a run that nobody stopped ends: done, or not known where the run went on without a step that
/// may have changed something.
fn honest(engine: &Engine) -> Outcome {
    let unknown = engine.phases().into_iter().any(|(id, phase)| {
        let spec = engine.run().plan.step(&id).unwrap();
        matches!(phase, StepPhase::Unknown(_))
            && spec.on_failure == OnFailure::GoOn
            && spec.class == Class::Opaque
            && spec.hazard != Hazard::Looks
    });
    if unknown { Outcome::Unknown } else { Outcome::Done }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn with_any_deaths_every_run_reaches_the_same_end(
        plan in any_plan(),
        (die_after, die_at_tick, blind_looks, halves) in deaths(),
        failing in proptest::collection::btree_set(0..7usize, 0..3),
    ) {
        let fail_once: BTreeSet<StepId> = failing
            .iter()
            .map(|at| StepId(format!("s{at}")))
            .filter(|id| plan.step(id).is_some_and(|spec| spec.on_failure == OnFailure::Wait))
            .collect();
        let calm = to_the_end(&plan, Script { fail_once: fail_once.clone(), ..Script::default() });
        let wild = to_the_end(&plan, Script {
            die_after, die_at_tick, fail_once, blind_looks, halves, ..Script::default()
        });
        prop_assert_eq!(calm.outcome(), Some(Outcome::Done));
        prop_assert_eq!(wild.outcome(), Some(honest(&wild)));
        // A step that may fail can end unknown and the run goes on; all else ends the same.
        for (id, phase) in calm.phases() {
            let may_fail = plan.step(&id).is_some_and(|spec| spec.on_failure == OnFailure::GoOn);
            if !may_fail {
                prop_assert_eq!(wild.phase(id.as_str()), phase, "{}", id);
                let times = wild.ledger.iter().filter(|done| **done == id).count();
                let expected = calm.ledger.iter().filter(|done| **done == id).count();
                prop_assert_eq!(times, expected, "effects of {}", id);
            }
        }
        prop_assert!(wild.asked.values().all(|times| *times == 1), "{:?}", wild.asked);
    }

    #[test]
    fn an_abort_at_any_time_ends_as_promised(
        plan in any_plan(),
        (die_after, die_at_tick, blind_looks, halves) in deaths(),
        (tick, verb) in (0..30usize, 0..3usize),
        pause in proptest::option::of(0..10usize),
    ) {
        let verb = [Abort::Stop, Abort::Now, Abort::Undo][verb];
        let mut person = BTreeMap::from([(tick, Order::Abort(verb))]);
        if let Some(pause) = pause {
            person.entry(pause).or_insert(Order::Pause);
            person.entry(pause + 3).or_insert(Order::Resume);
        }
        let engine = to_the_end(&plan, Script {
            die_after, die_at_tick, blind_looks, halves, person, ..Script::default()
        });
        let outcome = engine.outcome().unwrap();
        if engine.run().abort.is_none() {
            prop_assert_eq!(outcome, honest(&engine), "it was over before");
        } else if verb == Abort::Undo {
            prop_assert_eq!(outcome, Outcome::Undone);
            for spec in plan.core.steps.iter().filter(|spec| spec.undo.is_some()) {
                prop_assert_ne!(engine.world.get(&spec.id), Some(&Effect::Full), "{}", &spec.id);
            }
        } else {
            let vouched = !engine.phases().iter().any(|(_, phase)| {
                matches!(phase, StepPhase::Unknown(_))
            });
            prop_assert_eq!(outcome == Outcome::Aborted, vouched, "{:?}", outcome);
        }
        prop_assert_eq!(engine.run().running().count(), 0, "nothing runs on after the end");
    }

    /// G9: entries have an order of their own; a clock that is set changes no decision.
    #[test]
    fn a_clock_that_is_set_at_any_time_changes_no_transition(
        plan in any_plan(),
        (die_after, die_at_tick, blind_looks, halves) in deaths(),
        jumps in proptest::collection::btree_map(
            0..30usize,
            prop_oneof![
                Just(-31_536_000i64), Just(-3_600), Just(-1), Just(1), Just(3_600), Just(31_536_000),
            ],
            0..5,
        ),
    ) {
        let calm = to_the_end(&plan, Script::default());
        let set = to_the_end(&plan, Script {
            die_after, die_at_tick, blind_looks, halves, jumps, ..Script::default()
        });
        prop_assert_eq!(calm.outcome(), Some(Outcome::Done));
        prop_assert_eq!(set.outcome(), Some(honest(&set)));
        for (id, phase) in calm.phases() {
            if plan.step(&id).is_some_and(|spec| spec.on_failure == OnFailure::Wait) {
                prop_assert_eq!(set.phase(id.as_str()), phase, "{}", id);
            }
            let times = set.ledger.iter().filter(|done| **done == id).count();
            prop_assert!(times <= 1, "{} {} times", id, times);
        }
    }

    #[test]
    fn a_pause_only_delays(plan in any_plan(), from in 0..20usize, length in 1..20usize) {
        let person = BTreeMap::from([(from, Order::Pause), (from + length, Order::Resume)]);
        let engine = to_the_end(&plan, Script { person, ..Script::default() });
        prop_assert_eq!(engine.outcome(), Some(Outcome::Done));
        prop_assert_eq!(engine.ledger.len(), plan.core.steps.len());
    }
}
