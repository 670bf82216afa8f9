//! Places in a plain file: line boundaries, and where a time is.

use super::super::super::Error;
use super::super::stamp;
use super::{Followed, bare};

/// Where a search by time stops halving, in bytes.
const NEAR: u64 = 64 * 1024;

impl Followed {
    /// The line boundary at `offset` or next after it.
    pub(super) fn boundary(&self, offset: u64) -> Result<u64, Error> {
        let mut at = offset.saturating_sub(1);
        while offset > 0 && at < self.plain.length {
            let bytes = self.plain.read(&self.path, at, 4096)?;
            match memchr::memchr(b'\n', &bytes) {
                Some(newline) => return Ok(at + newline as u64 + 1),
                None if bytes.is_empty() => break,
                None => at += bytes.len() as u64,
            }
        }
        Ok(offset.min(self.plain.length))
    }

    /// The first line boundary after everything up to `ms`, for a file in the order of time.
    pub(super) fn seek(&self, ms: i64) -> Result<u64, Error> {
        if ms == i64::MAX {
            return Ok(self.plain.length);
        }
        let (mut low, mut high) = (0, self.plain.length);
        while high - low > NEAR {
            let middle = low + (high - low) / 2;
            match self.first_after(middle)? {
                Some((_, at)) if at <= ms => low = middle,
                Some(_) | None => high = middle,
            }
        }
        let bytes = self.plain.read(&self.path, low, high - low + NEAR)?;
        let mut at = low;
        let mut after = low;
        // Lines without a time belong to the one before them, where there is one.
        let mut begun = low > 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // The first piece may be the rest of a line.
            let whole = at > low || low == 0;
            at += line.len() as u64;
            let moment = stamp::moment(bare(line), self.plain.year).filter(|_| whole);
            if moment.is_some_and(|moment| moment > ms) {
                break;
            }
            begun |= moment.is_some();
            if begun {
                after = at;
            }
        }
        Ok(after.min(self.plain.length))
    }

    /// The first line with a time of its own in the block at `offset`.
    fn first_after(&self, offset: u64) -> Result<Option<(u64, i64)>, Error> {
        let bytes = self.plain.read(&self.path, offset, NEAR)?;
        let mut at = offset;
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let moment = stamp::moment(bare(line), self.plain.year).filter(|_| number > 0);
            if let Some(ms) = moment {
                return Ok(Some((at, ms)));
            }
            at += line.len() as u64;
        }
        Ok(None)
    }
}
