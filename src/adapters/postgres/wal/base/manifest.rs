//! The manifest of a base backup, and what was found held against it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::adapters::Error;
use crate::model::ids::Digest;

use super::{Found, no};

/// What a check of the manifest passes over, as the server's own check does.
const PASSED_OVER: [&str; 4] =
    ["backup_manifest", "postgresql.auto.conf", "recovery.signal", "standby.signal"];

#[derive(Deserialize)]
pub(super) struct Manifest {
    #[serde(rename = "Files")]
    pub(super) files: Vec<Listed>,
    #[serde(rename = "WAL-Ranges", default)]
    pub(super) ranges: Vec<Range>,
    #[serde(rename = "System-Identifier", default)]
    pub(super) system: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "Path")]
    path: Option<String>,
    #[serde(rename = "Size")]
    size: u64,
    #[serde(rename = "Checksum-Algorithm", default)]
    pub(super) kind: Option<String>,
    #[serde(rename = "Checksum", default)]
    sum: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Range {
    #[serde(rename = "End-LSN")]
    pub(super) end: String,
}

/// A manifest says of itself whether it is whole.
pub(super) fn read_manifest(path: &Path, text: &[u8]) -> Result<Manifest, Error> {
    let mark = b"\"Manifest-Checksum\"";
    let at = memchr::memmem::rfind(text, mark);
    let at = at.ok_or_else(|| no(path, "its backup_manifest is cut off"))?;
    let (body, sum) = text.split_at_checked(at).unwrap_or_default();
    let said = String::from_utf8_lossy(sum);
    let said = said.split('"').nth(3).unwrap_or_default().to_owned();
    if Digest::of(body).0 != said {
        return Err(no(path, "its backup_manifest is not what its own checksum says"));
    }
    serde_json::from_slice(text)
        .map_err(|e| no(path, &format!("its backup_manifest cannot be read: {e}")))
}

pub(super) fn held_against(
    path: &Path,
    manifest: &Manifest,
    found: &BTreeMap<String, Found>,
) -> Result<(), Error> {
    let mut wrong = Vec::new();
    let mut listed = std::collections::BTreeSet::new();
    for one in &manifest.files {
        let Some(name) = &one.path else { continue };
        listed.insert(name.as_str());
        if PASSED_OVER.contains(&name.as_str()) {
            continue;
        }
        let Some(held) = found.get(name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        let sum = match one.kind.as_deref() {
            // As the server writes it: byte by byte, lowest first.
            Some("CRC32C") => {
                Some(held.crc.to_le_bytes().map(|byte| format!("{byte:02x}")).concat())
            }
            Some("SHA256") => held.sha.as_ref().map(|sha| sha.0.clone()),
            Some(_) | None => None,
        };
        if held.size != one.size || one.sum.is_some() && sum != one.sum {
            wrong.push(format!("{name} is not what it was"));
        }
    }
    let known = |name: &str| {
        listed.contains(name) || name.starts_with("pg_wal/") || PASSED_OVER.contains(&name)
    };
    wrong.extend(
        found.keys().filter(|name| !known(name)).map(|name| format!("{name} is not listed")),
    );
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(3);
    wrong.truncate(3);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Err(no(path, &format!("it is not what its manifest says: {}{more}", wrong.join("; "))))
}
