//! Looks through the dump of a database: whether it is whole, and how many rows it brings.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::adapters::sqlite::split::Splitter;
use crate::model::tables::TableFacts;

use super::archive::Limits;

use self::copies::Copies;

mod copies;

/// How other programs end a dump.
const TRAILERS: [&str; 2] = ["-- PostgreSQL database dump complete", "-- Dump completed"];
/// How they begin one; its data are not statements.
const FOREIGN: [&str; 2] = [POSTGRES, "-- MySQL dump"];
const POSTGRES: &str = "-- PostgreSQL database dump";
const EMPTY: &str = "it makes no table: an empty dump";
/// How much of the beginning and of the end is kept to look at.
const KEPT: usize = 4096;

/// What a dump brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// Rows by table, as its statements name it.
    pub rows: BTreeMap<String, u64>,
    /// Tables that it makes.
    pub tables: u64,
    /// Bytes of its text.
    pub bytes: u64,
    /// Whether its rows could be counted.
    pub counted: bool,
}

/// Reads all of the compressed dump `from`; what it brings, or why it is not whole.
pub(super) fn look(from: impl Read, packed: u64) -> Result<Script, String> {
    let mut plain = MultiGzDecoder::new(BufReader::with_capacity(256 * 1024, from));
    let most = packed.saturating_mul(Limits::default().ratio * 2).max(1 << 28);
    let mut found = Script::default();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    let mut splitter = Splitter::default();
    let mut copies = Copies::default();
    let mut last = String::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = plain.read(&mut buffer).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => "it ends early: it was cut short".to_owned(),
            _ => format!("could not be unpacked: {e}"),
        })?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        found.bytes += count as u64;
        if found.bytes > most {
            return Err("it becomes more than its packed size allows: a bomb".to_owned());
        }
        if head.len() < KEPT {
            head.extend(part.iter().take(KEPT - head.len()));
        }
        tail.extend_from_slice(part.get(part.len().saturating_sub(KEPT)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(KEPT));
        if foreign(&head) {
            copies.feed(part);
            continue;
        }
        for statement in splitter.feed(part)? {
            found.count(&statement);
            last = statement;
        }
    }
    if foreign(&head) {
        let tail = String::from_utf8_lossy(&tail);
        let whole = TRAILERS.iter().any(|trailer| tail.contains(trailer)) && !copies.open();
        if !whole {
            return Err("its last line is missing".to_owned());
        }
        if copies.tables == 0 {
            return Err(EMPTY.to_owned());
        }
        found.counted = String::from_utf8_lossy(&head).contains(POSTGRES);
        (found.rows, found.tables) = (copies.rows, copies.tables);
        return Ok(found);
    }
    let rest = splitter.finish()?;
    if !rest.trim().is_empty() {
        return Err("its last statement does not end: it was cut short".to_owned());
    }
    if found.bytes == 0 || found.tables == 0 {
        return Err(EMPTY.to_owned());
    }
    if !last.trim().eq_ignore_ascii_case("COMMIT") && !last.trim().eq_ignore_ascii_case("END") {
        return Err("it does not end with COMMIT: it was cut short".to_owned());
    }
    found.counted = true;
    Ok(found)
}

fn foreign(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head.get(..256.min(head.len())).unwrap_or_default());
    FOREIGN.iter().any(|begin| text.contains(begin))
}

impl Script {
    fn count(&mut self, statement: &str) {
        let text = statement.trim_start();
        if let Some(rest) = after(text, "INSERT INTO ") {
            let name = match rest.strip_prefix('"') {
                Some(rest) => quoted(rest),
                None => rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
            };
            *self.rows.entry(name).or_default() += 1;
        } else if after(text, "CREATE TABLE").is_some() || after(text, "CREATE VIRTUAL").is_some() {
            self.tables += 1;
        }
    }

    /// Where the rows differ from what was recorded, one line a table.
    pub(super) fn against(&self, tables: &[TableFacts]) -> Vec<String> {
        tables
            .iter()
            .filter(|_| self.counted)
            .filter_map(|table| {
                let rows = self.rows.get(&table.name).copied().unwrap_or(0);
                (rows != table.rows).then(|| {
                    let (name, said) = (&table.name, table.rows);
                    format!("brings {rows} rows of {name}, the manifest says {said}")
                })
            })
            .collect()
    }
}

fn after<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    let head = text.get(..begin.len())?;
    head.eq_ignore_ascii_case(begin).then(|| text.get(begin.len()..)).flatten()
}

/// A name up to its closing mark; a doubled mark is one of the name's own.
fn quoted(text: &str) -> String {
    let mut name = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' && letters.next_if_eq(&'"').is_none() {
            break;
        }
        name.push(letter);
    }
    name
}
