use std::os::unix::fs::PermissionsExt;

use chrono::{TimeZone, Utc};
use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Time {
    Utc.timestamp_millis_opt(1_763_769_600_000 + ms).unwrap()
}

fn small() -> Limits {
    Limits { segment: 4096, ring: 16 * 1024, pinned: 32 * 1024, age: Duration::from_hours(1) }
}

fn texts(page: &Page) -> Vec<String> {
    page.lines.iter().map(|line| line.text.to_string()).collect()
}

/// Everything that matches, by paging up from the end; checks the sums of every page.
fn all_up(reader: &mut SpoolReader, query: &Query) -> Vec<LogLine> {
    let mut query = query.clone();
    let mut pages = Vec::new();
    for _ in 0..10_000 {
        let page = reader.page(&query).unwrap();
        check_sums(&page);
        pages.push(page.lines);
        if !page.more_above {
            pages.reverse();
            return pages.into_iter().flatten().collect();
        }
        assert_ne!(page.start, page.end, "no page without progress");
        query.place = Place::Before(page.start);
    }
    panic!("no end");
}

/// The same by paging down from the beginning.
fn all_down(reader: &mut SpoolReader, query: &Query) -> Vec<LogLine> {
    let mut query = query.clone();
    query.place = Place::After(Position { lines: BTreeMap::new(), ms: 0 });
    let mut all = Vec::new();
    for _ in 0..10_000 {
        let page = reader.page(&query).unwrap();
        check_sums(&page);
        all.extend(page.lines);
        if !page.more_below {
            return all;
        }
        assert_ne!(page.start, page.end, "no page without progress");
        query.place = Place::After(page.end);
    }
    panic!("no end");
}

fn check_sums(page: &Page) {
    let between: u64 =
        page.end.lines.iter().map(|(source, end)| end - page.start.lines[source]).sum();
    let shown: u64 = page.lines.iter().map(|line| u64::from(line.folded)).sum();
    assert_eq!(between, shown + page.hidden);
}

#[test]
fn lines_of_all_sources_come_back_merged_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", Limits::default()).unwrap();
    let mut pg = SourceWriter::open(dir.path(), "pg/main ü", Limits::default()).unwrap();
    api.append(at(1), b"one").unwrap();
    pg.append(at(2), b"two").unwrap();
    api.append(at(3), b"three\nfour").unwrap();
    pg.append(at(4), b"").unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    assert_eq!(reader.page(&Query::default()).unwrap().lines, []);
    api.flush().unwrap();
    pg.flush().unwrap();
    reader.refresh().unwrap();
    let page = reader.page(&Query::default()).unwrap();
    assert_eq!(texts(&page), ["one", "two", "three", "four", ""]);
    assert_eq!(page.lines[1].source, "pg/main ü");
    assert_eq!(page.lines[2].at, at(3));
    assert!(!page.more_above && !page.more_below);
    let counters = reader.counters();
    assert_eq!(counters.in_total, 5);
    assert_eq!(counters.sources["api"].in_total, 3);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("api")), 0o700);
    for file in std::fs::read_dir(dir.path().join("api")).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_page_holds_no_more_than_its_rows_and_says_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", Limits::default()).unwrap();
    for number in 0..10_000 {
        api.append(at(number), format!("line {number}").as_bytes()).unwrap();
    }
    api.flush().unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let mut query = Query { rows: 7, ..Query::default() };
    let page = reader.page(&query).unwrap();
    assert_eq!((page.lines.len(), page.hidden), (7, 0));
    assert_eq!(texts(&page)[6], "line 9999");
    assert!(page.more_above && !page.more_below);
    query.place = Place::Before(page.start.clone());
    let above = reader.page(&query).unwrap();
    assert_eq!(texts(&above)[6], "line 9992");
    assert!(above.more_below);
    query.place = Place::After(above.end);
    assert_eq!(reader.page(&query).unwrap().lines, page.lines);
    query.place = Place::Before(Position::at(at(5000)));
    assert_eq!(texts(&reader.page(&query).unwrap())[6], "line 5000");
    query.place = Place::After(Position::at(at(5000)));
    assert_eq!(texts(&reader.page(&query).unwrap())[0], "line 5001");
}

#[test]
fn equal_lines_in_a_row_are_one_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut cdn = SourceWriter::open(dir.path(), "cdn", Limits::default()).unwrap();
    cdn.append(at(0), b"I before").unwrap();
    for number in 1..=41_000 {
        cdn.append(at(number), b"E purge-api: no route to host").unwrap();
    }
    cdn.append(at(50_000), b"I after").unwrap();
    cdn.flush().unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let page = reader.page(&Query::default()).unwrap();
    let folded: Vec<u32> = page.lines.iter().map(|line| line.folded).collect();
    assert_eq!(folded, [1, 41_000, 1]);
    assert_eq!(page.lines[1].at, at(41_000));
    assert_eq!(page.lines[1].severity, LogSeverity::Error);
}

