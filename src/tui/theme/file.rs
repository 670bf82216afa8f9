//! Theme files: `name, parent, depth, slots`. What a file does not say, its parent says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ratatui::style::{Modifier, Style};
use serde::Deserialize;

use super::{CONTRAST, Depth, Role, Theme, color};

/// The themes that are built in: name and text.
pub(super) const BUILT_IN: [(&str, &str); 7] = [
    ("dark", include_str!("../../../themes/dark.yaml")),
    ("light", include_str!("../../../themes/light.yaml")),
    ("cvd-dark", include_str!("../../../themes/cvd-dark.yaml")),
    ("cvd-light", include_str!("../../../themes/cvd-light.yaml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.yaml")),
    ("ansi16", include_str!("../../../themes/ansi16.yaml")),
    ("mono", include_str!("../../../themes/mono.yaml")),
];

/// Parents above each other; more are a circle.
const GENERATIONS: usize = 8;

/// A theme as a file says it, with its parents' slots filled in.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// The file, or `built in`.
    pub from: String,
    /// The terminals it is made for.
    pub depths: Vec<Depth>,
    /// The least contrast that it promises.
    pub contrast: f64,
    slots: BTreeMap<Role, Slot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    depth: Vec<Depth>,
    /// The least contrast that it promises, where that is more than the usual one.
    #[serde(default)]
    contrast: Option<f64>,
    #[serde(default)]
    slots: BTreeMap<Role, Slot>,
}

/// What a file says of a role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Slot {
    fg: Option<String>,
    bg: Option<String>,
    mods: Vec<Mod>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mod {
    Bold,
    Dim,
    Italic,
    Underlined,
    Reversed,
}

/// Where themes are looked for: people's folders first, then what is built in.
#[derive(Clone, Debug, Default)]
pub struct Themes {
    /// Folders with `NAME.yaml`; one that is not there has no themes.
    pub folders: Vec<PathBuf>,
}

impl Themes {
    /// A theme by name or file, for a terminal with so many colours. No colour means `mono`; a
    /// theme that is not made for so few colours gives way to `ansi16`.
    pub fn get(&self, name: &str, depth: Depth) -> Result<Theme, String> {
        let name = if depth == Depth::Mono { "mono" } else { name };
        let sheet = self.sheet(name)?;
        if depth < Depth::Many && !sheet.depths.contains(&depth) && depth != Depth::Mono {
            return Self::default().sheet("ansi16")?.theme(depth);
        }
        sheet.theme(depth)
    }

    /// The names of all themes, and where each is from.
    pub fn list(&self) -> Vec<(String, String)> {
        let mut list: BTreeMap<String, String> = BTreeMap::new();
        for folder in self.folders.iter().rev() {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for path in files.map(|file| file.path()) {
                let yaml = path.extension().is_some_and(|extension| extension == "yaml");
                if let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| yaml)
                {
                    list.insert(stem.to_owned(), path.display().to_string());
                }
            }
        }
        let built_in = BUILT_IN.iter().map(|(name, _)| ((*name).to_owned(), "built in".to_owned()));
        let own = list.clone();
        built_in.filter(|(name, _)| !own.contains_key(name)).chain(list).collect()
    }

    /// A theme as its file says it, by name or file.
    pub fn sheet(&self, name: &str) -> Result<Sheet, String> {
        let (from, text) = self.text(name)?;
        self.read(&from, &text, GENERATIONS)
    }

    /// Reads a theme's text; an unknown role, key or depth is an error that names its line.
    fn read(&self, from: &str, text: &str, left: usize) -> Result<Sheet, String> {
        let failed = |why: String| format!("could not read the theme {from}: {why}");
        let raw: Raw = crate::yaml::one(text).map_err(failed)?;
        let above = match raw.parent.as_deref() {
            None => None,
            Some(_) if left == 0 => {
                return Err(failed("its parents lead back to itself".to_owned()));
            }
            // A file that is named like a built-in theme may build on that one.
            Some(parent) if parent == raw.name && from != "built in" => {
                Some(Self::default().sheet(parent).map_err(failed)?)
            }
            Some(parent) => {
                let (from, text) = self.text(parent).map_err(failed)?;
                Some(self.read(&from, &text, left - 1)?)
            }
        };
        let mut sheet = above.unwrap_or_else(|| Sheet {
            name: String::new(),
            from: String::new(),
            depths: vec![Depth::Sixteen, Depth::Many, Depth::True],
            contrast: CONTRAST,
            slots: BTreeMap::new(),
        });
        sheet.name = raw.name;
        from.clone_into(&mut sheet.from);
        if !raw.depth.is_empty() {
            sheet.depths = raw.depth;
        }
        sheet.contrast = raw.contrast.unwrap_or(sheet.contrast);
        for (role, slot) in raw.slots {
            slot.style(Depth::True).map_err(|why| failed(format!("{}: {why}", role.name())))?;
            sheet.slots.insert(role, slot);
        }
        Ok(sheet)
    }

    fn text(&self, name: &str) -> Result<(String, String), String> {
        let beside = self.folders.iter().map(|folder| folder.join(format!("{name}.yaml")));
        let file = beside.chain([PathBuf::from(name)]).find(|path| path.is_file());
        if let Some(path) = file {
            return Ok((path.display().to_string(), text_of(&path)?));
        }
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let known = || {
            let names: Vec<String> = self.list().into_iter().map(|(name, _)| name).collect();
            names.join(", ")
        };
        built_in
            .map(|(_, text)| ("built in".to_owned(), (*text).to_owned()))
            .ok_or_else(|| format!("could not find the theme {name}: it is none of {}", known()))
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|why| format!("could not read the theme {}: {why}", path.display()))
}

