//! A role's look outside the full screen: in words, and as the bytes of a line.

use ratatui::style::{Color, Modifier, Style};

use super::{Depth, Role, Theme, color};

/// Attributes, their names and their numbers in a select-graphic-rendition sequence (ECMA-48).
const MODS: [(Modifier, &str, u8); 5] = [
    (Modifier::BOLD, "bold", 1),
    (Modifier::DIM, "dim", 2),
    (Modifier::ITALIC, "italic", 3),
    (Modifier::UNDERLINED, "underlined", 4),
    (Modifier::REVERSED, "reversed", 7),
];

impl Theme {
    /// Colours, attributes and, where both colours are known, the contrast.
    pub fn describe(&self, role: Role) -> String {
        let style = self.style(Role::Base).patch(self.style(role));
        let name = |color: Option<Color>| match color {
            None | Some(Color::Reset) => "own".to_owned(),
            Some(color) => color.to_string().to_lowercase(),
        };
        let mods: Vec<&str> = MODS
            .iter()
            .filter(|(one, ..)| style.add_modifier.contains(*one))
            .map(|(_, name, _)| *name)
            .collect();
        let known = style.fg.and_then(color::known).zip(style.bg.and_then(color::known));
        let contrast =
            known.map_or_else(String::new, |(fg, bg)| format!("{:.1}:1", color::contrast(fg, bg)));
        let text = format!("{:<10} on {:<10} {contrast:>7}  ", name(style.fg), name(style.bg));
        (text + &mods.join(" ")).trim_end().to_owned()
    }

    /// A text in a role's look for a line of output; plain where there is no colour.
    pub fn paint(&self, role: Role, text: &str, depth: Depth) -> String {
        if depth == Depth::Mono {
            return text.to_owned();
        }
        let style = self.style(Role::Base).patch(self.style(role));
        format!("\x1b[0{}m{text}\x1b[0m", numbers(style))
    }
}

fn numbers(style: Style) -> String {
    let mods = MODS.iter().filter(|(one, ..)| style.add_modifier.contains(*one));
    let mut list: Vec<String> = mods.map(|(.., number)| format!(";{number}")).collect();
    for (color, ground) in [(style.fg, 0_u8), (style.bg, 10)] {
        match color {
            Some(Color::Rgb(r, g, b)) => list.push(format!(";{};2;{r};{g};{b}", 38 + ground)),
            Some(Color::Indexed(index)) => list.push(format!(";{};5;{index}", 38 + ground)),
            Some(named) => {
                list.extend(number(named).map(|number| format!(";{}", number + ground)));
            }
            None => {}
        }
    }
    list.concat()
}

/// The number of one of the sixteen as letters.
fn number(color: Color) -> Option<u8> {
    Some(match color {
        Color::Black => 30,
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        Color::LightRed => 91,
        Color::LightGreen => 92,
        Color::LightYellow => 93,
        Color::LightBlue => 94,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        Color::White => 97,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_painted_with_its_colours_and_attributes() {
        let theme = Theme::named("high-contrast", Depth::True).unwrap();
        let painted = theme.paint(Role::Unknown, "x", Depth::True);
        assert_eq!(painted, "\x1b[0;4;38;2;255;152;224;48;2;0;0;0mx\x1b[0m");
        let dark = Theme::named("ansi16", Depth::Sixteen).unwrap();
        assert_eq!(dark.paint(Role::Fail, "x", Depth::Sixteen), "\x1b[0;1;31mx\x1b[0m");
        assert_eq!(dark.paint(Role::Fail, "x", Depth::Mono), "x");
        assert!(theme.describe(Role::Fail).contains(":1  bold reversed"));
    }
}