#[test]
fn filters_leave_lines_out_and_count_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", Limits::default()).unwrap();
    let mut web = SourceWriter::open(dir.path(), "web", Limits::default()).unwrap();
    for number in 0..3000 {
        let line = match number % 1000 {
            7 => format!("E Failed {number}"),
            8 => format!("W slow {number}"),
            _ => format!("I fine {number}"),
        };
        api.append(at(number), line.as_bytes()).unwrap();
        web.append(at(number), format!("D tick {number}").as_bytes()).unwrap();
    }
    api.gap(at(3000), "the file was rotated twice").unwrap();
    api.flush().unwrap();
    web.flush().unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let mut query = Query { min_severity: LogSeverity::Error, ..Query::default() };
    let page = reader.page(&query).unwrap();
    let gap = "the file was rotated twice";
    assert_eq!(texts(&page), ["E Failed 7", "E Failed 1007", "E Failed 2007", gap]);
    assert!(page.lines[3].gap);
    assert_eq!(page.hidden, 6001 - 4);
    query.since = Some(at(1000));
    assert_eq!(reader.page(&query).unwrap().lines.len(), 3);
    query = Query { find: Some(Find::text("failed 1").unwrap()), ..Query::default() };
    assert_eq!(texts(&reader.page(&query).unwrap()), ["E Failed 1007", gap]);
    query.find = Some(Find::text("FAILED").unwrap());
    assert_eq!(texts(&reader.page(&query).unwrap()), [gap]);
    query.find = Some(Find::pattern("^(E|W) .*2\\d+$").unwrap());
    assert_eq!(texts(&reader.page(&query).unwrap()), ["E Failed 2007", "W slow 2008", gap]);
    assert!(Find::pattern("(").unwrap_err().starts_with("could not understand ("));
    query.find = None;
    query.sources = Some(BTreeSet::from(["web".to_owned()]));
    query.rows = 5000;
    assert_eq!(reader.page(&query).unwrap().lines.len(), 3000);
}

#[test]
fn a_search_that_would_read_too_much_stops_and_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", Limits::default()).unwrap();
    api.append(at(0), b"needle").unwrap();
    for number in 1..20_000 {
        api.append(at(number), format!("hay {number} {}", "-".repeat(50)).as_bytes()).unwrap();
    }
    api.flush().unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let query =
        Query { find: Some(Find::text("needle").unwrap()), budget: 200_000, ..Query::default() };
    let page = reader.page(&query).unwrap();
    assert!(page.lines.is_empty() && page.more_above && page.hidden > 1000);
    let all = all_up(&mut reader, &query);
    assert_eq!(all.len(), 1);
}

#[test]
fn the_ring_gives_up_the_oldest_and_counts_stay_exact() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", small()).unwrap();
    for number in 0..5000 {
        api.append(at(number), format!("line {number}").as_bytes()).unwrap();
        if number % 10 == 0 {
            api.flush().unwrap();
        }
        if number == 2500 {
            drop(api);
            api = SourceWriter::open(dir.path(), "api", small()).unwrap();
        }
    }
    api.flush().unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let counters = reader.counters();
    assert_eq!(counters.in_total, 5000);
    let source = &counters.sources["api"];
    assert!(source.bytes <= small().ring + small().segment, "{source:?}");
    let all = all_up(&mut reader, &Query::default());
    assert_eq!(all.len() as u64 + source.given_up, 5000);
    assert_eq!(all.last().unwrap().text.as_str(), "line 4999");
}

#[test]
fn pinned_segments_stay_until_the_pinned_size_and_a_gap_says_what_went() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", small()).unwrap();
    let write = |api: &mut SourceWriter, from: i64, to: i64| {
        for number in from..to {
            api.append(at(number), format!("line {number:06}").as_bytes()).unwrap();
            api.flush().unwrap();
        }
    };
    write(&mut api, 0, 1000);
    api.pin(at(500)).unwrap();
    write(&mut api, 1000, 1100);
    drop(api);
    let mut api = SourceWriter::open(dir.path(), "api", small()).unwrap();
    write(&mut api, 1100, 1300);
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let all = all_up(&mut reader, &Query::default());
    assert!(all.first().unwrap().at <= at(500), "{:?}", all.first());
    assert!(!all.iter().any(|line| line.gap));
    write(&mut api, 1300, 3000);
    reader.refresh().unwrap();
    let gaps = all_up(&mut reader, &Query::default());
    let gaps = gaps.iter().filter(|line| line.gap && line.text.as_str().contains("pinned"));
    assert!(gaps.count() > 0);
    let bytes = reader.counters().sources["api"].bytes;
    assert!(bytes <= small().pinned + 2 * small().segment, "{bytes}");
    api.unpin().unwrap();
    reader.refresh().unwrap();
    assert!(reader.counters().sources["api"].bytes <= small().ring);
}

