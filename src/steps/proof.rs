//! A mark in a step's own folder that it once saw what it was to see. Steps that only look leave
//! no effect in the world, so without a mark a look afterwards could not tell "seen three times in
//! a row" from "happens to be fine now". Each attempt has its own folder and so its own mark.

use std::fs::{self, File};
use std::path::Path;

use crate::adapters::Error;

const NAME: &str = "proved";

/// Leaves the mark.
pub(super) fn leave(slot: &Path) -> Result<(), Error> {
    let path = slot.join(NAME);
    fs::create_dir_all(slot)
        .and_then(|()| File::create(&path)?.sync_all())
        .and_then(|()| File::open(slot)?.sync_all())
        .or_else(|e| match e.kind() {
            // A full disk fails no step that has seen what it was to see: after a restart of the
            // engine it looks once more, which changes nothing.
            std::io::ErrorKind::StorageFull => Ok(()),
            _ => Err(e),
        })
        .map_err(|e| Error::io("write", path.display(), &e))
}

/// Whether the mark is there.
pub(super) fn is_there(slot: &Path) -> bool {
    slot.join(NAME).exists()
}
