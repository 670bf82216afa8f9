//! What a screen costs on the line, through the painter that the terminal gets its bytes from.

use backout::tui::state::Msg;
use backout::tui::world::LogRow;
use backout::tui::writer::Painter;

use super::samples::{HOSTILE, at};
use super::{Bench, ascii, dark};

/// Columns, rows, and the most bytes of a whole repaint and of a second.
const BARS: [(u16, u16, usize, usize); 3] =
    [(80, 24, 6_000, 1_000), (120, 40, 11_000, 1_500), (200, 60, 18_000, 2_500)];

const STATES: [&str; 8] =
    ["assess", "plan", "run", "run-slow", "waiting-unknown", "watch", "report", "troubles"];

#[test]
fn a_whole_repaint_stays_under_its_bar() {
    for (width, height, whole, _) in BARS {
        for name in STATES {
            for look in [dark(), ascii()] {
                let bench = Bench::at(name, (width, height));
                let bytes = Painter::default().paint(&bench.frame(&look)).len();
                assert!(bytes <= whole, "{name} {width}x{height}: {bytes} bytes");
                assert!(bytes > 500, "{name} {width}x{height}: only {bytes} bytes were drawn");
            }
        }
    }
}

#[test]
fn nothing_changed_costs_nothing() {
    for name in STATES {
        let mut bench = Bench::at(name, (120, 40));
        let mut painter = Painter::default();
        painter.paint(&bench.frame(&dark()));
        for _ in 0..10 {
            bench.msg(Msg::Changed);
            assert_eq!(painter.paint(&bench.frame(&dark())).len(), 0, "{name}");
        }
    }
}

/// The clock and every age move.
#[test]
fn a_second_stays_under_its_bar() {
    for (width, height, _, second) in BARS {
        for name in STATES {
            let mut bench = Bench::at(name, (width, height));
            let mut painter = Painter::default();
            painter.paint(&bench.frame(&dark()));
            for _ in 0..5 {
                bench.now += chrono::Duration::seconds(1);
                bench.msg(Msg::Tick);
                let bytes = painter.paint(&bench.frame(&dark())).len();
                assert!(bytes > 0, "{name}: the clock stands");
                assert!(bytes <= second, "{name} {width}x{height}: {bytes} bytes");
            }
        }
    }
}

#[test]
fn a_burst_of_forty_lines_costs_no_more_than_a_pane() {
    let mut bench = Bench::at("run", (120, 40));
    let mut painter = Painter::default();
    painter.paint(&bench.frame(&dark()));
    for number in 0..40 {
        bench.world().logs.lines.push(LogRow {
            at: at(110),
            source: "api".into(),
            severity: 'I',
            text: format!("request {number} took {} ms", number * 7).as_str().into(),
            folded: 1,
            ..LogRow::default()
        });
    }
    bench.msg(Msg::Changed);
    let bytes = painter.paint(&bench.frame(&dark())).len();
    assert!(bytes <= 2_500, "{bytes} bytes");
}

/// Every escape sequence in the stream is one of the few that we send.
#[test]
fn no_sequence_of_a_log_reaches_the_terminal() {
    for size in [(60, 15), (80, 24), (120, 40)] {
        let mut bench = Bench::at("hostile", size);
        for keys in ["", "j", "Tab", "F6", "Esc", "/"] {
            bench.keys(keys);
            for look in [dark(), ascii()] {
                let bytes = Painter::default().paint(&bench.frame(&look));
                let stream = String::from_utf8(bytes).unwrap();
                let ours = foreign(&stream);
                assert_eq!(ours, Vec::<String>::new(), "{size:?} {keys}");
                for hostile in HOSTILE {
                    assert!(!stream.contains(hostile), "{hostile:?}");
                }
            }
        }
    }
}

/// Sequences that the painter has no business sending.
fn foreign(stream: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, piece) in stream.split('\u{1b}').enumerate() {
        if number == 0 {
            found.extend((!piece.is_empty()).then(|| piece.to_owned()));
            continue;
        }
        let title = piece.strip_prefix("]2;").map(|rest| rest.split_once('\u{7}'));
        let rest = match title {
            Some(Some((name, rest))) if !name.chars().any(char::is_control) => rest,
            Some(_) => piece,
            None => {
                let body = piece.strip_prefix('[').unwrap_or("?");
                let body = body.strip_prefix('?').unwrap_or(body);
                let end = body.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(0);
                let last = body[end..].chars().next().unwrap_or(' ');
                if !matches!(last, 'm' | 'H' | 'J' | 'h' | 'l') {
                    found.push(piece.to_owned());
                }
                &body[(end + last.len_utf8()).min(body.len())..]
            }
        };
        if rest.chars().any(|c| c.is_control() || ('\u{80}'..='\u{9f}').contains(&c)) {
            found.push(piece.to_owned());
        }
    }
    found
}

#[test]
fn the_search_for_foreign_sequences_finds_one() {
    assert_eq!(foreign("\u{1b}[31mred\u{1b}[0m"), Vec::<String>::new());
    for bad in ["\u{1b}]52;c;AAA\u{7}", "\u{1b}c", "\u{1b}[0mbell\u{7}", "\u{1b}P+q\u{1b}\\"] {
        assert!(!foreign(bad).is_empty(), "{bad:?}");
    }
}
