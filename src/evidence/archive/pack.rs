//! Writes a folder as an archive that `tar xzf` reads, in parts that can be read side by side:
//! each is a gzip member of whole entries.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::{BLOCK, facts, name, padding};
use crate::adapters::Error;
use crate::adapters::database::Told;
use crate::evidence::manifest::FileFacts;
use crate::text::SafeText;

/// A part is ended when it holds so many bytes.
const PART: usize = 1024 * 1024;
/// A file of more bytes is a part of its own.
const BIG: u64 = 8 * 1024 * 1024;
/// How much of a file is tried to see whether it packs.
const TRIED: usize = 32 * 1024;

/// What was packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Every file and link, with its digest.
    pub entries: BTreeMap<String, FileFacts>,
    /// The lengths of the parts, in bytes.
    pub parts: Vec<u64>,
    /// Bytes of all files.
    pub bytes: u64,
    /// What was left out, with the reason: pipes, sockets, links that lead out.
    pub left_out: Vec<SafeText>,
}

/// Packs what is in `folder`, below the name `prefix`, into the fresh file `into`, which is on the
/// disk when this returns. `told` gets bytes of files done of all.
///
/// Fails when a file becomes shorter while it is read, and with `NoSpace` when the disk is full.
pub fn pack(folder: &Path, prefix: &str, into: &Path, told: Told<'_>) -> Result<Packed, Error> {
    let failed = |e: io::Error| Error::io("write", into.display(), &e);
    let file = File::options().write(true).create_new(true).mode(0o640).open(into);
    let mut packer = Packer {
        out: file.map_err(failed)?,
        packed: Packed::default(),
        groups: [Vec::new(), Vec::new()],
        into: into.display().to_string(),
        all: size_of(folder),
        told,
    };
    told(0, packer.all);
    packer.folder(folder, prefix)?;
    packer.last().map_err(failed)?;
    packer.out.sync_all().map_err(failed)?;
    told(packer.all, packer.all);
    Ok(packer.packed)
}

/// Bytes of the plain files below `folder`; what cannot be read counts nothing here.
pub(in crate::evidence) fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_of(&entry.path()),
            Ok(found) if found.is_file() => found.len(),
            Ok(_) | Err(_) => 0,
        })
        .sum()
}

struct Packer<'a> {
    out: File,
    packed: Packed,
    /// Entries that wait for their part: those that pack and those that do not.
    groups: [Vec<u8>; 2],
    into: String,
    all: u64,
    told: Told<'a>,
}

