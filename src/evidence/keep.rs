//! Copies logs and state into a bundle, bounded, before anything is destroyed.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::text::SafeText;

use crate::redact::{Book, Clean, Pass, Redactor};

use super::index::{Index, Kept, Missing, measure, sync_folder, write_whole};

/// The most that is kept of one log, in bytes: 25 MiB. Of a longer one the first tenth and the
/// last nine tenths are kept, with a line between them that says so.
pub const LOG_LIMIT: u64 = 25 * 1024 * 1024;

/// A log to keep.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Makes the folder `name` of the bundle in `dir`: for its owner alone, or by the process's mask
/// for the group to read.
pub fn folder(dir: &Path, name: &str) -> Result<PathBuf, Error> {
    // A name, never a way out of the bundle.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        let message = format!("could not make folder {}: not a plain name", SafeText::new(name));
        return Err(Error::new(Kind::Rejected, message));
    }
    let path = dir.join(name);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(&path)
        .map_err(|e| Error::io("make folder", path.display(), &e))?;
    Ok(path)
}

/// Keeps `logs` (at most `limit` bytes of each), and lists them and what lies already in `folders`
/// below `dir`. A log that cannot be read is listed as missing with its reason: it keeps nobody
/// from going on, and stands beside what was `missing` before. The index is written last.
pub fn keep(
    dir: &Path,
    folders: &[String],
    logs: &[Source],
    missing: Vec<Missing>,
    (limit, redactor): (u64, &Redactor),
    at: Time,
) -> Result<Index, Error> {
    let mut book = Book::new("k");
    let logs_folder = folder(dir, "logs")?;
    let mut files = Vec::new();
    let mut missing = missing;
    for (number, source) in logs.iter().enumerate() {
        let name = file_name(&source.name, number, logs);
        match keep_log(source, &logs_folder.join(&name), limit, (redactor, &mut book)) {
            Ok(left_out) => files.push((format!("logs/{name}"), left_out)),
            Err(Lost::Source(why)) => missing.push(Missing {
                name: SafeText::new(&source.name),
                why: SafeText::new(&why.to_string()),
            }),
            Err(Lost::Target(error)) => return Err(error),
        }
    }
    sync_folder(&logs_folder)?;
    for name in folders {
        let path = folder(dir, name)?;
        for file in names(&path)? {
            clean_file(&path.join(&file), redactor, &mut book)?;
            // What others wrote into the bundle is not yet on the disk.
            File::open(path.join(&file))
                .and_then(|file| file.sync_all())
                .map_err(|e| Error::io("sync", path.join(&file).display(), &e))?;
            files.push((format!("{name}/{file}"), 0));
        }
        sync_folder(&path)?;
    }
    let files = files
        .into_iter()
        .map(|(path, left_out)| {
            let (bytes, sha256) = measure(&dir.join(&path))?;
            Ok(Kept { path, bytes, sha256, left_out })
        })
        .collect::<Result<_, Error>>()?;
    let index = Index { format: 1, at, files, missing };
    index.write(dir)?;
    Ok(index)
}

/// Whose fault it is that a log was not kept.
enum Lost {
    Source(std::io::Error),
    Target(Error),
}

/// Copies one log; how many bytes of its middle were left out.
fn keep_log(
    source: &Source,
    to: &Path,
    limit: u64,
    (redactor, book): (&Redactor, &mut Book),
) -> Result<u64, Lost> {
    // A pipe in the place of a log must not hold us up.
    let mut from = File::options()
        .read(true)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0))
        .open(&source.path)
        .map_err(Lost::Source)?;
    let found = from.metadata().map_err(Lost::Source)?;
    if !found.is_file() {
        return Err(Lost::Source(std::io::Error::other("it is not a file")));
    }
    let length = found.len();
    let mut left_out = length.saturating_sub(limit);
    let mut unreadable = None;
    write_whole(to, |file| {
        let mut clean = Clean::new(redactor, book);
        if left_out == 0 {
            copy(&mut from, (file, &mut clean), length, &mut unreadable)?;
            return clean.end(file);
        }
        let head = limit / 10;
        copy(&mut from, (file, &mut clean), head, &mut unreadable)?;
        let half = clean.cut(file)?;
        let (tail, next) = match line_after(&mut from, head + left_out) {
            Ok(found) => found,
            Err(e) => {
                unreadable.get_or_insert(e);
                return Ok(());
            }
        };
        left_out = tail - (head - half);
        let newline = if half == 0 { "\n" } else { "" };
        writeln!(file, "{newline}[backout left out {left_out} of {length} bytes here]")?;
        clean.go_on(&next);
        copy(&mut from, (file, &mut clean), length - tail, &mut unreadable)?;
        clean.end(file)
    })
    .map_err(Lost::Target)?;
    match unreadable {
        None => Ok(left_out),
        Some(why) => {
            fs::remove_file(to).ok();
            Err(Lost::Source(why))
        }
    }
}

