//! Reading and writing the files of a stack.

use std::fs;
use std::io::Write;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adapters::{Error, Kind};

/// A time as RFC 3339 in UTC with milliseconds.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Appends `text` to a file in one write, so that lines of several processes do not mix. A file
/// that is gone is not made again: the folder is then being removed.
pub fn append(path: &Path, text: &str) -> Result<(), Error> {
    fs::File::options()
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Error::io("append to", path.display(), &e))
}

/// Replaces a file as a whole: a reader sees the old or the new one, never a half.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    fs::write(&fresh, bytes)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|e| Error::io("write", path.display(), &e))
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|e| Error::io("write", path.display(), &e))
}

/// Replaces a JSON file as a whole.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut text = serde_json::to_vec(value).map_err(|e| unreadable("write", path, &e))?;
    text.push(b'\n');
    replace(path, &text)
}

/// Reads a JSON file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read(path).map_err(|e| Error::io("read", path.display(), &e))?;
    serde_json::from_slice(&text).map_err(|e| unreadable("read", path, &e))
}

fn unreadable(verb: &str, path: &Path, error: &serde_json::Error) -> Error {
    Error::new(Kind::Rejected, format!("could not {verb} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_leaves_no_half_written_one_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_json(&path, &1).unwrap();
        write_json(&path, &2).unwrap();
        assert_eq!(read_json::<i32>(&path).unwrap(), 2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
