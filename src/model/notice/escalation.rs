//! When what goes on belongs to more people (P-71, 000:1180-1193).

use super::super::entry::Outcome;
use super::super::ids::Time;
use super::super::plan::Hazard;
use super::super::severity::Severity;
use super::super::situation::Situation;

/// A recovery that takes longer is for more people.
const LONG: chrono::Duration = chrono::Duration::minutes(30);

/// Which of the five reasons to escalate hold now.
pub fn escalated(situation: &Situation, now: Time) -> Vec<&'static str> {
    let run = situation.open_run();
    let loses = run
        .is_some_and(|run| run.plan.core.steps.iter().any(|step| step.hazard == Hazard::LosesData));
    let mut critical = situation.counted().filter(|(_, card)| card.critical).peekable();
    let all_fail = critical.peek().is_some()
        && critical.all(|(_, card)| card.status == super::super::reading::Status::Fail);
    let class = situation.assessment.as_ref().map_or(Severity::None, |known| known.severity);
    let begun = run.map(|run| run.started_at);
    let begun = begun.or(situation.incident.as_ref().map(super::super::incident::Incident::began));
    let ended = situation.run.as_ref().and_then(|run| run.ended.as_ref());
    let over = run.is_none() && ended.is_some_and(|ended| ended.outcome == Outcome::Done);
    let long = begun.is_some_and(|begun| now - begun >= LONG) && !over;
    let unknown = ended.is_some_and(|ended| ended.outcome == Outcome::Unknown);
    [
        (loses, "risk of data loss"),
        (all_fail && class >= Severity::Critical, "everything is down"),
        (situation.breach().is_some(), "security"),
        (long, "recovery takes longer than 30 minutes"),
        (unknown, "nobody knows what it is"),
    ]
    .into_iter()
    .filter_map(|(holds, words)| holds.then_some(words))
    .collect()
}