/// Copies at most `bytes`; a log that was cut short meanwhile ends early.
fn copy(
    from: &mut File,
    (to, clean): (&mut File, &mut Clean<'_>),
    bytes: u64,
    unreadable: &mut Option<std::io::Error>,
) -> std::io::Result<()> {
    let mut part = vec![0; 64 * 1024];
    let mut from = from.take(bytes);
    loop {
        let got = match from.read(&mut part) {
            Ok(got) => got,
            Err(why) => {
                unreadable.get_or_insert(why);
                return Ok(());
            }
        };
        let Some(read) = part.get(..got).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        clean.take(read, to)?;
    }
}

/// Where the first whole line begins at or after `at`, and what stands there; `from` is there
/// then. Where no line ends near, at `at` itself.
fn line_after(from: &mut File, at: u64) -> std::io::Result<(u64, Vec<u8>)> {
    const NEAR: u64 = 64 * 1024;
    let mut near = Vec::new();
    from.seek(SeekFrom::Start(at))?;
    Read::by_ref(from).take(NEAR).read_to_end(&mut near)?;
    let line = memchr::memchr(b'\n', &near).map_or(0, |newline| newline + 1);
    let begin = at + line as u64;
    from.seek(SeekFrom::Start(begin))?;
    Ok((begin, near.split_off(line)))
}

/// Takes the secrets out of a small file that others wrote.
fn clean_file(path: &Path, redactor: &Redactor, book: &mut Book) -> Result<(), Error> {
    let read = fs::read(path).map_err(|e| Error::io("read", path.display(), &e))?;
    let mut clean = Vec::with_capacity(read.len());
    redactor.lines(&read, &mut Pass::default(), book, &mut clean);
    if clean == read {
        return Ok(());
    }
    write_whole(path, |file| file.write_all(&clean))
}

/// A source's name as a file's name, unique among `all`.
fn file_name(source: &str, number: usize, all: &[Source]) -> String {
    let plain = |text: &str| -> String {
        text.chars()
            .take(64)
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .collect()
    };
    let name = plain(source);
    if all.iter().filter(|other| plain(&other.name) == name).count() > 1 {
        format!("{name}-{number}.log")
    } else {
        format!("{name}.log")
    }
}

fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let failed = |e: std::io::Error| Error::io("read", dir.display(), &e);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file()
            && let Ok(name) = entry.file_name().into_string()
            && Path::new(&name).extension() != Some("new".as_ref())
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::verify;
    use super::*;
    use crate::clock::Clock;

    fn source(name: &str, path: PathBuf) -> Source {
        Source { name: name.to_owned(), path }
    }

    fn kept(dir: &Path, logs: &[Source], limit: u64) -> Index {
        let redactor = Redactor::new(["hunter2hunter2"]);
        keep(dir, &[], logs, Vec::new(), (limit, &redactor), Clock::real().now()).unwrap()
    }

    #[test]
    fn a_short_log_is_kept_whole_and_verifies() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("app.log");
        fs::write(&log, "one\ntwo\n").unwrap();
        let bundle = dir.path().join("bundle");
        let index = kept(&bundle, &[source("green", log)], 100);
        assert_eq!(fs::read(bundle.join("logs/green.log")).unwrap(), b"one\ntwo\n");
        assert_eq!(index.files[0].left_out, 0);
        assert_eq!(verify(&bundle).unwrap(), Some(index));
    }

    #[test]
    fn of_a_long_log_the_first_tenth_and_the_last_nine_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("app.log");
        let text: Vec<u8> = (0..1000u32).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
        fs::write(&log, &text).unwrap();
        let bundle = dir.path().join("bundle");
        let index = kept(&bundle, &[source("green", log)], 100);
        let expected =
            [&text[..10], b"\n[backout left out 900 of 1000 bytes here]\n", &text[910..]].concat();
        assert_eq!(fs::read(bundle.join("logs/green.log")).unwrap(), expected);
        assert_eq!(index.files[0].left_out, 900);
    }

    #[test]
    fn secrets_are_kept_out_of_what_is_kept_also_where_the_middle_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("app.log");
        let line = "2026 I key hunter2hunter2 password=opensesame\n";
        fs::write(&log, line.repeat(500)).unwrap();
        for limit in [1 << 20, 5000, 5001, 5013, 5029] {
            let bundle = dir.path().join(format!("bundle{limit}"));
            let index = kept(&bundle, &[source("green", log.clone())], limit);
            let text = fs::read_to_string(bundle.join("logs/green.log")).unwrap();
            assert!(!text.contains("hunter2") && !text.contains("sesame"), "{limit}: {text}");
            let lines = text.lines().filter(|line| line.starts_with("2026 I key")).count() as u64;
            let left_out = index.files[0].left_out;
            assert_eq!(lines * line.len() as u64 + left_out, 500 * line.len() as u64, "{limit}");
        }
    }

    #[test]
    fn a_log_that_cannot_be_read_is_listed_and_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let bundle = dir.path().join("bundle");
        let logs = [
            source("gone", dir.path().join("gone.log")),
            source("pipe", pipe),
            source("folder", dir.path().to_owned()),
        ];
        let index = kept(&bundle, &logs, 100);
        assert!(index.files.is_empty());
        let missing: Vec<_> = index.missing.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(missing, ["gone", "pipe", "folder"]);
        assert!(verify(&bundle).unwrap().is_some());
    }

    #[test]
    fn a_changed_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("app.log");
        fs::write(&log, "one\n").unwrap();
        let bundle = dir.path().join("bundle");
        kept(&bundle, &[source("green", log)], 100);
        fs::write(bundle.join("logs/green.log"), "two\n").unwrap();
        let error = verify(&bundle).unwrap_err();
        assert!(error.message.contains("logs/green.log"), "{error}");
        fs::remove_file(bundle.join("logs/green.log")).unwrap();
        assert!(verify(&bundle).is_err());
    }

    #[test]
    fn a_bundle_without_an_index_was_never_finished() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(verify(dir.path()).unwrap(), None);
        assert_eq!(verify(&dir.path().join("nowhere")).unwrap(), None);
    }

    #[test]
    fn names_of_sources_stay_inside_the_bundle_and_apart() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("app.log");
        fs::write(&log, "one\n").unwrap();
        let bundle = dir.path().join("bundle");
        let logs = ["../../etc/x", "a/b", "a.b"].map(|name| source(name, log.clone()));
        let index = kept(&bundle, &logs, 100);
        let paths: Vec<_> = index.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["logs/______etc_x.log", "logs/a_b-1.log", "logs/a_b-2.log"]);
    }
}
