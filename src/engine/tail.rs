//! Follows log files into the spool; what it could not read is a line that says so.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::LogSource;
use crate::journal::spool::{Limits, SourceWriter};

/// Between looks at a file that had nothing new.
const LOOK: Duration = Duration::from_millis(100);
/// The most that is read of one file before the others have their turn.
const TURN: usize = 1024 * 1024;
/// A line without an end is cut here.
const LINE: usize = 1024 * 1024;

struct Followed {
    source: LogSource,
    writer: SourceWriter,
    file: Option<(File, u64)>,
    at: u64,
    partial: Vec<u8>,
    missing: bool,
}

/// Follows `sources` into `spool` until the task is dropped. Starts at the end of each file less
/// its last 64 KiB, so that a console sees at once what led here.
pub async fn follow(spool: PathBuf, sources: Vec<LogSource>, clock: Clock) {
    let mut followed: Vec<Followed> = sources
        .into_iter()
        .filter_map(|source| match SourceWriter::open(&spool, &source.source, Limits::default()) {
            Ok(writer) => {
                let partial = Vec::new();
                Some(Followed { source, writer, file: None, at: 0, partial, missing: false })
            }
            Err(error) => {
                tracing::error!("could not open the spool of {}: {error}", source.source);
                None
            }
        })
        .collect();
    let mut buffer = vec![0; TURN];
    loop {
        let mut busy = false;
        for one in &mut followed {
            busy |= one.turn(&mut buffer, &clock);
        }
        // A busy file has its next turn at once, after everyone else.
        if busy {
            tokio::task::yield_now().await;
        } else {
            clock.sleep(LOOK).await;
        }
    }
}

impl Followed {
    /// Reads what is new; whether there may be more at once.
    fn turn(&mut self, buffer: &mut [u8], clock: &Clock) -> bool {
        let now = clock.now();
        let Ok(meta) = std::fs::metadata(&self.source.path) else {
            if !self.missing {
                self.missing = true;
                self.note(now, "the file is not there");
            }
            self.file = None;
            return false;
        };
        let moved = self.file.as_ref().is_some_and(|(_, inode)| *inode != meta.ino());
        if self.file.is_none() || moved {
            let Ok(mut file) = File::open(&self.source.path) else { return false };
            let first = self.file.is_none() && !self.missing;
            self.at = if first { meta.len().saturating_sub(64 * 1024) } else { 0 };
            if file.seek(SeekFrom::Start(self.at)).is_err() {
                return false;
            }
            self.file = Some((file, meta.ino()));
            self.missing = false;
        }
        if meta.len() < self.at {
            self.note(now, "the file was truncated");
            self.at = 0;
            self.partial.clear();
            if let Some((file, _)) = &mut self.file {
                file.seek(SeekFrom::Start(0)).ok();
            }
        }
        let Some((file, _)) = &mut self.file else { return false };
        let read = match file.read(buffer) {
            Ok(read) => read,
            Err(error) => {
                self.note(now, &format!("could not read: {error}"));
                return false;
            }
        };
        self.at += read as u64;
        self.split(buffer.get(..read).unwrap_or_default(), now);
        if let Err(error) = self.writer.flush() {
            tracing::error!("could not write the spool of {}: {error}", self.source.source);
        }
        read == buffer.len()
    }

    fn split(&mut self, bytes: &[u8], now: crate::model::ids::Time) {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        for line in &mut lines {
            self.partial.extend_from_slice(line);
            let whole = line.last() == Some(&b'\n');
            if whole || self.partial.len() >= LINE {
                let end = self.partial.len() - usize::from(whole);
                let line = self.partial.get(..end).unwrap_or_default();
                if let Err(error) = self.writer.append(now, line) {
                    tracing::error!("could not write the spool of {}: {error}", self.source.source);
                }
                self.partial.clear();
            }
        }
    }

    fn note(&mut self, now: crate::model::ids::Time, why: &str) {
        if let Err(error) = self.writer.gap(now, why) {
            tracing::error!("could not write the spool of {}: {error}", self.source.source);
        }
    }
}
