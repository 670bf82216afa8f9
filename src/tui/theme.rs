//! Roles instead of colours: panes say what a text means, a theme file says how that looks.

mod color;
mod depth;
mod file;
mod lint;
mod paint;

use std::collections::BTreeMap;

use ratatui::style::Style;
use serde::Deserialize;

pub use color::contrast;
pub use depth::Depth;
pub use file::{Sheet, Themes};
pub use lint::{APART, CONTRAST, Finding, lint};

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

impl Role {
    /// All, in the order of a theme file.
    pub const ALL: [Self; 23] = [
        Self::Base,
        Self::Muted,
        Self::Title,
        Self::Focus,
        Self::EnvProd,
        Self::EnvOther,
        Self::Ok,
        Self::Warn,
        Self::Fail,
        Self::Unknown,
        Self::Stale,
        Self::Planned,
        Self::Info,
        Self::Progress,
        Self::Danger,
        Self::Select,
        Self::LogE,
        Self::LogW,
        Self::LogI,
        Self::LogD,
        Self::Plot1,
        Self::Plot2,
        Self::Plot3,
    ];

    /// Its name in a theme file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Muted => "muted",
            Self::Title => "title",
            Self::Focus => "focus",
            Self::EnvProd => "env_prod",
            Self::EnvOther => "env_other",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
            Self::Planned => "planned",
            Self::Info => "info",
            Self::Progress => "progress",
            Self::Danger => "danger",
            Self::Select => "select",
            Self::LogE => "log_e",
            Self::LogW => "log_w",
            Self::LogI => "log_i",
            Self::LogD => "log_d",
            Self::Plot1 => "plot_1",
            Self::Plot2 => "plot_2",
            Self::Plot3 => "plot_3",
        }
    }
}

/// The look of every role on one terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    slots: BTreeMap<Role, Style>,
}

impl Theme {
    /// A built-in theme by name, for a terminal with so many colours; see [`Themes::get`].
    pub fn named(name: &str, depth: Depth) -> Result<Self, String> {
        Themes::default().get(name, depth)
    }

    /// How a role looks.
    pub fn style(&self, role: Role) -> Style {
        self.slots.get(&role).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_has_every_role_that_carries_a_state() {
        for (name, _) in file::BUILT_IN {
            for depth in Depth::ALL {
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
    fn every_role_is_read_by_the_name_it_has() {
        for role in Role::ALL {
            let read: Role = crate::yaml::one(role.name()).unwrap();
            assert_eq!(read, role);
        }
    }
}
