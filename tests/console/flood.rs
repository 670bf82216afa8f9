//! What logs that come fast cost on the line: the pager that the console reads them with, at the
//! pace of its pane, through the painter that the terminal gets its bytes from.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use backout::journal::spool::FileReader;
use backout::tui::logs::ask::Choice;
use backout::tui::logs::pager::Pager;
use backout::tui::logs::reader::Pace;
use backout::tui::pane::PaneKind;
use backout::tui::state::Msg;
use backout::tui::writer::Painter;

use super::{Bench, dark};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
/// The most bytes a second.
const FLOOD: [usize; 3] = [5_000, 15_000, 25_000];
const CHATTER: [usize; 3] = [1_000, 1_500, 2_500];
const SECONDS: usize = 10;

fn write(path: &Path, from: usize, lines: usize, all_well: bool) {
    let mut file = std::fs::File::options().append(true).open(path).unwrap();
    let mut text = String::new();
    for number in from..from + lines {
        let level = match number % 10 {
            _ if all_well => "INFO",
            3 => "ERROR",
            7 => "WARN",
            _ => "INFO",
        };
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        writeln!(
            text,
            "2026-11-22T23:58:{:02}.{:03}Z {level} request handled path=/api/v1/items/{} \
             status=200 dur_ms={} req={hash:016x} ip=10.{}.{}.7",
            number / 10_000 % 60,
            number % 1_000,
            hash % 99_991,
            hash % 900,
            hash % 251,
            hash % 241,
        )
        .unwrap();
    }
    file.write_all(text.as_bytes()).unwrap();
}

/// Bytes a second while so many lines a second come.
fn bytes(size: (u16, u16), per_second: usize, all_well: bool) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    std::fs::File::create(&path).unwrap();
    let mut bench = Bench::at("assess", size);
    bench.ui.focus = PaneKind::Logs;
    let files = FileReader::open(std::slice::from_ref(&path)).unwrap();
    let mut pager = Pager::new(files, usize::from(size.1), Choice::default(), bench.now).unwrap();
    let look = dark();
    let mut painter = Painter::default();
    let looks = usize::try_from(1_000 / Pace::PANE.look.as_millis()).unwrap();
    let (mut written, mut sum) = (0, 0);
    let mut said = bench.now;
    for round in 0..looks * (SECONDS + 2) {
        if round == looks * 2 {
            // The first screenful and the first rates are not what a second costs.
            sum = 0;
        }
        let lines = per_second / looks;
        write(&path, written, lines, all_well);
        written += lines;
        bench.now += Pace::PANE.look;
        pager.look(bench.now).unwrap();
        if pager.is_loud()
            || bench.now - said >= chrono::Duration::from_std(Pace::PANE.calm).unwrap()
        {
            said = bench.now;
            bench.world().logs = pager.page(bench.now);
            bench.msg(Msg::Changed);
        }
        if round.is_multiple_of(looks) {
            bench.msg(Msg::Tick);
        }
        sum += painter.paint(&bench.frame(&look)).len();
    }
    let counts = pager.counts();
    assert_eq!(counts.came, written as u64);
    assert_eq!(counts.came, counts.shown + counts.hidden + counts.sampled);
    sum / SECONDS
}

#[test]
fn a_flood_of_ten_thousand_lines_a_second_stays_under_its_bar() {
    for (size, most) in SIZES.into_iter().zip(FLOOD) {
        let cost = bytes(size, 10_000, false);
        assert!(cost <= most, "{size:?}: {cost} bytes a second");
        assert!(cost > 500, "{size:?}: nothing was drawn");
    }
}

#[test]
fn chatter_of_a_healthy_service_costs_no_more_than_an_idle_screen() {
    for (size, most) in SIZES.into_iter().zip(CHATTER) {
        let cost = bytes(size, 150, true);
        assert!(cost <= most, "{size:?}: {cost} bytes a second");
    }
}
