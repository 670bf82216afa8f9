//! The dialog of the filter stack: layers that keep or leave out, each on or off.

use crate::tui::dialogs::{Sheet, Turn};
use crate::tui::input::{Code, Key};
use crate::tui::state::Field;
use crate::tui::theme::Role;
use crate::tui::widgets::Row;

use super::ask::Layer;

/// The most layers.
const MOST: usize = 9;

/// The dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    layers: Vec<Layer>,
    field: Field,
    why: Option<String>,
}

impl Stack {
    /// The dialog with the layers that there are.
    pub fn new(layers: Vec<Layer>) -> Self {
        Self { layers, ..Self::default() }
    }

    /// The layers, as they are now: what is changed counts at once.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Takes a key. While nothing is typed, a digit turns a layer on or off and Backspace takes
    /// the last one away.
    pub fn turn(&mut self, key: Key) -> Turn {
        let empty = self.field.text.is_empty();
        match key.code {
            Code::Esc => return Turn::Close,
            Code::Enter if empty => return Turn::Close,
            Code::Enter => self.add(),
            Code::Backspace if empty => {
                self.layers.pop();
            }
            Code::Char(digit @ '1'..='9') if empty => {
                let at = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                if let Some(layer) = at.and_then(|at| self.layers.get_mut(at - 1)) {
                    layer.on = !layer.on;
                }
            }
            _ => {
                self.why = None;
                self.field.key(key);
            }
        }
        Turn::Stay
    }

    fn add(&mut self) {
        let Some(layer) = Layer::typed(&self.field.text) else { return };
        if let Err(why) = crate::journal::spool::Find::typed(&layer.word) {
            self.why = Some(why);
        } else if self.layers.len() >= MOST {
            self.why = Some(format!("at most {MOST} layers: take one away with Backspace"));
        } else {
            self.field.text.clear();
            self.layers.push(layer);
        }
    }

    /// What it shows.
    pub fn sheet(&self) -> Sheet {
        Sheet {
            title: "Filters of the logs".to_owned(),
            remark: "what is changed counts at once".to_owned(),
            facts: self.rows(),
            pinned: self.typed(),
            cursor: Some((0, self.column())),
            ..Sheet::default()
        }
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        self.field.paste(text);
    }

    /// The layers, as rows.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for (at, layer) in self.layers.iter().enumerate() {
            let (role, state) = if layer.on { (Role::Base, "on ") } else { (Role::Muted, "off") };
            let sign = if layer.keep { "keep     " } else { "leave out" };
            rows.push(Row::of(role, format!("{} {state} {sign} {}", at + 1, layer.word)));
        }
        if rows.is_empty() {
            rows.push(Row::of(Role::Muted, "no layer: all lines are let through"));
        }
        if let Some(why) = &self.why {
            rows.push(Row::of(Role::Fail, why.clone()));
        }
        rows
    }

    /// The rows for typing.
    fn typed(&self) -> Vec<Row> {
        vec![
            Row::of(Role::Info, "Add: ").put(Role::Title, self.field.text.clone()),
            Row::of(Role::Muted, "word keeps, -word leaves out, ~ before a regular expression"),
            Row::of(Role::Muted, "1..9 on/off   Backspace takes the last away   Enter/Esc back"),
        ]
    }

    /// The column of the cursor in the first of them.
    fn column(&self) -> usize {
        5 + crate::text::width(&self.field.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(stack: &mut Stack, text: &str) {
        for c in text.chars() {
            stack.turn(Key::char(c));
        }
        assert_eq!(stack.turn(Key::plain(Code::Enter)), Turn::Stay);
    }

    #[test]
    fn layers_are_added_switched_and_taken_away() {
        let mut stack = Stack::default();
        typed(&mut stack, "api");
        typed(&mut stack, "-GET 5");
        assert_eq!(
            stack.layers().iter().map(|layer| layer.keep).collect::<Vec<_>>(),
            [true, false]
        );
        stack.turn(Key::char('1'));
        assert_eq!(stack.layers().iter().map(|layer| layer.on).collect::<Vec<_>>(), [false, true]);
        stack.turn(Key::plain(Code::Backspace));
        assert_eq!(stack.layers().len(), 1);
        assert_eq!(stack.turn(Key::plain(Code::Enter)), Turn::Close);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_with_its_reason() {
        let mut stack = Stack::default();
        typed(&mut stack, "~(");
        assert_eq!(stack.layers(), []);
        let text: String = stack.rows().iter().map(Row::text).collect();
        assert!(text.contains("could not understand"), "{text}");
    }
}
