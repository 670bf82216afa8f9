//! What the readings come to: parents, our own line, mutes and the errors of the window laid over
//! the checks, and everything about them that the journal is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::checks::CheckSpec;
use crate::config::Config;
use crate::model::bearing::{Bearing, Dimension};
use crate::model::compare::{self, Comparison, Sources};
use crate::model::entry::Event;
use crate::model::ids::{CheckId, Time};
use crate::model::joined::joined;
use crate::model::judged::{self, Around};
use crate::model::line::{self, LineDoubt};
use crate::model::reading::{Reading, Reason, Status};
use crate::model::signal::Role;
use crate::report::metrics;
use crate::text::SafeText;

use super::books::Line;
use super::criteria;
use super::run::Engine;
use super::witness::Said;

mod telling;

/// What the witnesses said counts for so long.
const HEARD: chrono::Duration = chrono::Duration::seconds(30);
/// The comparison is made anew this often, while somebody is attached.
const COMPARED: chrono::Duration = chrono::Duration::seconds(5);
/// Rows of the comparison that are told; the most changed come first.
const ROWS: usize = 64;
/// Checks are settled at least this often, and whenever a reading came.
const SETTLED: chrono::Duration = chrono::Duration::seconds(1);

/// What the engine keeps for the judgement, beside the tracks.
pub(super) struct Desk {
    pub(super) bearings: BTreeMap<CheckId, Bearing>,
    /// What every check counts for, muted or not.
    roles: BTreeMap<CheckId, Role>,
    left_out: BTreeSet<CheckId>,
    /// Where each check stands in the configuration.
    places: BTreeMap<CheckId, usize>,
    pub(super) probers: BTreeMap<CheckId, watch::Sender<CheckSpec>>,
    /// The checks as configured that a person changed for a while.
    pub(super) originals: BTreeMap<CheckId, CheckSpec>,
    pub(super) ask_witness: Arc<Notify>,
    witness: Option<Said>,
    blind: BTreeSet<CheckId>,
    comparison: Option<Box<Comparison>>,
    /// Looks since the start, by what they found.
    pub(super) looks: metrics::Looks,
    pub(super) dirty: bool,
    settled_at: Option<Time>,
}

impl Desk {
    /// What every check counts for, muted or not.
    pub(super) fn all_roles(&self) -> &BTreeMap<CheckId, Role> {
        &self.roles
    }

    /// The checks that count for nothing now.
    pub(super) fn left_out(&self) -> &BTreeSet<CheckId> {
        &self.left_out
    }

    pub(super) fn new(
        config: &Config,
        probers: BTreeMap<CheckId, watch::Sender<CheckSpec>>,
    ) -> Self {
        let live = config.checks.iter().filter(|spec| spec.live);
        Self {
            bearings: config.judging.bearings.clone(),
            roles: live.map(|spec| (spec.id.clone(), spec.role.clone())).collect(),
            left_out: BTreeSet::new(),
            places: (0..).zip(&config.checks).map(|(at, spec)| (spec.id.clone(), at)).collect(),
            probers,
            originals: BTreeMap::new(),
            ask_witness: Arc::new(Notify::new()),
            witness: None,
            blind: BTreeSet::new(),
            comparison: None,
            looks: metrics::Looks::new(),
            dirty: true,
            settled_at: None,
        }
    }
}

impl Engine {
    /// Takes a reading into the track of its check.
    pub(super) fn reading(&mut self, mut reading: Reading) {
        // One that began by a clock that was set back since would be newer than all that follow,
        // and what failed before a switch would count as after it.
        if reading.at > self.clock.now() + chrono::Duration::seconds(1) {
            return;
        }
        self.bundling.scrub.reading(&mut reading);
        self.recent.push(reading.clone());
        self.fresh.push(reading.clone());
        metrics::count(&mut self.desk.looks, &reading);
        self.desk.dirty = true;
        self.rules.dirty = true;
        if let Some((objective, tally)) = self.rules.slos.get_mut(&reading.check) {
            tally.take(&reading, objective);
        }
        let place = self.desk.places.get(&reading.check);
        let spec = place.and_then(|place| self.config.checks.get(*place));
        let Some(spec) = spec.filter(|spec| spec.id == reading.check) else { return };
        let Some(track) = self.tracks.get_mut(&reading.check) else { return };
        track.take(reading, &spec.policy);
        // Before a remote check is believed to fail, the witnesses are asked.
        let remote = self.desk.bearings.get(&spec.id).is_some_and(|one| one.host.is_some());
        if remote && track.bad == 1 {
            self.desk.ask_witness.notify_one();
        }
    }

    /// Takes the word of the witnesses.
    pub(super) fn witnessed(&mut self, said: Said) {
        self.desk.witness = Some(said);
        self.desk.dirty = true;
    }

    /// Settles what every check is taken for, and writes what changed.
    pub(super) fn settle_checks(&mut self, lines: &mut Vec<Line>) {
        let now = self.clock.now();
        let due = self.desk.settled_at.is_none_or(|at| now - at >= SETTLED);
        if !due && !self.desk.dirty {
            return;
        }
        self.desk.dirty = false;
        self.desk.settled_at = Some(now);
        self.end_mutes(now, lines);
        self.count_again(now);
        for (_, track, place) in joined(self.tracks.iter_mut(), &self.desk.places) {
            let spec = place.and_then(|place| self.config.checks.get(*place));
            if let Some(spec) = spec.filter(|spec| spec.live) {
                track.age(now, &spec.policy);
            }
        }
        self.lay_over(now);
        self.doubt_line(now, lines);
        self.tell_checks(lines);
        self.tell_blind(now, lines);
        self.take_baseline(lines);
    }

