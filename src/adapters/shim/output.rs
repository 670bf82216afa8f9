//! What a tool writes, bounded on disk: the first part and the last part are kept.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::model::ids::Digest;

use super::ToolOutput;

/// Kept of the beginning, in bytes.
pub(super) const HEAD: u64 = 16 * 1024 * 1024;
/// Kept of the end, in bytes; with the head 64 MiB.
pub(super) const TAIL: u64 = 48 * 1024 * 1024;

/// The file `output` and, when the head is full, `output.tail` beside it, written round and round.
pub(super) struct Output {
    path: PathBuf,
    head: File,
    tail: Option<File>,
    head_limit: u64,
    tail_limit: u64,
    written: u64,
}

impl Output {
    /// Begins in the folder `slot`.
    pub(super) fn create(slot: &Path, head_limit: u64, tail_limit: u64) -> io::Result<Self> {
        let path = slot.join("output");
        Ok(Self { head: open(&path)?, path, tail: None, head_limit, tail_limit, written: 0 })
    }

    /// Takes what the tool wrote.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (file, room) = if self.written < self.head_limit {
                (&mut self.head, self.head_limit - self.written)
            } else {
                let at = (self.written - self.head_limit) % self.tail_limit;
                let tail = match &mut self.tail {
                    Some(tail) => tail,
                    empty @ None => empty.insert(open(&beside(&self.path))?),
                };
                if at == 0 {
                    tail.seek(SeekFrom::Start(0))?;
                }
                (tail, self.tail_limit - at)
            };
            let part = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let (now, later) = bytes.split_at(part);
            file.write_all(now)?;
            self.written += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Puts head and tail together in one file, with a line between them where something is
    /// missing, and syncs it.
    pub(super) fn finish(mut self) -> io::Result<ToolOutput> {
        let beyond = self.written.saturating_sub(self.head_limit);
        let left_out = beyond.saturating_sub(self.tail_limit);
        if let Some(mut tail) = self.tail.take() {
            if left_out > 0 {
                writeln!(
                    self.head,
                    "\n[backout left out {left_out} of {} bytes here]",
                    self.written
                )?;
                let oldest = beyond % self.tail_limit;
                tail.seek(SeekFrom::Start(oldest))?;
                io::copy(&mut tail, &mut self.head)?;
                tail.seek(SeekFrom::Start(0))?;
                io::copy(&mut tail.take(oldest), &mut self.head)?;
            } else {
                tail.seek(SeekFrom::Start(0))?;
                io::copy(&mut tail, &mut self.head)?;
            }
            fs::remove_file(beside(&self.path))?;
        }
        self.head.sync_all()?;
        Ok(ToolOutput { bytes: self.written, left_out, sha256: digest(&mut self.head)? })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn digest(file: &mut File) -> io::Result<Digest> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        let got = file.read(&mut part)?;
        let Some(read) = part.get(..got).filter(|read| !read.is_empty()) else {
            break;
        };
        hash.update(read);
    }
    Ok(Digest::of_hash(&hash.finalize()))
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("tail")
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(true).read(true).write(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of `text` written in pieces of `piece` bytes, with 4 bytes head and 6 tail.
    fn kept(text: &[u8], piece: usize) -> (Vec<u8>, ToolOutput) {
        let dir = tempfile::tempdir().unwrap();
        let mut output = Output::create(dir.path(), 4, 6).unwrap();
        for part in text.chunks(piece) {
            output.take(part).unwrap();
        }
        let told = output.finish().unwrap();
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["output"]);
        (fs::read(dir.path().join("output")).unwrap(), told)
    }

    #[test]
    fn what_fits_is_kept_whole() {
        for length in 0..=10 {
            let text = &b"0123456789"[..length];
            let (file, told) = kept(text, 3);
            assert_eq!(file, text);
            assert_eq!((told.bytes, told.left_out), (length as u64, 0));
            assert_eq!(told.sha256, Digest::of(text));
        }
    }

    #[test]
    fn of_more_the_head_and_the_tail_are_kept_in_order() {
        let text: Vec<u8> = (b'a'..=b'z').collect();
        for length in 11..=26 {
            for piece in [1, 3, 7, 26] {
                let text = &text[..length];
                let (file, told) = kept(text, piece);
                let left_out = length - 10;
                let marker = format!("\n[backout left out {left_out} of {length} bytes here]\n");
                let expected = [&text[..4], marker.as_bytes(), &text[length - 6..]].concat();
                assert_eq!(file, expected, "{length} bytes in pieces of {piece}");
                assert_eq!(told.left_out, left_out as u64);
            }
        }
    }
}
