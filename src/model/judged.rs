//! What a check is taken for, beside its own readings: a parent that fails, our own line that is
//! down, the errors of its whole window, a mute, a step that takes it down on purpose.

use std::collections::{BTreeMap, BTreeSet};

use super::bearing::Bearing;
use super::ids::{CheckId, Time};
use super::incident::Run;
use super::reading::{Reason, Status, Track};
use super::signal::{self, Recent, Role, Windows};

/// Error rate in percent above which a check that sends requests fails: the tree's own edge, so
/// that the table of checks and the tree never say different things (S-04).
const FAILS: f64 = 10.0;

/// What is around the checks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What each stands beside.
    pub bearings: &'a BTreeMap<CheckId, Bearing>,
    /// What each counts for.
    pub roles: &'a BTreeMap<CheckId, Role>,
    /// Their readings.
    pub recent: &'a Recent,
    /// How far back the error rate looks.
    pub windows: Windows,
    /// Whether every witness fails: our own line is down.
    pub line_down: bool,
    /// Now.
    pub now: Time,
}

/// What lies over the own readings of `check`; nothing when they stand. `by_window` are the checks
/// of which too many requests failed.
///
/// Only bad news is ever taken back, and only to unknown: a check that answers well is well,
/// whatever its parents do.
fn over(
    (check, track): (&CheckId, &Track),
    tracks: &BTreeMap<CheckId, Track>,
    by_window: &BTreeSet<&CheckId>,
    around: Around<'_>,
) -> Option<(Status, Option<Reason>)> {
    if track.own() == Status::Unknown {
        return None;
    }
    if track.ails() && track.own() != Status::Ok {
        if around.line_down && is_remote(check, around.bearings) {
            return Some((Status::Unknown, Some(Reason::WitnessDown)));
        }
        if failing_parent(check, tracks, around).is_some() {
            return Some((Status::Unknown, Some(Reason::ParentFailing)));
        }
    }
    let fails = track.own() != Status::Fail && by_window.contains(check);
    fails.then_some((Status::Fail, None))
}

/// Lays over every check what is around it.
pub fn lay(tracks: &mut BTreeMap<CheckId, Track>, around: Around<'_>) {
    let by_window = failing_windows(around);
    let seen = &*tracks;
    let over: Vec<_> = seen.iter().map(|one| over(one, seen, &by_window, around)).collect();
    for (track, over) in tracks.values_mut().zip(over) {
        track.lay(over, around.now);
    }
}

fn is_remote(check: &CheckId, bearings: &BTreeMap<CheckId, Bearing>) -> bool {
    bearings.get(check).is_some_and(|bearing| bearing.host.is_some())
}

/// The nearest check that `check` depends on, directly or not, and that fails by its own readings.
pub fn failing_parent<'a>(
    check: &CheckId,
    tracks: &BTreeMap<CheckId, Track>,
    around: Around<'a>,
) -> Option<&'a CheckId> {
    let parents = |id: &CheckId| -> &'a [CheckId] {
        around.bearings.get(id).map_or(&[], |bearing| bearing.depends_on.as_slice())
    };
    let mut open: Vec<&CheckId> = parents(check).iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(parent) = (!open.is_empty()).then(|| open.remove(0)) {
        // A configuration with a cycle is refused; one from elsewhere still ends here.
        if !seen.insert(parent) {
            continue;
        }
        let blind = around.line_down && is_remote(parent, around.bearings);
        if !blind && tracks.get(parent).is_some_and(|track| track.own() == Status::Fail) {
            return Some(parent);
        }
        open.extend(parents(parent));
    }
    None
}

/// The checks of which more requests failed over the window than the tree allows.
fn failing_windows(around: Around<'_>) -> BTreeSet<&CheckId> {
    let span = chrono::Duration::from_std(around.windows.span).unwrap_or_default();
    let edge = (FAILS, around.windows.min_samples);
    signal::failing(around.recent, around.roles, around.now - span, edge)
}

