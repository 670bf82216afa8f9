//! Which key means which action: the built-in map, and what a person's file changes in it.

use std::collections::BTreeMap;

use serde_saphyr::Spanned;

use crate::config::did_you_mean;

use super::action::{Action, Scope};
use super::input::Key;

const BUILT_IN: &str = include_str!("../../assets/keys.yaml");

/// Keys by action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    keys: BTreeMap<Action, Vec<Key>>,
    /// The built-in map, where a person's file lies on top of it.
    beneath: Option<Box<Self>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    keys: BTreeMap<String, Spanned<Vec<Spanned<String>>>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let mut map = Self { keys: BTreeMap::new(), beneath: None };
        // A test holds that the built-in file has no problem.
        map.take("keys.yaml", BUILT_IN);
        map
    }
}

impl Keymap {
    /// The built-in map with a person's file on top. A key that clashes is refused alone, with
    /// its place; the rest of the file counts.
    pub fn with(file: &str, text: &str) -> (Self, Vec<String>) {
        let mut map = Self::default();
        let beneath = map.clone();
        let problems = map.take(file, text);
        if map != beneath {
            map.beneath = Some(Box::new(beneath));
        }
        (map, problems)
    }

    /// A sentence that names built-in keys (`Press L.`, `(x)`) with the keys that are in force.
    pub fn in_force(&self, text: &str) -> String {
        let Some(beneath) = &self.beneath else { return text.to_owned() };
        let mut told = String::with_capacity(text.len());
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let named = told.ends_with("ress ") || told.ends_with('(');
            let alone = rest.peek().is_none_or(|next| ".,;) ".contains(*next));
            let scopes = [Scope::Stage, Scope::Waiting, Scope::All];
            let meant = beneath.action(Key::char(c), &scopes).filter(|_| named && alone);
            match meant.map(|action| (action, self.shown(action))) {
                Some((_, Some(key))) => told.push_str(&key.to_string()),
                Some((action, None)) => told.extend([":", action.name()]),
                None => told.push(c),
            }
        }
        told
    }

    /// The action of a key, asked scope by scope, narrowest first.
    pub fn action(&self, key: Key, scopes: &[Scope]) -> Option<Action> {
        scopes.iter().find_map(|scope| {
            self.keys
                .iter()
                .find(|(action, keys)| action.scope() == *scope && keys.contains(&key))
                .map(|(action, _)| *action)
        })
    }

    /// The keys of an action, the one to show first.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The key to show for an action.
    pub fn shown(&self, action: Action) -> Option<Key> {
        self.keys(action).first().copied()
    }

    fn take(&mut self, file: &str, text: &str) -> Vec<String> {
        let raw: Raw = match crate::yaml::one(text) {
            Ok(raw) => raw,
            Err(why) => {
                return vec![format!("could not read {file}, the built-in keys count: {why}")];
            }
        };
        let mut problems = Vec::new();
        let before = self.keys.clone();
        // Replaced actions let go of their old keys first, so that two can swap theirs.
        for name in raw.keys.keys() {
            if let Some(action) = Action::named(name) {
                self.keys.remove(&action);
            }
        }
        let mut emptied = Vec::new();
        for (name, keys) in raw.keys {
            let line = keys.referenced.line();
            let Some(action) = Action::named(&name) else {
                problems.push(format!("{file}:{line}: {}", no_action(&name)));
                continue;
            };
            let wanted = !keys.value.is_empty();
            for spelled in keys.value {
                let line = spelled.referenced.line();
                match self.give(action, &spelled.value) {
                    Ok(()) => {}
                    Err(why) => problems.push(format!("{file}:{line}: {why}")),
                }
            }
            if wanted && self.keys(action).is_empty() {
                emptied.push(action);
            }
        }
        // An action that got none of its new keys keeps those old ones that are still free.
        for action in emptied {
            for key in before.get(&action).into_iter().flatten() {
                if self.clash(action, *key).is_none() {
                    self.keys.entry(action).or_default().push(*key);
                }
            }
        }
        problems
    }

    fn give(&mut self, action: Action, spelled: &str) -> Result<(), String> {
        let Some(key) = Key::named(spelled) else {
            return Err(format!("{spelled} is no key; write q, Ctrl-C, Alt-3, F2 or PgUp"));
        };
        if key == Key::ctrl('c') {
            return Err(format!("{key} always leaves, so {action} does not get it"));
        }
        if let Some(other) = self.clash(action, key) {
            return Err(format!("{key} means {other} already, so {action} does not get it"));
        }
        self.keys.entry(action).or_default().push(key);
        Ok(())
    }

    /// Another action that would hide behind this key, or be hidden by it. Two stages may share
    /// a key, and so may two narrow scopes: the narrower is asked first.
    fn clash(&self, action: Action, key: Key) -> Option<Action> {
        let scope = action.scope();
        self.keys
            .iter()
            .filter(|(other, keys)| **other != action && keys.contains(&key))
            .map(|(other, _)| *other)
            .find(|other| {
                other.scope() == scope || other.scope() == Scope::All || scope == Scope::All
            })
    }
}

