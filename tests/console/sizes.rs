//! Every state at every size, and every state told apart by its words alone.

use std::collections::BTreeMap;

use backout::tui::glyphs::{ASCII, BRAILLE, UTF8};
use backout::tui::state::Msg;
use backout::tui::theme::{Depth, Theme};
use backout::tui::widgets::Look;

use super::samples;
use super::{Bench, ascii, text};

/// Both sides of every breakpoint, the smallest, the largest, and some between.
const WIDTHS: [u16; 30] = [
    1, 2, 3, 5, 8, 12, 20, 30, 39, 40, 41, 59, 60, 61, 70, 79, 80, 81, 100, 109, 110, 111, 140,
    179, 180, 181, 200, 220, 260, 300,
];
const HEIGHTS: [u16; 30] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 18, 20, 23, 24, 25, 28, 31, 32, 33, 40, 49,
    50, 51, 60, 100,
];

fn looks() -> [Look; 3] {
    let look = |name, glyphs| Look { theme: Theme::named(name, Depth::True).unwrap(), glyphs };
    [look("mono", ASCII), look("high-contrast", UTF8), look("cvd-light", BRAILLE)]
}

/// Each state takes every thirtieth pair of a width and a height, each another one, so that
/// every pair is drawn by several states.
#[test]
fn every_state_is_drawn_at_every_size() {
    let looks = looks();
    let mut drawn = 0;
    for (turn, sample) in samples::all().into_iter().enumerate() {
        for (column, width) in WIDTHS.into_iter().enumerate() {
            for (row, height) in HEIGHTS.into_iter().enumerate() {
                if !(column * HEIGHTS.len() + row + turn * 5).is_multiple_of(30) {
                    continue;
                }
                let bench = Bench::new(sample.clone(), (width, height));
                let frame = bench.frame(&looks[(column + row) % 3]);
                let area = frame.buffer.area;
                assert_eq!((area.width, area.height), (width, height), "{}", sample.name);
                if let Some((x, y)) = frame.cursor {
                    assert!(x < width && y < height, "{} {width}x{height}", sample.name);
                }
                drawn += 1;
            }
        }
    }
    assert!(drawn > 600, "{drawn}");
}

/// A dialog or a zoomed pane has its own arithmetic.
#[test]
fn dialogs_and_single_panes_are_drawn_at_every_size() {
    let looks = looks();
    for (turn, (state, keys)) in [
        ("assess", "z"),
        ("watch", "Tab Tab z"),
        ("plan", "R"),
        ("run", "x"),
        ("run", "F6"),
        ("assess", "?"),
        ("assess", "/"),
        ("report", "+ + +"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut ready = Bench::at(state, (80, 24));
        ready.keys(keys);
        for (column, width) in WIDTHS.into_iter().enumerate() {
            for (row, height) in HEIGHTS.into_iter().enumerate() {
                if !(column * 7 + row + turn).is_multiple_of(30) {
                    continue;
                }
                let mut bench = ready.clone();
                bench.msg(Msg::Resized(width, height));
                bench.frame(&looks[(column + row) % 3]);
            }
        }
    }
}

/// What is left of a picture when colour, the verdict's own words and all numbers are taken away.
fn bare(name: &str, size: (u16, u16)) -> String {
    let bench = Bench::at(name, size);
    let shown = text(&bench.frame(&ascii()));
    let (what, next) = (bench.lines.what.as_str(), bench.lines.next.as_str());
    let lines = shown.lines().filter(|line| {
        let line = line.trim();
        line.is_empty() || !(what.starts_with(line) || next.starts_with(line))
    });
    let lines: Vec<&str> = lines.collect();
    lines.join("\n").replace(|letter: char| letter.is_ascii_digit(), "0")
}

#[test]
fn words_alone_tell_every_state_apart() {
    for size in [(60, 15), (80, 24), (120, 40), (200, 60)] {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for sample in samples::all() {
            if let Some(other) = seen.insert(bare(sample.name, size), sample.name) {
                panic!("{} and {other} look the same at {size:?}", sample.name);
            }
        }
    }
}

#[test]
fn ascii_is_ascii_where_there_is_room_for_curves() {
    for sample in samples::all() {
        let bench = Bench::new(sample, (200, 60));
        assert!(text(&bench.frame(&ascii())).is_ascii());
    }
}
