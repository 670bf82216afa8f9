use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::clock::Clock;
use crate::redact::Redactor;

fn now() -> crate::model::ids::Time {
    Clock::real().now()
}

fn file(path: &str, from: &Path) -> Item {
    Item { path: path.to_owned(), kind: "log", from: From::File(from.to_owned()) }
}

fn text(path: &str, text: &str) -> Item {
    Item { path: path.to_owned(), kind: "text", from: From::Text(text.to_owned()) }
}

fn made_with(folder: &Path, items: Vec<Item>, limits: Limits, redactor: &Redactor) -> Made {
    let order = Order {
        folder,
        file: None,
        about: Manifest { incident: "INC-0007".into(), ..Manifest::begun(Trigger::Asked, now()) },
        limits,
        floor: Floor { bytes: 0, percent: 0 },
        automatic: Automatic::No,
        now: &now,
        cancel: &|| false,
    };
    make(order, items, redactor).unwrap()
}

fn made(folder: &Path, items: Vec<Item>) -> Made {
    made_with(folder, items, Limits::none(), &Redactor::default())
}

fn shown(path: &Path, file: &str) -> String {
    let mut bytes = Vec::new();
    assert!(show(path, file, &mut |part| bytes.extend_from_slice(part)).unwrap(), "no {file}");
    String::from_utf8(bytes).unwrap()
}

/// A log of numbered lines, at least `bytes` long.
fn log(dir: &Path, name: &str, bytes: usize) -> PathBuf {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < bytes {
        text.extend([format!("2026-11-22T01:00:00Z INFO line {number} of the app, status=200\n")]);
        number += 1;
    }
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_bundle_holds_its_files_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let app = log(dir.path(), "app.log", 1000);
    let items = vec![text("report.md", "all is well\n"), file("logs/app.log", &app)];
    let made = made(dir.path(), items);
    let name = made.path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("incident-0007-2") && name.ends_with("Z.tar.zst"), "{name}");
    let checked = verify(&made.path).unwrap();
    assert_eq!(checked.sha256, made.sha256);
    assert!(checked.beside && !checked.manifest.partial);
    assert_eq!(shown(&made.path, "logs/app.log"), fs::read_to_string(&app).unwrap());
    assert_eq!(shown(&made.path, "report.md"), "all is well\n");
    let names: Vec<_> = checked.manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["README.txt", "report.md", "logs/app.log", "REDACTIONS.json"]);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&made.path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_long_source_is_parts_that_join_to_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let app = log(dir.path(), "app.log", 30 << 20);
    let made = made(dir.path(), vec![file("logs/app.log", &app), text("z.txt", "end\n")]);
    let source = &made.manifest.sources[0];
    assert!(source.parts >= 7, "{source:?}");
    assert!(made.manifest.files.iter().all(|file| file.bytes < 5 << 20));
    assert_eq!(shown(&made.path, "logs/app.log"), fs::read_to_string(&app).unwrap());
    assert_eq!(source.bytes, fs::metadata(&app).unwrap().len());
    assert_eq!(source.lines, fs::read_to_string(&app).unwrap().lines().count() as u64);
    verify(&made.path).unwrap();
}

#[test]
fn of_a_source_over_its_bound_head_and_tail_are_kept_with_the_exact_count_between() {
    let dir = tempfile::tempdir().unwrap();
    let app = log(dir.path(), "app.log", 3 << 20);
    let all = fs::read_to_string(&app).unwrap();
    let limits = Limits { source: 1 << 20, ..Limits::none() };
    let made =
        made_with(dir.path(), vec![file("logs/app.log", &app)], limits, &Redactor::default());
    let kept = shown(&made.path, "logs/app.log");
    let cut = made.manifest.sources[0].truncated.unwrap();
    let marker = format!(
        "… {} lines / {} bytes dropped by backout …\n",
        cut.dropped_lines, cut.dropped_bytes
    );
    let (head, tail) = kept.split_once(&marker).unwrap();
    assert!(all.starts_with(head) && head.ends_with('\n'));
    assert!(all.ends_with(tail) && tail.starts_with("2026-11-22"));
    assert_eq!((head.len() + tail.len()) as u64 + cut.dropped_bytes, all.len() as u64);
    let lines = |text: &str| text.lines().count() as u64;
    assert_eq!(lines(head) + lines(tail) + cut.dropped_lines, lines(&all));
    assert!(head.len() >= (1 << 20) / 10 - 100 && tail.len() >= (1 << 20) / 10 * 9 - 200);
    assert!(!made.manifest.partial);
}

