//! Mutes, maintenance and values changed for a while: what is asked is held against the
//! configuration here, and everything ends by itself.

use std::time::Duration;

use crate::checks::http_response::Statuses;
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, CheckSpec};
use crate::config::did_you_mean;
use crate::model::entry::{Author, Command, Event};
use crate::model::ids::{CheckId, Time};
use crate::model::mute::{LONGEST, Mute, Override};
use crate::text::SafeText;

use super::answer::Refusal;
use super::books::Line;
use super::run::Engine;

fn refuse<T>(why: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { why: why.into(), hint: hint.into() })
}

impl Engine {
    /// Only what is muted can be judged again; nothing more follows from it.
    fn can_unmute(&self, name: &str) -> Result<Option<Event>, Refusal> {
        let mutes = &self.books.situation.judging.mutes;
        if mutes.iter().any(|mute| mute.name.as_str() == name) {
            return Ok(None);
        }
        let names: Vec<&str> = mutes.iter().map(|mute| mute.name.as_str()).collect();
        let hint = if names.is_empty() {
            "nothing needs to be done".to_owned()
        } else {
            format!("muted are: {}", names.join(", "))
        };
        refuse(format!("{name} is not muted"), hint)
    }

    /// What follows from a command that changes the judgement; nothing for any other.
    pub(super) fn judgement(
        &self,
        author: &Author,
        command: &Command,
    ) -> Result<Option<Event>, Refusal> {
        let now = self.clock.now();
        match command {
            Command::Since { at, .. } if *at > now => {
                refuse("that is in the future", "say when it began: -14m, 23:54, or a full time")
            }
            Command::Mute { name, until, reason } => {
                bounded(*until, now)?;
                let (checks, all) = self.covered(name.as_str())?;
                Ok(Some(Event::Muted {
                    mute: Mute {
                        name: name.clone(),
                        checks,
                        all,
                        by: author.name.clone(),
                        reason: reason.clone(),
                        since: now,
                        until: *until,
                    },
                }))
            }
            Command::Unmute { name } => self.can_unmute(name.as_str()),
            Command::Override { check, set, until, reason } => {
                bounded(*until, now)?;
                let spec = self.original(check)?;
                changed(spec, set)?;
                Ok(Some(Event::Overridden {
                    change: Override {
                        check: check.clone(),
                        set: set.clone(),
                        by: author.name.clone(),
                        reason: reason.clone(),
                        until: *until,
                    },
                }))
            }
            Command::Freeze { until: Some(until), .. } => {
                bounded(*until, now)?;
                Ok(None)
            }
            Command::Unset { check } => self.can_unset(check),
            Command::Since { .. }
            | Command::Tick { .. }
            | Command::Inform { .. }
            | Command::Guide { .. }
            | Command::Acknowledge { .. }
            | Command::Trigger { .. }
            | Command::Veto { .. }
            | Command::Freeze { until: None, .. }
            | Command::Plan { .. }
            | Command::Approve { .. }
            | Command::Choose { .. }
            | Command::Answer { .. }
            | Command::Retry { .. }
            | Command::Skip { .. }
            | Command::MarkDone { .. }
            | Command::Resume { .. }
            | Command::Abort { .. }
            | Command::Pause
            | Command::Note { .. }
            | Command::TakeLead { .. }
            | Command::Detach
            | Command::EndWatch { .. }
            | Command::Overrule { .. }
            | Command::HandLead { .. }
            | Command::Hold { .. }
            | Command::Unhold { .. }
            | Command::Release { .. }
            | Command::HandOver { .. }
            | Command::Deploy { .. }
            | Command::Pin { .. }
            | Command::Unpin { .. }
            | Command::PlanUndo { .. }
            | Command::Export { .. }
            | Command::Lock { .. }
            | Command::Unlock { .. }
            | Command::EmergencyStop { .. }
            | Command::Close => Ok(None),
        }
    }

    fn can_unset(&self, check: &CheckId) -> Result<Option<Event>, Refusal> {
        let overrides = &self.books.situation.judging.overrides;
        if overrides.iter().any(|change| &change.check == check) {
            return Ok(None);
        }
        refuse(format!("nothing of {check} is changed"), "nothing needs to be done")
    }

