//! Runs steps of guided procedures, beside everything else: the command is journaled before, how it
//! ended after; one that was cut off by the end of an engine is not known, and not repeated.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::adapters::process;
use crate::config::guides;
use crate::link::Answer;
use crate::model::entry::{Command, Event};
use crate::model::guide::{Act, Deed, Guide, GuideEnd};
use crate::text::{SafeText, fit};

use super::books::Line;
use super::run::{Engine, Seen};

/// How long a step may take.
const LIMIT: Duration = Duration::from_mins(5);
/// What is read of its output, in bytes.
const OUTPUT: u64 = 64 * 1024;
/// What is journaled of it, in bytes.
const TAIL: usize = 4 * 1024;
/// The command by its own name, whatever the path of this program is.
const OWN: &str = r#"backout() { "$BACKOUT" --config "$BACKOUT_CONFIG" "$@"; }"#;

/// What this engine has begun.
#[derive(Default)]
pub(super) struct Guiding {
    running: BTreeSet<(String, u8)>,
}

impl Guiding {
    /// Whether the engine must stay for it.
    pub(super) fn busy(&self) -> bool {
        !self.running.is_empty()
    }
}

/// How a step ended.
#[derive(Debug)]
pub(super) struct Guided {
    guide: String,
    step: u8,
    end: GuideEnd,
    tail: Vec<SafeText>,
}

impl Engine {
    /// Why a step cannot be done: it is not there, or not what was read.
    pub(super) fn cannot_guide(&self, command: &Command) -> Option<Answer> {
        let Command::Guide { guide, step, digest, deed } = command else { return None };
        let refused =
            |why: String, hint: &str| Some(Answer::Refused { why, hint: hint.to_owned() });
        let found = match self.guide(guide.as_str()) {
            Ok(found) => found,
            Err(why) => return refused(why, "look at them: backout guide"),
        };
        if found.digest != *digest {
            let why = format!("{guide} is another one here than on your screen");
            return refused(why, "leave the console and open it again: the file was changed");
        }
        let Some(found) = found.step(*step) else {
            return refused(
                format!("{guide} has no step {step}"),
                "look at it: backout guide show",
            );
        };
        match (&found.act, deed) {
            (Act::Look(_), Deed::Look)
            | (Act::Change(_), Deed::Change)
            | (_, Deed::Done { .. }) => None,
            (Act::Change(_), Deed::Look) => refused(
                format!("step {step} of {guide} changes something"),
                "read what it does, then run it as one that changes: --change, or the word RUN",
            ),
            (Act::Look(_), Deed::Change) => {
                refused(format!("step {step} of {guide} only looks"), "run it without --change")
            }
            (Act::Hand | Act::Command(_), Deed::Look | Deed::Change) => refused(
                format!("step {step} of {guide} is done by a person"),
                "do it, then say so: backout guide done",
            ),
        }
    }

    fn guide(&self, id: &str) -> Result<Guide, String> {
        let all = guides::load(self.config.guides.as_deref()).map_err(|error| error.message)?;
        let known = all.into_iter().find(|guide| guide.id == id);
        known.ok_or_else(|| format!("there is no procedure {id}"))
    }

    /// Begins a step that was journaled as begun.
    pub(super) fn run_guide(&mut self, guide: &SafeText, step: u8) {
        let Ok(found) = self.guide(guide.as_str()) else { return };
        let Some(found) = found.step(step).cloned() else { return };
        let Some(line) = found.act.line().map(|line| format!("{OWN}\n{line}")) else { return };
        let guide = guide.to_string();
        self.guiding.running.insert((guide.clone(), step));
        let mut variables = self.surroundings();
        // The name of our own file in a shell, also when it was replaced meanwhile.
        let own = format!("/proc/{}/exe", std::process::id());
        variables.insert("BACKOUT", own);
        let url = self.stack.as_ref().map(|stack| stack.public_url.clone());
        variables.insert("BACKOUT_URL", url.unwrap_or_default());
        let (dir, clock, seen) = (self.start.state.clone(), self.clock.clone(), self.seen.clone());
        tokio::spawn(async move {
            let ran = process::shell_with(&line, &variables, &dir, (LIMIT, OUTPUT), &clock).await;
            let (end, tail) = match ran {
                Ok(done) => {
                    let mut output = String::from_utf8_lossy(&done.stdout).into_owned();
                    output.push_str(&String::from_utf8_lossy(&done.stderr));
                    (GuideEnd::of(&found, done.code, &output), tail(&output))
                }
                Err(error) => (GuideEnd::Unknown(SafeText::new(&error.message)), Vec::new()),
            };
            seen.send(Seen::Guided(Box::new(Guided { guide, step, end, tail }))).await.ok();
        });
    }

    /// Takes how a step ended.
    pub(super) fn guided(&mut self, guided: Guided, lines: &mut Vec<Line>) {
        let Guided { guide, step, end, tail } = guided;
        self.guiding.running.remove(&(guide.clone(), step));
        let guide = SafeText::new(&guide);
        lines.push(Line::from(Event::GuideEnded { guide, step, end, tail }));
    }

    /// Ends the steps that an engine before this one had begun: what they did is not known.
    pub(super) fn end_cut_guides(&self, lines: &mut Vec<Line>) {
        for mark in self.books.situation.guides_running() {
            if self.guiding.running.contains(&(mark.guide.to_string(), mark.step)) {
                continue;
            }
            let why = "the engine ended while it ran; look what it did before you run it again";
            lines.push(Line::from(Event::GuideEnded {
                guide: mark.guide.clone(),
                step: mark.step,
                end: GuideEnd::Unknown(why.into()),
                tail: Vec::new(),
            }));
        }
    }
}

/// The last whole lines that fit into the journal.
fn tail(output: &str) -> Vec<SafeText> {
    let mut room = TAIL;
    let mut lines: Vec<SafeText> = output
        .lines()
        .rev()
        .map(|line| SafeText::new(&fit(line, 200)))
        .take_while(|line| {
            let fits = room.checked_sub(line.as_str().len() + 1);
            room = fits.unwrap_or_default();
            fits.is_some()
        })
        .collect();
    lines.reverse();
    lines
}
