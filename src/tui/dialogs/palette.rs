//! `:` and a name: any action, a stage, a pane, another environment. A name only opens what a key
//! would open. A command that is typed whole, with what it is about and its reason, is given on
//! Enter.

use crate::config::did_you_mean;
use crate::model::ids::Time;
use crate::tui::action::Action;
use crate::tui::input::{Code, Key};
use crate::tui::layout;
use crate::tui::offers;
use crate::tui::pane::PaneKind;
use crate::tui::stage::Stage;
use crate::tui::state::{Cx, Effect, Field, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::Row;
use crate::tui::world::World;

use super::commands::{self, Verb};
use super::{Bar, Dialog, Goal, Sheet, Turn, field};

/// Rows above the chosen one that stay in view.
const ABOVE: usize = 3;

/// The open palette.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Palette {
    typed: Field,
    /// Which of the matches is chosen; none before a letter or an arrow.
    at: Option<usize>,
    told: Option<String>,
}

/// Opens it.
pub fn open(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ui.open(Dialog::Palette(Box::default()), cx.now);
    Vec::new()
}

/// A name and what it leads to.
struct Entry {
    name: String,
    help: String,
    leads: Leads,
}

/// What choosing an entry does.
#[derive(Clone, Debug, PartialEq)]
enum Leads {
    /// Goes there.
    To(Goal),
    /// Writes this into the field, to be typed on.
    Line(String),
}

/// Everything that has a name, in the order of the help page.
fn entries(world: &World) -> Vec<Entry> {
    let actions = Action::ALL.iter().filter(|action| **action != Action::Palette);
    let mut all: Vec<Entry> = actions
        .map(|action| Entry {
            name: action.name().to_owned(),
            help: action.help().to_owned(),
            leads: Leads::To(Goal::Act(*action)),
        })
        .collect();
    all.extend(Stage::ALL.map(|stage| Entry {
        name: format!("stage {}", stage.words().to_lowercase()),
        help: "look at this stage".to_owned(),
        leads: Leads::To(Goal::Stage(stage)),
    }));
    if let Some(incident) = &world.situation.incident {
        all.push(Entry {
            name: format!("incident {}", crate::model::ids::incident_name(incident.id)),
            help: "where the open incident stands".to_owned(),
            leads: Leads::To(Goal::Stage(Stage::of(&world.situation))),
        });
    }
    all.extend(Verb::ALL.map(|verb| Entry {
        name: verb.form().to_owned(),
        help: verb.help().to_owned(),
        leads: Leads::Line(format!("{} ", verb.name())),
    }));
    all.extend(world.guides.iter().map(|guide| Entry {
        name: format!("procedure {}", guide.id),
        help: format!("{}: {}", guide.title, guide.words.join(", ")),
        leads: Leads::To(Goal::Guide(guide.id.clone())),
    }));
    let here = world.situation.environment();
    all.extend(world.environments.iter().filter(|name| *name != here).map(|name| Entry {
        name: format!("environment {name}"),
        help: "leave this console and open another one there".to_owned(),
        leads: Leads::To(Goal::Environment(name.clone())),
    }));
    all
}

/// The panes of the stage that is shown.
fn panes(ui: &Ui, world: &World) -> Vec<Entry> {
    let panes = layout::panes(ui, world).into_iter();
    panes
        .map(|pane: PaneKind| Entry {
            name: format!("pane {}", format!("{pane:?}").to_lowercase()),
            help: "give this pane the keys".to_owned(),
            leads: Leads::To(Goal::Pane(pane)),
        })
        .collect()
}

/// `take-lead`, `Take lead` and `take_lead` are the same name.
fn plain(name: &str) -> String {
    name.trim().trim_start_matches(':').to_lowercase().replace(['-', ' '], "_")
}

/// What fits the typed letters: names that begin so first, then names and helps that hold all the
/// words.
fn matches(typed: &str, all: Vec<Entry>) -> Vec<Entry> {
    let wanted = plain(typed);
    let words: Vec<String> = typed.to_lowercase().split_whitespace().map(plain).collect();
    let rank = |entry: &Entry| {
        let name = plain(&entry.name);
        let text = format!("{name} {}", entry.help.to_lowercase());
        let verb = matches!(&entry.leads, Leads::Line(line) if plain(line) == wanted);
        if name == wanted || verb {
            Some(0)
        } else if name.starts_with(&wanted) {
            Some(1)
        } else if words.iter().all(|word| name.contains(word.as_str())) {
            Some(2)
        } else if words.iter().all(|word| text.contains(word.as_str())) {
            Some(3)
        } else {
            None
        }
    };
    let mut found: Vec<(u8, Entry)> =
        all.into_iter().filter_map(|entry| Some((rank(&entry)?, entry))).collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, entry)| entry).collect()
}