#[test]
fn a_source_that_fails_is_listed_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let app = log(dir.path(), "app.log", 1000);
    let lines: Vec<Result<String, String>> =
        vec![Ok("{\"one\":1}".into()), Err("the journal broke, password=hunter2".into())];
    let items = vec![
        Item {
            path: "timeline.jsonl".into(),
            kind: "journal",
            from: From::Lines(Box::new(lines.into_iter())),
        },
        file("logs/gone.log", &dir.path().join("gone.log")),
        file("logs/folder.log", dir.path()),
        Item {
            path: "state/x".into(),
            kind: "state",
            from: From::Failed("no answer in 5 s".into()),
        },
        file("logs/app.log", &app),
    ];
    let made = made(dir.path(), items);
    let states: Vec<_> = made.manifest.sources.iter().map(|source| source.state.word()).collect();
    assert_eq!(states, ["partial", "absent", "error", "error", "ok"]);
    assert!(made.manifest.partial);
    assert_eq!(made.manifest.why_partial.len(), 3, "{:?}", made.manifest.why_partial);
    assert!(!format!("{:?}", made.manifest).contains("hunter2"));
    assert_eq!(shown(&made.path, "timeline.jsonl"), "{\"one\":1}\n");
    assert!(verify(&made.path).unwrap().manifest.partial);
}

#[test]
fn secrets_are_gone_from_every_file_and_where_they_were_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("app.log");
    fs::write(&app, "one\nlogin password=hunter2hunter2 ok\nurl http://a:sesamesesame@h/\nplain hunter2hunter2\n").unwrap();
    let redactor = Redactor::new(["hunter2hunter2"]);
    let items = vec![file("logs/app.log", &app), text("report.md", "it was hunter2hunter2\n")];
    let made = made_with(dir.path(), items, Limits::none(), &redactor);
    assert_eq!(
        shown(&made.path, "logs/app.log"),
        "one\nlogin password=‹redacted:password#1› ok\nurl http://a:‹redacted:url#2›@h/\nplain ‹redacted:known#1›\n"
    );
    assert_eq!(shown(&made.path, "report.md"), "it was ‹redacted:known#1›\n");
    let list: serde_json::Value =
        serde_json::from_str(&shown(&made.path, "REDACTIONS.json")).unwrap();
    assert_eq!(list["places"][1]["line"], 3);
    assert_eq!(list["counts"]["known"], 2);
    assert_eq!(scan(&made.path, &redactor).unwrap().found, []);
}

#[test]
fn a_scan_names_what_was_not_known_then() {
    let dir = tempfile::tempdir().unwrap();
    let made = made(dir.path(), vec![text("logs/a.log", "one\nthe word is opensesame99\n")]);
    let found = scan(&made.path, &Redactor::new(["opensesame99"])).unwrap().found;
    assert_eq!(found, [("logs/a.log".to_owned(), 2, "known")]);
}

#[test]
fn a_line_without_an_end_is_cut_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.log");
    fs::write(&path, format!("first\n{}\nlast\n", "x".repeat(3 << 20))).unwrap();
    let made = made(dir.path(), vec![file("logs/long.log", &path)]);
    let kept = shown(&made.path, "logs/long.log");
    let line = kept.lines().nth(1).unwrap();
    let (text, said) = line.split_once(" [cut by backout: ").unwrap();
    let more: usize = said.strip_suffix(" more bytes]").unwrap().parse().unwrap();
    assert_eq!(text.len() + more, 3 << 20);
    assert!(kept.starts_with("first\n") && kept.ends_with("\nlast\n"));
}

#[test]
fn every_changed_byte_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let app = log(dir.path(), "app.log", 20_000);
    let made = made(dir.path(), vec![file("logs/app.log", &app)]);
    let whole = fs::read(&made.path).unwrap();
    let path = dir.path().join("changed.tar.zst");
    for at in (0..whole.len()).step_by(whole.len() / 60 + 1) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        // One bit of a frame's head means nothing; nothing else may differ.
        if let Ok(checked) = verify(&path) {
            assert_eq!(checked.manifest, made.manifest, "byte {at} of {}", whole.len());
            assert_ne!(checked.sha256, made.sha256);
        }
    }
    // The sum beside it knows of it before anything is read.
    fs::write(&path, &whole).unwrap();
    fs::write(dir.path().join("changed.tar.zst.sha256"), format!("{}  x\n", "0".repeat(64)))
        .unwrap();
    assert!(verify(&path).unwrap_err().message.contains("SHA-256"));
}

