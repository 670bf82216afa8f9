//! Runs an outside command under the shim.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::shim::{Found, Shim, ToolCommand, ToolEnd, ToolOutcome};
use crate::adapters::{Error, Kind, fault, process};
use crate::bug::Bug;
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::{SafeText, fit};

use super::{LookCx, Step, StepCx, cancelled, ended_now};

/// How long a probe may take.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// Where tools are looked for unless `env` says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs `argv`. With `probe_argv` a look decides whether its effect is there (exit 0 yes, 1 no,
/// anything else cannot tell); without one nobody can tell after a crash, and it is never repeated
/// without a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    /// The look that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_argv: Option<Vec<String>>,
    /// Where both run; without one, the step's own folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// Their environment, beside `PATH` and `BACKOUT_EFFECT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How long it may take, in seconds.
    #[serde(default = "minute")]
    pub budget_seconds: u64,
    /// From the request to end until the kill, in seconds.
    #[serde(default = "ten")]
    pub grace_seconds: u64,
    /// What it can do to data; the careful answer unless said otherwise.
    #[serde(default = "loses")]
    pub hazard: Hazard,
}

fn minute() -> u64 {
    60
}

fn ten() -> u64 {
    10
}

fn loses() -> Hazard {
    Hazard::LosesData
}

impl Command {
    fn shown(&self) -> String {
        fit(SafeText::new(&self.argv.join(" ")).as_str(), 100)
    }

    fn environment(&self, cx: &LookCx) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            ("PATH".to_owned(), PATH.to_owned()),
            ("BACKOUT_EFFECT".to_owned(), cx.effect.clone()),
        ]);
        env.extend(self.env.clone());
        env
    }

    fn folder(&self, cx: &LookCx) -> PathBuf {
        self.cwd.clone().unwrap_or_else(|| cx.slot.clone())
    }

    /// What the probe says; without one, nobody can tell.
    async fn probe(&self, cx: &LookCx, otherwise: Standing) -> Standing {
        let Some(argv) = &self.probe_argv else {
            return otherwise;
        };
        let folder = self.folder(cx);
        // A step that was never begun has no folder of its own yet.
        let folder = if folder.is_dir() { folder } else { PathBuf::from("/") };
        let run = process::Bounded {
            argv,
            env: Some(&self.environment(cx)),
            dir: &folder,
            limit: PROBE_LIMIT,
            bytes: 4096,
        };
        match run.run(&cx.clock).await.map(|finished| finished.code) {
            Ok(Some(0)) => Standing::Done,
            Ok(Some(1)) => Standing::NotDone,
            Ok(Some(code)) => cannot_tell(&format!("the probe ended with {code}")),
            Ok(None) => cannot_tell("the probe was ended by a signal"),
            Err(error) => cannot_tell(&error.message),
        }
    }

    async fn judge(&self, cx: &LookCx, found: Found) -> Standing {
        match found {
            Found::NeverBegan => self.probe(cx, Standing::NotDone).await,
            Found::Running => cannot_tell("it still runs after its time"),
            Found::CutOff => {
                let nobody = cannot_tell("it was cut off, and there is no probe");
                self.probe(cx, nobody).await
            }
            Found::Ended(outcome) => {
                let word = match &outcome.end {
                    ToolEnd::Exited(0) => Standing::Done,
                    ToolEnd::NotStarted(_) => Standing::NotDone,
                    ToolEnd::Exited(_)
                    | ToolEnd::Signalled(_)
                    | ToolEnd::TimedOut
                    | ToolEnd::Ended => cannot_tell(&words(&outcome)),
                };
                if Bug::ExitCodeIsVerified.is_on() {
                    return word;
                }
                self.probe(cx, word).await
            }
        }
    }
}

