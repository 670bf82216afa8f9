//! What is said to a server and what it says: statements, texts, and what its no means.

use std::fmt::Write as _;

use crate::bug::Bug;
use crate::model::ids::Epoch;

use super::super::super::chain::{self, Link};
use super::super::{COLUMNS, Row};
use super::lease::Holder;

/// How long a lease lasts without a word of its holder, by the server's clock, in seconds.
pub(super) const LEASE: u32 = 30;

/// The rows and the proof of the lease in one statement, hence one transaction: the lease's row is
/// changed first, so that whoever takes the lease meanwhile comes before all of this or after it.
pub(super) fn append(holder: &Holder, head: &Link, epoch: Epoch, rows: &[Row]) -> String {
    let mut values = String::new();
    for row in rows {
        let comma = if values.is_empty() { "" } else { ", " };
        let (seq, epoch) = (row.seq, row.epoch);
        let (kind, hash, bytes) = (literal(&row.kind), hex(&row.hash), hex(&row.bytes));
        // Writing to a `String` cannot fail.
        let _ = write!(
            values,
            "{comma}({seq}::bigint, {epoch}::bigint, {kind}, decode('{hash}', 'hex'), \
             decode('{bytes}', 'hex'))"
        );
    }
    let (id, at, hash) = (&holder.id, head.seq, &head.hash);
    let mine = if Bug::NoEpochCheck.is_on() {
        "true".to_owned()
    } else {
        format!("holder = '{id}' AND epoch = {}", epoch.min(holder.epoch))
    };
    format!(
        "SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = '8s'; \
         WITH held AS (UPDATE backout.lease \
         SET expires = clock_timestamp() + interval '{LEASE} s' WHERE {mine} RETURNING 1) \
         INSERT INTO backout.entries ({COLUMNS}) \
         SELECT * FROM (VALUES {values}) AS new ({COLUMNS}) \
         WHERE EXISTS (SELECT FROM held) \
         AND NOT EXISTS (SELECT FROM backout.entries WHERE seq > {at}) \
         AND ({at} = 0 OR EXISTS (SELECT FROM backout.entries \
         WHERE seq = {at} AND hash = decode('{hash}', 'hex'))) RETURNING seq"
    )
}

fn hex(bytes: &[u8]) -> String {
    chain::hex(bytes).0
}

/// A text as SQL writes it, however the server reads a backslash.
pub(in super::super::super) fn literal(text: &str) -> String {
    format!("convert_from(decode('{}', 'hex'), 'UTF8')", hex(text.as_bytes()))
}

pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// Whether the line is gone, or the server is just going down or coming up: what was asked may have
/// been done or not.
pub(in super::super::super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(_) => code(error).is_some_and(|code| {
            // Going down, coming up, no place for one more; the pooler lost its own line; a
            // question that was cancelled for its time, or for another one.
            ["57P01", "57P02", "57P03", "53300", "57014", "40001", "40P01"].contains(&code.as_str())
                || code.starts_with("08")
        }),
        _ => false,
    }
}
