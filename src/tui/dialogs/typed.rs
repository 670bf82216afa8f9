//! Words that commit: stop a run, vouch for a step, take the lead, end a window, close.

use crate::model::entry::{Abort, Command};
use crate::model::ids::{RunId, StepId};
use crate::model::incident::{Run, StepPhase};
use crate::text::SafeText;
use crate::tui::action::Action;
use crate::tui::input::{Code, Key};
use crate::tui::state::{Cx, Effect, Field};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::world::World;

use super::{Bar, Sheet, Turn, field};

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// How to stop the run.
    Abort(RunId),
    /// A person vouches for the step.
    MarkDone(RunId, StepId, u32),
    /// Once more.
    Retry(RunId, StepId, u32),
    /// Without it.
    Skip(RunId, StepId, u32),
    /// Go on with a paused run.
    Resume(RunId),
    /// Become the lead.
    TakeLead,
    /// End the watch window.
    EndWatch(RunId),
    /// Close the incident.
    Close,
}

impl Ask {
    /// What an action asks now.
    pub fn of(action: Action, world: &World) -> Option<Self> {
        let run = world.situation.open_run();
        let step = || {
            let run = run?;
            let state = run.step(run.waiting.as_ref()?.step.as_ref()?)?;
            Some((run.id.clone(), state.id.clone(), state.attempt))
        };
        match action {
            Action::Abort => Some(Self::Abort(run?.id.clone())),
            Action::EndWatch => Some(Self::EndWatch(run?.id.clone())),
            Action::CloseIncident => Some(Self::Close),
            Action::TakeLead => Some(Self::TakeLead),
            Action::MarkDone => step().map(|(run, step, at)| Self::MarkDone(run, step, at)),
            Action::TryAgain => step().map(|(run, step, at)| Self::Retry(run, step, at)),
            Action::LeaveOut => step().map(|(run, step, at)| Self::Skip(run, step, at)),
            _ => None,
        }
    }

    /// The words it takes.
    pub fn words(&self) -> &'static [&'static str] {
        match self {
            Self::Abort(_) => &["STOP", "NOW", "UNDO"],
            Self::MarkDone(..) => &["DONE"],
            Self::Retry(..) => &["RETRY"],
            Self::Skip(..) => &["SKIP"],
            Self::Resume(_) => &["RESUME"],
            Self::TakeLead => &["TAKE"],
            Self::EndWatch(_) => &["END"],
            Self::Close => &["CLOSE"],
        }
    }

    /// Whether a reason must be given.
    pub fn needs_reason(&self) -> bool {
        match self {
            Self::MarkDone(..) | Self::Retry(..) | Self::Skip(..) | Self::TakeLead => true,
            Self::Abort(_) | Self::Resume(_) | Self::EndWatch(_) | Self::Close => false,
        }
    }

    fn title(&self) -> String {
        match self {
            Self::Abort(run) => format!("STOP THE RUN {run}"),
            Self::MarkDone(_, step, _) => format!("{step} IS DONE"),
            Self::Retry(_, step, _) => format!("TRY {step} AGAIN"),
            Self::Skip(_, step, _) => format!("LEAVE {step} OUT"),
            Self::Resume(run) => format!("GO ON WITH {run}"),
            Self::TakeLead => "TAKE THE LEAD".to_owned(),
            Self::EndWatch(run) => format!("END THE WATCH WINDOW OF {run}"),
            Self::Close => "CLOSE THE INCIDENT".to_owned(),
        }
    }

    fn run(&self) -> Option<&RunId> {
        match self {
            Self::Abort(run)
            | Self::MarkDone(run, ..)
            | Self::Retry(run, ..)
            | Self::Skip(run, ..)
            | Self::Resume(run)
            | Self::EndWatch(run) => Some(run),
            Self::TakeLead | Self::Close => None,
        }
    }

    fn command(&self, word: &str, reason: SafeText) -> Command {
        match self.clone() {
            Self::Abort(_) => Command::Abort {
                verb: match word {
                    "NOW" => Abort::Now,
                    "UNDO" => Abort::Undo,
                    _ => Abort::Stop,
                },
            },
            Self::MarkDone(run, step, attempt) => Command::MarkDone { run, step, attempt, reason },
            Self::Retry(run, step, attempt) => Command::Retry { run, step, attempt, reason },
            Self::Skip(run, step, attempt) => Command::Skip { run, step, attempt, reason },
            Self::Resume(run) => Command::Resume { run },
            Self::TakeLead => Command::TakeLead { reason },
            Self::EndWatch(run) => Command::EndWatch { run },
            Self::Close => Command::Close,
        }
    }

    /// What each word leads to.
    fn consequences(&self, world: &World) -> Vec<(&'static str, String)> {
        let run = world.situation.open_run();
        match self {
            Self::Abort(_) => run.map_or_else(Vec::new, abort),
            Self::MarkDone(..) => vec![(
                "DONE",
                "you vouch that its effect is there; the run goes on with the next step".to_owned(),
            )],
            Self::Retry(..) => vec![(
                "RETRY",
                "it is begun once more; what the last attempt did may be done twice".to_owned(),
            )],
            Self::Skip(..) => {
                vec![("SKIP", "the run goes on without it; what needs it may fail".to_owned())]
            }
            Self::Resume(_) => vec![("RESUME", "the next step starts at once".to_owned())],
            Self::TakeLead => vec![(
                "TAKE",
                "only you may start things then; the lead before you is told".to_owned(),
            )],
            Self::EndWatch(_) => {
                let live = world.live.as_ref().and_then(|live| live.watch.as_ref());
                let verdict = live.map_or("CANNOT TELL", |live| live.verdict.words());
                vec![("END", format!("the verdict that stands is kept: {verdict}"))]
            }
            Self::Close => {
                let left = world.situation.leftovers.len();
                let text = match left {
                    0 => "the timeline is sealed; nothing was left behind".to_owned(),
                    left => format!("the timeline is sealed; left over and still listed: {left}"),
                };
                vec![("CLOSE", text)]
            }
        }
    }
}

