//! Rules held against what was recorded: when each would have acted, and on what.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Policy, Reading, Track};
use crate::model::signal::{Recent, Role};
use crate::model::slo::{Objective, Tallies, Tally};

use super::book::RuleState;
use super::pulse::Pulse;
use super::{Evaluation, Rule, Seen, Shown, Snapshot, Verdict};

/// The checks, as far as rules need to know them.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// What each counts for.
    pub roles: BTreeMap<CheckId, Role>,
    /// Their kinds.
    pub kinds: BTreeMap<CheckId, String>,
    /// How their state follows their readings.
    pub policies: BTreeMap<CheckId, Policy>,
    /// What checks have to keep; counted from the readings alone.
    pub objectives: BTreeMap<CheckId, Objective>,
    /// Requests below which a rate is not judged.
    pub min_samples: u32,
    /// When deploys were, oldest first.
    pub deploys: Vec<Time>,
}

/// A moment at which a rule would have acted.
#[derive(Clone, Debug, PartialEq)]
pub struct Would {
    /// When.
    pub at: Time,
    /// The rule's place in the list.
    pub rule: usize,
    /// What it would have rested on.
    pub evidence: Vec<Shown>,
}

/// What a rehearsal showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsal {
    /// When rules would have acted, in order.
    pub would: Vec<Would>,
    /// Per rule, how many of the moments it was met, not met, not known, broken.
    pub moments: Vec<[u32; 4]>,
}

/// Checks in motion.
struct Play<'a> {
    stage: &'a Stage,
    tracks: BTreeMap<CheckId, Track>,
    recent: Recent,
    slos: Tallies,
}

impl<'a> Play<'a> {
    fn new(stage: &'a Stage, at: Time) -> Self {
        let tracks = stage.roles.keys().map(|id| (id.clone(), Track::new(at))).collect();
        let slos = stage.objectives.iter();
        let slos = slos.map(|(id, kept)| (id.clone(), (kept.clone(), Tally::default())));
        Self { stage, tracks, recent: Recent::default(), slos: slos.collect() }
    }

    fn take(&mut self, reading: &Reading) {
        let policy = self.stage.policies.get(&reading.check);
        if let (Some(track), Some(policy)) = (self.tracks.get_mut(&reading.check), policy) {
            track.take(reading.clone(), policy);
            self.recent.push(reading.clone());
            if let Some((objective, tally)) = self.slos.get_mut(&reading.check) {
                tally.take(reading, objective);
            }
        }
    }

    fn judge<'r>(&mut self, rules: &'r [Rule], now: Time) -> Vec<(&'r Rule, Evaluation)> {
        for (id, track) in &mut self.tracks {
            if let Some(policy) = self.stage.policies.get(id) {
                track.age(now, policy);
            }
        }
        let left_out = BTreeSet::new();
        let snapshot = Snapshot::new(Seen {
            roles: &self.stage.roles,
            kinds: &self.stage.kinds,
            tracks: &self.tracks,
            recent: &self.recent,
            slos: &self.slos,
            left_out: &left_out,
            floor: None,
            min_samples: self.stage.min_samples,
            deployed: self.stage.deploys.iter().rev().find(|at| **at <= now).copied(),
            severity: None,
            now,
        });
        rules.iter().map(|rule| (rule, rule.condition.evaluate(&snapshot))).collect()
    }
}

/// Plays `readings`, oldest first, and judges the rules whenever some came, at most once a second.
/// What else may hold a rule (a run, a freeze, the help test) is not in the readings.
pub fn rehearse(rules: &[Rule], stage: &Stage, readings: &[Reading]) -> Rehearsal {
    let mut rehearsal = Rehearsal { would: Vec::new(), moments: vec![[0; 4]; rules.len()] };
    let Some(first) = readings.first() else { return rehearsal };
    let mut play = Play::new(stage, first.at);
    let mut pulses = vec![Pulse::default(); rules.len()];
    let mut fired: Vec<Option<Time>> = vec![None; rules.len()];
    let mut all = readings.iter().peekable();
    while let Some(reading) = all.next() {
        play.take(reading);
        let same = |next: &&Reading| next.at.timestamp() == reading.at.timestamp();
        if all.peek().is_some_and(same) {
            continue;
        }
        let now = reading.at;
        let judged = play.judge(rules, now);
        let state = judged.into_iter().zip(&mut pulses).zip(&mut fired).zip(&mut rehearsal.moments);
        for (place, ((((rule, judged), pulse), fired), counts)) in state.enumerate() {
            let column = match &judged.verdict {
                Verdict::Met => 0,
                Verdict::NotMet => 1,
                Verdict::Unknown(_) => 2,
                Verdict::Broken(_) => 3,
            };
            if let Some(count) = counts.get_mut(column) {
                *count += 1;
            }
            let met = pulse.take(rule, &judged, now) == Some(RuleState::Met);
            let cools =
                fired.is_some_and(|at| (now - at).to_std().unwrap_or_default() < rule.cooldown);
            if met && pulse.holds() && judged.verdict == Verdict::Met && !cools {
                *fired = Some(now);
                rehearsal.would.push(Would { at: now, rule: place, evidence: judged.evidence });
            }
        }
    }
    rehearsal
}

/// Judges the rules at `now` on the readings until then.
pub fn judge_now(
    rules: &[Rule],
    stage: &Stage,
    readings: &[Reading],
    now: Time,
) -> Vec<Evaluation> {
    let begin = readings.first().map_or(now, |first| first.at);
    let mut play = Play::new(stage, begin);
    for reading in readings {
        play.take(reading);
    }
    play.judge(rules, now).into_iter().map(|(_, judged)| judged).collect()
}