/// Waits for the tool called `name`; when "now" is asked for, it is ended.
async fn follow(cx: &StepCx, shim: &Shim, name: &str) -> Result<Found, Error> {
    let told = || {
        if shim.has_begun() {
            fault::at_step("B5", cx.step.as_str());
        }
        let line = shim.last_line();
        let text = if line.is_empty() { name } else { line.as_str() };
        cx.tell(&fit(text, 200), None);
    };
    let mut cancel = cx.cancel.clone();
    tokio::select! {
        found = shim.adopt(&cx.look.clock, told) => match found? {
            // The shim ends it in time; it did not, so it is gone or stuck.
            Found::Running => shim.end(&cx.look.clock).await,
            found @ (Found::NeverBegan | Found::Ended(_) | Found::CutOff) => Ok(found),
        },
        () = cancelled(&mut cancel) => {
            shim.end(&cx.look.clock).await?;
            Err(ended_now())
        }
    }
}

fn cannot_tell(why: &str) -> Standing {
    Standing::CannotTell(SafeText::new(why))
}

fn words(outcome: &ToolOutcome) -> String {
    let end = match &outcome.end {
        ToolEnd::Exited(code) => format!("it ended with {code}"),
        ToolEnd::Signalled(signal) => format!("it was ended by signal {signal}"),
        ToolEnd::TimedOut => "its time was up, and it was ended".to_owned(),
        ToolEnd::Ended => "it was ended on request".to_owned(),
        ToolEnd::NotStarted(why) => why.to_string(),
    };
    match outcome.left {
        0 => end,
        left => format!("{end}; {left} processes of it could not be ended"),
    }
}

#[async_trait]
impl Step for Command {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("run {}", self.shown()))
    }

    fn class(&self) -> Class {
        if self.probe_argv.is_some() { Class::Probed } else { Class::Opaque }
    }

    fn hazard(&self) -> Hazard {
        self.hazard
    }

    fn by_hand(&self, _cx: &LookCx) -> Vec<SafeText> {
        let words: Vec<String> = self.argv.iter().map(|word| process::quoted(word)).collect();
        vec![SafeText::new(&words.join(" "))]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let before = match self.probe(cx, cannot_tell("no probe")).await {
            Standing::Done => "its effect is there already".to_owned(),
            Standing::NotDone => "its effect is not there".to_owned(),
            Standing::Partly(why) | Standing::CannotTell(why) => why.to_string(),
        };
        SafeText::new(&format!("{}; {} s at most", before, self.budget_seconds))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let shim = Shim::at(&cx.slot);
        match shim.adopt(&cx.clock, || ()).await {
            Ok(found) => self.judge(cx, found).await,
            Err(error) => cannot_tell(&error.message),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let shim = Shim::at(&cx.look.slot);
        let command = ToolCommand {
            argv: self.argv.clone(),
            cwd: self.folder(&cx.look),
            env: self.environment(&cx.look),
            budget: Duration::from_secs(self.budget_seconds),
            grace: Duration::from_secs(self.grace_seconds),
        };
        shim.start_knowing(&cx.look.program, &command, &cx.look.redactor)?;
        fault::at_step("B4", cx.step.as_str());
        let found = follow(cx, &shim, &self.shown()).await?;
        fault::at_step("B6", cx.step.as_str());
        let no = |kind, why: &str| {
            let mut message = format!("could not run {}: {why}", self.shown());
            let last = shim.last_line();
            if !last.is_empty() {
                message = format!("{message}; last line: {}", fit(last.as_str(), 200));
            }
            Err(Error::new(kind, message))
        };
        let done = match found {
            Found::Ended(outcome) if outcome.end == ToolEnd::Exited(0) => {
                Ok(SafeText::new(&fit(shim.last_line().as_str(), 200)))
            }
            Found::Ended(outcome) if outcome.end == ToolEnd::TimedOut => {
                no(Kind::TimedOut, &words(&outcome))
            }
            Found::Ended(outcome) => no(Kind::Rejected, &words(&outcome)),
            Found::NeverBegan => no(Kind::Local, "its shim ended before it began, see shim.log"),
            Found::CutOff => no(Kind::Local, "its shim was killed, nobody knows how it ended"),
            Found::Running => no(Kind::TimedOut, "it does not end, even when killed"),
        };
        fault::at_step("B7", cx.step.as_str());
        done
    }
}