/// What each of the three ways to stop would leave.
fn abort(run: &Run) -> Vec<(&'static str, String)> {
    let title = |id: &StepId| {
        let face = run.plan.face_of(id);
        face.map_or_else(|| id.to_string(), |face| face.title.to_string())
    };
    let running: Vec<String> = run.running().map(|step| title(&step.id)).collect();
    let running = if running.is_empty() { "no step".to_owned() } else { running.join(" and ") };
    let begun: Vec<String> = run
        .plan
        .core
        .steps
        .iter()
        .filter(|spec| spec.undo.is_some())
        .filter(|spec| run.step(&spec.id).is_some_and(|state| state.attempt > 0))
        .map(|spec| title(&spec.id))
        .collect();
    let left =
        run.steps.iter().filter(|step| !step.undo && step.phase == StepPhase::Waiting).count();
    let undo = if begun.is_empty() {
        "nothing was changed yet, so it only stops".to_owned()
    } else {
        format!("stops, then takes back, last first: {}", begun.join(", "))
    };
    vec![
        (
            "STOP",
            format!("ends after \"{running}\"; {left} steps are not begun, what is done stays"),
        ),
        ("NOW", format!("ends \"{running}\" at once; it may be half done, it is looked at then")),
        ("UNDO", undo),
    ]
}

/// The open dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    /// What is asked.
    pub ask: Ask,
    word: Field,
    reason: Field,
    in_reason: bool,
    told: Option<String>,
}

impl Typed {
    /// With empty fields.
    pub fn new(ask: Ask) -> Self {
        Self { ask, word: Field::default(), reason: Field::default(), in_reason: false, told: None }
    }

    /// Forgets the word.
    pub fn forget(&mut self) {
        self.word.text.clear();
        self.in_reason = false;
    }

    /// Takes a paste into the reason only.
    pub fn paste(&mut self, text: &str) {
        if self.in_reason {
            self.reason.paste(text);
        } else {
            self.told = Some("paste is refused here: type the word".to_owned());
            self.word.text.clear();
        }
    }

    fn whole_word(&self) -> bool {
        self.ask.words().contains(&self.word.text.as_str())
    }

    /// Whether Enter commits.
    pub fn complete(&self) -> bool {
        let reasoned = !self.ask.needs_reason() || !self.reason.text.trim().is_empty();
        self.whole_word() && reasoned
    }

