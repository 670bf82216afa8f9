//! Bytes from the terminal made into keys. A decoder of our own, because the one at hand spins
//! for ever when the terminal is gone, and because a lone Esc must wait for its tail.

use std::fmt;
use std::time::Duration;

/// How long a lone Esc waits for the rest of a sequence; a slow line may deliver it in pieces.
pub const ESC_WAITS: Duration = Duration::from_millis(150);

/// The longest paste that is kept, and the longest sequence that is waited for, in bytes.
const LIMIT: usize = 4_096;

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A character.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tabulator.
    Tab,
    /// Shift and tabulator.
    BackTab,
    /// Delete to the left.
    Backspace,
    /// Delete to the right.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Start of line.
    Home,
    /// End of line.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// A function key.
    F(u8),
}

/// A key with what was held beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which.
    pub code: Code,
    /// With Ctrl.
    pub ctrl: bool,
    /// With Alt.
    pub alt: bool,
}

impl Key {
    /// A key with nothing held.
    pub fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// A character key.
    pub fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// A character with Ctrl.
    pub fn ctrl(c: char) -> Self {
        Self { code: Code::Char(c), ctrl: true, alt: false }
    }

    /// Reads a key's name as keymap files write it: `q`, `Ctrl-C`, `Alt-3`, `F2`, `S-Tab`.
    pub fn named(name: &str) -> Option<Self> {
        let mut rest = name;
        let (mut ctrl, mut alt) = (false, false);
        loop {
            if let Some(tail) = rest.strip_prefix("Ctrl-") {
                (ctrl, rest) = (true, tail);
            } else if let Some(tail) = rest.strip_prefix("Alt-") {
                (alt, rest) = (true, tail);
            } else {
                break;
            }
        }
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(c), None) => Code::Char(if ctrl { c.to_ascii_lowercase() } else { c }),
            _ => NAMES
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(rest))
                .map(|(_, code)| *code)
                .or_else(|| function_key(rest))?,
        };
        Some(Self { code, ctrl, alt })
    }
}

fn function_key(name: &str) -> Option<Code> {
    let number: u8 = name.strip_prefix('F')?.parse().ok()?;
    (1..=12).contains(&number).then_some(Code::F(number))
}

const NAMES: [(&str, Code); 16] = [
    ("Space", Code::Char(' ')),
    ("Enter", Code::Enter),
    ("Esc", Code::Esc),
    ("Tab", Code::Tab),
    ("S-Tab", Code::BackTab),
    ("Backspace", Code::Backspace),
    ("Del", Code::Delete),
    ("Up", Code::Up),
    ("Down", Code::Down),
    ("Left", Code::Left),
    ("Right", Code::Right),
    ("Home", Code::Home),
    ("End", Code::End),
    ("PgUp", Code::PageUp),
    ("PgDn", Code::PageDown),
    ("Minus", Code::Char('-')),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ctrl = if self.ctrl { "Ctrl-" } else { "" };
        let alt = if self.alt { "Alt-" } else { "" };
        let named = NAMES.iter().find(|(_, code)| *code == self.code);
        let name = match (self.code, named) {
            (Code::Char(c), _) if c != ' ' && self.ctrl => c.to_ascii_uppercase().to_string(),
            (Code::Char(c), _) if c != ' ' => c.to_string(),
            (Code::F(number), _) => format!("F{number}"),
            (_, Some((name, _))) => (*name).to_owned(),
            (_, None) => String::new(),
        };
        f.pad(&format!("{ctrl}{alt}{name}"))
    }
}

/// What came from the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(Key),
    /// A bracketed paste.
    Paste(String),
    /// The mouse.
    Mouse(Mouse),
    /// The terminal's answer to [`super::flow::QUESTION`].
    Alive,
}

/// A click or a turn of the wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// Column and row, counted from 0.
    pub at: (u16, u16),
    /// -1 up, 1 down, 0 for a click.
    pub wheel: isize,
}

/// Turns bytes into keys; keeps what is incomplete.
#[derive(Debug, Default)]
pub struct Decoder {
    held: Vec<u8>,
    paste: Option<Vec<u8>>,
}

