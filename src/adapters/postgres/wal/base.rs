//! A base backup as one archive: its label, its server, and whether it is what its own manifest
//! says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;
use crate::model::until::Lsn;

use self::crc32c::crc32c;
use self::manifest::{held_against, read_manifest};

mod control;
mod crc32c;
mod label;
mod manifest;

pub use control::Control;
pub use label::Label;

/// The largest text file of a base backup that is read whole, in bytes: a manifest has a line of
/// about 150 bytes for each file.
const MOST_TEXT: u64 = 1 << 30;

/// A base backup that was read through and is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its label.
    pub label: Label,
    /// The server that it is of.
    pub system: u64,
    /// Where it ends in the log, where its manifest says so.
    pub end: Option<Lsn>,
    /// How many files were held against the manifest; none where it has no manifest.
    pub checked: Option<usize>,
    /// How large it is unpacked, in bytes.
    pub bytes: u64,
    /// The server's main version: `15`.
    pub version: String,
}

/// What was found of a file.
struct Found {
    size: u64,
    crc: u32,
    sha: Option<Digest>,
}

impl Base {
    /// Reads a base backup through to its last byte, and holds every file against the manifest in
    /// it. `told` hears how many bytes of it are read.
    pub fn read(path: &Path, told: &dyn Fn(u64)) -> Result<Self, Error> {
        let (mut found, texts) = files(path, false, told)?;
        let text = |name: &str| texts.get(name).map(Vec::as_slice);
        let label = text("backup_label").map(String::from_utf8_lossy);
        let label = label.as_deref().and_then(Label::parse);
        let label =
            label.ok_or_else(|| no(path, "it has no backup_label: it is no base backup"))?;
        let control = text("global/pg_control").and_then(Control::parse);
        let control = control.ok_or_else(|| no(path, "it has no global/pg_control"))?;
        let version =
            text("PG_VERSION").map(|text| String::from_utf8_lossy(text).trim().to_owned());
        let bytes = found.values().map(|one| one.size).sum();
        let manifest = text("backup_manifest").map(|text| read_manifest(path, text)).transpose()?;
        let mut checked = None;
        if let Some(manifest) = &manifest {
            let kinds: Vec<&str> =
                manifest.files.iter().filter_map(|one| one.kind.as_deref()).collect();
            if let Some(other) = kinds.iter().find(|kind| !["CRC32C", "SHA256"].contains(*kind)) {
                return Err(no(path, &format!("checksums of the kind {other} cannot be read")));
            }
            if kinds.contains(&"SHA256") {
                (found, _) = files(path, true, told)?;
            }
            held_against(path, manifest, &found)?;
            if manifest.system.is_some_and(|system| system != control.system) {
                return Err(no(path, "its manifest is of another database system"));
            }
            checked = Some(manifest.files.len());
        }
        let ends =
            manifest.iter().flat_map(|one| &one.ranges).filter_map(|one| one.end.parse().ok());
        Ok(Self {
            label,
            system: control.system,
            end: ends.max(),
            checked,
            bytes,
            version: version.unwrap_or_default(),
        })
    }
}

fn no(path: &Path, why: &str) -> Error {
    Error::new(Kind::Rejected, format!("could not use {}: {why}", path.display()))
}

/// The archive as it was before it was packed, where it is packed.
pub(in crate::adapters::postgres) fn opened(path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    let io = |e: std::io::Error| Error::io("read", path.display(), &e);
    let mut file = File::open(path).map_err(io)?;
    let mut magic = Vec::new();
    (&mut file).take(2).read_to_end(&mut magic).map_err(io)?;
    std::io::Seek::rewind(&mut file).map_err(io)?;
    let file = BufReader::with_capacity(256 * 1024, file);
    Ok(if magic == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

fn name<R: Read>(entry: &tar::Entry<'_, R>) -> std::io::Result<String> {
    Ok(entry.path()?.to_string_lossy().trim_start_matches("./").to_owned())
}

type Files = (BTreeMap<String, Found>, BTreeMap<&'static str, Vec<u8>>);

/// Every file with its sums, and the few that are read.
fn files(path: &Path, sha: bool, told: &dyn Fn(u64)) -> Result<Files, Error> {
    let io = |e: std::io::Error| Error::io("read", path.display(), &e);
    let mut archive = tar::Archive::new(opened(path)?);
    let (mut found, mut texts) = (BTreeMap::new(), BTreeMap::new());
    let mut buffer = vec![0; 256 * 1024];
    let mut read = 0;
    for entry in archive.entries().map_err(io)? {
        let mut entry = entry.map_err(io)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = name(&entry).map_err(io)?;
        let wanted = ["backup_label", "backup_manifest", "global/pg_control", "PG_VERSION"];
        let mut text = wanted.into_iter().find(|one| *one == name).map(|one| (one, Vec::new()));
        let mut one = Found { size: 0, crc: !0, sha: None };
        let mut hash = sha.then(Sha256::new);
        loop {
            let count = entry.read(&mut buffer).map_err(io)?;
            let part = buffer.get(..count).unwrap_or_default();
            if part.is_empty() {
                break;
            }
            one.size += part.len() as u64;
            one.crc = crc32c(one.crc, part);
            if let Some(hash) = &mut hash {
                hash.update(part);
            }
            if let Some((_, text)) = &mut text
                && one.size <= MOST_TEXT
            {
                text.extend_from_slice(part);
            }
            read += part.len() as u64;
            told(read);
        }
        one.crc = !one.crc;
        one.sha = hash.map(|hash| Digest::of_hash(&hash.finalize()));
        texts.extend(text);
        found.insert(name, one);
    }
    // A packed archive that was cut is noticed at its end only.
    let mut rest = archive.into_inner();
    loop {
        if rest.read(&mut buffer).map_err(io)? == 0 {
            return Ok((found, texts));
        }
    }
}
