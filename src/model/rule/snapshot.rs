//! What a condition can see: one frozen moment of the readings. Nothing is asked of anyone while
//! conditions are judged, so that all rules of one moment agree.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Finding, Reading, Reason, Status, Track};
use crate::model::severity::Severity;
use crate::model::signal::{Recent, Role};
use crate::model::slo::Tallies;

use super::value::{Unknown, Value};

/// Readings of a service that `metrics` holds at most; the newest.
pub const SERIES: usize = 100;

/// What the snapshot is made of.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The checks, muted or not.
    pub roles: &'a BTreeMap<CheckId, Role>,
    /// Their kinds, as configured.
    pub kinds: &'a BTreeMap<CheckId, String>,
    /// Where they stand.
    pub tracks: &'a BTreeMap<CheckId, Track>,
    /// The last readings.
    pub recent: &'a Recent,
    /// What was counted for the objectives.
    pub slos: &'a Tallies,
    /// Checks that count for nothing now.
    pub left_out: &'a BTreeSet<CheckId>,
    /// What is older says nothing about the version that serves now.
    pub floor: Option<Time>,
    /// Requests below which a rate is not judged.
    pub min_samples: u32,
    /// When the last deploy was.
    pub deployed: Option<Time>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// The moment.
    pub now: Time,
}

/// One moment, with its services in order.
pub struct Snapshot<'a> {
    pub(super) seen: Seen<'a>,
    services: BTreeMap<&'a str, Vec<&'a CheckId>>,
    names: Vec<&'a str>,
}

/// An answer: the value, the newest reading that it rests on, and what it cost to look.
pub(super) struct Answer<'a> {
    pub(super) value: Value<'a>,
    pub(super) newest: Option<Time>,
    pub(super) cost: usize,
}

impl<'a> Answer<'a> {
    fn of(value: Value<'a>) -> Self {
        Self { value, newest: None, cost: 1 }
    }

    pub(super) fn unknown(reason: Reason, about: &str) -> Self {
        Self::of(Value::unknown(reason, about))
    }
}

impl<'a> Snapshot<'a> {
    /// Of this moment.
    pub fn new(seen: Seen<'a>) -> Self {
        let mut services: BTreeMap<&str, Vec<&CheckId>> = BTreeMap::new();
        for (id, role) in seen.roles {
            services.entry(role.service.as_str()).or_default().push(id);
        }
        let has_readings = |ids: &Vec<&CheckId>| {
            ids.iter().any(|id| seen.recent.newest_first(id).next().is_some())
        };
        let names = services.iter().filter(|(_, ids)| has_readings(ids)).map(|(name, _)| *name);
        let names = names.collect();
        Self { seen, services, names }
    }