#[test]
fn a_bundle_cut_off_anywhere_is_closed_with_what_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let app = log(dir.path(), "app.log", 30 << 20);
    let made = made(dir.path(), vec![file("logs/app.log", &app), text("z.txt", "end\n")]);
    let whole = fs::read(&made.path).unwrap();
    let mut kept = Vec::new();
    for tenths in 0..10 {
        let path = dir.path().join(format!("incident-0007-x{tenths}.tar.zst.partial"));
        fs::write(&path, &whole[..whole.len() * tenths / 10]).unwrap();
        match recover(&path, &Redactor::default(), now()) {
            Ok(recovered) => {
                let checked = verify(&recovered.path).unwrap();
                assert!(checked.manifest.partial && checked.manifest.incident == "INC-0007");
                let log = shown(&recovered.path, "logs/app.log");
                assert!(fs::read_to_string(&app).unwrap().starts_with(&log));
                kept.push(log.len());
            }
            Err(error) => {
                assert!(error.message.contains("no file in it is whole"), "{error}");
                kept.push(0);
            }
        }
    }
    assert!(kept.is_sorted() && kept[9] > 15 << 20, "{kept:?}");
    let again = recover(&made.path, &Redactor::default(), now()).unwrap_err();
    assert!(again.message.contains("it is whole"), "{again}");
}

#[test]
fn the_format_s_own_tools_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let app = log(dir.path(), "app.log", 9 << 20);
    let made = made(dir.path(), vec![file("logs/app.log", &app)]);
    let file = fs::File::open(&made.path).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        std::io::copy(&mut entry, &mut std::io::sink()).unwrap();
        names.push(entry.path().unwrap().display().to_string());
    }
    let root = made.path.file_name().unwrap().to_str().unwrap().strip_suffix(".tar.zst").unwrap();
    assert_eq!(names.first().unwrap(), &format!("{root}/README.txt"));
    assert_eq!(names.last().unwrap(), &format!("{root}/MANIFEST.json"));
}

#[test]
fn each_bundle_names_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let first = made(dir.path(), vec![]);
    assert_eq!(first.manifest.previous, None);
    let second = made(dir.path(), vec![]);
    let previous = second.manifest.previous.unwrap();
    assert_eq!(previous.sha256, first.sha256);
    assert_eq!(previous.name, first.path.file_name().unwrap().to_str().unwrap());
    assert_ne!(first.path, second.path);
}

#[test]
fn nothing_is_written_where_no_space_would_stay() {
    let dir = tempfile::tempdir().unwrap();
    let order = Order {
        folder: dir.path(),
        file: None,
        about: Manifest::begun(Trigger::Asked, now()),
        limits: Limits::default(),
        floor: Floor { bytes: u64::MAX, percent: 0 },
        automatic: Automatic::No,
        now: &now,
        cancel: &|| false,
    };
    let error = make(order, vec![], &Redactor::default()).unwrap_err();
    assert_eq!(error.kind, crate::adapters::Kind::NoSpace);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn over_the_total_the_rest_is_skipped_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let mut noise = vec![0; 20 << 20];
    getrandom::fill(&mut noise).unwrap();
    for byte in &mut noise {
        *byte = *byte % 90 + 32;
    }
    for line in noise.chunks_mut(100) {
        line[0] = b'\n';
    }
    let path = dir.path().join("noise.log");
    fs::write(&path, &noise).unwrap();
    let app = log(dir.path(), "app.log", 1000);
    let limits = Limits { total: 1 << 20, ..Limits::none() };
    let items = vec![file("logs/noise.log", &path), file("logs/app.log", &app)];
    let made = made_with(dir.path(), items, limits, &Redactor::default());
    let states: Vec<_> = made.manifest.sources.iter().map(|source| source.state.word()).collect();
    assert_eq!(states, ["partial", "skipped"]);
    verify(&made.path).unwrap();
}

#[test]
fn a_preview_counts_and_writes_nothing() {
    let items = vec![text("logs/a.log", "password=hunter2\ntoken=abcabc\n")];
    let seen = preview(items, &Redactor::default(), (Limits::default(), &now, &|| false));
    assert_eq!(seen.redactions["password"], 1);
    assert_eq!(seen.redactions["token"], 1);
    assert_eq!(seen.sources[0].lines, 2);
}

#[test]
fn the_host_says_what_escalating_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let made = made(dir.path(), host(&[dir.path().to_owned()]));
    assert!(shown(&made.path, "state/processes.txt").lines().count() > 2);
    assert!(shown(&made.path, "state/disks.txt").contains(dir.path().to_str().unwrap()));
    assert!(shown(&made.path, "state/memory.txt").contains("MemAvailable"));
    assert!(shown(&made.path, "state/uname.txt").starts_with("Linux "));
}