#[test]
fn old_segments_go_although_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { segment: 10, ..small() };
    let mut api = SourceWriter::open(dir.path(), "api", limits).unwrap();
    for hour in 0..5 {
        let line = format!("hour {hour}");
        api.append(at(hour * 3_600_000), line.as_bytes()).unwrap();
        api.flush().unwrap();
    }
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    assert_eq!(all_up(&mut reader, &Query::default()).len(), 3);
    assert_eq!(reader.counters().in_total, 5);
}

#[test]
fn a_line_torn_by_a_kill_is_cut_and_a_gap_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", small()).unwrap();
    api.append(at(1), b"whole").unwrap();
    api.flush().unwrap();
    let file = std::fs::read_dir(dir.path().join("api")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"1763769600002 torn");
    std::fs::write(&file, bytes).unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    assert_eq!(reader.counters().in_total, 1);
    let mut api = SourceWriter::open(dir.path(), "api", small()).unwrap();
    api.append(at(3), b"next").unwrap();
    api.flush().unwrap();
    reader.refresh().unwrap();
    let page = reader.page(&Query::default()).unwrap();
    assert_eq!(page.lines.len(), 3);
    assert!(page.lines[1].gap && page.lines[1].text.as_str().starts_with("18 bytes"));
    assert_eq!(reader.counters().in_total, 2);
}

#[test]
fn hostile_lines_are_cut_kept_apart_from_gaps_and_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", Limits::default()).unwrap();
    api.append(at(1), b"\0gap nothing happened").unwrap();
    api.append(at(2), b"\0\0\xff\xfe\x1b[2J\x1b]52;c;x\x07").unwrap();
    let chunk = vec![b'a'; 64 * 1024];
    for _ in 0..1024 {
        api.feed(at(3), &chunk).unwrap();
    }
    api.feed(at(4), b"end\nafter\nunfinished").unwrap();
    api.end_line().unwrap();
    api.end_line().unwrap();
    api.append(at(7), &vec![0; 3 * RAW_LINE_LIMIT]).unwrap();
    api.flush().unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let page = reader.page(&Query::default()).unwrap();
    assert_eq!(page.lines.len(), 6);
    assert!(page.lines.iter().all(|line| !line.gap));
    assert!(page.lines.iter().all(|line| line.text.as_str().len() < 70_000));
    assert!(page.lines.iter().all(|line| !line.text.as_str().contains('\x1b')));
    assert_eq!(texts(&page)[3..5], ["after", "unfinished"]);
    let counters = reader.counters();
    assert!(counters.sources["api"].bytes < 3 << 20, "{counters:?}");
    let note = Query {
        find: Some(Find::text("[cut by backout: 66060291 more bytes]").unwrap()),
        ..Query::default()
    };
    assert_eq!(reader.page(&note).unwrap().lines.len(), 1);
}

#[test]
fn what_the_disk_does_not_take_is_counted_and_a_gap_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut api = SourceWriter::open(dir.path(), "api", small()).unwrap();
    api.append(at(1), b"before").unwrap();
    api.flush().unwrap();
    // The folder goes away under the writer: the next segment cannot be made.
    let folder = dir.path().join("api");
    let aside = dir.path().join("%2e-aside");
    std::fs::rename(&folder, &aside).unwrap();
    let mut refused = 0;
    for number in 0..40_000 {
        let line = format!("line {number} {}", "x".repeat(100));
        refused += u32::from(api.append(at(2 + number), line.as_bytes()).is_err());
    }
    assert!(refused > 0 && api.lost() > 0, "{refused} {}", api.lost());
    std::fs::rename(&aside, &folder).unwrap();
    api.append(at(50_000), b"after").unwrap();
    api.flush().unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let counters = reader.counters();
    assert_eq!(counters.in_total + api.lost(), 40_002);
    let all = all_up(&mut reader, &Query::default());
    let said = format!("{} lines were lost: the disk did not take them", api.lost());
    assert!(all.iter().any(|line| line.gap && line.text.as_str() == said), "{said}");
}

