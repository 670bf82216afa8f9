//! Lines of the log files that the documents know (P-41, P-61 to P-63): what an entry of the
//! journal is there, for people and tools that look for `rollback … initiated` with grep.

use crate::model::entry::{Body, Entry, Event, Outcome, StepEnd};
use crate::model::ids::Time;
use crate::model::reading::Status;
use crate::model::rule::book::RuleState;

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFile {
    /// Checks and rules.
    HealthMonitor,
    /// Runs and their steps.
    RollbackExecution,
    /// The engine itself, and its troubles.
    System,
    /// What everybody wants to know: incidents, and rollbacks from beginning to end.
    Integration,
}

impl LogFile {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::HealthMonitor, Self::RollbackExecution, Self::System, Self::Integration];
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loud {
    Info,
    Warning,
    Error,
    Critical,
}

impl Loud {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

type Said = (LogFile, Loud, String);

/// `2024-01-15 14:30:22 ERROR …`: the day and the hour are where the documents' grep looks.
fn line(at: Time, loud: Loud, text: &str) -> String {
    format!("{} {} {text}\n", at.format("%Y-%m-%d %H:%M:%S"), loud.word())
}

/// The lines of an entry, with the file of each.
pub fn lines(entry: &Entry) -> Vec<(LogFile, String)> {
    let Body::Event(event) = &entry.body else { return Vec::new() };
    let mut said = about_health(event);
    said.extend(about_runs(event));
    said.extend(about_system(event));
    said.into_iter().map(|(file, loud, text)| (file, line(entry.at, loud, &text))).collect()
}

fn about_health(event: &Event) -> Vec<Said> {
    let to = LogFile::HealthMonitor;
    if let Event::CheckChanged { check, status, note, critical, .. } = event {
        let loud = match status {
            Status::Ok => Loud::Info,
            Status::Warn | Status::Unknown => Loud::Warning,
            Status::Fail if *critical => Loud::Critical,
            Status::Fail => Loud::Error,
        };
        return vec![(to, loud, format!("check {check} is {}: {note}", status.words()))];
    }
    if let Event::RuleChanged { rule, state, .. } = event {
        let loud = match state {
            RuleState::Quiet | RuleState::Pending | RuleState::Met => Loud::Info,
            RuleState::Unknown(_) => Loud::Warning,
            RuleState::Broken(_) => Loud::Error,
        };
        return vec![(to, loud, format!("rule {rule} is {}", state.word()))];
    }
    if let Event::RuleFired(fired) = event {
        let text = format!("rule {} acts ({}): {}", fired.rule, fired.action.name(), fired.text);
        return vec![(to, Loud::Warning, text)];
    }
    if let Event::RuleHeld { rule, why: Some(why) } = event {
        return vec![(to, Loud::Info, format!("rule {rule} is held: {why}"))];
    }
    Vec::new()
}

fn about_runs(event: &Event) -> Vec<Said> {
    let (steps, all) = (LogFile::RollbackExecution, LogFile::Integration);
    let both = |loud, text: String| vec![(steps, loud, text.clone()), (all, loud, text)];
    if let Event::RunStarted { run, by, reason, .. } = event {
        return both(Loud::Info, format!("rollback {run} initiated by {by}: {reason}"));
    }
    if let Event::StepStarted { run, step, attempt, .. } = event {
        return vec![(
            steps,
            Loud::Info,
            format!("rollback {run}: step {step} begins, try {attempt}"),
        )];
    }
    if let Event::StepEnded { run, step, end, took, .. } = event {
        let took = took.as_millis();
        let (loud, how) = match end {
            StepEnd::Done => (Loud::Info, "done".to_owned()),
            StepEnd::Skipped(why) => (Loud::Warning, format!("left out, {why}")),
            StepEnd::Failed(why) => (Loud::Error, format!("no: {why}")),
            StepEnd::Unknown(why) => (Loud::Error, format!("not known: {why}")),
        };
        let text = format!("rollback {run}: step {step} took {took} ms: {how}");
        return vec![(steps, loud, text)];
    }
    if let Event::NeedsPerson { run, why, .. } = event {
        return both(Loud::Warning, format!("rollback {run} waits for a person: {why}"));
    }
    if let Event::RunEnded { run, outcome, took, why, .. } = event {
        let took = took.as_millis();
        // The last word is what the documents count.
        return match outcome {
            Outcome::Done => both(
                Loud::Info,
                format!("rollback {run} completed, took {took} ms, status: SUCCESS"),
            ),
            Outcome::Failed | Outcome::Unknown => {
                let (loud, word) = (Loud::Critical, outcome.words().to_uppercase());
                let text = format!("rollback {run} failed, took {took} ms: {why}, status: {word}");
                both(loud, text)
            }
            Outcome::Aborted | Outcome::Undone => {
                let word = outcome.words().to_uppercase();
                both(
                    Loud::Warning,
                    format!("rollback {run} completed, took {took} ms, status: {word}"),
                )
            }
        };
    }
    Vec::new()
}

fn about_system(event: &Event) -> Vec<Said> {
    let (own, all) = (LogFile::System, LogFile::Integration);
    if let Event::EngineStarted { pid, version, environment, .. } = event {
        let text = format!("backout {version} watches {environment}, pid {pid}");
        return vec![(own, Loud::Info, text.clone()), (all, Loud::Info, text)];
    }
    if let Event::EngineStopped { why } = event {
        let text = format!("backout ends: {why}");
        return vec![(own, Loud::Info, text.clone()), (all, Loud::Info, text)];
    }
    if let Event::ConfigurationRead { note, .. } = event {
        return vec![(own, Loud::Info, note.to_string())];
    }
    if let Event::Trouble { text } = event {
        return vec![(own, Loud::Error, text.to_string())];
    }
    if let Event::IncidentOpened { incident, why } = event {
        return vec![(all, Loud::Error, format!("incident {incident} begins: {why}"))];
    }
    if let Event::IncidentClosed { why } = event {
        return vec![(all, Loud::Info, format!("the incident is over: {why}"))];
    }
    Vec::new()
}

/// The line of the performance log, every minute (000:821-849).
pub fn performance(at: Time, [cpu, memory, disk]: [Option<f64>; 3]) -> String {
    let shown = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |v| format!("{v:.1}"));
    let at = at.format("%Y-%m-%d %H:%M:%S UTC");
    format!("{at},CPU:{}%,Memory:{}%,Disk:{}%\n", shown(cpu), shown(memory), shown(disk))
}

