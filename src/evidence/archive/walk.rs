//! Walks through an unpacked archive, entry by entry.

use std::io::{ErrorKind, Read};

use tar::{EntryType, Header};

use super::{BLOCK, Entry, Kind, Limits, NAME, No, Seen, Sink, Wrong, name, padding, pax};
use crate::adapters::Error;

/// How a walk through an archive ended early.
enum Cut {
    /// It cannot be read any further.
    Broken(String, String),
    /// A limit is passed: reading on is what it wants.
    Full(String, String),
    /// Our own side failed.
    Failed(Error),
}

/// Reads every entry of the unpacked archive `from` and gives it to `sink`. What is wrong is
/// listed in `wrong`; once anything is, the sink gets no more, but the walk goes on to find the
/// rest. With `end`, the archive must have its two closing blocks and nothing behind them.
pub(super) fn walk(
    from: &mut dyn Read,
    limits: Limits,
    end: bool,
    sink: &mut dyn Sink,
    (seen, wrong): (&mut Seen, &mut Wrong),
) -> Result<(), Error> {
    let mut walk = Walk { from, limits, sink, seen, wrong, buffer: vec![0; 128 * 1024] };
    match walk.all(end) {
        Ok(()) => {}
        Err(Cut::Broken(entry, why) | Cut::Full(entry, why)) => walk.wrong.add(&entry, why),
        Err(Cut::Failed(error)) => return Err(error),
    }
    Ok(())
}

struct Walk<'a> {
    from: &'a mut dyn Read,
    limits: Limits,
    sink: &'a mut dyn Sink,
    seen: &'a mut Seen,
    wrong: &'a mut Wrong,
    buffer: Vec<u8>,
}

impl Walk<'_> {
    fn all(&mut self, end: bool) -> Result<(), Cut> {
        let mut long = pax::Long::default();
        loop {
            let Some(block) = self.block()? else {
                return if end {
                    Err(broken("", "it ends without its closing blocks: it was cut short"))
                } else {
                    Ok(())
                };
            };
            if block.iter().all(|byte| *byte == 0) {
                return self.closing();
            }
            let header = Header::from_byte_slice(&block);
            let shown = String::from_utf8_lossy(&header.path_bytes()).into_owned();
            if !sum_is_right(header) {
                return Err(broken(&shown, "its header is damaged"));
            }
            let size = header.entry_size().map_err(|e| broken(&shown, &e.to_string()))?;
            match header.entry_type() {
                EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader => {
                    let text = self.small(&shown, size)?;
                    if let Err(why) = long.take(header.entry_type(), text) {
                        self.wrong.add(&shown, why);
                    }
                }
                EntryType::XGlobalHeader => {
                    let text = self.small(&shown, size)?;
                    if let Err(why) = pax::only_a_comment(&text) {
                        self.wrong.add(&shown, why);
                    }
                }
                _ => self.entry(header, &std::mem::take(&mut long))?,
            }
        }
    }

    /// The next block, or nothing at the end.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Cut> {
        let mut block = [0; BLOCK];
        match self.fill(&mut block) {
            Ok(BLOCK) => Ok(Some(block)),
            Ok(0) => Ok(None),
            Ok(_) => Err(broken("", "it ends inside a block: it was cut short")),
            Err(e) => Err(unreadable("", &e)),
        }
    }

    /// Reads as much of `into` as there is.
    fn fill(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.from.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }

    /// A header's own content, which is small or a violation.
    fn small(&mut self, shown: &str, size: u64) -> Result<Vec<u8>, Cut> {
        if size > 16 * NAME {
            return Err(Cut::Full(shown.to_owned(), format!("a header of {size} bytes")));
        }
        let mut text = vec![0; usize::try_from(size).unwrap_or(0)];
        let padding = padding(size);
        let mut rest = vec![0; padding];
        for part in [text.as_mut_slice(), rest.as_mut_slice()] {
            let filled = self.fill(part).map_err(|e| unreadable(shown, &e))?;
            if filled < part.len() {
                return Err(broken(shown, "it ends inside a header: it was cut short"));
            }
        }
        Ok(text)
    }

    fn entry(&mut self, header: &Header, long: &pax::Long) -> Result<(), Cut> {
        let raw = long.path.clone().unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&raw).into_owned();
        let size = long.size_beside(header).map_err(|why| broken(&shown, &why))?;
        let entry = match entry_of(header, &raw, long.link.as_deref(), size) {
            Ok(entry) => Some(entry),
            Err(why) => {
                self.wrong.add(&shown, why);
                None
            }
        };
        let mut taken = None;
        if let Some(entry) = entry {
            // The archive's own folder, as `tar -C folder -c .` names it.
            if entry.path.is_empty() && entry.kind == Kind::Folder {
                return Ok(());
            }
            match self.seen.take(&entry, self.limits) {
                Ok(()) => taken = Some(entry),
                Err(why) if why.starts_with("more than") => return Err(Cut::Full(shown, why)),
                Err(why) => self.wrong.add(&shown, why),
            }
        } else {
            self.seen.entries += 1;
        }
        let use_it = taken.is_some() && self.wrong.is_empty();
        if let Some(entry) = taken.as_ref().filter(|_| use_it) {
            let answer = self.sink.begin(entry);
            self.answered(&shown, answer)?;
        }
        self.body(&shown, size)?;
        if use_it && self.wrong.is_empty() && size_counts(taken.as_ref()) {
            let answer = self.sink.end();
            self.answered(&shown, answer)?;
        }
        Ok(())
    }

    fn answered(&mut self, shown: &str, answer: Result<(), No>) -> Result<(), Cut> {
        match answer {
            Ok(()) => Ok(()),
            Err(No::Wrong(why)) => {
                self.wrong.add(shown, why);
                Ok(())
            }
            Err(No::Failed(error)) => Err(Cut::Failed(error)),
        }
    }

    fn body(&mut self, shown: &str, size: u64) -> Result<(), Cut> {
        if size > self.limits.bytes {
            let why = format!("says that it has {size} bytes, {} are the most", self.limits.bytes);
            return Err(Cut::Full(shown.to_owned(), why));
        }
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let part = self.buffer.get_mut(..most).unwrap_or_default();
            let count = match self.from.read(part) {
                Ok(0) => return Err(broken(shown, "it ends inside this file: it was cut short")),
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(unreadable(shown, &e)),
            };
            left -= count as u64;
            if self.wrong.is_empty() {
                let answer = self.sink.data(part.get(..count).unwrap_or_default());
                self.answered(shown, answer)?;
            }
        }
        let mut rest = vec![0; padding(size)];
        let filled = self.fill(&mut rest).map_err(|e| unreadable(shown, &e))?;
        if filled < rest.len() {
            return Err(broken(shown, "it ends inside a block: it was cut short"));
        }
        Ok(())
    }

    /// Behind the first closing block there are only zeros: a second archive there is one that a
    /// reader may see and another may not.
    fn closing(&mut self) -> Result<(), Cut> {
        let mut rest = 0_u64;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match self.from.read(&mut buffer) {
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(unreadable("", &e)),
            };
            if count == 0 {
                break;
            }
            let part = buffer.get(..count).unwrap_or_default();
            if part.iter().any(|byte| *byte != 0) {
                return Err(broken("", "something follows behind its end"));
            }
            rest += count as u64;
            if rest > 1 << 24 {
                return Err(Cut::Full(String::new(), "zeros without end follow it".to_owned()));
            }
        }
        if rest < BLOCK as u64 {
            return Err(broken("", "the second closing block is missing: it was cut short"));
        }
        Ok(())
    }
}

