//! The forms in which a known secret may stand in a text.

use std::collections::BTreeSet;

/// Shorter ones are not searched for: they stand everywhere.
pub const SHORTEST: usize = 6;

/// Every form of `secret`, without repetition.
pub(super) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    if secret.len() < SHORTEST {
        return forms;
    }
    forms.insert(secret.as_bytes().to_vec());
    for letters in [STANDARD, FOR_ADDRESSES] {
        for before in 0..3 {
            forms.extend(base64_inside(secret.as_bytes(), before, letters));
        }
    }
    for upper in [true, false] {
        forms.insert(percent(secret, upper, false));
        forms.insert(percent(secret, upper, true));
        forms.insert(hex(secret, upper));
    }
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    forms.insert(json.as_bytes().to_vec());
    forms.insert(json.replace('/', "\\/").into_bytes());
    // A JSON text within a JSON text.
    let twice = serde_json::to_string(json).unwrap_or_default();
    forms.insert(twice.get(1..twice.len().saturating_sub(1)).unwrap_or_default().into());
    forms.insert(secret.replace('\'', "'\\''").into_bytes());
    forms.insert(escaped(secret, |c| "\"\\$`!".contains(c)));
    forms.insert(escaped(secret, |c| !(c.is_alphanumeric() || "-_./,:=+@%".contains(c))));
    // A secret of several lines is met line by line.
    for line in secret.lines().map(str::trim).filter(|line| line.len() >= 16) {
        forms.insert(line.as_bytes().to_vec());
    }
    forms.retain(|form| form.len() >= SHORTEST && !form.contains(&b'\n'));
    forms
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_ADDRESSES: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters that `secret` has in base64 when `before` bytes (0 to 2) stand before it, whatever
/// they are and whatever follows; nothing where that is too short to be sure.
fn base64_inside(secret: &[u8], before: usize, letters: &[u8; 64]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let mut text = Vec::with_capacity(bytes.len() * 4 / 3 + 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        bits = ((bits << 8) | u32::from(byte)) & 0xFFFF;
        held += 8;
        while held >= 6 {
            held -= 6;
            let letter = usize::try_from((bits >> held) & 63).ok()?;
            text.push(*letters.get(letter)?);
        }
    }
    // The first letters also hold bits of what stands before.
    let inside = text.get([0, 2, 3].get(before).copied()?..)?;
    (inside.len() >= 8).then(|| inside.to_vec())
}

/// Everything but letters, digits and `-_.~` as `%XX`; with `plus`, a space as `+`.
fn percent(text: &str, upper: bool, plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte),
            b' ' if plus => out.push(b'+'),
            _ if upper => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => out.extend_from_slice(format!("%{byte:02x}").as_bytes()),
        }
    }
    out
}

fn hex(text: &str, upper: bool) -> Vec<u8> {
    let digits =
        text.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
    digits.collect::<String>().into_bytes()
}

fn escaped(text: &str, special: impl Fn(char) -> bool) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out.into_bytes()
}
