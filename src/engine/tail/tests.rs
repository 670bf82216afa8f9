use std::io::Write as _;

use crate::journal::spool::{Page, Query, SpoolReader};

use super::*;

struct Stage {
    dir: tempfile::TempDir,
    clock: Clock,
}

impl Stage {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Clock::real() }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("app.log")
    }

    fn write(&self, text: &str) {
        let file = File::options().append(true).create(true).open(self.log());
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn followed(&self) -> Followed {
        let source = LogSource { source: "app".to_owned(), path: self.log() };
        let spool = self.dir.path().join("spool");
        let writer = SourceWriter::open(&spool, "app", Limits::default()).unwrap();
        Followed::new(source, writer)
    }

    fn turn(&self, followed: &mut Followed) {
        let mut buffer = vec![0; 64];
        while followed.turn(&mut buffer, &self.clock) {}
    }

    fn page(&self) -> Page {
        let mut reader = SpoolReader::open(&self.dir.path().join("spool")).unwrap();
        reader.page(&Query { rows: 10_000, ..Query::default() }).unwrap()
    }

    fn texts(&self) -> Vec<String> {
        let line = |line: &crate::journal::spool::LogLine| {
            if line.gap { format!("-- {}", line.text) } else { line.text.to_string() }
        };
        self.page().lines.iter().map(line).collect()
    }
}

#[test]
fn an_engine_goes_on_where_the_one_before_ended_without_losing_or_doubling_a_line() {
    let stage = Stage::new();
    stage.write("one\ntwo\nhalf a li");
    let mut first = stage.followed();
    stage.turn(&mut first);
    drop(first);
    stage.write("ne\nfour\n");
    stage.turn(&mut stage.followed());
    assert_eq!(stage.texts(), ["one", "two", "half a line", "four"]);
}

#[test]
fn what_was_written_just_before_a_rotation_is_read_and_the_rotation_is_said() {
    let stage = Stage::new();
    stage.write("one\n");
    let mut followed = stage.followed();
    stage.turn(&mut followed);
    stage.write("two\nno end");
    std::fs::rename(stage.log(), stage.dir.path().join("app.log.1")).unwrap();
    stage.write("three\n");
    stage.turn(&mut followed);
    let rotated = "-- the file was rotated: a new one begins here";
    assert_eq!(stage.texts(), ["one", "two", "no end", rotated, "three"]);
}

#[test]
fn a_file_that_goes_away_and_one_that_is_truncated_are_said() {
    let stage = Stage::new();
    stage.write("one\n");
    let mut followed = stage.followed();
    stage.turn(&mut followed);
    std::fs::remove_file(stage.log()).unwrap();
    stage.turn(&mut followed);
    stage.turn(&mut followed);
    stage.write("two\nand more\n");
    stage.turn(&mut followed);
    File::options().write(true).open(stage.log()).unwrap().set_len(0).unwrap();
    stage.write("x\n");
    stage.turn(&mut followed);
    assert_eq!(
        stage.texts(),
        ["one", "-- the file is not there", "two", "and more", "-- the file was truncated", "x"]
    );
}

#[test]
fn a_file_followed_for_the_first_time_begins_with_a_whole_line() {
    let stage = Stage::new();
    let line = format!("{}\n", "x".repeat(99));
    for number in 0..1_000 {
        stage.write(&format!("{number:03}{}", &line[3..]));
    }
    stage.turn(&mut stage.followed());
    let page = stage.page();
    assert_eq!(page.lines.len(), 655);
    assert!(page.lines.iter().all(|line| line.text.as_str().len() == 99));
}