#[test]
fn strange_files_in_the_spool_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "x").unwrap();
    let folder = dir.path().join("api");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("notes.txt"), "x").unwrap();
    std::fs::write(folder.join("0-0-0.log"), b"no time\n\n\xff 1\n99999999999999999999 x\n")
        .unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    assert_eq!(reader.page(&Query::default()).unwrap().lines.len(), 0);
    std::fs::rename(
        folder.join("0-0-0.log"),
        folder.join(Segment { first: 0, gaps: 0, ms: 0 }.file_name()),
    )
    .unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.page(&Query::default()).unwrap().lines.len(), 4);
    for name in ["", "x".repeat(201).as_str()] {
        SourceWriter::open(dir.path(), name, small()).unwrap_err();
    }
}

proptest! {
    #[test]
    fn every_source_name_has_its_own_folder_inside_the_spool(names in proptest::collection::btree_set(".{1,20}", 1..6)) {
        let mut folders = BTreeSet::new();
        for name in &names {
            let folder = folder_of(Path::new("/spool"), name).unwrap();
            prop_assert_eq!(folder.parent(), Some(Path::new("/spool")));
            let last = folder.file_name().unwrap().to_str().unwrap().to_owned();
            prop_assert_eq!(&source_of(&last).unwrap(), name);
            folders.insert(folder);
        }
        prop_assert_eq!(folders.len(), names.len());
    }

    #[test]
    fn any_line_is_stored_and_read_back_as_it_was(line in proptest::collection::vec(any::<u8>(), 0..64), nuls in 0usize..3) {
        let mut raw = vec![0; nuls];
        raw.extend(line.iter().filter(|byte| **byte != b'\n'));
        let dir = tempfile::tempdir().unwrap();
        let mut writer = SourceWriter::open(dir.path(), "s", small()).unwrap();
        writer.append(at(5), &raw).unwrap();
        writer.flush().unwrap();
        let mut reader = SpoolReader::open(dir.path()).unwrap();
        let page = reader.page(&Query::default()).unwrap();
        prop_assert_eq!(page.lines.len(), 1);
        prop_assert!(!page.lines[0].gap);
        prop_assert_eq!(&page.lines[0].text, &SafeText::from_bytes(&raw));
    }

    #[test]
    fn lines_in_are_lines_out_in_both_directions(
        lines in proptest::collection::vec((0usize..3, 0i64..4, 0u8..6, 0usize..300), 0..400),
        rows in 1usize..40,
        budget in 0u64..100_000,
        min in 0usize..4,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c"];
        let limits = Limits { segment: 2048, ring: 1 << 30, ..small() };
        let mut writers: Vec<_> = names.iter().map(|name| SourceWriter::open(dir.path(), name, limits.clone()).unwrap()).collect();
        let mut now = 0;
        let mut expected: BTreeMap<&str, Vec<(String, bool)>> = BTreeMap::new();
        for (source, step, kind, length) in &lines {
            now += step;
            let text = match kind {
                0 => "E same".to_owned(),
                1 => format!("E {}", "x".repeat(*length)),
                2 => format!("W {}", "y".repeat(*length)),
                3 => "D same".to_owned(),
                4 => "the why of a gap".to_owned(),
                _ => format!("I {now} {}", "z".repeat(*length)),
            };
            let writer = &mut writers[*source];
            if *kind == 4 {
                writer.gap(at(now), &text).unwrap();
            } else {
                writer.append(at(now), text.as_bytes()).unwrap();
            }
            if length % 3 == 0 {
                writer.flush().unwrap();
            }
            expected.entry(names[*source]).or_default().push((text, *kind == 4));
        }
        for writer in &mut writers {
            writer.flush().unwrap();
        }
        let min_severity = [LogSeverity::Debug, LogSeverity::Info, LogSeverity::Warn, LogSeverity::Error][min];
        let wanted = |(text, gap): &(String, bool)| *gap || LogSeverity::of(text.as_bytes()) >= min_severity;
        let mut reader = SpoolReader::open(dir.path()).unwrap();
        let in_total = lines.iter().filter(|(_, _, kind, _)| *kind != 4).count() as u64;
        prop_assert_eq!(reader.counters().in_total, in_total);
        let query = Query { min_severity, rows, budget, ..Query::default() };
        for all in [all_up(&mut reader, &query), all_down(&mut reader, &query)] {
            let mut times = all.iter().map(|line| line.at);
            prop_assert!(times.by_ref().is_sorted() || all.iter().any(|line| line.folded > 1));
            for name in names {
                let mut out = Vec::new();
                for line in all.iter().filter(|line| line.source == name) {
                    for _ in 0..line.folded {
                        out.push((line.text.to_string(), line.gap));
                    }
                }
                let kept: Vec<_> = expected.get(name).into_iter().flatten().filter(|line| wanted(line)).cloned().collect();
                prop_assert_eq!(out, kept);
            }
        }
    }
}
