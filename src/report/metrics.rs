//! `/metrics`: what the monitor knows, in Prometheus' text format 0.0.4 (P-85). Pure.
//!
//! The format is a name, a help line and numbers, with three characters to escape: less than a
//! library that wants to own the numbers would be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::model::entry::Outcome;
use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Finding, Reading, Status, Track};
use crate::model::rule::book::RuleState;
use crate::model::signal::{Role, Signal, SignalValue};
use crate::model::situation::Situation;
use crate::model::slo::Standing;

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
}

/// Every metric there is: its name, its kind, and what it says.
const ALL: [(&str, Kind, &str); 26] = [
    ("backout_build_info", Kind::Gauge, "1, with version and environment."),
    ("backout_heartbeat_timestamp_seconds", Kind::Gauge, "When the engine answered."),
    ("backout_journal_entries_total", Kind::Counter, "Entries in the journal."),
    ("backout_check_status", Kind::Gauge, "0 ok, 1 warning, 2 failing, 3 unknown."),
    ("backout_check_looks_total", Kind::Counter, "Looks by what they found, since the start."),
    ("backout_check_value", Kind::Gauge, "The value of the last look, in the check's own unit."),
    ("backout_check_duration_seconds", Kind::Gauge, "How long the last look took."),
    ("backout_check_last_look_timestamp_seconds", Kind::Gauge, "When the last look began."),
    ("backout_signal", Kind::Gauge, "What the checks come to; 0 and 1 for no and yes."),
    ("backout_severity", Kind::Gauge, "0 none, 1 low, 2 medium, 3 high, 4 critical."),
    ("backout_incident_open", Kind::Gauge, "Whether an incident is open."),
    ("backout_rollback_running", Kind::Gauge, "The level of the rollback that runs, or 0."),
    ("backout_rollbacks", Kind::Gauge, "The last rollbacks (32 at most), by how they ended."),
    ("backout_rollback_duration_seconds", Kind::Gauge, "How long the last rollback took."),
    ("backout_rule_state", Kind::Gauge, "0 quiet, 1 pending, 2 met, 3 unknown, 4 broken."),
    ("backout_rule_fired_timestamp_seconds", Kind::Gauge, "When a rule acted last."),
    ("backout_rules_frozen", Kind::Gauge, "Whether nothing starts by rules."),
    ("backout_deployment_locked", Kind::Gauge, "Whether something keeps everyone from starting."),
    ("backout_held_parts", Kind::Gauge, "Parts that are held to stop the bleeding."),
    ("backout_leftovers", Kind::Gauge, "What is temporarily changed and has to be released."),
    ("backout_messages_given_up", Kind::Gauge, "Messages that reached nobody (8 at most)."),
    ("backout_slo_budget_left_ratio", Kind::Gauge, "Error budget left; below 0 it is overspent."),
    ("backout_slo_burn_rate", Kind::Gauge, "How many times faster than allowed it burns."),
    ("process_cpu_seconds_total", Kind::Counter, "Processor time of the engine."),
    ("process_resident_memory_bytes", Kind::Gauge, "Memory of the engine."),
    ("process_start_time_seconds", Kind::Gauge, "When the engine started."),
];

/// The names of all metrics.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _, _)| *name)
}

/// Looks by what they found: good, warning, bad, unknown.
pub type Looks = BTreeMap<CheckId, [u64; 4]>;

/// Counts a look.
pub fn count(looks: &mut Looks, reading: &Reading) {
    let place = match reading.finding {
        Finding::Good => 0,
        Finding::Warn { .. } => 1,
        Finding::Bad { .. } => 2,
        Finding::Unknown { .. } => 3,
    };
    if !looks.contains_key(&reading.check) {
        looks.insert(reading.check.clone(), [0; 4]);
    }
    if let Some(count) = looks.get_mut(&reading.check).and_then(|all| all.get_mut(place)) {
        *count += 1;
    }
}

/// What this process uses of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Processor time.
    pub cpu: Duration,
    /// Bytes of memory.
    pub memory: u64,
    /// When it started.
    pub started: Option<Time>,
}

/// What the page is made of.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What the journal says.
    pub situation: &'a Situation,
    /// What each check counts for.
    pub roles: &'a BTreeMap<CheckId, Role>,
    /// Where each stands.
    pub tracks: &'a BTreeMap<CheckId, Track>,
    /// What looks found.
    pub looks: &'a Looks,
    /// What the checks come to.
    pub signals: &'a BTreeMap<String, Signal>,
    /// The objectives.
    pub slos: &'a [Standing],
    /// This process.
    pub process: Process,
    /// Its version.
    pub version: &'a str,
    /// The moment.
    pub now: Time,
}

struct Page {
    text: String,
    /// The metric that is being written, to say its name and help once.
    open: &'static str,
}

