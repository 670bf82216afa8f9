//! Logs without a screen: the lines that are wanted, oldest first, one a line.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::journal::Error;
use crate::journal::spool::{FileReader, Find, LogLine, Page, Place, Position, Query, Search};
use crate::text::SafeText;

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Rows read at once.
const ROWS: usize = 1_000;

/// What is written.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Which lines.
    pub query: Query,
    /// Only so many of the last; all without.
    pub last: Option<usize>,
    /// Whether to go on with what comes.
    pub follow: bool,
}

/// Writes lines until there are no more or, when following, nobody reads them.
pub async fn write(wanted: Wanted, clock: Clock, out: &mut dyn Write) -> Result<(), Error> {
    let mut files = FileReader::open(&wanted.paths)?;
    files.refresh()?;
    let named = files.sources().len() > 1;
    let mut end = files.end()?;
    let mut written = true;
    if let Some(last) = wanted.last {
        let mut lines: Vec<LogLine> = Vec::new();
        let mut place = Place::Follow;
        while lines.len() < last {
            let rows = (last - lines.len()).min(ROWS);
            let page = files.page(&Query { place, rows, ..wanted.query.clone() })?;
            let Page { lines: more, more_above, start, .. } = page;
            lines.splice(0..0, more);
            place = Place::Before(start);
            if !more_above {
                break;
            }
        }
        written = say(out, &lines, named);
    } else {
        let mut place = Place::After(Position::default());
        loop {
            let page = files.page(&Query { place, rows: ROWS, ..wanted.query.clone() })?;
            written &= say(out, &page.lines, named);
            if !page.more_below || !written {
                break;
            }
            place = Place::After(page.end);
        }
    }
    while wanted.follow && written {
        clock.sleep(LOOK).await;
        files.refresh()?;
        let fresh = files.fresh(&wanted.query, &mut end, usize::MAX, clock.now())?;
        written = say(out, &fresh.lines, named);
    }
    Ok(())
}

/// Between two looks at a search.
const SEARCH: Duration = Duration::from_millis(1);
/// The most of a line that is written.
const LINE: usize = 16 * 1024;

/// How far around a match lines are looked for, in bytes.
const WINDOW: u64 = 64 * 1024;

/// Writes the lines of a whole file with a match, found by two threads, in their order, each with
/// `around` lines before and after it; how many matched.
pub async fn found(
    path: &Path,
    find: Find,
    around: usize,
    clock: &Clock,
    out: &mut dyn Write,
) -> std::io::Result<usize> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let search = Search::start(file.try_clone()?, length, find, (0, false), None)?;
    let (mut count, mut written) = (0, 0);
    for piece in 0..search.pieces() {
        let lines = loop {
            match search.lines(piece)? {
                Some(lines) => break lines,
                None => clock.sleep(SEARCH).await,
            }
        };
        count += lines.len();
        let mut bytes = vec![0; LINE];
        let mut text = String::new();
        for at in lines {
            if around > 0 {
                let part = surrounding(&file, (at, length), around)?;
                if part.start > written && written > 0 {
                    text.push_str("--\n");
                }
                let from = part.start.max(written);
                written = written.max(part.end);
                push(&file, from..part.end, &mut text)?;
                continue;
            }
            let read = file.read_at(&mut bytes, at)?;
            let line = bytes.get(..read).unwrap_or_default();
            let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
            text.push_str(SafeText::from_bytes(line.get(..end).unwrap_or_default()).as_str());
            text.push('\n');
        }
        if !text.is_empty() && out.write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    out.flush().ok();
    Ok(count)
}

/// The bytes of the line at `at` and of so many lines on both sides, as far as the window reaches.
fn surrounding(
    file: &File,
    (at, length): (u64, u64),
    around: usize,
) -> std::io::Result<Range<u64>> {
    let first = at.saturating_sub(WINDOW);
    let before = read(file, first..at)?;
    let mut ends = memchr::memrchr_iter(b'\n', &before);
    // The newest of them ends the line above.
    let start = match ends.nth(around) {
        Some(end) => first + end as u64 + 1,
        None if first == 0 => 0,
        // A line that begins outside the window is left out.
        None => memchr::memchr(b'\n', &before).map_or(at, |end| first + end as u64 + 1),
    };
    let last = length.min(at + WINDOW);
    let after = read(file, at..last)?;
    let end = memchr::memchr_iter(b'\n', &after).nth(around);
    Ok(start..end.map_or(last, |end| at + end as u64 + 1))
}

fn read(file: &File, range: Range<u64>) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(range.end - range.start).unwrap_or_default();
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

/// The lines in `range`, safe for a terminal.
fn push(file: &File, range: Range<u64>, text: &mut String) -> std::io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    for line in read(file, range)?.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        text.push_str(SafeText::from_bytes(line).as_str());
        text.push('\n');
    }
    Ok(())
}

/// Whether somebody still reads.
fn say(out: &mut dyn Write, lines: &[LogLine], named: bool) -> bool {
    let mut text = String::new();
    for line in lines {
        for _ in 0..line.folded {
            if named {
                text.push_str(&line.source);
                text.push_str(": ");
            }
            if line.gap {
                text.push_str("-- ");
            }
            text.push_str(line.text.as_str());
            text.push('\n');
        }
    }
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(text: &str, find: &str, around: usize) -> (usize, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rollback_execution.log");
        std::fs::write(&path, text).unwrap();
        let (find, mut out) = (Find::typed(find).unwrap(), Vec::new());
        let count = found(&path, find, around, &Clock::real(), &mut out).await.unwrap();
        (count, String::from_utf8(out).unwrap())
    }

    fn numbered(lines: std::ops::RangeInclusive<usize>) -> String {
        lines
            .map(
                |n| if n % 50 == 0 { format!("{n} rollback 7 failed\n") } else { format!("{n}\n") },
            )
            .collect()
    }

    /// P-37: ten lines before and after what failed, each line once.
    #[tokio::test]
    async fn a_match_is_shown_with_the_lines_around_it() {
        let text = numbered(1..=120);
        let (count, said) = shown(&text, "~rollback.*failed", 10).await;
        assert_eq!(count, 2);
        assert_eq!(said, format!("{}--\n{}", numbered(40..=60), numbered(90..=110)));
        let (_, said) = shown(&text, "~rollback.*failed", 30).await;
        assert_eq!(said, numbered(20..=120), "what overlaps is shown once");
        let (count, said) = shown(&text, "~rollback.*failed", 0).await;
        assert_eq!((count, said.as_str()), (2, "50 rollback 7 failed\n100 rollback 7 failed\n"));
    }

    #[tokio::test]
    async fn the_first_and_the_last_line_have_less_around_them() {
        assert_eq!(shown("it failed\nb\nc\nd", "failed", 2).await.1, "it failed\nb\nc\n");
        assert_eq!(shown("a\nb\nc\nit failed", "failed", 2).await.1, "b\nc\nit failed\n");
        let long = format!("{}\nit failed\n", "x".repeat(200_000));
        assert_eq!(
            shown(&long, "failed", 1).await.1,
            "it failed\n",
            "a line of 200 kB is left out"
        );
    }
}