/// Whether the sink is told the end of it: only files have one.
fn size_counts(entry: Option<&Entry>) -> bool {
    entry.is_some_and(|entry| entry.kind == Kind::File)
}

fn broken(entry: &str, why: &str) -> Cut {
    Cut::Broken(entry.to_owned(), why.to_owned())
}

fn unreadable(entry: &str, error: &std::io::Error) -> Cut {
    let why = match error.kind() {
        ErrorKind::UnexpectedEof => "the compressed stream ends early: it was cut short".to_owned(),
        _ => format!("could not be read: {error}"),
    };
    Cut::Broken(entry.to_owned(), why)
}

/// Whether the header's sum is that of its bytes, counted with the sum's own field blank.
fn sum_is_right(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum: u32 = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    header.cksum().is_ok_and(|said| said == sum)
}

fn entry_of(
    header: &Header,
    raw: &[u8],
    long_link: Option<&[u8]>,
    size: u64,
) -> Result<Entry, String> {
    let path = name::path(raw)?;
    let kind = match header.entry_type() {
        // A name that ends in a slash is a folder's, says the format before 1988.
        EntryType::Regular if raw.ends_with(b"/") => Kind::Folder,
        EntryType::Regular => Kind::File,
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => {
            let to = match long_link {
                Some(link) => link.to_vec(),
                None => header.link_name_bytes().unwrap_or_default().into_owned(),
            };
            Kind::Link(name::link(&path, &to)?)
        }
        EntryType::Link => return Err("is a hard link".to_owned()),
        EntryType::Char | EntryType::Block => return Err("is a device".to_owned()),
        EntryType::Fifo => return Err("is a pipe".to_owned()),
        EntryType::GNUSparse => return Err("is a sparse file".to_owned()),
        other => return Err(format!("is of a kind that is not known ({:#04x})", other.as_byte())),
    };
    if path.is_empty() && kind != Kind::Folder {
        return Err("has no name".to_owned());
    }
    if kind != Kind::File && size > 0 {
        return Err(format!("is no file and has {size} bytes"));
    }
    let mode = header.mode().map_err(|e| e.to_string())? & 0o777;
    Ok(Entry { path, kind, bytes: size, mode, mtime: header.mtime().unwrap_or(0) })
}
