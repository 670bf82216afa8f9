//! PEM blocks (RFC 7468), which go over many lines.

use std::ops::Range;

/// No key is longer, in lines: a stray beginning must not eat a log.
pub(super) const LONGEST: u32 = 400;

/// The secret part of `line` when a block is open or begins in it, and how many lines of a block
/// may follow.
pub(super) fn within(line: &[u8], open: u32) -> (Option<Range<usize>>, u32) {
    let text = line.trim_ascii_end();
    if open > 0 {
        if let Some(end) = find(text, b"-----END ") {
            return (body(text.get(..end).unwrap_or_default()), 0);
        }
        return match body(text) {
            Some(range) => (Some(range), open - 1),
            // Headers of old keys and an empty line stand before their letters.
            None if text.is_empty() || text.contains(&b':') => (None, open - 1),
            None => (None, 0),
        };
    }
    let Some(begin) = find(text, b"-----BEGIN ") else { return (None, 0) };
    let rest = text.get(begin + 11..).unwrap_or_default();
    let Some(label) = find(rest, b"-----") else { return (None, 0) };
    let name = rest.get(..label).unwrap_or_default();
    if [&b"CERTIFICATE"[..], b"PUBLIC KEY"].iter().any(|open| find(name, open).is_some()) {
        return (None, 0);
    }
    let from = begin + 11 + label + 5;
    let inside = text.get(from..).unwrap_or_default();
    match find(inside, b"-----END ") {
        // All in one line, its newlines written as \n.
        Some(end) => (Some(from..from + end), 0),
        None if inside.is_empty() => (None, LONGEST),
        None => (Some(from..text.len()), LONGEST),
    }
}

/// The last word of a line of letters, whatever a log put before it.
fn body(line: &[u8]) -> Option<Range<usize>> {
    let line = line.trim_ascii_end();
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\\\"',".contains(byte);
    let from = line.iter().rposition(|byte| !letter(byte)).map_or(0, |at| at + 1);
    (line.len() > from).then_some(from..line.len())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}