    /// Closes when what it is about is over.
    pub fn review(&mut self, cx: Cx<'_>) -> Option<String> {
        let open = cx.world.situation.open_run();
        let wanted = self.ask.run()?;
        if open.is_none_or(|run| &run.id != wanted) {
            return Some(format!("run {wanted} ended meanwhile"));
        }
        match &self.ask {
            Ask::MarkDone(_, step, attempt)
            | Ask::Retry(_, step, attempt)
            | Ask::Skip(_, step, attempt) => {
                let run = open?;
                let same = run.step(step).is_some_and(|state| state.attempt == *attempt);
                let waits = run.waiting.as_ref().is_some_and(|w| w.step.as_ref() == Some(step));
                (!same || !waits).then(|| format!("{step} no longer waits for you"))
            }
            Ask::Abort(_) | Ask::Resume(_) | Ask::TakeLead | Ask::EndWatch(_) | Ask::Close => None,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        self.told = None;
        match key.code {
            Code::Enter if self.complete() => {
                let reason = SafeText::new(self.reason.text.trim());
                let command = self.ask.command(&self.word.text, reason);
                let closed =
                    if command.is_open() { cx.world.silenced() } else { cx.world.hindered() };
                if let Some(why) = closed {
                    self.told = Some(format!("cannot be given now: {why}"));
                    return Turn::Stay;
                }
                return Turn::Do(vec![Effect::Send(command)]);
            }
            Code::Enter if self.whole_word() => self.in_reason = self.ask.needs_reason(),
            Code::Enter => {
                self.told = Some(format!("type {} in capitals", self.ask.words().join(" or ")));
            }
            Code::Tab | Code::BackTab | Code::Up | Code::Down if self.ask.needs_reason() => {
                self.in_reason = !self.in_reason;
            }
            _ if self.in_reason => {
                self.reason.key(key);
            }
            _ => {
                if self.word.text.len() < 16 || key.code == Code::Backspace {
                    self.word.key(key);
                }
            }
        }
        Turn::Stay
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let mut facts = Vec::new();
        let typed = &self.word.text;
        let meant = |word: &str| !typed.is_empty() && word.starts_with(typed.as_str());
        let mut consequences = self.ask.consequences(view.world);
        // What is being typed is read first, and whole where there is little room.
        consequences.sort_by_key(|(word, _)| !meant(word));
        for (word, text) in consequences {
            let mut lines = widgets::wrap(&text, width.saturating_sub(8));
            if width < 70 && !meant(word) {
                lines = vec![crate::text::fit(&text, width.saturating_sub(8))];
            }
            let mut lines = lines.into_iter();
            let first = lines.next().unwrap_or_default();
            facts.push(Row::new().pad(Role::Title, word, 8).put(Role::Base, first));
            facts.extend(lines.map(|line| Row::of(Role::Base, format!("{:8}{line}", ""))));
        }
        let label = format!("Type {}:  ", self.ask.words().join(" or "));
        let (row, column) = field(&label, &self.word.text, 10);
        let mut pinned = vec![row];
        let mut cursor = (0, column);
        if self.ask.needs_reason() {
            let cells = width.saturating_sub(12).clamp(8, 60);
            let (row, column) = field("Reason:  ", &self.reason.text, cells);
            pinned.push(row);
            if self.in_reason {
                cursor = (1, column);
            }
        }
        pinned.push(match (&self.told, self.complete()) {
            (Some(told), _) => Row::of(Role::Warn, told.clone()),
            (None, true) => Row::of(Role::Danger, "Enter does it. Esc: nothing happens"),
            (None, false) if self.ask.needs_reason() => {
                Row::of(Role::Muted, "the word, Enter, the reason, Enter. Esc: nothing happens")
            }
            (None, false) => {
                Row::of(Role::Muted, "Enter works when the word is whole. Esc: nothing happens")
            }
        });
        Sheet {
            title: self.ask.title(),
            danger: true,
            facts,
            pinned,
            cursor: Some(cursor),
            ..Sheet::default()
        }
    }

    /// The keys that work in it.
    pub fn bar(&self) -> Bar {
        let mut bar = vec![("Esc", "Back")];
        if self.complete() {
            bar.insert(0, ("Enter", "Do it"));
        } else if self.whole_word() {
            bar.insert(0, ("Enter", "To the reason"));
        }
        bar
    }
}
