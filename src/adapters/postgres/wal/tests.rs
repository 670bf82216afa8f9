use super::*;
use crate::model::until::Until;

const MIB: u64 = 1 << 20;
const SYSTEM: u64 = 7_300_000_000_000_000_001;

/// A segment of 1 MiB, archived so many minutes after twelve.
fn put(dir: &Path, line: u32, number: u64, system: u64, minute: u32) {
    let mut bytes = vec![0_u8; 40];
    bytes[2..4].copy_from_slice(&LONG_HEADER.to_le_bytes());
    bytes[4..8].copy_from_slice(&line.to_le_bytes());
    bytes[8..16].copy_from_slice(&(number * MIB).to_le_bytes());
    bytes[24..32].copy_from_slice(&system.to_le_bytes());
    bytes[32..36].copy_from_slice(&u32::try_from(MIB).unwrap().to_le_bytes());
    let path = dir.join(segment_name(line, number, MIB));
    fs::write(&path, &bytes).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(MIB).unwrap();
    file.set_modified(at(minute).into()).unwrap();
}

fn at(minute: u32) -> Time {
    format!("2026-11-22T12:{minute:02}:00Z").parse().unwrap()
}

/// Segments 2 to 9 of timeline 1, archived at 12:02 to 12:09, and a base backup in 2.
fn archive() -> (tempfile::TempDir, Label) {
    let dir = tempfile::tempdir().unwrap();
    for number in 2..10 {
        put(dir.path(), 1, number, SYSTEM, u32::try_from(number).unwrap());
    }
    let label = "START WAL LOCATION: 0/200028 (file x)\nCHECKPOINT LOCATION: 0/200060\n\
        START TIME: 2026-11-22 12:01:00 UTC\nLABEL: b\nSTART TIMELINE: 1\n";
    let stop = "STOP WAL LOCATION: 0/200100 (file x)\nSTOP TIME: 2026-11-22 12:02:00 UTC\n";
    let record = format!("{}.00000028.backup", segment_name(1, 2, MIB));
    fs::write(dir.path().join(record), format!("{label}{stop}")).unwrap();
    (dir, Label::parse(label).unwrap())
}

fn window(dir: &Path, label: &Label, to: Option<u32>) -> Result<Window, String> {
    let archive = Archive::read(&[dir]).unwrap();
    let lineage = Lineage::of(&archive, (label.timeline, label.start), to)?;
    archive.window(label, &lineage, Some(SYSTEM), None)
}

#[test]
fn the_window_is_from_the_backup_s_end_to_the_last_log_and_nothing_outside_is_taken() {
    let (dir, label) = archive();
    let window = window(dir.path(), &label, None).unwrap();
    assert_eq!((window.until, window.end), (at(9), Lsn(10 * MIB)));
    assert!(window.gaps.is_empty());
    for inside in [at(3), at(9)] {
        assert_eq!(window.admit(&Until::Time(inside)), Ok(()));
    }
    let early = window.admit(&Until::Time(at(1))).unwrap_err();
    assert!(early.contains("before the base backup was finished"), "{early}");
    let late = window.admit(&Until::Time(at(10))).unwrap_err();
    assert!(late.contains("after the last log"), "{late}");
    for why in [early, late] {
        let both = "2026-11-22 12:02:00.999Z to 2026-11-22 12:09:00Z";
        assert!(why.contains(both), "{why}");
    }
    assert!(window.admit(&Until::Lsn(Lsn(2 * MIB))).unwrap_err().contains("before the base"));
    assert!(window.admit(&Until::Lsn(Lsn(11 * MIB))).unwrap_err().contains("after the logs"));
    assert_eq!(window.admit(&Until::Name("x".into())), Ok(()), "only the server knows");
}