impl Decoder {
    /// Takes bytes and gives what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        let mut found = Vec::new();
        for byte in bytes {
            self.held.push(*byte);
            self.settle(&mut found, false);
        }
        found
    }

    /// Whether a sequence is incomplete, so that a wait for its tail should be short.
    pub fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// The wait is over: what is held is what it is. A lone Esc becomes the key.
    pub fn flush(&mut self) -> Vec<Input> {
        let mut found = Vec::new();
        self.settle(&mut found, true);
        self.held.clear();
        found
    }

    fn settle(&mut self, found: &mut Vec<Input>, over: bool) {
        if self.paste.is_some() {
            self.pasting(found);
            return;
        }
        let end = |key| Step::End(Some(Input::Key(key)));
        let step = match self.held.as_slice() {
            [0x1b] if over => end(Key::plain(Code::Esc)),
            [] | [0x1b] | [0x1b, b'O'] if !over => Step::More,
            [0x1b, 0x1b] => {
                // The first was a key of its own; the second may begin a sequence.
                found.push(Input::Key(Key::plain(Code::Esc)));
                self.held.remove(0);
                Step::More
            }
            [0x1b, b'['] if over => end(alt(Key::char('['))),
            [0x1b, b'O'] if over => end(alt(Key::char('O'))),
            [0x1b, b'[', rest @ ..] => csi(rest),
            [0x1b, b'O', letter, ..] => Step::End(letter_key(*letter).map(Input::Key)),
            // Answers and strings of the terminal: taken away whole.
            [0x1b, b']' | b'P' | b'_' | b'^', rest @ ..] => string(rest),
            [0x1b, rest @ ..] => match plain(rest) {
                Some(key) => end(alt(key)),
                None => Step::More,
            },
            bytes => match plain(bytes) {
                Some(key) => end(key),
                None if bytes.len() >= 4 => Step::End(None),
                None => Step::More,
            },
        };
        match step {
            Step::More if self.held.len() >= LIMIT => self.held.clear(),
            Step::More => {}
            Step::Paste => {
                self.held.clear();
                self.paste = Some(Vec::new());
            }
            Step::End(input) => {
                self.held.clear();
                found.extend(input);
            }
        }
    }

    fn pasting(&mut self, found: &mut Vec<Input>) {
        const END: &[u8] = b"\x1b[201~";
        let Some(text) = &mut self.paste else { return };
        if !END.starts_with(&self.held) {
            if text.len() < LIMIT {
                text.append(&mut self.held);
            }
            self.held.clear();
        } else if self.held.len() == END.len() {
            found.push(Input::Paste(String::from_utf8_lossy(text).into_owned()));
            self.held.clear();
            self.paste = None;
        }
    }
}

enum Step {
    More,
    Paste,
    End(Option<Input>),
}

fn alt(key: Key) -> Key {
    Key { alt: true, ..key }
}

/// One UTF-8 character or control byte.
fn plain(bytes: &[u8]) -> Option<Key> {
    let first = *bytes.first()?;
    Some(match first {
        b'\r' | b'\n' => Key::plain(Code::Enter),
        b'\t' => Key::plain(Code::Tab),
        0x7f | 0x08 => Key::plain(Code::Backspace),
        0 => Key::ctrl(' '),
        1..=26 => Key::ctrl(char::from(first + b'a' - 1)),
        28..=31 => Key::ctrl(char::from(first + b'\\' - 28)),
        _ => Key::char(std::str::from_utf8(bytes).ok()?.chars().next()?),
    })
}

/// What follows `ESC [`.
fn csi(rest: &[u8]) -> Step {
    let Some((last, head)) = rest.split_last() else {
        return Step::More;
    };
    if !(0x40..=0x7e).contains(last) || (*last == b'[' && head.is_empty()) {
        return Step::More;
    }
    if let [b'[', ..] = head {
        // The Linux console's F1 to F5.
        let number = last.wrapping_sub(b'A').wrapping_add(1);
        let key = (1..=5).contains(&number).then(|| Key::plain(Code::F(number)));
        return Step::End(key.map(Input::Key));
    }
    if (head, *last) == (b"0", b'n') {
        return Step::End(Some(Input::Alive));
    }
    if let [b'<', numbers @ ..] = head {
        return Step::End(mouse(numbers, *last).map(Input::Mouse));
    }
    let text = String::from_utf8_lossy(head).into_owned();
    let mut numbers = text.split(';').map(|part| part.parse::<u8>().unwrap_or(0));
    let (first, held) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(1).max(1) - 1);
    if *last == b'~' && first == 200 {
        return Step::Paste;
    }
    let key = if *last == b'~' { tilde_key(first) } else { letter_key(*last) };
    let key = key.map(|key| Key { alt: held & 2 != 0, ctrl: held & 4 != 0, ..key });
    Step::End(key.map(Input::Key))
}

/// `button;column;row`, `M` pressed, `m` let go: a left click and the wheel count, the rest not.
fn mouse(numbers: &[u8], last: u8) -> Option<Mouse> {
    let text = std::str::from_utf8(numbers).ok()?;
    let mut numbers = text.split(';').map(|part| part.parse::<u16>().ok());
    let (button, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let wheel = match (button, last) {
        (0, b'M') => 0,
        (64, b'M') => -1,
        (65, b'M') => 1,
        _ => return None,
    };
    Some(Mouse { at: (column.checked_sub(1)?, row.checked_sub(1)?), wheel })
}

fn letter_key(letter: u8) -> Option<Key> {
    Some(Key::plain(match letter {
        b'A' => Code::Up,
        b'B' => Code::Down,
        b'C' => Code::Right,
        b'D' => Code::Left,
        b'H' => Code::Home,
        b'F' => Code::End,
        b'Z' => Code::BackTab,
        b'M' => Code::Enter,
        b'P' => Code::F(1),
        b'Q' => Code::F(2),
        b'R' => Code::F(3),
        b'S' => Code::F(4),
        _ => return None,
    }))
}

fn tilde_key(number: u8) -> Option<Key> {
    Some(Key::plain(match number {
        1 | 7 => Code::Home,
        3 => Code::Delete,
        4 | 8 => Code::End,
        5 => Code::PageUp,
        6 => Code::PageDown,
        11..=15 => Code::F(number - 10),
        17..=21 => Code::F(number - 11),
        23 | 24 => Code::F(number - 12),
        _ => return None,
    }))
}

/// What follows the start of a string that the terminal sends: up to BEL or ESC \.
fn string(rest: &[u8]) -> Step {
    match rest {
        [.., 0x07] | [.., 0x1b, b'\\'] => Step::End(None),
        _ => Step::More,
    }
}

#[cfg(test)]
mod tests;