    /// The checks that a name covers: a check, a service, or all.
    fn covered(&self, name: &str) -> Result<(Vec<CheckId>, bool), Refusal> {
        if name == "all" {
            return Ok((Vec::new(), true));
        }
        let live = || self.config.checks.iter().filter(|spec| spec.live);
        let named = |spec: &&CheckSpec| spec.id.as_str() == name;
        let mut checks: Vec<CheckId> = live().filter(named).map(|spec| spec.id.clone()).collect();
        if checks.is_empty() {
            let service = live().filter(|spec| spec.role.service == name);
            checks = service.map(|spec| spec.id.clone()).collect();
        }
        if !checks.is_empty() {
            return Ok((checks, false));
        }
        let names = live().flat_map(|spec| [spec.id.as_str(), spec.role.service.as_str()]);
        let hint = match did_you_mean(name, names) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "name a check, a service, or all; backout check lists them".to_owned(),
        };
        refuse(format!("there is no check or service {name}"), hint)
    }

    /// A check as configured, whatever is changed of it now.
    fn original(&self, check: &CheckId) -> Result<&CheckSpec, Refusal> {
        let specs = || self.config.checks.iter().filter(|spec| spec.live);
        let configured = specs().find(|spec| &spec.id == check);
        if let Some(spec) = self.desk.originals.get(check).or(configured) {
            return Ok(spec);
        }
        let hint = match did_you_mean(check.as_str(), specs().map(|spec| spec.id.as_str())) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "backout check lists them".to_owned(),
        };
        refuse(format!("there is no check {check}"), hint)
    }

    /// Ends what is over, begins configured windows, and makes the checks look as is now in force.
    pub(super) fn end_mutes(&mut self, now: Time, lines: &mut Vec<Line>) {
        let judging = &self.books.situation.judging;
        for mute in judging.mutes.iter().filter(|mute| mute.until <= now) {
            lines.push(Line::from(Event::MuteEnded { name: mute.name.clone() }));
        }
        for change in judging.overrides.iter().filter(|change| change.until <= now) {
            lines.push(Line::from(Event::OverrideEnded { check: change.check.clone() }));
        }
        for window in &self.config.judging.maintenance {
            let Some(until) = window.open_until(now) else { continue };
            let muted = judging.mutes.iter().any(|mute| mute.name.as_str() == window.name);
            let lifted = judging.lifted.get(&window.name).is_some_and(|lifted| *lifted >= until);
            if muted || lifted {
                continue;
            }
            let services = &window.services;
            let covered = self
                .config
                .checks
                .iter()
                .filter(|spec| spec.live && services.contains(&spec.role.service));
            lines.push(Line::from(Event::Muted {
                mute: Mute {
                    name: SafeText::new(&window.name),
                    checks: covered.map(|spec| spec.id.clone()).collect(),
                    all: services.is_empty(),
                    by: "configuration".into(),
                    reason: SafeText::new(&window.reason),
                    since: now,
                    until,
                },
            }));
        }
        self.apply_overrides();
    }

    /// Makes every check look as the journal says: as configured, but for what is changed.
    fn apply_overrides(&mut self) {
        let overrides = &self.books.situation.judging.overrides;
        let over = |id: &CheckId| overrides.iter().find(|change| &change.check == id);
        let reverted: Vec<CheckId> =
            self.desk.originals.keys().filter(|id| over(id).is_none()).cloned().collect();
        for id in reverted {
            if let Some(original) = self.desk.originals.remove(&id) {
                replace(&mut self.config.checks, &self.desk.probers, original);
            }
        }
        for change in overrides {
            let Ok(original) = self.original(&change.check).cloned() else { continue };
            let Ok(wanted) = changed(&original, &change.set) else { continue };
            let known = self.config.checks.iter().find(|spec| spec.id == change.check);
            if known.is_some_and(|known| format!("{known:?}") != format!("{wanted:?}")) {
                self.desk.originals.insert(change.check.clone(), original);
                replace(&mut self.config.checks, &self.desk.probers, wanted);
            }
        }
    }
}

type Probers = std::collections::BTreeMap<CheckId, tokio::sync::watch::Sender<CheckSpec>>;

fn replace(checks: &mut [CheckSpec], probers: &Probers, wanted: CheckSpec) {
    if let Some(prober) = probers.get(&wanted.id) {
        prober.send_replace(wanted.clone());
    }
    if let Some(known) = checks.iter_mut().find(|spec| spec.id == wanted.id) {
        *known = wanted;
    }
}