#[test]
fn a_gap_ends_the_window_and_is_named() {
    let (dir, label) = archive();
    let gone = segment_name(1, 6, MIB);
    fs::remove_file(dir.path().join(&gone)).unwrap();
    let found = window(dir.path(), &label, None).unwrap();
    assert_eq!((found.until, found.gaps.as_slice()), (at(5), [gone.clone()].as_slice()));
    let why = found.admit(&Until::Time(at(8))).unwrap_err();
    assert!(why.contains(&format!("missing after that: {gone}")), "{why}");
    assert_eq!(found.admit(&Until::Time(at(5))), Ok(()), "what is before it can be had");
    // One that was cut off, or of another place, is no better than none.
    fs::write(dir.path().join(&gone), b"").unwrap();
    let found = window(dir.path(), &label, None).unwrap();
    assert_eq!(found.gaps, [format!("{gone} (it does not begin as a log does)")]);
    fs::copy(dir.path().join(segment_name(1, 5, MIB)), dir.path().join(&gone)).unwrap();
    let found = window(dir.path(), &label, None).unwrap();
    assert_eq!(found.gaps, [format!("{gone} (it begins at 0/500000, as another one)")]);
    // Without the first there is no window at all.
    fs::remove_file(dir.path().join(segment_name(1, 2, MIB))).unwrap();
    let why = window(dir.path(), &label, None).unwrap_err();
    assert!(why.contains("with which the base backup begins"), "{why}");
}

#[test]
fn logs_of_another_server_are_none() {
    let (dir, label) = archive();
    put(dir.path(), 1, 4, SYSTEM + 1, 4);
    let found = window(dir.path(), &label, None).unwrap();
    assert_eq!(found.until, at(3));
    assert!(found.gaps[0].contains("of another database system"), "{:?}", found.gaps);
    let archive = Archive::read(&[dir.path()]).unwrap();
    let lineage = Lineage::of(&archive, (1, label.start), None).unwrap();
    let why = archive.window(&label, &lineage, Some(SYSTEM + 2), None).unwrap_err();
    assert!(why.contains("is of another database system"), "{why}");
    assert_eq!(archive.system(), Some(SYSTEM));
}

#[test]
fn a_later_timeline_is_followed_through_its_history_and_a_foreign_one_is_not() {
    let (dir, label) = archive();
    // Left in the middle of segment 5: what was archived of timeline 1 after that does not count.
    fs::write(dir.path().join("00000002.history"), "1\t0/580000\tbefore 2026-11-22\n\n").unwrap();
    put(dir.path(), 2, 5, SYSTEM, 20);
    put(dir.path(), 2, 6, SYSTEM, 21);
    let found = window(dir.path(), &label, None).unwrap();
    assert_eq!((found.timeline, found.until), (2, at(21)));
    let first = window(dir.path(), &label, Some(1)).unwrap();
    assert_eq!((first.timeline, first.until), (1, at(9)), "where timeline 1 still lives");
    // One that left before the backup did not come from it.
    fs::write(dir.path().join("00000003.history"), "1\t0/100000\tno\n").unwrap();
    put(dir.path(), 3, 5, SYSTEM, 30);
    assert_eq!(window(dir.path(), &label, None).unwrap().timeline, 2);
    let why = window(dir.path(), &label, Some(3)).unwrap_err();
    assert!(why.contains("no history says that timeline 3 came from it"), "{why}");
}

#[test]
fn names_are_told_apart() {
    let parse = |name: &str| Name::parse(name, SEGMENT);
    assert_eq!(parse("000000010000000A000000FE"), Some(Name::Segment(1, 0xafe)));
    assert_eq!(segment_name(1, 0xafe, SEGMENT), "000000010000000A000000FE");
    assert_eq!(parse("0000000100000000000001FE"), None, "256 to a file");
    assert_eq!(parse("00000002.history"), Some(Name::History(2)));
    assert_eq!(parse("000000010000000000000002.00000028.backup"), Some(Name::Backup));
    assert_eq!(parse("000000010000000000000002.partial"), Some(Name::Partial));
    assert_eq!(parse("000000010000000000000002.gz"), Some(Name::Packed));
    for other in [".000000010000000000000002.part", "README", "00000000000000000000000a", ""] {
        assert_eq!(parse(other), None, "{other}");
    }
}
