//! Reads a plain dump to its end before anything is made of it: whether it is whole, and whether
//! it asks for more than rows and tables. `psql` would run a program for whoever wrote the file.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use crate::adapters::{Error, Kind};
use crate::text::fit;

use super::split::{Piece, Splitter, words};
use super::tools::{LAST, unpacked};

/// The last line of a dump: without it a file is only a part of one (W-58).
const TRAILER: &str = "-- PostgreSQL database dump complete";

/// What a dump is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// SQL, compressed or not.
    Plain,
    /// `pg_dump -Fc`, in one file.
    Custom,
    /// `pg_dump -Fd`, a folder.
    Folder,
}

/// What the dump at `path` is written in.
pub(super) fn format(path: &Path) -> Result<Format, Error> {
    let io = |e: std::io::Error| Error::io("read", path.display(), &e);
    if std::fs::metadata(path).map_err(io)?.is_dir() {
        if path.join("toc.dat").is_file() {
            return Ok(Format::Folder);
        }
        return Err(refused(path, "it is a folder without the toc.dat of a dump"));
    }
    let read = AtomicU64::new(0);
    let mut magic = Vec::new();
    unpacked(path, &read).and_then(|file| file.take(5).read_to_end(&mut magic)).map_err(io)?;
    Ok(if magic == b"PGDMP" { Format::Custom } else { Format::Plain })
}

/// Reads a plain dump through; refuses one that is cut, damaged or asks for what is not allowed.
pub(super) fn read(path: &Path) -> Result<(), Error> {
    let io = |e: std::io::Error| {
        let damaged = matches!(
            e.kind(),
            std::io::ErrorKind::InvalidInput
                | std::io::ErrorKind::InvalidData
                | std::io::ErrorKind::UnexpectedEof
        );
        let said = Error::io("read", path.display(), &e);
        if damaged { refused(path, &format!("it is damaged or cut off: {e}")) } else { said }
    };
    let count = AtomicU64::new(0);
    let mut from = unpacked(path, &count).map_err(io)?;
    let mut splitter = Splitter::keeping(LAST);
    let (mut buffer, mut last) = (vec![0; 256 * 1024], Vec::new());
    loop {
        let count = from.read(&mut buffer).map_err(io)?;
        let part = buffer.get(..count).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        for piece in splitter.feed(part).map_err(|why| refused(path, &why))? {
            allowed(&piece).map_err(|why| refused(path, &why))?;
        }
        last.extend_from_slice(part.get(part.len().saturating_sub(LAST)..).unwrap_or_default());
        last.drain(..last.len().saturating_sub(LAST));
    }
    if let Some(piece) = splitter.finish().map_err(|why| refused(path, &why))? {
        allowed(&piece).map_err(|why| refused(path, &why))?;
    }
    if is_whole(&last) {
        Ok(())
    } else {
        Err(refused(path, "it is cut off: the last line of a whole dump is missing"))
    }
}

/// Whether what ends like this is a whole dump.
pub(super) fn is_whole(last: &[u8]) -> bool {
    let last = String::from_utf8_lossy(last);
    let mut lines = last.lines().skip_while(|line| *line != TRAILER);
    let said = lines.next().is_some();
    let nothing = |line: &str| {
        line.trim().is_empty() || line.starts_with("--") || line.starts_with("\\unrestrict ")
    };
    said && lines.all(nothing)
}

fn allowed(piece: &Piece) -> Result<(), String> {
    match piece {
        Piece::Command(line) => {
            let name = line.split_whitespace().next().unwrap_or_default();
            if ["\\restrict", "\\unrestrict"].contains(&name) {
                return Ok(());
            }
            Err(format!("{:?} is a command of psql, which no dump needs", fit(line, 40)))
        }
        Piece::Statement(statement) => {
            let starts = |word: &str| {
                statement.get(..word.len()).is_some_and(|first| first.eq_ignore_ascii_case(word))
            };
            if !["COPY", "ALTER", "DROP", "CREATE"].iter().any(|word| starts(word)) {
                return Ok(());
            }
            let words = words(statement);
            let has = |one: &str, two: &str| words.windows(2).any(|both| both == [one, two]);
            let begins = |one: &str, two: &str| {
                words.first().is_some_and(|word| word == one)
                    && words.get(1).is_some_and(|word| word == two)
            };
            let fine = if starts("COPY") {
                has("FROM", "STDIN")
            } else {
                !["DATABASE", "SYSTEM", "TABLESPACE", "ROLE", "USER"]
                    .iter()
                    .any(|thing| ["ALTER", "DROP", "CREATE"].iter().any(|verb| begins(verb, thing)))
                    || begins("CREATE", "USER") && has("USER", "MAPPING")
            };
            if fine {
                return Ok(());
            }
            let shown = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            Err(format!("{:?} reaches out of the database", fit(&shown, 60)))
        }
    }
}

fn refused(path: &Path, why: &str) -> Error {
    let message = format!("could not read {}: {why}; nothing was restored", path.display());
    Error::new(Kind::Rejected, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.sql");
        std::fs::write(&path, text).unwrap();
        assert_eq!(format(&path).unwrap(), Format::Plain);
        read(&path).map_err(|error| error.message)
    }

    fn whole(body: &str) -> String {
        format!("\\restrict k\nSET a = 1;\n{body}\n--\n{TRAILER}\n--\n\n\\unrestrict k\n\n")
    }

    #[test]
    fn a_whole_dump_is_read_and_a_cut_one_is_refused() {
        let text = whole("COPY t (program) FROM stdin;\n1\n\\! rm\n\\.\nCREATE TABLE user_a ();");
        judge(&text).unwrap();
        for end in [text.len() - 60, text.len() / 2] {
            let why = judge(&text[..end]).unwrap_err();
            assert!(why.contains("nothing was restored"), "{why}");
        }
        // A row may say what the last line says.
        let why = judge(&format!("COPY t FROM stdin;\n{TRAILER}\n1\n")).unwrap_err();
        assert!(why.contains("rows of a table"), "{why}");
    }

    #[test]
    fn what_reaches_out_of_the_database_is_refused() {
        for bad in [
            "\\! rm -rf /",
            "SELECT 1 \\g | sh",
            "\\connect other",
            "\\copy t from program 'x'",
            "copy t from program 'id';",
            "COPY (SELECT 1) TO '/etc/x';",
            "ALTER SYSTEM SET a = 1;",
            "DROP DATABASE app;",
            "/* x */ drop /* y */ role a;",
        ] {
            let why = judge(&whole(bad)).unwrap_err();
            assert!(why.contains("psql") || why.contains("reaches out"), "{bad}: {why}");
        }
        judge(&whole("SELECT '\\! a'; CREATE USER MAPPING FOR a SERVER s;")).unwrap();
    }
}
