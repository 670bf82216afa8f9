//! Killed at random instants (G3): nothing lost, nothing doubled, the end is that of an
//! undisturbed run; by level, for every level that this version has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::super::support::Stack;
use super::{Random, alone, entries, kill_engine, long, tell};
use backout::model::entry::{Body, Event};

/// The levels, the fault that calls for each, and how it is run with nobody to type.
pub(crate) const LEVELS: [(u8, &str, &[&str]); 3] = [
    (1, "errors:0.3", &["rollback", "--quick", "--reason", "test"]),
    (2, "bad-migration", &["rollback", "--level", "2", "--auto-confirm", "--reason", "test"]),
    (
        3,
        "corruption",
        &["rollback", "--level", "3", "--auto-confirm", "--accept-loss", "600", "--reason", "test"],
    ),
];

/// A stack on which that level can be run.
pub(crate) fn stack_for(level: u8) -> Stack {
    Stack::up(Some(LEVELS[usize::from(level) - 1].1))
}

/// What a run leaves: what serves, what each effect's process wrote down and how often, and the
/// outcome. Effect keys carry the attempt and differ.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    outcome: String,
    active: String,
    states: Vec<(String, String, String)>,
    effects: BTreeMap<String, usize>,
}

pub(crate) fn ending(stack: &Stack) -> Ending {
    let status = stack.status();
    let text = |color: &str, key: &str| status[color][key].to_string();
    let mut effects = BTreeMap::new();
    for line in stack.ledger() {
        let what = line.rsplit_once(' ').map_or(line.as_str(), |(what, _)| what).to_owned();
        *effects.entry(what).or_default() += 1;
    }
    let situation = stack.situation();
    let ended = situation.run.as_ref().and_then(|run| run.ended.as_ref());
    Ending {
        outcome: ended.map_or("none", |ended| ended.outcome.words()).to_owned(),
        active: status["active"].to_string(),
        states: ["blue", "green"]
            .map(|color| (color.to_owned(), text(color, "state"), text(color, "version")))
            .to_vec(),
        effects,
    }
}

/// Which step the engine was at when it was killed, and on which side of its entries.
fn place(stack: &Stack, before: u64) -> (String, &'static str) {
    let mut at = ("-".to_owned(), "no step");
    for entry in entries(stack).iter().take_while(|entry| entry.seq <= before) {
        let Body::Event(event) = &entry.body else { continue };
        match event.as_ref() {
            Event::StepStarted { step, .. } => at = (step.to_string(), "begun (B2-B8)"),
            Event::StepEnded { step, .. } => at = (step.to_string(), "ended (B9)"),
            Event::WatchOpened { .. } => at = ("watch".to_owned(), "open"),
            _ => {}
        }
    }
    at
}

/// Whether a run was written down; the journal may not be there yet, or not be one yet.
fn has_begun(stack: &Stack) -> bool {
    super::runtime().block_on(async {
        let Ok(mut reader) = backout::journal::Reader::open(&stack.state()).await else {
            return false;
        };
        reader.situation().await.is_ok_and(|situation| situation.run.is_some())
    })
}

/// The side of a kill that found nobody.
const OVER: &str = "over";

/// One run, killed once at `after`; where it was hit and how it ended.
fn killed(level: u8, after: Duration) -> ((String, &'static str), Ending) {
    let (_, fault, arguments) = LEVELS[usize::from(level) - 1];
    let stack = Stack::up(Some(fault));
    let mut run = stack.start(arguments);
    stack.wait("the run begins", Duration::from_mins(1), || has_begun(&stack));
    std::thread::sleep(after);
    let seq = stack.situation().seq;
    // One that was quicker than the undisturbed run is over by now.
    let hit = kill_engine(&stack);
    let ended = run.wait().unwrap();
    let place = if hit { place(&stack, seq) } else { ("-".to_owned(), OVER) };
    assert!(ended.success(), "level {level}, {after:?} at {place:?}: {ended:?}\n{}", stack.log());
    (place, ending(&stack))
}

#[test]
fn killed_at_random_instants_every_level_ends_as_undisturbed() {
    let instants = if long() { 100 } else { 6 };
    for (level, _, arguments) in LEVELS {
        let stack = stack_for(level);
        let done = stack.run(arguments);
        assert_eq!(done.code, 0, "level {level}: {done:?}\n{}", stack.log());
        let length = done.took;
        let undisturbed = ending(&stack);
        alone(&stack);
        drop(stack);
        let left = std::sync::Mutex::new((Random(u64::from(level)), instants));
        let table = std::sync::Mutex::new(BTreeMap::<(String, &str), (u32, u32)>::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let after = {
                            let mut left = left.lock().unwrap();
                            if left.1 == 0 {
                                return;
                            }
                            left.1 -= 1;
                            // Its steps take the first moments, its window the rest: half of the
                            // kills each. The first seconds of the whole only plan.
                            let most = u64::try_from(length.as_millis()).unwrap();
                            let most = most.saturating_sub(1500).max(500);
                            let most = if left.1 % 2 == 0 { most } else { most / 8 };
                            Duration::from_millis(left.0.below(most))
                        };
                        let (place, ended) = killed(level, after);
                        let same = ended == undisturbed;
                        let mut table = table.lock().unwrap();
                        let row = table.entry(place.clone()).or_default();
                        row.0 += u32::from(same);
                        row.1 += u32::from(!same);
                        if !same {
                            tell(&format!(
                                "level {level} {place:?}: {ended:?}, not {undisturbed:?}"
                            ));
                        }
                    }
                });
            }
        });
        let table = table.into_inner().unwrap();
        let mut text = format!("level {level}: {instants} random kills\n");
        for ((step, side), (ok, wrong)) in &table {
            writeln!(text, "  {step:<16} {side:<14} ok {ok:>3}  lost or doubled {wrong}").unwrap();
        }
        tell(&text);
        let wrong: u32 = table.values().map(|(_, wrong)| wrong).sum();
        let all: u32 = table.values().map(|(ok, wrong)| ok + wrong).sum();
        assert_eq!((wrong, all), (0, instants), "level {level}");
        let late = table.iter().filter(|((_, side), _)| *side == OVER).map(|(_, row)| row.0);
        assert!(late.sum::<u32>() * 2 <= instants, "level {level}: most came too late");
    }
}
