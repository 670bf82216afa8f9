//! However often and in whatever order commands come, each decision has one effect (G17).

use backout::engine::answer::{Asker, answer};
use backout::model::entry::{Author, Body, Command, Entry, Event, FORMAT, StepEnd};
use backout::model::ids::{CommandId, Digest};
use backout::model::plan::{Level, Plan};
use backout::model::situation::{Lead, Situation};

use super::super::support::Stack;
use super::{Random, alone_in_a_process, long, plan_for, tell};

/// A journal in memory that takes what the engine would.
struct Desk {
    situation: Situation,
    runs: usize,
    marks: usize,
    retries: usize,
}

impl Desk {
    fn write(&mut self, body: Body) {
        let entry = Entry {
            seq: self.situation.seq + 1,
            v: FORMAT,
            incident: None,
            at: chrono::DateTime::UNIX_EPOCH,
            author: Author::default(),
            epoch: 1,
            prev: Digest::default(),
            body,
        };
        self.situation.apply(&entry);
    }

    fn event(&mut self, event: Event) {
        self.write(Body::Event(Box::new(event)));
    }

    /// Gives a command as the socket would; whether it was taken for the first time.
    fn give(&mut self, id: &CommandId, command: &Command) -> bool {
        let asker = Asker {
            author: Author::default(),
            read_only: false,
            leads: true,
            lead_alive: true,
            silent_for: None,
            at: chrono::Utc::now(),
        };
        let Ok(accepted) = answer(&self.situation, &asker, id, command) else { return false };
        if accepted.repeated {
            return false;
        }
        self.write(Body::Command(id.clone(), command.clone()));
        accepted.events.into_iter().for_each(|event| self.event(event));
        match command {
            Command::Approve { plan, .. } => {
                self.runs += 1;
                self.event(Event::RunStarted {
                    run: "1-test-1".into(),
                    plan: plan.clone(),
                    by: "a".into(),
                    reason: "r".into(),
                    accept_loss: None,
                });
                self.fail(1);
            }
            Command::Retry { attempt, .. } => {
                self.retries += 1;
                self.fail(attempt + 1);
            }
            Command::MarkDone { .. } => self.marks += 1,
            _ => {}
        }
        true
    }

    /// The switch is tried and says no.
    fn fail(&mut self, attempt: u32) {
        let (run, step) = ("1-test-1".into(), "switch".into());
        let (effect, boot) = (String::new(), "b".into());
        self.event(Event::StepStarted { run, step, attempt, effect, boot });
        self.event(Event::StepEnded {
            run: "1-test-1".into(),
            step: "switch".into(),
            attempt,
            end: StepEnd::Failed("no".into()),
            took: std::time::Duration::ZERO,
            note: "".into(),
        });
    }
}

/// One person's evening: every command names the facts that were on the screen.
fn commands(plan: &Plan, older: &Digest) -> Vec<Command> {
    let (run, step) = ("1-test-1", "switch");
    let approve =
        |plan: Digest| Command::Approve { plan, lead: 1, reason: "r".into(), accept_loss: None };
    let about = |attempt| (run.into(), step.into(), attempt, "r".into());
    let retry = |at| {
        let (run, step, attempt, reason) = about(at);
        Command::Retry { run, step, attempt, reason }
    };
    let mark = |at| {
        let (run, step, attempt, reason) = about(at);
        Command::MarkDone { run, step, attempt, reason }
    };
    vec![
        approve(older.clone()),
        approve(plan.digest()),
        retry(1),
        mark(1),
        retry(2),
        mark(3),
        Command::Plan { level: Level::Switch, target: None },
    ]
}

#[test]
fn a_thousand_repeated_and_reordered_commands_have_one_effect_each() {
    let stack = Stack::up(Some("errors:0.3"));
    let plan = plan_for(&stack, &["rollback", "--quick"]);
    let older = Digest::of(b"the plan that was on the screen before");
    let all = commands(&plan, &older);
    let rounds = if long() { 200 } else { 50 };
    let (mut given, mut taken) = (0, 0);
    for seed in 0..rounds {
        let mut random = Random(seed);
        let lead = Some(Lead { who: Author::default(), term: 1, lost_at: None });
        let situation = Situation { lead, ..Situation::default() };
        let mut desk = Desk { situation, runs: 0, marks: 0, retries: 0 };
        desk.event(Event::IncidentOpened { incident: 1, why: "w".into() });
        desk.event(Event::PlanMade {
            plan: Box::new(plan.clone()),
            by: "a".into(),
            preflight: Vec::new(),
        });
        for _ in 0..1000 / 50 * 2 {
            let which = random.below(all.len() as u64);
            // A key that is held, or a line that repeats: the same id comes again.
            let id = CommandId(format!("c{which}-{}", random.below(2)));
            given += 1;
            taken += usize::from(desk.give(&id, &all[usize::try_from(which).unwrap()]));
        }
        assert!(desk.runs <= 1, "seed {seed}: {} runs", desk.runs);
        assert!(desk.retries <= 2, "seed {seed}: {} retries", desk.retries);
        assert!(desk.marks <= 1, "seed {seed}: {} marks", desk.marks);
        let digest = desk.situation.run.as_ref().map(|run| run.digest.clone());
        assert_ne!(digest.as_ref(), Some(&older), "seed {seed}: an older plan was run");
    }
    assert!(given >= 1000 && taken > 100, "{taken} of {given}");
    tell(&format!("{given} commands, {taken} taken, no effect twice"));
}

/// A test that is not there must not look like one that passed.
#[test]
fn a_test_that_is_named_wrong_is_noticed() {
    let done = alone_in_a_process("guarantees::commands::nothing_of_the_kind").output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(!said.contains("1 failed") && said.contains("0 passed"), "{said}");
}
