use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use chrono::TimeZone as _;
use proptest::prelude::*;

use crate::journal::spool::{FileReader, Limits, SourceWriter, SpoolReader};
use crate::tui::logs::ask::Layer;
use crate::tui::state::Least;
use crate::tui::world::{LogPage, LogRow};

use super::*;

struct Stage<S> {
    _dir: tempfile::TempDir,
    path: PathBuf,
    now: Time,
    pager: Pager<S>,
}

fn begin() -> Time {
    chrono::Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap()
}

/// A pager of 10 rows over a file.
fn stage(lines: usize) -> Stage<FileReader> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    File::create(&path).unwrap();
    write(&path, 0..lines);
    let files = FileReader::open(std::slice::from_ref(&path)).unwrap();
    let pager = Pager::new(files, 10, Choice::default(), begin()).unwrap();
    Stage { _dir: dir, path, now: begin(), pager }
}

fn write(path: &PathBuf, numbers: std::ops::Range<usize>) {
    let mut file = File::options().append(true).open(path).unwrap();
    for number in numbers {
        let level = if number % 50 == 7 { "ERROR" } else { "INFO" };
        writeln!(file, "{level} line {number}").unwrap();
    }
}

impl<S: Store> Stage<S> {
    fn ask(&mut self, ask: Ask) -> LogPage {
        self.pager.ask(ask, self.now).unwrap();
        self.settle()
    }

    fn settle(&mut self) -> LogPage {
        for _ in 0..1_000_000 {
            if !self.pager.is_busy() {
                return self.pager.page(self.now);
            }
            self.pager.work().unwrap();
        }
        panic!("no end");
    }

    fn look(&mut self, ms: i64) -> LogPage {
        self.now += chrono::Duration::milliseconds(ms);
        self.pager.look(self.now).unwrap();
        self.settle()
    }
}

fn numbers(page: &LogPage) -> Vec<usize> {
    let number = |row: &LogRow| row.text.as_str().rsplit(' ').next().unwrap().parse().unwrap();
    page.lines.iter().map(number).collect()
}

fn selected(page: &LogPage) -> usize {
    numbers(page)[page.cursor.unwrap()]
}

#[test]
fn it_follows_the_end_and_any_step_up_stands_still() {
    let mut stage = stage(100);
    assert_eq!(numbers(&stage.look(0)), (90..100).collect::<Vec<_>>());
    write(&stage.path, 100..103);
    assert_eq!(numbers(&stage.look(100)), (93..103).collect::<Vec<_>>());
    let page = stage.ask(Ask::Move(-1));
    assert!(page.paused);
    assert_eq!(selected(&page), 101);
    write(&stage.path, 103..110);
    let page = stage.look(100);
    assert_eq!((selected(&page), page.behind), (101, 7));
    assert_eq!(selected(&stage.ask(Ask::Move(4))), 105);
    assert_eq!(selected(&stage.ask(Ask::Move(-100))), 5);
    assert_eq!(selected(&stage.ask(Ask::Move(-100))), 0);
    assert_eq!(selected(&stage.ask(Ask::Move(1_000))), 109);
    let page = stage.ask(Ask::Follow);
    assert!(!page.paused);
    assert_eq!(numbers(&page), (100..110).collect::<Vec<_>>());
    assert_eq!(selected(&stage.ask(Ask::Top)), 0);
}

#[test]
fn a_flood_is_sampled_with_its_errors_and_shown_whole_when_it_is_over() {
    let mut stage = stage(20);
    stage.look(1_000);
    write(&stage.path, 20..1_020);
    let page = stage.look(100);
    let shown = numbers(&page);
    assert_eq!(shown.last(), Some(&1_019));
    assert!(shown.iter().filter(|number| *number % 50 == 7).count() >= 8, "{shown:?}");
    let counts = stage.pager.counts();
    assert_eq!((counts.came, counts.shown + counts.sampled), (1_000, 1_000));
    let page = stage.look(100);
    assert_eq!(numbers(&page), (1_010..1_020).collect::<Vec<_>>());
    assert_eq!(stage.pager.counts().came, 1_000);
}

#[test]
fn no_more_than_sixty_lines_a_second_are_drawn() {
    let mut stage = stage(0);
    stage.look(1_000);
    let before = stage.pager.counts().shown;
    for round in 0..100 {
        write(&stage.path, round * 1_000..(round + 1) * 1_000);
        stage.look(100);
    }
    let counts = stage.pager.counts();
    assert!(counts.shown - before <= 610 + 10, "{counts:?}");
    assert_eq!(counts.came, 100_000);
}