fn no_action(name: &str) -> String {
    match did_you_mean(name, Action::ALL.iter().map(|action| action.name())) {
        Some(meant) => format!("{name} is no action; did you mean {meant}?"),
        None => format!("{name} is no action; the palette (:) lists them all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_map_reaches_every_action_and_has_no_clash() {
        let mut map = Keymap { keys: BTreeMap::new(), beneath: None };
        assert_eq!(map.take("keys.yaml", BUILT_IN), Vec::<String>::new());
        for action in Action::ALL {
            let by_name_only = *action == Action::Plain;
            assert_eq!(map.shown(*action).is_none(), by_name_only, "{action}");
        }
    }

    #[test]
    fn an_action_that_got_no_key_keeps_its_own_and_ctrl_c_is_nobodys() {
        let text = "keys:\n  note: [q]\n  zoom: [Ctrl-C, NoKey]\n  deatch: [Q]\n";
        let (map, problems) = Keymap::with("mine.yaml", text);
        assert_eq!(map.shown(Action::Note), Some(Key::char('N')));
        assert_eq!(map.shown(Action::Zoom), Some(Key::char('z')));
        assert_eq!(map.shown(Action::Detach), Some(Key::char('q')));
        let told = problems.join("\n");
        for words in [
            "mine.yaml:2: q means detach already",
            "mine.yaml:3: Ctrl-C always leaves",
            "mine.yaml:3: NoKey is no key",
            "mine.yaml:4: deatch is no action; did you mean detach?",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_leaves_every_key_and_says_so() {
        let (map, problems) = Keymap::with("mine.yaml", "keys: [a, b]\n");
        assert_eq!(map, Keymap::default());
        assert!(problems.join("").contains("the built-in keys count"), "{problems:?}");
    }

    #[test]
    fn a_clash_is_refused_alone_and_names_its_line() {
        let text = "keys:\n  abort: [X]\n  note: [X, J]\n  fly: [y]\n";
        let (map, problems) = Keymap::with("mine.yaml", text);
        assert_eq!(map.keys(Action::Abort), [Key::char('X')]);
        assert_eq!(map.keys(Action::Note), [Key::char('J')]);
        let told = problems.join("\n");
        assert!(told.contains("mine.yaml:3: X means abort already"), "{told}");
        assert!(told.contains("mine.yaml:4: fly is no action"), "{told}");
    }

    #[test]
    fn a_sentence_names_the_keys_that_are_in_force() {
        let told = "Level 1 is ready. Press L. Stop it first (x) or press a.";
        assert_eq!(Keymap::default().in_force(told), told);
        let (map, _) = Keymap::with("mine.yaml", "keys:\n  choose_level: [F3]\n  abort: []\n");
        let wanted = "Level 1 is ready. Press F3. Stop it first (:abort) or press a.";
        assert_eq!(map.in_force(told), wanted);
    }

    #[test]
    fn two_actions_can_swap_their_keys() {
        let text = "keys:\n  zoom: [e]\n  export: [z]\n";
        let (map, problems) = Keymap::with("mine.yaml", text);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(map.shown(Action::Zoom), Some(Key::char('e')));
    }

    #[test]
    fn every_key_reads_back_from_its_own_name() {
        let map = Keymap::default();
        for keys in map.keys.values() {
            for key in keys {
                assert_eq!(Key::named(&key.to_string()), Some(*key), "{key}");
            }
        }
    }
}
