//! Which key means which action: the built-in map, and what a person's file changes in it.

use std::collections::BTreeMap;

use serde_saphyr::Spanned;

use super::action::{Action, Scope};
use super::input::Key;

const BUILT_IN: &str = include_str!("../../assets/keys.yaml");

/// Keys by action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    keys: BTreeMap<Action, Vec<Key>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    keys: BTreeMap<String, Spanned<Vec<Spanned<String>>>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let mut map = Self { keys: BTreeMap::new() };
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
        let problems = map.take(file, text);
        (map, problems)
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
        let raw: Raw = match serde_saphyr::from_str(text) {
            Ok(raw) => raw,
            Err(why) => return vec![format!("could not read the keys of {file}: {why}")],
        };
        let mut problems = Vec::new();
        // Replaced actions let go of their old keys first, so that two can swap theirs.
        for name in raw.keys.keys() {
            if let Some(action) = Action::named(name) {
                self.keys.remove(&action);
            }
        }
        for (name, keys) in raw.keys {
            let line = keys.referenced.line();
            let Some(action) = Action::named(&name) else {
                problems.push(format!("{file}:{line}: {name} is no action; see ? for the names"));
                continue;
            };
            for spelled in keys.value {
                let line = spelled.referenced.line();
                let Some(key) = Key::named(&spelled.value) else {
                    problems.push(format!(
                        "{file}:{line}: {} is no key; write q, Ctrl-C, Alt-3, F2 or PgUp",
                        spelled.value
                    ));
                    continue;
                };
                if let Some(other) = self.clash(action, key) {
                    problems.push(format!(
                        "{file}:{line}: {key} means {other} already, so {action} does not get it"
                    ));
                    continue;
                }
                self.keys.entry(action).or_default().push(key);
            }
        }
        problems
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_map_reaches_every_action_and_has_no_clash() {
        let mut map = Keymap { keys: BTreeMap::new() };
        assert_eq!(map.take("keys.yaml", BUILT_IN), Vec::<String>::new());
        for action in Action::ALL {
            assert!(map.shown(*action).is_some(), "{action} has no key");
        }
    }

    #[test]
    fn a_clash_is_refused_alone_and_names_its_line() {
        let text = "keys:\n  abort: [X]\n  note: [X, m]\n  fly: [y]\n";
        let (map, problems) = Keymap::with("mine.yaml", text);
        assert_eq!(map.keys(Action::Abort), [Key::char('X')]);
        assert_eq!(map.keys(Action::Note), [Key::char('m')]);
        let told = problems.join("\n");
        assert!(told.contains("mine.yaml:3: X means abort already"), "{told}");
        assert!(told.contains("mine.yaml:4: fly is no action"), "{told}");
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