/// What is said when one of them is over `limit` percent.
pub fn alerts([cpu, memory, disk]: [Option<f64>; 3], limit: f64) -> Vec<String> {
    let named = [("CPU", cpu), ("memory", memory), ("disk", disk)];
    let over = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
    over.filter(|(_, value)| *value > limit)
        .map(|(name, value)| format!("ALERT: High {name} usage: {value:.1}%"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Tape, level_one, run_id};

    #[test]
    fn a_rollback_is_found_with_the_greps_of_the_documents() {
        let mut tape = Tape::new();
        tape.started(level_one()).event(Event::RunEnded {
            run: run_id(),
            outcome: Outcome::Done,
            took: std::time::Duration::from_millis(92_412),
            why: "".into(),
            history: String::new(),
        });
        let all: Vec<String> = tape
            .entries
            .iter()
            .flat_map(lines)
            .filter(|(file, _)| *file == LogFile::Integration)
            .map(|(_, line)| line)
            .collect();
        let text = all.concat();
        assert!(regex::Regex::new("rollback.*initiated").unwrap().is_match(&text), "{text}");
        assert!(regex::Regex::new("took [0-9]{3,}").unwrap().is_match(&text), "{text}");
        let done = all.iter().find(|line| line.contains("completed")).unwrap();
        assert_eq!(done.split_whitespace().last(), Some("SUCCESS"));
        assert_eq!(done.chars().nth(10), Some(' '), "day and hour as date +%Y-%m-%d\\ %H gives");
    }

    #[test]
    fn performance_has_the_form_of_the_documents_and_says_what_is_too_high() {
        let at = crate::model::sample::at(0);
        let measured = [Some(97.25), Some(12.0), None];
        let line = performance(at, measured);
        assert!(line.ends_with(",CPU:97.2%,Memory:12.0%,Disk:?%\n"), "{line}");
        assert_eq!(alerts(measured, 90.0), ["ALERT: High CPU usage: 97.2%"]);
        assert!(alerts(measured, 98.0).is_empty());
    }
}