    /// The roles without what is muted, or taken down on purpose by a running step.
    fn count_again(&mut self, now: Time) {
        let situation = &self.books.situation;
        let mut left_out = judged::planned(situation.open_run(), now);
        if !situation.judging.mutes.is_empty() {
            let ids = self.desk.roles.keys();
            left_out.extend(ids.filter(|id| situation.muted(id).is_some()).cloned());
        }
        if left_out == self.desk.left_out {
            return;
        }
        let roles = self.desk.roles.iter().filter(|(id, _)| !left_out.contains(*id));
        self.roles = roles.map(|(id, role)| (id.clone(), role.clone())).collect();
        self.desk.left_out = left_out;
    }

    fn line_down(&self, now: Time) -> bool {
        if self.waits_for_witness() {
            let known = self.books.situation.judging.line.as_ref();
            return known.is_some_and(|doubt| doubt.proven);
        }
        let heard = self.desk.witness.as_ref().filter(|said| now - said.at <= HEARD);
        heard.is_some_and(|said| said.down)
    }

    /// Whether an engine that has just started has yet to hear the witnesses: what was known of
    /// our own line stands until then.
    fn waits_for_witness(&self) -> bool {
        self.desk.witness.is_none() && !self.config.judging.witnesses.is_empty()
    }

    /// What is around the checks now. The errors of a window do not reach back behind the switch,
    /// from the moment it is proved: a run must not wait for what the version it left did.
    fn around(&self, now: Time) -> Around<'_> {
        let mut windows = self.windows(now);
        let run = self.books.situation.run.as_ref().filter(|run| run.abort.is_none());
        if let Some((run, switched)) = run.map(|run| (run, criteria::switched_at(run)))
            && switched > run.started_at
        {
            windows.span = windows.span.min((now - switched).to_std().unwrap_or_default());
        }
        Around {
            bearings: &self.desk.bearings,
            roles: &self.desk.roles,
            recent: &self.recent,
            windows,
            line_down: self.line_down(now),
            now,
        }
    }

    fn lay_over(&mut self, now: Time) {
        let mut tracks = std::mem::take(&mut self.tracks);
        judged::lay(&mut tracks, self.around(now));
        self.tracks = tracks;
    }

    /// Whether our own line is in doubt: by the witnesses, or without one by checks that turned
    /// all at once.
    fn doubt_line(&self, now: Time, lines: &mut Vec<Line>) {
        let known = self.books.situation.judging.line.as_ref();
        if self.waits_for_witness() {
            return;
        }
        let why = if self.config.judging.witnesses.is_empty() {
            line::mass_flip(&self.tracks, &self.desk.bearings).map(|why| (why, false))
        } else {
            let said = self.desk.witness.as_ref().filter(|_| self.line_down(now));
            said.map(|said| (SafeText::new(&said.why), true))
        };
        let changed = match (known, &why) {
            (None, None) => false,
            (Some(known), Some((_, proven))) => known.proven != *proven,
            (None, Some(_)) | (Some(_), None) => true,
        };
        if changed {
            let doubt = why.map(|(why, proven)| LineDoubt { since: now, why, proven });
            lines.push(Line::from(Event::LineDoubted { doubt }));
        }
    }

    fn take_baseline(&self, lines: &mut Vec<Line>) {
        let situation = &self.books.situation;
        let Some(change) = situation.changes.first() else { return };
        let known = situation.judging.baseline.as_ref();
        // An older deploy that is noticed late has no say over the newer one.
        if known.is_some_and(|known| known.deploy >= change.at) {
            return;
        }
        let checks = self.desk.roles.keys().cloned();
        if let Some(baseline) = compare::baseline(change, checks, &self.recent) {
            lines.push(Line::from(Event::BaselineTaken { baseline: Box::new(baseline) }));
        }
    }

    /// The comparison, made anew every few seconds while somebody can see it.
    pub(super) fn compared(&mut self, now: Time) -> Option<Box<Comparison>> {
        let fresh = self.desk.comparison.as_ref().is_some_and(|known| now - known.at < COMPARED);
        if !fresh && !self.clients.is_empty() {
            let situation = &self.books.situation;
            let bearings = self.desk.bearings.iter();
            let dimensions: BTreeMap<CheckId, Dimension> = bearings
                .filter(|(id, _)| self.desk.roles.contains_key(*id))
                .map(|(id, bearing)| (id.clone(), bearing.dimension))
                .collect();
            let switched = situation.run.as_ref().filter(|run| run.watch.is_some());
            let mut comparison = compare::compare(Sources {
                deploy: situation.changes.first(),
                baseline: situation.judging.baseline.as_ref(),
                recent: &self.recent,
                dimensions: &dimensions,
                switched: switched.map(criteria::switched_at),
                now,
            });
            comparison.rows.truncate(ROWS);
            self.desk.comparison = Some(Box::new(comparison));
        }
        self.desk.comparison.clone()
    }

    /// Whether a muted check fails: its incident is not over only because nobody is told.
    pub(super) fn muted_failing(&self) -> bool {
        let situation = &self.books.situation;
        let mut cards = situation.checks.iter();
        cards.any(|(id, card)| card.status == Status::Fail && situation.muted(id).is_some())
    }

    /// Whether something has yet to be proven: the looks are quicker until it is.
    pub(super) fn anything_unproven(&self) -> bool {
        self.tracks
            .values()
            .any(|track| track.looks.is_some() || track.reason == Some(Reason::NeverRan))
    }
}
