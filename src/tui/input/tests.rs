use super::*;

fn keys(bytes: &[u8]) -> Vec<Input> {
    let mut decoder = Decoder::default();
    let mut found = decoder.feed(bytes);
    found.extend(decoder.flush());
    found
}

fn key(code: Code) -> Input {
    Input::Key(Key::plain(code))
}

#[test]
fn letters_controls_and_sequences_become_keys() {
    assert_eq!(keys(b"a"), [key(Code::Char('a'))]);
    assert_eq!(keys("ß".as_bytes()), [key(Code::Char('ß'))]);
    assert_eq!(keys(b"\r\t\x7f"), [key(Code::Enter), key(Code::Tab), key(Code::Backspace)]);
    assert_eq!(keys(b"\x03\x1a"), [Input::Key(Key::ctrl('c')), Input::Key(Key::ctrl('z'))]);
    assert_eq!(keys(b"\x1b[A\x1bOB"), [key(Code::Up), key(Code::Down)]);
    assert_eq!(keys(b"\x1b[5~\x1b[Z"), [key(Code::PageUp), key(Code::BackTab)]);
    let functions = [key(Code::F(1)), key(Code::F(2)), key(Code::F(5)), key(Code::F(12))];
    assert_eq!(keys(b"\x1bOP\x1b[12~\x1b[15~\x1b[24~"), functions);
    assert_eq!(keys(b"\x1b[[B"), [key(Code::F(2))], "the Linux console");
    let alt = Key { alt: true, ..Key::char('3') };
    assert_eq!(keys(b"\x1b3"), [Input::Key(alt)]);
}

#[test]
fn a_lone_escape_waits_for_its_tail() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.feed(b"\x1b"), []);
    assert!(decoder.waits());
    assert_eq!(decoder.feed(b"[A"), [key(Code::Up)], "it came in two pieces");
    assert_eq!(decoder.feed(b"\x1b"), []);
    assert_eq!(decoder.flush(), [key(Code::Esc)]);
    assert!(!decoder.waits());
    assert_eq!(keys(b"\x1b\x1b[A"), [key(Code::Esc), key(Code::Up)]);
}

#[test]
fn a_paste_is_one_thing_and_no_keys() {
    let pasted = keys(b"\x1b[200~ROLLBACK\r\x1b[A\x1b[201~x");
    let text = "ROLLBACK\r\x1b[A".to_owned();
    assert_eq!(pasted, [Input::Paste(text), key(Code::Char('x'))]);
}

#[test]
fn answers_of_the_terminal_are_no_keys() {
    assert_eq!(keys(b"\x1b]11;rgb:0000/0000/0000\x07a"), [key(Code::Char('a'))]);
    assert_eq!(keys(b"\x1bP1+r\x1b\\a"), [key(Code::Char('a'))]);
    assert_eq!(keys(b"\x1b[?62;c\x1b[3n"), []);
    assert_eq!(keys(b"\x1b[0na"), [Input::Alive, key(Code::Char('a'))]);
}

#[test]
fn clicks_and_the_wheel_are_no_keys() {
    let mouse = |at, wheel| Input::Mouse(Mouse { at, wheel });
    assert_eq!(keys(b"\x1b[<0;5;3M\x1b[<0;5;3m"), [mouse((4, 2), 0)]);
    assert_eq!(keys(b"\x1b[<64;200;1M\x1b[<65;1;1M"), [mouse((199, 0), -1), mouse((0, 0), 1)]);
    assert_eq!(keys(b"\x1b[<2;5;3M\x1b[<0;0;3M\x1b[<M"), [], "another button, no place");
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_decoder_and_nothing_is_kept_for_ever(bytes: Vec<u8>) {
        let mut decoder = Decoder::default();
        for byte in &bytes {
            decoder.feed(&[*byte]);
            proptest::prop_assert!(decoder.held.len() <= LIMIT);
        }
        decoder.flush();
        proptest::prop_assert!(!decoder.waits());
    }
}
