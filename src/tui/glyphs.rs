//! The signs beside the words: UTF-8 where the locale says so, else ASCII. Never the only carrier.

use ratatui::buffer::Buffer;

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
    lines: ["─", "│", "┌", "┐", "└", "┘"],
};

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
                "–" | "—" => "-",
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