    /// The services that have readings, in order.
    pub(super) fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// The checks of a name: a check, a service, or `*` for those that count requests.
    pub(super) fn checks(&self, name: &str) -> Vec<&'a CheckId> {
        if name == "*" {
            let counting = self.seen.roles.iter().filter(|(_, role)| role.counts_requests);
            return counting.map(|(id, _)| id).collect();
        }
        if let Some((id, _)) = self.seen.roles.get_key_value(&CheckId::from(name)) {
            return vec![id];
        }
        self.services.get(name).cloned().unwrap_or_default()
    }

    /// Where the window begins: not before what the last switch left.
    fn from(&self, minutes: f64) -> Time {
        let seconds = (minutes.clamp(0.0, 100_000.0) * 60.0).round();
        let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let from = self.seen.now - chrono::Duration::from_std(span).unwrap_or_default();
        self.seen.floor.map_or(from, |floor| from.max(floor))
    }

    /// Why the state of a check is not known.
    pub(super) fn why(&self, id: &CheckId) -> Option<Reason> {
        if self.seen.left_out.contains(id) {
            return Some(Reason::Skipped);
        }
        match self.seen.tracks.get(id) {
            None => Some(Reason::NeverRan),
            Some(track) if track.status == Status::Unknown => {
                Some(track.reason.unwrap_or(Reason::NeverRan))
            }
            Some(_) => None,
        }
    }

    /// Bad readings within the window (W-44: whatever was not healthy, of that service). What was
    /// not seen may have been bad: then only the least and the most are known.
    pub(super) fn failures(&self, name: &str, minutes: f64) -> Answer<'a> {
        let checks = self.checks(name);
        if checks.is_empty() {
            return Answer::unknown(Reason::NoData, name);
        }
        let from = self.from(minutes);
        let (mut low, mut high, mut cost, mut newest) = (0_i64, 0_i64, 1, None);
        let mut open: Option<Unknown> = None;
        for id in checks {
            let mut blind = self.why(id);
            let (mut bad, mut unseen, mut all) = (0_i64, 0_i64, 0_usize);
            for reading in self.seen.recent.newest_first(id).take_while(|one| one.at >= from) {
                all += 1;
                newest = newest.max(Some(reading.at));
                match &reading.finding {
                    Finding::Bad { .. } => bad += 1,
                    Finding::Unknown { reason } => {
                        unseen += 1;
                        blind = blind.or(Some(*reason));
                    }
                    Finding::Good | Finding::Warn { .. } => {}
                }
            }
            cost += 1 + all / 32;
            let now_blind = self.why(id);
            let cut = self.seen.recent.is_cut(id, from);
            // What was bad long ago and is not looked at any more decides nothing.
            if let Some(reason) = now_blind {
                high = i64::MAX;
                open = open.or(Some(Unknown::of(reason, id.as_str())));
                continue;
            }
            low += bad;
            let more = if cut { i64::MAX } else { bad + unseen };
            high = high.saturating_add(more);
            if unseen > 0 || cut {
                let reason = blind.unwrap_or(Reason::NoData);
                open = open.or(Some(Unknown::of(reason, id.as_str())));
            }
        }
        let value = match open {
            Some(why) if low < high => Value::Between(low, high, Rc::new(why)),
            Some(_) | None => Value::Int(low),
        };
        Answer { value, newest, cost }
    }

    /// The newest reading of a service that is worst now; of those, the newest.
    pub(super) fn latest(&self, name: &str, kind: Option<&str>) -> Answer<'a> {
        let mut checks = self.checks(name);
        if checks.is_empty() {
            return Answer::unknown(Reason::NoData, name);
        }
        if let Some(kind) = kind {
            checks.retain(|id| self.seen.kinds.get(*id).is_some_and(|known| known == kind));
            if checks.is_empty() {
                return Answer::of(Value::None);
            }
        }
        let cost = checks.len();
        let blind = checks.iter().find_map(|id| Some((*id, self.why(id)?)));
        let worst = checks
            .iter()
            .filter(|id| self.why(id).is_none())
            .filter_map(|id| self.seen.recent.newest_first(id).next())
            .max_by_key(|reading| (badness(&reading.finding), reading.at));
        let bad = |reading: &Reading| badness(&reading.finding) == 3;
        match (worst, blind) {
            // One that is not seen may be worse than what is.
            (Some(reading), Some((id, reason))) if !bad(reading) => {
                Answer { cost, ..Answer::unknown(reason, id.as_str()) }
            }
            (Some(reading), _) => {
                Answer { value: Value::Metric(reading), newest: Some(reading.at), cost }
            }
            (None, Some((id, reason))) => Answer { cost, ..Answer::unknown(reason, id.as_str()) },
            (None, None) => Answer { cost, ..Answer::unknown(Reason::NeverRan, name) },
        }
    }

    /// The last readings of the service at this place, oldest first.
    pub(super) fn series(&self, place: usize) -> Vec<&'a Reading> {
        let Some(checks) = self.names.get(place).and_then(|name| self.services.get(name)) else {
            return Vec::new();
        };
        let floor = self.seen.floor;
        let mut all: Vec<&Reading> = checks
            .iter()
            .filter(|id| !self.seen.left_out.contains(**id))
            .flat_map(|id| self.seen.recent.newest_first(id).take(SERIES))
            .filter(|reading| floor.is_none_or(|floor| reading.at >= floor))
            .collect();
        all.sort_by_key(|reading| reading.at);
        all.split_off(all.len().saturating_sub(SERIES))
    }

    /// Failed and all requests and the latencies of a name, as far as its checks are seen now.
    fn requests(&self, name: &str, minutes: f64) -> Result<Requests, Unknown> {
        let checks = self.checks(name);
        let Some(first) = checks.first() else {
            return Err(Unknown::of(Reason::NoData, name));
        };
        let from = self.from(minutes);
        let mut sum = Requests::default();
        let mut blind = None;
        for id in &checks {
            if let Some(reason) = self.why(id) {
                blind = blind.or(Some(Unknown::of(reason, id.as_str())));
                continue;
            }
            for reading in self.seen.recent.newest_first(id).take_while(|one| one.at >= from) {
                sum.cost += 1;
                if matches!(reading.finding, Finding::Unknown { .. }) {
                    continue;
                }
                sum.newest = sum.newest.max(Some(reading.at));
                sum.failed += u64::from(reading.failed_of.0);
                sum.all += u64::from(reading.failed_of.1);
                sum.latencies.extend(&reading.latencies);
            }
        }
        if sum.all < u64::from(self.seen.min_samples) {
            let few = Unknown::of(Reason::TooFewSamples, first.as_str());
            return Err(blind.unwrap_or(few));
        }
        sum.blind = blind;
        Ok(sum)
    }

    /// Failed requests of all, 0 to 1. With a part unseen it is only known where that cannot
    /// change it.
    pub(super) fn error_rate(&self, name: &str, minutes: f64) -> Answer<'a> {
        match self.requests(name, minutes) {
            Err(why) => Answer::of(Value::Unknown(Rc::new(why))),
            Ok(Requests { blind: Some(why), cost, .. }) => {
                Answer { value: Value::Unknown(Rc::new(why)), newest: None, cost: 1 + cost / 32 }
            }
            #[expect(clippy::cast_precision_loss, reason = "far fewer requests than 2^52")]
            Ok(sum) => Answer {
                value: Value::float(sum.failed as f64 / sum.all as f64, name),
                newest: sum.newest,
                cost: 1 + sum.cost / 32,
            },
        }
    }

    /// The `part` of the answered requests that were at most so slow, in seconds.
    pub(super) fn latency(&self, name: &str, part: f64, minutes: f64) -> Answer<'a> {
        let mut sum = match self.requests(name, minutes) {
            Err(why) => return Answer::of(Value::Unknown(Rc::new(why))),
            Ok(sum) => sum,
        };
        let cost = 1 + (sum.cost + sum.latencies.len()) / 16;
        let unknown = |why| Answer { value: Value::Unknown(Rc::new(why)), newest: None, cost };
        if let Some(why) = sum.blind {
            return unknown(why);
        }
        sum.latencies.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list, bounded by its length"
        )]
        let rank = (sum.latencies.len() as f64 * part.clamp(0.0, 1.0)).ceil() as usize;
        match sum.latencies.get(rank.saturating_sub(1)) {
            Some(took) => {
                Answer { value: Value::Float(took.as_secs_f64()), newest: sum.newest, cost }
            }
            None => unknown(Unknown::of(Reason::NoData, name)),
        }
    }

    /// The state of a check, or the worst of a service: `ok`, `warn`, `fail`.
    pub(super) fn status(&self, name: &str) -> Answer<'a> {
        let checks = self.checks(name);
        let mut worst = None;
        let mut blind = None;
        let mut newest = None;
        for id in &checks {
            if let Some(reason) = self.why(id) {
                blind = blind.or(Some(Unknown::of(reason, id.as_str())));
                continue;
            }
            let track = self.seen.tracks.get(*id);
            worst = worst.max(track.map(|track| track.status));
            let last = track.and_then(|track| track.last.as_ref());
            newest = newest.max(last.map(|last| last.at));
        }
        let value = match (worst, blind) {
            (Some(Status::Fail), _) => Value::Text("fail".into()),
            (_, Some(why)) => Value::Unknown(Rc::new(why)),
            (Some(Status::Warn), None) => Value::Text("warn".into()),
            (Some(Status::Ok), None) => Value::Text("ok".into()),
            (Some(Status::Unknown) | None, None) => Value::unknown(Reason::NoData, name),
        };
        Answer { value, newest, cost: 1 + checks.len() }
    }

    /// The last value of a query to Prometheus.
    pub(super) fn query(&self, name: &str) -> Answer<'a> {
        let id = CheckId::from(name);
        if self.seen.kinds.get(&id).is_none_or(|kind| kind != "prometheus") {
            return Answer::unknown(Reason::NoData, name);
        }
        if let Some(reason) = self.why(&id) {
            return Answer::unknown(reason, name);
        }
        match self.seen.recent.newest_first(&id).next() {
            Some(reading) => Answer { value: value_of(reading), newest: Some(reading.at), cost: 1 },
            None => Answer::unknown(Reason::NeverRan, name),
        }
    }

    /// Minutes since the last deploy on record.
    pub(super) fn since_deploy(&self) -> Answer<'a> {
        let Some(at) = self.seen.deployed else {
            return Answer::unknown(Reason::NoData, "no deploy is on record");
        };
        #[expect(clippy::cast_precision_loss, reason = "minutes of this century")]
        let minutes = (self.seen.now - at).num_seconds() as f64 / 60.0;
        Answer { newest: Some(self.seen.now), ..Answer::of(Value::Float(minutes)) }
    }

    /// How bad it is: `none` to `critical`.
    pub(super) fn severity(&self) -> Answer<'a> {
        match self.seen.severity {
            Some(severity) => {
                let value = Value::Text(severity.label().to_lowercase().into());
                Answer { newest: Some(self.seen.now), ..Answer::of(value) }
            }
            None => Answer::unknown(Reason::NeverRan, "severity"),
        }
    }

    pub(super) fn kind_of(&self, reading: &Reading) -> &'a str {
        self.seen.kinds.get(&reading.check).map(String::as_str).unwrap_or_default()
    }
}

#[derive(Default)]
struct Requests {
    failed: u64,
    all: u64,
    latencies: Vec<Duration>,
    newest: Option<Time>,
    cost: usize,
    blind: Option<Unknown>,
}

fn badness(finding: &Finding) -> u8 {
    match finding {
        Finding::Good => 0,
        Finding::Unknown { .. } => 1,
        Finding::Warn { .. } => 2,
        Finding::Bad { .. } => 3,
    }
}

/// The number that thresholds judge; where a check has none, 1 for good and 0 for bad.
pub(super) fn value_of(reading: &Reading) -> Value<'static> {
    let id = reading.check.as_str();
    match (&reading.finding, reading.value) {
        (Finding::Unknown { reason }, _) => Value::unknown(*reason, id),
        (_, Some(value)) => Value::float(value, id),
        (Finding::Bad { .. }, None) => Value::Int(0),
        (Finding::Good | Finding::Warn { .. }, None) => Value::Int(1),
    }
}
