//! Bytes into a file without their secrets, a line at a time.

use std::io::Write;

use super::{Book, Pass, Redactor};

/// A longer line is not waited for.
const LONGEST: usize = 256 * 1024;

/// Between what is read and the file it is kept in.
pub struct Clean<'a> {
    redactor: &'a Redactor,
    book: &'a mut Book,
    pass: Pass,
    carry: Vec<u8>,
    out: Vec<u8>,
    lines: bool,
}

impl<'a> Clean<'a> {
    /// Nothing taken yet.
    pub fn new(redactor: &'a Redactor, book: &'a mut Book) -> Self {
        let (carry, out) = (Vec::new(), Vec::new());
        Self { redactor, book, pass: Pass::default(), carry, out, lines: false }
    }

    /// Takes bytes as they come.
    pub fn take(&mut self, bytes: &[u8], to: &mut impl Write) -> std::io::Result<()> {
        let before = self.carry.len();
        self.carry.extend_from_slice(bytes);
        // What was carried has no end of a line in it, or it would not be here.
        let whole = memchr::memrchr(b'\n', bytes).map(|newline| before + newline + 1);
        self.lines |= whole.is_some();
        let long = (self.carry.len() >= LONGEST).then_some(self.carry.len());
        match whole.or(long) {
            Some(whole) => self.write(whole, to),
            None => Ok(()),
        }
    }

    /// Writes what is left of a line without an end.
    pub fn end(&mut self, to: &mut impl Write) -> std::io::Result<()> {
        self.write(self.carry.len(), to)
    }

    /// Something is left out from here on: half a line may be half a secret, and is left out too
    /// where whole ones stand before it. How many bytes that was.
    pub fn cut(&mut self, to: &mut impl Write) -> std::io::Result<u64> {
        self.pass.cut();
        if !self.lines {
            self.end(to)?;
        }
        let half = self.carry.len() as u64;
        self.carry.clear();
        Ok(half)
    }

    /// Goes on where a part that begins with `next` was left out.
    pub fn go_on(&mut self, next: &[u8]) {
        self.pass.begin_within(next);
    }

    fn write(&mut self, whole: usize, to: &mut impl Write) -> std::io::Result<()> {
        self.out.clear();
        let lines = self.carry.get(..whole).unwrap_or_default();
        self.redactor.lines(lines, &mut self.pass, self.book, &mut self.out);
        drop(self.book.take_found());
        self.carry.drain(..whole);
        to.write_all(&self.out)
    }
}
