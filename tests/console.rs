//! The console as people see it: every state at every size, drawn from folded entries.

pub(crate) mod samples;

mod arrange;
mod bytes;
mod comfort;
mod database;
mod flood;
mod guide;
mod keys;
mod pictures;
mod pty;
mod replay;
mod rules;
mod safety;
mod sizes;
mod words;

use std::rc::Rc;

use backout::model::ids::Time;
use backout::model::verdict::Lines;
use backout::tui::glyphs::{ASCII, Glyphs, UTF8};
use backout::tui::input::{Input, Key};
use backout::tui::keymap::Keymap;
use backout::tui::screen::{self, Frame};
use backout::tui::state::{Cx, Effect, Msg, Ui};
use backout::tui::theme::{Depth, Theme};
use backout::tui::update::update;
use backout::tui::view::View;
use backout::tui::widgets::Look;
use backout::tui::world::World;

pub(crate) use backout::tui::screen::text;

use samples::Sample;

/// Sign sets and themes that are held against each other.
pub(crate) fn ascii() -> Look {
    look(ASCII, Depth::Mono)
}

pub(crate) fn dark() -> Look {
    look(UTF8, Depth::Sixteen)
}

fn look(glyphs: Glyphs, depth: Depth) -> Look {
    Look { theme: Theme::named("dark", depth).unwrap(), glyphs }
}

thread_local! {
    static KEYS: Rc<Keymap> = Rc::new(Keymap::default());
}

/// A console in a test: a world, a screen, a hand on the keys, and a clock that stands.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) world: Rc<World>,
    pub(crate) ui: Ui,
    pub(crate) lines: Lines,
    pub(crate) now: Time,
    pub(crate) keymap: Rc<Keymap>,
}

impl Bench {
    pub(crate) fn new(sample: Sample, size: (u16, u16)) -> Self {
        Self {
            ui: Ui::new(&sample.world, size),
            world: Rc::new(sample.world),
            lines: sample.lines,
            now: sample.now,
            keymap: KEYS.with(Rc::clone),
        }
    }

    pub(crate) fn at(name: &str, size: (u16, u16)) -> Self {
        Self::new(samples::named(name), size)
    }

    /// The world, to change it.
    pub(crate) fn world(&mut self) -> &mut World {
        Rc::make_mut(&mut self.world)
    }

    pub(crate) fn msg(&mut self, msg: Msg) -> Vec<Effect> {
        let cx = Cx { world: &self.world, keymap: &self.keymap, now: self.now };
        update(&mut self.ui, cx, msg)
    }

    pub(crate) fn key(&mut self, key: Key) -> Vec<Effect> {
        self.msg(Msg::Input(Input::Key(key)))
    }

    /// Presses keys by name, with time between them for a dialog to arm.
    pub(crate) fn keys(&mut self, names: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for name in names.split_whitespace() {
            self.now += chrono::Duration::milliseconds(400);
            effects.extend(self.key(Key::named(name).unwrap()));
        }
        effects
    }

    /// Types a text letter by letter.
    pub(crate) fn types(&mut self, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for letter in text.chars() {
            self.now += chrono::Duration::milliseconds(400);
            effects.extend(self.key(Key::char(letter)));
        }
        effects
    }

    pub(crate) fn frame(&self, look: &Look) -> Frame {
        screen::draw(&View {
            world: &self.world,
            ui: &self.ui,
            keymap: &self.keymap,
            look,
            verdict: &self.lines,
            now: self.now,
            clock: self.now,
        })
    }

    pub(crate) fn text(&self) -> String {
        text(&self.frame(&ascii()))
    }
}
