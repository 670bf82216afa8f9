//! `console: {keys: …, announce: …, mouse: …}`: what a person wants of the screen.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::text::SafeText;

use super::presets;
use super::problem::did_you_mean;
use super::take::Table;

/// How the console tells a change to somebody who does not look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announce {
    /// By the terminal's bell.
    Bell,
    /// By a notification of the terminal (OSC 9).
    Osc9,
    /// Not at all.
    #[default]
    Off,
}

impl Announce {
    /// As the file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bell => "bell",
            Self::Osc9 => "osc9",
            Self::Off => "off",
        }
    }
}

/// What a person wants of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// A file of keys that is laid over the built-in ones; `keys.yaml` beside the file otherwise.
    pub keys: Option<PathBuf>,
    /// How changes are announced.
    pub announce: Announce,
    /// Whether the mouse scrolls and chooses panes from the start.
    pub mouse: bool,
    /// Sets of panes, by number key.
    pub presets: BTreeMap<u8, Vec<String>>,
}

/// `links: {Runbooks: /opt/spacetime/docs/runbooks, "#incidents": Slack}`: where people read, ask and
/// tell, in the order of the file (S-76, S-78).
pub(super) fn links(root: &mut Table<'_>) -> Vec<(SafeText, SafeText)> {
    let Some(mut table) = root.table("links") else { return Vec::new() };
    let names = table.names();
    let links = names.iter().filter_map(|name| {
        let place = table.text(name)?;
        Some((SafeText::new(name), SafeText::new(&place)))
    });
    let links = links.collect();
    table.finish();
    links
}

pub(super) fn console(root: &mut Table<'_>) -> ConsoleSettings {
    let mut settings = ConsoleSettings::default();
    let Some(mut table) = root.table("console") else {
        return settings;
    };
    settings.keys = table.path("keys");
    if let Some(item) = table.take("announce")
        && let Some(text) = item.text()
    {
        let all = [Announce::Bell, Announce::Osc9, Announce::Off];
        if let Some(announce) = all.into_iter().find(|announce| announce.name() == text) {
            settings.announce = announce;
        } else {
            let hint = match did_you_mean(&text, all.map(Announce::name)) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "it is bell, osc9 or off".to_owned(),
            };
            item.wrong_with(&format!("{text:?} is no way to announce"), hint);
        }
    }
    settings.mouse = table.truth("mouse").unwrap_or(false);
    settings.presets = presets::presets(&mut table);
    table.finish();
    settings
}

/// `environments: [FILE, …]`: the configurations of other environments that are kept elsewhere.
pub(super) fn environments(root: &mut Table<'_>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for item in root.list("environments") {
        let Some(path) = item.path() else { continue };
        if path.is_file() {
            files.push(path);
        } else {
            let message = format!("{} is not a file", path.display());
            item.wrong_with(&message, "name the backout.yaml of another environment");
        }
    }
    files
}