impl Palette {
    fn found(&self, ui: &Ui, world: &World) -> Vec<Entry> {
        if let Some((verb, _)) = Verb::of(&self.typed.text) {
            let lines = commands::completions(&self.typed.text, world).into_iter();
            return lines
                .map(|line| Entry {
                    name: line.trim_end().to_owned(),
                    help: format!(" {}", verb.form()),
                    leads: Leads::Line(line),
                })
                .collect();
        }
        let mut all = entries(world);
        all.extend(panes(ui, world));
        matches(&self.typed.text, all)
    }

    /// The command that is typed whole, when one is: then Enter gives it.
    pub fn complete(&self, world: &World, now: Time) -> bool {
        self.at.is_none() && commands::read(&self.typed.text, world, now).is_some_and(|r| r.is_ok())
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, ui: &Ui, cx: Cx<'_>) -> Turn {
        self.told = None;
        // Letters are the common case, and need no list.
        let listed = || self.found(ui, cx.world);
        let bounded = |at: usize| at.min(listed().len().saturating_sub(1));
        match key.code {
            Code::Enter if self.typed.text.trim().is_empty() && self.at.is_none() => {
                return Turn::Close;
            }
            Code::Enter => return self.enter(ui, cx),
            Code::Tab => {
                let at = bounded(self.at.unwrap_or(0));
                if let Some(entry) = listed().into_iter().nth(at) {
                    self.typed.text = match entry.leads {
                        Leads::To(_) => entry.name,
                        Leads::Line(line) => line,
                    };
                    self.at = None;
                }
            }
            Code::Down => self.at = Some(bounded(self.at.map_or(0, |at| at + 1))),
            Code::Up => self.at = Some(bounded(self.at.unwrap_or(0)).saturating_sub(1)),
            Code::PageDown => self.at = Some(bounded(self.at.unwrap_or(0) + 10)),
            Code::PageUp => self.at = Some(self.at.unwrap_or(0).saturating_sub(10)),
            Code::Backspace if self.typed.text.is_empty() => return Turn::Close,
            Code::Char(_)
            | Code::Backspace
            | Code::Esc
            | Code::BackTab
            | Code::Delete
            | Code::Left
            | Code::Right
            | Code::Home
            | Code::End
            | Code::F(_) => {
                if self.typed.key(key) {
                    self.at = None;
                }
            }
        }
        Turn::Stay
    }

    /// Goes where the chosen name leads, or gives the command that is typed.
    fn enter(&mut self, ui: &Ui, cx: Cx<'_>) -> Turn {
        if self.at.is_none()
            && let Some(read) = commands::read(&self.typed.text, cx.world, cx.now)
        {
            match read.and_then(|command| {
                let open = command.is_open();
                let closed = if open { cx.world.silenced() } else { cx.world.hindered() };
                closed.map_or(Ok(command), |why| Err(format!("cannot be given now: {why}")))
            }) {
                Ok(command) => return Turn::Do(vec![Effect::Send(command)]),
                Err(why) => self.told = Some(why),
            }
            return Turn::Stay;
        }
        let found = self.found(ui, cx.world);
        let at = self.at.unwrap_or(0).min(found.len().saturating_sub(1));
        match found.into_iter().nth(at).map(|entry| entry.leads) {
            Some(Leads::To(goal)) => return Turn::Go(goal),
            Some(Leads::Line(line)) => {
                self.typed.text = line;
                self.at = None;
            }
            None => self.told = Some(self.unknown(cx.world)),
        }
        Turn::Stay
    }

    /// Takes a paste: names and arguments, but never the word that commits.
    pub fn paste(&mut self, text: &str) {
        let before = Verb::of(&self.typed.text).is_some();
        self.typed.paste(text);
        if !before && Verb::of(&self.typed.text).is_some() {
            self.typed.text.clear();
            self.told = Some("paste is refused here: type the command's word".to_owned());
        }
    }

