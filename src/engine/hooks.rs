//! Tells people who are not looking: runs the commands of `on:` beside everything else, each
//! occasion at least once, also across a restart of the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::adapters::process;
use crate::config::{Hooks, Platform};
use crate::model::entry::{Event, Outcome};
use crate::model::ids::Time;
use crate::model::situation::Situation;
use crate::text::{SafeText, fit};

use super::books::Line;
use super::run::{Engine, Seen};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(10);
/// What is kept of its output, in bytes.
const OUTPUT: u64 = 4 * 1024;
/// An occasion that is older was another engine's, or another configuration's.
const OLD: chrono::Duration = chrono::Duration::hours(1);
/// How long a lead's line may be gone before that is worth telling.
const SILENT: chrono::Duration = chrono::Duration::seconds(30);

/// Something that people are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Occasion {
    /// Its name in the configuration.
    event: &'static str,
    /// What the journal remembers it by; begins with the name.
    about: String,
    /// For people.
    text: String,
    /// `done`, `failed`, …, where a run ended.
    outcome: &'static str,
}

/// How the commands of an occasion went.
#[derive(Debug)]
pub(super) struct Told {
    about: String,
    note: SafeText,
    /// What failed, for the troubles.
    failed: Option<SafeText>,
}

impl Engine {
    /// Begins the commands of every occasion that nobody was told of yet.
    pub(super) fn tell_people(&mut self) {
        let alone = self.clients.is_empty();
        for occasion in occasions(&self.books.situation, alone, self.clock.now()) {
            let commands = commands(&self.config.hooks, occasion.event).to_vec();
            if commands.is_empty() || !self.telling.insert(occasion.about.clone()) {
                continue;
            }
            let variables = self.variables(&occasion);
            let (dir, clock, seen) =
                (self.start.state.clone(), self.clock.clone(), self.seen.clone());
            tokio::spawn(async move {
                let mut went = Vec::new();
                let mut failed = None;
                for line in &commands {
                    let ran =
                        process::shell_with(line, &variables, &dir, (LIMIT, OUTPUT), &clock).await;
                    let (good, note) = match ran {
                        Ok(done) => (done.code == Some(0), words(&done)),
                        Err(error) => (false, error.message),
                    };
                    if !good {
                        let text = format!(
                            "could not tell of {}: {}: {note}; tell people yourself, and mend on.{}",
                            occasion.event,
                            fit(line, 60),
                            occasion.event
                        );
                        failed = Some(SafeText::new(&text));
                    }
                    went.push(note);
                }
                let note = SafeText::new(&fit(&went.join("; "), 400));
                let told = Told { about: occasion.about, note, failed };
                seen.send(Seen::Told(Box::new(told))).await.ok();
            });
        }
    }

    /// Takes how the commands of an occasion went.
    pub(super) fn told_people(&mut self, told: Told, lines: &mut Vec<Line>) {
        self.telling.remove(&told.about);
        lines.push(Line::from(Event::HookRan { about: told.about, note: told.note }));
        lines.extend(told.failed.map(|text| Line::from(Event::Trouble { text })));
    }

    fn variables(&self, occasion: &Occasion) -> BTreeMap<&'static str, String> {
        let mut variables = self.surroundings();
        variables.extend([
            ("BACKOUT_EVENT", occasion.event.to_owned()),
            ("BACKOUT_TEXT", occasion.text.clone()),
            ("BACKOUT_OUTCOME", occasion.outcome.to_owned()),
        ]);
        variables
    }

    /// What a command of the configuration is told of where it runs.
    pub(super) fn surroundings(&self) -> BTreeMap<&'static str, String> {
        let situation = &self.books.situation;
        let run = situation.run.as_ref();
        let incident = situation.incident.as_ref().map_or(situation.last_incident, |one| one.id);
        BTreeMap::from([
            ("BACKOUT_ENVIRONMENT", self.config.environment.clone()),
            ("BACKOUT_PRODUCTION", self.config.production.to_string()),
            ("BACKOUT_INCIDENT", crate::model::ids::incident_name(incident)),
            ("BACKOUT_RUN", run.map(|run| run.id.to_string()).unwrap_or_default()),
            ("BACKOUT_LEVEL", run.map(|run| run.plan.core.level.to_string()).unwrap_or_default()),
            ("BACKOUT_HOST", self.host.to_string()),
            ("BACKOUT_CONFIG", self.config.file.display().to_string()),
        ])
        .into_iter()
        .chain(platform(&self.config.platform))
        .collect()
    }
}

/// What the tools of a platform must be told.
fn platform(platform: &Platform) -> Vec<(&'static str, String)> {
    match platform {
        Platform::None | Platform::Local { .. } | Platform::Frontend(_) => Vec::new(),
        Platform::Compose(project) => {
            let mut told = vec![
                ("BACKOUT_PROJECT", project.project.clone()),
                ("BACKOUT_PROJECT_DIR", project.dir.display().to_string()),
            ];
            told.extend(project.engine.clone().map(|engine| ("DOCKER_HOST", engine)));
            told
        }
        Platform::Kubernetes(one) => vec![("BACKOUT_NAMESPACE", one.settings.namespace.clone())],
    }
}

