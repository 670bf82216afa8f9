//! Snapshots: every state at three sizes in ASCII without colour, which is also the proof that no
//! state is told apart by colour alone; some in UTF-8, and how they are coloured.

use std::fmt::Write as _;

use backout::tui::widgets::Look;
use ratatui::style::Style;

use super::samples::{self, Sample};
use super::{Bench, ascii, dark, text};

const SIZES: [(u16, u16); 3] = [(60, 15), (80, 24), (120, 40)];

fn hold(name: &str, picture: &str) {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(format!("console-{name}"), picture);
    });
}

fn at_all_sizes(sample: &Sample, keys: &str, typed: &str, look: &Look) -> String {
    let mut pictures = String::new();
    for size in SIZES {
        let mut bench = Bench::new(sample.clone(), size);
        bench.keys(keys);
        bench.types(typed);
        let frame = bench.frame(look);
        let _ = writeln!(pictures, "--- {}x{} cursor {:?} ---", size.0, size.1, frame.cursor);
        pictures.push_str(&text(&frame));
    }
    pictures
}

#[test]
fn every_state_looks_as_it_did() {
    for sample in samples::all() {
        hold(sample.name, &at_all_sizes(&sample, "", "", &ascii()));
    }
}

#[test]
fn every_dialog_looks_as_it_did() {
    let dialogs = [
        ("level", "assess", "L", ""),
        ("confirm-empty", "plan", "R", ""),
        ("confirm-half", "plan", "R", "ROLLB"),
        ("confirm-wrong", "plan", "R", "rollb"),
        ("confirm-whole", "plan", "R", "ROLLBACK"),
        ("full-plan", "plan", "F2", ""),
        ("answer", "assess", "a", ""),
        ("detach", "run", "q", ""),
        ("abort", "run", "x", "UND"),
        ("pause", "run", "p", ""),
        ("resume", "paused", "p", ""),
        ("mark-done", "waiting-unknown", "d", "DONE"),
        ("try-again", "waiting-failed", "t", ""),
        ("end-watch", "watch", "v", ""),
        ("note", "run", "N", "hello"),
        ("find", "assess", "/", "api"),
        ("help", "assess", "?", ""),
        ("close", "report", "C", ""),
        ("check-detail", "assess", "Tab j j j", ""),
        ("hold", "can-hold", "H", ""),
        ("hold-whole", "can-hold", "H 1 2", "HOLD"),
        ("unhold", "held", "U", ""),
        ("choose", "gate", "R", ""),
        ("choose-swap", "gate", "R", "ROLLBACK"),
        ("export", "can-export", "e", ""),
        ("full-plan-files", "plan-files", "F2", ""),
        ("veto", "rule-plan", "V", ""),
        ("rules", "rule-plan", "r", ""),
        ("rules-frozen", "frozen", "r", ""),
        ("people", "escalates", "A", ""),
        ("compare", "assess", "=", ""),
        ("budgets", "assess", "%", ""),
    ];
    for (name, state, keys, typed) in dialogs {
        let sample = samples::named(state);
        hold(name, &at_all_sizes(&sample, keys, typed, &ascii()));
    }
}

#[test]
fn the_main_stages_look_as_they_did_in_utf8() {
    for name in ["assess", "plan", "run", "waiting-unknown", "watch", "report"] {
        let bench = Bench::at(name, (80, 24));
        hold(&format!("{name}-utf8"), &text(&bench.frame(&dark())));
    }
}

#[test]
fn the_main_stages_look_as_they_did_where_there_is_much_room() {
    for name in ["detect", "assess", "level", "plan", "run", "validate", "watch", "report"] {
        let state = if name == "level" { "assess" } else { name };
        let mut bench = Bench::at(state, (200, 60));
        bench.keys(if name == "level" { "L" } else { "" });
        hold(&format!("wide-{name}"), &text(&bench.frame(&ascii())));
    }
    for (name, state, keys) in [
        ("gate", "gate", ""),
        ("choose", "gate", "R"),
        ("export", "can-export", "e"),
        ("full-plan-files", "plan-files", "F2"),
        ("rule-plan", "rule-plan", ""),
        ("people", "escalates", "A"),
    ] {
        let mut bench = Bench::at(state, (200, 60));
        bench.keys(keys);
        hold(&format!("wide-{name}"), &text(&bench.frame(&ascii())));
    }
}

/// Runs of equally styled cells, one line each.
fn styles(bench: &Bench, look: &Look) -> String {
    let frame = bench.frame(look);
    let mut list = String::new();
    for y in 0..frame.buffer.area.height {
        let mut run: Option<(Style, String)> = None;
        let mut flush = |run: &mut Option<(Style, String)>| {
            if let Some((style, words)) = run.take()
                && style != Style::reset()
                && !words.trim().is_empty()
            {
                let mods = style.add_modifier;
                let _ = writeln!(
                    list,
                    "{y:>2} {:?}/{:?} {mods:?}: {}",
                    style.fg,
                    style.bg,
                    words.trim()
                );
            }
        };
        for x in 0..frame.buffer.area.width {
            let cell = &frame.buffer[(x, y)];
            let style = Style::reset().fg(cell.fg).bg(cell.bg).add_modifier(cell.modifier);
            match &mut run {
                Some((same, words)) if *same == style => words.push_str(cell.symbol()),
                _ => {
                    flush(&mut run);
                    run = Some((style, cell.symbol().to_owned()));
                }
            }
        }
        flush(&mut run);
    }
    list
}

#[test]
fn colours_and_attributes_are_as_they_were() {
    for name in ["assess", "waiting-unknown"] {
        let bench = Bench::at(name, (80, 24));
        hold(&format!("{name}-style-dark"), &styles(&bench, &dark()));
        hold(&format!("{name}-style-mono"), &styles(&bench, &ascii()));
    }
}

#[test]
fn ascii_holds_nothing_but_ascii() {
    for sample in samples::all() {
        for size in SIZES {
            let mut bench = Bench::new(sample.clone(), size);
            for keys in ["", "?", "q"] {
                bench.keys(keys);
                assert!(text(&bench.frame(&ascii())).is_ascii(), "{} {size:?}", sample.name);
                bench.keys("Esc");
            }
        }
    }
}

#[test]
fn the_verdict_and_the_way_out_are_always_on_the_screen() {
    for sample in samples::all() {
        for size in SIZES {
            let bench = Bench::new(sample.clone(), size);
            let shown = bench.text();
            let head: String = sample.lines.next.chars().take(20).collect();
            assert!(shown.contains(&head), "{} {size:?}\n{shown}", sample.name);
            assert!(shown.contains("q Detach"), "{} {size:?}\n{shown}", sample.name);
        }
    }
}
