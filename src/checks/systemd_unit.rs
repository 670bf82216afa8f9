//! `systemd_unit`: the active state of a unit, asked of `systemctl show`, which changes nothing.
//!
//! A command and not D-Bus: the bus crates are a protocol stack with an executor of their own, and
//! the answer is five `name=value` lines.

use std::time::Duration;

use crate::adapters::Kind;
use crate::adapters::process::{Bounded, Finished};
use crate::model::reading::{Finding, Reason, WhyClass};
use crate::text::{SafeText, fit};

use super::ProbeCx;
use super::seen::{Seen, warn};
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The unit, with its ending: `nginx.service`.
    pub unit: String,
    /// The states that are good; `active` by default.
    pub expect: Vec<String>,
    /// Thresholds on how often systemd has restarted it by itself.
    pub thresholds: Thresholds,
}

/// The states that a unit can be in (`ActiveState`, systemd's own documentation of its D-Bus API).
pub const STATES: [&str; 8] = [
    "active",
    "reloading",
    "inactive",
    "failed",
    "activating",
    "deactivating",
    "maintenance",
    "refreshing",
];

/// What is asked.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,NRestarts";

impl Settings {
    /// Looks once; the command is killed when `limit` has passed.
    pub async fn probe(&self, limit: Duration, cx: &ProbeCx) -> Seen {
        let argv = ["systemctl", "show", "--no-pager", PROPERTIES, "--", &self.unit];
        let argv = argv.map(str::to_owned);
        let bounded = Bounded { argv: &argv, env: None, dir: &cx.dir, limit, bytes: 64 * 1024 };
        match bounded.run(&cx.clock).await {
            Ok(finished) => self.read(&finished),
            // The target is the unit: that its manager cannot be asked says nothing about it.
            Err(error) if error.kind == Kind::TimedOut => {
                Seen::unknown(Reason::NoData, &error.message)
            }
            Err(error) if error.kind == Kind::Denied => {
                Seen::unknown(Reason::NoPermission, &error.message)
            }
            Err(error) => Seen::unknown(Reason::NoTool, &error.message),
        }
    }

    fn read(&self, finished: &Finished) -> Seen {
        let text = String::from_utf8_lossy(&finished.stdout);
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            fit(SafeText::new(line.unwrap_or_default()).as_str(), 60)
        };
        if finished.code != Some(0) {
            let all = String::from_utf8_lossy(&finished.stderr);
            let first = all.trim().lines().next().unwrap_or_default();
            let said = fit(SafeText::new(first).as_str(), 200);
            return Seen::unknown(reason_of(&said), &said);
        }
        let (load, active) = (value("LoadState"), value("ActiveState"));
        if active.is_empty() {
            return Seen::unknown(Reason::Parse, "systemctl show named no ActiveState");
        }
        let (sub, result) = (value("SubState"), value("Result"));
        let note = if sub.is_empty() { active.clone() } else { format!("{active} ({sub})") };
        let restarts = value("NRestarts").parse::<f64>().ok();
        let seen = if load == "not-found" {
            let text = format!("there is no unit {}", self.unit);
            Seen::bad(WhyClass::Rejected, "no such unit", &text)
        } else if self.expect.contains(&active) {
            match restarts.filter(|_| self.thresholds.any()) {
                Some(restarts) => Seen::new(self.thresholds.judge(restarts, "restarts"), &note),
                None => Seen::new(Finding::Good, &note),
            }
        } else {
            let expected = self.expect.join(" or ");
            let text = format!("{} is {note}, expected {expected}; result {result}", self.unit);
            match active.as_str() {
                // On its way: neither up nor down yet.
                "activating" | "reloading" | "refreshing" => {
                    Seen::new(warn(WhyClass::Rejected, &text), &note)
                }
                _ => Seen::bad(WhyClass::Rejected, &note, &text),
            }
        };
        match restarts {
            Some(restarts) => seen.with_value(restarts, "restarts"),
            None => seen,
        }
    }
}

/// Why `systemctl` itself could not answer.
fn reason_of(said: &str) -> Reason {
    let said = said.to_lowercase();
    if said.contains("denied") || said.contains("not permitted") {
        Reason::NoPermission
    } else if said.contains("invalid") {
        Reason::BadConfig
    } else {
        Reason::NoTool
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{CheckKind, fixture, probe};

    fn settings() -> Settings {
        Settings {
            unit: "shop.service".into(),
            expect: vec!["active".into()],
            thresholds: Thresholds::default(),
        }
    }

    fn said(lines: &str) -> Finished {
        Finished { code: Some(0), stdout: lines.into(), stderr: Vec::new() }
    }

    #[test]
    fn the_states_of_a_unit_are_told_apart() {
        let read = |active: &str, sub: &str| {
            settings().read(&said(&format!(
                "LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult=exit-code\n\
                 NRestarts=4\n"
            )))
        };
        let up = read("active", "running");
        assert_eq!((up.finding, up.note.as_str()), (Finding::Good, "active (running)"));
        assert_eq!((up.value, up.unit), (Some(4.0), "restarts"));
        assert!(matches!(read("activating", "auto-restart").finding, Finding::Warn { .. }));
        let down = read("failed", "failed");
        assert!(
            matches!(&down.finding, Finding::Bad { why } if why.text.as_str()
                == "shop.service is failed (failed), expected active; result exit-code"),
            "{:?}",
            down.finding
        );
        let wanted = Settings { expect: vec!["inactive".into()], ..settings() };
        let off = wanted.read(&said("LoadState=loaded\nActiveState=inactive\nSubState=dead\n"));
        assert_eq!(off.finding, Finding::Good);
    }

    #[test]
    fn a_unit_that_is_not_there_fails_and_an_answer_without_a_state_is_unreadable() {
        let gone = settings().read(&said("LoadState=not-found\nActiveState=inactive\n"));
        assert_eq!(gone.note.as_str(), "no such unit");
        assert!(matches!(gone.finding, Finding::Bad { .. }));
        let odd = settings().read(&said("\x1b[2J\n"));
        assert_eq!(odd.finding, Finding::Unknown { reason: Reason::Parse });
    }

    #[test]
    fn why_systemctl_could_not_answer_is_kept() {
        let no = |said: &str| {
            let finished = Finished { code: Some(1), stdout: Vec::new(), stderr: said.into() };
            settings().read(&finished).finding
        };
        let unknown = |reason| Finding::Unknown { reason };
        assert_eq!(no("System has not been booted with systemd"), unknown(Reason::NoTool));
        assert_eq!(no("Failed to connect to bus: Access denied"), unknown(Reason::NoPermission));
        assert_eq!(no("Unit name x is invalid"), unknown(Reason::BadConfig));
    }

    #[tokio::test]
    async fn this_machines_own_systemd_is_asked_or_said_to_be_missing() {
        let settings = Settings { unit: "init.scope".into(), ..settings() };
        let spec = fixture::spec(CheckKind::SystemdUnit(settings), Duration::from_secs(5));
        let reading = probe(&spec, &fixture::cx()).await;
        let expected = if std::path::Path::new("/run/systemd/system").is_dir() {
            Finding::Good
        } else {
            Finding::Unknown { reason: Reason::NoTool }
        };
        assert_eq!(reading.finding, expected, "{}", reading.note);
    }
}