fn bounded(until: Time, now: Time) -> Result<(), Refusal> {
    if until <= now {
        return refuse("its end is not in the future", "say how long: --for 30m");
    }
    if until - now > LONGEST {
        return refuse("more than 7 days are no exception", "change the configuration instead");
    }
    Ok(())
}

/// The keys that can be changed for a while.
const KEYS: [&str; 8] = [
    "expected_status",
    "timeout",
    "interval",
    "stale_after",
    "fail_after",
    "ok_after",
    "threshold_warning",
    "threshold_critical",
];

/// `spec` with these values; an override of P-18's kind, but with an end.
pub(super) fn changed(spec: &CheckSpec, set: &[(String, String)]) -> Result<CheckSpec, Refusal> {
    let mut spec = spec.clone();
    if set.is_empty() {
        return refuse("nothing is set", format!("set one of {}", KEYS.join(", ")));
    }
    for (key, value) in set {
        let key = match key.as_str() {
            "consecutive_failures_for_critical" => "fail_after",
            "consecutive_successes_for_ok" => "ok_after",
            other => other.trim_end_matches("_seconds"),
        };
        let wrong = |what: &str| Refusal {
            why: format!("{key}={value}: {value:?} is not {what}"),
            hint: "write it as in the configuration".to_owned(),
        };
        let span = || crate::model::times::span(value).ok_or_else(|| wrong("a span such as 30s"));
        let count = || {
            let number = value.parse::<u32>().ok().filter(|number| (1..=64).contains(number));
            number.ok_or_else(|| wrong("a number from 1 to 64"))
        };
        match key {
            "timeout" => spec.timeout = span()?.max(Duration::from_millis(10)),
            "interval" => {
                spec.interval = span()?.max(Duration::from_millis(100));
                spec.fast_interval = spec.fast_interval.min(spec.interval);
            }
            "stale_after" => spec.policy.stale_after = span()?.max(Duration::from_secs(1)),
            "expected_status" => {
                let CheckKind::HttpResponse(settings) = &mut spec.kind else {
                    let why = format!("a check of kind {} has no status", spec.kind.name());
                    return refuse(why, "name an http_response check");
                };
                settings.expected = Statuses::parse(value).map_err(|why| Refusal {
                    why: format!("{key}: {why}"),
                    hint: "write it as in the configuration".to_owned(),
                })?;
            }
            "fail_after" => spec.policy.fail_after = count()?,
            "ok_after" => spec.policy.ok_after = count()?,
            "threshold_warning" | "threshold_critical" => {
                let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
                let range = match number {
                    Some(number) => Some(Range::From(number)),
                    None => Range::parse(value).ok(),
                };
                let range = range.ok_or_else(|| wrong("a number or a range"))?;
                threshold(&mut spec, key == "threshold_warning", range)?;
            }
            other => {
                let hint = match did_you_mean(other, KEYS) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!("these can be changed for a while: {}", KEYS.join(", ")),
                };
                return refuse(format!("{other} cannot be changed for a while"), hint);
            }
        }
    }
    // Slower looks must not turn the check stale between two of them.
    let least = spec.interval * 2 + spec.timeout;
    if !set.iter().any(|(key, _)| key.starts_with("stale_after")) {
        spec.policy.stale_after = spec.policy.stale_after.max(least);
    }
    Ok(spec)
}

/// Keeps the direction in which the threshold was configured.
fn threshold(spec: &mut CheckSpec, warning: bool, range: Range) -> Result<(), Refusal> {
    let name = spec.kind.name().to_owned();
    let Some(thresholds) = spec.kind.thresholds_mut() else {
        return refuse(
            format!("thresholds of {name} checks cannot be changed here"),
            "change the configuration",
        );
    };
    let below = [thresholds.warning, thresholds.critical]
        .iter()
        .flatten()
        .any(|known| matches!(known, Range::UpTo(_)));
    let range = match range {
        Range::From(number) if below => Range::UpTo(number),
        Range::From(_) | Range::UpTo(_) | Range::Outside(..) | Range::Inside(..) => range,
    };
    let place = if warning { &mut thresholds.warning } else { &mut thresholds.critical };
    *place = Some(range);
    Ok(())
}

#[cfg(test)]
mod tests;