impl Packer<'_> {
    fn folder(&mut self, folder: &Path, below: &str) -> Result<(), Error> {
        let failed = |e: io::Error| Error::io("read", folder.display(), &e);
        let found = fs::symlink_metadata(folder).map_err(failed)?;
        let header = head(EntryType::Directory, &format!("{below}/"), &found, 0, None);
        self.groups[0].extend(header.map_err(failed)?);
        let mut entries: Vec<_> =
            fs::read_dir(folder).and_then(Iterator::collect).map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let shown = entry.file_name().to_string_lossy().into_owned();
            let inside = format!("{below}/{shown}");
            if entry.file_name().to_str().is_none() || name::path(inside.as_bytes()).is_err() {
                self.left_out(&inside, "its name cannot be packed");
                continue;
            }
            let found = match entry.metadata() {
                Ok(found) => found,
                // Gone since the folder was read: as if it had gone before.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed(e)),
            };
            if found.is_dir() {
                self.folder(&path, &inside)?;
            } else if found.is_file() {
                self.file(&path, &inside)?;
            } else if found.is_symlink() {
                self.link(&path, &inside, &found)?;
            } else {
                self.left_out(&inside, "neither a file nor a folder");
            }
        }
        Ok(())
    }

    fn left_out(&mut self, inside: &str, why: &str) {
        self.packed.left_out.push(SafeText::new(&format!("{inside}: {why}")));
    }

    fn link(&mut self, path: &Path, inside: &str, found: &fs::Metadata) -> Result<(), Error> {
        let failed = |e: io::Error| Error::io("read", path.display(), &e);
        let to = fs::read_link(path).map_err(failed)?;
        let Ok(to) = name::link(inside, to.as_os_str().as_encoded_bytes()) else {
            self.left_out(inside, "a link that leads out of the folder");
            return Ok(());
        };
        let header = head(EntryType::Symlink, inside, found, 0, Some(&to)).map_err(failed)?;
        self.groups[0].extend(header);
        let facts = facts(to.len() as u64, &Sha256::digest(to.as_bytes()));
        self.packed.entries.insert(inside.to_owned(), facts);
        Ok(())
    }

    fn file(&mut self, path: &Path, inside: &str) -> Result<(), Error> {
        let failed = |e: io::Error| Error::io("read", path.display(), &e);
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        let mut file = match File::options().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(failed(e)),
        };
        let found = file.metadata().map_err(failed)?;
        let size = found.len();
        let header = head(EntryType::Regular, inside, &found, size, None).map_err(failed)?;
        let mut begin = Vec::new();
        (&mut file).take(size.min(TRIED as u64)).read_to_end(&mut begin).map_err(failed)?;
        let group = usize::from(!packs(&begin).map_err(failed)?);
        let mut hash = Sha256::new();
        let full = |into: &str, e: io::Error| Error::io("write", into, &e);
        if size > BIG {
            self.flush(group).map_err(|e| full(&self.into, e))?;
            let at = self.out.metadata().map_err(failed)?.len();
            let mut out = GzEncoder::new(&self.out, level(group));
            out.write_all(&header).map_err(|e| full(&self.into, e))?;
            let mut left = size;
            let mut part = begin;
            while !part.is_empty() && left > 0 {
                hash.update(&part);
                out.write_all(&part).map_err(|e| full(&self.into, e))?;
                left -= part.len() as u64;
                self.packed.bytes += part.len() as u64;
                (self.told)(self.packed.bytes, self.all);
                part.resize(256 * 1024, 0);
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
                part.truncate(most);
                let count = file.read(&mut part).map_err(failed)?;
                part.truncate(count);
            }
            shrank(path, left)?;
            out.write_all(&vec![0; padding(size)])
                .and_then(|()| out.finish().map(drop))
                .map_err(|e| full(&self.into, e))?;
            let end = self.out.metadata().map_err(failed)?.len();
            self.packed.parts.push(end - at);
        } else {
            let mut rest = begin;
            let left = size - rest.len() as u64;
            (&mut file).take(left).read_to_end(&mut rest).map_err(failed)?;
            shrank(path, size - rest.len() as u64)?;
            hash.update(&rest);
            self.packed.bytes += size;
            (self.told)(self.packed.bytes, self.all);
            let waiting = self.groups.get_mut(group).map_or(0, |waiting| {
                waiting.extend(header);
                waiting.extend(rest);
                waiting.resize(waiting.len() + padding(size), 0);
                waiting.len()
            });
            if waiting >= PART {
                self.flush(group).map_err(|e| full(&self.into, e))?;
            }
        }
        self.packed.entries.insert(inside.to_owned(), facts(size, &hash.finalize()));
        Ok(())
    }

    /// Writes what waits in a group as a part of its own.
    fn flush(&mut self, group: usize) -> io::Result<()> {
        let Some(waiting) = self.groups.get_mut(group).filter(|waiting| !waiting.is_empty()) else {
            return Ok(());
        };
        let mut out = GzEncoder::new(Vec::with_capacity(waiting.len() / 2), level(group));
        out.write_all(waiting)?;
        let part = out.finish()?;
        waiting.clear();
        self.out.write_all(&part)?;
        self.packed.parts.push(part.len() as u64);
        Ok(())
    }

    /// The parts that are left, and the two closing blocks.
    fn last(&mut self) -> io::Result<()> {
        self.flush(1)?;
        self.groups[0].extend([0; 2 * BLOCK]);
        self.flush(0)
    }
}

fn level(group: usize) -> Compression {
    if group == 0 { Compression::fast() } else { Compression::none() }
}

/// Whether it is worth packing: what is packed already only costs time.
fn packs(begin: &[u8]) -> io::Result<bool> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(begin)?;
    Ok(begin.len() < 512 || out.finish()?.len() * 20 < begin.len() * 19)
}

fn shrank(path: &Path, left: u64) -> Result<(), Error> {
    if left == 0 {
        return Ok(());
    }
    let e =
        io::Error::other(format!("it became {left} bytes shorter while it was read; try again"));
    Err(Error::io("pack", path.display(), &e))
}

/// The header of an entry, with one of its own before it when the name is long.
fn head(
    kind: EntryType,
    inside: &str,
    found: &fs::Metadata,
    size: u64,
    link: Option<&str>,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(found.mode() & 0o777);
    header.set_uid(u64::from(found.uid()));
    header.set_gid(u64::from(found.gid()));
    header.set_mtime(found.mtime().max(0).unsigned_abs());
    if header.set_path(inside).is_err() {
        bytes.extend(long(EntryType::GNULongName, inside)?);
        header.set_path("@long")?;
    }
    if let Some(link) = link
        && header.set_link_name_literal(link).is_err()
    {
        bytes.extend(long(EntryType::GNULongLink, link)?);
    }
    header.set_cksum();
    bytes.extend(header.as_bytes());
    Ok(bytes)
}

fn long(kind: EntryType, text: &str) -> io::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_path("././@LongLink").or_else(|_| header.set_path("@LongLink"))?;
    header.set_mode(0o644);
    header.set_size(text.len() as u64 + 1);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes.resize(bytes.len() + 1 + padding(text.len() as u64 + 1), 0);
    Ok(bytes)
}
