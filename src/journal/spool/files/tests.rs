use std::io::Write as _;

use chrono::TimeZone as _;
use proptest::prelude::*;

use super::super::{LogLine, Rule};
use super::*;

fn now() -> Time {
    chrono::Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap()
}

fn write(path: &Path, text: &[u8]) {
    let file = File::options().append(true).create(true).open(path);
    file.unwrap().write_all(text).unwrap();
}

fn one(text: &[u8]) -> (tempfile::TempDir, PathBuf, FileReader) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    write(&path, text);
    let reader = FileReader::open(std::slice::from_ref(&path)).unwrap();
    (dir, path, reader)
}

fn texts(lines: &[LogLine]) -> Vec<String> {
    lines.iter().map(|line| line.text.to_string()).collect()
}

/// All lines, by paging up from the end, or down from the beginning.
fn all(reader: &mut FileReader, query: &Query, up: bool) -> Vec<LogLine> {
    let mut place = if up { Place::Follow } else { Place::After(Position::default()) };
    let mut pages = Vec::new();
    for _ in 0..10_000 {
        let page = reader.page(&Query { place, ..query.clone() }).unwrap();
        pages.push(page.lines);
        if up && page.more_above {
            place = Place::Before(page.start);
        } else if !up && page.more_below {
            place = Place::After(page.end);
        } else {
            if up {
                pages.reverse();
            }
            return pages.into_iter().flatten().collect();
        }
    }
    panic!("no end");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn pages_give_every_line_once_whatever_the_lines_are(
        lengths in prop::collection::vec(0usize..300, 1..150),
        rows in 1usize..40,
        ended: bool,
    ) {
        let lines: Vec<String> = lengths
            .iter()
            .enumerate()
            .map(|(number, length)| format!("{number} {}", "x".repeat(length * length / 8)))
            .collect();
        let mut text = lines.join("\n");
        if ended {
            text.push('\n');
        }
        let (_dir, _, mut reader) = one(text.as_bytes());
        let query = Query { rows, ..Query::default() };
        let shown = |lines: &[LogLine]| -> Vec<String> {
            let number = |line: &LogLine| {
                line.text.as_str().split(' ').next().unwrap_or_default().to_owned()
            };
            lines.iter().map(number).collect()
        };
        let wanted: Vec<String> = (0..lines.len()).map(|number| number.to_string()).collect();
        prop_assert_eq!(shown(&all(&mut reader, &query, true)), wanted.clone());
        prop_assert_eq!(shown(&all(&mut reader, &query, false)), wanted);
    }
}

#[test]
fn a_line_of_many_blocks_and_one_without_an_end_are_lines() {
    let mut text = b"short\n".to_vec();
    text.extend(std::iter::repeat_n(b'y', 700_000));
    text.extend(b"\nlast");
    let (_dir, _, mut reader) = one(&text);
    for up in [true, false] {
        let lines = all(&mut reader, &Query { rows: 1, ..Query::default() }, up);
        assert_eq!(lines.len(), 3);
        assert!(lines[1].text.as_str().starts_with("yyy"));
        assert_eq!(lines[2].text.as_str(), "last");
    }
}

#[test]
fn several_files_are_merged_by_the_times_of_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (api, db) = (dir.path().join("api.log"), dir.path().join("db.log"));
    write(&api, b"2026-11-22T12:00:00Z a\n2026-11-22T12:00:02Z c\n  of c\n");
    write(&db, b"2026-11-22 12:00:01 b\n2026-11-22 12:00:03 d\n");
    let mut reader = FileReader::open(&[api, db]).unwrap();
    let query = Query::default();
    for up in [true, false] {
        let lines = all(&mut reader, &query, up);
        let said: Vec<String> = lines.iter().map(|l| format!("{}", l.text)).collect();
        let last: Vec<&str> = said.iter().map(|l| l.rsplit(' ').next().unwrap()).collect();
        assert_eq!(last, ["a", "b", "c", "c", "d"]);
    }
    let at = Position::at(now() + chrono::Duration::seconds(1));
    let page = reader.page(&Query { place: Place::After(at), ..Query::default() }).unwrap();
    assert!(page.lines[0].text.as_str().ends_with(" c"), "{:?}", texts(&page.lines));
}