fn commands<'a>(hooks: &'a Hooks, event: &str) -> &'a [String] {
    match event {
        "waiting" => &hooks.waiting,
        "failed" => &hooks.failed,
        "done" => &hooks.done,
        _ => &hooks.lead_lost,
    }
}

fn words(done: &process::Finished) -> String {
    let code = done.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit {code}"));
    let errors = String::from_utf8_lossy(&done.stderr);
    match errors.lines().rfind(|line| !line.trim().is_empty()) {
        Some(last) if done.code != Some(0) => format!("{code}: {}", fit(last.trim(), 120)),
        Some(_) | None => code,
    }
}

/// What people should be told of now and were not yet. `alone` says that nobody is attached.
fn occasions(situation: &Situation, alone: bool, now: Time) -> Vec<Occasion> {
    let mut found = Vec::new();
    let environment = situation.environment();
    let Some(run) = &situation.run else { return found };
    if let Some(waiting) = run.waiting.as_ref().filter(|_| run.ended.is_none() && alone) {
        let step = waiting.step.as_ref();
        let attempt = step.and_then(|step| run.step(step)).map_or(0, |state| state.attempt);
        let step = step.map_or("verdict", |step| step.as_str());
        found.push(Occasion {
            event: "waiting",
            about: format!("waiting {} {step} {attempt}", run.id),
            text: format!(
                "{environment}: run {} WAITS FOR A PERSON and nobody is attached: {}; backout attach",
                run.id, waiting.why
            ),
            outcome: "",
        });
    }
    if let Some(ended) = run.ended.as_ref().filter(|ended| now - ended.at < OLD) {
        let event = match ended.outcome {
            Outcome::Done => "done",
            Outcome::Failed | Outcome::Aborted | Outcome::Undone | Outcome::Unknown => "failed",
        };
        found.push(Occasion {
            event,
            about: format!("{event} {}", run.id),
            text: format!(
                "{environment}: run {} level {} {} -> {}: {}; {}",
                run.id,
                run.plan.core.level,
                run.plan.core.from,
                run.plan.core.to,
                ended.outcome.words(),
                ended.why
            ),
            outcome: ended.outcome.words(),
        });
    }
    if let Some(lead) = situation.lead.as_ref().filter(|_| run.ended.is_none())
        && let Some(lost) = lead.lost_at.filter(|lost| now - *lost >= SILENT)
    {
        found.push(Occasion {
            event: "lead_lost",
            about: format!("lead_lost {} {}", lead.term, lost.timestamp()),
            text: format!(
                "{environment}: {} led run {} and their line is gone since {}; backout attach, then T",
                lead.who.name,
                run.id,
                lost.format("%H:%M:%SZ")
            ),
            outcome: "",
        });
    }
    found.retain(|occasion| !situation.told.contains(&occasion.about));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Tape, at, level_one, run_id};

    /// A run that has begun.
    fn begun() -> Tape {
        let mut tape = Tape::new();
        let plan = Box::new(level_one());
        let digest = plan.digest();
        tape.event(Event::PlanMade { plan, by: "alice".into(), preflight: Vec::new() });
        let (by, reason) = ("alice".into(), "errors".into());
        tape.event(Event::RunStarted {
            run: run_id(),
            plan: digest,
            by,
            reason,
            accept_loss: None,
        });
        tape
    }

    fn events(tape: &Tape, alone: bool, now: Time) -> Vec<&'static str> {
        occasions(&tape.situation, alone, now).iter().map(|occasion| occasion.event).collect()
    }

    #[test]
    fn a_waiting_run_is_told_once_and_only_when_nobody_is_attached() {
        let mut tape = begun();
        let why = "gate failed".into();
        tape.event(Event::NeedsPerson {
            run: run_id(),
            step: Some("gate".into()),
            why,
            offer: None,
        });
        assert!(events(&tape, false, at(9)).is_empty());
        let found = occasions(&tape.situation, true, at(9));
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("gate failed"), "{found:?}");
        tape.event(Event::HookRan { about: found[0].about.clone(), note: "exit 0".into() });
        assert!(events(&tape, true, at(9)).is_empty());
    }

    #[test]
    fn the_end_of_a_run_is_told_whoever_is_attached_but_not_much_later() {
        for (outcome, event) in [(Outcome::Done, "done"), (Outcome::Aborted, "failed")] {
            let mut tape = begun();
            let (took, why) = (Duration::from_secs(9), "good".into());
            let history = String::new();
            tape.event(Event::RunEnded { run: run_id(), outcome, took, why, history });
            let ended = tape.situation.run.as_ref().unwrap().ended.as_ref().unwrap().at;
            assert_eq!(events(&tape, false, ended), [event]);
            assert!(events(&tape, false, ended + chrono::Duration::hours(2)).is_empty());
        }
    }

    #[test]
    fn a_lead_is_missed_after_thirty_seconds_and_only_while_a_run_is_open() {
        let mut tape = begun();
        let who = crate::model::entry::Author { name: "alice".into(), ..Default::default() };
        tape.event(Event::LeadTaken { who, term: 1 });
        tape.event(Event::LeadLost);
        let lost = tape.situation.lead.as_ref().unwrap().lost_at.unwrap();
        assert!(events(&tape, true, lost + chrono::Duration::seconds(29)).is_empty());
        assert_eq!(events(&tape, true, lost + chrono::Duration::seconds(30)), ["lead_lost"]);
    }
}