/// The checks that the running steps take down on purpose (`expect_down`), while those steps are
/// within their budget: one that overruns is no excuse any more.
pub fn planned(run: Option<&Run>, now: Time) -> BTreeSet<CheckId> {
    let Some(run) = run else {
        return BTreeSet::new();
    };
    run.running()
        .filter_map(|state| {
            let spec = run.plan.step(&state.id)?;
            let due = state.started_at? + chrono::Duration::from_std(spec.budget).ok()?;
            (now <= due).then_some(&spec.expect_down)
        })
        .flatten()
        .cloned()
        .collect()
}

/// Whether the check was looked at, and is not judged because of something that is not its fault.
pub(super) fn is_excused(track: &Track) -> bool {
    track.status == Status::Unknown
        && track.own() != Status::Unknown
        && matches!(track.reason, Some(Reason::ParentFailing | Reason::WitnessDown))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::bearing::Dimension;
    use super::super::reading::{Reading, WhyClass};
    use super::super::sample::*;
    use super::super::severity::Severity;
    use super::super::signal::{SignalValue, signals};
    use super::super::tree::{Answer, TreeVerdict, assess, built_in};
    use super::*;

    fn bearing(depends_on: &[&str], host: Option<&str>) -> Bearing {
        Bearing {
            dimension: Dimension::Api,
            depends_on: depends_on.iter().map(|id| CheckId::from(*id)).collect(),
            host: host.map(str::to_owned),
            interval: Duration::from_secs(1),
            unknown_after: Duration::from_secs(30),
        }
    }

    struct Yard {
        board: Board,
        bearings: BTreeMap<CheckId, Bearing>,
        line_down: bool,
    }

    impl Yard {
        fn new() -> Self {
            let proxy = Role { counts_requests: false, ..role("proxy") };
            let board = Board::default().check("api", role("app")).check("proxy", proxy);
            let bearings = BTreeMap::from([
                ("api".into(), bearing(&["proxy"], Some("shop"))),
                ("proxy".into(), bearing(&[], Some("shop"))),
            ]);
            Self { board, bearings, line_down: false }
        }

        fn take(&mut self, reading: Reading) {
            let second = (reading.at - at(0)).num_seconds();
            self.board.take(reading);
            self.settle(second);
        }

        fn settle(&mut self, second: i64) {
            let around = Around {
                bearings: &self.bearings,
                roles: &self.board.roles,
                recent: &self.board.recent,
                windows: Windows::default(),
                line_down: self.line_down,
                now: at(second),
            };
            lay(&mut self.board.tracks, around);
        }

        fn state(&self, id: &str) -> (Status, Option<Reason>) {
            let track = &self.board.tracks[&CheckId::from(id)];
            (track.status, track.reason)
        }
    }

    #[test]
    fn a_child_of_a_failing_parent_is_unknown_and_counts_no_errors_but_the_outage_is_seen() {
        let mut yard = Yard::new();
        for second in 1..=4 {
            yard.take(reading("proxy", second, bad(WhyClass::Refused, "refused")));
            yard.take(burst("api", second, (10, 10), 1));
        }
        assert_eq!(yard.state("proxy"), (Status::Fail, None));
        assert_eq!(yard.state("api"), (Status::Unknown, Some(Reason::ParentFailing)));
        let signals = yard.board.signals(4);
        assert_eq!(
            signals["error_rate"].value,
            SignalValue::Unknown(Reason::ParentFailing),
            "its requests are not counted"
        );
        assert_eq!(signals["outage"].value, SignalValue::Number(2.0));
        assert!(signals["outage"].evidence[0].as_str().contains("parent"), "{signals:?}");
        // The parent is back: the child is judged by its own readings again.
        for second in 5..=6 {
            yard.take(reading("proxy", second, good()));
        }
        yard.settle(6);
        assert_eq!(yard.state("api"), (Status::Fail, None));
    }

    #[test]
    fn a_child_that_answers_well_stays_well_below_a_failing_parent() {
        let mut yard = Yard::new();
        for second in 1..=4 {
            yard.take(reading("proxy", second, bad(WhyClass::Refused, "refused")));
            yard.take(burst("api", second, (0, 10), 20));
        }
        assert_eq!(yard.state("api"), (Status::Ok, None));
        assert_eq!(yard.board.signals(4)["error_rate"].value, SignalValue::Number(0.0));
    }

    #[test]
    fn a_grandparent_that_fails_excuses_too_and_a_cycle_ends() {
        let mut yard = Yard::new();
        yard.board = std::mem::take(&mut yard.board).check("net", role("net"));
        yard.bearings.insert("proxy".into(), bearing(&["net"], None));
        yard.bearings.insert("net".into(), bearing(&["api"], None));
        for second in 1..=3 {
            yard.take(reading("net", second, bad(WhyClass::TimedOut, "slow")));
            yard.take(reading("proxy", second, good()));
            yard.take(burst("api", second, (10, 10), 1));
        }
        assert_eq!(yard.state("api").1, Some(Reason::ParentFailing));
    }

    #[test]
    fn with_our_own_line_down_nothing_remote_fails_and_nothing_is_well() {
        let mut yard = Yard::new();
        yard.line_down = true;
        for second in 1..=5 {
            yard.take(reading("proxy", second, bad(WhyClass::TimedOut, "timeout")));
            yard.take(burst("api", second, (10, 10), 1));
        }
        for id in ["api", "proxy"] {
            assert_eq!(yard.state(id), (Status::Unknown, Some(Reason::WitnessDown)), "{id}");
        }
        let found = yard.board.assess(5);
        assert_eq!((found.severity, found.verdict), (Severity::None, TreeVerdict::Open));
        assert_eq!(found.suggests, None);
        assert_eq!(found.could_be, Severity::Critical, "and nothing is said to be well");
        // The line is back and the target is really down.
        yard.line_down = false;
        yard.settle(6);
        assert_eq!(yard.state("proxy"), (Status::Fail, None));
    }

    #[test]
    fn table_and_tree_agree_at_thirty_percent_errors_and_users_are_still_served() {
        let mut yard = Yard::new();
        for second in 1..=8 {
            yard.take(reading("proxy", second, good()));
            let mut some = burst("api", second, (3, 10), 20);
            some.finding = super::super::reading::Finding::Warn {
                why: super::super::reading::Why { class: WhyClass::Status, text: "3 of 10".into() },
            };
            yard.take(some);
        }
        assert_eq!(yard.state("api"), (Status::Fail, None));
        let signals = yard.board.signals(8);
        assert_eq!(signals["outage"].value, SignalValue::Number(0.0), "{signals:?}");
        let found = assess(&built_in(), &signals, &BTreeMap::new(), None, at(8));
        assert_eq!(found.severity, Severity::High);
        let two = found.path.iter().find(|step| step.node.as_str() == "2").unwrap();
        assert_eq!(two.answer, Answer::Yes);
    }

    #[test]
    fn a_muted_check_is_left_out_of_severity_and_tree() {
        let mut yard = Yard::new();
        for second in 1..=4 {
            yard.take(reading("proxy", second, bad(WhyClass::Refused, "refused")));
            yard.take(burst("api", second, (0, 10), 20));
        }
        let muted: BTreeMap<_, _> =
            yard.board.roles.clone().into_iter().filter(|(id, _)| id.as_str() != "proxy").collect();
        let left =
            signals(&yard.board.tracks, &muted, &yard.board.recent, Windows::default(), at(4));
        assert_eq!(left["failed_health_checks"].value, SignalValue::Flag(false));
    }

    #[test]
    fn what_a_step_takes_down_on_purpose_is_excused_within_its_budget_only() {
        use super::super::entry::Event;
        let mut plan = level_one();
        plan.core.steps[1].expect_down = vec!["api".into()];
        let mut tape = Tape::new();
        tape.started(plan);
        tape.event(Event::StepStarted {
            run: run_id(),
            step: "switch".into(),
            attempt: 1,
            effect: String::new(),
            boot: "b1".into(),
        });
        let run = tape.situation.open_run();
        assert_eq!(planned(run, at(5)), BTreeSet::from(["api".into()]));
        assert!(planned(run, at(11)).is_empty(), "one that overruns is no excuse");
        assert!(planned(None, at(5)).is_empty());
    }
}
