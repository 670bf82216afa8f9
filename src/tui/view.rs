//! What everything that draws is given. Nothing else reaches a pane.

use crate::model::ids::Time;
use crate::model::verdict::Lines;

use super::glyphs::Glyphs;
use super::keymap::Keymap;
use super::state::Ui;
use super::widgets::Look;
use super::world::World;

/// What is drawn, how, and when.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is known.
    pub world: &'a World,
    /// What the screen is doing.
    pub ui: &'a Ui,
    /// The keys, for the key bar and the help page.
    pub keymap: &'a Keymap,
    /// Theme and signs.
    pub look: &'a Look,
    /// The verdict line.
    pub verdict: &'a Lines,
    /// The time that ages are counted to; on a light link it moves every 5 s.
    pub now: Time,
    /// The time on the clock.
    pub clock: Time,
}

impl View<'_> {
    /// The signs.
    pub fn glyphs(&self) -> Glyphs {
        self.look.glyphs
    }
}
