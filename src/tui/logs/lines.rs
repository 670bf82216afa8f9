//! Logs without a screen: the lines that are wanted, oldest first, one a line.

use std::fs::File;
use std::io::Write;
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

/// Writes the lines of a whole file with a match, found by two threads, in their order; how many.
pub async fn found(
    path: &Path,
    find: Find,
    clock: &Clock,
    out: &mut dyn Write,
) -> std::io::Result<usize> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let search = Search::start(file.try_clone()?, length, find, (0, false), None)?;
    let mut count = 0;
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
