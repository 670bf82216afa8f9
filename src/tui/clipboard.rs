//! Bytes that go to the person's terminal and are no picture: its clipboard (OSC 52), its bell,
//! its notifications (OSC 9). Inside tmux they are wrapped, so that tmux hands them on.

use crate::config::Announce;
use crate::text::SafeText;

/// The most encoded bytes that terminals take as one clipboard.
const LIMIT: usize = 74_994;

/// What puts a text into the terminal's clipboard; nothing when it is too long for one.
pub fn copy(text: &str, tmux: bool) -> Option<Vec<u8>> {
    let encoded = base64(text.as_bytes());
    (encoded.len() <= LIMIT).then(|| wrap(&format!("\x1b]52;c;{encoded}\x07"), tmux))
}

/// What announces a text; nothing when that is not wanted.
pub fn announcement(how: Announce, text: &str, tmux: bool) -> Vec<u8> {
    match how {
        Announce::Off => Vec::new(),
        // tmux hands the bell on by itself.
        Announce::Bell => b"\x07".to_vec(),
        // The text holds names of other people's making: nothing in it may end the sequence.
        Announce::Osc9 => wrap(&format!("\x1b]9;{}\x07", SafeText::new(text)), tmux),
    }
}

/// `ESC P tmux; … ESC \`, every ESC inside doubled.
fn wrap(sequence: &str, tmux: bool) -> Vec<u8> {
    if !tmux {
        return sequence.as_bytes().to_vec();
    }
    format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")).into_bytes()
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let part = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let whole = part(0) << 16 | part(1) << 8 | part(2);
        for place in 0..4 {
            let index = (whole >> (18 - 6 * place)) & 63;
            let letter = LETTERS.get(index as usize).copied().unwrap_or(b'=');
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in pairs {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn a_copy_is_one_sequence_and_inside_tmux_one_that_it_hands_on() {
        assert_eq!(copy("foo", false).unwrap(), b"\x1b]52;c;Zm9v\x07");
        assert_eq!(copy("foo", true).unwrap(), b"\x1bPtmux;\x1b\x1b]52;c;Zm9v\x07\x1b\\");
    }

    #[test]
    fn a_text_that_no_clipboard_takes_is_not_sent() {
        let most = LIMIT / 4 * 3;
        assert!(copy(&"x".repeat(most), false).is_some());
        assert_eq!(copy(&"x".repeat(most + 3), false), None);
    }

    #[test]
    fn an_announcement_holds_no_sequence_but_its_own() {
        let bytes = announcement(Announce::Osc9, "shop\x07\x1b]52;c;AAA\x07", false);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\x1b').count(), 1, "{text:?}");
        assert_eq!(text.matches('\x07').count(), 1, "{text:?}");
        assert_eq!(announcement(Announce::Off, "x", false), b"");
    }
}
