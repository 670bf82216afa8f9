//! The lock file that pipelines see, and the hard end of an emergency stop.

use crate::adapters::lock_file::{LockFile, LockNote};
use crate::adapters::shim::Shim;
use crate::failure::Failure;
use crate::link::Answer;
use crate::model::entry::{Command, Event};
use crate::model::ids::{RunId, Time};
use crate::model::lock::{Lock, LockKind};
use crate::steps::StepKind;
use crate::text::SafeText;

use super::books::Line;
use super::executor::slot;
use super::run::{Engine, Seen};

/// How often a lock file that should be there, or not, is looked at.
const LOOK_EVERY: chrono::Duration = chrono::Duration::seconds(5);

/// What this engine knows about the lock file.
#[derive(Default)]
pub(super) struct Locking {
    /// What was last put there, or taken away.
    noted: Option<Lock>,
    looked_at: Option<Time>,
    /// What was said about it last: once is enough.
    said: String,
}

impl Engine {
    fn lock_file(&self) -> Option<LockFile> {
        self.config.deployment_lock.as_ref().map(LockFile::new)
    }

    /// Why another journal's lock, or a file that somebody made, keeps this from being started.
    pub(super) fn locked_elsewhere(&self, command: &Command) -> Option<Answer> {
        let starts = matches!(command, Command::Approve { .. } | Command::Lock { .. });
        let file = self.lock_file().filter(|_| starts)?;
        let found = file.foreign(&self.books.situation.journal, self.clock.now());
        let path = file.path().display().to_string();
        match found {
            Ok(None) => None,
            Ok(Some(why)) => {
                let hint = format!("find out who works there; when they are done: rm {path}");
                Some(Answer::Refused { why, hint })
            }
            Err(error) => Some(Answer::Refused {
                why: format!("whether deployments are locked is not known: {}", error.message),
                hint: format!("let this user read {path}"),
            }),
        }
    }

    /// The lock of a run that begins; written with its first line.
    pub(super) fn run_lock(&self, run: &RunId, by: &SafeText, reason: &SafeText) -> Line {
        Line::from(Event::LockTaken {
            lock: Box::new(Lock {
                kind: LockKind::Run,
                owner: by.clone(),
                uid: rustix::process::geteuid().as_raw(),
                reason: SafeText::new(&format!("rollback {run}: {reason}")),
                since: self.clock.now(),
                until: None,
                run: Some(run.clone()),
            }),
        })
    }

    /// Puts into the lock file what the journal says, and takes it away with it. The journal comes
    /// first: a crash in between is mended by the next turn, or the next engine.
    fn show_lock(&mut self, lines: &mut Vec<Line>) {
        let Some(file) = self.lock_file() else { return };
        let now = self.clock.now();
        let wanted = self.books.situation.locks.standing(now).cloned();
        let looked = self.locking.looked_at.is_some_and(|at| now - at < LOOK_EVERY);
        if looked && wanted == self.locking.noted {
            return;
        }
        let journal = self.books.situation.journal.clone();
        let done = match &wanted {
            Some(lock) => file.write(&self.lock_note(lock), now),
            None => file.remove(&journal),
        };
        self.locking.looked_at = Some(now);
        self.locking.noted = wanted;
        let said = match done {
            Ok(()) => String::new(),
            Err(error) => {
                format!("pipelines do not see how deployments are locked: {}", error.message)
            }
        };
        if said != self.locking.said && !said.is_empty() {
            lines.push(Line::from(Event::Trouble { text: SafeText::new(&said) }));
        }
        self.locking.said = said;
    }

    /// The same, and writes what there is to say about it.
    pub(super) async fn show_lock_now(&mut self) -> Result<(), Failure> {
        let mut lines = Vec::new();
        self.show_lock(&mut lines);
        self.write(lines).await
    }

    fn lock_note(&self, lock: &Lock) -> LockNote {
        LockNote {
            lock: lock.clone(),
            journal: self.books.situation.journal.clone(),
            environment: SafeText::new(&self.config.environment),
            host: self.host.clone(),
            release: lock.kind.undo().into(),
        }
    }

    /// Asks what runs to end; a hard stop kills, by what is on record for the steps that run under
    /// this engine, and no other: their processes, then what servers still do for them (W-24, W-25).
    pub(super) fn stop_everything(&self, hard: bool) {
        for live in self.live.values() {
            live.cancel.send_replace(true);
        }
        let Some(run) = self.books.situation.open_run().filter(|_| hard) else { return };
        for state in run.running() {
            let shim = Shim::at(slot(&self.start.state, &run.id, &state.id, state.attempt));
            let spec = run.plan.step(&state.id);
            let kind = spec.and_then(|spec| StepKind::from_action(&spec.action).ok());
            let step = (&run.id, &state.id, state.attempt);
            let cx = self.stack.as_ref().map(|it| it.look_cx(&self.config, &self.clock, step));
            let (clock, step, seen) = (self.clock.clone(), state.id.clone(), self.seen.clone());
            tokio::spawn(async move {
                let mut trouble = Vec::new();
                if let Err(error) = shim.kill(&clock).await {
                    trouble
                        .push(format!("could not kill what step {step} runs: {}", error.message));
                }
                if let Some((kind, cx)) = kind.zip(cx) {
                    match kind.as_step().kill(&cx).await {
                        Ok(ended) if ended.is_empty() => {}
                        Ok(ended) => {
                            let all: Vec<&str> = ended.iter().map(SafeText::as_str).collect();
                            trouble.push(format!("killed of step {step}: {}", all.join(", ")));
                        }
                        Err(error) => trouble.push(format!(
                            "could not end what step {step} does elsewhere: {}",
                            error.message
                        )),
                    }
                }
                for text in trouble {
                    tracing::warn!("{text}");
                    seen.send(Seen::Trouble(SafeText::new(&text))).await.ok();
                }
            });
        }
    }
}