    fn unknown(&self, world: &World) -> String {
        let name = |entry: Entry| match entry.leads {
            Leads::To(_) => entry.name,
            Leads::Line(line) => line.trim_end().to_owned(),
        };
        let names: Vec<String> = entries(world).into_iter().map(name).collect();
        let typed = plain(&self.typed.text);
        match did_you_mean(&typed, names.iter().map(String::as_str)) {
            Some(meant) => format!("{} is no name here; did you mean {meant}?", self.typed.text),
            None => format!("{} is no name here", self.typed.text),
        }
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        let found = self.found(view.ui, view.world);
        let offered = offers::offers(view.ui, view.world, view.now);
        let command = Verb::of(&self.typed.text).is_some();
        let chosen = match self.at {
            Some(at) => Some(at.min(found.len().saturating_sub(1))),
            None if self.typed.text.trim().is_empty() || command => None,
            None => Some(0),
        };
        // Forms and names of several words need more room than actions.
        let long = found.iter().map(|entry| crate::text::width(&entry.name)).max().unwrap_or(0);
        let column = long.clamp(20, 27).min(width / 2);
        let rows = found.iter().enumerate().map(|(at, entry)| {
            let (key, works) = match &entry.leads {
                Leads::To(Goal::Act(action)) => {
                    let key = view.keymap.shown(*action).map(|key| key.to_string());
                    (key, works(*action, &offered))
                }
                Leads::To(
                    Goal::Stage(_) | Goal::Pane(_) | Goal::Environment(_) | Goal::Guide(_),
                )
                | Leads::Line(_) => (None, true),
            };
            let role = if works { Role::Base } else { Role::Muted };
            let name = if works { Role::Title } else { Role::Muted };
            if command {
                return Row::of(name, &entry.name).select(chosen == Some(at));
            }
            Row::new()
                .pad(name, &entry.name, column)
                .pad(Role::Focus, &format!(" {}", key.unwrap_or_default()), 8)
                .put(role, entry.help.clone())
                .select(chosen == Some(at))
        });
        let mut facts: Vec<Row> = Vec::new();
        if let Some((verb, _)) = Verb::of(&self.typed.text) {
            facts.push(
                Row::of(Role::Focus, verb.form()).put(Role::Base, format!("  {}", verb.help())),
            );
        }
        let head = facts.len();
        facts.extend(rows);
        let (row, column) = field(":", &self.typed.text, width.saturating_sub(4).clamp(8, 100));
        Sheet {
            title: "Palette".to_owned(),
            remark: if command {
                String::new()
            } else {
                format!("{} of {}", found.len(), entries(view.world).len())
            },
            facts,
            pinned: vec![row, self.hint(view, found.is_empty())],
            cursor: Some((0, column)),
            scroll: (chosen.unwrap_or(0) + head).saturating_sub(ABOVE + head),
            whole: true,
            ..Sheet::default()
        }
    }

    /// What Enter does, or what is missing for it.
    fn hint(&self, view: &View<'_>, nothing: bool) -> Row {
        if let Some(told) = &self.told {
            return Row::of(Role::Warn, told.clone());
        }
        match commands::read(&self.typed.text, view.world, view.now) {
            Some(Ok(command)) => {
                let says = commands::says(&command, view.now);
                Row::of(Role::Danger, "Enter does it: ").put(Role::Title, says)
            }
            Some(Err(missing)) => Row::of(Role::Muted, missing),
            None if nothing => Row::of(Role::Warn, self.unknown(view.world)),
            None => Row::of(
                Role::Muted,
                "dim: does nothing at this moment. Names open; WORDS in capitals are typed on",
            ),
        }
    }

    /// The keys that work in it.
    pub fn bar(&self, view: &View<'_>) -> Bar {
        let enter = match commands::read(&self.typed.text, view.world, view.now) {
            Some(Ok(_)) if self.at.is_none() => Some("Do it"),
            Some(_) if self.at.is_none() => None,
            Some(_) => Some("Take"),
            None => Some("Do"),
        };
        let rest = [("Tab", "Complete"), ("Up", "Up"), ("Down", "Down"), ("Esc", "Back")];
        enter.map(|enter| ("Enter", enter)).into_iter().chain(rest).collect()
    }
}

/// Whether an action does anything now.
fn works(action: Action, offered: &[offers::Offer]) -> bool {
    action.is_free() || offered.iter().any(|offer| offer.action == action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(typed: &str) -> Option<String> {
        let found = matches(typed, entries(&World::default()));
        found.first().map(|entry| entry.name.clone())
    }

    #[test]
    fn a_name_is_found_by_its_beginning_its_parts_and_its_words() {
        assert_eq!(first("take-l").as_deref(), Some("take_lead"));
        assert_eq!(first("lead").as_deref(), Some("take_lead"));
        assert_eq!(first("stage wa").as_deref(), Some("stage watch"));
        assert_eq!(first("clipboard line").as_deref(), Some("copy_line"));
        assert_eq!(first("fly"), None);
    }

    #[test]
    fn a_name_that_is_nearly_right_is_put_right() {
        let typed = Field { text: "freze".to_owned() };
        let palette = Palette { typed, ..Palette::default() };
        let told = palette.unknown(&World::default());
        assert!(told.contains("did you mean freeze?"), "{told}");
    }

    #[test]
    fn every_action_has_its_name_here() {
        let all = entries(&World::default());
        for action in Action::ALL.iter().filter(|action| **action != Action::Palette) {
            assert!(
                all.iter().any(|entry| entry.leads == Leads::To(Goal::Act(*action))),
                "{action}"
            );
        }
    }
}
