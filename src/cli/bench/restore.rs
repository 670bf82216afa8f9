//! Packing and restoring of files, for measuring from outside.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::adapters::Error;
use crate::evidence::archive::{Expected, Job, Limits, Refusal, pack, unpack};
use crate::evidence::manifest::Manifest;
use crate::failure::{Exit, Failure};

use super::super::say;

#[derive(Subcommand, Debug)]
pub(crate) enum RestoreBench {
    /// Pack a folder as a restore point does, with the manifest of it
    Pack {
        /// What
        folder: PathBuf,
        /// The archive to make
        archive: PathBuf,
        /// The manifest to make
        manifest: PathBuf,
    },
    /// Make the manifest of somebody else's archive
    Index {
        /// The archive
        archive: PathBuf,
        /// The manifest to make
        manifest: PathBuf,
        /// A folder to use meanwhile; it must not be there
        scratch: PathBuf,
    },
    /// Restore an archive with every digest checked
    Files {
        /// The archive
        archive: PathBuf,
        /// Its manifest
        manifest: PathBuf,
        /// The folder to make
        into: PathBuf,
    },
}

pub(super) fn run(command: &RestoreBench, out: &mut dyn Write) -> Result<Exit, Failure> {
    let failed = |error: Error| Failure::new(Exit::Unknown, error.message);
    match command {
        RestoreBench::Pack { folder, archive, manifest } => {
            let packed = pack(folder, "data", archive, &|_, _| {}).map_err(failed)?;
            let (entries, parts) = (packed.entries, packed.parts);
            write(manifest, &Manifest { format: 1, entries, parts, ..Manifest::default() })
                .map_err(failed)?;
        }
        RestoreBench::Index { archive, manifest, scratch } => {
            let done = restore(archive, scratch, None).map_err(failed)?;
            std::fs::remove_dir_all(scratch)
                .map_err(|e| failed(Error::io("remove", scratch.display(), &e)))?;
            write(manifest, &Manifest { format: 1, entries: done.entries, ..Manifest::default() })
                .map_err(failed)?;
        }
        RestoreBench::Files { archive, manifest, into } => {
            let bytes = std::fs::read(manifest)
                .map_err(|e| failed(Error::io("read", manifest.display(), &e)))?;
            let manifest = Manifest::of(&bytes).map_err(|why| Failure::new(Exit::Unknown, why))?;
            let done = restore(archive, into, Some(Expected::of(&manifest))).map_err(failed)?;
            say(out, &format!("{} files, {} bytes\n", done.entries.len(), done.bytes));
        }
    }
    Ok(Exit::Ok)
}

fn restore(
    archive: &Path,
    into: &Path,
    expected: Option<Expected<'_>>,
) -> Result<crate::evidence::archive::Scanned, Error> {
    let file = File::open(archive).map_err(|e| Error::io("read", archive.display(), &e))?;
    let limits = Limits::default();
    let job = Job { archive: &file, name: "data.tar.gz", into, expected, limits, sync: false };
    unpack(&job, &|_, _| {}).map_err(|refusal: Refusal| refusal.into())
}

fn write(path: &Path, manifest: &Manifest) -> Result<(), Error> {
    let bytes = serde_json::to_vec(manifest).unwrap_or_default();
    std::fs::write(path, bytes).map_err(|e| Error::io("write", path.display(), &e))
}