impl Page {
    fn put(&mut self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        if self.open != name {
            self.open = name;
            let known = ALL.iter().find(|(known, _, _)| *known == name);
            if let Some((_, kind, help)) = known {
                let kind = match kind {
                    Kind::Gauge => "gauge",
                    Kind::Counter => "counter",
                };
                writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
            }
        }
        self.text.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text.extend([label, "=\""]);
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        writeln!(self.text, " {}", number(value)).ok();
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

#[expect(clippy::cast_precision_loss, reason = "moments of this century, to the millisecond")]
fn seconds(at: Time) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn many(count: u64) -> f64 {
    count as f64
}

fn flag(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

/// The page.
pub fn page(facts: Facts<'_>) -> String {
    let mut page = Page { text: String::with_capacity(16 * 1024), open: "" };
    let environment = facts.situation.environment();
    let labels = [("version", facts.version), ("environment", environment)];
    page.put("backout_build_info", &labels, 1.0);
    page.put("backout_heartbeat_timestamp_seconds", &[], seconds(facts.now));
    page.put("backout_journal_entries_total", &[], many(facts.situation.seq));
    checks(&mut page, facts);
    for (name, signal) in facts.signals {
        let value = match signal.value {
            SignalValue::Number(number) => number,
            SignalValue::Flag(yes) => flag(yes),
            SignalValue::Unknown(_) => f64::NAN,
        };
        page.put("backout_signal", &[("signal", name)], value);
    }
    incidents(&mut page, facts.situation);
    rules(&mut page, facts.situation);
    leftovers(&mut page, facts.situation, facts.now);
    for one in facts.slos {
        let left = one.left.unwrap_or(f64::NAN);
        page.put("backout_slo_budget_left_ratio", &[("check", one.check.as_str())], left);
    }
    for one in facts.slos {
        for burn in &one.burns {
            for (window, rate) in [(burn.short, burn.in_short), (burn.long, burn.in_long)] {
                let minutes = format!("{}m", window.as_secs() / 60);
                let pair = format!("{:.1}", burn.factor);
                let labels =
                    [("check", one.check.as_str()), ("window", &minutes), ("factor", &pair)];
                page.put("backout_slo_burn_rate", &labels, rate.unwrap_or(f64::NAN));
            }
        }
    }
    let process = facts.process;
    page.put("process_cpu_seconds_total", &[], process.cpu.as_secs_f64());
    page.put("process_resident_memory_bytes", &[], many(process.memory));
    if let Some(started) = process.started {
        page.put("process_start_time_seconds", &[], seconds(started));
    }
    page.text
}

fn checks(page: &mut Page, facts: Facts<'_>) {
    let service = |id: &CheckId| facts.roles.get(id).map_or("", |role| role.service.as_str());
    for (id, track) in facts.tracks {
        let status = match track.status {
            Status::Ok => 0.0,
            Status::Warn => 1.0,
            Status::Fail => 2.0,
            Status::Unknown => 3.0,
        };
        let labels = [("check", id.as_str()), ("service", service(id))];
        page.put("backout_check_status", &labels, status);
    }
    for (id, looks) in facts.looks {
        for (found, count) in ["good", "warning", "bad", "unknown"].into_iter().zip(looks) {
            let labels = [("check", id.as_str()), ("found", found)];
            page.put("backout_check_looks_total", &labels, many(*count));
        }
    }
    let last = || facts.tracks.iter().filter_map(|(id, track)| Some((id, track.last.as_ref()?)));
    for (id, reading) in last() {
        let Some(value) = reading.value else { continue };
        let labels = [("check", id.as_str()), ("unit", reading.unit.as_str())];
        page.put("backout_check_value", &labels, value);
    }
    for (id, reading) in last() {
        let labels = [("check", id.as_str())];
        page.put("backout_check_duration_seconds", &labels, reading.took.as_secs_f64());
    }
    for (id, reading) in last() {
        let labels = [("check", id.as_str())];
        page.put("backout_check_last_look_timestamp_seconds", &labels, seconds(reading.at));
    }
}

fn incidents(page: &mut Page, situation: &Situation) {
    let severity =
        situation.assessment.as_ref().map_or(f64::NAN, |known| f64::from(known.severity as u8));
    page.put("backout_severity", &[], severity);
    page.put("backout_incident_open", &[], flag(situation.incident.is_some()));
    let level = situation.open_run().map_or(0, |run| run.plan.core.level.number());
    page.put("backout_rollback_running", &[], f64::from(level));
    let outcomes =
        [Outcome::Done, Outcome::Failed, Outcome::Aborted, Outcome::Undone, Outcome::Unknown];
    for outcome in outcomes {
        let count = situation.history.iter().filter(|past| past.ended.outcome == outcome).count();
        let count = many(u64::try_from(count).unwrap_or_default());
        page.put("backout_rollbacks", &[("outcome", outcome.words())], count);
    }
    let last = situation.history.first();
    let took = last.map_or(f64::NAN, |past| past.ended.took.as_secs_f64());
    page.put("backout_rollback_duration_seconds", &[], took);
}

fn rules(page: &mut Page, situation: &Situation) {
    let book = &situation.rules;
    for face in &book.rules {
        let state = match book.cards.get(&face.id).map(|card| &card.state) {
            Some(RuleState::Quiet) => 0.0,
            Some(RuleState::Pending) => 1.0,
            Some(RuleState::Met) => 2.0,
            Some(RuleState::Unknown(_)) | None => 3.0,
            Some(RuleState::Broken(_)) => 4.0,
        };
        let labels = [("rule", face.id.as_str()), ("action", face.action.name())];
        page.put("backout_rule_state", &labels, state);
    }
    for (id, card) in &book.cards {
        if let Some(at) = card.fired_at {
            page.put("backout_rule_fired_timestamp_seconds", &[("rule", id)], seconds(at));
        }
    }
    page.put("backout_rules_frozen", &[], flag(situation.frozen().is_some()));
}

fn leftovers(page: &mut Page, situation: &Situation, now: Time) {
    let count = |count: usize| many(u64::try_from(count).unwrap_or_default());
    page.put("backout_deployment_locked", &[], flag(situation.locks.standing(now).is_some()));
    page.put("backout_held_parts", &[], count(situation.holds.len()));
    page.put("backout_leftovers", &[], count(situation.leftovers.len()));
    page.put("backout_messages_given_up", &[], count(situation.outbox.given_up.len()));
}
