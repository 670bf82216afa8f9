//! How many colours a terminal has.

use serde::Deserialize;
use serde_json::Value;

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "Value")]
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
    /// All, from none upwards.
    pub const ALL: [Self; 4] = [Self::Mono, Self::Sixteen, Self::Many, Self::True];

    /// What the environment says of the terminal: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn of(no_color: bool, colorterm: Option<&str>, term: Option<&str>) -> Self {
        match (colorterm, term) {
            _ if no_color => Self::Mono,
            (_, Some("dumb")) => Self::Mono,
            (Some("truecolor" | "24bit"), _) => Self::True,
            (_, Some(term)) if term.ends_with("-direct") => Self::True,
            (_, Some(term)) if term.contains("256color") => Self::Many,
            _ => Self::Sixteen,
        }
    }

    /// As theme files write it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mono => "mono",
            Self::Sixteen => "16",
            Self::Many => "256",
            Self::True => "true",
        }
    }
}

impl TryFrom<Value> for Depth {
    type Error = String;

    /// YAML reads `true` as a truth and `16` as a number; both are meant as words here.
    fn try_from(value: Value) -> Result<Self, String> {
        let word = match &value {
            Value::Bool(true) => "true".to_owned(),
            Value::Number(number) => number.to_string(),
            Value::String(word) => word.clone(),
            _ => String::new(),
        };
        Self::ALL
            .into_iter()
            .find(|depth| depth.words() == word)
            .ok_or_else(|| format!("{word:?} is no depth: write mono, 16, 256 or true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_wins_over_everything_else() {
        let depth = Depth::of(true, Some("truecolor"), Some("xterm-256color"));
        assert_eq!(depth, Depth::Mono);
    }

    #[test]
    fn a_terminal_gets_the_colours_it_names() {
        assert_eq!(Depth::of(false, None, Some("linux")), Depth::Sixteen);
        assert_eq!(Depth::of(false, None, Some("tmux-256color")), Depth::Many);
        assert_eq!(Depth::of(false, Some("truecolor"), Some("xterm-256color")), Depth::True);
        assert_eq!(Depth::of(false, None, Some("xterm-direct")), Depth::True);
        assert_eq!(Depth::of(false, Some("truecolor"), Some("dumb")), Depth::Mono);
    }
}