#[test]
fn a_place_by_time_is_found_in_a_long_file() {
    let mut text = Vec::new();
    for second in 0..20_000 {
        let at = now() + chrono::Duration::seconds(second);
        writeln!(text, "{} line {second}", at.format("%Y-%m-%dT%H:%M:%SZ")).unwrap();
        writeln!(text, "    at a place without a time").unwrap();
    }
    let (_dir, _, mut reader) = one(&text);
    for second in [0, 1, 9_999, 19_998] {
        let at = Position::at(now() + chrono::Duration::seconds(second));
        let query = Query { place: Place::After(at), rows: 1, ..Query::default() };
        let page = reader.page(&query).unwrap();
        assert_eq!(
            page.lines[0].text.as_str().rsplit(' ').next().unwrap(),
            (second + 1).to_string()
        );
    }
    let since = Some(now() + chrono::Duration::seconds(19_990));
    let lines = all(&mut reader, &Query { since, ..Query::default() }, true);
    assert_eq!(lines.len(), 20);
}

#[test]
fn filters_keep_and_leave_out() {
    let (_dir, _, mut reader) =
        one(b"INFO GET /health\nERROR GET /api 503\nINFO GET /api 200\nWARN slow\n");
    let rule = |keep, word: &str| Rule { keep, find: Find::typed(word).unwrap() };
    for (rules, wanted) in [
        (vec![rule(true, "GET")], vec!["/health", "503", "200"]),
        (vec![rule(true, "GET"), rule(false, "health")], vec!["503", "200"]),
        (vec![rule(false, "~GET|slow")], vec![]),
        (vec![rule(true, "slow"), rule(true, "503")], vec!["503", "slow"]),
    ] {
        let lines = all(&mut reader, &Query { rules, ..Query::default() }, true);
        let last: Vec<String> = texts(&lines);
        let last: Vec<&str> = last.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(last, wanted);
    }
}

#[test]
fn what_comes_is_given_once_and_only_as_whole_lines() {
    let (_dir, path, mut reader) = one(b"old\nhalf");
    let mut from = reader.end().unwrap();
    let query = Query::default();
    let mut fresh = |reader: &mut FileReader| {
        reader.refresh().unwrap();
        reader.fresh(&query, &mut from, 10, now()).unwrap()
    };
    assert_eq!(fresh(&mut reader).came, 0);
    write(&path, b" a line\nnext\nno en");
    assert_eq!(texts(&fresh(&mut reader).lines), ["half a line", "next"]);
    write(&path, b"d\n");
    assert_eq!(texts(&fresh(&mut reader).lines), ["no end"]);
}

#[test]
fn a_rotation_and_a_truncation_are_said_and_no_line_is_lost() {
    let (dir, path, mut reader) = one(b"");
    let mut from = reader.end().unwrap();
    let query = Query::default();
    let mut fresh = |reader: &mut FileReader| {
        reader.refresh().unwrap();
        texts(&reader.fresh(&query, &mut from, 10, now()).unwrap().lines)
    };
    write(&path, b"one\n");
    std::fs::rename(&path, dir.path().join("app.log.1")).unwrap();
    write(&path, b"two\n");
    let rotated = "app.log was rotated: a new file begins here";
    assert_eq!(fresh(&mut reader), ["one", rotated, "two"]);
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    write(&path, b"3\n");
    assert_eq!(fresh(&mut reader), ["app.log was truncated here", "3"]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(fresh(&mut reader), [] as [&str; 0]);
    write(&path, b"back\n");
    assert_eq!(fresh(&mut reader), [rotated, "back"]);
}

#[test]
fn hostile_bytes_are_shown_and_never_sent() {
    let (_dir, _, mut reader) = one(b"\x1b]52;c;aGk=\x07 \xff\xfe \x1b[2J\xc2\x9b31m \0\n");
    let lines = all(&mut reader, &Query::default(), true);
    assert!(lines[0].text.as_str().chars().all(|c| !c.is_control()), "{:?}", lines[0].text);
}
