//! Roles instead of colours: panes say what a text means, a theme file says how that looks.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Plain text.
    Base,
    /// Less important.
    Muted,
    /// A pane's title.
    Title,
    /// The title of the pane that has the keys.
    Focus,
    /// The production badge.
    EnvProd,
    /// Any other environment's badge.
    EnvOther,
    /// Well.
    Ok,
    /// Warned.
    Warn,
    /// Failing.
    Fail,
    /// Not known.
    Unknown,
    /// Too old to trust.
    Stale,
    /// Down on purpose.
    Planned,
    /// An information line.
    Info,
    /// A running step, a bar.
    Progress,
    /// What changes production.
    Danger,
    /// The selected row.
    Select,
    /// An error in a log.
    LogE,
    /// A warning in a log.
    LogW,
    /// An information line in a log.
    LogI,
    /// A debug line in a log.
    LogD,
    /// The first curve.
    #[serde(rename = "plot_1")]
    Plot1,
    /// The second curve.
    #[serde(rename = "plot_2")]
    Plot2,
    /// The third curve.
    #[serde(rename = "plot_3")]
    Plot3,
}

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: attributes only.
    Mono,
    /// The terminal's own sixteen.
    Sixteen,
    /// The 256 of xterm.
    Many,
    /// 24 bits.
    True,
}

impl Depth {
    /// What the environment says of the terminal: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn of(no_color: bool, colorterm: Option<&str>, term: Option<&str>) -> Self {
        match (colorterm, term) {
            _ if no_color => Self::Mono,
            (_, Some("dumb")) => Self::Mono,
            (Some("truecolor" | "24bit"), _) => Self::True,
            (_, Some(term)) if term.contains("256color") => Self::Many,
            _ => Self::Sixteen,
        }
    }
}

/// The look of every role.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    slots: BTreeMap<Role, Style>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    slots: BTreeMap<Role, Slot>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Slot {
    fg: Option<String>,
    bg: Option<String>,
    mods: Vec<Mod>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mod {
    Bold,
    Dim,
    Italic,
    Underlined,
    Reversed,
}

/// The themes that are built in: name and text.
const BUILT_IN: [(&str, &str); 3] = [
    ("dark", include_str!("../../themes/dark.yaml")),
    ("light", include_str!("../../themes/light.yaml")),
    ("mono", include_str!("../../themes/mono.yaml")),
];

impl Theme {
    /// A built-in theme by name, for a terminal with so many colours; `NO_COLOR` means mono.
    pub fn named(name: &str, depth: Depth) -> Result<Self, String> {
        let name = if depth == Depth::Mono { "mono" } else { name };
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        let Some((file, text)) = found else {
            let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "could not find the theme {name}: it is none of {}",
                known.join(", ")
            ));
        };
        Self::read(file, text, depth)
    }

    /// Reads a theme file; an unknown role or colour is an error that names its line.
    pub fn read(file: &str, text: &str, depth: Depth) -> Result<Self, String> {
        let raw: Raw = serde_yaml::from_str(text)
            .map_err(|why| format!("could not read the theme {file}: {why}"))?;
        let mut slots = match raw.parent.as_deref() {
            Some(parent) if parent != raw.name => Self::named(parent, depth)?.slots,
            Some(_) | None => BTreeMap::new(),
        };
        for (role, slot) in raw.slots {
            let style = slot
                .style(depth)
                .map_err(|why| format!("could not read the theme {file}: {role:?}: {why}"))?;
            slots.insert(role, style);
        }
        Ok(Self { name: raw.name, slots })
    }

    /// How a role looks.
    pub fn style(&self, role: Role) -> Style {
        self.slots.get(&role).copied().unwrap_or_default()
    }
}

impl Slot {
    fn style(&self, depth: Depth) -> Result<Style, String> {
        let mut style = Style::new();
        if depth > Depth::Mono {
            if let Some(fg) = &self.fg {
                style = style.fg(color(fg, depth)?);
            }
            if let Some(bg) = &self.bg {
                style = style.bg(color(bg, depth)?);
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

fn color(name: &str, depth: Depth) -> Result<Color, String> {
    let color: Color = name
        .parse()
        .map_err(|_| format!("{name} is no colour: write red, light blue, 208 or #d55e00"))?;
    Ok(match (color, depth) {
        (Color::Rgb(r, g, b), Depth::Many) => Color::Indexed(cube(r, g, b)),
        (Color::Rgb(r, g, b), Depth::Sixteen) => nearest(r, g, b),
        (Color::Indexed(_), Depth::Sixteen) => Color::Reset,
        (color, _) => color,
    })
}

/// The nearest of the 6x6x6 cube.
fn cube(r: u8, g: u8, b: u8) -> u8 {
    let step = |value: u8| (u16::from(value) * 5 + 127) / 255;
    u8::try_from(16 + 36 * step(r) + 6 * step(g) + step(b)).unwrap_or(15)
}

/// The nearest of the terminal's own colours, by which channels are up.
fn nearest(r: u8, g: u8, b: u8) -> Color {
    match (r > 127, g > 127, b > 127) {
        (false, false, false) => Color::DarkGray,
        (true, false, false) => Color::Red,
        (false, true, false) => Color::Green,
        (true, true, false) => Color::Yellow,
        (false, false, true) => Color::Blue,
        (true, false, true) => Color::Magenta,
        (false, true, true) => Color::Cyan,
        (true, true, true) => Color::Gray,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_has_every_role_that_carries_a_state() {
        for (name, _) in BUILT_IN {
            for depth in [Depth::Mono, Depth::Sixteen, Depth::Many, Depth::True] {
                let theme = Theme::named(name, depth).unwrap();
                for role in [Role::Fail, Role::Unknown, Role::Warn, Role::EnvProd] {
                    assert_ne!(theme.style(role), Style::default(), "{name} {role:?}");
                }
            }
        }
    }

    #[test]
    fn states_differ_from_each_other_without_any_colour() {
        let theme = Theme::named("dark", Depth::Mono).unwrap();
        let roles = [Role::Ok, Role::Warn, Role::Fail, Role::Unknown, Role::Stale];
        for (at, one) in roles.iter().enumerate() {
            assert_eq!(theme.style(*one).fg, None);
            for other in roles.iter().skip(at + 1) {
                assert_ne!(theme.style(*one), theme.style(*other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_unknown_role_names_its_line() {
        let text = "name: mine\nparent: dark\nslots:\n  fail: {fg: red}\n  fale: {fg: red}\n";
        let why = Theme::read("mine.yaml", text, Depth::True).unwrap_err();
        assert!(why.contains("fale") && why.contains("line 5"), "{why}");
    }

    #[test]
    fn a_colour_comes_down_to_what_the_terminal_has() {
        assert_eq!(color("#d55e00", Depth::Many), Ok(Color::Indexed(172)));
        assert_eq!(color("#d55e00", Depth::Sixteen), Ok(Color::Red));
        assert!(color("reddish", Depth::True).is_err());
    }

    #[test]
    fn no_color_wins_over_everything_else() {
        let depth = Depth::of(true, Some("truecolor"), Some("xterm-256color"));
        assert_eq!(depth, Depth::Mono);
        assert_eq!(Depth::of(false, None, Some("linux")), Depth::Sixteen);
    }
}
