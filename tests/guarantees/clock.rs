//! A wall clock that is set in the middle of a run ends nothing early or never (G9).

use std::time::Duration;

use backout::clock::Clock;
use chrono::TimeDelta;

use super::super::support::{Stack, promised};
use super::{long, tell};

#[test]
fn a_steady_clock_never_jumps_and_takes_the_new_time_when_told() {
    for by in [-31_536_000, -3600, -1, 1, 3600, 31_536_000] {
        let wall = Clock::jumping(TimeDelta::seconds(by), Duration::ZERO);
        let before = Clock::real().now();
        let steady = Clock::jumping(TimeDelta::seconds(by), Duration::from_hours(1)).steady();
        assert!((steady.now() - before).num_milliseconds().abs() < 900, "{by}");
        assert!(steady.drift().num_milliseconds().abs() < 900, "{by}");
        let after = wall.clone().steady();
        assert!((after.now() - wall.now()).num_milliseconds().abs() < 900, "{by}");
        after.take_wall_time();
        assert!(after.drift().num_milliseconds().abs() < 900, "{by}");
        let (one, two) = (after.now(), after.now());
        assert!(one <= two, "{by}");
    }
}

/// Set by so much two seconds after the engine's start, which is in the middle of its run: the run
/// ends as if nothing had been, in the time that it takes.
#[test]
fn a_clock_that_is_set_in_a_run_changes_nothing_of_it() {
    let jumps: &[i64] =
        if long() { &[-1, 1, -3600, 3600, -31_536_000, 31_536_000] } else { &[-3600, 3600] };
    std::thread::scope(|scope| {
        for by in jumps {
            scope.spawn(move || {
                let stack = Stack::up(Some("errors:0.3"));
                let fault = format!("clock:{by}@2");
                let done = stack.run_with(&fault, &["rollback", "--quick", "--reason", "test"]);
                assert_eq!(done.code, 0, "{fault}: {done:?}\n{}", stack.log());
                assert!(done.took < promised(Duration::from_mins(1)), "{fault}: {:?}", done.took);
                let situation = stack.situation();
                let run = situation.run.as_ref().unwrap();
                let took = run.ended.as_ref().unwrap().took;
                assert!(took < promised(Duration::from_mins(1)), "{fault}: {took:?}");
                for step in &run.steps {
                    assert!(step.took < promised(Duration::from_mins(1)), "{fault}: {step:?}");
                }
                let times: Vec<_> = super::entries(&stack).iter().map(|entry| entry.at).collect();
                let back = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
                assert_eq!(back, 0, "{fault}: time went back within the run");
                let said =
                    situation.troubles.iter().any(|one| one.text.as_str().contains("was set"));
                assert!(said || by.abs() < 2, "{fault}: nobody was told: {:?}", situation.troubles);
                let ledger = stack.ledger();
                let switched =
                    ledger.iter().filter(|line| line.starts_with("switch green->blue ")).count();
                assert_eq!(switched, 1, "{fault}: {ledger:?}");
            });
        }
    });
    tell(&format!("{} set clocks, no wrong transition", jumps.len()));
}