impl Sheet {
    /// How it looks on a terminal with so many colours.
    pub fn theme(&self, depth: Depth) -> Result<Theme, String> {
        let mut slots = BTreeMap::new();
        for (role, slot) in &self.slots {
            let style = slot.style(depth).map_err(|why| {
                format!("could not read the theme {}: {}: {why}", self.from, role.name())
            })?;
            slots.insert(*role, style);
        }
        Ok(Theme { name: self.name.clone(), slots })
    }
}

impl Slot {
    fn style(&self, depth: Depth) -> Result<Style, String> {
        let mut style = Style::new();
        if depth > Depth::Mono {
            if let Some(fg) = &self.fg {
                style = style.fg(color::read(fg, depth)?);
            }
            if let Some(bg) = &self.bg {
                style = style.bg(color::read(bg, depth)?);
            }
        }
        for one in &self.mods {
            style = style.add_modifier(match one {
                Mod::Bold => Modifier::BOLD,
                Mod::Dim => Modifier::DIM,
                Mod::Italic => Modifier::ITALIC,
                Mod::Underlined => Modifier::UNDERLINED,
                Mod::Reversed => Modifier::REVERSED,
            });
        }
        Ok(style)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Themes) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(format!("{name}.yaml")), text).unwrap();
        }
        let themes = Themes { folders: vec![dir.path().to_owned()] };
        (dir, themes)
    }

    #[test]
    fn an_unknown_role_names_its_line() {
        let text = "name: mine\nparent: dark\nslots:\n  fail: {fg: red}\n  fale: {fg: red}\n";
        let (_dir, themes) = folder(&[("mine", text)]);
        let why = themes.get("mine", Depth::True).unwrap_err();
        assert!(why.contains("fale") && why.contains("line 5"), "{why}");
    }

    #[test]
    fn a_wrong_colour_names_its_role() {
        let (_dir, themes) = folder(&[("mine", "name: mine\nslots:\n  ok: {fg: reddish}\n")]);
        let why = themes.get("mine", Depth::True).unwrap_err();
        assert!(why.contains("ok: reddish is no colour"), "{why}");
    }

    #[test]
    fn what_a_file_does_not_say_its_parent_says() {
        let text = "name: mine\nparent: high-contrast\nslots:\n  ok: {fg: green}\n";
        let (_dir, themes) = folder(&[("mine", text)]);
        let mine = themes.get("mine", Depth::True).unwrap();
        let parent = Theme::named("high-contrast", Depth::True).unwrap();
        assert_eq!(mine.style(Role::Fail), parent.style(Role::Fail));
        assert_ne!(mine.style(Role::Ok), parent.style(Role::Ok));
        assert!(themes.sheet("mine").unwrap().contrast > 6.9);
    }

    #[test]
    fn a_file_can_build_on_the_theme_it_replaces_and_a_circle_ends() {
        let dark = "name: dark\nparent: dark\nslots:\n  ok: {fg: green}\n";
        let circle = ["name: a\nparent: b\n", "name: b\nparent: a\n"];
        let (_dir, themes) = folder(&[("dark", dark), ("a", circle[0]), ("b", circle[1])]);
        let mine = themes.get("dark", Depth::True).unwrap();
        let built_in = Theme::named("dark", Depth::True).unwrap();
        assert_eq!(mine.style(Role::Fail), built_in.style(Role::Fail));
        assert_ne!(mine.style(Role::Ok), built_in.style(Role::Ok));
        let why = themes.get("a", Depth::True).unwrap_err();
        assert!(why.contains("lead back to itself"), "{why}");
        let names: Vec<String> = themes.list().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.iter().filter(|name| *name == "dark").count(), 1);
        assert!(names.contains(&"a".to_owned()) && names.contains(&"cvd-light".to_owned()));
    }

    #[test]
    fn a_theme_of_many_colours_gives_way_where_there_are_few() {
        let few = Theme::named("cvd-dark", Depth::Sixteen).unwrap();
        assert_eq!(few.name, "ansi16");
        assert_eq!(Theme::named("cvd-dark", Depth::Many).unwrap().name, "cvd-dark");
        assert_eq!(Theme::named("cvd-dark", Depth::Mono).unwrap().name, "mono");
    }

    #[test]
    fn a_name_that_is_none_gets_the_list() {
        let why = Theme::named("drak", Depth::True).unwrap_err();
        assert!(why.contains("dark, ") && why.contains("high-contrast"), "{why}");
    }
}
