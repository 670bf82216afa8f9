//! The words of a condition, each with its place.

use std::sync::Arc;

use super::problem::Mistake;

/// The longest condition, in bytes.
pub(super) const LONGEST: usize = 4096;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// A name, or a word of the language.
    Name(Arc<str>),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text in quotes, without them.
    Text(Arc<str>),
    /// An operator or a bracket.
    Sign(&'static str),
    /// Nothing more.
    End,
}

/// A word and where it stands, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// What.
    pub(super) word: Word,
    /// Its first byte.
    pub(super) from: usize,
    /// Behind its last.
    pub(super) to: usize,
}

/// The signs, longest first.
const SIGNS: [&str; 22] = [
    "//", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".",
    ":", "{", "}", "=",
];

/// Takes a condition apart.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, Mistake> {
    if source.len() > LONGEST {
        return Err(Mistake::at(0, format!("is longer than {LONGEST} bytes")));
    }
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(first) = source.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = source.get(at..).unwrap_or_default();
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (word, length) = if first.is_ascii_digit() {
            number(rest, at)?
        } else if first.is_alphabetic() || first == '_' {
            name(rest)
        } else if first == '\'' || first == '"' {
            text(rest, first, at)?
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Word::Sign(sign), sign.len())
        } else {
            return Err(Mistake::at(at, format!("{first:?} has no meaning here")));
        };
        all.push(Token { word, from: at, to: at + length });
        at += length;
    }
    all.push(Token { word: Word::End, from: source.len(), to: source.len() });
    Ok(all)
}

fn name(rest: &str) -> (Word, usize) {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (word, _) = rest.split_at(end);
    (Word::Name(word.into()), end)
}

fn number(rest: &str, at: usize) -> Result<(Word, usize), Mistake> {
    let mut end = 0;
    let mut before = ' ';
    for c in rest.chars() {
        let exponent = matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || exponent) {
            break;
        }
        before = c;
        end += c.len_utf8();
    }
    let (word, _) = rest.split_at(end);
    if let Ok(int) = word.parse::<i64>() {
        return Ok((Word::Int(int), end));
    }
    let plain = !word.contains('_') && word.chars().all(|c| !c.is_ascii_alphabetic() || c == 'e');
    match word.parse::<f64>().ok().filter(|float| plain && float.is_finite()) {
        Some(float) => Ok((Word::Float(float), end)),
        None => Err(Mistake::at(at, format!("{word} is not a number"))),
    }
}

fn text(rest: &str, quote: char, at: usize) -> Result<(Word, usize), Mistake> {
    let inside = rest.get(1..).unwrap_or_default();
    let Some(end) = inside.find(quote) else {
        return Err(Mistake::at(at, "this quote is never closed"));
    };
    let (word, _) = inside.split_at(end);
    if word.contains(['\\', '\n']) {
        return Err(Mistake::at(at, "text is one line without backslashes"));
    }
    Ok((Word::Text(word.into()), end + 2))
}
