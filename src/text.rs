//! Foreign text made safe for a terminal, and the width of what is shown.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The longest line kept of foreign text, in bytes; the rest is counted, not kept.
pub const LINE_LIMIT: usize = 16 * 1024;

/// Text from outside (a log line, an HTTP body, a container's name) that holds no control
/// character, no bidirectional override and no invisible character: nothing in it can move a
/// cursor, set a title, fill a clipboard or reorder what is beside it.
///
/// What was there stays visible: ESC becomes `␛`, other controls `\xNN`, invisible characters
/// `\u{…}`; a tab becomes spaces, and a line beyond [`LINE_LIMIT`] ends in `…+N`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct SafeText(String);

impl SafeText {
    /// Makes `raw` safe.
    pub fn new(raw: &str) -> Self {
        Self(clean(raw))
    }

    /// Makes bytes safe; what is not UTF-8 shows as `\xNN`.
    pub fn from_bytes(raw: &[u8]) -> Self {
        let kept = raw.get(..LINE_LIMIT * 4).unwrap_or(raw);
        let mut text = String::with_capacity(kept.len());
        for chunk in kept.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                write!(text, "\\x{byte:02x}").ok();
            }
        }
        let mut safe = clean(&text);
        if kept.len() < raw.len() && !safe.ends_with(|c: char| c.is_ascii_digit()) {
            write!(safe, "…+{}", raw.len() - kept.len()).ok();
        }
        Self(safe)
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SafeText {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl From<&str> for SafeText {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn clean(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len().min(LINE_LIMIT));
    let mut marks = 0;
    for (at, c) in raw.char_indices() {
        if at >= LINE_LIMIT {
            write!(safe, "…+{}", raw.len() - at).ok();
            break;
        }
        // A few combining marks are language; a pile of them is an attack on the lines around.
        marks = if c.width() == Some(0) && !c.is_control() { marks + 1 } else { 0 };
        match c {
            '\t' => safe.push_str("    "),
            '\u{1b}' => safe.push('␛'),
            c if c.is_control() => {
                write!(safe, "\\x{:02x}", u32::from(c)).ok();
            }
            c if is_invisible(c) || marks > 4 => {
                if marks <= 4 {
                    write!(safe, "\\u{{{:x}}}", u32::from(c)).ok();
                }
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Characters that show nothing but change what is shown: direction, joining, selection, tags.
fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
        | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F
        | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// Columns that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to at most `columns`, ending in `…` where something was cut.
pub fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        fitted.push(c);
    }
    if columns > 0 {
        fitted.push('…');
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn harmless(text: &str) -> bool {
        text.chars().all(|c| !c.is_control() && !is_invisible(c))
    }

    #[test]
    fn an_escape_sequence_stays_visible_and_harmless() {
        assert_eq!(SafeText::new("\x1b[2Jgone\u{9b}31m").as_str(), "␛[2Jgone\\x9b31m");
    }

    #[test]
    fn a_bidirectional_override_is_spelled_out() {
        assert_eq!(SafeText::new("a\u{202e}b").as_str(), "a\\u{202e}b");
    }

    #[test]
    fn a_long_line_is_cut_and_counted() {
        let safe = SafeText::new(&"x".repeat(LINE_LIMIT + 7));
        assert!(safe.as_str().ends_with("…+7"), "{}", &safe.as_str()[LINE_LIMIT - 3..]);
    }

    proptest! {
        #[test]
        fn no_bytes_become_a_control_sequence(raw: Vec<u8>) {
            prop_assert!(harmless(SafeText::from_bytes(&raw).as_str()));
        }

        #[test]
        fn fitting_never_exceeds_the_columns(raw: String, columns in 0usize..40) {
            let safe = SafeText::new(&raw);
            prop_assert!(width(&fit(safe.as_str(), columns)) <= columns);
        }
    }
}