#[test]
fn find_looks_through_the_whole_file_and_steps_both_ways_round() {
    let mut stage = stage(5_000);
    let page = stage.ask(Ask::Find(Some("line 77".to_owned())));
    // The newest first: 779 is the last of 77, 770 to 779.
    assert_eq!(selected(&page), 779);
    assert!(!page.lines[page.cursor.unwrap()].found.is_empty());
    assert_eq!(selected(&stage.ask(Ask::Step(true))), 778);
    assert_eq!(selected(&stage.ask(Ask::Step(false))), 779);
    let page = stage.ask(Ask::Step(false));
    assert_eq!(selected(&page), 77);
    assert!(page.found.unwrap().contains("beginning"), "the wrap is said");
    let page = stage.ask(Ask::Find(Some("~line 4[0-9]{3}$".to_owned())));
    assert_eq!(selected(&page), 4_999);
    let page = stage.ask(Ask::Find(Some("nothing of the kind".to_owned())));
    assert!(page.found.unwrap().contains("anywhere"));
    let page = stage.ask(Ask::Find(Some("~(".to_owned())));
    assert!(!page.lines.is_empty());
}

#[test]
fn find_within_a_filter_finds_only_what_is_let_through() {
    let mut stage = stage(1_000);
    let choice = Choice { least: Least::Error, ..Choice::default() };
    let page = stage.ask(Ask::Choose(choice));
    assert_eq!(numbers(&page), [507, 557, 607, 657, 707, 757, 807, 857, 907, 957]);
    let page = stage.ask(Ask::Find(Some("line 1".to_owned())));
    assert_eq!(selected(&page), 157);
    assert_eq!(selected(&stage.ask(Ask::Step(true))), 107);
}

#[test]
fn a_filter_keeps_the_selected_line() {
    let mut stage = stage(1_000);
    stage.ask(Ask::Move(-93));
    let layer = Layer::typed("-line 9").unwrap();
    let page = stage.ask(Ask::Choose(Choice { stack: vec![layer], ..Choice::default() }));
    assert!(page.paused);
    assert_eq!(selected(&page), 899);
    assert_eq!(page.choice, "|1/1");
}

#[test]
fn a_mark_stays_with_its_line() {
    let mut stage = stage(100);
    stage.ask(Ask::Move(-10));
    let page = stage.ask(Ask::Mark);
    assert!(page.lines[page.cursor.unwrap()].marked);
    let page = stage.ask(Ask::Move(-3));
    let marked: Vec<usize> =
        page.lines.iter().enumerate().filter(|(_, row)| row.marked).map(|(at, _)| at).collect();
    assert_eq!(marked.iter().map(|at| numbers(&page)[*at]).collect::<Vec<_>>(), [89]);
}

#[test]
fn the_spool_is_found_through_and_not_only_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { segment: 16 * 1024, ..Limits::default() };
    let mut api = SourceWriter::open(dir.path(), "api", limits.clone()).unwrap();
    let mut db = SourceWriter::open(dir.path(), "db", limits).unwrap();
    for number in 0..4_000_i64 {
        let at = begin() + chrono::Duration::milliseconds(number);
        let writer = if number.rem_euclid(3) == 0 { &mut db } else { &mut api };
        writer.append(at, format!("INFO line {number}").as_bytes()).unwrap();
    }
    api.flush().unwrap();
    db.flush().unwrap();
    let spool = SpoolReader::open(dir.path()).unwrap();
    let pager = Pager::new(spool, 10, Choice::default(), begin()).unwrap();
    let mut stage = Stage { path: dir.path().to_owned(), _dir: dir, now: begin(), pager };
    let page = stage.ask(Ask::Find(Some("line 123".to_owned())));
    assert_eq!(selected(&page), 1_239);
    assert_eq!(
        numbers(&page)[page.cursor.unwrap() - 3..=page.cursor.unwrap() + 3],
        [1_236, 1_237, 1_238, 1_239, 1_240, 1_241, 1_242]
    );
    assert_eq!(selected(&stage.ask(Ask::Step(true))), 1_238);
    api.append(begin() + chrono::Duration::seconds(5), b"INFO line 9999").unwrap();
    api.flush().unwrap();
    stage.look(100);
    assert_eq!(stage.pager.counts(), Counts { came: 1, hidden: 1, ..Counts::default() });
    assert_eq!(numbers(&stage.ask(Ask::Follow)).last(), Some(&9_999));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_line_that_comes_is_in_exactly_one_of_the_counts(
        rounds in prop::collection::vec((0usize..200, 0i64..300, 0u8..8), 1..20),
    ) {
        let mut stage = stage(5);
        let mut written = 5;
        for (lines, ms, deed) in rounds {
            write(&stage.path, written..written + lines);
            written += lines;
            let ask = match deed {
                0 => Some(Ask::Hold),
                1 => Some(Ask::Follow),
                2 => Some(Ask::Move(-3)),
                3 => Some(Ask::Choose(Choice { least: Least::Error, ..Choice::default() })),
                4 => Some(Ask::Choose(Choice::default())),
                _ => None,
            };
            if let Some(ask) = ask {
                stage.ask(ask);
            }
            stage.look(ms);
            let counts = stage.pager.counts();
            prop_assert_eq!(counts.came, counts.shown + counts.hidden + counts.sampled);
        }
        prop_assert_eq!(stage.pager.counts().came, (written - 5) as u64);
    }
}
