//! The signs beside the words: UTF-8 where the locale says so, else ASCII. Never the only carrier.

use ratatui::buffer::Buffer;

/// How curves are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    /// `.`, `:` and `|`.
    Ascii,
    /// Block eighths.
    Blocks,
    /// Two columns and four rows of dots a cell; many fonts and readers do not have them, so they
    /// must be asked for.
    Braille,
}

impl Plot {
    /// The sign of one cell: `values` are the one or two columns in it, `row` counts from the
    /// bottom. A blank for what is not known, and above the curve.
    pub fn sign(self, values: &[Option<f64>], top: f64, (row, rows): (usize, usize)) -> char {
        let steps = match self {
            Self::Ascii => 3,
            Self::Blocks => 8,
            Self::Braille => 4,
        };
        let filled = |value: &Option<f64>| -> usize {
            let Some(value) = value else { return 0 };
            // What was measured as nothing still leaves a trace; only what was not does not.
            let all = super::widgets::parts(value / top, steps * rows).max(1);
            all.saturating_sub(row * steps).min(steps)
        };
        match (self, values) {
            (Self::Braille, [left, right, ..]) => dots(filled(left), filled(right)),
            (Self::Braille, [left]) => dots(filled(left), 0),
            (Self::Ascii, [value, ..]) => pick(&[' ', '.', ':', '|'], filled(value)),
            (Self::Blocks, [value, ..]) => {
                pick(&[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'], filled(value))
            }
            (_, []) => ' ',
        }
    }

    /// A piece of the line of a limit.
    pub fn line(self) -> char {
        match self {
            Self::Ascii => '-',
            Self::Blocks | Self::Braille => '╌',
        }
    }
}

fn pick(signs: &[char], at: usize) -> char {
    signs.get(at).copied().unwrap_or(' ')
}

/// Two columns of dots, filled from below.
fn dots(left: usize, right: usize) -> char {
    const LEFT: [u32; 5] = [0, 0x40, 0x44, 0x46, 0x47];
    const RIGHT: [u32; 5] = [0, 0x80, 0xa0, 0xb0, 0xb8];
    let bits = LEFT.get(left).unwrap_or(&0) | RIGHT.get(right).unwrap_or(&0);
    if bits == 0 { ' ' } else { char::from_u32(0x2800 + bits).unwrap_or(' ') }
}

/// A set of signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Whether only bytes below 0x80 may be drawn.
    pub ascii: bool,
    /// Well.
    pub ok: &'static str,
    /// Warned.
    pub warn: &'static str,
    /// Failing.
    pub fail: &'static str,
    /// Not known.
    pub unknown: &'static str,
    /// Running.
    pub run: &'static str,
    /// Done.
    pub done: &'static str,
    /// Not begun.
    pub wait: &'static str,
    /// The done part of a bar.
    pub full: &'static str,
    /// The rest of a bar.
    pub empty: &'static str,
    /// How curves are drawn.
    pub plot: Plot,
    /// A cell of a check's past: well, warned, not known, failing, not looked at.
    pub strip: &'static [&'static str; 5],
    /// Horizontal line, vertical line, then the corners from top left in reading order.
    pub lines: [&'static str; 6],
}

/// Signs of UTF-8, none of them wider than one column.
pub const UTF8: Glyphs = Glyphs {
    ascii: false,
    ok: "●",
    warn: "▲",
    fail: "✖",
    unknown: "?",
    run: "▶",
    done: "✔",
    wait: "·",
    full: "█",
    empty: "·",
    plot: Plot::Blocks,
    strip: &["▁", "▄", "?", "█", " "],
    lines: ["─", "│", "┌", "┐", "└", "┘"],
};

/// The same with curves of dots.
pub const BRAILLE: Glyphs = Glyphs { plot: Plot::Braille, ..UTF8 };

/// Signs of ASCII.
pub const ASCII: Glyphs = Glyphs {
    ascii: true,
    ok: "+",
    warn: "!",
    fail: "x",
    unknown: "?",
    run: ">",
    done: "+",
    wait: "-",
    full: "#",
    empty: ".",
    plot: Plot::Ascii,
    strip: &["_", "!", "?", "x", " "],
    lines: ["-", "|", "+", "+", "+", "+"],
};

impl Glyphs {
    /// The set for a locale, as `LC_ALL`, `LC_CTYPE` or `LANG` name it.
    pub fn of(locale: Option<&str>) -> Self {
        let utf8 = locale.is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("utf-8") || name.contains("utf8")
        });
        if utf8 { UTF8 } else { ASCII }
    }
}

/// Replaces every sign that is not ASCII; foreign text may hold some.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let sign = match cell.symbol() {
                "…" => "~",
                "␛" => "^",
                "–" | "—" | "╌" | "·" => "-",
                "→" => ">",
                _ => "?",
            };
            cell.set_symbol(sign);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_locale_that_says_so_gets_utf8() {
        assert_eq!(Glyphs::of(Some("en_GB.UTF-8")), UTF8);
        assert_eq!(Glyphs::of(Some("C.utf8")), UTF8);
        assert_eq!(Glyphs::of(Some("C")), ASCII);
        assert_eq!(Glyphs::of(None), ASCII);
    }

    #[test]
    fn no_sign_takes_two_columns() {
        let signs = [UTF8.ok, UTF8.warn, UTF8.fail, UTF8.run, UTF8.done, UTF8.full, UTF8.wait];
        for sign in signs {
            assert_eq!(crate::text::width(sign), 1, "{sign}");
        }
    }
}
