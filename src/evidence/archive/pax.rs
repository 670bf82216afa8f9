//! Headers that say more of the next entry: long names and PAX records.

use tar::{EntryType, Header};

/// What was said of the next entry.
#[derive(Debug, Default)]
pub(super) struct Long {
    /// Its name.
    pub path: Option<Vec<u8>>,
    /// What it links to.
    pub link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// The greatest size that a header's own field holds as text.
const OCTAL: u64 = 0o77_777_777_777;

impl Long {
    /// Takes in what a header of `kind` says.
    pub(super) fn take(&mut self, kind: EntryType, mut text: Vec<u8>) -> Result<(), String> {
        match kind {
            EntryType::GNULongName => {
                ended(&mut text);
                once(&mut self.path, text, "name")
            }
            EntryType::GNULongLink => {
                ended(&mut text);
                once(&mut self.link, text, "link")
            }
            _ => {
                for (key, value) in records(&text)? {
                    self.record(key, value)?;
                }
                Ok(())
            }
        }
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        match key {
            b"path" => once(&mut self.path, value.to_vec(), "name"),
            b"linkpath" => once(&mut self.link, value.to_vec(), "link"),
            b"size" => {
                let text = std::str::from_utf8(value).ok();
                let size = text.and_then(|text| text.parse().ok());
                once(&mut self.size, size.ok_or("has a size that is no number")?, "size")
            }
            // Who owned it, when, and attributes: not restored.
            b"mtime" | b"atime" | b"ctime" | b"uid" | b"gid" | b"uname" | b"gname" | b"comment" => {
                Ok(())
            }
            key if key.starts_with(b"SCHILY.") || key.starts_with(b"LIBARCHIVE.") => Ok(()),
            key => {
                let key = String::from_utf8_lossy(key).into_owned();
                Err(format!("has an extension that is not known: {key}"))
            }
        }
    }

    /// The entry's size, where the two places that say it agree.
    pub(super) fn size_beside(&self, header: &Header) -> Result<u64, String> {
        let own = header.entry_size().map_err(|e| e.to_string())?;
        match self.size {
            None => Ok(own),
            Some(size) if size == own || size > OCTAL => Ok(size),
            Some(size) => Err(format!("has two sizes, {own} and {size}")),
        }
    }
}

/// Whether a header for all entries says nothing of any: git writes one with a comment.
pub(super) fn only_a_comment(text: &[u8]) -> Result<(), String> {
    match records(text)?.iter().find(|(key, _)| *key != b"comment") {
        None => Ok(()),
        Some(_) => Err("says something of all entries at once".to_owned()),
    }
}

fn once<T>(field: &mut Option<T>, value: T, what: &str) -> Result<(), String> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("has two {what}s")),
    }
}

fn ended(text: &mut Vec<u8>) {
    while text.last() == Some(&0) {
        text.pop();
    }
}

/// A key and its value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// The records of a PAX header: `LENGTH KEY=VALUE\n`.
fn records(text: &[u8]) -> Result<Vec<Record<'_>>, String> {
    let mut rest = text;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let record = record(rest).ok_or("has an extension that cannot be read")?;
        found.push((record.0, record.1));
        rest = rest.get(record.2..).unwrap_or_default();
    }
    Ok(found)
}

fn record(text: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let blank = text.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(text.get(..blank)?).ok()?.parse().ok()?;
    let body = text.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((body.get(..equals)?, body.get(equals + 1..)?, length))
}
